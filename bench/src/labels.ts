import { encode } from "@conclave/codec"
import { hkdfExpand } from "@conclave/crypto"
import type { CipherSuite } from "@conclave/mls"
import { EncryptContext, KDFLabel } from "@conclave/mls/wire"

const utf8 = new TextEncoder()
export const none: Uint8Array = new Uint8Array(0)

/** RFC 9420 §8, for those who build what they measure by hand. */
export function expandWithLabel(
  suite: CipherSuite,
  secret: Uint8Array,
  label: string,
  context: Uint8Array = none,
  length = suite.secretSize,
): Uint8Array {
  return hkdfExpand(suite.hash, secret, kdfLabel(label, context, length), length)
}

export function kdfLabel(label: string, context: Uint8Array, length: number): Uint8Array {
  return encode(KDFLabel, { length, label: utf8.encode(`MLS 1.0 ${label}`), context })
}

/** RFC 9420 §5.1.3. */
export function encryptWithLabel(
  suite: CipherSuite,
  to: { readonly publicKey: Uint8Array; readonly label: string; readonly context: Uint8Array },
  plaintext: Uint8Array,
) {
  const info = encode(EncryptContext, { label: utf8.encode(`MLS 1.0 ${to.label}`), context: to.context })
  const ephemeral = suite.provider.random(suite.hpke.kem.privateKeySize)
  return suite.hpke.seal(to.publicKey, { info, authenticatedData: none, plaintext, ephemeral })
}
