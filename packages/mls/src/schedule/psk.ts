import { encode } from "@conclave/codec"
import { hkdfExtract, wipe } from "@conclave/crypto"
import { expandWithLabel } from "../suite/labels.js"
import type { CipherSuite } from "../suite/suite.js"
import { type PreSharedKeyID, PSKLabel } from "../wire.js"

/** A pre-shared key and what names it. */
export interface Psk {
  readonly id: PreSharedKeyID
  /** Of any length; external ones should have the entropy of a key. */
  readonly secret: Uint8Array
}

/** RFC 9420 §8.4: all keys of a commit in one secret of `suite.secretSize` bytes; zeros where there is none. */
export function pskSecret(suite: CipherSuite, psks: readonly Psk[]): Uint8Array {
  const zero = new Uint8Array(suite.secretSize)
  let secret: Uint8Array = zero
  psks.forEach(({ id, secret: psk }, index) => {
    const extracted = hkdfExtract(suite.hash, zero, psk)
    const label = encode(PSKLabel, { id, index, count: psks.length })
    const input = expandWithLabel(suite, extracted, "derived psk", label, suite.secretSize)
    const next = hkdfExtract(suite.hash, input, secret)
    wipe(extracted, input)
    if (index > 0) wipe(secret)
    secret = next
  })
  return secret
}
