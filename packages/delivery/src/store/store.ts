/// <reference lib="esnext.disposable" preserve="true" />
import type { Interval } from "@conclave/contracts/access"
import type { Entry, EntryKind, InboxEntry } from "@conclave/contracts/delivery"
import type { Handover } from "@conclave/contracts/heads"
import type { Answers, Knock } from "@conclave/contracts/knocks"
import { refusalText } from "@conclave/contracts/refusals"
import type { GroupPolicy } from "./policy.js"

export { Ears, processWake, SIGNAL_SIZE_MAX, type Wake, type Watch } from "../wake.js"
export type * from "./operator.js"
export {
  type Done,
  type Due,
  dueBy,
  duePart,
  GroupPolicy,
  type Kept,
  keeping,
  type Noticing,
  nextDue,
  noPolicy,
  nothingDone,
  retiring,
} from "./policy.js"
export type * from "./records.js"

/**
 * What the Delivery Service remembers: whole operations, each done entirely or not at all, and durable before its
 * promise resolves. Every implementation passes the same suite of tests.
 *
 * Numbers that count (`seq`, `epoch`, `n`) are below 2⁶³. Rejects with {@link StoreUnavailable} when the operation
 * could not be done now and left no trace.
 */
export interface Store extends AsyncDisposable {
  /** The id of a group that has expired is not used again: what was signed of the first would contradict the second. */
  createGroup(group: NewGroup): Promise<"created" | "repeated" | "exists" | Refusal>
  append(entry: NewEntry): Promise<Appended>
  /** Entries as far as the key reaches. */
  read(page: Page & Shown): Promise<LogPage | Refused>
  /** The head of the log as far as the key reaches. */
  head(shown: Shown): Promise<Head | Refused>
  /** What the key is to the group. */
  standing(shown: Shown): Promise<Standing | Refused>
  /** Each as {@link standing}, in the same order, for less than one by one. */
  standings(shown: readonly Shown[]): Promise<readonly (Standing | Refused)[]>

  /** Leaves a knock beside the log; one that has the same id, key and content, or had and was answered, is repeated. */
  knock(knock: NewKnock): Promise<{ readonly type: "left" | "repeated" | "idReused" } | Refused | Refusal>
  /**
   * The knocks that wait, at most `sizeMax` bytes of them but at least one: the oldest of each sender, then the second of
   * each, and so on. Denied by `permit` where the key does not reach the head.
   */
  knocks(asked: Shown & Lasting & { readonly sizeMax: number }): Promise<WaitingKnocks | Refused>
  /**
   * What was put beside the log, at most `limit` of each: knocks after `knocksAfter`, where the key reaches the head, and
   * the ids of answered knocks of the key after `answeredAfter`. Both count as `Standing.beside` does.
   */
  beside(asked: Shown & Lasting & BesidePage): Promise<Beside | Refused>
  /** The answer to a knock of the key. */
  answer(
    asked: Shown & Lasting & { readonly id: Uint8Array },
  ): Promise<StoredAnswer | { readonly type: "none" } | Refused>

  /** What members have asked for; `noPolicy` where they have not. */
  policy(shown: Shown): Promise<FoundPolicy | Refused>
  /** Resolves with what is kept then. */
  changePolicy(change: PolicyChange): Promise<FoundPolicy | Refused | Refusal>

  /** The service's identity: the one that is stored, or else `made`, which is stored. */
  identity(made: StoredIdentity): Promise<StoredIdentity>
  /**
   * Adds a handover to a later incarnation, which holds from the next {@link identity} on. All key packages for single use
   * count as handed out: some were after the backup, and their private keys are gone. Those of last resort stay.
   */
  raiseIncarnation(handover: Handover): Promise<void>

  /**
   * Packages that were published before are left out. Where it replaces, what else could be handed out is withdrawn first;
   * unless its last resort was withdrawn itself: then nothing changes.
   */
  publishKeyPackages(publication: Publication): Promise<Stock>
  claimKeyPackage(claim: Claim): Promise<ClaimedKeyPackage | undefined>
  countKeyPackages(device: {
    readonly deviceId: Uint8Array
    readonly cipherSuite: number
    readonly at: bigint
  }): Promise<Stock>

  inbox(page: Page & { readonly deviceId: Uint8Array }): Promise<InboxPage>
  /** The highest `n` that was ever given to an entry; 0 for a device without any. */
  inboxHead(deviceId: Uint8Array): Promise<bigint>
  acknowledgeInbox(deviceId: Uint8Array, upTo: bigint): Promise<void>

