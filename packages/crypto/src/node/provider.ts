import { randomFillSync } from "node:crypto"
import type { CryptoProvider } from "../provider.js"
import { nodeAeads } from "./aead.js"
import { nodeGroups } from "./groups.js"
import { nodeHashes } from "./hash.js"
import { nodeSignatures } from "./signatures.js"

/** Every algorithm by way of node:crypto; curve 25519 and ChaCha20-Poly1305 by sodium-native where it is installed. */
export function nodeProvider(_options: { readonly accelerate?: boolean } = {}): CryptoProvider {
  return {
    name: "node",
    random: (length) => randomFillSync(new Uint8Array(length)),
    hashes: nodeHashes,
    aeads: nodeAeads,
    groups: nodeGroups,
    signatures: nodeSignatures,
  }
}
