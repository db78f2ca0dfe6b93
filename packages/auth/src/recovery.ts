import { encode } from "@conclave/codec"
import {
  RECOVERY_KEY_LABEL,
  RECOVERY_REPLACEMENT_LABEL,
  type RecoveryKey,
  RecoveryKeyTBS,
} from "@conclave/contracts/auth"
import { type CipherSuite, verifyWithLabel } from "@conclave/mls"

/** The suites of the recovery key and of the key that signed for it; `undefined` where nobody here has that. */
interface Suites {
  readonly recovery: CipherSuite
  readonly signer: CipherSuite | undefined
  /** Whether a recovery key signs, and no device. */
  readonly isReplacement: boolean
}

/** Why a statement about the recovery key of a name is not one, as far as signatures say. */
export function recoveryKeyFault(
  name: string,
  statement: RecoveryKey,
  { recovery, signer, isReplacement }: Suites,
): string | undefined {
  const { signature, proof, ...said } = statement
  if (!recovery.signature.isPublicKey(said.recoveryKey)) return "recoveryKey: it is no Ed25519 key"
  const content = encode(RecoveryKeyTBS, { name, ...said })
  const label = isReplacement ? RECOVERY_REPLACEMENT_LABEL : RECOVERY_KEY_LABEL
  const isSigned = (suite: CipherSuite, publicKey: Uint8Array, by: Uint8Array) =>
    verifyWithLabel(suite, { publicKey, label, content, signature: by })
  if (!isSigned(recovery, said.recoveryKey, proof)) return "proof: it is not by the recovery key"
  if (signer === undefined || !isSigned(signer, said.signerKey, signature))
    return "signature: it is not by a key of the name"
  return undefined
}

/** Why a device of a name does not erase it, in words, by what `erasureFault` says. */
export const ERASURE_FAULTS = {
  younger: "deviceId: only the oldest device of a name erases it, or its recovery key",
  recoveryKeyNeeded: "deviceId: only the recovery key of the name erases it",
}
