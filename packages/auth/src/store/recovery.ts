import type { RecoveryKey } from "@conclave/contracts/auth"
import { RECOVERY_KEYS_MAX } from "@conclave/contracts/auth"
import { equalBytes } from "@conclave/crypto"
import { isOldest } from "./rank.js"

/** A recovery key of a name, whose signatures have been checked. */
export interface StoredRecoveryKey {
  /** `recoveryIdOf` the key. */
  readonly id: Uint8Array
  readonly statement: RecoveryKey
}

interface Bound {
  readonly deviceId: Uint8Array
  readonly signatureKey: Uint8Array
  readonly revoked: object | undefined
}

/**
 * What becomes of a statement about a name's recovery key: `add` it, `keep` what there is, which is the same, or why it is refused.
 * `devices` are all of the name, in the order of registration; `present` its recovery keys, the first one first.
 */
export function judgeRecoveryKey(
  { statement }: Pick<StoredRecoveryKey, "statement">,
  { devices, present }: { readonly devices: readonly Bound[]; readonly present: readonly StoredRecoveryKey[] },
): "add" | "keep" | { readonly refused: string } {
  const { recoveryKey, signerKey, at, signature } = statement
  const last = present.at(-1)?.statement
  if (last !== undefined && equalBytes(last.signature, signature)) return "keep"
  if (present.length >= RECOVERY_KEYS_MAX) return { refused: `recoveryKey: at most ${RECOVERY_KEYS_MAX} in all` }
  const isUsed = present.some((it) => equalBytes(it.statement.recoveryKey, recoveryKey))
  if (isUsed || devices.some(({ signatureKey }) => equalBytes(signatureKey, recoveryKey))) {
    return { refused: "recoveryKey: it is or was another key of the name" }
  }
  if (last !== undefined) {
    if (!equalBytes(last.recoveryKey, signerKey))
      return { refused: "signerKey: only the name's recovery key replaces it" }
    return at > last.at ? "add" : { refused: "at: it is not after the one before" }
  }
  const signer = devices.find(({ signatureKey }) => equalBytes(signatureKey, signerKey))
  if (signer === undefined || !isOldest(devices, signer.deviceId)) {
    return { refused: "signerKey: only the oldest device of a name gives it a recovery key" }
  }
  return "add"
}