  /**
   * Which logs and inboxes have new entries since `mark`, were closed, or are of devices that were suspended; costs next to
   * nothing where there is nothing new.
   */
  news(mark: NewsMark | undefined): Promise<News>
  /**
   * Deletes for good what is older than the horizons, or than the policy of its group says, and groups that were retired; at
   * most about `rowsMax` rows of each kind at a time.
   */
  sweep(horizons: Horizons): Promise<Swept>
  /** How much is stored, about. */
  usage(): StoreUsage
}

/**
 * What an operator does to what is stored. Of a device that is suspended, publishing, counting, reading the inbox and
 * acknowledging reject with {@link Suspended}, each in its own transaction; its key packages are not handed out, and its inbox
 * gets nothing.
 */
export interface Operated {
  suspend(deviceId: Uint8Array, reason: string): Promise<void>
  resume(deviceId: Uint8Array): Promise<void>
  /**
   * Deletes for good the log, the Welcomes that wait in inboxes, and what lies beside the log. The id is not used again.
   * Resolves with whether there was such a group.
   */
  closeGroup(groupId: Uint8Array): Promise<boolean>
}

export interface StoreUsage {
  readonly bytes: number
  /** No more fits than so many bytes; `Infinity` without a limit. */
  readonly sizeMax: number
}

/** How far a store's news were read; to be given back to the same store. An empty one is before the first of all. */
export type NewsMark = readonly (bigint | string)[]

export interface News {
  readonly mark: NewsMark
  /** Ids, each once. All is new where no mark was given, which is told by no ids at all. */
  readonly groups: readonly Uint8Array[]
  readonly devices: readonly Uint8Array[]
  /** What was missed cannot be told by ids, as some of it is not kept any more: all is to be looked at. */
  readonly everything: boolean
}

/** What a request shows of a group, and what is to be said of it. */
export interface Shown {
  readonly groupId: Uint8Array
  /** The access key that the request names, 32 bytes; `undefined` for none. */
  readonly key: Uint8Array | undefined
  /**
   * Asked once the group is found, in the moment in which the operation is done, so that nothing is appended in between.
   * Synchronous.
   */
  permit(standing: Standing): AccessRefusal | undefined
}

/** What a key is to a group. */
export interface Standing {
  readonly type: "standing"
  /**
   * How many intervals have begun after the last one that has this key, 2 for two or more; `undefined` where it is none of
   * the group's. Where no key is shown: the group began without one, and its first interval counts as any other.
   */
  readonly later: 0 | 1 | 2 | undefined
  /** The entry that began the interval of the key; -1 where no key is shown. */
  readonly seq: bigint
  /** When the newest interval began, where `later` is 1 and it removes nobody. */
  readonly formerSince: bigint | undefined
  /**
   * The last entry that the key reads: the first later interval that removes somebody; where no key is shown, the first
   * interval. `undefined` where it reaches the head, whatever comes.
   */
  readonly reach: bigint | undefined
  /** As far as the key reaches; 0 where there is none. */
  readonly headSeq: bigint
  readonly lastCommitSeq: bigint
  /** Rises with each knock and each answer of the group. */
  readonly beside: bigint
}

export type AccessRefusal =
  | { readonly type: "denied"; readonly reason: string }
  | { readonly type: "wrongTime"; readonly serviceTime: bigint }
  | { readonly type: "stale"; readonly lastCommitSeq: bigint; readonly headSeq: bigint }

/** What a store answers where it does not do what it is asked for. */
export type Refused = { readonly type: "notFound" } | AccessRefusal

/** Ids of groups, at most `limit`, after `after` in the order of bytes; empty: from the first on. */
export interface GroupPage {
  readonly after: Uint8Array
  readonly limit: number
}

/** Knocks and answers from before `since`, Unix time in milliseconds, count no longer. */
export interface Lasting {
  readonly since: bigint
}

export interface BesidePage {
  readonly knocksAfter: bigint
  readonly answeredAfter: bigint
  readonly limit: number
}

/** Unix times in milliseconds. What is from before them is deleted. */
export interface Horizons {
  /** The present: key packages whose lifetime is over are deleted. */
  readonly at: bigint
  /** Bodies of application messages: what is left of one is an entry of the kind `expired`. */
  readonly messages: bigint
  /** Entries of the log, from its beginning on. The last commit stays. */
  readonly log: bigint
  /** Entries of inboxes that nobody has acknowledged. */
  readonly inbox: bigint
  /** Groups to whose log nothing was appended since. */
  readonly groups: bigint
  /** Knocks, and answers to them. */
  readonly knocks: bigint
  readonly rowsMax: number
}

export interface Swept {
  /** Rows deleted or emptied. */
  readonly rows: number
  /** There may be more to delete at once. */
  readonly more: boolean
}

