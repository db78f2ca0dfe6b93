import {
  alias,
  boolean,
  enumeration,
  fixed,
  opaque,
  optional,
  struct,
  type TypeOf,
  uint8,
  uint16,
  uint32,
  uint64,
  union,
  utf8,
  vector,
} from "@conclave/codec"
import { notToRepeat, requestContract, safeToRepeat } from "@conclave/transport"
import { Access, AccessKey, Interval, Pass } from "./access.js"
import { ServiceIdentity } from "./heads.js"
import { Answers, Knock, KnockId } from "./knocks.js"
import { KeepingPolicy, KeptFor } from "./policy.js"

/**
 * The contract of the Delivery Service (RFC 9750 §5): one ordered log for each group, key packages, and an inbox for
 * each device. Types and codecs only.
 *
 * The group's log is the fan-out: a commit is accepted if and only if it is appended, in one transaction with its
 * Welcomes, and members read the log by cursor. `seq` is dense: 1, 2, 3, …; a gap is proof of loss. Whoever asks for
 * something of a group proves a key of the group's: see `access.ts`. The service has no list of members, and neither a
 * GroupInfo nor a ratchet tree.
 *
 * The service opens no message and counts no epochs: it compares and sets. A commit names the last commit entry that its
 * author has read ({@link Append}`.after`), and is accepted if and only if that is still the last one. Which commits
 * hold is for the members to judge, who all read the same log.
 */

/** The media type that requests may have, beside `application/octet-stream`: that of an MLSMessage (RFC 9420 §17.10). */
export const MLS_MEDIA_TYPE = "message/mls"

/** Random, 32 bytes, chosen by the creator: MLS's group_id. */
export const GroupId = alias("GroupId", opaque)
export const DeviceId = alias("DeviceId", opaque)
/** Random, 16 bytes, chosen once for a wish to append; a retry carries the same and gets the first answer. */
export const IdempotencyId = alias("IdempotencyId", opaque)

/** What an entry of the log is to the service. It opens none of them. */
export const EntryKind = enumeration("EntryKind", 1, { application: 1, proposal: 2, commit: 3 })
export type EntryKind = TypeOf<typeof EntryKind>
/** What an entry is when it is read. `expired`: an application message that is kept no longer; its body is SHA-256(body). */
export const LogEntryKind = enumeration("LogEntryKind", 1, { application: 1, proposal: 2, commit: 3, expired: 4 })
export type LogEntryKind = TypeOf<typeof LogEntryKind>

/** One message of a group's log. `body` is an MLSMessage (RFC 9420 §6), or 32 bytes where the message has expired. */
export const Entry = struct("Entry", {
  seq: uint64,
  kind: LogEntryKind,
  /** The epoch that the message says it was framed in (RFC 9420 §6). */
  epoch: uint64,
  body: opaque,
  /** The interval that a commit begins, if it has a path. */
  begins: optional(Interval),
  /**
   * 32 bytes: SHA-256(previous ‖ seq ‖ kind ‖ epoch ‖ SHA-256(body) ‖ begins), see `log-chain.ts`; for an expired entry,
   * with the kind `application` and with its body in the place of the hash.
   */
  chainHash: opaque,
  /** Unix time in milliseconds, by the service's clock. */
  at: uint64,
})
export type Entry = TypeOf<typeof Entry>

export const InboxKind = enumeration("InboxKind", 1, { welcome: 1, keyPackagesLow: 2 })
/**
 * One unicast message to a device. `n` rises by one for each that was put into the inbox; where one is missing, it has
 * made room for others, or expired.
 */
export const InboxEntry = struct("InboxEntry", {
  n: uint64,
  kind: InboxKind,
  /** The group that a Welcome leads to (empty otherwise), and the seq of the commit that it came with. */
  groupId: GroupId,
  seq: uint64,
  /** An MLSMessage with the Welcome; empty for `keyPackagesLow`. */
  body: opaque,
  /** The ratchet tree, beside a Welcome that was sent before version 3 of this contract; those since then have it inside. */
  ratchetTree: optional(opaque),
  at: uint64,
})
export type InboxEntry = TypeOf<typeof InboxEntry>

