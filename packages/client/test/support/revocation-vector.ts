import { createHash } from "node:crypto"
import { encode } from "@conclave/codec"
import { deviceIdOf, REVOCATION_LABEL, RevocationTBS } from "@conclave/contracts/auth"
import type { SigningKey } from "@conclave/crypto"
import { signWithLabel } from "@conclave/mls"

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")

export const sha256 = (...parts: readonly Uint8Array[]) => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}

/** By the first device, about the second; names as in `docs/conversations.md` §6.5. */
export function revocationVector(laptop: SigningKey, { publicKey: signatureKey }: SigningKey) {
  const deviceId = deviceIdOf(sha256, { cipherSuite: 1, signatureKey })
  const revokerKey = laptop.publicKey
  const content = encode(RevocationTBS, { name: "alice", deviceId, signatureKey, revokerKey, at: 1_800_000_000_000n })
  return {
    name: "alice",
    signature_key: hex(signatureKey),
    revoker_key: hex(revokerKey),
    at: 1_800_000_000_000,
    device_id: hex(deviceId),
    revocation_tbs: hex(content),
    signature: hex(signWithLabel(laptop, REVOCATION_LABEL, content)),
  }
}