/** The store could not do it now: locked, full, broken, overloaded. Nothing was changed. */
export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable"
  readonly code = "STORE_UNAVAILABLE"
  /** When it may be tried again, from now. */
  readonly retryAfterMilliseconds: number

  constructor(reason: string, cause?: unknown, retryAfterMilliseconds = RETRY_AFTER_MILLISECONDS) {
    super(reason, cause === undefined ? undefined : { cause })
    this.retryAfterMilliseconds = retryAfterMilliseconds
  }
}

/** Of what passes by itself: too much at once, a lock, a lost connection. */
const RETRY_AFTER_MILLISECONDS = 1_000

/** The reason of a device that another one of its name has revoked. */
export const REVOKED = "this device was revoked by a device of its name"

/** The operator has suspended the name of the device, or it was revoked. Nothing was changed. */
export class Suspended extends Error {
  override readonly name = "Suspended"
  /** In the operator's words. */
  readonly reason: string

  constructor(reason: string) {
    super(reason === REVOKED ? reason : refusalText("suspended", reason))
    this.reason = reason
  }
}

export interface NewGroup {
  readonly groupId: Uint8Array
  readonly idempotencyId: Uint8Array
  /** SHA-256 of the whole request: the same id with another request is no repetition. */
  readonly requestHash: Uint8Array
  /** Of the first interval: 32 bytes. */
  readonly accessKey: Uint8Array
  readonly at: bigint
  /** Asked when the group would be created otherwise. Synchronous. */
  admit(): Refusal | undefined
}

/**
 * In this order: a repetition gets the first answer; the group is there; `permit`; what was not read is stale; the key of
 * the interval that it begins is new to the group; `admit`.
 */
export interface NewEntry extends Shown {
  readonly idempotencyId: Uint8Array
  /** SHA-256 of the request but for `after` and `access`, which change when it is sent again. */
  readonly requestHash: Uint8Array
  readonly kind: EntryKind
  readonly epoch: bigint
  readonly body: Uint8Array
  readonly at: bigint
  /** The last commit entry that the author has read; 0 for none. */
  readonly after: bigint
  /** Application messages are taken with at most so many commit entries after `after`. */
  readonly pastCommitsMax: number
  readonly commit: NewCommit | undefined
  /**
   * Asked in the moment in which the entry would be accepted otherwise, so that repetitions and stale entries are
   * answered without a share of anything, unless several processes write to the store at once. Synchronous.
   */
  admit(group: GroupUse): Refusal | Admitted | undefined
}

/** What a group has used of what it may. */
export interface GroupUse {
  /** Of its log. */
  readonly bytes: number
  readonly budgets: Budgets
}

/**
 * When each of a group's budgets is full again, in milliseconds of Unix time, with fractions; 0 where nothing was ever taken.
 * They lie with the group, so that all who serve it take from the same.
 */
export interface Budgets {
  readonly appends: number
  readonly proposals: number
  readonly commits: number
  readonly knocks: number
}

/** What is admitted is stored together with what it has left of the budgets. */
export interface Admitted {
  readonly type: "admitted"
  readonly budgets: Budgets
  /**
   * Asked instead of `admit` where what was admitted was not written, since others were in its way: what they have used of the group
   * meanwhile counts. What the requester has in this process is taken already. Where it is absent, it is admitted. Synchronous.
   */
  readonly again?: (group: GroupUse) => Refusal | Admitted
}

/** What a group's log takes for each entry beside its body, in bytes, when its size is counted. */
export const ENTRY_OVERHEAD = 200

/** Why something that could be stored is not. */
export type Refusal =
  | { readonly type: "throttled"; readonly retryAfterMilliseconds: number }
  | { readonly type: "quotaExceeded"; readonly of: "group" | "service" }

export interface NewCommit {
  readonly welcome: Uint8Array
  readonly recipients: readonly Uint8Array[]
  /** Further recipients, of whom it is known already that they are not served. */
  readonly unserved: readonly Uint8Array[]
  readonly begins: Interval | undefined
  /** Those of knocks that do not wait in this group are left out. */
  readonly answers: Answers | undefined
  /** Knocks from before wait no longer. */
  readonly knocksSince: bigint
  /**
   * 8 bytes, the same for the same requester: where an inbox has no room, the requester with the most entries in it
   * makes room with its oldest.
   */
  readonly sender: Uint8Array
  /**
   * So many Welcomes of one group wait in an inbox at most: likewise among these. Any of its members can send some.
   */
  readonly inboxEntriesPerGroupMax: number
  /** Asked for each recipient when the entry is accepted; those that it refuses, and suspended ones, are not served. Synchronous. */
  mayDeliver(deviceId: Uint8Array): boolean
  /** So many Welcomes wait in an inbox at most. */
  readonly inboxEntriesMax: number
}

