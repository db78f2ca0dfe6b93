import assert from "node:assert/strict"
import { once } from "node:events"
import { createServer, type RequestListener } from "node:http"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { WebSocketServer } from "ws"
import { ClientFrame, ServerFrame } from "../src/frames.js"
import { type LineFault, lineFaultOf, type TransportError } from "../src/index.js"
import { connect, type Handler } from "../src/node.js"
import { DroppingProxy, TestTimers } from "./line-support.js"
import { serve, silent, text, utf8 } from "./support.js"

/** A service that says one thing on a stream, and then nothing. */
async function open({ timers = new TestTimers(), greeting = true } = {}) {
  const asked: string[] = []
  let sockets = 0
  const quiet: Handler = async function* (request, { signal }) {
    asked.push(text(request))
    if (text(request) !== "listen") {
      yield request
      return
    }
    sockets++
    if (greeting) yield utf8("here")
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }))
  }
  const listener = await serve({ quiet })
  const proxy = await DroppingProxy.open(Number(listener.url.port))
  const transport = connect(`http://localhost:${proxy.port}/quiet`, { timers })
  const state = { failure: undefined as TransportError | undefined, sockets: () => sockets, asked }
  const listen = async () => {
    state.failure = undefined
    const stream = transport.subscribe(utf8("listen"))[Symbol.asyncIterator]()
    await stream.next()
    stream.next().catch((error: TransportError) => {
      state.failure = error
    })
  }
  const dispose = async () => {
    await transport[Symbol.asyncDispose]()
    await proxy[Symbol.asyncDispose]()
    await listener.close()
  }
  return { transport, proxy, timers, listen, state, [Symbol.asyncDispose]: dispose }
}

describe("a line whose packets are dropped, and that nobody closes", { timeout: 60_000 }, () => {
  it("is noticed within 25 seconds", async (test) => {
    await using line = await open()
    await line.listen()
    line.proxy.dropOld()
    const after = await line.timers.pass(25_000, () => line.state.failure !== undefined)
    assert.match(String(line.state.failure), /no sign of life/)
    assert.equal(line.state.failure?.retryable, true)
    test.diagnostic(`noticed after ${after / 1000} s`)
  })

  it("is noticed within 3 seconds when somebody looks", async (test) => {
    await using line = await open()
    await line.listen()
    await line.timers.pass(12_000)
    line.proxy.dropOld()
    line.transport.probe!()
    const after = await line.timers.pass(3_000, () => line.state.failure !== undefined)
    assert.match(String(line.state.failure), /no sign of life/)
    test.diagnostic(`noticed after ${after / 1000} s`)
  })

  it("is noticed after a sleep of the machine, which the timers do not count", async (test) => {
    await using line = await open()
    await line.listen()
    line.proxy.dropOld()
    await line.timers.pass(1_000)
    line.timers.sleep(3_600_000)
    const after = await line.timers.pass(14_000, () => line.state.failure !== undefined)
    assert.match(String(line.state.failure), /no sign of life/)
    test.diagnostic(`noticed ${after / 1000} s after it`)
  })

  it("carries no message: what is sent after some silence goes out over HTTP, once", async (test) => {
    await using line = await open()
    await line.listen()
    await line.timers.pass(6_000)
    line.proxy.dropOld()
    const answer = line.transport.request(utf8("hello"))
    let answered = false
    answer.then(() => (answered = true))
    const after = await line.timers.pass(5_000, () => answered)
    assert.equal(text(await answer), "hello")
    assert.deepEqual(line.state.asked, ["listen", "hello"])
    test.diagnostic(`sent after ${after / 1000} s`)
  })

  it("fails what was sent just before, within 6 seconds, so that it is sent again", async (test) => {
    await using line = await open()
    await line.listen()
    line.proxy.dropOld()
    const sending = line.transport.request(utf8("hello")).then(
      () => undefined,
      (error: TransportError) => error,
    )
    const after = await line.timers.pass(6_000, () => line.state.failure !== undefined)
    assert.equal((await sending)?.retryable, true)
    assert.equal(text(await line.transport.request(utf8("hello"))), "hello")
    test.diagnostic(`failed after ${after / 1000} s`)
  })

  it("holds up nothing whose signal is aborted meanwhile", async () => {
    await using line = await open()
    await line.listen()
    await line.timers.pass(6_000)
    line.proxy.dropOld()
    const stop = new AbortController()
    const failed = line.transport.request(utf8("hello"), { signal: stop.signal }).catch((error: unknown) => error)
    stop.abort("enough")
    assert.equal(await Promise.race([failed, line.timers.pass(1_000)]), "enough")
    await line.timers.pass(5_000)
    assert.deepEqual(line.state.asked, ["listen"])
  })

  it("is given up while it is opened, when there is a reason to hope and it has taken seconds", async () => {
    await using line = await open()
    line.proxy.dropsNew = true
    let failure: unknown
    line.listen().catch((error: unknown) => (failure = error))
    await line.timers.pass(1_000)
    line.transport.probe!()
    await line.timers.pass(1_000)
    assert.equal(failure, undefined)
    line.transport.probe!()
    // Why it failed is asked for, and the answer is waited for.
    await line.timers.pass(5_000, () => failure !== undefined)
    assert.match(String(failure), /another one is tried/)
    assert.equal(lineFaultOf(failure), "unreachable")
  })

  it("has twice as long for a pong after one that was given up, and the usual time again after a pong", async () => {
    await using line = await open()
    const noticed = async () => {
      await line.listen()
      line.proxy.dropOld()
      return line.timers.pass(60_000, () => line.state.failure !== undefined)
    }
    assert.deepEqual([await noticed(), await noticed(), await noticed()], [22_500, 30_000, 45_000])
    await line.listen()
    await line.timers.pass(16_000)
    line.proxy.dropOld()
    await line.timers.pass(60_000, () => line.state.failure !== undefined)
    assert.equal(await noticed(), 30_000)
  })
})

