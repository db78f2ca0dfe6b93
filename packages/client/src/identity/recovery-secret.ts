import { encode, opaque, struct, utf8 } from "@conclave/codec"
import { RECOVERY_SUITE } from "@conclave/contracts/auth"
import { type CryptoProvider, equalBytes, type SigningKey } from "@conclave/crypto"
import { cipherSuite } from "@conclave/mls"
import { ALPHABET, CHARACTERS, CHECK_CHARACTERS, checkOf } from "./recovery-text.js"

const Seed = struct("ConclaveRecoverySeed", { label: utf8, name: utf8, secret: opaque })

/**
 * The Ed25519 key that follows from what was written down: another one for each name. Case, spaces and hyphens do not matter, nor
 * whether O is 0, and I or L is 1.
 *
 * @throws TypeError for anything but a recovery key, which says why and does not repeat it
 */
export function recoverySigner(provider: CryptoProvider, name: string, text: string): SigningKey {
  const secret = secretIn(provider, text)
  const seed = encode(Seed, { label: "Conclave recovery key 1", name, secret })
  const privateKey = provider.hashes["SHA-256"]!.digest(seed)
  const key = cipherSuite(RECOVERY_SUITE, provider).signature.importKey(privateKey)
  for (const it of [secret, seed, privateKey]) it.fill(0)
  return key
}

function secretIn(provider: CryptoProvider, text: string): Uint8Array {
  if (typeof text !== "string") throw new TypeError(`a recovery key must be a string, not ${typeof text}`)
  const plain = text.toUpperCase().replace(/[\s-]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1")
  if (plain.length !== CHARACTERS) {
    throw new TypeError(`a recovery key has ${CHARACTERS} digits and letters, and this has ${plain.length}`)
  }
  const values = [...plain].map((character) => ALPHABET.indexOf(character))
  if (values.includes(-1)) throw new TypeError("a recovery key has digits and letters alone, and no U")
  const secret = bytesOf(values.slice(0, -CHECK_CHARACTERS))
  const encoder = new TextEncoder()
  const isTrue = equalBytes(encoder.encode(plain.slice(-CHECK_CHARACTERS)), encoder.encode(checkOf(provider, secret)))
  if (!isTrue) throw new TypeError("this is not a recovery key: a digit or letter is wrong, or two changed places")
  return secret
}

function bytesOf(values: readonly number[]): Uint8Array {
  const bytes: number[] = []
  let [value, bits] = [0, 0]
  for (const five of values) {
    value = (value << 5) | five
    bits += 5
    if (bits < 8) continue
    bits -= 8
    bytes.push((value >>> bits) & 255)
    value &= (1 << bits) - 1
  }
  return Uint8Array.from(bytes)
}
