import assert from "node:assert/strict"
import { once } from "node:events"
import { createConnection, type Socket } from "node:net"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { connect, type Refusal, Shares, shareLimits } from "@conclave/transport/node"
import { CHUNK_COST, ClientFrame, Holding, ServerFrame, SUBPROTOCOL } from "@conclave/transport/parts"
import { WebSocket } from "ws"
import type { Listener } from "../src/index.js"
import { FrameMeter } from "../src/listener/frame-meter.js"
import { line, openSocket, pause, start, until } from "./shares-support.js"
import { counter, echo, serve, text, utf8 } from "./support.js"

const MEBIBYTE = 1024 * 1024

/** The connection under a socket, to write what no client would. */
const under = (socket: WebSocket) => (socket as unknown as { _socket: Socket })._socket

const head = (length: number) =>
  `POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/octet-stream\r\ncontent-length: ${length}\r\n\r\n`
const open = (stream: number, body = new Uint8Array(), service = "silent") =>
  encode(ClientFrame, { type: "open", stream, service, credit: MEBIBYTE, body })
const ping = encode(ClientFrame, { type: "ping" })

async function served(listener: Listener): Promise<void> {
  await using transport = connect(new URL("echo", listener.url))
  assert.equal(text(await transport.request(utf8("hi"))), "hi")
}

