import { portableAeads } from "../portable/aead.js"
import { portableKeyAgreement } from "../portable/groups.js"
import { portableHashes } from "../portable/hash.js"
import { portableProvider, randomBytes } from "../portable/provider.js"
import { portableSignatures } from "../portable/signatures.js"
import type { CryptoProvider } from "../provider.js"
import { loadSodium } from "./sodium.js"

/**
 * What this page may use: {@link webProvider}, or {@link portableProvider} where WebAssembly is not to be had, as under a
 * content security policy without `wasm-unsafe-eval`. Both compute the same; JavaScript alone is slower.
 */
export async function browserProvider(): Promise<CryptoProvider> {
  return canCompile() ? webProvider() : portableProvider()
}

/** A module without content is compiled at once, or refused with a CompileError. */
function canCompile(): boolean {
  const { WebAssembly: wasm } = globalThis as { readonly WebAssembly?: { Module: new (bytes: Uint8Array) => unknown } }
  try {
    return wasm !== undefined && new wasm.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)) !== undefined
  } catch {
    return false
  }
}

/**
 * libsodium's WebAssembly for curve 25519, ChaCha20-Poly1305, SHA-256 and SHA-512, JavaScript for the rest. Loading is
 * the only step that waits.
 *
 * @throws WebAssembly.CompileError where WebAssembly may not be compiled: see {@link browserProvider}
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
