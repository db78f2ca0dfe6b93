import assert from "node:assert/strict"
import {
  decryptWithLabel,
  deriveSecret,
  encryptorWithLabel,
  expandWithLabel,
  refHash,
  signWithLabel,
  verifyWithLabel,
} from "../../src/suite/labels.js"
import type { CipherSuite } from "../../src/suite/suite.js"
import { assertBytes, bytes, type Hex, type Suites } from "./vector.js"

export interface CryptoBasicsVector {
  readonly cipher_suite: number
  readonly ref_hash: { readonly label: string; readonly value: Hex; readonly out: Hex }
  readonly expand_with_label: {
    readonly secret: Hex
    readonly label: string
    readonly context: Hex
    readonly length: number
    readonly out: Hex
  }
  readonly derive_secret: { readonly secret: Hex; readonly label: string; readonly out: Hex }
  readonly derive_tree_secret: {
    readonly secret: Hex
    readonly label: string
    readonly generation: number
    readonly length: number
    readonly out: Hex
  }
  readonly sign_with_label: {
    readonly priv: Hex
    readonly pub: Hex
    readonly content: Hex
    readonly label: string
    readonly signature: Hex
  }
  readonly encrypt_with_label: {
    readonly priv: Hex
    readonly pub: Hex
    readonly label: string
    readonly context: Hex
    readonly plaintext: Hex
    readonly kem_output: Hex
    readonly ciphertext: Hex
  }
}

export function verify(vector: CryptoBasicsVector, suites: Suites): void {
  const suite = suites(vector.cipher_suite)
  const { ref_hash: ref, expand_with_label: expand, derive_secret: derive, derive_tree_secret: tree } = vector
  assertBytes(refHash(suite, ref.label, bytes(ref.value)), ref.out, "RefHash")
  assertBytes(
    expandWithLabel(suite, bytes(expand.secret), expand.label, bytes(expand.context), expand.length),
    expand.out,
    "ExpandWithLabel",
  )
  assertBytes(deriveSecret(suite, bytes(derive.secret), derive.label), derive.out, "DeriveSecret")
  const generation = new Uint8Array(4)
  new DataView(generation.buffer).setUint32(0, tree.generation)
  assertBytes(
    expandWithLabel(suite, bytes(tree.secret), tree.label, generation, tree.length),
    tree.out,
    "DeriveTreeSecret",
  )
  verifySigning(suite, vector.sign_with_label)
  verifyEncryption(suite, vector.encrypt_with_label)
}

function verifySigning(suite: CipherSuite, vector: CryptoBasicsVector["sign_with_label"]): void {
  const signed = { publicKey: bytes(vector.pub), label: vector.label, content: bytes(vector.content) }
  const signature = bytes(vector.signature)
  assert(verifyWithLabel(suite, { ...signed, signature }), "VerifyWithLabel")
  assert(!verifyWithLabel(suite, { ...signed, signature, label: `${vector.label}.` }), "another label")
  using key = suite.signature.importKey(bytes(vector.priv))
  assertBytes(key.publicKey, vector.pub, "public key")
  assert(verifyWithLabel(suite, { ...signed, signature: signWithLabel(key, signed.label, signed.content) }), "own")
}

function verifyEncryption(suite: CipherSuite, vector: CryptoBasicsVector["encrypt_with_label"]): void {
  const { label } = vector
  const [publicKey, privateKey, context] = [bytes(vector.pub), bytes(vector.priv), bytes(vector.context)]
  const sealed = { kemOutput: bytes(vector.kem_output), ciphertext: bytes(vector.ciphertext) }
  assertBytes(suite.hpke.publicKey(privateKey), vector.pub, "public key")
  for (const receiver of [
    { privateKey, label, context },
    { privateKey, publicKey, label, context },
  ]) {
    assertBytes(decryptWithLabel(suite, receiver, sealed), vector.plaintext, "DecryptWithLabel")
    assert.equal(decryptWithLabel(suite, { ...receiver, label: `${label}.` }, sealed), undefined, "another label")
    const again = encryptorWithLabel(
      suite,
      { label, context },
      suite.provider.random,
    )(publicKey, bytes(vector.plaintext))
    assertBytes(decryptWithLabel(suite, receiver, again), vector.plaintext, "EncryptWithLabel")
  }
}
