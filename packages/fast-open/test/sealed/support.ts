import { createHash } from "node:crypto"
import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import type { TestContext } from "node:test"
import { decode, encode } from "@conclave/codec"
import { nodeProvider } from "@conclave/crypto/node"
import { sealFlight } from "../../src/sealed/client-connection.js"
import { Offer, type StrikeEntry, type StrikeOutcome, type StrikeStore } from "../../src/sealed/index.js"
import { Suite } from "../../src/sealed/session.js"
import { type DayKey, Kind } from "../../src/sealed/wire.js"

export const provider = nodeProvider()
export const suite = new Suite(provider)
export const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** A first flight of a request, as it can be recorded. */
export function flight(
  key: DayKey,
  body: Uint8Array,
  { time = Date.now(), requestId = provider.random(16) }: { time?: number; requestId?: Uint8Array } = {},
): Uint8Array {
  const opening = { kind: Kind.request, tokensWanted: 0, requestId, time: BigInt(time), bodyLength: body.length }
  const sender = suite.startFlight(key.publicKey, provider.random(32))
  return sealFlight(suite, { key, token: undefined, opening, body }, sender).bytes
}

/** Sends it over a connection of its own, and hears the server out: a client that hangs up has no need of an answer. */
export async function send(port: number, bytes: Uint8Array): Promise<Buffer> {
  const socket = connect({ port, host: "127.0.0.1" })
  const heard: Buffer[] = []
  const told = new Promise<void>((resolve) => {
    socket.on("data", (part) => {
      heard.push(part)
      resolve()
    })
    socket.once("close", () => resolve())
  })
  socket.on("error", () => {})
  socket.write(bytes)
  await told
  socket.destroy()
  return Buffer.concat(heard)
}

/** The offer of a gateway that is reached at another port. */
export function offerAt(port: number, offer: Uint8Array): Uint8Array {
  return encode(Offer, { ...decode(Offer, offer), port })
}

/** One address before several gateways: `next` says which of them gets a connection. */
export async function balancer(test: TestContext, ports: readonly number[], next: () => number): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect({ port: ports[next()]!, host: "127.0.0.1", noDelay: true })
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on("error", () => {})
      from.on("close", () => to.destroy())
      from.pipe(to)
    }
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  test.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** A store in the memory of the test, which several registers share, and which takes its time when it is told to. */
export class TestStore implements StrikeStore {
  readonly entered = new Map<string, string>()
  /** Enters come to rest before they have any effect, and again before they are answered. */
  before: () => Promise<unknown> = async () => {}
  after: () => Promise<unknown> = async () => {}
  calls = 0

  async enter(entries: readonly StrikeEntry[], claim: Uint8Array) {
    this.calls++
    await this.before()
    const gateway = nameOf(claim)
    const outcomes = entries.map(({ digest, time }): StrikeOutcome => {
      if (time !== undefined && Math.abs(time - Date.now()) > 10_000) return "outside"
      const present = this.entered.get(nameOf(digest))
      if (present !== undefined) return present === gateway ? "ours" : "theirs"
      this.entered.set(nameOf(digest), gateway)
      return "entered"
    })
    await this.after()
    return { outcomes, now: Date.now() }
  }

  async sweep() {}
}

const nameOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")
