import { pskSecret } from "../../src/schedule/psk.js"
import { assertBytes, bytes, type Hex, type Suites } from "./vector.js"

export interface PskSecretVector {
  readonly cipher_suite: number
  readonly psks: readonly { readonly psk_id: Hex; readonly psk: Hex; readonly psk_nonce: Hex }[]
  readonly psk_secret: Hex
}

export function verify(vector: PskSecretVector, suites: Suites): void {
  const psks = vector.psks.map(({ psk_id, psk, psk_nonce }) => ({
    id: { psktype: { type: "external", pskId: bytes(psk_id) }, pskNonce: bytes(psk_nonce) } as const,
    secret: bytes(psk),
  }))
  assertBytes(pskSecret(suites(vector.cipher_suite), psks), vector.psk_secret, "psk_secret")
}
