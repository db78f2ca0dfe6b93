import { aesGcm } from "../portable/aes.js"
import { randomBytes } from "../portable/random.js"
import type { CryptoProvider } from "../provider.js"
import { loadSodium } from "./sodium.js"

export interface BrowserProviderOptions {
  /**
   * `25519`: X25519 and Ed25519 alone, which is what cipher suites 1 and 3 need; a bundler leaves the other curves out of
   * what a page loads. Default: `all`.
   */
  readonly curves?: "25519" | "all"
}

/**
 * What this page may use: {@link webProvider}, or `portableProvider` where WebAssembly is not to be had, as under a
 * content security policy without `wasm-unsafe-eval`: whatever `curves` says, that one has all of them. Both compute the
 * same; JavaScript alone is slower.
 */
export async function browserProvider({ curves = "all" }: BrowserProviderOptions = {}): Promise<CryptoProvider> {
  if (!canCompile()) return (await import("../portable/provider.js")).portableProvider()
  return curves === "all" ? webProvider() : sodiumProvider()
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
  const [sodium, { portableProvider }] = await Promise.all([sodiumProvider(), import("../portable/provider.js")])
  const portable = portableProvider()
  return {
    ...portable,
    name: sodium.name,
    hashes: { ...portable.hashes, ...sodium.hashes },
    aeads: { ...portable.aeads, ...sodium.aeads },
    groups: { ...portable.groups, ...sodium.groups },
    signatures: { ...portable.signatures, ...sodium.signatures },
  }
}

/** Of {@link webProvider} what libsodium has, and AES-GCM. */
async function sodiumProvider(): Promise<CryptoProvider> {
  const sodium = await loadSodium()
  return {
    name: "web",
    random: randomBytes,
    hashes: { "SHA-256": sodium.sha256, "SHA-512": sodium.sha512 },
    aeads: { ...aesGcm, "ChaCha20-Poly1305": sodium.chacha20Poly1305 },
    groups: { X25519: sodium.x25519 },
    signatures: { Ed25519: sodium.ed25519 },
  }
}
