import { encode } from "@conclave/codec"
import {
  type Device,
  deviceIdOf,
  REVOCATION_LABEL,
  type Revocation,
  RevocationTBS,
  type RevokedDevice,
} from "@conclave/contracts/auth"
import { equalBytes } from "@conclave/crypto"
import { type CipherSuite, verifyWithLabel } from "@conclave/mls"
import { Chains, keyName, originOf, rootOf, type VerifyEndorsement } from "./device-chain.js"
import { includes } from "./pins.js"

/** The claim that the holder of the key in a statement has signed it about a device of `name`. */
export interface RevocationClaim {
  readonly name: string
  readonly revocation: Revocation
  /** As the directory lists it: its id is that of its key and its cipher suite. */
  readonly device: Pick<Device, "cipherSuite">
}

/** Whether a {@link RevocationClaim} is true. Does not throw for bytes that are no key or no signature. */
export type VerifyRevocation = (claim: RevocationClaim) => boolean

/** Verifies with `suite`, which is the cipher suite of the key that has signed, not of the revoked one. */
export function isRevocation(suite: CipherSuite, { name, revocation, device }: RevocationClaim): boolean {
  const { signature, ...statement } = revocation
  const sha256 = (...parts: readonly Uint8Array[]) => suite.provider.hashes["SHA-256"]!.digest(...parts)
  const { deviceId, signatureKey, revokerKey } = statement
  if (!equalBytes(deviceId, deviceIdOf(sha256, { cipherSuite: device.cipherSuite, signatureKey }))) return false
  const content = encode(RevocationTBS, { name, ...statement })
  return verifyWithLabel(suite, { publicKey: revokerKey, label: REVOCATION_LABEL, content, signature })
}

/** A statement that was verified. */
export interface KnownRevocation {
  readonly device: Device
  readonly revocation: Revocation
}

/** Whether the device has said so itself: what it has endorsed stays. */
export function isRetired({ revocation }: Pick<KnownRevocation, "revocation">): boolean {
  return equalBytes(revocation.revokerKey, revocation.signatureKey)
}

/** What the recovery keys of a name say of its devices. */
export interface RecoveryAuthority {
  readonly hasEndorsed: (device: Device) => boolean
  /** Whether the key is one of them, and held at that time. */
  readonly held: (key: Uint8Array, at: bigint) => boolean
}

/** What a directory says of a name, and what is known of it. */
export interface RevocationListing {
  readonly name: string
  readonly pinned: readonly Uint8Array[]
  readonly devices: readonly Device[]
  readonly revoked: readonly RevokedDevice[]
  /** Recovery keys of the name that are trusted. */
  readonly recovery?: RecoveryAuthority | undefined
  /** Verified before. */
  readonly known: readonly KnownRevocation[]
  readonly verifyEndorsement: VerifyEndorsement
  readonly verifyRevocation: VerifyRevocation
}

/**
 * The statements of a listing that hold and are not known yet. One holds if its signature does, and if it is by the device
 * itself or by another one that
 *
 * 1. is trusted: its key is the one that was pinned first, or at the first contact the name's root, or comes from that;
 * 2. does not come from the device that it revokes, by a chain of endorsements;
 * 3. was registered before it, or at the same time, as far as the directory says;
 * 4. was not revoked itself before, by the times in the statements.
 *
 * Or it is by the name's recovery key, which outranks all devices. What that has endorsed no other device revokes.
 *
 * The device itself is one of the name: its key is pinned, or comes from one that is. The directory cannot make a statement up, for it
 * cannot sign, nor have a key fall that belongs to somebody else; it can only say that of two devices, of which neither comes from the
 * other, the younger one was registered first.
 */
