/** Choices from a source of bytes, the same for the same source. */
export class Dice {
  readonly bytes: (length: number) => Uint8Array

  constructor(bytes: (length: number) => Uint8Array) {
    this.bytes = bytes
  }

  /** A whole number below `limit`, which is at most 2³². */
  below(limit: number): number {
    const [number] = new Uint32Array(new Uint8Array(this.bytes(4)).buffer)
    return number! % limit
  }

  isOne(of: number): boolean {
    return this.below(of) === 0
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }

  /** A length: mostly short, at times around a block of a hash or a cipher, or long. */
  length(): number {
    const kind = this.below(10)
    if (kind < 6) return this.below(80)
    if (kind < 9) return Math.max(0, this.pick([55, 56, 64, 112, 128, 192, 256, 1024, 4096, 8192]) + this.below(5) - 2)
    return this.below(20_000)
  }

  text(): Uint8Array {
    return this.bytes(this.length())
  }

  /** Bytes of the size, or of one beside it, or all of one value. */
  around(size: number): Uint8Array {
    const kind = this.below(12)
    if (kind === 0) return this.bytes(this.pick([0, 1, size - 1, size + 1, 2 * size]))
    if (kind === 1) return new Uint8Array(size).fill(this.pick([0, 1, 0x7f, 0x80, 0xff]))
    return this.bytes(size)
  }

  /** A copy with some bits turned over, or cut, or lengthened; at times as it was. */
  mutated(original: Uint8Array): Uint8Array {
    const kind = this.below(8)
    if (kind === 0 || original.length === 0) return original
    if (kind === 1) return original.subarray(0, this.below(original.length))
    if (kind === 2) return new Uint8Array([...original, ...this.bytes(1 + this.below(3))])
    const copy = new Uint8Array(original)
    for (let i = this.below(3); i >= 0; i--) {
      const bit = this.below(8 * copy.length)
      copy[bit >> 3]! ^= 1 << (bit & 7)
    }
    return copy
  }
}
