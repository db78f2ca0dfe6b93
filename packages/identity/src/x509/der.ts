import { demand } from "./faults.js"

/** One element of a DER encoding: `from` is the offset of its tag, `start` and `end` delimit its content. */
export interface Element {
  readonly tag: number
  readonly from: number
  readonly start: number
  readonly end: number
}

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  sequence: 0x30,
  set: 0x31,
} as const

/** X.690 §8.1.2.5: set in the tag of an element that contains elements. */
const CONSTRUCTED = 0x20
/** Certificates nest less than half as deep. */
const DEPTH_MAX = 24

/**
 * The element at `at`, which must end by `limit`. `undefined` unless its tag has one byte and its length is definite,
 * minimal and of at most three bytes (X.690 §10.1).
 */
export function element(der: Uint8Array, at: number, limit = der.length): Element | undefined {
  const [tag, first] = [der[at]!, der[at + 1]]
  if (first === undefined || (tag & 0x1f) === 0x1f) return undefined
  const lengthBytes = first < 0x80 ? 0 : first - 0x80
  if (lengthBytes > 3 || first === 0x80) return undefined
  let length = lengthBytes === 0 ? first : 0
  for (let i = 0; i < lengthBytes; i++) length = length * 256 + (der[at + 2 + i] ?? 0)
  if (lengthBytes > 0 && length < (lengthBytes === 1 ? 0x80 : 256 ** (lengthBytes - 1))) return undefined
  const start = at + 2 + lengthBytes
  return start + length <= limit ? { tag, from: at, start, end: start + length } : undefined
}

/** Whether the bytes are one element and all that it contains is well-formed, down to the primitive ones. */
export function isDer(der: Uint8Array): boolean {
  const whole = element(der, 0)
  return whole?.end === der.length && isWellFormed(der, whole, 0)
}

function isWellFormed(der: Uint8Array, parent: Element, depth: number): boolean {
  if ((parent.tag & CONSTRUCTED) === 0) return true
  if (depth === DEPTH_MAX) return false
  for (let at = parent.start; at < parent.end; ) {
    const child = element(der, at, parent.end)
    if (child === undefined || !isWellFormed(der, child, depth + 1)) return false
    at = child.end
  }
  return true
}

/**
 * The one element that `der` consists of, of the given tag.
 * @throws {Refusal} `malformed` for anything else.
 */
export function single(der: Uint8Array, tag: number): Element {
  const whole = element(der, 0)
  demand(whole?.tag === tag && whole.end === der.length, "malformed")
  return whole
}

/**
 * The elements that `parent` contains.
 * @throws {Refusal} `malformed` where its content is not a sequence of elements.
 */
export function children(der: Uint8Array, parent: Element): readonly Element[] {
  const found: Element[] = []
  for (let at = parent.start; at < parent.end; ) {
    const child = element(der, at, parent.end)
    demand(child !== undefined, "malformed")
    found.push(child)
    at = child.end
  }
  return found
}

export const contentOf = (der: Uint8Array, { start, end }: Element) => der.subarray(start, end)
export const encodingOf = (der: Uint8Array, { from, end }: Element) => der.subarray(from, end)

/** X.690 §8.3.2: an INTEGER's content, without a superfluous first byte. */
export function isMinimalInteger(content: Uint8Array): boolean {
  const [first, second] = content
  if (first === undefined) return false
  return second === undefined || !((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))
}

/** Lower-case hexadecimal digits: object identifiers and algorithms are told apart by their encoding. */
export function hex(bytes: Uint8Array): string {
  let digits = ""
  for (const byte of bytes) digits += byte.toString(16).padStart(2, "0")
  return digits
}

/** For public bytes: the time tells where they differ. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
