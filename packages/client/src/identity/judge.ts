import { decode, encode } from "@conclave/codec"
import type { Device } from "@conclave/contracts/auth"
import { isName } from "@conclave/contracts/names"
import { equalBytes } from "@conclave/crypto"
import type { Credential, CredentialClaim, Verdict } from "@conclave/mls"
import { copyBytes } from "../bytes.js"
import type { Reloadable, Transaction } from "../journal/transactions.js"
import { Pins, recordKeys } from "../records/records.js"
import { Unavailable } from "../service/call.js"
import { concurrently } from "../service/concurrently.js"
import type { Directory } from "../service/directory.js"
import type { SealedStore } from "../store/sealed.js"

/** A key that speaks for a name and was not pinned for it. */
export interface KeyChange {
  readonly name: string
  readonly signatureKey: Uint8Array
  readonly endorsed: boolean
  readonly accepted: boolean
}

export interface Pin {
  readonly name: string
  readonly signatureKey: Uint8Array
  /** Where nothing was pinned for the name: the key that all its others come from. */
  readonly root?: Uint8Array
}

export interface Judgement {
  readonly verdicts: readonly Verdict[]
  /** To be pinned in the transaction that takes the verdicts. */
  readonly pins: readonly Pin[]
  readonly keyChanges: readonly KeyChange[]
  readonly refused: readonly { readonly name: string; readonly reason: string; readonly keyChanged: boolean }[]
}

const REASONS_SHOWN = 3

/** Why somebody was refused, in words: of a crowd, the first few. */
export function refusalInWords({ refused }: Pick<Judgement, "refused">): string {
  const shown = refused.slice(0, REASONS_SHOWN).map(({ reason }) => reason)
  const more = refused.length - shown.length
  return more === 0 ? shown.join("; ") : `${shown.join("; ")}; and ${more} more`
}

interface Finding {
  readonly accepted: boolean
  readonly name: string
  readonly pins?: readonly Pin[]
  readonly keyChange?: KeyChange
  readonly reason?: string
}

/** What is known of a name while claims about it are judged: one answer of the directory for all of them. */
interface KnownName {
  readonly pinned: readonly Uint8Array[]
  /** Absent where every claim about the name has a pinned key. */
  readonly devices: readonly Device[] | undefined
}