describe("one requester's share", { timeout: 20_000 }, () => {
  it("of connections leaves the others theirs: refused ones are told, of an address and of its network", async () => {
    const { listener, shares, refused } = await start({ shares: { connections: { peer: 3, network: 5, all: 20 } } })
    await using _ = listener
    const lines = Array.from({ length: 10 }, () => line(listener, "127.0.2.1"))
    const answers = await Promise.all(lines.map(({ closed }) => Promise.race([closed, pause(200)])))
    assert.equal(answers.filter((answer) => /^HTTP\/1\.1 503 /.test(`${answer}`)).length, 7)
    assert.equal(refused("connections", "peer"), 7)
    const neighbours = Array.from({ length: 5 }, (_, i) => line(listener, `127.0.2.${10 + i}`))
    await until(() => refused("connections", "network") === 3)
    assert.equal(refused("connections", "network"), 3)
    assert.equal(shares.held("connections"), 5)
    await served(listener)
    for (const { socket } of [...lines, ...neighbours]) socket.destroy()
    await until(() => shares.held("connections") === 0)
    const again = line(listener, "127.0.2.1", `${head(2).replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")}hi`)
    assert.match(await again.closed, /^HTTP\/1\.1 200 /)
  })

  it("of new connections is bounded in time too, and an honest one is let in meanwhile", async () => {
    const { listener, refused } = await start({ shares: { connections: { peer: 5, network: 5, all: 1000 } } })
    await using _ = listener
    for (let round = 0; round < 6; round++) {
      const lines = Array.from({ length: 100 }, () => line(listener, "127.0.2.1"))
      await pause(20)
      for (const { socket } of lines) socket.destroy()
    }
    await until(() => refused("arrivals") > 0)
    const count = refused("arrivals")
    assert.ok(count > 0 && count <= 400, `${count} of 600, with 200 at once`)
    await served(listener)
  })

  it("is given back once when what held it ends, and nothing is taken for it afterwards", () => {
    const shares = new Shares()
    const holding = new Holding(shares, { peer: "a", network: "b" })
    assert.equal(holding.take("received", 10), true)
    holding.give("received", 4)
    assert.equal(shares.held("received"), 6)
    for (let i = 0; i < 2; i++) holding[Symbol.dispose]()
    assert.equal(holding.take("received", 1), false)
    holding.give("received", 6)
    assert.equal(shares.held("received"), 0)
  })

  it("is an eighth for an address and a quarter for its network by default", () => {
    for (const limits of Object.values(shareLimits(10_000))) {
      assert.ok(limits.peer * 8 <= limits.all && limits.network * 4 <= limits.all)
    }
    assert.equal(shareLimits(10_000).connections.all, 10_000)
  })

  it("of sockets is counted for those behind a proxy, and the proxy's connections for all alone", async () => {
    const refusals: Refusal[] = []
    const one = { peer: 1, network: 2, all: 10 }
    const shares = new Shares({ limits: { connections: one, sockets: one }, onRefusal: (r) => refusals.push(r) })
    await using listener = await serve({ echo }, { host: "127.0.0.1", shares, trustedProxies: ["127.0.0.1"] })
    const from = (address: string) => openSocket(listener, { headers: { "x-forwarded-for": address } })
    const sockets = [await from("192.0.2.1"), await from("192.0.2.2"), await from("198.51.100.1")]
    const refusal = new WebSocket(`ws://127.0.0.1:${listener.url.port}/socket`, SUBPROTOCOL, {
      headers: { "x-forwarded-for": "192.0.2.1" },
    })
    const [error] = await once(refusal, "error")
    assert.match(`${error}`, /503/)
    assert.deepEqual(
      refusals.map(({ kind, level, limit }) => ({ kind, level, limit })),
      [{ kind: "sockets", level: "peer", limit: 1 }],
    )
    for (const socket of sockets) socket.terminate()
  })

  it("of streams over all its sockets is refused beyond, and others open theirs", async () => {
    const { listener, refused } = await start({ shares: { streams: { peer: 3, network: 100, all: 100 } } })
    await using _ = listener
    const sockets = await Promise.all([1, 2].map(() => openSocket(listener, { localAddress: "127.0.2.1" })))
    const reasons: string[] = []
    for (const socket of sockets) {
      socket.on("message", (message: Buffer) => {
        const frame = decode(ServerFrame, message)
        reasons.push(frame.type === "failed" ? frame.reason : frame.type)
      })
      for (const stream of [1, 2]) socket.send(open(stream))
    }
    await until(() => reasons.length > 0)
    assert.deepEqual(reasons, ["too many streams of one network, or of all"])
    assert.equal(refused("streams", "peer"), 1)
    await served(listener)
    for (const socket of sockets) socket.terminate()
  })

  it("of bytes half received: bodies and frames that stop short", async () => {
    const share = { peer: 300_000, network: 400_000, all: 2_000_000 }
    const { listener, shares, refused } = await start({ shares: { received: share } })
    await using _ = listener
    const body = "a".repeat(100_000)
    const lines = [1, 2, 3, 4].map(() => line(listener, "127.0.2.1", head(200_000) + body))
    const refusals = await Promise.race([Promise.any(lines.map(({ closed }) => closed)), pause(1000)])
    assert.match(`${refusals}`, /^HTTP\/1\.1 503 .*too many bytes/s)
    assert.ok(shares.held("received") <= 300_000)
    const socket = await openSocket(listener, { localAddress: "127.0.2.2" })
    const closed = once(socket, "close")
    under(socket).write(
      Buffer.concat([Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 8, 0, 0, 1, 2, 3, 4]), Buffer.alloc(240_000)]),
    )
    await closed
    assert.ok(refused("received", "network") >= 1)
    await served(listener)
    for (const { socket } of lines) socket.destroy()
    await until(() => shares.held("received") + shares.held("unsent") === 0)
    assert.equal(shares.held("received"), 0)
  })

  it("of bytes half received counts what small pieces cost, and the bodies of streams that run", async () => {
    const share = { peer: 100_000, network: 100_000, all: 2_000_000 }
    const { listener, shares } = await start({ shares: { received: share } })
    await using _ = listener
    const { socket, closed } = line(listener, "127.0.2.1", head(10_000))
    socket.setNoDelay(true)
    for (let pieces = 0; pieces < 1000 && !socket.readableEnded && !socket.destroyed; pieces++) {
      const before = shares.held("received")
      socket.write("a")
      // One by one: the system would put them together.
      while (shares.held("received") === before && !socket.readableEnded && !socket.destroyed) {
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    assert.ok(shares.held("received") <= share.peer)
    assert.match(await closed, /^HTTP\/1\.1 503 /)
    const streaming = await openSocket(listener)
    await until(() => shares.held("received") === 0)
    for (let stream = 1; stream <= 13; stream++) {
      streaming.send(open(stream, new Uint8Array(7_000)))
      await until(() => shares.held("received") === stream * (7_000 + CHUNK_COST))
    }
    streaming.send(open(14, new Uint8Array(7_000)))
    const [message] = await once(streaming, "message")
    const frame = decode(ServerFrame, message as Buffer)
    assert.deepEqual([frame.type, "stream" in frame && frame.stream], ["failed", 14])
    assert.ok(shares.held("received") > 13 * 7_000)
    streaming.terminate()
    await until(() => shares.held("received") + shares.held("unsent") === 0)
    assert.equal(shares.held("received"), 0)
  })

  it("of refused connections that are told why is 64 at a time, each for a second", async () => {
    const { listener, refused } = await start({ shares: { connections: { peer: 1, network: 1, all: 100 } } })
    await using _ = listener
    const port = Number(listener.url.port)
    // They read the answer, and do not hang up.
    const lines = Array.from({ length: 80 }, () => {
      const socket = createConnection({ port, host: "127.0.0.1", localAddress: "127.0.2.1", allowHalfOpen: true })
      const heard = { answer: "", socket }
      socket.on("data", (part) => {
        heard.answer += part
      })
      socket.on("error", () => {})
      return heard
    })
    const told = () => lines.filter(({ answer }) => answer.startsWith("HTTP/1.1 503 ")).length
    await until(() => refused("connections") === 79 && told() === 64)
    await pause(100)
    assert.equal(told(), 64)
    await pause(1_000)
    assert.match(await line(listener, "127.0.2.1").closed, /^HTTP\/1\.1 503 /)
    for (const { socket } of lines) socket.destroy()
  })

  it("of bytes unsent: a stream whose items do not fit into it", async () => {
    const share = { peer: 50_000, network: 100_000, all: MEBIBYTE }
    const big = async function* () {
      yield new Uint8Array(60_000)
    }
    const { listener, refused, shares } = await start({ shares: { unsent: share }, services: { big, echo } })
    await using _ = listener
    const socket = await openSocket(listener)
    const messages: unknown[] = []
    socket.on("message", (message) => messages.push(message))
    const closed = once(socket, "close")
    socket.send(open(1, new Uint8Array(), "big"))
    await closed
    assert.deepEqual([messages, refused("unsent", "peer"), shares.held("unsent")], [[], 1, 0])
    await served(listener)
  })

  it("of bytes unsent: answers that are not read", async () => {
    const share = { peer: 40 * MEBIBYTE, network: 100 * MEBIBYTE, all: 100 * MEBIBYTE }
    const big = async function* () {
      yield new Uint8Array(16 * MEBIBYTE)
    }
    const { listener, shares, refused } = await start({ shares: { unsent: share }, services: { big, echo } })
    await using _ = listener
    const lines = Array.from({ length: 4 }, () => line(listener, "127.0.2.1"))
    for (const { socket } of lines) {
      socket.pause()
      socket.write(
        "POST /big HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/octet-stream\r\ncontent-length: 0\r\n\r\n",
      )
    }
    await until(() => refused("unsent", "peer") === 2)
    assert.equal(refused("unsent", "peer"), 2)
    assert.ok(shares.held("unsent") <= share.peer, `${shares.held("unsent")}`)
    await served(listener)
    for (const { socket } of lines) socket.destroy()
    await until(() => shares.held("unsent") === 0)
    assert.equal(shares.held("unsent"), 0)
  })
})

