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
  readonly #view: DataView
  #offset = 0
  #end: number

  constructor(bytes: Uint8Array, registries: Registries = {}) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
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
    return this.#view.getUint16(this.#take(2))
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4))
  }

  uint64(): bigint {
    return this.#view.getBigUint64(this.#take(8))
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

  #take(size: number): number {
    const at = this.#offset
    if (size > this.#end - at) throw this.error(`need ${size} bytes, have ${this.#end - at}`)
    this.#offset = at + size
    return at
  }
}
