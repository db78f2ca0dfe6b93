import { encode } from "@conclave/codec"
import { type CryptoProvider, hkdfExpand } from "@conclave/crypto"
import { nodeProvider } from "@conclave/crypto/node"
import type { CipherSuite } from "@conclave/mls"
import { KDFLabel } from "@conclave/mls/wire"

/** A provider that keeps what a member derives under labels of the key schedule: every member has these secrets. */
export function spyProvider(...labels: readonly string[]) {
  const real = nodeProvider()
  const derived = new Map<string, Uint8Array>()
  const hash = real.hashes["SHA-256"]!
  const marks = labels.map((label) => [label, Buffer.from(`MLS 1.0 ${label}`)] as const)
  const hmac: typeof hash.hmac = (key, ...parts) => {
    const output = hash.hmac(key, ...parts)
    for (const [label, mark] of marks) if (Buffer.concat(parts).includes(mark)) derived.set(label, output.slice())
    return output
  }
  const provider: CryptoProvider = {
    ...real,
    random: (length) => real.random(length),
    hashes: { ...real.hashes, "SHA-256": { size: hash.size, digest: (...parts) => hash.digest(...parts), hmac } },
  }
  return { provider, derived }
}

/** RFC 9420 §8: ExpandWithLabel. */
export function expandWithLabel(
  suite: CipherSuite,
  secret: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Uint8Array {
  const info = encode(KDFLabel, { length, label: new TextEncoder().encode(`MLS 1.0 ${label}`), context })
  return hkdfExpand(suite.hash, secret, info, length)
}