export type Appended =
  | {
      readonly type: "accepted"
      readonly seq: bigint
      readonly chainHash: Uint8Array
      /** Recipients into whose inboxes no Welcome was put; the same again for a repetition. */
      readonly undelivered: readonly Uint8Array[]
    }
  /** The idempotency id was used for another entry of the group. */
  | { readonly type: "idReused" }
  /** The access key of the interval that the commit begins was registered in this group before. */
  | { readonly type: "keyReused" }
  | Refused
  | Refusal

export interface NewKnock extends Shown, Lasting {
  /** 16 bytes. */
  readonly id: Uint8Array
  readonly sealed: Uint8Array
  readonly at: bigint
  /** As in {@link NewCommit}. */
  readonly sender: Uint8Array
  /** So many of one key wait at most: where there is no room, the sender with the most of them loses its oldest. */
  readonly ofKeyMax: number
  /** Asked when the knock would be left otherwise. Synchronous. */
  admit(group: GroupUse): Refusal | Admitted | undefined
}

export interface FoundPolicy {
  readonly type: "policy"
  readonly policy: GroupPolicy
}

export interface PolicyChange extends Shown {
  readonly at: bigint
  /** Asked in the moment in which it is changed; `undefined` where it is to stay. Synchronous, and may be asked again. */
  change(policy: GroupPolicy): GroupPolicy | undefined
  /** Asked when it would be changed otherwise. Synchronous. */
  admit(group: GroupUse): Refusal | Admitted | undefined
}

export interface WaitingKnocks {
  readonly type: "knocks"
  readonly knocks: readonly Knock[]
}

export interface Beside {
  readonly type: "beside"
  /** In the order in which they came. */
  readonly knocks: readonly Knock[]
  /** Ids of knocks. */
  readonly answered: readonly Uint8Array[]
  /** Up to where knocks, and answers, were read: to `Standing.beside` where there are no more of them. */
  readonly knocksUpTo: bigint
  readonly answeredUpTo: bigint
}

export interface StoredAnswer {
  readonly type: "answer"
  /** Of the commit that answers. */
  readonly seq: bigint
  readonly key: Uint8Array
  readonly welcome: Uint8Array
}

/** What only the service may know, and what it says of itself. */
export interface StoredIdentity {
  /** Of the Ed25519 key that signs heads: 32 bytes. */
  readonly seed: Uint8Array
  /** Of passes: 32 bytes. */
  readonly passSecret: Uint8Array
  readonly incarnation: bigint
  readonly handovers: readonly Handover[]
}

export interface Page {
  readonly after: bigint
  readonly limit: number
  /** Bytes of bodies; a page has one entry even if that one alone is longer. */
  readonly sizeMax: number
}

export interface LogPage {
  readonly type: "page"
  readonly entries: readonly Entry[]
  /** The first that is kept; 1 where nothing was dropped. */
  readonly oldestSeq: bigint
  readonly headSeq: bigint
  readonly standing: Standing
}

export interface InboxPage {
  readonly entries: readonly InboxEntry[]
  readonly head: bigint
}

export interface Head {
  readonly type: "head"
  readonly headSeq: bigint
  /** 0 where there is none. */
  readonly lastCommitSeq: bigint
  readonly chainHash: Uint8Array
}

export interface NewKeyPackage {
  /** SHA-256 of its MLSMessage. */
  readonly ref: Uint8Array
  readonly keyPackage: Uint8Array
  /** The first millisecond in which it is not handed out any more. */
  readonly notAfter: bigint
}

export interface Publication {
  readonly deviceId: Uint8Array
  readonly signatureKey: Uint8Array
  readonly cipherSuite: number
  readonly keyPackages: readonly NewKeyPackage[]
  readonly lastResort: NewKeyPackage | undefined
  /** Only with a last resort. */
  readonly replaces: boolean
  readonly at: bigint
  /** What is withdrawn counts as published before until then, and no longer. */
  readonly withdrawnUntil: bigint
  /** A device keeps so many at most; what is published beyond is left out. */
  readonly stockMax: number
}

export interface Claim {
  readonly deviceId: Uint8Array
  readonly cipherSuite: number
  readonly at: bigint
  /** Below this stock the device finds a notice in its inbox, one at a time. */
  readonly lowStock: number
  /** Hands out the package of last resort even where others are left. */
  readonly lastResortOnly: boolean
}

export interface ClaimedKeyPackage {
  readonly keyPackage: Uint8Array
  readonly lastResort: boolean
}

export interface Stock {
  readonly count: number
  readonly lastResort: boolean
}