/** The label of `SignWithLabel` (RFC 9420 §5.1.2) over a {@link DeviceRequestTBS}. */
export const DEVICE_REQUEST_LABEL = "ConclaveDeviceRequest"
/** Signed by the device with `SignWithLabel(., DEVICE_REQUEST_LABEL, DeviceRequestTBS)`. */
export const DeviceRequestTBS = struct("DeviceRequestTBS", {
  deviceId: DeviceId,
  /** Unix time in milliseconds; accepted within five minutes of the service's clock. */
  at: uint64,
  /** The request as it is sent, version byte included, with {@link EMPTY_PROOF} in the place of its proof. */
  request: opaque,
})
export const DeviceProof = struct("DeviceProof", { deviceId: DeviceId, at: uint64, signature: opaque })
export type DeviceProof = TypeOf<typeof DeviceProof>
/** Stands for the proof while the request is signed. */
export const EMPTY_PROOF: DeviceProof = { deviceId: new Uint8Array(), at: 0n, signature: new Uint8Array() }

export const PublishKeyPackages = struct("PublishKeyPackages", {
  cipherSuite: uint16,
  /**
   * KeyPackages (RFC 9420 §10), each in an MLSMessage, for a single use each. All are taken or none. One that the
   * service has seen before is left out silently, so that a repeated request brings no used one back.
   */
  keyPackages: vector(opaque),
  /** One to hand out when no other is left; never consumed. Replaces the one before it. */
  lastResort: optional(opaque),
  /**
   * Withdraws, with the same step, all that the device has published for the cipher suite and that is not in this request:
   * single-use ones that nobody has claimed yet, and the last resort. Needs a `lastResort`. A request whose last resort was
   * withdrawn itself since is an old copy, and changes nothing.
   */
  replaces: boolean,
  proof: DeviceProof,
})
export type PublishKeyPackages = TypeOf<typeof PublishKeyPackages>
export const WelcomeFor = struct("WelcomeFor", { deviceId: DeviceId })

export const CreateGroup = struct("CreateGroup", {
  groupId: GroupId,
  idempotencyId: IdempotencyId,
  /** Of the first interval. */
  accessKey: AccessKey,
})
export type CreateGroup = TypeOf<typeof CreateGroup>
export const CommitParts = struct("CommitParts", {
  /** Empty, or an MLSMessage with one Welcome for all of `recipients`, with the ratchet tree inside. */
  welcome: opaque,
  recipients: vector(WelcomeFor),
  /** The interval that the commit begins, if it has a path. */
  begins: optional(Interval),
  /** Of the knocks that the commit answers. */
  answers: optional(Answers),
})
export type CommitParts = TypeOf<typeof CommitParts>
export const Append = struct("Append", {
  groupId: GroupId,
  idempotencyId: IdempotencyId,
  kind: EntryKind,
  epoch: uint64,
  body: opaque,
  /** Present if and only if `kind` is commit. */
  commit: optional(CommitParts),
  /**
   * The `seq` of the last commit entry that the author has read, 0 where there was none. No part of what idempotency
   * covers. What was refused as stale, because of a commit that does not hold, is sent again with another id, the same body
   * and another `after`.
   */
  after: uint64,
  /**
   * A proof or MAC. Of a commit or proposal, by the newest registered key; of an application message, by that or, for a minute, by
   * the one before, unless the newest commit that began an interval removes somebody.
   */
  access: Access,
})
export type Append = TypeOf<typeof Append>

/**
 * Random, 32 bytes, drawn by the uploader: a capability to read. It is not derived from the content, so that nobody can ask
 * the service whether it keeps a certain content. Whoever knows it needs no key of the group.
 */
const BlobId = alias("BlobId", fixed(32))

/** See `blobHash` in `blobs.ts`. */
const BlobHash = alias("BlobHash", fixed(32))

