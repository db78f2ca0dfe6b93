import assert from "node:assert/strict"
import { once } from "node:events"
import { type AddressInfo, createConnection, createServer, type Socket } from "node:net"
import { type TestContext, test } from "node:test"
import { decode } from "@conclave/codec"
import { nodeProvider } from "@conclave/crypto/node"
import { type Handler, type Refusal, Shares } from "@conclave/transport"
import { ClientConnection, sealFlight } from "../../src/sealed/client-connection.js"
import { KeyRing, Offer, SealedServer, type SealedServerOptions } from "../../src/sealed/index.js"
import { type OpeningFields, openingFrames } from "../../src/sealed/opening.js"
import { serveConnection } from "../../src/sealed/server-connection.js"
import { Suite } from "../../src/sealed/session.js"
import { LineBroken, SocketReader } from "../../src/sealed/socket-reader.js"
import {
  type DayKey,
  FIRST_FRAME_SIZE_MAX,
  FrameType,
  frameBytes,
  HEADER_SIZE,
  Kind,
  Refusal as RefusalByte,
  TAG_SIZE,
  TOKEN_SIZE,
} from "../../src/sealed/wire.js"

/** Clients that have the keys, and do not keep to the protocol. */

const provider = nodeProvider()
const suite = new Suite(provider)
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

async function start(context: TestContext, options: Partial<SealedServerOptions> = {}) {
  const asked: number[] = []
  const refusals: Refusal[] = []
  const shares = new Shares({ onRefusal: (refusal) => refusals.push(refusal) })
  const handler: Handler = async function* (request) {
    asked.push(request.length)
    yield request
  }
  const server = new SealedServer({ provider, shares, handler, ...options })
  context.after(() => server[Symbol.asyncDispose]())
  const port = await server.listen({ port: 0, host: "127.0.0.1", policy: "off" })
  const [key] = decode(Offer, server.offer({ host: "127.0.0.1" })).supply.keys
  const route = { host: "127.0.0.1", port, fast: false }
  const connect = (fields: Partial<OpeningFields>, { body = new Uint8Array(5), to = key! } = {}) => {
    const opening = openingOf(fields, body)
    const connection = new ClientConnection(suite, { key: to, token: undefined, opening, body }, route)
    context.after(() => connection.close())
    return connection
  }
  return { server, port, key: key!, asked, refusals, shares, connect }
}

const openingOf = (fields: Partial<OpeningFields>, body: Uint8Array): OpeningFields => ({
  kind: Kind.request,
  tokensWanted: 0,
  requestId: provider.random(16),
  time: BigInt(Date.now()),
  bodyLength: body.length,
  ...fields,
})

/** Frames until the server ends the connection. */
async function framesOf(connection: ClientConnection) {
  const frames: { type: number; content: Uint8Array }[] = []
  try {
    for (;;) frames.push(await connection.next())
  } catch (error) {
    assert.ok(error instanceof LineBroken, `${error}`)
  }
  return frames
}
const typesOf = async (connection: ClientConnection) => (await framesOf(connection)).map(({ type }) => type)

/** All that is heard after `bytes`, and whether the connection was reset. */
async function send(port: number, ...parts: readonly Uint8Array[]) {
  const socket = createConnection({ port, host: "127.0.0.1" })
  const heard = { bytes: 0, reset: false }
  socket.on("data", (part) => {
    heard.bytes += part.length
  })
  socket.on("error", (error: NodeJS.ErrnoException) => {
    heard.reset = error.code === "ECONNRESET"
  })
  const closed = new Promise((resolve) => socket.once("close", resolve))
  for (const part of parts) socket.write(part)
  await closed
  return heard
}

function flightTo(key: DayKey, body = new Uint8Array(5)) {
  const sender = suite.startFlight(key.publicKey, provider.random(32))
  return { sender, ...sealFlight(suite, { key, token: undefined, opening: openingOf({}, body), body }, sender) }
}

