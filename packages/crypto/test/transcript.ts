import { type CryptoProvider, concat, hkdfExpand, hpke } from "../src/index.js"
import { signedByOthers } from "./facts/mls.js"

/** What a provider answers to a fixed row of questions. Runs in a browser too: nothing of Node is used. */
export function transcript(provider: CryptoProvider): Record<string, string> {
  const answers: Record<string, string> = {}
  const random = stretched(provider)

  for (const [name, hash] of Object.entries(provider.hashes)) {
    const [key, message] = [random(40), random(5000)]
    answers[`${name} digest`] = hex(hash.digest(message))
    answers[`${name} hmac`] = hex(hash.hmac(key, message.subarray(0, 99)))
  }
  for (const [name, aead] of Object.entries(provider.aeads)) {
    const [key, nonce, plaintext, data] = [random(aead.keySize), random(12), random(100_000), random(7)]
    const ciphertext = aead.seal(key, nonce, plaintext, data)
    answers[`${name} ciphertext`] = hex(provider.hashes["SHA-256"]!.digest(ciphertext))
    answers[`${name} plaintext`] = String(hex(aead.open(key, nonce, ciphertext, data)!) === hex(plaintext))
    answers[`${name} forgery`] = String(aead.open(key, nonce, ciphertext, random(7)))
  }
  for (const name of ["Ed25519", "Ed448"] as const) {
    const key = provider.signatures[name]!.importKey(random(provider.signatures[name]!.privateKeySize))
    answers[`${name} public key`] = hex(key.publicKey)
    answers[`${name} signature`] = hex(key.sign(random(77)))
  }
  for (const { scheme, publicKey, message, signature } of signedByOthers) {
    const verified = [message, `${message}00`].map((text) =>
      provider.signatures[scheme]!.verify(bytes(publicKey), bytes(text), bytes(signature)),
    )
    answers[`${scheme} verifies`] = verified.join()
  }
  for (const group of ["X25519", "X448", "P-256", "P-384", "P-521"] as const) {
    const scheme = hpke(provider, { kem: group, kdf: "SHA-384", aead: "ChaCha20-Poly1305" })
    const own = scheme.deriveKeyPair(random(66))
    const message = { info: random(3), authenticatedData: random(4), plaintext: random(50) }
    const sealed = scheme.seal(own.publicKey, { ...message, ephemeral: random(scheme.kem.privateKeySize) })
    answers[`${group} sealed`] = hex(concat(sealed.kemOutput, sealed.ciphertext))
    answers[`${group} opened`] = hex(scheme.open(own.privateKey, { ...message, ...sealed })!)
  }
  return answers
}

function stretched(provider: CryptoProvider): (length: number) => Uint8Array {
  const hash = provider.hashes["SHA-256"]!
  const key = hash.digest(new Uint8Array(1))
  let counter = 0
  return (length) => {
    const parts: Uint8Array[] = []
    for (let rest = length; rest > 0; rest -= 4096) {
      parts.push(hkdfExpand(hash, key, Uint8Array.of(counter >> 8, counter++), Math.min(rest, 4096)))
    }
    return concat(...parts)
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
}