/** How an endpoint is told: by Web Push (RFC 8030), or by a request to it. */
export const PushKind = enumeration("PushKind", 1, { webPush: 1, webhook: 2 })
export type PushKind = TypeOf<typeof PushKind>

/** The proof or MAC of a cursor covers the cursor. */
export const Cursor = struct("Cursor", { groupId: GroupId, afterSeq: uint64, access: Access })
export type Cursor = TypeOf<typeof Cursor>

export const DeliveryRequestKind = enumeration("DeliveryRequestKind", 1, {
  publishKeyPackages: 1,
  claimKeyPackage: 2,
  countKeyPackages: 3,
  createGroup: 4,
  append: 5,
  read: 6,
  head: 7,
  inbox: 9,
  acknowledgeInbox: 10,
  subscribe: 11,
  extend: 12,
  knock: 13,
  knocks: 14,
  answer: 15,
  service: 16,
  policy: 17,
  setPolicy: 18,
  retire: 19,
  createBlob: 32,
  putBlob: 33,
  readBlob: 34,
  deleteBlob: 35,
  signal: 36,
  hear: 37,
  registerPush: 38,
  removePush: 39,
})
export const DeliveryRequest = union("DeliveryRequest", "kind", DeliveryRequestKind, {
  /** → keyPackageCount · invalid · forbidden · wrongTime · throttled · quotaExceeded */
  publishKeyPackages: PublishKeyPackages,
  /** → keyPackage · notFound · throttled */
  claimKeyPackage: { deviceId: DeviceId, cipherSuite: uint16 },
  /** → keyPackageCount · forbidden · wrongTime */
  countKeyPackages: { cipherSuite: uint16, proof: DeviceProof },
  /** → done (for a retry with the same id too) · alreadyExists · invalid · throttled · quotaExceeded */
  createGroup: CreateGroup,
  /**
   * → accepted · stale (a commit or proposal whose `after` is not the log's last commit entry; an application message
   * with too many commit entries after its `after`) · denied · notFound · invalid (a body that does not match the
   * request) · wrongTime · throttled (to be sent again unchanged after the time: a commit that waits for its turn has its
   * place in a draw for five seconds after it was last sent) · quotaExceeded. A repeated request gets the answer of the
   * first, before anything else is judged.
   */
  append: Append,
  /**
   * → entries · notFound · denied · wrongTime · belowRetention. At most `limit` entries behind `afterSeq`, fewer where the
   * service's own limits on a page say so; there are more if and only if the last one's seq is below `headSeq`. To a key
   * whose reach has ended, the log ends where its reach does.
   */
  read: { groupId: GroupId, afterSeq: uint64, limit: uint16, access: Access },
  /** → head · notFound · denied · wrongTime. As far as the key reaches. */
  head: { groupId: GroupId, access: Access },
  /** → inboxEntries · forbidden · wrongTime. Pages as in `read`. */
  inbox: { after: uint64, limit: uint16, proof: DeviceProof },
  /** → done · forbidden · wrongTime. Entries up to and including `upTo` may be deleted. */
  acknowledgeInbox: { upTo: uint64, proof: DeviceProof },
  /**
   * A stream: `subscribed`, what is behind the cursors now, and then what comes. `entries` and `inboxEntries` are pushed, at
   * first once for each cursor (and for the inbox, where there is a proof) even if there is nothing behind it. A group
   * that does not exist gets `notFound` once, and one whose key is none of its keys `denied`; neither is watched. Where
   * the reach of a cursor's key ends, it stops until the subscription is extended. `knocks` are pushed, those of a group
   * that wait and each that comes, to a cursor whose key reaches the head; `answered` to one with the key of the knock. A change
   * of the set of groups is a new subscription. The stream ends with invalid · forbidden · wrongTime · throttled ·
   * unavailable where the service ends it.
   */
  subscribe: { cursors: vector(Cursor), inboxAfter: uint64, proof: optional(DeviceProof) },
  /**
   * A later key for a group of the subscription with this id, which goes on as far as that key reaches; `afterSeq` of the
   * cursor plays no part. → passes · notFound (no such subscription here, or not with this group) · denied · wrongTime.
   */
  extend: { subscription: opaque, cursor: Cursor },
  /**
   * Leaves a knock beside the log, by a proof or MAC with any key of the group's. → done (for a repetition, too) · notFound · denied ·
   * wrongTime · throttled · tooLarge · invalid. Where there are too many of one key, the requester with the most of them
   * loses its oldest.
   */
  knock: { groupId: GroupId, id: KnockId, sealed: opaque, access: Access },
  /** The knocks that wait, for a key that reaches the head of the log. → knocks · notFound · denied · wrongTime */
  knocks: { groupId: GroupId, access: Access },
  /** The answer to a knock, for whoever proves its key. → answer · notFound (none yet, or no such knock) · denied · wrongTime */
  answer: { groupId: GroupId, id: KnockId, access: Access },
  /** → service */
  service: {},
  /** What members have asked for, for a key that reaches the head of the log. → policy · notFound · denied · wrongTime */
  policy: { groupId: GroupId, access: Access },
  /**
   * Asks for another time, in the place of the policy with the version `replaces`, by a proof or MAC with the newest key.
   * → policy, with what is kept then: where `replaces` is not the present version, nothing has changed · invalid (less than the
   * operator allows) · notFound · denied · wrongTime · throttled
   */
  setPolicy: { groupId: GroupId, replaces: uint64, wanted: KeptFor, access: Access },
  /**
   * Has all of the group deleted after the operator's notice, unless something is appended after `headSeq`, by a proof or MAC
   * with the newest key. Once more, puts nothing off. → policy · stale (`headSeq` is not the head) · notFound · denied ·
   * wrongTime · throttled
   */
  retire: { groupId: GroupId, headSeq: uint64, access: Access },
  /**
   * Takes room for a blob of `size` bytes, which counts for the group from now on; proved as an application message is. The
   * service keeps it for `lifetimeSeconds`, or for as long as it keeps any; what is not whole after a day, no longer.
   * `deletion` is SHA-256 of a random token of 32 bytes. → blob (for a repetition, too) · invalid · notFound · denied ·
   * wrongTime · tooLarge · throttled · quotaExceeded · forbidden (the service keeps no blobs)
   */
  createBlob: {
    groupId: GroupId,
    id: BlobId,
    size: uint64,
    lifetimeSeconds: uint32,
    deletion: fixed(32),
    access: Access,
  },
  /**
   * The chunk at `offset`, `BLOB_CHUNK_SIZE` bytes or what is left; proved as an application message is. `hash` comes with
   * the last one: `blobHash`. → blob: goes on from `stored`, whatever was sent; a chunk that is stored already, or that is
   * further on, changes nothing · invalid (a chunk of another size; a hash that is not that of the chunks, with which the
   * blob is gone) · notFound · denied · wrongTime · throttled · quotaExceeded · forbidden
   */
  putBlob: {
    groupId: GroupId,
    id: BlobId,
    offset: uint64,
    bytes: opaque,
    hash: optional(BlobHash),
    access: Access,
  },
  /**
   * At most `length` bytes from `offset` on, up to the end of a chunk at most; there are more if and only if that is not
   * `size`. Needs no key: who asks knows the id. → blobBytes · notFound (also of one that is not whole) · throttled ·
   * forbidden
   */
  readBlob: { id: BlobId, offset: uint64, length: uint32 },
  /** → done · notFound · denied (another token; the group is not named) · throttled · forbidden */
  deleteBlob: { id: BlobId, token: fixed(32) },
  /**
   * Passed on to whoever hears the group's signals at this moment, and kept nowhere: it may not come, or come late; proved as
   * an application message is. → done (which says nothing of who got it) · tooLarge · notFound · denied · wrongTime · throttled
   */
  signal: { groupId: GroupId, body: opaque, access: Access },
  /**
   * From now on, signals of the groups that this subscription follows come with it, as far as its keys reach the head. → done ·
   * notFound (no such subscription here)
   */
  hear: { subscription: opaque },
  /**
   * Wants the endpoint to be told when something is in the group's log, and nothing else; proved as an application message is. It
   * lasts for `lifetimeSeconds` at most, and as long as its key reaches the head of the log: with the entry that removes
   * somebody it is told for the last time. The same id again replaces it, which is how it goes on with a later key. `removal` is
   * SHA-256 of a random token of 32 bytes. The service sees the endpoint; `parameters` are for it alone. → done · invalid ·
   * tooLarge · notFound · denied · wrongTime · throttled · quotaExceeded · forbidden (the service wakes nobody)
   */
  registerPush: {
    groupId: GroupId,
    id: fixed(16),
    kind: PushKind,
    endpoint: utf8,
    parameters: opaque,
    lifetimeSeconds: uint32,
    removal: fixed(32),
    access: Access,
  },
  /** → done · notFound · denied (another token) · throttled · forbidden */
  removePush: { groupId: GroupId, id: fixed(16), token: fixed(32) },
})
export type DeliveryRequest = TypeOf<typeof DeliveryRequest>

