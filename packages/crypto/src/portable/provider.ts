import type { CryptoProvider } from "../provider.js"
import { portableAeads } from "./aead.js"
import { portableKeyAgreement } from "./groups.js"
import { portableHashes } from "./hash.js"
import { randomBytes } from "./random.js"
import { portableSignatures } from "./signatures.js"

export { randomBytes }

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
