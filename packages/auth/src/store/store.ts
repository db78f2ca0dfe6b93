import type { DisplayName, Endorsement, Revocation } from "@conclave/contracts/auth"
import type { Account } from "./account.js"
import type { StoredRecoveryKey } from "./recovery.js"
import type { Revoking } from "./revoking.js"

export * from "./account.js"
export { erasureFault, registeredAfter, registrationFault } from "./rank.js"
export type * from "./records.js"
export * from "./recovery.js"
export * from "./revoking.js"

/**
 * What the Authentication Service remembers. Devices are added, revoked and never deleted alone; a name has at most one statement about
 * its display name, which a later one replaces. Names that the operator has suspended stay as they are, and take nothing
 * new. Rejects with an error whose `code`
 * is `STORE_UNAVAILABLE` when it could not be done now and left no trace.
 */
export interface Store {
  register(device: NewDevice): Promise<Registered>
  /** In the order of registration, revoked ones included; empty for a name that nobody has. */
  lookup(name: string): Promise<readonly StoredDevice[]>
  lookupDevice(deviceId: Uint8Array): Promise<StoredDevice | undefined>
  /**
   * Keeps a statement, checked, of a device of the name, if it is later than the one that is kept, and if the device is not
   * revoked. Resolves with the one that is kept then.
   */
  setDisplayName(name: string, displayName: DisplayName): Promise<DisplayName | Suspended | Erased | OfRevoked>
  displayName(name: string): Promise<DisplayName | undefined>
  /** All there is under a name; `undefined` where nobody has it. */
  account(name: string): Promise<Account | undefined>
  /**
   * Erases all there is under the name, if `erasureFault` finds nothing, in one step, and keeps that it was done. The name and
   * its devices are never taken again.
   */
  erase(name: string, by: ErasedBy): Promise<Erasing>
  /** Whether the device was erased with its name. */
  isErased(deviceId: Uint8Array): Promise<boolean>
  /** The recovery keys of a name, the first one first: the last one holds. */
  recoveryKeys(name: string): Promise<readonly StoredRecoveryKey[]>
  /** Does what `judgeRecoveryKey` says of it, in one step, where the signatures have been checked. */
  setRecoveryKey(name: string, recoveryKey: StoredRecoveryKey): Promise<RecoveryKeySet>
  /** Does what `judgeRevoking` says of it, in one step, where the signatures have been checked. Nothing takes it back. */
  revoke(name: string, revoking: Revoking): Promise<Revoked>
}

export type Revoked =
  /** `devices`: all of the name, as {@link Store.lookup} shows them then. */
  | { readonly type: "revoked"; readonly devices: readonly StoredDevice[] }
  | { readonly type: "refused"; readonly reason: string }
  | { readonly type: "notFound" }
  | Suspended

export type RecoveryKeySet =
  /** All of the name, with this one. */
  | { readonly type: "recoveryKeys"; readonly keys: readonly StoredRecoveryKey[] }
  | { readonly type: "refused"; readonly reason: string }
  | { readonly type: "notFound" }
  | Suspended

export type Erasing =
  | Erased
  | Suspended
  | { readonly type: "notFound" }
  /** There is an older device that speaks for the name. */
  | { readonly type: "younger" }
  /** The name has a recovery key, which alone erases it. */
  | { readonly type: "recoveryKeyNeeded" }

export interface ErasedBy {
  /** Of the device, or of the recovery key. */
  readonly deviceId: Uint8Array
  readonly at: bigint
}

/** It was erased, now or before. */
export interface Erased {
  readonly type: "erased"
}

/** What an operator does to what is stored. */
export interface Operated {
  /** Of a name that is suspended already, replaces the reason. Resolves with whether there is such a name. */
  suspend(name: string, reason: string): Promise<boolean>
  /** Resolves with whether the name was suspended. */
  resume(name: string): Promise<boolean>
}

/** The operator has suspended the name. */
export interface Suspended {
  readonly type: "suspended"
  /** In the operator's words. */
  readonly reason: string
}

export interface NewDevice {
  readonly name: string
  readonly deviceId: Uint8Array
  readonly cipherSuite: number
  readonly signatureKey: Uint8Array
  /** Unix time in milliseconds. The device is registered then, or one after the last of its name where that is not earlier. */
  readonly at: bigint
  /** By a device of the name, or its recovery key, and checked: without, only the first device of a name is taken. */
  readonly endorsement: Endorsement | undefined
  /** Devices of one name that are not revoked. Beyond four times as many in all, one comes a day; see `registrationFault`. */
  readonly devicesMax: number
}

export interface StoredDevice {
  readonly name: string
  readonly deviceId: Uint8Array
  readonly cipherSuite: number
  readonly signatureKey: Uint8Array
  readonly registeredAt: bigint
  /** Kept of the registration that was taken, where it was not the first of its name, or the one in its place. */
  readonly endorsement: Endorsement | undefined
  /** Why the operator has suspended its name; `undefined` where it is not suspended. */
  readonly suspended: string | undefined
  /** It speaks for its name no more: with the statement that says so, or without one, having fallen with its endorser. */
  readonly revoked: { readonly revocation: Revocation | undefined } | undefined
}

/** The device was revoked. */
export interface OfRevoked {
  readonly type: "revoked"
  readonly device: StoredDevice
}

export type Registered =
  /** Now, or before with the same name. */
  | { readonly type: "registered"; readonly device: StoredDevice }
  | { readonly type: "nameTaken" }
  | { readonly type: "otherName" }
  /** The device was erased with its name. */
  | Erased
  | OfRevoked
  /** The endorsing device was. */
  | { readonly type: "endorserRevoked" }
  | { readonly type: "tooManyDevices" }
  /** Of a name that has had many more: another day there is room. */
  | { readonly type: "tooManyToday" }
  /** To a device of the name, and to one that such a device endorses; others are told that the name is taken. */
  | Suspended
