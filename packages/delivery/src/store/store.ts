import type { Entry, EntryKind, InboxEntry } from "@conclave/contracts/delivery"

/**
 * What the Delivery Service remembers: whole operations, each done entirely or not at all, and durable before its
 * promise resolves. Every implementation passes the same suite of tests.
 *
 * Numbers that count (`seq`, `epoch`, `n`) are below 2⁶³. Rejects with {@link StoreUnavailable} when the operation
 * could not be done now and left no trace.
 */
export interface Store extends AsyncDisposable {
  createGroup(group: NewGroup): Promise<"created" | "repeated" | "exists" | Refusal>
  append(entry: NewEntry): Promise<Appended>
  /** `undefined` for a group that does not exist. */
  read(page: Page & { readonly groupId: Uint8Array }): Promise<LogPage | undefined>
  head(groupId: Uint8Array): Promise<Head | undefined>
  groupInfo(groupId: Uint8Array): Promise<StoredGroupInfo | undefined>

  /** Packages that were published before are left out. */
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

  /** Which logs and inboxes have new entries since `mark`; costs next to nothing where none has. */
  news(mark: NewsMark | undefined): Promise<News>
  /** Deletes for good what is older than the horizons, at most about `rowsMax` rows of each kind at a time. */
  sweep(horizons: Horizons): Promise<Swept>
  /** How much is stored, about. */
  usage(): StoreUsage
}

export interface StoreUsage {
  readonly bytes: number
  /** No more fits than so many bytes; `Infinity` without a limit. */
  readonly sizeMax: number
}

/** How far a store's news were read; to be given back to the same store. */
export type NewsMark = readonly [log: bigint, inbox: bigint]

export interface News {
  readonly mark: NewsMark
  /** Ids, each once. All is new where no mark was given, which is told by no ids at all. */
  readonly groups: readonly Uint8Array[]
  readonly devices: readonly Uint8Array[]
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

  constructor(reason: string, cause?: unknown) {
    super(reason, cause === undefined ? undefined : { cause })
  }
}

export interface NewGroup {
  readonly groupId: Uint8Array
  readonly idempotencyId: Uint8Array
  /** SHA-256 of the whole request: the same id with another request is no repetition. */
  readonly requestHash: Uint8Array
  readonly groupInfo: Uint8Array
  readonly ratchetTree: Uint8Array | undefined
  readonly at: bigint
  /** Asked when the group would be created otherwise. Synchronous. */
  admit(): Refusal | undefined
}

export interface NewEntry {
  readonly groupId: Uint8Array
  readonly idempotencyId: Uint8Array
  /** SHA-256 of the request but for `after`, which changes when it is sent again. */
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
   * answered without a share of anything. Synchronous.
   */
  admit(group: { readonly bytes: number }): Refusal | undefined
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
  readonly ratchetTree: Uint8Array | undefined
  readonly groupInfo: Uint8Array
  /**
   * 8 bytes, the same for the same requester: where an inbox has no room, the requester with the most entries in it
   * makes room with its oldest.
   */
  readonly sender: Uint8Array
  /**
   * So many Welcomes of one group wait in an inbox at most: likewise among these. Anybody who knows the group's id can
   * send some.
   */
  readonly inboxEntriesPerGroupMax: number
  /** Asked for each recipient when the entry is accepted; those that it refuses are not served. Synchronous. */
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
  | { readonly type: "stale"; readonly lastCommitSeq: bigint; readonly headSeq: bigint }
  /** The idempotency id was used for another entry of the group. */
  | { readonly type: "idReused" }
  | { readonly type: "notFound" }
  | Refusal

export interface Page {
  readonly after: bigint
  readonly limit: number
  /** Bytes of bodies; a page has one entry even if that one alone is longer. */
  readonly sizeMax: number
}

export interface LogPage {
  readonly entries: readonly Entry[]
  /** The first that is kept; 1 where nothing was dropped. */
  readonly oldestSeq: bigint
  readonly headSeq: bigint
}

export interface InboxPage {
  readonly entries: readonly InboxEntry[]
  readonly head: bigint
}

export interface Head {
  readonly headSeq: bigint
  /** 0 where there is none. */
  readonly lastCommitSeq: bigint
  readonly chainHash: Uint8Array
}

export interface StoredGroupInfo {
  /** Of the commit entry that it came with, 0 where it came with the group. */
  readonly seq: bigint
  readonly groupInfo: Uint8Array
  readonly ratchetTree: Uint8Array | undefined
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
  readonly at: bigint
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
