import assert from "node:assert/strict"
import { once } from "node:events"
import { createConnection, createServer, type Socket } from "node:net"
import { type TestContext, test } from "node:test"
import { decode, encode } from "@conclave/codec"
import { nodeProvider } from "@conclave/crypto/node"
import type { Handler, Refusal, ReplaySafe } from "@conclave/transport"
import { Shares } from "@conclave/transport"
import {
  AddressTokens,
  KeyRing,
  MemoryStrikeRegister,
  Offer,
  SealedServer,
  type SealedServerOptions,
  SealedTransport,
} from "../../src/sealed/index.js"
import { readServerFrame } from "../../src/sealed/server-connection.js"
import { HEADER_SIZE } from "../../src/sealed/wire.js"

const provider = nodeProvider()
const harmless = (words: string) => new TextEncoder().encode(words) as ReplaySafe
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 300 && !holds(); i++) await pause(10)
}

/** Says something every 20 ms, for as long as somebody listens. */
function ticking() {
  const runs = { started: 0, ended: 0 }
  const handler: Handler = async function* (_, { signal }) {
    runs.started++
    try {
      for (let n = 0; !signal.aborted; n++) {
        yield new TextEncoder().encode(`tick ${n}`)
        await pause(20)
      }
    } finally {
      runs.ended++
    }
  }
  return { handler, runs }
}

/** A server, and a client whose connections lead through somebody who records what the client says. */
async function recorded(context: TestContext, options: Partial<SealedServerOptions>) {
  const refusals: Refusal[] = []
  const shares = new Shares({ onRefusal: (refusal) => refusals.push(refusal) })
  const server = new SealedServer({ provider, shares, handler: ticking().handler, ...options })
  const port = await server.listen({ port: 0, host: "127.0.0.1", policy: "off" })
  const flights: Buffer[] = []
  const relayed: Socket[] = []
  const relay = createServer((socket) => {
    const onward = createConnection({ port, host: "127.0.0.1" })
    relayed.push(onward)
    socket.once("data", (flight) => flights.push(flight))
    for (const end of [socket, onward]) end.on("error", () => end.destroy())
    socket.on("close", () => onward.destroy())
    onward.on("close", () => socket.destroy())
    socket.pipe(onward).pipe(socket)
  }).listen(0, "127.0.0.1")
  await once(relay, "listening")
  const offer = async () => {
    const made = decode(Offer, server.offer({ host: "127.0.0.1" }))
    return encode(Offer, { ...made, port: (relay.address() as { port: number }).port })
  }
  const client = new SealedTransport({ provider, service: offer, policy: "off" })
  context.after(async () => {
    await client[Symbol.asyncDispose]()
    relay.close()
    for (const socket of relayed) socket.destroy()
    await server[Symbol.asyncDispose]()
  })
  const subscribe = async () => {
    const stream = client.subscribe(harmless("news"), { replaySafe: true })[Symbol.asyncIterator]()
    await stream.next()
    return stream
  }
  return { server, port, client, flights, refusals, relayed, shares, subscribe }
}

/** Somebody who sends a flight again, from `localAddress`. */
function replay(port: number, flight: Uint8Array, localAddress: string) {
  const socket = createConnection({ port, host: "127.0.0.1", localAddress })
  const heard = { bytes: 0, closed: false, socket }
  socket.on("data", (part) => {
    heard.bytes += part.length
  })
  socket.on("error", () => {})
  socket.on("close", () => {
    heard.closed = true
  })
  socket.write(flight)
  return heard
}

test("a recorded subscription is not heard from another address: its copy is refused, and nothing follows", async (t) => {
  const { port, flights, subscribe } = await recorded(t, {})
  const stream = await subscribe()
  const thief = replay(port, flights[0]!, "127.0.3.1")
  await until(() => thief.closed)
  assert.equal(thief.closed, true)
  assert.equal(thief.bytes, 1 + 32 + 256, "hello and one refusal")
  assert.equal((await stream.next()).done, false)
  await stream.return!(undefined)
})

test("from the subscriber's own address a copy ends with the subscription", async (t) => {
  const { handler, runs } = ticking()
  const { port, flights, subscribe } = await recorded(t, { handler, executions: { raceMilliseconds: 150 } })
  const stream = await subscribe()
  const copy = replay(port, flights[0]!, "127.0.0.1")
  const third = replay(port, flights[0]!, "127.0.0.1")
  await until(() => copy.bytes > 1000 && third.closed)
  assert.ok(copy.bytes > 1000, "it hears along")
  assert.equal(third.closed, true, "a third is refused")
  await pause(200)
  await stream.return!(undefined)
  await until(() => copy.closed && runs.ended === 1)
  assert.deepEqual([copy.closed, runs], [true, { started: 1, ended: 1 }])
})

