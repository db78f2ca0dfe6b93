import { randomFillSync } from "node:crypto"
import type { CryptoProvider } from "../provider.js"
import { nodeAeads } from "./aead.js"
import { nodeKeyAgreement } from "./groups.js"
import { nodeHashes } from "./hash.js"
import { nodeSignatures } from "./signatures.js"
import { sodiumAlgorithms } from "./sodium.js"

/**
 * Every algorithm by way of node:crypto, and curve 25519 and ChaCha20-Poly1305 by way of sodium-native, at two to four
 * times the speed, where it is installed and `accelerate` is not `false`. The name tells which: `node` or
 * `node+sodium-native`.
 *
 * On Node 20 and 22, private keys of X25519 and X448 pass through strings, which can't be wiped, on their way into
 * node:crypto.
 */
export function nodeProvider({ accelerate = true }: { readonly accelerate?: boolean } = {}): CryptoProvider {
  const sodium = accelerate ? sodiumAlgorithms() : undefined
  return {
    name: sodium ? "node+sodium-native" : "node",
    random: (length) => randomFillSync(new Uint8Array(length)),
    hashes: nodeHashes,
    aeads: sodium ? { ...nodeAeads, "ChaCha20-Poly1305": sodium.chacha20Poly1305 } : nodeAeads,
    ...nodeKeyAgreement,
    ...(sodium && { groups: { ...nodeKeyAgreement.groups, X25519: sodium.x25519 } }),
    signatures: sodium ? { ...nodeSignatures, Ed25519: sodium.ed25519 } : nodeSignatures,
  }
}

/** `nodeProvider` with sodium-native where it is installed, and silently without it where it is not. */
export function acceleratedNodeProvider(): CryptoProvider {
  return nodeProvider({ accelerate: true })
}
