import type { Socket } from "node:net"

/** Reading stops when this much waits to be taken, so that a fast peer cannot fill the memory. */
const WAITING_MAX = 65_536

/** The peer has ended or broken the line, in the middle of something or not. */
export class LineBroken extends Error {
  override readonly name = "LineBroken"
}

/**
 * Closes with a reset, so that the kernel forgets the connection at once. A socket whose end is already on its way is
 * only destroyed: Node would fail to reset it, and never close it.
 */
export function abortSocket(socket: Socket): void {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}

/** Bytes of a socket in the amounts that a protocol asks for. One read at a time. */
export class SocketReader {
  readonly #socket: Socket
  #chunks: Buffer[] = []
  #waiting = 0
  #wanted: { readonly length: number; resolve(bytes: Buffer): void; reject(error: Error): void } | undefined
  /** Why nothing more will come: an error is made of it only when somebody asks. */
  #end: { readonly reason: string; readonly cause?: unknown } | undefined
  #complete = false
  readonly #mayTake: (bytes: number) => boolean

  /** `mayTake` is asked for each piece that arrives; where it says no, the connection is aborted. */
  constructor(socket: Socket, mayTake: (bytes: number) => boolean = () => true) {
    this.#socket = socket
    this.#mayTake = mayTake
    socket.on("data", (chunk: Buffer) => this.#take(chunk))
    socket.once("end", () => this.#finish({ reason: "the peer ended the connection" }))
    socket.once("error", (cause) => this.#finish({ reason: "the connection broke", cause }))
    socket.once("close", () => this.#finish({ reason: "the connection is closed" }))
  }

  /** Resolves when there is something to read. Rejects with {@link LineBroken}. */
  async something(): Promise<void> {
    this.#putBack(await this.read(1))
  }

  /** What has arrived and was not read, up to `length` bytes; it stays to be read. */
  peek(length: number): Buffer {
    return Buffer.concat(this.#chunks, this.#waiting).subarray(0, length)
  }

  /** Exactly `length` bytes. Rejects with {@link LineBroken}. */
  read(length: number): Promise<Buffer> {
    if (this.#waiting >= length) return Promise.resolve(this.#remove(length))
    if (this.#end) return Promise.reject(lineBroken(this.#end))
    this.#socket.resume()
    return new Promise((resolve, reject) => {
      this.#wanted = { length, resolve, reject }
    })
  }

  /** From now on, whatever still comes aborts the connection: the peer has said all that it may. */
  complete(): void {
    this.#complete = true
    this.#socket.resume()
    if (this.#waiting > 0) abortSocket(this.#socket)
  }

  #putBack(bytes: Buffer): void {
    this.#chunks.unshift(bytes)
    this.#waiting += bytes.length
  }

  #take(chunk: Buffer): void {
    if (this.#complete || !this.#mayTake(chunk.length)) {
      abortSocket(this.#socket)
      return
    }
    this.#chunks.push(chunk)
    this.#waiting += chunk.length
    const wanted = this.#wanted
    if (wanted && this.#waiting >= wanted.length) {
      this.#wanted = undefined
      wanted.resolve(this.#remove(wanted.length))
    }
    if (this.#waiting > WAITING_MAX) this.#socket.pause()
  }

  #remove(length: number): Buffer {
    if (this.#waiting > WAITING_MAX && this.#waiting - length <= WAITING_MAX) this.#socket.resume()
    this.#waiting -= length
    const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    this.#chunks = all.length > length ? [all.subarray(length)] : []
    return all.subarray(0, length)
  }

  #finish(end: { readonly reason: string; readonly cause?: unknown }): void {
    this.#end ??= end
    this.#wanted?.reject(lineBroken(this.#end))
    this.#wanted = undefined
  }
}

function lineBroken({ reason, cause }: { readonly reason: string; readonly cause?: unknown }): LineBroken {
  return new LineBroken(reason, cause === undefined ? undefined : { cause })
}