test("a copy takes the place of its subscription at once, as when the first connection is lost on the way", async (t) => {
  const { handler, runs } = ticking()
  const { port, flights, subscribe } = await recorded(t, { handler })
  const stream = await subscribe()
  const copy = replay(port, flights[0]!, "127.0.0.1")
  await until(() => copy.bytes > 600)
  await stream.return!(undefined)
  await pause(100)
  const before = copy.bytes
  await until(() => copy.bytes > before)
  assert.ok(copy.bytes > before)
  copy.socket.destroy()
  await until(() => runs.ended === 1)
  assert.deepEqual(runs, { started: 1, ended: 1 })
})

test("a recorded request gets the first answer again, and when that is gone a refusal; it runs once", async (t) => {
  let asked = 0
  const handler: Handler = async function* () {
    yield new Uint8Array(2000).fill(++asked)
  }
  const { port, client, flights } = await recorded(t, { handler, executions: { keptMilliseconds: 300 } })
  await client.request(harmless("read"), { replaySafe: true })
  const again = replay(port, flights[0]!, "127.0.3.1")
  await until(() => again.closed)
  assert.ok(again.bytes > 2000)
  await pause(350)
  await client.request(harmless("another"), { replaySafe: true })
  const late = replay(port, flights[0]!, "127.0.3.1")
  await until(() => late.closed)
  assert.equal(late.bytes, 1 + 32 + 256)
  assert.equal(asked, 2)
})

test("a network that spends its tokens leaves the others their fast path, at issue and in the table", () => {
  let now = 0
  const options = { provider, capacity: 640, lifetimeMilliseconds: 1000, now: () => now }
  const [one, other] = [new AddressTokens(options), new AddressTokens(options)]
  other.importKeys(one.exportKeys())
  assert.equal(one.issueMany("192.0.2.1", 8).length, 8)
  assert.equal(Array.from({ length: 20 }, () => one.issueMany("192.0.2.1", 8)).flat().length, 12, "20 to an address")
  assert.equal(
    Array.from({ length: 20 }, (_, i) => one.issueMany(`192.0.2.${i}`, 8)).flat().length,
    20,
    "40 to its network",
  )
  assert.throws(() => one.issue("192.0.2.77"), RangeError)
  const honest = one.issue("198.51.100.1")
  // Front ends that share keys do not share what they have issued: the table counts for itself.
  const spend = (tokens: readonly Uint8Array[], address: string) =>
    tokens.filter((token) => other.spend(token, address)).length
  const hoard = [...Array.from({ length: 5 }, (_, i) => one.issueMany(`198.51.100.${i + 2}`, 8)).flat()]
  assert.equal(spend(hoard, "198.51.100.9"), 20, "an address")
  assert.equal(other.spend(honest, "198.51.100.1"), true)
  now = 1000
  assert.equal(one.issueMany("192.0.2.1", 8).length, 8, "the next lifetime")
})

test("networks of IPv6 are counted by 48 bits too", () => {
  const tokens = new AddressTokens({ provider, capacity: 640 })
  const issued = Array.from({ length: 256 }, (_, i) => tokens.issueMany(`2001:db8:1:${i.toString(16)}00::1`, 8)).flat()
  assert.equal(issued.length, 40)
})

test("more flights of one requester than may be opened are cut, and another is answered", async (t) => {
  const flights = { peer: { perSecond: 1, burst: 3 }, network: { perSecond: 1, burst: 5 } }
  const { port, refusals, client } = await recorded(t, {
    flights,
    handler: async function* () {
      yield new Uint8Array(1)
    },
  })
  // To keys that there are not: those that are opened are told so.
  const flight = () => Buffer.concat([provider.random(HEADER_SIZE), Uint8Array.of(1, 0), provider.random(256)])
  const sent = Array.from({ length: 8 }, () => replay(port, flight(), "127.0.3.1"))
  await until(() => sent.every(({ closed }) => closed))
  assert.equal(refusals.filter(({ kind }) => kind === "flights").length, 5)
  assert.equal(sent.filter(({ bytes }) => bytes === 0).length, 5)
  assert.equal((await client.request(harmless("read"), { replaySafe: true })).length, 1)
})

