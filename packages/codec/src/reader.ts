import { DecodeError } from "./errors.js"
import { varintSize } from "./writer.js"

/**
 * Codecs for values of an open registry that the declarations do not know: by the enumeration's name, then by number.
 * A body without a length of its own can be read only by somebody who knows its shape.
 */
export type Registries = Readonly<Record<string, ReadonlyMap<number, { read(reader: Reader): unknown }>>>

/** Reads numbers and bytes from the front of an array that it does not copy. */
export class Reader {
  readonly registries: Registries
  readonly #bytes: Uint8Array
  #offset = 0
  #end: number

  constructor(bytes: Uint8Array, registries: Registries = {}) {
    this.#bytes = bytes
    this.#end = bytes.length
    this.registries = registries
  }

  get offset(): number {
    return this.#offset
  }

  /** Bytes left before the end, or before the end of the vector that is being read. */
  get remaining(): number {
    return this.#end - this.#offset
  }

  uint8(): number {
    return this.#bytes[this.#take(1)]!
  }

  uint16(): number {
    const at = this.#take(2)
    return (this.#bytes[at]! << 8) | this.#bytes[at + 1]!
  }

  uint32(): number {
    const at = this.#take(4)
    return this.#uint32At(at)
  }

  uint64(): bigint {
    const at = this.#take(8)
    const high = this.#uint32At(at)
    const low = this.#uint32At(at + 4)
    // Nearly all numbers of 64 bits are small, and one BigInt is made in a third of the time of three.
    return high < 0x20_0000 ? BigInt(high * 0x1_0000_0000 + low) : (BigInt(high) << 32n) | BigInt(low)
  }

  /** A view of the next `size` bytes. */
  bytes(size: number): Uint8Array {
    const at = this.#take(size)
    return this.#bytes.subarray(at, at + size)
  }

  /**
   * A number that stands for the vector that is next, or `undefined` where it is longer than six bytes or not all
   * there. Nothing is read.
   */
  nextShortVector(): number | undefined {
    const length = this.#bytes[this.#offset]
    if (length === undefined || length > 6 || length >= this.remaining) return undefined
    let name = length
    for (let i = 1; i <= length; i++) name = name * 256 + this.#bytes[this.#offset + i]!
    return name
  }

  skip(size: number): void {
    this.#take(size)
  }

  /** Reading goes on at `offset`, to the end of the array. */
  seek(offset: number): void {
    this.#offset = offset
    this.#end = this.#bytes.length
  }

  /** A view of what has been read since `offset`. */
  since(offset: number): Uint8Array {
    return this.#bytes.subarray(offset, this.#offset)
  }

  /** RFC 9420 §2.1.2: a length of at most 30 bits; anything longer than its shortest encoding is malformed. */
  varint(): number {
    const first = this.uint8()
    const prefix = first >> 6
    if (prefix === 0) return first
    if (prefix === 3) throw this.error("invalid length prefix")
    let length = first & 0x3f
    for (let i = (1 << prefix) - 1; i > 0; i--) length = length * 256 + this.uint8()
    if (varintSize(length) !== 1 << prefix) throw this.error("length is not minimally encoded")
    return length
  }

  /** Confines reading to the next `size` bytes until {@link leave} is given the bound that this returns. */
  enter(size: number): number {
    const outer = this.#end
    if (size > this.remaining) throw this.error(`need ${size} bytes, have ${this.remaining}`)
    this.#end = this.#offset + size
    return outer
  }

  leave(outer: number): void {
    this.#end = outer
  }

  error(reason: string): DecodeError {
    return new DecodeError(reason, this.#offset)
  }

  #uint32At(at: number): number {
    const bytes = this.#bytes
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  }

  #take(size: number): number {
    const at = this.#offset
    if (size > this.#end - at) throw this.error(`need ${size} bytes, have ${this.#end - at}`)
    this.#offset = at + size
    return at
  }
}