describe("a line that is alive", { timeout: 60_000 }, () => {
  it("is kept where timers fire once a minute", async () => {
    await using line = await open({ timers: new TestTimers(60_000) })
    await line.listen()
    await line.timers.pass(12 * 60_000)
    assert.deepEqual([line.state.failure, line.state.sockets(), line.proxy.connections], [undefined, 1, 1])
  })

  it("and then dies there is given up after an unanswered ping", async () => {
    await using line = await open({ timers: new TestTimers(60_000) })
    await line.listen()
    await line.timers.pass(3 * 60_000)
    line.proxy.dropOld()
    await line.timers.pass(3 * 60_000, () => line.state.failure !== undefined)
    assert.match(String(line.state.failure), /no sign of life/)
  })

  it("is kept when the process stood still while a ping was under way", async () => {
    await using line = await open()
    await line.listen()
    // The ping leaves, and its answer is not read before the timers of a minute later have fired.
    line.timers.rush(15_000)
    line.timers.stall(60_000)
    line.timers.rush(0)
    await line.timers.pass(60_000)
    assert.equal(line.state.failure, undefined)
  })

  it("is kept behind a proxy that cuts what is silent for some seconds, once that has been seen twice", async () => {
    for (const silence of [6_000, 4_000]) {
      await using line = await open()
      line.proxy.cuts = { timers: line.timers, after: silence }
      for (let time = 0; time < 2; time++) {
        await line.listen()
        const after = await line.timers.pass(30_000, () => line.state.failure !== undefined)
        assert.equal(after, silence)
      }
      await line.listen()
      // No longer: the service cuts a socket with more than 20 pings in one of its own seconds.
      await line.timers.pass(35_000)
      assert.equal(line.state.failure, undefined, `cut after ${silence} ms of silence`)
    }
  })

  it("is asked less often again where that proxy is gone, and as often at once where it is back", async () => {
    await using line = await open()
    const { proxy, timers, state } = line
    const ended = () => timers.pass(60_000, () => state.failure !== undefined)
    const pongs = async () => {
      await line.listen()
      const before = proxy.heard
      await timers.pass(36_500)
      assert.equal(state.failure, undefined)
      return proxy.heard - before
    }
    proxy.cuts = { timers, after: 6_000 }
    for (let time = 0; time < 2; time++) {
      await line.listen()
      assert.equal(await ended(), 6_000)
    }
    assert.equal(await pongs(), 12)
    // Another network.
    proxy.cuts = undefined
    for (const expected of [6, 3, 2, 2]) {
      proxy.dropOld()
      await ended()
      assert.equal(await pongs(), expected)
    }
    // Back behind the proxy.
    proxy.dropOld()
    await ended()
    proxy.cuts = { timers, after: 6_000 }
    await line.listen()
    assert.equal(await ended(), 6_000)
    assert.equal(await pongs(), 12)
  })

  it("takes what is sent, also after some silence", async () => {
    await using line = await open()
    await line.listen()
    await line.timers.pass(10_000)
    const { connections } = line.proxy
    assert.equal(text(await line.transport.request(utf8("hello"))), "hello")
    assert.equal(line.proxy.connections, connections)
  })

  it("is kept while a request has no answer for a long time", async () => {
    const { handler, entered } = silent()
    const timers = new TestTimers()
    await using listener = await serve({ silent: handler })
    await using transport = connect(new URL("silent", listener.url), { timers })
    let failure: unknown
    const stream = transport.subscribe(utf8("x"))[Symbol.asyncIterator]()
    stream.next().catch((error: unknown) => (failure = error))
    await entered
    await timers.pass(100)
    transport.request(utf8("x")).catch(() => {})
    await timers.pass(25_000)
    assert.equal(failure, undefined)
  })
})

