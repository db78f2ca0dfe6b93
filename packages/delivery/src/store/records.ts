import type { Interval } from "@conclave/contracts/access"
import type { InboxEntry, LogEntryKind } from "@conclave/contracts/delivery"
import type { Handover } from "@conclave/contracts/heads"
import type { Action } from "./operator.js"
import type { GroupPolicy } from "./policy.js"

/**
 * What a Delivery Service has stored, in the service's own terms: how one store hands everything over to another, whatever
 * tables each of them has. All times are Unix times in milliseconds, all hashes and keys 32 bytes.
 *
 * Records come in the order of this union. So a record comes after those that it refers to, by group id or by hash.
 */
export type DeliveryRecord =
  | IdentityRecord
  | FormerGroupRecord
  | DeviceRecord
  | KeyPackageRecord
  | GroupRecord
  | IntervalRecord
  | EntryRecord
  | WelcomeRecord
  | KnockRecord
  | AnswerRecord
  | InboxRecord
  | ActionRecord

export type DeliveryRecordOf<Type extends DeliveryRecord["type"]> = Extract<DeliveryRecord, { readonly type: Type }>

/** As `StoredIdentity`. */
export interface IdentityRecord {
  readonly type: "identity"
  readonly seed: Uint8Array
  readonly passSecret: Uint8Array
  readonly incarnation: bigint
  readonly handovers: readonly Handover[]
}

/** A group that expired or was closed: its id is not used again. */
export interface FormerGroupRecord {
  readonly type: "formerGroup"
  /** SHA-256 of the id. */
  readonly idHash: Uint8Array
}

export interface DeviceRecord {
  readonly type: "device"
  readonly deviceId: Uint8Array
  /** Of the key packages that it has published last. */
  readonly signatureKey: Uint8Array | undefined
  /** The highest `n` that was given to an entry of its inbox. */
  readonly inboxHead: bigint
  /** Why the operator has suspended it. */
  readonly suspended: string | undefined
}

/** In the order in which those of a device were published. */
export interface KeyPackageRecord {
  readonly type: "keyPackage"
  readonly ref: Uint8Array
  readonly deviceId: Uint8Array
  readonly cipherSuite: number
  readonly lastResort: boolean
  readonly notAfter: bigint
  /** `undefined` for one that was handed out or withdrawn: it is not taken again. */
  readonly keyPackage: Uint8Array | undefined
}

export interface GroupRecord {
  readonly type: "group"
  readonly groupId: Uint8Array
  readonly idempotencyId: Uint8Array
  readonly requestHash: Uint8Array
  readonly headSeq: bigint
  readonly headHash: Uint8Array
  /** The first entry that is kept, but for the last commit; 1 where nothing was dropped. */
  readonly oldestSeq: bigint
  /** 0 where there is none. */
  readonly lastCommitSeq: bigint
  /** As in `Standing`. */
  readonly beside: bigint
  /** Of its log, as they are counted for its quota. */
  readonly bytes: bigint
  /** As `Budgets`. */
  readonly budgets: Readonly<Record<"appends" | "proposals" | "commits" | "knocks", number>>
  readonly lastAt: bigint
  readonly policy: GroupPolicy
}

/** In the order in which they began, the newest of a group last. */
export interface IntervalRecord extends Interval {
  readonly type: "interval"
  readonly groupId: Uint8Array
  /** The entry that began it; 0 for the first. */
  readonly seq: bigint
  readonly chainHash: Uint8Array
  readonly at: bigint
}

/** In the order in which they were appended, of all groups together. */
export interface EntryRecord {
  readonly type: "entry"
  readonly groupId: Uint8Array
  readonly seq: bigint
  readonly kind: LogEntryKind
  readonly epoch: bigint
  readonly idempotencyId: Uint8Array
  readonly requestHash: Uint8Array
  /** Of an expired entry the SHA-256 of what the body was. */
  readonly body: Uint8Array
  readonly begins: Interval | undefined
  readonly chainHash: Uint8Array
  /** Devices. */
  readonly undelivered: readonly Uint8Array[]
  readonly at: bigint
}

/** A Welcome that answers or entries of inboxes refer to. */
export interface WelcomeRecord {
  readonly type: "welcome"
  readonly hash: Uint8Array
  readonly welcome: Uint8Array
}

/** In the order in which they were left. */
export interface KnockRecord {
  readonly type: "knock"
  readonly groupId: Uint8Array
  readonly id: Uint8Array
  readonly accessKey: Uint8Array
  readonly sealed: Uint8Array
  readonly sender: Uint8Array
  readonly beside: bigint
  readonly at: bigint
}

export interface AnswerRecord {
  readonly type: "answer"
  readonly groupId: Uint8Array
  readonly knockId: Uint8Array
  readonly accessKey: Uint8Array
  /** Of the commit that answers. */
  readonly seq: bigint
  readonly sealedKey: Uint8Array
  readonly welcomeHash: Uint8Array
  readonly beside: bigint
  readonly at: bigint
}

/** In the order in which they were delivered. */
export interface InboxRecord {
  readonly type: "inboxEntry"
  readonly deviceId: Uint8Array
  readonly n: bigint
  readonly kind: InboxEntry["kind"]
  readonly groupId: Uint8Array
  readonly seq: bigint
  readonly welcomeHash: Uint8Array | undefined
  readonly sender: Uint8Array
  readonly at: bigint
}

/** In the order in which they were done. */
export interface ActionRecord extends Action {
  readonly type: "action"
}

/** How many records of each type a store has, and the head of each of its logs. */
export interface DeliveryContents {
  counts(): Promise<Readonly<Record<DeliveryRecord["type"], number>>>
  /** By group id. */
  heads(): AsyncIterable<readonly GroupHead[]>
}

export interface GroupHead {
  readonly groupId: Uint8Array
  readonly headSeq: bigint
  /** Of the last entry that is there; of the group where none is. */
  readonly headHash: Uint8Array
  readonly entries: number
}

/** A store that hands over what it has. */
export interface DeliverySource extends DeliveryContents {
  /** All that was committed at one moment, some megabytes of one type at a time. */
  records(): AsyncIterable<readonly DeliveryRecord[]>
}

/** An empty store that takes over what another has. */
export interface DeliveryIntake extends DeliveryContents {
  /** All of one type, in the order of {@link DeliverySource.records}. */
  take(records: readonly DeliveryRecord[]): Promise<void>
}
