/** ISO/IEC 18004: what a QR code of level M holds, as codewords with their error correction. */

interface Version {
  readonly number: number
  readonly blocks: number
  /** Of each block. */
  readonly dataCodewords: number
  readonly correctionCodewords: number
}

/** Level M (15 % may be damaged); a QR code of version 7 has more parts, which nothing here needs. */
const versions: readonly Version[] = [
  { number: 1, blocks: 1, dataCodewords: 16, correctionCodewords: 10 },
  { number: 2, blocks: 1, dataCodewords: 28, correctionCodewords: 16 },
  { number: 3, blocks: 1, dataCodewords: 44, correctionCodewords: 26 },
  { number: 4, blocks: 2, dataCodewords: 32, correctionCodewords: 18 },
  { number: 5, blocks: 2, dataCodewords: 43, correctionCodewords: 24 },
  { number: 6, blocks: 4, dataCodewords: 27, correctionCodewords: 16 },
]

/** The alphanumeric mode has these, by their values. */
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
const ALPHANUMERIC = 0b0010
const PADDING = [0xec, 0x11]

/**
 * The codewords of a text in the order in which they are drawn, and the version that has room for them.
 *
 * @throws {RangeError} for a text of other characters, or of more than 154 of them
 */
export function codewordsOf(text: string): { readonly version: number; readonly codewords: readonly number[] } {
  const bits = bitsOf(text)
  const version = versions.find(({ blocks, dataCodewords }) => bits.length <= 8 * blocks * dataCodewords)
  if (version === undefined) throw new RangeError(`${text.length} characters are too many for a QR code`)
  const { blocks, dataCodewords, correctionCodewords } = version
  const codewords = padded(bits, blocks * dataCodewords)
  const data = Array.from({ length: blocks }, (_, at) => codewords.slice(at * dataCodewords, (at + 1) * dataCodewords))
  const correction = data.map((block) => correctionOf(block, correctionCodewords))
  return { version: version.number, codewords: [...interleaved(data), ...interleaved(correction)] }
}

/** Mode, length, and the characters: two are eleven bits, one that is left over six. */
function bitsOf(text: string): string {
  const values = Array.from(text, (character) => ALPHABET.indexOf(character))
  if (values.includes(-1)) throw new RangeError("a QR code of this kind has digits, capitals and few signs")
  let bits = binary(ALPHANUMERIC, 4) + binary(values.length, 9)
  for (let at = 0; at < values.length; at += 2) {
    const [one = 0, other] = [values[at], values[at + 1]]
    bits += other === undefined ? binary(one, 6) : binary(45 * one + other, 11)
  }
  return bits
}

function padded(bits: string, length: number): readonly number[] {
  const ended = bits + "0".repeat(Math.min(4, 8 * length - bits.length))
  const whole = ended + "0".repeat((8 - (ended.length % 8)) % 8)
  const codewords = (whole.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2))
  const rest = Array.from({ length: length - codewords.length }, (_, at) => PADDING[at % 2]!)
  return [...codewords, ...rest]
}

/** The first of each block, then the second of each. */
function interleaved(blocks: readonly (readonly number[])[]): readonly number[] {
  return Array.from(blocks[0]!, (_, at) => blocks.map((block) => block[at]!)).flat()
}

const binary = (value: number, length: number) => value.toString(2).padStart(length, "0")

// --- Reed-Solomon over GF(2⁸) with x⁸ + x⁴ + x³ + x² + 1 ----------------------------------------------------------------

function multiply(a: number, b: number): number {
  let product = 0
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ ((product >> 7) * 0x11d)
    product ^= ((b >> bit) & 1) * a
  }
  return product
}

/** What is left when the block, with room behind it, is divided by (x − 2⁰)(x − 2¹)…(x − 2ⁿ⁻¹). */
function correctionOf(block: readonly number[], length: number): readonly number[] {
  const divisor = divisorOf(length)
  const rest = new Array<number>(length).fill(0)
  for (const codeword of block) {
    const factor = codeword ^ rest.shift()!
    rest.push(0)
    for (const [at, coefficient] of divisor.entries()) rest[at]! ^= multiply(coefficient, factor)
  }
  return rest
}

/** Its coefficients but for the highest, which is 1. */
function divisorOf(length: number): readonly number[] {
  const divisor = [...new Array<number>(length - 1).fill(0), 1]
  let root = 1
  for (let factor = 0; factor < length; factor++) {
    for (let at = 0; at < length; at++) divisor[at] = multiply(divisor[at]!, root) ^ (divisor[at + 1] ?? 0)
    root = multiply(root, 2)
  }
  return divisor
}