export function newRevocations(listing: RevocationListing): readonly KnownRevocation[] {
  const { name, revoked, known, verifyRevocation } = listing
  const entitling = new Entitling(listing)
  const present = new Map(known.map((it) => [keyName(it.revocation.signatureKey), it]))
  for (const it of known) entitling.add(it)
  const found: KnownRevocation[] = []
  const stated = revoked.flatMap(({ device, revocation }) => (revocation === undefined ? [] : { device, revocation }))
  const byTime = [...stated].sort((a, b) => (a.revocation.at < b.revocation.at ? -1 : 1))
  for (const one of byTime) {
    const { device, revocation } = one
    const key = keyName(revocation.signatureKey)
    const before = present.get(key)
    // What an older device says takes the place of what the device has said itself.
    if (before !== undefined && (!isRetired(before) || isRetired(one)) && !entitling.isByRecovery(one, before)) continue
    if (!equalBytes(device.signatureKey, revocation.signatureKey)) continue
    if (!isRetired(one) && !entitling.isEntitled(one)) continue
    if (!verifyRevocation({ name, revocation, device })) continue
    found.push(one)
    entitling.add(one)
    present.set(key, one)
  }
  return found
}

/** Whose statements count, as more and more of them are known to hold. */
class Entitling {
  readonly #devices = new Map<string, Device>()
  readonly #chains: Chains
  readonly #roots: readonly Uint8Array[]
  readonly #origin: readonly Uint8Array[]
  /** When a device was revoked first, by its key. */
  readonly #since = new Map<string, bigint>()
  readonly #recovery: RecoveryAuthority | undefined
  /** Keys that another device has revoked. */
  readonly #gone = new Set<string>()

  constructor({ name, pinned, devices: live, revoked, recovery, verifyEndorsement }: RevocationListing) {
    this.#recovery = recovery
    // With those that have fallen: what a thief has brought comes from a device that was revoked.
    const devices = [...live, ...revoked.map((it) => it.device)]
    for (const device of devices) {
      const key = keyName(device.signatureKey)
      if (!this.#devices.has(key)) this.#devices.set(key, device)
    }
    this.#roots = pinned.length > 0 ? pinned : rootOf(devices)
    this.#origin = originOf(pinned, devices)
    this.#chains = new Chains({ name, devices, verifyEndorsement })
  }

  /** It holds. */
  add(one: KnownRevocation): void {
    const key = keyName(one.revocation.signatureKey)
    if (!this.#since.has(key)) this.#since.set(key, one.revocation.at)
    if (!isRetired(one)) this.#gone.add(key)
  }

  /** Whether it is by a recovery key, and the one before is not. */
  isByRecovery({ revocation }: KnownRevocation, before?: KnownRevocation): boolean {
    const held = (it: Revocation) => this.#recovery?.held(it.revokerKey, it.at) === true
    return held(revocation) && (before === undefined || !held(before.revocation))
  }

  isEntitled(one: KnownRevocation): boolean {
    const { device, revocation } = one
    const isRecovered = this.#recovery?.hasEndorsed
    if (this.isByRecovery(one)) return this.#chains.comesFrom(device, { roots: this.#roots, isRecovered })
    // Nothing but the recovery key contradicts it.
    if (isRecovered?.(device)) return false
    const by = keyName(revocation.revokerKey)
    const revoker = this.#devices.get(by)
    if (revoker === undefined || revoker.registeredAt > device.registeredAt) return false
    if (!this.#chains.comesFrom(device, { roots: this.#roots, isRecovered })) return false
    const since = this.#since.get(by)
    if (since !== undefined && since <= revocation.at) return false
    // One that was revoked later than it said this is trusted for it.
    const without = new Set(this.#gone)
    without.delete(by)
    if (!this.#chains.comesFrom(revoker, { roots: this.#origin, without, isRecovered })) return false
    return !this.#chains.comesFrom(revoker, { roots: [device.signatureKey] })
  }
}

/** Keys whose endorsements count for nothing any more: a device's that another one has revoked. */
export function withoutRevoked(
  keys: readonly Uint8Array[],
  revocations: readonly KnownRevocation[],
): readonly Uint8Array[] {
  const gone = revocations.filter((it) => !isRetired(it)).map(({ revocation }) => revocation.signatureKey)
  return gone.length === 0 ? keys : keys.filter((key) => !includes(gone, key))
}
