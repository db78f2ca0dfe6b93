import {
  alias,
  encode,
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
 * The contract of the Authentication Service (RFC 9750 §4): a directory of names, the devices that speak for each, and
 * the signature keys of those devices. Types and codecs only. What a name may be, and what a display name, is in
 * `names.ts`.
 *
 * A name belongs to whoever registered it first: a further device of a name is accepted with the signature of a device
 * that the name already has.
 */

/** 32 bytes: see {@link deviceIdOf}. */
export const DeviceId = alias("DeviceId", opaque)

/** SHA-256 of `cipher suite (uint16) ‖ signature key`; `sha256` hashes the concatenation of what it is given. */
export function deviceIdOf(
  sha256: (...parts: readonly Uint8Array[]) => Uint8Array,
  device: { readonly cipherSuite: number; readonly signatureKey: Uint8Array },
): Uint8Array {
  return sha256(encode(uint16, device.cipherSuite), device.signatureKey)
}

/**
 * By what a {@link RecoveryKey} of a name is called in an {@link Endorsement} and an {@link AccountRequest}: 32 bytes, the id of a
 * device of cipher suite 0 with that key. That suite is reserved (RFC 9420 §17.1), so no device has such an id.
 */
export function recoveryIdOf(
  sha256: (...parts: readonly Uint8Array[]) => Uint8Array,
  recoveryKey: Uint8Array,
): Uint8Array {
  return deviceIdOf(sha256, { cipherSuite: 0, signatureKey: recoveryKey })
}

/**
 * By a device that the name already has, over the {@link RegistrationTBS} of another; or by the name's recovery key, which
 * `deviceId` names then (see {@link recoveryIdOf}).
 */
export const Endorsement = struct("Endorsement", { deviceId: DeviceId, signature: opaque })
export type Endorsement = TypeOf<typeof Endorsement>

export const Device = struct("Device", {
  deviceId: DeviceId,
  cipherSuite: uint16,
  signatureKey: opaque,
  /** Unix time in milliseconds. */
  registeredAt: uint64,
  /** With which it was registered, for everybody to check; absent for the first device of a name. */
  endorsement: optional(Endorsement),
})
export type Device = TypeOf<typeof Device>

/** A device's wish to speak for a name. The same again gets the same answer. */
export const Register = struct("Register", {
  name: utf8,
  cipherSuite: uint16,
  signatureKey: opaque,
  /** By the new device's key over {@link RegistrationTBS}. */
  signature: opaque,
  /** Absent for the first device of a name. */
  endorsement: optional(Endorsement),
})
export type Register = TypeOf<typeof Register>

/** The label of `SignWithLabel` (RFC 9420 §5.1.2) over a {@link RegistrationTBS}. */
export const REGISTRATION_LABEL = "ConclaveRegistration"
/** Signed with `SignWithLabel(., REGISTRATION_LABEL, RegistrationTBS)`. */
export const RegistrationTBS = struct("RegistrationTBS", { name: utf8, cipherSuite: uint16, signatureKey: opaque })

/**
 * What the person behind a name is called, as one device of the name says. It replaces the statement before it, of
 * whichever device. An empty text withdraws the display name.
 */
export const DisplayName = struct("DisplayName", {
  /** As `judgeDisplayName` returns it, or empty. */
  text: utf8,
  /** Unix time in milliseconds; of two statements for a name the later one holds. */
  at: uint64,
  /** Of the device that signed. */
  deviceId: DeviceId,
  /** By that device's key over {@link DisplayNameTBS}. */
  signature: opaque,
})
export type DisplayName = TypeOf<typeof DisplayName>

/** The label of `SignWithLabel` (RFC 9420 §5.1.2) over a {@link DisplayNameTBS}. */
export const DISPLAY_NAME_LABEL = "ConclaveDisplayName"
/** Signed with `SignWithLabel(., DISPLAY_NAME_LABEL, DisplayNameTBS)`. */
export const DisplayNameTBS = struct("DisplayNameTBS", { name: utf8, text: utf8, at: uint64 })

/**
 * That a key which is kept apart from all devices has the last word about a name. The first one is bound by the oldest device of the
 * name; each further one by the one before, and nothing else replaces it.
 */
export const RecoveryKey = struct("RecoveryKey", {
  /** Ed25519, 32 bytes. */
  recoveryKey: opaque,
  /** Of the device that signed, or the recovery key that this one replaces. */
  signerKey: opaque,
  /** Unix time in milliseconds, by the clock of whoever signed. */
  at: uint64,
  /** By `signerKey` over {@link RecoveryKeyTBS}. */
  signature: opaque,
  /** By `recoveryKey` over the same: it is no key of somebody else's. */
  proof: opaque,
})
export type RecoveryKey = TypeOf<typeof RecoveryKey>

/** The cipher suite by whose signature scheme recovery keys sign, whichever their name's devices have: Ed25519. */
export const RECOVERY_SUITE = 1

/** The label of `SignWithLabel` (RFC 9420 §5.1.2) over a {@link RecoveryKeyTBS} by a device: of the first recovery key of a name. */
export const RECOVERY_KEY_LABEL = "ConclaveRecoveryKey"
/**
 * The label of each further one, by the recovery key before it. Nobody shows the first key as the successor of one that a device's key
 * is passed off as.
 */
export const RECOVERY_REPLACEMENT_LABEL = "ConclaveRecoveryReplacement"
/** Signed with `SignWithLabel(., RECOVERY_KEY_LABEL or RECOVERY_REPLACEMENT_LABEL, RecoveryKeyTBS)`. */
export const RecoveryKeyTBS = struct("RecoveryKeyTBS", {
  name: utf8,
  recoveryKey: opaque,
  signerKey: opaque,
  at: uint64,
})

/** Recovery keys that a name has in all, one after the other. */
export const RECOVERY_KEYS_MAX = 16

/** What a device of a name, or its recovery key, may ask about all of the name. */
const AccountWish = enumeration("AccountWish", 1, { export: 1, erase: 2 })
/** The label of `SignWithLabel` (RFC 9420 §5.1.2) over an {@link AccountTBS}. */
export const ACCOUNT_LABEL = "ConclaveAccount"
/** Signed with `SignWithLabel(., ACCOUNT_LABEL, AccountTBS)`. */
export const AccountTBS = struct("AccountTBS", {
  wish: AccountWish,
  name: utf8,
  deviceId: DeviceId,
  /** Unix time in milliseconds; accepted within five minutes of the service's clock. */
  at: uint64,
})
export const AccountRequest = struct("AccountRequest", {
  name: utf8,
  /** Of the device, or {@link recoveryIdOf} the name's recovery key. */
  deviceId: DeviceId,
  at: uint64,
  /** By that key over {@link AccountTBS}. */
  signature: opaque,
})
export type AccountRequest = TypeOf<typeof AccountRequest>

/**
 * That a device speaks for its name no more, as one of the name says for good. A device revokes itself, or one that was
 * registered after it and that the recovery key has not endorsed; the recovery key revokes any.
 */
export const Revocation = struct("Revocation", {
  /** Of the revoked device, with its key. */
  deviceId: DeviceId,
  signatureKey: opaque,
  /** The signature key of the device that revokes it, or the recovery key. */
  revokerKey: opaque,
  /** Unix time in milliseconds, by the clock of the device that signed. */
  at: uint64,
  /** By `revokerKey` over {@link RevocationTBS}. */
  signature: opaque,
})
export type Revocation = TypeOf<typeof Revocation>

/** The label of `SignWithLabel` (RFC 9420 §5.1.2) over a {@link RevocationTBS}. */
export const REVOCATION_LABEL = "ConclaveRevocation"
/** Signed with `SignWithLabel(., REVOCATION_LABEL, RevocationTBS)`. */
export const RevocationTBS = struct("RevocationTBS", {
  name: utf8,
  deviceId: DeviceId,
  signatureKey: opaque,
  revokerKey: opaque,
  at: uint64,
})

/** Statements of one request. */
export const REVOCATIONS_MAX = 32

/** A device with the statement that revokes it; without one, it fell with the device that had endorsed it. */
export const RevokedDevice = struct("RevokedDevice", { device: Device, revocation: optional(Revocation) })
export type RevokedDevice = TypeOf<typeof RevokedDevice>

/** Another endorsement of a device that is registered, in the place of the one before. */
export const NewEndorsement = struct("NewEndorsement", { deviceId: DeviceId, endorsement: Endorsement })
export type NewEndorsement = TypeOf<typeof NewEndorsement>

export const AuthRequestKind = enumeration("AuthRequestKind", 1, {
  register: 1,
  lookup: 2,
  lookupDevice: 3,
  setDisplayName: 4,
  exportAccount: 5,
  eraseAccount: 6,
  revoke: 7,
  setRecoveryKey: 8,
})
export const AuthRequest = union("AuthRequest", "kind", AuthRequestKind, {
  /** → registered · nameTaken · erased · invalid (also for a key that speaks for another name) · throttled */
  register: Register,
  /** → devices, in the order of registration · notFound · invalid */
  lookup: { name: utf8 },
  /** → devices, with this one alone · notFound */
  lookupDevice: { deviceId: DeviceId },
  /** → displayName, with the latest statement: this one, or a later one that is kept · notFound · invalid · throttled */
  setDisplayName: { name: utf8, displayName: DisplayName },
  /** → account · erased · notFound · wrongTime · invalid · throttled */
  exportAccount: AccountRequest,
  /**
   * By the name's recovery key, or where it has none, by the oldest device that speaks for it. Erases the name for good: its
   * devices, their key packages and inboxes, and its display name. Nobody can register it or one of those devices again. → erased (for a repetition, too) · notFound · wrongTime · invalid ·
   * throttled
   */
  eraseAccount: AccountRequest,
  /**
   * Revokes devices of the name, at most {@link REVOCATIONS_MAX}, all or none of them. What a device has endorsed that another
   * one revokes falls with it, and what that has endorsed, but for devices that get another endorsement first, of
   * `endorsements`. May be repeated: what is revoked stays so. → revoked · notFound · invalid
   */
  revoke: { name: utf8, revocations: vector(Revocation), endorsements: vector(NewEndorsement) },
  /**
   * Binds a recovery key to the name, or replaces the one that it has: by the oldest device while there is none, by the former
   * recovery key after that. May be repeated. → recoveryKeys · notFound · invalid · throttled
   */
  setRecoveryKey: { name: utf8, recoveryKey: RecoveryKey },
})
export type AuthRequest = TypeOf<typeof AuthRequest>

/** What a copy of a request does, made by somebody in the network: see `deliveryRequests` of the Delivery Service. */
export const authRequests = requestContract({
  version: 2,
  request: AuthRequest,
  kind: AuthRequestKind,
  replaySafety: {
    register: notToRepeat("a copy could bring a device back that has been taken from its name meanwhile"),
    lookup: safeToRepeat("it only reads"),
    lookupDevice: safeToRepeat("it only reads"),
    setDisplayName: safeToRepeat("a statement that is not later than the one that is kept changes nothing"),
    exportAccount: safeToRepeat("it only reads"),
    eraseAccount: safeToRepeat("what is erased stays so: a copy finds nothing"),
    revoke: notToRepeat("a copy could bring back an endorsement that another one has replaced meanwhile"),
    setRecoveryKey: safeToRepeat("a statement that is kept changes nothing, and one that was replaced is refused"),
  },
})

export const AuthResponseKind = enumeration("AuthResponseKind", 1, {
  registered: 1,
  devices: 2,
  /** The name has other devices and none of them endorsed this one. */
  nameTaken: 3,
  notFound: 4,
  invalid: 5,
  throttled: 6,
  unavailable: 7,
  displayName: 8,
  update: 9,
  erased: 10,
  account: 11,
  wrongTime: 12,
  revoked: 13,
  recoveryKeys: 14,
})
export const AuthResponse = union("AuthResponse", "kind", AuthResponseKind, {
  registered: { device: Device },
  /**
   * `devices`: those that speak for the name; `revoked`: those that did. `displayName`: the latest statement, where there is
   * one. Statements are to be verified with a key of the name that is trusted.
   */
  devices: {
    name: utf8,
    devices: vector(Device),
    displayName: optional(DisplayName),
    revoked: vector(RevokedDevice),
    /** Of the name, the first one first: the last one holds. At most {@link RECOVERY_KEYS_MAX}. */
    recovery: vector(RecoveryKey),
  },
  nameTaken: {},
  notFound: {},
  invalid: { reason: utf8 },
  throttled: { retryAfterMilliseconds: uint32 },
  /** As in the Delivery Service's contract. */
  unavailable: { reason: utf8, retryAfterMilliseconds: uint32 },
  displayName: { displayName: DisplayName },
  /** As in the Delivery Service's contract: the request is of a version that is not spoken. */
  update: { oldest: uint8, newest: uint8 },
  /** The device that asks was erased with its name. */
  erased: {},
  /** JSON: all that the service holds under the name, and what it cannot know. */
  account: { document: utf8 },
  /** As in the Delivery Service's contract. */
  wrongTime: { serviceTime: uint64 },
  /** All revoked devices of the name. To a request by one of them: that one alone. */
  revoked: { revoked: vector(RevokedDevice) },
  /** All of the name, the last one is the one that holds. */
  recoveryKeys: { recovery: vector(RecoveryKey) },
})
export type AuthResponse = TypeOf<typeof AuthResponse>
