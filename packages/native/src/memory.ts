/**
 * V8 keeps arrays of up to 64 bytes in its own heap, and moves them out of it when a library asks for their address: that
 * takes longer than an HMAC. Copying them into memory that stays where it is takes a tenth of it.
 */
export const SMALL_MAX = 64

/**
 * Memory that short inputs and outputs of a call are kept in. It serves one call at a time, for no call suspends, and is
 * wiped after each: keys pass through it. It is handed out in places of 64 bytes, whose views are made once: making one takes
 * longer than filling it.
 */
export class KeptMemory {
  readonly #bytes = new Uint8Array(8192)
  /** By place, then by length. */
  readonly #views: (Uint8Array | undefined)[] = []
  #used = 0
  /** Longer inputs that were put together for this call. */
  #apart: Uint8Array | undefined

  /** The bytes where a library may read them: of short arrays and of shared memory a copy. */
  input(bytes: Uint8Array): Uint8Array {
    const { length } = bytes
    if (length > SMALL_MAX) {
      return bytes.buffer instanceof SharedArrayBuffer ? new Uint8Array(bytes) : bytes
    }
    // The library tells an empty array from one whose buffer is detached, and a Uint8Array from others.
    if (length === 0 || !(bytes instanceof Uint8Array)) return bytes
    const copy = this.#place(length)
    copy.set(bytes)
    return copy
  }

  /** The concatenation of `parts`. */
  joined(parts: readonly Uint8Array[]): Uint8Array {
    if (parts.length === 1) return this.input(parts[0]!)
    let length = 0
    for (const part of parts) length += part.length
    const joined = this.#room(length)
    let offset = 0
    for (const part of parts) {
      joined.set(part, offset)
      offset += part.length
    }
    return joined
  }

  /** Where a library may write so many bytes. */
  output(length: number): Uint8Array {
    return length > SMALL_MAX ? new Uint8Array(length) : this.#place(length)
  }

  /** Where a library may write so many bytes that are copied out one after the other: there is no {@link result} of them. */
  outputs(length: number): Uint8Array {
    return this.#room(length)
  }

  /** What was written to an {@link output}, in an array of its own. */
  result(output: Uint8Array): Uint8Array {
    return output.length > SMALL_MAX ? output : new Uint8Array(output)
  }

  wipe(): void {
    this.#bytes.fill(0, 0, this.#used)
    this.#used = 0
    if (this.#apart === undefined) return
    this.#apart.fill(0)
    this.#apart = undefined
  }

  /** At most {@link SMALL_MAX} bytes. */
  #place(length: number): Uint8Array {
    const start = this.#used
    this.#used = start + SMALL_MAX
    const view = (start / SMALL_MAX) * (SMALL_MAX + 1) + length
    this.#views[view] ??= this.#bytes.subarray(start, start + length)
    return this.#views[view]
  }

  #room(length: number): Uint8Array {
    if (length <= SMALL_MAX) return this.#place(length)
    const start = this.#used
    const end = start + length
    // What is taken after it needs its places.
    if (end > this.#bytes.length - ROOM_FOR_OTHERS) {
      this.#apart = new Uint8Array(length)
      return this.#apart
    }
    this.#used = Math.ceil(end / SMALL_MAX) * SMALL_MAX
    return this.#bytes.subarray(start, end)
  }
}

/** No call has more than sixteen short inputs and outputs. */
const ROOM_FOR_OTHERS = 16 * SMALL_MAX