/**
 * What a copy of a request does that somebody in the network recorded and sends again. Only what does nothing may travel
 * in the first packet of a connection: client and service both go by this table.
 */
export const deliveryRequests = requestContract({
  version: 3,
  request: DeliveryRequest,
  kind: DeliveryRequestKind,
  replaySafety: {
    publishKeyPackages: notToRepeat("a copy would put an older last resort back in the place of a newer one"),
    claimKeyPackage: notToRepeat("each claim takes a single-use key package from its owner's stock"),
    countKeyPackages: safeToRepeat("it only reads"),
    createGroup: safeToRepeat("the group's id and the idempotency id are taken: a copy gets the first answer"),
    append: safeToRepeat("the idempotency id is kept with the entry: a copy gets the first answer and appends nothing"),
    read: safeToRepeat("it only reads"),
    head: safeToRepeat("it only reads"),
    inbox: safeToRepeat("it only reads"),
    acknowledgeInbox: safeToRepeat("entries are numbered once and for all: a copy deletes what is deleted"),
    subscribe: safeToRepeat("it only reads"),
    extend: safeToRepeat("it says what has been said"),
    knock: safeToRepeat("a knock is there once, by its id"),
    knocks: safeToRepeat("it only reads"),
    answer: safeToRepeat("it only reads"),
    service: safeToRepeat("it only reads"),
    policy: safeToRepeat("it only reads"),
    setPolicy: safeToRepeat("it names the version that it replaces, which is another one then"),
    retire: safeToRepeat(
      "it names the head of the log: a copy after an entry is stale, and one before puts nothing off",
    ),
    createBlob: notToRepeat("a copy after the blob was deleted would take room again"),
    putBlob: safeToRepeat("a chunk is stored once, at its offset"),
    readBlob: safeToRepeat("it only reads"),
    deleteBlob: notToRepeat("its token is for the service alone, and the first packet is read by others more easily"),
    signal: notToRepeat("a copy would be passed on once more"),
    hear: safeToRepeat("it says what has been said"),
    registerPush: notToRepeat("a copy would bring back an endpoint that was replaced or removed"),
    removePush: notToRepeat("its token is for the service alone, and the first packet is read by others more easily"),
  },
})

