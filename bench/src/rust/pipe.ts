import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"

/** The longest answer that is read. */
const FRAME_SIZE_MAX = 2 ** 28
const LENGTH_SIZE = 4

export interface Answer {
  /** What passed inside the library. */
  readonly milliseconds: number
  readonly fields: readonly Uint8Array[]
}

interface Waiting {
  resolve(answer: Answer): void
  reject(error: Error): void
}

/**
 * A program that answers requests over its standard input and output, one after the other; `bench/rust/src/pipe.rs` says
 * how. What it writes to standard error is shown.
 */
export class Pipe {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #waiting: Waiting[] = []
  #received: Buffer = Buffer.alloc(0)
  /** What came after it. */
  readonly #pieces: Buffer[] = []
  /** Bytes in both. */
  #available = 0
  #wanted = LENGTH_SIZE
  #ended: Error | undefined

  constructor(program: string, words: readonly string[]) {
    this.#child = spawn(program, words)
    this.#child.stderr.pipe(process.stderr)
    this.#child.stdout.on("data", (bytes: Buffer) => this.#receive(bytes))
    this.#child.stdin.on("error", (error) => this.#end(error))
    this.#child.on("error", (error) => this.#end(error))
    this.#child.on("close", (code, signal) => this.#end(new Error(`the program ended with ${code ?? signal}`)))
  }

  /** @throws Error for what the library refuses, and when the program has ended. */
  ask(operation: string, ...fields: readonly Uint8Array[]): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended)
        return
      }
      this.#waiting.push({ resolve, reject })
      this.#child.stdin.write(frameOf([new TextEncoder().encode(operation), ...fields]))
    })
  }

  close(): void {
    this.#child.stdin.end()
  }

  #receive(bytes: Buffer): void {
    this.#pieces.push(bytes)
    this.#available += bytes.length
    try {
      for (let frame = this.#nextFrame(); frame !== undefined; frame = this.#nextFrame()) this.#answer(frame)
    } catch (error) {
      this.#child.kill()
      this.#end(error as Error)
    }
  }

  /** Copied together only when it is complete: a long one comes in pieces of 64 KiB. */
  #nextFrame(): Buffer | undefined {
    if (this.#available < this.#wanted) return undefined
    this.#received = Buffer.concat([this.#received, ...this.#pieces.splice(0)])
    const length = this.#received.readUInt32BE(0)
    if (length > FRAME_SIZE_MAX) throw new RangeError("an answer is too long")
    this.#wanted = LENGTH_SIZE + length
    if (this.#available < this.#wanted) return undefined
    const frame = this.#received.subarray(LENGTH_SIZE, this.#wanted)
    this.#received = this.#received.subarray(this.#wanted)
    this.#available -= this.#wanted
    this.#wanted = LENGTH_SIZE
    return frame
  }

  #answer(frame: Buffer): void {
    const isError = frame[0] === 1
    const milliseconds = isError ? 0 : Number(frame.readBigUInt64BE(1)) / 1e6
    const fields = fieldsOf(frame.subarray(isError ? 1 : 9))
    const waiting = this.#waiting.shift()
    if (waiting === undefined) throw new RangeError("an answer without a request")
    if (isError) waiting.reject(new Error(new TextDecoder().decode(fields[0])))
    else waiting.resolve({ milliseconds, fields })
  }

  #end(error: Error): void {
    this.#ended ??= error
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ended)
  }
}

function frameOf(fields: readonly Uint8Array[]): Buffer {
  const size = fields.reduce((sum, { length }) => sum + 4 + length, 0)
  const frame = Buffer.alloc(4 + size)
  frame.writeUInt32BE(size)
  let at = 4
  for (const field of fields) {
    frame.writeUInt32BE(field.length, at)
    frame.set(field, at + 4)
    at += 4 + field.length
  }
  return frame
}

function fieldsOf(frame: Buffer): Uint8Array[] {
  const fields: Uint8Array[] = []
  for (let at = 0; at < frame.length; ) {
    const end = at + 4 + frame.readUInt32BE(at)
    if (end > frame.length) throw new RangeError("an answer is cut off")
    fields.push(new Uint8Array(frame.subarray(at + 4, end)))
    at = end
  }
  return fields
}