/**
 * Decides who somebody is. A credential is accepted if and only if it is basic, holds a well-formed name, the directory
 * lists the signature key for that name, and the key comes from one that is known: at the first contact with a name
 * from its root, the oldest device that is listed without an endorsement, which is then pinned; later from any pinned
 * key, if the policy allows that. A key comes from another if it is the same, or if a chain of endorsements leads
 * there, each verified. Everything else is refused until the user approves it.
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

  /**
   * Judges all claims of one commit together: about a name the directory is asked once, and only where a key is not
   * pinned. Rejects with `UNAVAILABLE`; then nothing is decided.
   */
  async judge(claims: readonly CredentialClaim[], signal: AbortSignal): Promise<Judgement> {
    const people = await this.#lookUp(claims, signal)
    const findings = claims.map((claim) => this.#find(claim, people))
    return {
      verdicts: claims.map((claim, at) => ({ claim, accepted: findings[at]!.accepted })),
      pins: findings.flatMap((it) => it.pins ?? []),
      keyChanges: [...findings.flatMap((it) => it.keyChange ?? []), ...this.#strangers(claims, people)],
      refused: findings.flatMap((it) =>
        it.accepted ? [] : [{ name: it.name, reason: it.reason ?? "refused", keyChanged: it.keyChange !== undefined }],
      ),
    }
  }

  /** The devices that the directory lists for a name, and what this judge would say of each. */
  async devices(name: string, signal: AbortSignal): Promise<readonly KnownDevice[]> {
    const pinned = await this.pinned(name)
    const devices = await this.#directory.devices(name, signal)
    const roots = pinned.length > 0 ? pinned : rootOf(devices)
    return devices.map((device) => ({
      device,
      pinned: includes(pinned, device.signatureKey),
      known: includes(roots, device.signatureKey) || this.#isEndorsed(name, device, { roots, devices }),
    }))
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
   * The keys of the name must have been asked for with {@link pinned} or {@link judge} before. Returns whether this one
   * is new among them.
   *
   * @throws Unavailable where somebody else was met under this name since the judgement: it has to be made again
   */
  pin(transaction: Transaction, { name, signatureKey, root }: Pin): boolean {
    const keys = this.#known.get(name)
    if (keys === undefined) throw new TypeError("pins are read before they are added to")
    if (includes(keys, signatureKey)) return false
    if (root !== undefined && keys.length > 0 && !includes(keys, root)) {
      throw new Unavailable(`keys of ${name} have been pinned meanwhile`)
    }
    const signatureKeys = [...keys, copyBytes(signatureKey)]
    transaction.put(recordKeys.pins(this.#store.hiddenName(name)), encode(Pins, { name, signatureKeys }))
    // In memory at once, so that two pins of one transaction add up; a failed transaction forgets all of it.
    this.#known.set(name, signatureKeys)
    transaction.after(() => this.#onPinned(name))
    return true
  }

  async reload(): Promise<void> {
    for (const name of [...this.#known.keys()]) await this.#load(name)
  }

  async #lookUp(claims: readonly CredentialClaim[], signal: AbortSignal): Promise<ReadonlyMap<string, KnownName>> {
    const keys = new Map<string, Uint8Array[]>()
    for (const { credential, signatureKey } of claims) {
      const name = nameOf(credential)
      if (name !== undefined) keys.set(name, [...(keys.get(name) ?? []), signatureKey])
    }
    const known = await concurrently([...keys], async ([name, claimed]): Promise<[string, KnownName]> => {
      const pinned = await this.pinned(name)
      const isKnown = claimed.every((key) => includes(pinned, key))
      return [name, { pinned, devices: isKnown ? undefined : await this.#directory.devices(name, signal) }]
    })
    return new Map(known)
  }

  #find(claim: CredentialClaim, people: ReadonlyMap<string, KnownName>): Finding {
    const name = nameOf(claim.credential)
    const known = name === undefined ? undefined : people.get(name)
    if (name === undefined || known === undefined) {
      return { accepted: false, name: "?", reason: "this is no well-formed name" }
    }
    const { pinned, devices = [] } = known
    const { signatureKey } = claim
    if (includes(pinned, signatureKey)) return { accepted: true, name }
    const device = devices.find((it) => equalBytes(it.signatureKey, signatureKey))
    if (device === undefined) {
      return { accepted: false, name, reason: `the directory does not know this key of ${name}` }
    }
    if (pinned.length === 0) return this.#meet(name, device, devices)
    const endorsed = this.#isEndorsed(name, device, { roots: pinned, devices })
    const accepted = endorsed && this.#acceptEndorsed
    return {
      accepted,
      name,
      pins: accepted ? [{ name, signatureKey }] : [],
      keyChange: { name, signatureKey, endorsed, accepted },
      reason: `${name} speaks with a key that is not pinned`,
    }
  }

  /** Devices that are listed for somebody who is met, and that nobody claims to be: not accepted either, as loudly. */
  #strangers(claims: readonly CredentialClaim[], people: ReadonlyMap<string, KnownName>): readonly KeyChange[] {
    const claimed = claims.map(({ signatureKey }) => signatureKey)
    return [...people].flatMap(([name, { pinned, devices = [] }]) => {
      if (pinned.length > 0) return []
      const roots = rootOf(devices)
      const isKnown = (it: Device) => includes(roots, it.signatureKey) || this.#isEndorsed(name, it, { roots, devices })
      const strangers = devices.filter((it) => !includes(claimed, it.signatureKey) && !isKnown(it))
      return strangers.map(({ signatureKey }) => ({ name, signatureKey, endorsed: false, accepted: false }))
    })
  }

  /** The first contact: exactly one device is taken on the directory's word. */
  #meet(name: string, device: Device, devices: readonly Device[]): Finding {
    const { signatureKey } = device
    const roots = rootOf(devices)
    const [root] = roots
    const accepted = includes(roots, signatureKey) || this.#isEndorsed(name, device, { roots, devices })
    if (root !== undefined && accepted) {
      // The root too where it has not been seen yet: who comes from it later is no new acquaintance.
      return { accepted, name, pins: [root, signatureKey].map((key) => ({ name, signatureKey: key, root })) }
    }
    const reason = `${name} has a device that no other device of ${name} has endorsed`
    return { accepted: false, name, keyChange: { name, signatureKey, endorsed: false, accepted: false }, reason }
  }

  /** From one of the roots to the device's key, each transaction signed by the one before. */
  #isEndorsed(name: string, device: Device, { roots, devices }: KnownKeys): boolean {
    const passed = new Set<Device>()
    for (let at = device; !passed.has(at); ) {
      passed.add(at)
      if (roots.some((endorser) => this.#verifyEndorsement({ name, device: at, endorser }))) return true
      const { endorsement } = at
      const endorser = endorsement && devices.find((it) => equalBytes(it.deviceId, endorsement.deviceId))
      if (!endorser || !this.#verifyEndorsement({ name, device: at, endorser: endorser.signatureKey })) return false
      at = endorser
    }
    return false
  }
}

/** The key of the oldest device that is listed without an endorsement, if there is any. */
function rootOf(devices: readonly Device[]): readonly Uint8Array[] {
  const [first, ...others] = devices.filter(({ endorsement }) => endorsement === undefined)
  if (first === undefined) return []
  return [others.reduce((oldest, it) => (it.registeredAt < oldest.registeredAt ? it : oldest), first).signatureKey]
}

interface KnownKeys {
  readonly roots: readonly Uint8Array[]
  readonly devices: readonly Device[]
}

export interface KnownDevice {
  readonly device: Device
  readonly pinned: boolean
  /** Its key is pinned or comes from one that is; at the first contact, from the name's root. */
  readonly known: boolean
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
  /** Is told of each name for which a key has been pinned, after the transaction. */
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
