import type { CryptoProvider } from "../provider.js"
import { portableAeads } from "./aead.js"
import { portableKeyAgreement } from "./groups.js"
import { portableHashes } from "./hash.js"
import { portableSignatures } from "./signatures.js"

/** Every algorithm in JavaScript alone, for runtimes without node:crypto and without WebAssembly. */
export function portableProvider(): CryptoProvider {
  return {
    name: "portable",
    random: (length) => randomBytes(length),
    hashes: portableHashes,
    aeads: portableAeads,
    ...portableKeyAgreement,
    signatures: portableSignatures,
  }
}

/** `getRandomValues` fills at most 65,536 bytes at a time. */
const randomBytesMax = 65536

export function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let offset = 0; offset < length; offset += randomBytesMax) {
    globalThis.crypto.getRandomValues(bytes.subarray(offset, offset + randomBytesMax))
  }
  return bytes
}
