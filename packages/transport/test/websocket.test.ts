import assert from "node:assert/strict"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { describe, it, type TestContext } from "node:test"
import { decode, encode } from "@conclave/codec"
import type { Listener } from "@conclave/server"
import { WebSocket, WebSocketServer } from "ws"
import { ClientFrame, ServerFrame, SUBPROTOCOL } from "../src/frames.js"
import { connect, type Handler, TransportError } from "../src/node.js"
import type { WebSocketLike } from "../src/socket-options.js"
import { socketTransport } from "../src/websocket.js"
import { broken, counter, echo, serve, silent, text, utf8 } from "./support.js"

const retryable = (error: unknown) => error instanceof TransportError && error.retryable
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Answers with `n`, `n` times. */
const repeat: Handler = async function* (request) {
  for (let i = 0; i < Number(text(request)); i++) yield request
}

async function all(stream: AsyncIterable<Uint8Array>): Promise<string[]> {
  const items: string[] = []
  for await (const item of stream) items.push(text(item))
  return items
}

describe("a socket that its server has begun to close", { timeout: 20_000 }, () => {
  it("is not used for what is asked then, though it is not closed yet", async (test) => {
    const held: { pause(): void; resume(): void }[] = []
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => SUBPROTOCOL })
    test.after(() => {
      for (const line of held) line.resume()
      server.close()
    })
    server.on("connection", (socket, request) => {
      socket.on("message", (message: Buffer) => {
        const frame = decode(ClientFrame, new Uint8Array(message))
        if (frame.type !== "open") return
        const body = utf8(`answer ${held.length}`)
        socket.send(encode(ServerFrame, { type: "item", stream: frame.stream, body }))
        if (held.length > 0) return
        // It never reads that the client has understood, so the socket stays as it is.
        held.push(request.socket)
        request.socket.pause()
        socket.close(1001)
      })
    })
    await once(server, "listening")
    const url = new URL(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/socket`)
    const sockets: WebSocket[] = []
    const createSocket = (at: URL) => {
      const socket = new WebSocket(at, SUBPROTOCOL)
      sockets.push(socket)
      return socket as unknown as WebSocketLike
    }
    await using transport = socketTransport({ url, service: "any", createSocket, timeoutMilliseconds: 5_000 })
    assert.equal(text(await transport.request(utf8("first"))), "answer 0")
    while (sockets[0]!.readyState !== WebSocket.CLOSING) await pause(5)
    assert.equal(await transport.usable(), false)
    assert.equal(text(await transport.request(utf8("second"))), "answer 1")
    assert.deepEqual([sockets.length, sockets[0]!.readyState], [2, WebSocket.CLOSING])
  })
})

describe("streams over one socket", { timeout: 20_000 }, () => {
  it("run side by side, each with its own items in order and its own end", async () => {
    await using listener = await serve({ repeat })
    await using transport = connect(new URL("repeat", listener.url))
    const counts = [3, 0, 500, 1, 20]
    const streams = await Promise.all(counts.map((count) => all(transport.subscribe(utf8(`${count}`)))))
    assert.deepEqual(
      streams,
      counts.map((count) => new Array(count).fill(`${count}`)),
    )
  })

  it("carry requests too while the socket is open, and large ones go over HTTP", async () => {
    const { handler } = counter()
    const asked: number[] = []
    const both: Handler = async function* (request, context) {
      asked.push(request.length)
      if (request.length === 1) yield* handler(request, context)
      yield request
    }
    await using listener = await serve({ both })
    await using transport = connect(new URL("both", listener.url))
    const stream = transport.subscribe(utf8("5"))[Symbol.asyncIterator]()
    await stream.next()
    const answers = await Promise.all([2, 70_000, 3].map((size) => transport.request(new Uint8Array(size))))
    assert.deepEqual(
      answers.map((answer) => answer.length),
      [2, 70_000, 3],
    )
    await stream.return?.()
  })

  it("of a slow reader hold no more than the credit, whatever the service could send", async () => {
    const { handler, counted, stopped } = counter()
    await using listener = await serve({ counter: handler })
    await using transport = connect(new URL("counter", listener.url), { creditBytes: 10_000 })
    const stream = transport.subscribe(utf8("1000"))[Symbol.asyncIterator]()
    await stream.next()
    await pause(200)
    assert.equal(counted(), 10)
    for (let i = 0; i < 100; i++) await stream.next()
    await pause(200)
    // Half of it at a time is granted again.
    assert.equal(counted(), 110)
    await stream.return?.()
    await pause(50)
    assert.equal(stopped(), true)
  })

  it("are not held up by one that nobody reads", async () => {
    const { handler } = counter()
    await using listener = await serve({ counter: handler })
    await using transport = connect(new URL("counter", listener.url), { creditBytes: 10_000 })
    const unread = transport.subscribe(utf8("1000"))[Symbol.asyncIterator]()
    await unread.next()
    const read = transport.subscribe(utf8("1000"))[Symbol.asyncIterator]()
    for (let i = 0; i < 200; i++) assert.equal((await read.next()).done, false)
    await unread.return?.()
    await read.return?.()
  })

  it("that their reader leaves are ended at the service", async () => {
    const { handler, entered, left } = silent()
    await using listener = await serve({ silent: handler })
    await using transport = connect(new URL("silent", listener.url))
    const gone = new AbortController()
    const reason = new Error("enough")
    const reading = all(transport.subscribe(utf8(""), { signal: gone.signal }))
    entered.then(() => gone.abort(reason))
    await assert.rejects(reading, reason)
    await left
  })

  it("whose reader is gone are no error, whatever the socket says then and the service throws", async () => {
    const errors: unknown[] = []
    const ended: string[] = []
    const sulking: Handler = async function* (_, { signal }) {
      try {
        yield utf8("hi")
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }))
        throw new Error("nobody listens")
      } finally {
        ended.push("sulking")
      }
    }
    const talking: Handler = async function* () {
      try {
        for (;;) yield new Uint8Array(10_000)
      } finally {
        ended.push("talking")
      }
    }
    await using listener = await serve({ sulking, talking }, { onError: (error) => errors.push(error) })
    const socket = await openSocket(listener)
    const open = (stream: number, service: string): ClientFrame => {
      return { type: "open", stream, service, credit: 16 * 1024 * 1024, body: new Uint8Array() }
    }
    for (const [i, service] of ["sulking", "talking"].entries()) socket.send(encode(ClientFrame, open(i + 1, service)))
    await once(socket, "message")
    await pause(20)
    socket.terminate()
    while (ended.length < 2) await pause(5)
    await pause(20)
    assert.deepEqual(errors, [])
  })

  it("fail when the server goes away, and a new one is served on a new socket", async () => {
    const { handler, entered } = silent()
    const listener = await serve({ silent: handler, repeat })
    const port = Number(listener.url.port)
    await using transport = connect(new URL("repeat", listener.url))
    await using other = connect(new URL("silent", listener.url))
    assert.deepEqual(await all(transport.subscribe(utf8("1"))), ["1"])
    const reading = all(other.subscribe(utf8("")))
    entered.then(() => listener.close())
    await assert.rejects(reading, retryable)
    await listener.close()
    await assert.rejects(all(transport.subscribe(utf8("1"))), retryable)
    await using _again = await serve({ repeat }, { port })
    assert.deepEqual(await all(transport.subscribe(utf8("2"))), ["2", "2"])
  })

  it("of a service that throws fail with nothing of its error", async () => {
    await using listener = await serve({ broken })
    await using transport = connect(new URL("broken", listener.url))
    await assert.rejects(all(transport.subscribe(utf8(""))), (error) => retryable(error) && !/secret/.test(`${error}`))
  })

  it("to a service that is not there fail alone", async () => {
    await using listener = await serve({ repeat })
    await using transport = connect(new URL("missing", listener.url))
    await assert.rejects(all(transport.subscribe(utf8("1"))), /no such service/)
  })

  it("beyond the limit of a socket are refused, and there is room again when one ends", async () => {
    const { handler } = silent()
    await using listener = await serve({ silent: handler }, { limits: { streamsPerSocketMax: 2 } })
    await using transport = connect(new URL("silent", listener.url))
    const leaving = new AbortController()
    const reading = [1, 2].map((_, index) =>
      all(transport.subscribe(utf8(""), index === 0 ? { signal: leaving.signal } : {})).catch(() => {}),
    )
    await pause(100)
    await assert.rejects(all(transport.subscribe(utf8(""))), /at most 2 streams/)
    leaving.abort()
    await reading[0]
    await pause(100)
    const third = all(transport.subscribe(utf8(""))).catch((error: unknown) => `${error}`)
    assert.equal(await Promise.race([third, pause(100).then(() => "waiting")]), "waiting")
  })

  it("end at a client that was disposed of", async () => {
    const { handler, left } = silent()
    await using listener = await serve({ silent: handler })
    const transport = connect(new URL("silent", listener.url))
    const reading = all(transport.subscribe(utf8("")))
    await pause(100)
    await transport[Symbol.asyncDispose]()
    await assert.rejects(reading, /transport is closed/)
    await left
    await assert.rejects(all(transport.subscribe(utf8(""))), /transport is closed/)
  })
})

describe("a client and a server that is not ours", { timeout: 20_000 }, () => {
  const frame = (value: ServerFrame) => encode(ServerFrame, value)
  const cases: Readonly<Record<string, [(socket: WebSocket) => void, RegExp]>> = {
    "sends noise": [(socket) => socket.send(Buffer.from([200, 1, 2])), /does not speak the protocol/],
    "sends text": [(socket) => socket.send("hello"), /does not speak the protocol/],
    "overdraws the credit": [
      (socket) => {
        for (let i = 0; i < 3; i++) socket.send(frame({ type: "item", stream: 1, body: new Uint8Array(200) }))
      },
      /more than it was allowed/,
    ],
    "hangs up": [(socket) => socket.close(), /socket is gone/],
    "says why it hangs up": [
      (socket) => socket.send(frame({ type: "failed", stream: 0, reason: "maintenance", retryable: true })),
      /maintenance/,
    ],
    "falls silent": [() => {}, /no sign of life/],
  }
  for (const [what, [act, reason]] of Object.entries(cases)) {
    it(`which ${what}: the stream fails and says so`, async (test) => {
      const url = await rawServer(test, act)
      await using transport = connect(url, { creditBytes: 300, keepaliveMilliseconds: 60 })
      const stream = transport.subscribe(utf8(""))[Symbol.asyncIterator]()
      await assert.rejects(async () => {
        // What overdraws is what was sent before the reader took the first.
        const first = stream.next()
        first.catch(() => {})
        await pause(200)
        for (let next = await first; !next.done; ) next = await stream.next()
      }, reason)
    })
  }
})

describe("the server and a client that is not ours", { timeout: 20_000 }, () => {
  const open = (stream: number, credit = 1000): ClientFrame => ({
    type: "open",
    stream,
    service: "echo",
    credit,
    body: utf8("hi"),
  })
  const cases: Readonly<Record<string, [readonly (ClientFrame | Uint8Array | string)[], RegExp]>> = {
    "noise instead of a frame": [[Buffer.from([9, 9, 9])], /malformed frame/],
    "no bytes": [[new Uint8Array()], /malformed frame/],
    text: [["hello"], /binary/],
    "a stream opened twice": [[open(1), open(1)], /not a new one/],
    "stream 0": [[open(0)], /not a new one/],
    "credit for a stream that was never opened": [[{ type: "credit", stream: 7, bytes: 1 }], /never opened/],
  }
  for (const [what, [frames, reason]] of Object.entries(cases)) {
    it(`${what}: the socket is told why and closed, others are served`, async () => {
      await using listener = await serve({ echo, repeat })
      const socket = await openSocket(listener)
      const answers: ServerFrame[] = []
      socket.on("message", (message: Buffer) => answers.push(decode(ServerFrame, message)))
      for (const frame of frames) {
        socket.send(typeof frame === "string" || frame instanceof Uint8Array ? frame : encode(ClientFrame, frame))
      }
      const [code] = await once(socket, "close")
      assert.equal(code, 4002)
      const last = answers.find((answer) => answer.type === "failed" && answer.stream === 0)
      assert.match(last?.type === "failed" ? last.reason : "", reason)
      await using transport = connect(new URL("repeat", listener.url))
      assert.deepEqual(await all(transport.subscribe(utf8("2"))), ["2", "2"])
    })
  }

  it("a frame beyond the limit closes the socket and nothing else", async () => {
    await using listener = await serve({ echo }, { limits: { requestSizeMax: 1000 } })
    const socket = await openSocket(listener)
    socket.send(new Uint8Array(2000))
    const [code] = await once(socket, "close")
    assert.equal(code, 1009)
    assert.equal((await fetch(listener.url)).status, 404)
  })

  it("ten thousand random frames, some of them valid, leave the server serving", async () => {
    await using listener = await serve({ echo, repeat })
    let seed = 1
    const next = (max: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
      return seed % max
    }
    for (let sockets = 0; sockets < 40; sockets++) {
      const socket = await openSocket(listener)
      const closed = once(socket, "close")
      for (let i = 1; i <= 250; i++) {
        const valid = encode(ClientFrame, open(i, next(5)))
        if (next(100) < 99) socket.send(valid)
        else socket.send(Uint8Array.from({ length: next(40) }, () => next(256)))
      }
      if (sockets % 2 === 0) socket.terminate()
      else socket.close()
      await closed
    }
    await using transport = connect(new URL("repeat", listener.url))
    assert.deepEqual(await all(transport.subscribe(utf8("2"))), ["2", "2"])
  })

  it("a stream that was cancelled says nothing more, although its service does", async () => {
    const late: Handler = async function* (_, { signal }) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }))
      yield utf8("late")
    }
    await using listener = await serve({ late })
    const socket = await openSocket(listener)
    const answers: string[] = []
    socket.on("message", (message: Buffer) => answers.push(decode(ServerFrame, message).type))
    const frames: ClientFrame[] = [{ ...open(1), service: "late" } as ClientFrame, { type: "cancel", stream: 1 }]
    for (const frame of frames) socket.send(encode(ClientFrame, frame))
    await pause(50)
    socket.send(encode(ClientFrame, { type: "ping" }))
    await once(socket, "message")
    assert.deepEqual(answers, ["pong"])
    socket.terminate()
  })

  it("a socket that does not answer a ping is cut", async () => {
    await using listener = await serve({ echo }, { limits: { pingMilliseconds: 50 } })
    const socket = await openSocket(listener, { autoPong: false })
    const [code] = await once(socket, "close")
    assert.equal(code, 1006)
  })

  it("a page of another origin gets no socket, one of this origin does", async () => {
    await using listener = await serve({ echo })
    await assert.rejects(openSocket(listener, { origin: "https://elsewhere.example" }), /403/)
    await assert.rejects(openSocket(listener, { origin: "null" }), /403/)
    ;(await openSocket(listener, { origin: listener.url.origin })).terminate()
  })
})

async function openSocket(listener: Listener, options: WebSocket.ClientOptions = {}): Promise<WebSocket> {
  const url = new URL("socket", listener.url)
  url.protocol = "ws:"
  const socket = new WebSocket(url, SUBPROTOCOL, options)
  await once(socket, "open")
  return socket
}

async function rawServer(test: TestContext, act: (socket: WebSocket) => void): Promise<URL> {
  const server = new WebSocketServer({ port: 0, host: "localhost" })
  await once(server, "listening")
  test.after(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  server.on("connection", (socket) => socket.once("message", () => act(socket)))
  return new URL(`http://localhost:${(server.address() as { port: number }).port}/echo`)
}