describe("a client that reads nothing", { timeout: 20_000 }, () => {
  it("and sends pings of either kind gets one pong at a time, and is cut", async () => {
    for (const frame of [
      Buffer.concat([Buffer.from([0x82, 0x81, 0, 0, 0, 0]), ping]),
      Buffer.from([0x89, 0x80, 0, 0, 0, 0]),
    ]) {
      const { listener, shares, refused } = await start({ limits: { controlFramesPerSecondMax: 1000 } })
      await using _ = listener
      const socket = await openSocket(listener)
      const closed = once(socket, "close")
      socket.pause()
      const many = Buffer.concat(Array.from({ length: 500 }, () => frame))
      let most = 0
      for (let i = 0; i < 200 && !under(socket).destroyed; i++) {
        under(socket).write(many)
        await new Promise((resolve) => setImmediate(resolve))
        most = Math.max(most, shares.held("unsent"))
      }
      socket.resume()
      await closed
      assert.equal(refused("control"), 1)
      assert.ok(most < 4 * CHUNK_COST, `${most}`)
    }
  })

  it("is not one to whom nothing is sent, and pings that come together get one pong", async () => {
    const { listener, refusals } = await start({ limits: { unreadTimeoutMilliseconds: 40 } })
    await using _ = listener
    const socket = await openSocket(listener)
    let pongs = 0
    socket.on("pong", () => pongs++)
    socket.send(open(1))
    under(socket).write(Buffer.concat(Array.from({ length: 15 }, () => Buffer.from([0x89, 0x80, 0, 0, 0, 0]))))
    await pause(300)
    assert.ok(pongs >= 1 && pongs <= 3, `${pongs} pongs`)
    assert.deepEqual([socket.readyState, refusals], [socket.OPEN, []])
    socket.terminate()
  })

  it("of a stream makes the service wait, however many streams it has, and is cut in time", async () => {
    const { handler, counted } = counter()
    const limits = { unsentPerSocketMax: 300_000, unreadTimeoutMilliseconds: 150 }
    const { listener, shares, refused } = await start({ services: { counter: handler, echo }, limits })
    await using _ = listener
    const socket = await openSocket(listener)
    const closed = once(socket, "close")
    under(socket).pause()
    for (let stream = 1; stream <= 20; stream++) {
      socket.send(
        encode(ClientFrame, { type: "open", stream, service: "counter", credit: 16 * MEBIBYTE, body: utf8("100000") }),
      )
    }
    await until(() => shares.held("unsent") > 300_000)
    await pause(100)
    const before = counted()
    await pause(100)
    assert.equal(counted(), before, "the service is not asked for more")
    assert.ok(shares.held("unsent") < 300_000 + 21 * 101_000, `${shares.held("unsent")}`)
    assert.equal(refused("unread"), 0)
    // 2 MB may take two minutes at 16 KiB a second: a client that takes nothing at all is known by less.
    under(socket).destroy()
    await closed
    await until(() => shares.held("received") + shares.held("unsent") === 0)
    assert.equal(shares.held("unsent"), 0)
    assert.equal(refused("unsent"), 0)
  })

  it("is cut when it has taken nothing for its time, over HTTP too", async () => {
    const big = async function* () {
      yield new Uint8Array(8 * MEBIBYTE)
    }
    const limits = { unreadTimeoutMilliseconds: -511_800 }
    const { listener, refused, shares } = await start({ services: { big, echo }, limits })
    await using _ = listener
    const asking = line(listener, "127.0.0.1")
    asking.socket.pause()
    asking.socket.write(
      `POST /big HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/octet-stream\r\ncontent-length: 0\r\n\r\n`,
    )
    await until(() => refused("unread") === 1)
    assert.equal(refused("unread"), 1)
    await until(() => shares.held("unsent") + shares.held("connections") === 0)
    assert.deepEqual([shares.held("unsent"), shares.held("connections")], [0, 0], "the connection is cut")
    asking.socket.destroy()
  })
})

