import type { CryptoProvider } from "@conclave/crypto"

/** 160 bits, at random: nobody guesses it, so nothing has to make guessing slow. */
const SECRET_SIZE = 20
/** 20 bits: of a million wrong ones, one is taken for a recovery key. */
export const CHECK_CHARACTERS = 4
const GROUP = 4
/** Crockford's base 32: no I, L, O and U. */
export const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
export const CHARACTERS = (SECRET_SIZE * 8) / 5 + CHECK_CHARACTERS

/** What a person writes down: 36 digits and letters in groups of four. */
export function makeRecoveryText(provider: CryptoProvider, random: (length: number) => Uint8Array): string {
  const secret = random(SECRET_SIZE)
  const text = base32(secret) + checkOf(provider, secret)
  secret.fill(0)
  return text.match(new RegExp(`.{${GROUP}}`, "g"))!.join("-")
}

/** The last characters: a digit or letter that is wrong is noticed. */
export function checkOf(provider: CryptoProvider, secret: Uint8Array): string {
  const label = new TextEncoder().encode("Conclave recovery key check")
  return base32(provider.hashes["SHA-256"]!.digest(label, secret).subarray(0, 5)).slice(0, CHECK_CHARACTERS)
}

/** Of whole groups of five bytes. */
function base32(bytes: Uint8Array): string {
  let [text, value, bits] = ["", 0, 0]
  for (const byte of bytes) {
    value = (value << 8) | byte
    bits += 8
    for (; bits >= 5; bits -= 5) text += ALPHABET[(value >>> (bits - 5)) & 31]
    value &= (1 << bits) - 1
  }
  return text
}
