/** RFC 9420 §2.1.2: how many bytes the length of a vector takes. Throws `RangeError` from 2³⁰ on. */
export function varintSize(length: number): 1 | 2 | 4 {
  if (length < 0x40) return 1
  if (length < 0x4000) return 2
  if (length < 0x4000_0000) return 4
  throw new RangeError(`length ${length} does not fit in 30 bits`)
}

/** Appends numbers and bytes to an array that grows. */
export class Writer {
  #bytes: Uint8Array<ArrayBuffer>
  #view: DataView
  #length = 0

  /** `capacity`: bytes set aside at first. */
  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  // The place is made before anything of the writer is named: growing replaces its array, and an expression that
  // began with the old one would write into that.
  uint8(value: number): void {
    const at = this.#grow(1)
    this.#bytes[at] = inRange(value, 0xff)
  }

  uint16(value: number): void {
    const at = this.#grow(2)
    this.#view.setUint16(at, inRange(value, 0xffff))
  }

  uint32(value: number): void {
    const at = this.#grow(4)
    this.#view.setUint32(at, inRange(value, 0xffff_ffff))
  }

  uint64(value: bigint): void {
    if (value < 0n || value > 0xffff_ffff_ffff_ffffn) throw new RangeError(`${value} is not a uint64`)
    const at = this.#grow(8)
    this.#view.setBigUint64(at, value)
  }

  bytes(bytes: Uint8Array): void {
    const at = this.#grow(bytes.length)
    this.#bytes.set(bytes, at)
  }

  /** RFC 9420 §2.1.2: the shortest of one, two or four bytes. */
  varint(length: number): void {
    const size = varintSize(length)
    this.#putVarint(this.#grow(size), size, length)
  }

  /** Starts a vector whose length isn't known yet; most lengths fit in the one byte set aside. */
  beginVector(): number {
    return this.#grow(1)
  }

  endVector(start: number): void {
    const length = this.#length - start - 1
    const size = varintSize(length)
    if (size > 1) {
      this.#grow(size - 1)
      this.#bytes.copyWithin(start + size, start + 1, start + 1 + length)
    }
    this.#putVarint(start, size, length)
  }

  /** What was written, in an array of its own. The writer's own memory is overwritten and it is empty again. */
  finish(): Uint8Array {
    const written = this.#bytes.slice(0, this.#length)
    // What is encoded may be a secret.
    this.#bytes.fill(0, 0, this.#length)
    this.#length = 0
    return written
  }

  /** How many bytes have been written. */
  get length(): number {
    return this.#length
  }

  /** What was written from `start` to `end`. A view, valid until something else is written. */
  view(start = 0, end = this.#length): Uint8Array {
    return this.#bytes.subarray(start, end)
  }

  /** Sets `size` bytes aside, zeros. */
  zeros(size: number): void {
    this.#grow(size)
  }

  /** Forgets and overwrites what was written from `length` on. */
  truncate(length: number): void {
    this.#bytes.fill(0, length, this.#length)
    this.#length = length
  }

  /** Forgets and overwrites all that was written. */
  reset(): void {
    this.truncate(0)
  }

  get capacity(): number {
    return this.#bytes.length
  }

  #putVarint(at: number, size: number, length: number): void {
    if (size === 1) this.#bytes[at] = length
    else if (size === 2) this.#view.setUint16(at, length | 0x4000)
    else this.#view.setUint32(at, (length | 0x8000_0000) >>> 0)
  }

  #grow(size: number): number {
    const at = this.#length
    const length = at + size
    if (length > this.#bytes.length) {
      // After one long array most often come a few short fields, for which it is not copied once more.
      const grown = new Uint8Array(Math.max(length + (length >> 3), this.#bytes.length * 2))
      grown.set(this.#bytes)
      this.#bytes.fill(0)
      this.#bytes = grown
      this.#view = new DataView(grown.buffer)
    }
    this.#length = length
    return at
  }
}

function inRange(value: number, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max) throw new RangeError(`${value} is not within 0 and ${max}`)
  return value
}