export const DeliveryResponseKind = enumeration("DeliveryResponseKind", 1, {
  done: 1,
  keyPackage: 2,
  keyPackageCount: 3,
  accepted: 4,
  stale: 5,
  entries: 7,
  head: 8,
  inboxEntries: 10,
  notFound: 11,
  alreadyExists: 12,
  invalid: 13,
  forbidden: 14,
  tooLarge: 15,
  throttled: 16,
  belowRetention: 17,
  unavailable: 18,
  wrongTime: 19,
  update: 20,
  quotaExceeded: 21,
  denied: 22,
  subscribed: 23,
  passes: 24,
  knocks: 25,
  answered: 26,
  answer: 27,
  service: 28,
  policy: 29,
  blob: 48,
  blobBytes: 49,
  signal: 50,
})
/** Whose room is used up. */
export const QuotaOf = enumeration("QuotaOf", 1, { group: 1, service: 2 })
export const DeliveryResponse = union("DeliveryResponse", "kind", DeliveryResponseKind, {
  done: {},
  keyPackage: { keyPackage: opaque, lastResort: boolean },
  keyPackageCount: { count: uint32, lastResort: boolean },
  /**
   * `signature` is the service's over the LogHead with this seq: see `heads.ts`. `undelivered` are recipients of the commit
   * whose inboxes did not get its Welcome: they are not registered, or too many came from this requester. They have to be
   * invited again.
   */
  accepted: { seq: uint64, chainHash: opaque, incarnation: uint64, signature: opaque, undelivered: vector(DeviceId) },
  /** Read the log: there are commit entries that the author had not read. */
  stale: { lastCommitSeq: uint64, headSeq: uint64 },
  /** `signature` is the service's over the LogHead of the last of the entries; empty where there are none. */
  entries: {
    groupId: GroupId,
    entries: vector(Entry),
    headSeq: uint64,
    incarnation: uint64,
    signature: opaque,
  },
  /** For an empty log `chainHash` is the chain's start, see `log-chain.ts`. `signature`: over the LogHead. */
  head: { headSeq: uint64, lastCommitSeq: uint64, chainHash: opaque, incarnation: uint64, signature: opaque },
  inboxEntries: { entries: vector(InboxEntry), head: uint64 },
  /** `groupId` is empty where the request named none. */
  notFound: { groupId: GroupId },
  alreadyExists: {},
  invalid: { reason: utf8 },
  forbidden: { reason: utf8 },
  tooLarge: { max: uint32 },
  throttled: { retryAfterMilliseconds: uint32 },
  /** What is behind the cursor is not kept any more; the log begins with `oldestSeq`. */
  belowRetention: { groupId: GroupId, oldestSeq: uint64 },
  /** The service could not do it now; nothing was changed that a retry would not find. It does not expect to sooner than that. */
  unavailable: { reason: utf8, retryAfterMilliseconds: uint32 },
  /**
   * The time of the request's proof or MAC is more than five minutes from the service's, which is `serviceTime`: Unix time in
   * milliseconds. Nothing else of the proof was looked at.
   */
  wrongTime: { serviceTime: uint64 },
  /**
   * The request is of a version of this contract that is not spoken; `oldest` to `newest` are. A request of version 1,
   * which has no version byte, gets `invalid` with a reason that says "update".
   */
  update: { oldest: uint8, newest: uint8 },
  /** There is no room for more before older entries expire. Reading goes on. */
  quotaExceeded: { of: QuotaOf },
  /** The key is none of the group's, or not the one that this needs, or its signature, MAC or pass is not right. */
  denied: { groupId: GroupId, reason: utf8 },
  /** The first answer of a stream. */
  subscribed: { subscription: opaque },
  /** For the keys that were proved by a signature. */
  passes: { passes: vector(Pass) },
  knocks: { groupId: GroupId, knocks: vector(Knock) },
  /** There is an answer to this knock. */
  answered: { groupId: GroupId, id: KnockId },
  /** `seq` is that of the commit that answers; `key` and `welcome` as in Answers. */
  answer: { seq: uint64, key: opaque, welcome: opaque },
  service: { identity: ServiceIdentity, at: uint64 },
  policy: { policy: KeepingPolicy },
  /** How many bytes are stored, from the first on: all of `size` once the hash was right. Kept until then, in milliseconds. */
  blob: { stored: uint64, size: uint64, until: uint64 },
  blobBytes: { size: uint64, bytes: opaque },
  /** To a subscription that hears them. */
  signal: { groupId: GroupId, body: opaque },
})
export type DeliveryResponse = TypeOf<typeof DeliveryResponse>
