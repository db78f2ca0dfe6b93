import { encode } from "@conclave/codec"
import { type Device, deviceIdOf, REGISTRATION_LABEL, RegistrationTBS } from "@conclave/contracts/auth"
import { equalBytes } from "@conclave/crypto"
import { type CipherSuite, verifyWithLabel } from "@conclave/mls"
import { includes } from "./pins.js"

/** The claim that the holder of the key `endorser` has signed for `device` as a device of `name`. */
export interface EndorsementClaim {
  readonly name: string
  readonly device: Pick<Device, "cipherSuite" | "signatureKey" | "endorsement">
  readonly endorser: Uint8Array
}

/** Whether an {@link EndorsementClaim} is true. Does not throw for bytes that are no key or no signature. */
export type VerifyEndorsement = (claim: EndorsementClaim) => boolean

/** Verifies with `suite`, which is the cipher suite of the endorser's key, not of the device's. */
export function isEndorsement(suite: CipherSuite, { name, device, endorser }: EndorsementClaim): boolean {
  const { endorsement, cipherSuite, signatureKey } = device
  if (endorsement === undefined) return false
  const sha256 = (...parts: readonly Uint8Array[]) => suite.provider.hashes["SHA-256"]!.digest(...parts)
  const endorserId = deviceIdOf(sha256, { cipherSuite: suite.number, signatureKey: endorser })
  if (!equalBytes(endorsement.deviceId, endorserId)) return false
  return verifyWithLabel(suite, {
    publicKey: endorser,
    label: REGISTRATION_LABEL,
    content: encode(RegistrationTBS, { name, cipherSuite, signatureKey }),
    signature: endorsement.signature,
  })
}

/** What a chain of endorsements is checked against. */
export interface ChainOptions {
  readonly name: string
  /** Keys that are trusted: those that are pinned or, at the first contact, the {@link rootOf} the name. */
  readonly roots: readonly Uint8Array[]
  /** All devices that the directory lists for the name. */
  readonly devices: readonly Device[]
  readonly verifyEndorsement: VerifyEndorsement
}

/**
 * Whether a device's key comes from a trusted one: it is one of them, or a chain of endorsements leads to it, each
 * verified with the key of the device that signed.
 *
 * ```
 *   root ──endorses──► phone ──endorses──► tablet
 * ```
 */
export function comesFrom(device: Device, { name, roots, devices, verifyEndorsement }: ChainOptions): boolean {
  if (includes(roots, device.signatureKey)) return true
  const passed = new Set<Device>()
  for (let at = device; !passed.has(at); ) {
    passed.add(at)
    if (roots.some((endorser) => verifyEndorsement({ name, device: at, endorser }))) return true
    const { endorsement } = at
    const endorser = endorsement && devices.find((it) => equalBytes(it.deviceId, endorsement.deviceId))
    if (!endorser || !verifyEndorsement({ name, device: at, endorser: endorser.signatureKey })) return false
    at = endorser
  }
  return false
}

/**
 * The key that is taken on the directory's word at the first contact with a name: that of the oldest device that is
 * listed without an endorsement. Empty where there is no such device.
 */
export function rootOf(devices: readonly Device[]): readonly Uint8Array[] {
  const [first, ...others] = devices.filter(({ endorsement }) => endorsement === undefined)
  if (first === undefined) return []
  return [others.reduce((oldest, it) => (it.registeredAt < oldest.registeredAt ? it : oldest), first).signatureKey]
}
