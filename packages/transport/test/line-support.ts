import { once } from "node:events"
import { connect, createServer, type Server, type Socket } from "node:net"
import type { Timers } from "../src/index.js"

/** Turns of the event loop, in which all that is on its way over loopback arrives: both ends and the proxy are here. */
const SETTLING_TURNS = 100

async function settled(): Promise<void> {
  for (let turn = 0; turn < SETTLING_TURNS; turn++) {
    await new Promise((resolve) => (turn % 20 === 0 ? setTimeout(resolve, 2) : setImmediate(resolve)))
  }
}

/** Clocks that go on when they are told to, while sockets are real. */
export class TestTimers implements Timers {
  readonly #due = new Map<object, { readonly at: number; readonly callback: () => void }>()
  readonly #grain: number
  #elapsed = 0
  #slept = 0

  /** `grain`: timers fire at whole multiples of it only, as those of a hidden page do. */
  constructor(grain = 1) {
    this.#grain = grain
  }

  after(milliseconds: number, callback: () => void): () => void {
    const key = {}
    const at = Math.ceil((this.#elapsed + milliseconds) / this.#grain) * this.#grain
    this.#due.set(key, { at: at > this.#elapsed ? at : this.#elapsed + this.#grain, callback })
    return () => this.#due.delete(key)
  }

  elapsed(): number {
    return this.#elapsed
  }

  now(): number {
    return 1_800_000_000_000 + this.#elapsed + this.#slept
  }

  /** The machine sleeps: only one of the clocks goes on, and no timer fires. */
  sleep(milliseconds: number): void {
    this.#slept += milliseconds
  }

  /** The process stands still: both clocks go on, and no timer fires. */
  stall(milliseconds: number): void {
    this.#elapsed += milliseconds
  }

  /** Lets time pass, until `isOver` where it is given. Returns how much did. */
  async pass(milliseconds: number, isOver: () => boolean = () => false): Promise<number> {
    const begun = this.#elapsed
    const until = begun + milliseconds
    await settled()
    while (!isOver() && this.#fire(until)) await settled()
    if (!isOver()) this.#elapsed = until
    return this.#elapsed - begun
  }

  /** Lets time pass in which timers fire and nothing is read. */
  rush(milliseconds: number): void {
    const until = this.#elapsed + milliseconds
    while (this.#fire(until));
    this.#elapsed = until
  }

  /** The next timer, unless it is due later than `until`. */
  #fire(until: number): boolean {
    const next = [...this.#due].sort(([, a], [, b]) => a.at - b.at)[0]
    if (next === undefined || next[1].at > until) return false
    const [key, { at, callback }] = next
    this.#due.delete(key)
    this.#elapsed = Math.max(this.#elapsed, at)
    callback()
    return true
  }
}

/** Passes TCP connections on to a port, until it drops what comes, in both directions, and closes nothing. */
export class DroppingProxy implements AsyncDisposable {
  /** Nothing gets through on those that come. */
  dropsNew = false
  connections = 0
  /** Pieces that came from the server. */
  heard = 0
  /** Closes a connection on which nothing has come from the server for so long. */
  cuts: { readonly timers: Timers; readonly after: number } | undefined
  readonly #sockets = new Set<Socket>()
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async open(port: number): Promise<DroppingProxy> {
    // Otherwise TCP itself holds small packets back for 40 ms.
    const server = createServer({ noDelay: true })
    const proxy = new DroppingProxy(server)
    server.on("connection", (near) => proxy.#pass(near, connect({ port, host: "localhost", noDelay: true })))
    server.listen(0, "localhost")
    await once(server, "listening")
    return proxy
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  /** From here on the connections that there are carry nothing; further ones do. */
  dropOld(): void {
    for (const socket of this.#sockets) socket.removeAllListeners("data").resume()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #pass(near: Socket, far: Socket): void {
    this.connections++
    if (this.dropsNew) {
      this.#keep(near)
      far.destroy()
      near.resume()
      return
    }
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#keep(from)
      let cancel = () => {}
      from.on("data", (chunk: Buffer) => {
        to.write(chunk)
        if (from === far) this.heard++
        if (from !== far || this.cuts === undefined) return
        cancel()
        cancel = this.cuts.timers.after(this.cuts.after, () => this.cuts && near.destroy())
      })
      from.on("close", () => to.destroy())
    }
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on("error", () => {})
    socket.on("close", () => this.#sockets.delete(socket))
  }
}
