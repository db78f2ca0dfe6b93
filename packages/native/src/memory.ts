/**
 * V8 keeps arrays of up to 64 bytes in its own heap, and moves them out of it when a library asks for their address: that
 * takes longer than an HMAC. Copying them into memory that stays where it is takes a tenth of it.
 */
const SMALL_MAX = 64

/**
 * Memory that short inputs and outputs of a call are kept in. It serves one call at a time, for no call suspends, and is
 * wiped after each: keys pass through it.
 */
export class KeptMemory {
  readonly #bytes = new Uint8Array(8192)
  #used = 0
  /** Longer inputs that were put together for this call. */
  #apart: Uint8Array | undefined

  /** The bytes where a library may read them: of short arrays and of shared memory a copy. */
  input(bytes: Uint8Array): Uint8Array {
    if (bytes.length > SMALL_MAX) {
      return bytes.buffer instanceof SharedArrayBuffer ? new Uint8Array(bytes) : bytes
    }
    // The library tells an empty array from one whose buffer is detached, and a Uint8Array from others.
    if (bytes.length === 0 || !(bytes instanceof Uint8Array)) return bytes
    const copy = this.#take(bytes.length)
    copy.set(bytes)
    return copy
  }

  /** The concatenation of `parts`. */
  joined(parts: readonly Uint8Array[]): Uint8Array {
    if (parts.length === 1) return this.input(parts[0]!)
    let length = 0
    for (const part of parts) length += part.length
    const joined = this.#used + length <= this.#bytes.length ? this.#take(length) : new Uint8Array(length)
    if (joined.buffer !== this.#bytes.buffer) this.#apart = joined
    let offset = 0
    for (const part of parts) {
      joined.set(part, offset)
      offset += part.length
    }
    return joined
  }

  /** Where a library may write so many bytes. */
  output(length: number): Uint8Array {
    return length > SMALL_MAX ? new Uint8Array(length) : this.#take(length)
  }

  /** What was written to an output, in an array of its own. */
  result(output: Uint8Array): Uint8Array {
    return output.buffer === this.#bytes.buffer ? new Uint8Array(output) : output
  }

  wipe(): void {
    this.#bytes.fill(0, 0, this.#used)
    this.#used = 0
    this.#apart?.fill(0)
    this.#apart = undefined
  }

  #take(length: number): Uint8Array {
    const start = this.#used
    this.#used += length
    return this.#bytes.subarray(start, this.#used)
  }
}
