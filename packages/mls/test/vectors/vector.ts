import assert from "node:assert/strict"
import { type Codec, decode, encode } from "@conclave/codec"
import type { CipherSuite } from "../../src/suite/suite.js"
import type { GroupContext } from "../../src/wire.js"

/** Bytes, as the vectors' JSON holds them. */
export type Hex = string

/** Suites by number, of whichever provider is under test. */
export type Suites = (number: number) => CipherSuite

export const none = new Uint8Array(0)

export function bytes(hex: Hex): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"))
}

/** A private key of `size` bytes. The vectors of P-521 leave out its leading zeros, which RFC 9180 §7.1.2 has. */
export function privateKey(hex: Hex, size: number): Uint8Array {
  return bytes(hex.padStart(2 * size, "0"))
}

export function hex(bytes: Uint8Array): Hex {
  return Buffer.from(bytes).toString("hex")
}

export function assertBytes(actual: Uint8Array | undefined, expected: Hex, what: string): void {
  assert.equal(actual === undefined ? undefined : hex(actual), expected, what)
}

/** Decodes a value, having made sure that it is written again as the same bytes. */
export function decodeExactly<T>(codec: Codec<T>, encoded: Hex, what: string): T {
  const value = decode(codec, bytes(encoded))
  assertBytes(encode(codec, value), encoded, `${what}, written again`)
  // Values that keep the bytes from which they were read are written by copying: a copy of the value has none to copy.
  assertBytes(encode(codec, copyOf(value)), encoded, `a copy of ${what}, written`)
  return value
}

export function copyOf<T>(value: T): T {
  if (value instanceof Uint8Array) return value.slice() as T
  if (Array.isArray(value)) return value.map(copyOf) as T
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, copyOf(field)])) as T
}

/** The GroupContext of a vector that says no more of its group; it has no extensions. */
export function groupContext(
  suite: CipherSuite,
  vector: {
    readonly group_id: Hex
    readonly epoch: number
    readonly tree_hash: Hex
    readonly confirmed_transcript_hash: Hex
  },
): GroupContext {
  return {
    version: "mls10",
    cipherSuite: suite.number,
    groupId: bytes(vector.group_id),
    epoch: BigInt(vector.epoch),
    treeHash: bytes(vector.tree_hash),
    confirmedTranscriptHash: bytes(vector.confirmed_transcript_hash),
    extensions: [],
  }
}