test("a request gets one answer, however many the service has, and a subscription its supply once", async (t) => {
  const handler: Handler = async function* () {
    for (let n = 0; n < 3; n++) yield new Uint8Array(n)
  }
  const { connect } = await start(t, { handler })
  const { message, supply, end } = FrameType
  assert.deepEqual(await typesOf(connect({ kind: Kind.request })), [message, supply, end])
  assert.deepEqual(await typesOf(connect({ kind: Kind.subscription })), [supply, message, message, message, end])
})

test("inside a connection a request or a subscription is asked, and nothing else", async (t) => {
  const { connect, asked } = await start(t)
  const ask = async (kind: number) => {
    const connection = connect({ kind: Kind.hello }, { body: new Uint8Array() })
    const greeted = [(await connection.next()).type, (await connection.next()).type]
    assert.deepEqual(greeted, [FrameType.supply, FrameType.again])
    const body = new Uint8Array(7)
    connection.ask(openingOf({ kind }, body), body)
    return typesOf(connection)
  }
  const { message, end } = FrameType
  assert.deepEqual(await ask(Kind.request), [message, end])
  assert.deepEqual(await ask(Kind.subscription), [message, end])
  assert.deepEqual([await ask(Kind.hello), await ask(3)], [[], []])
  assert.deepEqual(asked, [7, 7])
})

test("a first flight of an unknown kind, and anything but a greeting to a pinned key, is forbidden", async (t) => {
  const keys = new KeyRing({ provider })
  const publicKey = keys.pin(provider.random(32))
  const pinned = { id: 0, publicKey, useUntil: 0n }
  const { connect, asked } = await start(t, { keys })
  for (const connection of [connect({ kind: 3 }), connect({}, { to: pinned })]) {
    const frames = await framesOf(connection)
    assert.deepEqual(frames, [{ type: FrameType.refused, content: Uint8Array.of(RefusalByte.forbidden) }])
  }
  assert.equal((await connect({ kind: Kind.hello }, { to: pinned }).next()).type, FrameType.supply)
  assert.deepEqual(asked, [])
})

test("a flight is answered by silence and a reset where any part of it is wrong", async (t) => {
  const { port, key, asked } = await start(t)
  const sound = flightTo(key)
  assert.ok((await send(port, sound.bytes)).bytes > 256)
  const altered = (at: number) => {
    const { bytes } = flightTo(key)
    bytes[at]! ^= 1
    return bytes
  }
  const lowOrder = flightTo(key).bytes
  lowOrder.set(new Uint8Array(32), TOKEN_SIZE + 4)
  const header = sound.bytes.subarray(0, HEADER_SIZE)
  const wrong: Readonly<Record<string, Uint8Array>> = {
    "another token than was sealed": altered(0),
    "a public key of low order": lowOrder,
    "an altered frame": altered(HEADER_SIZE + 10),
    "a frame without a tag": Buffer.concat([header, frameBytes(new Uint8Array(TAG_SIZE - 1))]),
    "an empty frame": Buffer.concat([header, frameBytes(new Uint8Array(0))]),
  }
  for (const [what, bytes] of Object.entries(wrong)) {
    assert.deepEqual(await send(port, bytes), { bytes: 0, reset: true }, what)
  }
  assert.deepEqual(asked, [5])
})

test("a first frame is no longer than one packet, although it is authentic", async (t) => {
  const { port, key, asked } = await start(t)
  const flightOf = (size: number) => {
    const sender = suite.startFlight(key.publicKey, provider.random(32))
    const token = provider.random(TOKEN_SIZE)
    const plaintext = new Uint8Array(size)
    const [opening] = [...openingFrames(openingOf({}, new Uint8Array(5)), new Uint8Array(5), true)]
    plaintext.set(opening!)
    const authenticatedData = Buffer.concat([token, keyIdOf(key)])
    return Buffer.concat([
      authenticatedData,
      sender.kemOutput,
      frameBytes(sender.seal({ plaintext, authenticatedData })),
    ])
  }
  assert.ok((await send(port, flightOf(FIRST_FRAME_SIZE_MAX - TAG_SIZE))).bytes > 256)
  assert.equal((await send(port, flightOf(FIRST_FRAME_SIZE_MAX - TAG_SIZE + 1))).bytes, 0)
  assert.deepEqual(asked, [5])
})