describe("a socket that answers pings and nothing else", { timeout: 20_000 }, () => {
  it("holds up one request, and the next goes out over HTTP", async () => {
    const timers = new TestTimers()
    const server = createServer((_, response) => response.end("over HTTP")).listen(0, "localhost")
    await once(server, "listening")
    const sockets = new WebSocketServer({ server })
    sockets.on("connection", (socket) => {
      socket.on("message", (frame: Uint8Array) => {
        if (decode(ClientFrame, Uint8Array.from(frame)).type === "ping")
          socket.send(encode(ServerFrame, { type: "pong" }))
      })
    })
    const { port } = server.address() as { port: number }
    try {
      await using transport = connect(`http://localhost:${port}/quiet`, { timers })
      let failure: unknown
      const stream = transport.subscribe(utf8("listen"))[Symbol.asyncIterator]()
      stream.next().catch((error: unknown) => (failure = error))
      await timers.pass(1_000)
      let answer: unknown
      transport.request(utf8("hello")).catch((error: unknown) => (answer = error))
      await timers.pass(40_000, () => answer !== undefined)
      assert.match(String(answer), /no answer within/)
      assert.equal(text(await transport.request(utf8("hello"))), "over HTTP")
      assert.equal(failure, undefined)
    } finally {
      sockets.close()
      server.close()
      server.closeAllConnections()
    }
  })
})

describe("why there is no socket", { timeout: 20_000 }, () => {
  const json = (status: number, content: object | string): RequestListener => {
    return (request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? "", "http://localhost")
      assert.deepEqual([request.method, pathname], ["GET", "/below/socket"])
      assert.equal(searchParams.get("origin"), "https://chat.example.org")
      response.writeHead(status).end(typeof content === "string" ? content : JSON.stringify(content))
    }
  }
  const told = { code: "upgradeRequired", reason: "", upgrade: "none", origin: "https://chat.example.org" }
  const cases: Readonly<Record<string, readonly [RequestListener, LineFault]>> = {
    "a proxy drops the upgrade": [json(426, { ...told, originAllowed: true }), "upgradeDropped"],
    "the page's origin is refused": [json(426, { ...told, originAllowed: false }), "originRefused"],
    "the service does not answer to the name": [json(421, { code: "hostRefused" }), "hostRefused"],
    "the service is ending": [json(503, { code: "closing" }), "unavailable"],
    "a proxy finds no service": [json(502, "<html>Bad Gateway</html>"), "unavailable"],
    "another server answers 426": [json(426, "Upgrade!"), "unknown"],
    "a login page stands in front": [
      (request, response) => {
        if (request.url === "/login") assert.fail("it is not gone to")
        response.writeHead(302, { location: "/login" }).end()
      },
      "unknown",
    ],
    "another server answers": [json(404, "<html>Not Found</html>"), "unknown"],
  }
  for (const [what, [answer, fault]] of Object.entries(cases)) {
    it(`${what}: ${fault}`, async () => {
      const server = createServer(answer)
      server.on("upgrade", (_, socket) => socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n"))
      server.listen(0, "localhost")
      await once(server, "listening")
      const { port } = server.address() as { port: number }
      try {
        const options = { origin: "https://chat.example.org" }
        await using transport = connect(`http://localhost:${port}/below/delivery`, options)
        const faults: unknown[] = []
        for (let time = 0; time < 2; time++) {
          try {
            for await (const _ of transport.subscribe(utf8(""))) assert.fail("it answers")
          } catch (error) {
            faults.push(lineFaultOf(error))
          }
        }
        // The first socket may have failed for a moment's fault.
        assert.deepEqual(faults, [fault === "upgradeDropped" ? undefined : fault, fault])
      } finally {
        server.close()
        server.closeAllConnections()
      }
    })
  }

  it("nothing answers: unreachable", async () => {
    const server = createServer().listen(0, "localhost")
    await once(server, "listening")
    const { port } = server.address() as { port: number }
    server.close()
    await using transport = connect(`http://localhost:${port}/delivery`)
    const stream = transport.subscribe(utf8(""))[Symbol.asyncIterator]()
    await assert.rejects(stream.next(), (error) => lineFaultOf(error) === "unreachable")
  })
})
