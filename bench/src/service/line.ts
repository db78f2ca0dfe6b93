import { once } from "node:events"
import { encode } from "@conclave/codec"
import { ClientFrame, SUBPROTOCOL } from "@conclave/transport/parts"
import { WebSocket } from "ws"

/** As clients have it; what a reader has taken is granted again by halves. */
const CREDIT = 256 * 1024
const ITEM = 1

/**
 * One WebSocket of the protocol, as a client of the load: it does what a client has to, and decodes nothing that is not
 * asked for.
 */
export class Line {
  readonly #socket: WebSocket
  readonly #streams = new Map<number, (item: Buffer | undefined) => void>()
  #last = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.binaryType = "nodebuffer"
    socket.on("message", (frame: Buffer) => this.#receive(frame))
    socket.on("error", () => {})
    socket.on("close", () => {
      for (const take of this.#streams.values()) take(undefined)
      this.#streams.clear()
    })
  }

  /** To the service whose address is `url`. Rejects where the socket does not open. */
  static async open(url: URL): Promise<Line> {
    const address = new URL("socket", url)
    address.protocol = "ws:"
    const socket = new WebSocket(address, SUBPROTOCOL, { perMessageDeflate: false, maxPayload: 64 * 1024 * 1024 })
    const line = new Line(socket)
    await once(socket, "open")
    return line
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN
  }

  readonly ask = (body: Uint8Array): Promise<Uint8Array> =>
    new Promise((resolve, reject) => {
      this.#open(body, (item) => {
        if (item === undefined) reject(new Error("a line broke"))
        else resolve(item)
      })
    })

  /** As `ask`, without waiting: what became of it is seen by those that follow. */
  tell(body: Uint8Array): void {
    this.#open(body, () => {})
  }

  /** Calls `take` with each item for as long as the socket is open. */
  subscribe(body: Uint8Array, take: (item: Buffer) => void): void {
    let taken = 0
    const stream = this.#open(body, (item) => {
      if (item === undefined) return
      taken = this.#granted(stream, taken + item.length)
      take(item)
    })
  }

  readonly follow = async function* (this: Line, body: Uint8Array): AsyncGenerator<Uint8Array> {
    const items: (Buffer | undefined)[] = []
    let wake = () => {}
    let taken = 0
    const stream = this.#open(body, (item) => {
      items.push(item)
      wake()
    })
    try {
      for (;;) {
        while (items.length === 0) {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
        const item = items.shift()
        if (item === undefined) return
        taken = this.#granted(stream, taken + item.length)
        yield item
      }
    } finally {
      this.#streams.delete(stream)
      this.#send({ type: "cancel", stream })
    }
  }.bind(this)

  close(): void {
    this.#socket.terminate()
  }

  #open(body: Uint8Array, take: (item: Buffer | undefined) => void): number {
    const stream = ++this.#last
    this.#streams.set(stream, take)
    this.#send({ type: "open", stream, service: "delivery", credit: CREDIT, body })
    return stream
  }

  /** Returns what is not granted again yet. */
  #granted(stream: number, taken: number): number {
    if (taken < CREDIT / 2) return taken
    this.#send({ type: "credit", stream, bytes: taken })
    return 0
  }

  #send(frame: ClientFrame): void {
    if (this.isOpen) this.#socket.send(encode(ClientFrame, frame))
  }

  /** See ServerFrame. An item's bytes have their length before them in 1, 2 or 4 bytes (RFC 9420 §2.1.2). */
  #receive(frame: Buffer): void {
    const stream = frame.readUInt32BE(1)
    const take = this.#streams.get(stream)
    if (frame[0] === ITEM) {
      take?.(frame.subarray(5 + (1 << (frame[5]! >> 6))))
    } else {
      this.#streams.delete(stream)
      if (frame[0] !== END) take?.(undefined)
    }
  }
}

const END = 2

/** So many lines, `OPENING_MAX` at a time; each is given to `opened` at once. */
export async function openLines(
  url: URL,
  count: number,
  opened: (line: Line, index: number) => void = () => {},
): Promise<Line[]> {
  const lines: Line[] = []
  let next = 0
  const open = async () => {
    while (next < count) {
      const index = next++
      lines[index] = await Line.open(url)
      opened(lines[index], index)
    }
  }
  await Promise.all(Array.from({ length: OPENING_MAX }, open))
  return lines
}

/** What the system lets wait to be accepted. */
const OPENING_MAX = 200

/** Several lines as if they were one. */
export function together(lines: readonly Line[]) {
  let turn = 0
  const next = () => lines[turn++ % lines.length]!
  return {
    ask: (body: Uint8Array) => next().ask(body),
    tell: (body: Uint8Array) => next().tell(body),
    follow: (body: Uint8Array) => next().follow(body),
    close: () => {
      for (const line of lines) line.close()
    },
  }
}
