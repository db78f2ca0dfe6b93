import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { compareCode, scannableText } from "../src/profile/codes.js"
import { codewordsOf } from "../src/qr/codewords.js"
import { type QrCode, qrCode } from "../src/qr/qr-code.js"

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

/** What a reader of version 1 to 6 and level M finds, and which modules of the code say it. Nothing is corrected. */
function read(code: QrCode): string {
  const size = code.length
  const at = (x: number, y: number) => Number(code[y]![x])
  const isPattern = (x: number, y: number) =>
    x === 6 ||
    y === 6 ||
    (x < 9 && y < 9) ||
    (x >= size - 8 && y < 9) ||
    (x < 9 && y >= size - 8) ||
    (size > 21 && Math.abs(x - (size - 7)) <= 2 && Math.abs(y - (size - 7)) <= 2)
  const format = [0, 1, 2, 3, 4, 5, 7, 8].map((y) => at(8, y)).concat([7, 5, 4, 3, 2, 1, 0].map((x) => at(x, 8)))
  const again = [1, 2, 3, 4, 5, 6, 7, 8]
    .map((back) => at(size - back, 8))
    .concat([7, 6, 5, 4, 3, 2, 1].map((back) => at(8, size - back)))
  assert.deepEqual(format, again, "the format is there twice")
  const bits = format.reduce((all, bit, place) => all | (bit << place), 0) ^ 0x5412
  assert.equal(bits >> 13, 0, "level M")
  const mask = (bits >> 10) & 7
  const isTurned = (x: number, y: number) =>
    [
      (x + y) % 2,
      y % 2,
      x % 3,
      (x + y) % 3,
      (((x / 3) | 0) + ((y / 2) | 0)) & 1,
      ((x * y) % 2) + ((x * y) % 3),
      (((x * y) % 2) + ((x * y) % 3)) % 2,
      (((x + y) % 2) + ((x * y) % 3)) % 2,
    ][mask] === 0
  const found: number[] = []
  let isUpwards = true
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right--
    for (let step = 0; step < size; step++) {
      const y = isUpwards ? size - 1 - step : step
      for (const x of [right, right - 1]) if (!isPattern(x, y)) found.push(at(x, y) ^ Number(isTurned(x, y)))
    }
    isUpwards = !isUpwards
  }
  const [blocks, data] = (
    [
      [1, 16],
      [1, 28],
      [1, 44],
      [2, 32],
      [2, 43],
      [4, 27],
    ] as const
  )[(size - 21) / 4]!
  const codewords = Array.from({ length: blocks * data }, (_, n) => found.slice(8 * n, 8 * n + 8).join(""))
  const ordered = Array.from({ length: blocks }, (_, block) => codewords.filter((_, n) => n % blocks === block)).flat()
  const text = ordered.join("")
  assert.equal(text.slice(0, 4), "0010", "alphanumeric")
  let [length, from, said] = [Number.parseInt(text.slice(4, 13), 2), 13, ""]
  for (; length > 1; length -= 2, from += 11) {
    const pair = Number.parseInt(text.slice(from, from + 11), 2)
    said += ALPHABET[Math.floor(pair / 45)]! + ALPHABET[pair % 45]!
  }
  return length === 1 ? said + ALPHABET[Number.parseInt(text.slice(from, from + 6), 2)]! : said
}

describe("a QR code", () => {
  it("has the codewords of the literature's example, with their error correction", () => {
    assert.deepEqual(codewordsOf("HELLO WORLD"), {
      version: 1,
      codewords: [
        ...[32, 91, 11, 120, 209, 114, 220, 77, 67, 64, 236, 17, 236, 17, 236, 17],
        ...[196, 35, 39, 119, 235, 215, 231, 226, 93, 23],
      ],
    })
  })

  it("is read back, whatever its length: all versions, all blocks", () => {
    const sizes = new Set<number>()
    for (let length = 1; length <= 154; length++) {
      const text = Array.from({ length }, (_, at) => ALPHABET[(at * 7 + length) % 45]).join("")
      const code = qrCode(text)
      sizes.add(code.length)
      assert.equal(read(code), text)
    }
    assert.deepEqual([...sizes], [21, 25, 29, 33, 37, 41])
  })

  it("is refused for what it cannot hold", () => {
    assert.throws(() => qrCode("0".repeat(155)), RangeError)
    assert.throws(() => qrCode("small letters"), RangeError)
  })
})

describe("what was scanned or typed", () => {
  const code = Array.from({ length: 12 }, (_, at) => String(at * 1111 + 10_000)).join(" ")
  const safety = { kind: "SAFETY", code } as const

  it("is compared with the digits, however they are grouped", () => {
    assert.equal(scannableText("SAFETY", "00001 22222"), "CONCLAVE:SAFETY:1:0000122222")
    assert.equal(read(qrCode(scannableText("SAFETY", code))), scannableText("SAFETY", code))
    assert.equal(compareCode(scannableText("SAFETY", code), safety), "match")
    assert.equal(compareCode(` ${code}\n`, safety), "match")
    assert.equal(compareCode(code.replaceAll(" ", ""), safety), "match")
    assert.equal(compareCode(code.replace("1", "2"), safety), "mismatch")
  })

  it("is no match for something else: another kind, another length, another site", () => {
    assert.equal(compareCode(scannableText("DEVICE", code), safety), "notACode")
    assert.equal(compareCode("https://example.org/", safety), "notACode")
    assert.equal(compareCode("", safety), "notACode")
    assert.equal(compareCode(code.slice(0, 35), safety), "wrongLength")
    assert.equal(compareCode(`${code} 12345`, safety), "wrongLength")
  })
})
