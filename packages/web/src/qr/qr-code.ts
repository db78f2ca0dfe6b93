import { codewordsOf } from "./codewords.js"

/** Row by row: whether a module is dark. */
export type QrCode = readonly (readonly boolean[])[]

/**
 * A QR code (ISO/IEC 18004) of level M without its quiet zone of four modules: 21 to 41 modules a side.
 *
 * @throws {RangeError} for a text of anything but digits, capitals and ` $%*+-./:`, or of more than 154 characters
 */
export function qrCode(text: string): QrCode {
  const { version, codewords } = codewordsOf(text)
  const drawing = new Drawing(version)
  drawing.placePatterns()
  drawing.placeCodewords(codewords)
  const masked = masks.map((_, mask) => drawing.masked(mask))
  return masked.reduce((best, code) => (penaltyOf(code) < penaltyOf(best) ? code : best))
}

/** Whether a module is turned over, by column and row. */
const masks: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
]

class Drawing {
  readonly #size: number
  /** By row; `undefined` where nothing is placed yet. */
  readonly #modules: (boolean | undefined)[][]
  /** Of patterns, which no mask turns over. */
  readonly #fixed: boolean[][]

  constructor(version: number) {
    this.#size = 17 + 4 * version
    const rows = <T>(value: T) => Array.from({ length: this.#size }, () => new Array<T>(this.#size).fill(value))
    this.#modules = rows<boolean | undefined>(undefined)
    this.#fixed = rows(false)
  }

  placePatterns(): void {
    const end = this.#size - 1
    for (let at = 8; at <= end - 8; at++) {
      this.#fix(at, 6, at % 2 === 0)
      this.#fix(6, at, at % 2 === 0)
    }
    for (const [x, y] of [
      [3, 3],
      [end - 3, 3],
      [3, end - 3],
    ] as const)
      this.#placeFinder(x, y)
    // Version 1 has none; up to version 6 there is one.
    if (this.#size > 21) this.#placeRings(end - 6, end - 6, 2, [0, 2])
    this.#placeFormat(0)
  }

  /** In pairs of columns from the right, up and down by turns. */
  placeCodewords(codewords: readonly number[]): void {
    let bit = 0
    let isUpwards = true
    for (let right = this.#size - 1; right > 0; right -= 2) {
      // The column of the timing pattern is passed over.
      if (right === 6) right--
      for (let step = 0; step < this.#size; step++) {
        const y = isUpwards ? this.#size - 1 - step : step
        for (const x of [right, right - 1]) {
          if (this.#modules[y]![x] !== undefined) continue
          const codeword = codewords[bit >> 3] ?? 0
          this.#modules[y]![x] = ((codeword >> (7 - (bit & 7))) & 1) === 1
          bit++
        }
      }
      isUpwards = !isUpwards
    }
  }

  masked(mask: number): QrCode {
    this.#placeFormat(mask)
    return this.#modules.map((row, y) =>
      row.map((dark = false, x) => (this.#fixed[y]![x] ? dark : dark !== masks[mask]!(x, y))),
    )
  }

  /** With the light line around it. */
  #placeFinder(x: number, y: number): void {
    this.#placeRings(x, y, 4, [0, 1, 3])
  }

  #placeRings(x: number, y: number, reach: number, dark: readonly number[]): void {
    for (let dy = -reach; dy <= reach; dy++) {
      for (let dx = -reach; dx <= reach; dx++) {
        this.#fix(x + dx, y + dy, dark.includes(Math.max(Math.abs(dx), Math.abs(dy))))
      }
    }
  }

  /** Level and mask, twice, with the remainder of a BCH code. */
  #placeFormat(mask: number): void {
    const bits = formatOf(mask)
    const end = this.#size - 1
    for (let at = 0; at < 15; at++) {
      const dark = ((bits >> at) & 1) === 1
      // Beside the finder on the upper left, around its corner.
      if (at < 6) this.#fix(8, at, dark)
      else if (at < 8) this.#fix(8, at + 1, dark)
      else if (at === 8) this.#fix(7, 8, dark)
      else this.#fix(14 - at, 8, dark)
      // Below the upper right one, and beside the lower left one.
      if (at < 8) this.#fix(end - at, 8, dark)
      else this.#fix(8, end - 14 + at, dark)
    }
    this.#fix(8, end - 7, true)
  }

  #fix(x: number, y: number, dark: boolean): void {
    if (x < 0 || y < 0 || x >= this.#size || y >= this.#size) return
    this.#modules[y]![x] = dark
    this.#fixed[y]![x] = true
  }
}

/** Level M is 00. */
function formatOf(mask: number): number {
  let rest = mask << 10
  for (let bit = 14; bit >= 10; bit--) if ((rest >> bit) & 1) rest ^= 0b10100110111 << (bit - 10)
  return ((mask << 10) | rest) ^ 0b101010000010010
}

/** How hard a code is to read: the less, the better. */
function penaltyOf(code: QrCode): number {
  const size = code.length
  const columns = code[0]!.map((_, x) => code.map((row) => row[x]!))
  let penalty = 0
  for (const line of [...code, ...columns]) {
    const text = line.map(Number).join("")
    for (const [run] of text.matchAll(/0{5,}|1{5,}/g)) penalty += run.length - 2
    for (const looksLikeFinder of [/(?=10111010000)/g, /(?=00001011101)/g])
      penalty += 40 * [...text.matchAll(looksLikeFinder)].length
  }
  for (let y = 0; y + 1 < size; y++) {
    for (let x = 0; x + 1 < size; x++) {
      const dark = code[y]![x]
      if (code[y]![x + 1] === dark && code[y + 1]![x] === dark && code[y + 1]![x + 1] === dark) penalty += 3
    }
  }
  const share = code.flat().filter(Boolean).length / size ** 2
  return penalty + 10 * Math.floor(Math.abs(share - 0.5) * 20)
}
