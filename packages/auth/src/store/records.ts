import type { DisplayName, Endorsement, Revocation } from "@conclave/contracts/auth"
import type { StoredRecoveryKey } from "./recovery.js"

/**
 * What an Authentication Service has stored, in the service's own terms: how one store hands everything over to another.
 * Records come in the order of this union.
 */
export type AuthRecord =
  | RegistrationRecord
  | DisplayNameRecord
  | SuspendedNameRecord
  | ErasedRecord
  | RevokedRecord
  | RecoveryKeyRecord

/** In the order of registration. */
export interface RegistrationRecord {
  readonly type: "registration"
  readonly name: string
  readonly deviceId: Uint8Array
  readonly cipherSuite: number
  readonly signatureKey: Uint8Array
  readonly registeredAt: bigint
  readonly endorsement: Endorsement | undefined
}

export interface DisplayNameRecord extends DisplayName {
  readonly type: "displayName"
  readonly name: string
}

export interface SuspendedNameRecord {
  readonly type: "suspendedName"
  readonly name: string
  readonly reason: string
}

/** A name or a device that was erased: it is not taken again. */
export interface ErasedRecord {
  readonly type: "erased"
  /** `erasedNameHash`, or the id of the device. */
  readonly hash: Uint8Array
}

/** A device that was registered, and revoked. */
export interface RevokedRecord {
  readonly type: "revoked"
  readonly deviceId: Uint8Array
  /** `undefined` for one that fell with the device that had endorsed it. */
  readonly revocation: Revocation | undefined
}

/** In the order in which they came to hold. */
export interface RecoveryKeyRecord extends StoredRecoveryKey {
  readonly type: "recoveryKey"
  readonly name: string
}

/** How many records of each type a store has. */
export interface AuthContents {
  counts(): Promise<Readonly<Record<AuthRecord["type"], number>>>
}

/** A store that hands over what it has. */
export interface AuthSource extends AuthContents {
  /** All that was committed at one moment, some of one type at a time. */
  records(): AsyncIterable<readonly AuthRecord[]>
}

/** An empty store that takes over what another has. */
export interface AuthIntake extends AuthContents {
  /** All of one type, in the order of {@link AuthSource.records}. */
  take(records: readonly AuthRecord[]): Promise<void>
}
