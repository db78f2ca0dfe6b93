import { encode, opaque, struct, utf8, vector } from "@conclave/codec"
import type { Hash } from "@conclave/crypto"

export interface Person {
  readonly name: string
  readonly signatureKeys: readonly Uint8Array[]
}

const Fingerprinted = struct("Fingerprinted", { version: utf8, name: utf8, signatureKeys: vector(opaque) })

/** As many as make a search for a lookalike 2¹² times dearer and cost a reader of the code some 10 ms. */
const ITERATIONS = 4096
const GROUPS_EACH = 6

/**
 * 60 digits, in 12 groups of 5: 30 for each person, the smaller first, so that both see the same. Six groups are
 * 99.6 bits of an iterated SHA-512; order and repetition of a person's keys do not matter.
 */
export function safetyCode(sha512: Hash, people: readonly [Person, Person]): string {
  return people
    .map((person) => personCode(sha512, person))
    .sort()
    .join(" ")
}

/**
 * 30 digits, in 6 groups of 5: one person's half of a {@link safetyCode}. With a single key it is the fingerprint of
 * that key, bound to the name.
 */
export function personCode(sha512: Hash, { name, signatureKeys }: Person): string {
  const unique = new Map(signatureKeys.map((key) => [key.join(), key]))
  const sorted = [...unique.values()].sort(compareBytes)
  const content = encode(Fingerprinted, { version: "Conclave safety code 1", name, signatureKeys: sorted })
  let digest = sha512.digest(content)
  for (let i = 1; i < ITERATIONS; i++) digest = sha512.digest(digest, content)
  return Array.from({ length: GROUPS_EACH }, (_, at) => digits(digest.subarray(5 * at, 5 * at + 5))).join(" ")
}

/** 40 bits as five decimal digits: 10⁵ divides 2⁴⁰ evenly to within one part in ten million. */
function digits(bytes: Uint8Array): string {
  let number = 0
  for (const byte of bytes) number = number * 256 + byte
  return (number % 100_000).toString().padStart(5, "0")
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}
