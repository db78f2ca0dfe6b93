import { encode } from "@conclave/codec"
import {
  type Device,
  RECOVERY_KEY_LABEL,
  RECOVERY_KEYS_MAX,
  RECOVERY_REPLACEMENT_LABEL,
  RECOVERY_SUITE,
  REGISTRATION_LABEL,
  type RecoveryKey,
  RecoveryKeyTBS,
  RegistrationTBS,
  type RevokedDevice,
  recoveryIdOf,
} from "@conclave/contracts/auth"
import { type CryptoProvider, equalBytes } from "@conclave/crypto"
import { type CipherSuite, cipherSuite, verifyWithLabel } from "@conclave/mls"
import { Chains, keyName, originOf, type VerifyEndorsement } from "./device-chain.js"
import type { KnownRevocation } from "./revocation.js"

/** How signatures by and about recovery keys are verified. Neither throws for bytes that are no key or no signature. */
export interface VerifyRecovery {
  /** Whether both signatures of the statement are true, as one about `name`: of its first recovery key, or of one that replaces another. */
  isStatement(name: string, statement: RecoveryKey, as: "first" | "replacement"): boolean
  /** Whether the recovery key has endorsed the device for `name`. */
  isEndorsed(name: string, device: Device, recoveryKey: Uint8Array): boolean
}

/** `suite`: of the devices, by one of which the first key of a name is bound. */
export function verifyRecovery(suite: CipherSuite, provider: CryptoProvider): VerifyRecovery {
  const recovery = cipherSuite(RECOVERY_SUITE, provider)
  const sha256 = (...parts: readonly Uint8Array[]) => provider.hashes["SHA-256"]!.digest(...parts)
  return {
    isStatement(name, { signature, proof, ...said }, as) {
      const content = encode(RecoveryKeyTBS, { name, ...said })
      const signed = { label: as === "first" ? RECOVERY_KEY_LABEL : RECOVERY_REPLACEMENT_LABEL, content }
      return (
        verifyWithLabel(recovery, { ...signed, publicKey: said.recoveryKey, signature: proof }) &&
        (as === "first" ? [suite, recovery] : [recovery]).some((it) =>
          verifyWithLabel(it, { ...signed, publicKey: said.signerKey, signature }),
        )
      )
    },
    isEndorsed(name, { cipherSuite: number, signatureKey, endorsement }, recoveryKey) {
      if (endorsement === undefined || !equalBytes(endorsement.deviceId, recoveryIdOf(sha256, recoveryKey)))
        return false
      const content = encode(RegistrationTBS, { name, cipherSuite: number, signatureKey })
      const { signature } = endorsement
      return verifyWithLabel(recovery, { publicKey: recoveryKey, label: REGISTRATION_LABEL, content, signature })
    },
  }
}

/** Recovery keys of a name that are trusted, and who holds until when. */
export class KnownRecovery {
  readonly #name: string
  readonly #verify: Pick<VerifyRecovery, "isEndorsed">
  readonly #endorsed = new WeakMap<Device, boolean>()
  /** The first one first; the last one holds. */
  readonly statements: readonly RecoveryKey[]

  constructor(name: string, statements: readonly RecoveryKey[], verify: Pick<VerifyRecovery, "isEndorsed">) {
    this.#name = name
    this.#verify = verify
    this.statements = statements
  }

  /** Whether a key that held when it was registered, as far as the directory says, has endorsed the device. */
  readonly hasEndorsed = (device: Device): boolean => {
    const known = this.#endorsed.get(device)
    if (known !== undefined) return known
    const isEndorsed = this.statements.some(
      (it, at) => this.#heldAt(at, device.registeredAt) && this.#verify.isEndorsed(this.#name, device, it.recoveryKey),
    )
    this.#endorsed.set(device, isEndorsed)
    return isEndorsed
  }

  /** Whether the key is one of them, and held at that time. */
  held(key: Uint8Array, time: bigint): boolean {
    return this.statements.some((it, at) => equalBytes(it.recoveryKey, key) && this.#heldAt(at, time))
  }

  #heldAt(at: number, time: bigint): boolean {
    const next = this.statements[at + 1]
    return next === undefined || time <= next.at
  }
}

/** What a directory says of a name's recovery keys, and what is known. */
export interface RecoveryListing {
  readonly name: string
  readonly pinned: readonly Uint8Array[]
  readonly devices: readonly Device[]
  readonly revoked: readonly RevokedDevice[]
  readonly recovery: readonly RecoveryKey[]
  /** Verified before: never taken back, and gone on from. */
  readonly known: readonly RecoveryKey[]
  readonly revocations: readonly KnownRevocation[]
  /** Of those, what was known before the directory said this: the default is none. */
  readonly before?: readonly KnownRevocation[]
  readonly verifyEndorsement: VerifyEndorsement
  readonly verify: VerifyRecovery
}

/**
 * The recovery keys that are trusted then: those that were known, and what follows from the last of them. The first one is taken
 * from the oldest device that is trusted, and that comes from none that still spoke when it signed. `"other"`: the directory shows
 * another key than those, which nobody has signed who could.
 */
export function trustedRecovery(listing: RecoveryListing): readonly RecoveryKey[] | "other" {
  const { name, recovery, known, verify } = listing
  if (recovery.length > RECOVERY_KEYS_MAX) return "other"
  const shared = Math.min(known.length, recovery.length)
  for (let at = 0; at < shared; at++) {
    if (!equalBytes(known[at]!.recoveryKey, recovery[at]!.recoveryKey)) return "other"
  }
  const trusted = [...known]
  for (const one of recovery.slice(shared)) {
    const last = trusted.at(-1)
    const isDue = last === undefined ? isByOldest(one, listing) : equalBytes(last.recoveryKey, one.signerKey)
    const as = last === undefined ? ("first" as const) : ("replacement" as const)
    if (!isDue || (last !== undefined && one.at <= last.at) || !verify.isStatement(name, one, as)) return "other"
    trusted.push(one)
  }
  return trusted
}

function isByOldest(statement: RecoveryKey, listing: RecoveryListing): boolean {
  const { name, pinned, devices: live, revoked, revocations, before = [], verifyEndorsement } = listing
  const devices = [...live, ...revoked.map((it) => it.device)]
  const signer = devices.find(({ signatureKey }) => equalBytes(signatureKey, statement.signerKey))
  if (signer === undefined) return false
  // A directory would have shown the recovery key with the revocation of the device that bound it, and not only after that.
  if (before.some(({ revocation }) => equalBytes(revocation.signatureKey, signer.signatureKey))) return false
  const chains = new Chains({ name, devices, verifyEndorsement })
  if (!chains.comesFrom(signer, { roots: originOf(pinned, devices) })) return false
  // Those that hold: the directory's word alone makes nobody the oldest.
  const since = new Map(revocations.map(({ revocation }) => [keyName(revocation.signatureKey), revocation.at]))
  const spoke = (key: Uint8Array) => (since.get(keyName(key)) ?? statement.at) >= statement.at
  const older = devices.filter((it) => it.registeredAt < signer.registeredAt).map(({ signatureKey }) => signatureKey)
  // Those that are pinned need not be listed.
  return ![...older, ...pinned].some((key) => {
    if (equalBytes(key, signer.signatureKey) || !spoke(key)) return false
    return includesOlder(older, key) || chains.comesFrom(signer, { roots: [key] })
  })
}

const includesOlder = (older: readonly Uint8Array[], key: Uint8Array) => older.some((it) => equalBytes(it, key))