test("connections of one requester leave the others theirs, and half flights have their time", async (t) => {
  const refusals: Refusal[] = []
  const limits = { connections: { peer: 3, network: 5, all: 100 } }
  const shares = new Shares({ limits, onRefusal: (refusal) => refusals.push(refusal) })
  const handler: Handler = async function* () {
    yield new Uint8Array(1)
  }
  const { port, client } = await recorded(t, { shares, handler, requestTimeoutMilliseconds: 200 })
  const half = Array.from({ length: 10 }, () => replay(port, provider.random(HEADER_SIZE), "127.0.3.1"))
  await until(() => half.filter(({ closed }) => closed).length === 7)
  assert.equal(refusals.filter(({ kind, level }) => kind === "connections" && level === "peer").length, 7)
  assert.equal((await client.request(harmless("read"), { replaySafe: true })).length, 1)
  await until(() => half.every(({ closed }) => closed))
  assert.equal(refusals.filter(({ kind }) => kind === "slow").length, 3)
  await until(() => shares.held("connections") === 0 && shares.held("received") === 0)
  assert.deepEqual([shares.held("connections"), shares.held("received")], [0, 0])
})

test("bytes of requests that one requester sends at a time are bounded, and one that is too much is cut", async (t) => {
  const refusals: Refusal[] = []
  const limits = { received: { peer: 50_000, network: 50_000, all: 1_000_000 } }
  const shares = new Shares({ limits, onRefusal: (refusal) => refusals.push(refusal) })
  const handler: Handler = async function* () {
    yield new Uint8Array(1)
  }
  const { client } = await recorded(t, { shares, handler })
  await assert.rejects(client.request(new Uint8Array(100_000)), { name: "TransportError" })
  assert.ok(refusals.some(({ kind, level }) => kind === "received" && level === "peer"))
  assert.equal((await client.request(new Uint8Array(10_000))).length, 1)
})

test("an answer that nobody reads is counted, and its connection cut in time", async (t) => {
  const handler: Handler = async function* () {
    for (;;) yield new Uint8Array(1024 * 1024)
  }
  const { relayed, shares, refusals, subscribe } = await recorded(t, { handler, unreadTimeoutMilliseconds: -63_800 })
  const stream = await subscribe()
  relayed[0]!.unpipe().pause()
  await until(() => refusals.some(({ kind }) => kind === "unread"))
  assert.ok(refusals.some(({ kind }) => kind === "unread"))
  await until(() => shares.held("unsent") === 0)
  assert.equal(shares.held("unsent"), 0)
  relayed[0]!.destroy()
  await assert.rejects(async () => {
    while (!(await stream.next()).done);
  })
})

test("whatever a client says after its request ends the connection", async (t) => {
  const { port, flights, subscribe } = await recorded(t, {})
  const stream = await subscribe()
  const copy = replay(port, flights[0]!, "127.0.0.1")
  await until(() => copy.bytes > 600)
  copy.socket.write("more")
  await until(() => copy.closed)
  assert.equal(copy.closed, true)
  await stream.return!(undefined)
})

test("a frame of the server is refused where its content is too long or its padding is not zero", () => {
  const frame = Uint8Array.of(2, 0, 3, 7, 8, 9, 0, 0)
  assert.deepEqual(readServerFrame(frame), { type: 2, content: Uint8Array.of(7, 8, 9) })
  for (const altered of [
    Uint8Array.of(2, 0, 6, 7, 8, 9, 0, 0),
    Uint8Array.of(2, 0, 3, 7, 8, 9, 0, 1),
    Uint8Array.of(2, 0),
  ]) {
    assert.throws(() => readServerFrame(altered), { name: "DecodeError" })
  }
})

test("keys of the day are wiped when their time has come, although nobody asks and the clock is set back", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] })
  let now = 1_000_000_000
  const ring = new KeyRing({ provider, now: () => now })
  const { id } = ring.publicKeys()[0]!
  const { privateKey } = ring.find(id)!
  now -= 86_400_000
  t.mock.timers.tick(2 * 86_400_000 + 59_000)
  assert.ok(privateKey.some((byte) => byte !== 0))
  t.mock.timers.tick(1000)
  assert.ok(privateKey.every((byte) => byte === 0))
  assert.equal(ring.find(id), undefined)
})

test("after a restart with the clock set back, flights of the former process stay undecided", () => {
  let now = 1_000_000_000
  const former = new KeyRing({ provider, now: () => now })
  const { id } = former.publicKeys()[0]!
  const stored = former.export()
  const flightTime = now + 30_000
  now -= 3_600_000
  const heir = new KeyRing({ provider, now: () => now })
  heir.import(stored)
  const register = new MemoryStrikeRegister({ now: () => now })
  now = flightTime
  assert.equal(register.strike(provider.random(16), flightTime, heir.find(id)!), "undecided")
  now += 3_600_000
  assert.equal(register.strike(provider.random(16), now, heir.find(id)!), "first")
})