describe("what takes too long on a socket", { timeout: 20_000 }, () => {
  const limits = { messageTimeoutMilliseconds: 100, firstStreamTimeoutMilliseconds: 200, idleTimeoutMilliseconds: 300 }

  it("is cut: half a frame, half a message between pings, and no stream at all", async () => {
    const { listener, refused } = await start({ limits })
    await using _ = listener
    const half = await openSocket(listener)
    half.send(open(1))
    under(half).write(Buffer.from([0x82, 0xfe]))
    const fragments = await openSocket(listener)
    fragments.send(open(1))
    fragments.send(open(2), { fin: false })
    const pinging = setInterval(() => fragments.ping(), 20)
    const nothing = await openSocket(listener)
    const carrying = await openSocket(listener)
    carrying.send(open(1))
    await Promise.all([half, fragments, nothing].map((socket) => once(socket, "close")))
    clearInterval(pinging)
    assert.deepEqual([refused("slow"), refused("idle")], [2, 1])
    await pause(200)
    assert.equal(carrying.readyState, carrying.OPEN)
    carrying.terminate()
  })

  it("is not a message in many pieces that arrives in time, nor a socket between two streams", async () => {
    const { listener, refusals } = await start({ limits: { ...limits, messageTimeoutMilliseconds: 1000 } })
    await using _ = listener
    const socket = await openSocket(listener)
    const answers: string[] = []
    socket.on("message", (message: Buffer) => answers.push(decode(ServerFrame, message).type))
    for (const stream of [1, 2, 3]) {
      const frame = open(stream, new Uint8Array(3000), "echo")
      for (let at = 0; at < frame.length; at += 500) {
        socket.send(frame.subarray(at, at + 500), { fin: at + 500 >= frame.length })
        await pause(10)
      }
      await pause(100)
    }
    assert.deepEqual(answers, ["item", "end", "item", "end", "item", "end"])
    assert.deepEqual(refusals, [])
    await once(socket, "close")
    assert.deepEqual(
      refusals.map(({ kind }) => kind),
      ["idle"],
    )
  })

  it("is measured by frames, wherever their bytes are cut", () => {
    const payload = new Uint8Array(70_000)
    const frames = [
      Buffer.concat([Buffer.from([0x82, 0x85, 1, 2, 3, 4]), Buffer.alloc(5)]),
      Buffer.concat([Buffer.from([0x02, 0xfe, 0x01, 0x00, 1, 2, 3, 4]), Buffer.alloc(256)]),
      Buffer.from([0x89, 0x80, 1, 2, 3, 4]),
      Buffer.concat([Buffer.from([0x80, 0xff, 0, 0, 0, 0, 0, 1, 0x11, 0x70, 1, 2, 3, 4]), payload]),
    ]
    for (const size of [1, 7, 64, 1000, 65_536, 100_000]) {
      const meter = new FrameMeter()
      const whole = Buffer.concat(frames)
      for (let at = 0; at < whole.length; at += size) meter.add(whole.subarray(at, at + size))
      assert.deepEqual([meter.pending, meter.controlFrames], [0, 1], `${size}`)
      meter.add(Buffer.from([0x82]))
      assert.equal(meter.pending, 1 + CHUNK_COST)
    }
  })
})
