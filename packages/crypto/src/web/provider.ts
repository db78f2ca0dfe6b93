import { portableAeads } from "../portable/aead.js"
import { portableKeyAgreement } from "../portable/groups.js"
import { portableHashes } from "../portable/hash.js"
import { randomBytes } from "../portable/provider.js"
import { portableSignatures } from "../portable/signatures.js"
import type { CryptoProvider } from "../provider.js"
import { loadSodium } from "./sodium.js"

/**
 * libsodium's WebAssembly for curve 25519, ChaCha20-Poly1305, SHA-256 and SHA-512, JavaScript for the rest. Loading is
 * the only step that waits. A page with a content security policy has to allow `wasm-unsafe-eval`.
 */
export async function webProvider(): Promise<CryptoProvider> {
  const sodium = await loadSodium()
  return {
    name: "web",
    random: randomBytes,
    hashes: { ...portableHashes, "SHA-256": sodium.sha256, "SHA-512": sodium.sha512 },
    aeads: { ...portableAeads, "ChaCha20-Poly1305": sodium.chacha20Poly1305 },
    ...portableKeyAgreement,
    groups: { ...portableKeyAgreement.groups, X25519: sodium.x25519 },
    signatures: { ...portableSignatures, Ed25519: sodium.ed25519 },
  }
}
