import { createHash } from "node:crypto"
import type { CryptoProvider, SignatureToVerify, Spans } from "../src/index.js"
import { nodeProvider } from "../src/node/provider.js"
import { portableProvider } from "../src/portable/provider.js"
import { webProvider } from "../src/web/provider.js"

const native = nodeProvider({ accelerate: "native" })

/** Why native is not tested; it has to be where `CONCLAVE_NATIVE_REQUIRED` is 1. */
export const noNative: string | undefined =
  native.name === "node+native" ? undefined : `no native provider (npm run build:native): ${native.fallback}`
if (noNative !== undefined) {
  if (process.env.CONCLAVE_NATIVE_REQUIRED === "1") throw new Error(noNative)
  console.error(`NOT TESTED: ${noNative}`)
}

/** Every provider, each of which every test asks. */
export const providers: readonly CryptoProvider[] = [
  ...(noNative === undefined ? [native] : []),
  nodeProvider({ accelerate: "sodium" }),
  nodeProvider({ accelerate: false }),
  await webProvider(),
  portableProvider(),
]

export const groupNames = ["X25519", "X448", "P-256", "P-384", "P-521"] as const
export const nistNames = ["P-256", "P-384", "P-521"] as const
export const hashNames = ["SHA-256", "SHA-384", "SHA-512"] as const
export const aeadNames = ["AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"] as const
export const signatureNames = [
  "Ed25519",
  "Ed448",
  "ECDSA-P-256-SHA-256",
  "ECDSA-P-384-SHA-384",
  "ECDSA-P-521-SHA-512",
] as const
export const ecdsaNames = ["ECDSA-P-256-SHA-256", "ECDSA-P-384-SHA-384", "ECDSA-P-521-SHA-512"] as const

export function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"))
}

export function hex(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Buffer.from(bytes).toString("hex")
}

export const empty = new Uint8Array(0)

/** The same bytes in every run: SHA-256 of the seed and a counter. */
export function seeded(seed: string): (length: number) => Uint8Array {
  let counter = 0
  return (length) => {
    const drawn = new Uint8Array(length)
    for (let offset = 0; offset < length; offset += 32) {
      const block = createHash("sha256").update(`${seed} ${counter++}`).digest()
      drawn.set(block.subarray(0, Math.min(32, length - offset)), offset)
    }
    return drawn
  }
}

/** A copy with one bit turned over. */
export function flipped(original: Uint8Array, bit: number): Uint8Array {
  const copy = new Uint8Array(original)
  copy[bit >> 3]! ^= 1 << (bit & 7)
  return copy
}

/** Of the values, one; all of them have to be equal. */
export function unanimous<T>(values: readonly (readonly [provider: string, value: T])[]): T {
  const [first, ...others] = values
  for (const [name, value] of others) {
    if (value !== first![1]) throw new Error(`${first![0]} says ${first![1]}, ${name} says ${value}`)
  }
  return first![1]
}

/** The signatures as pieces of one memory. */
export function spans(signatures: readonly SignatureToVerify[]): Spans {
  const parts: Uint8Array[] = []
  let at = 0
  const put = (part: Uint8Array) => {
    parts.push(part)
    at += part.length
    return [at - part.length, part.length] as const
  }
  const rows = signatures.flatMap(({ publicKey, message, signature }) => {
    const half = message.length >> 1
    const begin = [...put(publicKey), ...put(signature), 2]
    return [...begin, ...put(message.subarray(0, half)), ...put(message.subarray(half))]
  })
  return { memory: new Uint8Array(Buffer.concat(parts)), beside: new Uint8Array(0), rows: Uint32Array.from(rows) }
}

/** Each text after its length in four bytes, as `hmacAll` takes them. */
export function packedTexts(texts: readonly Uint8Array[]): Uint8Array {
  const parts = texts.flatMap((text) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(text.length)
    return [length, text]
  })
  return new Uint8Array(Buffer.concat(parts))
}
