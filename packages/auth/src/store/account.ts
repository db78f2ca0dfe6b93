import type { Revocation } from "@conclave/contracts/auth"
import type { StoredRecoveryKey } from "./recovery.js"

/**
 * What a service holds under a name, for the person whose name it is. Times are Unix times in milliseconds, ids and keys
 * hexadecimal digits.
 */
export interface Account {
  readonly name: string
  readonly displayName: { readonly text: string; readonly at: number } | null
  /** Why the operator has suspended the name. */
  readonly suspended: string | null
  /** Those that hold no more, too: the last one does. */
  readonly recoveryKeys: readonly { readonly key: string; readonly by: string; readonly at: number }[]
  readonly devices: readonly AccountDevice[]
}

export interface AccountDevice {
  readonly id: string
  readonly cipherSuite: number
  readonly signatureKey: string
  readonly registeredAt: number
  /** The id of the device that endorsed it. */
  readonly endorsedBy: string | null
  /** By which key of the name, its recovery key among them, and when; nothing of both where it fell with the device that had endorsed it. */
  readonly revoked: { readonly by: string | null; readonly at: number | null } | null
  /** `size`: in bytes, `null` for one that was handed out or withdrawn, which is remembered until `notAfter`. */
  readonly keyPackages: readonly {
    readonly ref: string
    readonly cipherSuite: number
    readonly lastResort: boolean
    readonly notAfter: number
    readonly size: number | null
  }[]
  /** How many entries its inbox was ever given. */
  readonly inboxHead: number
  /** Those that wait. `group`: which a Welcome leads to. */
  readonly inbox: readonly {
    readonly n: number
    readonly kind: string
    readonly group: string
    readonly size: number
    readonly at: number
  }[]
}

/** In plain words, what a service cannot tell a person about that person, and cannot delete for one. */
const accountLimits: readonly string[] = [
  "Which conversations this name is in: the service has no list of members. Only the Welcomes that wait in an inbox name a group.",
  "What this name has said: messages are encrypted, and carry no name, device or account that the service could read. They " +
    "expire with their group, however long that keeps them.",
  "Commits that could not reach a device of this name list the id of that device, encrypted entries of the log beside it, " +
    "until the commit expires.",
  "What other people's devices keep: their histories, and the keys that they have pinned for this name.",
  "Backups of the service from before, until the operator deletes them, and what the operator wrote into the log of actions.",
]

/** The document that is given to a person. */
export const accountDocument = (account: Account): string =>
  JSON.stringify({ ...account, notKnown: accountLimits }, null, 2)

export function accountRecovery(keys: readonly StoredRecoveryKey[]): Account["recoveryKeys"] {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
  return keys.map(({ statement: { recoveryKey, signerKey, at } }) => {
    return { key: hex(recoveryKey), by: hex(signerKey), at: Number(at) }
  })
}

export function accountRevocation(
  revoked: { readonly revocation: Revocation | undefined } | undefined,
): AccountDevice["revoked"] {
  if (revoked?.revocation === undefined) return revoked === undefined ? null : { by: null, at: null }
  const { revokerKey, at } = revoked.revocation
  return { by: Buffer.from(revokerKey).toString("hex"), at: Number(at) }
}

/**
 * What is kept of an erased name, so that nobody registers it again: SHA-256, 32 bytes. Whoever guesses the name can check
 * that guess.
 */
export function erasedNameHash(sha256: (...parts: readonly Uint8Array[]) => Uint8Array, name: string): Uint8Array {
  const encoder = new TextEncoder()
  return sha256(encoder.encode("Conclave erased name"), encoder.encode(name))
}
