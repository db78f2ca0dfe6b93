import type { Device } from "@conclave/auth/api"
import { isName } from "@conclave/auth/names"
import { decode, encode } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import type { Credential, CredentialClaim, Verdict } from "@conclave/mls"
import { Pins, recordKeys } from "../core/records.js"
import type { Reloadable, Step } from "../core/steps.js"
import { concurrently } from "../service/concurrently.js"
import type { Directory } from "../service/directory.js"
import type { SealedStore } from "../store/sealed.js"

/** A new key of a known name. */
export interface KeyChange {
  readonly name: string
  readonly signatureKey: Uint8Array
  readonly endorsed: boolean
  readonly accepted: boolean
}

export interface Judgement {
  readonly verdicts: readonly Verdict[]
  /** To be pinned in the step that takes the verdicts. */
  readonly pins: readonly { readonly name: string; readonly signatureKey: Uint8Array }[]
  readonly keyChanges: readonly KeyChange[]
  readonly refused: readonly { readonly name: string; readonly reason: string; readonly keyChanged: boolean }[]
}

interface Finding {
  readonly accepted: boolean
  readonly name: string
  readonly pin: boolean
  readonly keyChange?: KeyChange
  readonly reason?: string
}

/**
 * Decides who somebody is. A credential is accepted if and only if it is basic, holds a well-formed name, the directory
 * lists the signature key for that name, and the pins agree: the first key of a name that is seen is pinned; a further
 * one is taken if a pinned key endorsed it, itself or over other devices of the name, and the policy allows, and is
 * refused otherwise until the user approves.
 */
export class Judge implements Reloadable {
  readonly #store: SealedStore
  readonly #directory: Pick<Directory, "devices">
  readonly #verifyEndorsement: VerifyEndorsement
  readonly #acceptEndorsed: boolean
  readonly #onPinned: (name: string) => void
  readonly #known = new Map<string, readonly Uint8Array[]>()

  constructor(options: JudgeOptions) {
    this.#store = options.store
    this.#directory = options.directory
    this.#verifyEndorsement = options.verifyEndorsement
    this.#acceptEndorsed = options.acceptEndorsed
    this.#onPinned = options.onPinned ?? (() => {})
  }

  /** Asks the directory only about keys that are not pinned. Rejects with `UNAVAILABLE`; then nothing is decided. */
  async judge(claims: readonly CredentialClaim[], signal: AbortSignal): Promise<Judgement> {
    const findings = await concurrently(claims, (claim) => this.#find(claim, signal))
    return {
      verdicts: claims.map((claim, at) => ({ claim, accepted: findings[at]!.accepted })),
      pins: findings.flatMap((it, at) => (it.pin ? [{ name: it.name, signatureKey: claims[at]!.signatureKey }] : [])),
      keyChanges: findings.flatMap((it) => it.keyChange ?? []),
      refused: findings.flatMap((it) =>
        it.accepted ? [] : [{ name: it.name, reason: it.reason ?? "refused", keyChanged: it.keyChange !== undefined }],
      ),
    }
  }

  async pinned(name: string): Promise<readonly Uint8Array[]> {
    return this.#known.get(name) ?? this.#load(name)
  }

  async #load(name: string): Promise<readonly Uint8Array[]> {
    const record = await this.#store.get(recordKeys.pins(this.#store.hiddenName(name)))
    const pins = record === undefined ? undefined : decode(Pins, record)
    const keys = pins?.name === name ? pins.signatureKeys : []
    this.#known.set(name, keys)
    return keys
  }

  /**
   * The keys of `name` must have been asked for with {@link pinned} or {@link judge} before. Returns whether this one is
   * new among them.
   */
  pin(step: Step, name: string, signatureKey: Uint8Array): boolean {
    const keys = this.#known.get(name)
    if (keys === undefined) throw new TypeError("pins are read before they are added to")
    if (includes(keys, signatureKey)) return false
    const signatureKeys = [...keys, signatureKey.slice()]
    step.put(recordKeys.pins(this.#store.hiddenName(name)), encode(Pins, { name, signatureKeys }))
    // In memory at once, so that two pins of one step add up; a failed step forgets all of it.
    this.#known.set(name, signatureKeys)
    step.after(() => this.#onPinned(name))
    return true
  }

  async reload(): Promise<void> {
    for (const name of [...this.#known.keys()]) await this.#load(name)
  }

  async #find(claim: CredentialClaim, signal: AbortSignal): Promise<Finding> {
    const name = nameOf(claim.credential)
    if (name === undefined) return { accepted: false, name: "?", pin: false, reason: "this is no well-formed name" }
    const pinned = await this.pinned(name)
    if (includes(pinned, claim.signatureKey)) return { accepted: true, name, pin: false }
    const devices = await this.#directory.devices(name, signal)
    const device = devices.find((it) => equalBytes(it.signatureKey, claim.signatureKey))
    if (device === undefined) {
      return { accepted: false, name, pin: false, reason: `the directory does not know this key of ${name}` }
    }
    if (pinned.length === 0) return { accepted: true, name, pin: true }
    const endorsed = this.#isEndorsed(name, device, { pinned, devices })
    const accepted = endorsed && this.#acceptEndorsed
    const keyChange: KeyChange = { name, signatureKey: claim.signatureKey, endorsed, accepted }
    return { accepted, name, pin: accepted, keyChange, reason: `${name} speaks with a key that is not pinned` }
  }

  /** From a pinned key to the device's, each step signed by the one before; the oldest of a name has no endorsement. */
  #isEndorsed(name: string, device: Device, known: KnownDevices): boolean {
    const passed = new Set<Device>()
    for (let at = device; !passed.has(at); ) {
      passed.add(at)
      if (known.pinned.some((endorser) => this.#verifyEndorsement({ name, device: at, endorser }))) return true
      const { endorsement } = at
      const endorser = endorsement && known.devices.find((it) => equalBytes(it.deviceId, endorsement.deviceId))
      if (!endorser || !this.#verifyEndorsement({ name, device: at, endorser: endorser.signatureKey })) return false
      at = endorser
    }
    return false
  }
}

interface KnownDevices {
  readonly pinned: readonly Uint8Array[]
  readonly devices: readonly Device[]
}

/** Whether the holder of the key `endorser` has signed for `device` as a device of `name`. */
export type VerifyEndorsement = (claim: {
  readonly name: string
  readonly device: Pick<Device, "cipherSuite" | "signatureKey" | "endorsement">
  readonly endorser: Uint8Array
}) => boolean

export interface JudgeOptions {
  readonly store: SealedStore
  readonly directory: Pick<Directory, "devices">
  readonly verifyEndorsement: VerifyEndorsement
  readonly acceptEndorsed: boolean
  /** Is told of each name for which a key has been pinned, after the step. */
  readonly onPinned?: (name: string) => void
}

/** The name in a basic credential (RFC 9420 §5.3), or `undefined` for anything that is none. */
export function nameOf(credential: Credential): string | undefined {
  if (credential.type !== "basic") return undefined
  try {
    const name = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(credential.identity)
    return isName(name) ? name : undefined
  } catch {
    return undefined
  }
}

export function includes(keys: readonly Uint8Array[], key: Uint8Array): boolean {
  return keys.some((it) => equalBytes(it, key))
}
