import { randomFillSync } from "node:crypto"
import type { CryptoProvider } from "../provider.js"
import { nodeAeads } from "./aead.js"
import { nodeKeyAgreement } from "./groups.js"
import { nodeHashes } from "./hash.js"
import { nativeAlgorithms } from "./native.js"
import { nodeSignatures } from "./signatures.js"
import { sodiumAlgorithms } from "./sodium.js"

/**
 * What makes node:crypto faster. `true`: `@conclave/native` where it is installed and runs here, otherwise sodium-native,
 * otherwise nothing. `"native"` and `"sodium"`: that one or nothing. `false`: nothing.
 */
export type Acceleration = boolean | "native" | "sodium"

export interface NodeProvider extends CryptoProvider {
  readonly name: "node" | "node+sodium-native" | "node+native"
  /** In one line, why it is not the first of what `accelerate` names. */
  readonly fallback?: string
}

/**
 * Every algorithm by way of node:crypto, or of what accelerates it. `@conclave/native` is aws-lc behind Node-API: all but
 * X448 and Ed448. sodium-native has curve 25519 and ChaCha20-Poly1305, at two to four times node:crypto's speed. The name
 * tells which: `node`, `node+sodium-native` or `node+native`. Neither has to be installed, and one that does not load is
 * passed over.
 *
 * On Node 20 and 22, private keys of X25519 and X448 pass through strings, which can't be wiped, on their way into
 * node:crypto.
 */
export function nodeProvider({ accelerate = true }: { readonly accelerate?: Acceleration } = {}): NodeProvider {
  if (accelerate === "sodium") return sodiumProvider(undefined) ?? plainProvider("sodium-native is not installed")
  if (!accelerate) return plainProvider(undefined)
  const native = nativeAlgorithms()
  if ("algorithms" in native) {
    const { random, hashes, aeads, groups, signatures, hpke } = native.algorithms
    return {
      name: "node+native",
      random,
      hashes,
      aeads,
      ...nodeKeyAgreement,
      groups: { ...nodeKeyAgreement.groups, ...groups },
      signatures: { ...nodeSignatures, ...signatures },
      hpke,
    }
  }
  return (accelerate === true && sodiumProvider(native.reason)) || plainProvider(native.reason)
}

/** `nodeProvider` with the fastest library that is installed, and silently without one. */
export function acceleratedNodeProvider(): NodeProvider {
  return nodeProvider({ accelerate: true })
}

function sodiumProvider(fallback: string | undefined): NodeProvider | undefined {
  const sodium = sodiumAlgorithms()
  return (
    sodium && {
      ...plainProvider(fallback),
      name: "node+sodium-native",
      aeads: { ...nodeAeads, "ChaCha20-Poly1305": sodium.chacha20Poly1305 },
      groups: { ...nodeKeyAgreement.groups, X25519: sodium.x25519 },
      signatures: { ...nodeSignatures, Ed25519: sodium.ed25519 },
    }
  )
}

function plainProvider(fallback: string | undefined): NodeProvider {
  return {
    name: "node",
    random: (length) => randomFillSync(new Uint8Array(length)),
    hashes: nodeHashes,
    aeads: nodeAeads,
    ...nodeKeyAgreement,
    signatures: nodeSignatures,
    ...(fallback !== undefined && { fallback }),
  }
}