test("a body whose second frame is not authentic is not run", async (t) => {
  const { port, key, asked } = await start(t)
  const { bytes } = flightTo(key, new Uint8Array(5_000))
  bytes[bytes.length - 1]! ^= 1
  assert.deepEqual(await send(port, bytes), { bytes: 0, reset: true })
  assert.deepEqual(asked, [])
})

test("an answer that does not fit into its requester's share cuts the connection, and nothing of it leaves", async (t) => {
  const refusals: Refusal[] = []
  const share = { peer: 5_000, network: 5_000, all: 50_000 }
  const shares = new Shares({ limits: { unsent: share }, onRefusal: (refusal) => refusals.push(refusal) })
  const handler: Handler = async function* () {
    yield new Uint8Array(6_000)
  }
  const { connect } = await start(t, { shares, handler })
  assert.deepEqual(await typesOf(connect({})), [])
  assert.deepEqual(
    refusals.map(({ kind, level }) => ({ kind, level })),
    [{ kind: "unsent", level: "peer" }],
  )
})

test("a client that does not hang up when all is said is cut", async (t) => {
  const { port, key, shares } = await start(t)
  const socket = createConnection({ port, host: "127.0.0.1", allowHalfOpen: true })
  t.after(() => socket.destroy())
  socket.resume().on("error", () => {})
  socket.write(flightTo(key).bytes)
  await once(socket, "end")
  assert.equal(shares.held("connections"), 1)
  for (let i = 0; i < 300 && shares.held("connections") > 0; i++) await pause(10)
  assert.equal(shares.held("connections"), 0)
})

test("who is not admitted hears nothing, and a token counts only where the whole flight is there", async (t) => {
  const tokens: (Uint8Array | undefined)[] = []
  let opened = 0
  const parts = {
    admission: {
      async admit(_: Socket, token: Uint8Array | undefined) {
        tokens.push(token)
        return false
      },
    },
    mayOpen() {
      opened++
      return false
    },
  }
  const holding = { take: () => true, give: () => {}, refused: () => {}, requester: undefined }
  const server = createServer((socket) => {
    socket.on("error", () => {})
    void serveConnection(socket, { parts: parts as never, holding: holding as never, asked: () => {} })
  }).listen(0, "127.0.0.1")
  t.after(() => server.close())
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  const { bytes } = flightTo({ id: 1, publicKey: new KeyRing({ provider }).publicKeys()[0]!.publicKey, useUntil: 0n })
  for (const length of [bytes.length, bytes.length - 1, HEADER_SIZE + 2, HEADER_SIZE + 1, 1]) {
    assert.deepEqual(await send(port, bytes.subarray(0, length)), { bytes: 0, reset: true })
  }
  assert.deepEqual(
    tokens.map((token) => token?.length),
    [TOKEN_SIZE, undefined, undefined, undefined, undefined],
  )
  assert.equal(opened, 0)
})

test("a server is asked for no cookie, and for no offer before it listens", async (t) => {
  const server = new SealedServer({ provider, handler: async function* () {} })
  t.after(() => server[Symbol.asyncDispose]())
  await assert.rejects(server.listen({ port: 0, host: "127.0.0.1", policy: "cookie" as never }), /need no cookie/)
  assert.throws(() => server.offer({ host: "127.0.0.1" }), /not listening/)
})

test("bytes that a peer has sent before it went are read, and then it is said that it went", async (t) => {
  const server = createServer((socket) => socket.end("abc")).listen(0, "127.0.0.1")
  t.after(() => server.close())
  await once(server, "listening")
  const socket = createConnection((server.address() as AddressInfo).port, "127.0.0.1")
  const reader = new SocketReader(socket)
  const ended = once(socket, "end")
  assert.equal((await reader.read(2)).toString(), "ab")
  await ended
  const gone = { name: "LineBroken", message: "the peer ended the connection" }
  await assert.rejects(reader.read(2), gone)
  assert.equal((await reader.read(1)).toString(), "c")
  await assert.rejects(reader.something(), gone)
})

function keyIdOf({ id }: DayKey): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, id)
  return bytes
}
