import type { WishName } from "./kinds/wishes.js"

/**
 * What a device knows of one conversation, for developers and for people who want to look inside. Every value is one that
 * the members or the service have as well, or says how far this device has come: there is no secret key, no secret of an
 * epoch, and no content of a message in it.
 */
export interface Inspection {
  /** RFC 9420 §17.1. */
  readonly cipherSuite: number
  /** The epoch in which this device came in, or was let in again last. */
  readonly firstEpoch: bigint
  readonly log: LogPosition
  /** The newest head of the log that this device has taken from the service; `undefined` before there is one. */
  readonly head: InspectedHead | undefined
  /** By what the service signs; `undefined` before it has been asked. */
  readonly service: InspectedService | undefined
  /** The intervals whose keys this device has, oldest first: see docs/decisions/015. */
  readonly intervals: readonly InspectedInterval[]
  /** The commits that this device has followed since it was opened, oldest first; 200 at most. */
  readonly commits: readonly InspectedCommit[]
  /** What was asked for and is not done, oldest first. */
  readonly wishes: readonly InspectedWish[]
  /** A commit of this device is on its way to the service. */
  readonly isCommitting: boolean
  /** Devices in the tree that the user has not approved. */
  readonly unapproved: readonly { readonly name: string; readonly signatureKey: Uint8Array }[]
  /** What keeps this device from going on, where something does: when it tries again. */
  readonly obstacle: { readonly type: "deferred" | "missing"; readonly retryAt: Date } | undefined
  /** An entry that could not be followed is read again before anything is concluded. */
  readonly isDoubting: boolean
  /** Members' devices that wait to be let in again, as far as this device has been told. */
  readonly knocks: number
}

/** Places in the conversation's log at the service. */
export interface LogPosition {
  /** Everything up to this entry has been followed. */
  readonly cursor: bigint
  /** The log chain's hash there: 32 bytes, or none where it is not known. */
  readonly chainHash: Uint8Array
  /** How far the log is known to go. */
  readonly head: bigint | undefined
  /** Entries that have been brought and not been followed yet. */
  readonly waiting: number
  /** The last commit up to the cursor; 0 where there is none. */
  readonly lastCommit: bigint | undefined
}

/** What the service has said of the log, with its signature. */
export interface InspectedHead {
  readonly seq: bigint
  /** 32 bytes. */
  readonly chainHash: Uint8Array
  readonly incarnation: bigint
  /** When this device has taken it as the end of the log, by its own clock; the time 0 where there was more to read. */
  readonly at: Date
  /** The service's key that has signed it, 32 bytes of Ed25519; `undefined` where none that this device knows has. */
  readonly signedBy: Uint8Array | undefined
}

export interface InspectedService {
  /** Its present key, 32 bytes of Ed25519. */
  readonly key: Uint8Array
  /** Keys before that, each of which has signed for the next. */
  readonly olderKeys: number
  /** Grows when the service was restored from a backup. */
  readonly incarnation: bigint
}

export interface InspectedInterval {
  /** In the order in which this device learned of them. */
  readonly number: number
  /** The public half of its access key, 32 bytes of Ed25519, as it is registered at the service. */
  readonly accessKey: Uint8Array
}

/** A commit that moved the group. */
export interface InspectedCommit {
  /** The epoch that it began. */
  readonly epoch: bigint
  /** Its place in the log. */
  readonly seq: bigint
  /** The committer's name; empty where that is not known. */
  readonly by: string
  /** The committer's signature key, where that is known. */
  readonly signatureKey: Uint8Array | undefined
  /** Made by this device. */
  readonly own: boolean
  /** It renewed the keys from the committer's leaf to the root, and began an interval. */
  readonly path: boolean
  /** Names, one for each device. */
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** When this device followed it, by its own clock. */
  readonly at: Date
}

export interface InspectedWish {
  readonly wish: WishName
  /** Whom it is about. */
  readonly names: readonly string[]
}
