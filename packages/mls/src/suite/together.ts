import type { SignatureToVerify } from "@conclave/crypto"
import type { CipherSuite } from "./suite.js"

/** So many signatures are verified without interruption, where they are verified together: 3 ms on two cores. */
export const SIGNATURES_TOGETHER = 256

/** Fewer are verified faster one by one than threads are started. */
const SIGNATURES_MIN = 16

/**
 * Whether the signatures are valid, all of them, on every core. `false` says nothing of any of them: somebody has to look at
 * each. `signatures` is called where it makes sense to ask.
 */
export function areValidTogether(
  { signature }: CipherSuite,
  count: number,
  signatures: () => readonly SignatureToVerify[],
): boolean {
  return signature.verifyAll !== undefined && count >= SIGNATURES_MIN && signature.verifyAll(signatures())
}

/** Lists of at most `size` items, one after the other. */
export function* inParts<T>(items: Iterable<T>, size: number): Generator<readonly T[]> {
  let part: T[] = []
  for (const item of items) {
    part.push(item)
    if (part.length < size) continue
    yield part
    part = []
  }
  if (part.length > 0) yield part
}
