/** The file is not a capture, or stops being one. Packets before that were already yielded. */
export class CaptureError extends Error {
  override readonly name = "CaptureError"
  readonly offset: number

  constructor(message: string, offset: number) {
    super(`${message} (at byte ${offset})`)
    this.offset = offset
  }
}

/** Integers of a capture file, in the byte order of the machine that wrote it. */
export interface Endian {
  uint16(bytes: Buffer, at: number): number
  uint32(bytes: Buffer, at: number): number
  int64(bytes: Buffer, at: number): bigint
}

export const littleEndian: Endian = {
  uint16: (bytes, at) => bytes.readUInt16LE(at),
  uint32: (bytes, at) => bytes.readUInt32LE(at),
  int64: (bytes, at) => bytes.readBigInt64LE(at),
}

export const bigEndian: Endian = {
  uint16: (bytes, at) => bytes.readUInt16BE(at),
  uint32: (bytes, at) => bytes.readUInt32BE(at),
  int64: (bytes, at) => bytes.readBigInt64BE(at),
}

/** Bytes of a file in the lengths that are asked for. Holds one chunk of the source and what was asked for. */
export class ByteStream {
  readonly #chunks: AsyncIterator<Uint8Array>
  #rest: Buffer = Buffer.alloc(0)
  offset = 0

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]()
  }

  /**
   * `undefined` at the end of the stream.
   *
   * @throws {CaptureError} when the stream ends inside the `length` bytes.
   */
  async read(length: number): Promise<Buffer | undefined> {
    const pieces: Buffer[] = []
    let missing = length
    while (missing > this.#rest.length) {
      pieces.push(this.#rest)
      missing -= this.#rest.length
      if (!(await this.#refill())) {
        if (missing === length) return undefined
        throw this.#cutOff()
      }
    }
    pieces.push(this.#take(missing))
    this.offset += length
    return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)
  }

  /** @throws {CaptureError} when fewer than `length` bytes are left. */
  async readExactly(length: number): Promise<Buffer> {
    if (length === 0) return Buffer.alloc(0)
    const bytes = await this.read(length)
    if (bytes === undefined) throw this.#cutOff()
    return bytes
  }

  /**
   * Passes over `length` bytes without keeping them.
   *
   * @throws {CaptureError} when fewer are left.
   */
  async skip(length: number): Promise<void> {
    let missing = length
    while (missing > this.#rest.length) {
      missing -= this.#rest.length
      if (!(await this.#refill())) throw this.#cutOff()
    }
    this.#take(missing)
    this.offset += length
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length)
    this.#rest = this.#rest.subarray(length)
    return taken
  }

  /** Replaces the rest, which the caller has used, by the next chunk. */
  async #refill(): Promise<boolean> {
    const next = await this.#chunks.next()
    this.#rest = next.done ? Buffer.alloc(0) : Buffer.from(next.value.buffer, next.value.byteOffset, next.value.length)
    return !next.done
  }

  #cutOff(): CaptureError {
    return new CaptureError("the capture was cut off", this.offset)
  }
}
