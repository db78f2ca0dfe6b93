import { encode } from "@conclave/codec"
import { type Device, deviceIdOf, REGISTRATION_LABEL, RegistrationTBS } from "@conclave/contracts/auth"
import { equalBytes } from "@conclave/crypto"
import { type CipherSuite, verifyWithLabel } from "@conclave/mls"

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

/** What chains of endorsements are looked for in. */
export interface ChainOptions {
  readonly name: string
  /** All devices that the directory lists for the name. */
  readonly devices: readonly Device[]
  readonly verifyEndorsement: VerifyEndorsement
}

/** Where a chain may begin, and where it may lead through. */
export interface ChainEnds {
  /** Keys that are trusted: those that are pinned or, at the first contact, the {@link rootOf} the name. */
  readonly roots: readonly Uint8Array[]
  /** Keys that are neither: of devices that another one has revoked. None by default. */
  readonly without?: ReadonlySet<string>
  /** Whether a trusted recovery key has endorsed a device: it is trusted then. */
  readonly isRecovered?: ((device: Device) => boolean) | undefined
}

/** What a key is called in sets and maps. */
export const keyName = (key: Uint8Array): string => key.join()

/**
 * Which devices of a name come from trusted ones: they are trusted themselves, or a chain of endorsements leads to them, each
 * verified with the key of the device that signed, and only once. A name may have hundreds of devices.
 *
 * ```
 *   root ──endorses──► phone ──endorses──► tablet
 * ```
 */
export class Chains {
  readonly #options: ChainOptions
  readonly #byId = new Map<string, Device>()
  readonly #names = new Map<Device, string>()
  readonly #endorsers = new Map<Device, Device | undefined>()
  readonly #trusted = new WeakMap<readonly Uint8Array[], ReadonlySet<string>>()

  constructor(options: ChainOptions) {
    this.#options = options
    for (const device of options.devices) {
      const id = keyName(device.deviceId)
      // The first one that is listed, of two that claim the same id: the other's signatures are by another key.
      if (!this.#byId.has(id)) this.#byId.set(id, device)
    }
  }

  comesFrom(device: Device, { roots, without, isRecovered }: ChainEnds): boolean {
    const trusted = this.#namesOf(roots)
    const isTrusted = (it: Device) =>
      (trusted.has(this.#nameOf(it)) || isRecovered?.(it) === true) && without?.has(this.#nameOf(it)) !== true
    if (isTrusted(device)) return true
    const passed = new Set<Device>()
    for (let at = device; !passed.has(at); ) {
      passed.add(at)
      const endorser = this.#endorserOf(at)
      // A trusted key need not be listed.
      if (endorser === undefined) return this.#isByOneOf(roots, at, without)
      if (isTrusted(endorser)) return true
      if (without?.has(this.#nameOf(endorser))) return false
      at = endorser
    }
    return false
  }

  #isByOneOf(roots: readonly Uint8Array[], device: Device, without: ChainEnds["without"]): boolean {
    const { name, verifyEndorsement } = this.#options
    if (device.endorsement === undefined) return false
    return roots.some((key) => !without?.has(keyName(key)) && verifyEndorsement({ name, device, endorser: key }))
  }

  /** The device of the list that has signed for this one. */
  #endorserOf(device: Device): Device | undefined {
    if (this.#endorsers.has(device)) return this.#endorsers.get(device)
    const { name, verifyEndorsement } = this.#options
    const { endorsement } = device
    const listed = endorsement && this.#byId.get(keyName(endorsement.deviceId))
    const isSigned = listed !== undefined && verifyEndorsement({ name, device, endorser: listed.signatureKey })
    const endorser = isSigned ? listed : undefined
    this.#endorsers.set(device, endorser)
    return endorser
  }

  #namesOf(keys: readonly Uint8Array[]): ReadonlySet<string> {
    const known = this.#trusted.get(keys)
    if (known !== undefined) return known
    const names = new Set(keys.map(keyName))
    this.#trusted.set(keys, names)
    return names
  }

  #nameOf(device: Device): string {
    const known = this.#names.get(device)
    if (known !== undefined) return known
    const name = keyName(device.signatureKey)
    this.#names.set(device, name)
    return name
  }
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

/**
 * The key that statements of a name's devices come from: the one that was pinned first, which is that of its oldest device, or at the first
 * contact the {@link rootOf} the name. Others that are pinned count by the endorsements that lead to them from there: a directory leaves
 * one out, but shows none instead, so it makes nobody older than those that they come from.
 */
export function originOf(pinned: readonly Uint8Array[], devices: readonly Device[]): readonly Uint8Array[] {
  return pinned.length > 0 ? pinned.slice(0, 1) : rootOf(devices)
}
