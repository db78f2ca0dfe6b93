import {
  alias,
  boolean,
  enumeration,
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

/**
 * The contract of the Delivery Service (RFC 9750 §5): one ordered log for each group, key packages, and an inbox for
 * each device. Types and codecs only.
 *
 * The group's log is the fan-out: a commit is accepted if and only if it is appended, in one transaction with its
 * Welcomes and its GroupInfo, and members read the log by cursor. `seq` is dense: 1, 2, 3, …; a gap is proof of loss.
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
  /**
   * 32 bytes: SHA-256(previous ‖ seq ‖ kind ‖ epoch ‖ SHA-256(body)), see `log-chain.ts`; for an expired entry, with the
   * kind `application` and with its body in the place of the hash.
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
  /** The ratchet tree of the new epoch where the Welcome does not carry it (RFC 9420 §12.4.3.3). */
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
  proof: DeviceProof,
})
export type PublishKeyPackages = TypeOf<typeof PublishKeyPackages>
export const WelcomeFor = struct("WelcomeFor", { deviceId: DeviceId })

export const CreateGroup = struct("CreateGroup", {
  groupId: GroupId,
  idempotencyId: IdempotencyId,
  /** An MLSMessage with the GroupInfo of epoch 0. */
  groupInfo: opaque,
  /** The ratchet tree of epoch 0 where the GroupInfo does not carry it. */
  ratchetTree: optional(opaque),
})
export type CreateGroup = TypeOf<typeof CreateGroup>
export const CommitParts = struct("CommitParts", {
  /** Empty, or an MLSMessage with one Welcome for all of `recipients`. */
  welcome: opaque,
  recipients: vector(WelcomeFor),
  /** The tree of the new epoch where Welcome and GroupInfo do not carry it; stored once, sent beside both. */
  ratchetTree: optional(opaque),
  /** An MLSMessage with the GroupInfo of the epoch that the commit begins. */
  groupInfo: opaque,
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
   * covers: a request that was refused as stale is sent again with the same id, the same body and another `after`.
   */
  after: uint64,
})
export type Append = TypeOf<typeof Append>

export const Cursor = struct("Cursor", { groupId: GroupId, afterSeq: uint64 })
export type Cursor = TypeOf<typeof Cursor>

export const DeliveryRequestKind = enumeration("DeliveryRequestKind", 1, {
  publishKeyPackages: 1,
  claimKeyPackage: 2,
  countKeyPackages: 3,
  createGroup: 4,
  append: 5,
  read: 6,
  head: 7,
  groupInfo: 8,
  inbox: 9,
  acknowledgeInbox: 10,
  subscribe: 11,
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
   * with too many commit entries after its `after`) · notFound · invalid (a body that does not match the request) ·
   * throttled (to be sent again unchanged after the time: a commit that waits for its turn has its place in a draw for
   * five seconds after it was last sent) · quotaExceeded. A repeated request gets the answer of the first, before
   * anything else is judged.
   */
  append: Append,
  /**
   * → entries · notFound · belowRetention. At most `limit` entries behind `afterSeq`, fewer where the service's own
   * limits on a page say so; there are more if and only if the last one's seq is below `headSeq`.
   */
  read: { groupId: GroupId, afterSeq: uint64, limit: uint16 },
  /** → head · notFound */
  head: { groupId: GroupId },
  /** → groupInfo · notFound. What came with the last commit entry, with that entry's seq (0: with the group itself). */
  groupInfo: { groupId: GroupId },
  /** → inboxEntries · forbidden · wrongTime. Pages as in `read`. */
  inbox: { after: uint64, limit: uint16, proof: DeviceProof },
  /** → done · forbidden · wrongTime. Entries up to and including `upTo` may be deleted. */
  acknowledgeInbox: { upTo: uint64, proof: DeviceProof },
  /**
   * A stream: what is behind the cursors now, and then what comes. `entries` and `inboxEntries` are pushed, at first
   * once for each cursor (and for the inbox, where there is a proof) even if there is nothing behind it. A group that
   * does not exist gets `notFound` once, and is not watched. A change of the set of groups is a new
   * subscription. The stream ends with invalid · forbidden · wrongTime · throttled · unavailable where the service ends it.
   */
  subscribe: { cursors: vector(Cursor), inboxAfter: uint64, proof: optional(DeviceProof) },
})
export type DeliveryRequest = TypeOf<typeof DeliveryRequest>

/**
 * What a copy of a request does that somebody in the network recorded and sends again. Only what does nothing may travel
 * in the first packet of a connection: client and service both go by this table.
 */
export const deliveryRequests = requestContract({
  version: 2,
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
    groupInfo: safeToRepeat("it only reads"),
    inbox: safeToRepeat("it only reads"),
    acknowledgeInbox: safeToRepeat("entries are numbered once and for all: a copy deletes what is deleted"),
    subscribe: safeToRepeat("it only reads"),
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
  groupInfo: 9,
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
})
/** Whose room is used up. */
export const QuotaOf = enumeration("QuotaOf", 1, { group: 1, service: 2 })
export const DeliveryResponse = union("DeliveryResponse", "kind", DeliveryResponseKind, {
  done: {},
  keyPackage: { keyPackage: opaque, lastResort: boolean },
  keyPackageCount: { count: uint32, lastResort: boolean },
  /**
   * `receipt` is empty until the service signs what it accepts. `undelivered` are recipients of the commit whose inboxes
   * did not get its Welcome: they are not registered, or too many came from this requester. They have to be invited again.
   */
  accepted: { seq: uint64, chainHash: opaque, receipt: opaque, undelivered: vector(DeviceId) },
  /** Read the log: there are commit entries that the author had not read. */
  stale: { lastCommitSeq: uint64, headSeq: uint64 },
  entries: { groupId: GroupId, entries: vector(Entry), headSeq: uint64 },
  /** For an empty log `chainHash` is the chain's start, see `log-chain.ts`. */
  head: { headSeq: uint64, lastCommitSeq: uint64, chainHash: opaque },
  groupInfo: { seq: uint64, groupInfo: opaque, ratchetTree: optional(opaque) },
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
  /** The service could not do it now; nothing was changed that a retry would not find. */
  unavailable: { reason: utf8 },
  /**
   * The time of the request's proof is more than five minutes from the service's, which is `serviceTime`: Unix time in
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
})
export type DeliveryResponse = TypeOf<typeof DeliveryResponse>
