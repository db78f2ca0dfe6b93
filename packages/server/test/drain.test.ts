import assert from "node:assert/strict"
import { once } from "node:events"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { isHandedOver } from "@conclave/transport"
import { connect } from "@conclave/transport/node"
import { ClientFrame, ServerFrame, SUBPROTOCOL } from "@conclave/transport/parts"
import { WebSocket } from "ws"
import { createMetrics } from "../src/index.js"
import { composed, headOfNothing, raw, statusOf, upgradeTo } from "./composed-support.js"

const socketAt = async (url: URL) => {
  const socket = new WebSocket(new URL("socket", url).href.replace("http", "ws"), SUBPROTOCOL)
  await once(socket, "open")
  return socket
}

const closing = async (socket: WebSocket): Promise<{ readonly code: number; readonly at: number }> => {
  const [code] = await once(socket, "close")
  return { code, at: performance.now() }
}

describe("a server that hands its clients over", { timeout: 20_000 }, () => {
  it("is not ready at once, takes no socket, and answers requests until its time is over", async () => {
    const metrics = await createMetrics({ process: false })
    await using conclave = await composed({ metrics })
    const { url } = await conclave.listen({ host: "127.0.0.1" })
    const ready = async () => (await fetch(new URL("readyz", url))).status
    assert.equal(await ready(), 200)
    await using stays = await socketAt(url).then((socket) => ({
      socket,
      [Symbol.asyncDispose]: async () => socket.terminate(),
    }))
    const draining = conclave.drain(2_000)
    assert.equal(await ready(), 503)
    assert.equal((await fetch(new URL("healthz", url))).status, 200)
    const refused = await raw(url, upgradeTo("/socket"))
    assert.equal(statusOf(refused), 503)
    assert.match(refused, /"code":"closing"/)
    assert.equal((await fetch(new URL("socket", url))).status, 503)
    await using transport = connect(new URL("delivery", url))
    assert.ok((await transport.request(headOfNothing)).length > 0)
    const answered = await fetch(new URL("healthz", url))
    assert.equal(answered.headers.get("connection"), "close")
    assert.match(await metrics.text(), /^conclave_draining 1$/m)
    assert.equal(stays.socket.readyState, WebSocket.OPEN)
    assert.equal((await closing(stays.socket)).code, 1001)
    await draining
    assert.equal(await ready(), 503)
  })

  it("closes its sockets one after the other, over half of the time", async () => {
    await using conclave = await composed()
    const { url } = await conclave.listen({ host: "127.0.0.1" })
    const sockets = await Promise.all(Array.from({ length: 40 }, () => socketAt(url)))
    const closings = Promise.all(sockets.map(closing))
    const begin = performance.now()
    const drained = conclave.drain(800)
    const ends = (await closings).map(({ code, at }) => ({ code, after: at - begin }))
    await drained
    assert.deepEqual([...new Set(ends.map(({ code }) => code))], [1001])
    const times = ends.map(({ after }) => after).sort((a, b) => a - b)
    // A timer never fires early, and what it closes is never more than is due.
    assert.ok(times[0]! >= 195, `the first after ${times[0]} ms`)
    for (const [at, after] of times.entries()) assert.ok(after >= 195 + (400 * (at - 1)) / 40, `${at}: ${after} ms`)
  })

  it("answers requests that are under way on a socket before it closes it", async () => {
    let answer = () => {}
    const asked = new Promise<void>((resolve) => {
      answer = resolve
    })
    await using conclave = await composed({
      wrap: (services) => ({
        ...services,
        async *delivery() {
          await asked
          yield Uint8Array.of(42)
        },
      }),
    })
    const { url } = await conclave.listen({ host: "127.0.0.1" })
    const socket = await socketAt(url)
    const frames: ServerFrame[] = []
    socket.on("message", (bytes: Buffer) => frames.push(decode(ServerFrame, new Uint8Array(bytes))))
    const body = Uint8Array.of(1)
    socket.send(encode(ClientFrame, { type: "open", stream: 1, service: "delivery", credit: 1, body }))
    const end = closing(socket)
    const draining = conclave.drain(400)
    // All sockets have been told by then.
    setTimeout(answer, 350)
    assert.equal((await end).code, 1001)
    assert.deepEqual(frames.slice(0, 1), [{ type: "item", stream: 1, body: Uint8Array.of(42) }])
    await draining
  })

  it("tells subscriptions on it that it is another server's turn", async () => {
    await using conclave = await composed({
      wrap: (services) => ({
        ...services,
        async *delivery(_, { signal }) {
          yield Uint8Array.of(1)
          await once(signal, "abort")
        },
      }),
    })
    const { url } = await conclave.listen({ host: "127.0.0.1" })
    await using transport = connect(new URL("delivery", url))
    const stream = transport.subscribe(Uint8Array.of(1))[Symbol.asyncIterator]()
    await stream.next()
    const broken = assert.rejects(stream.next(), (error) => isHandedOver(new Error("around it", { cause: error })))
    await conclave.drain(40)
    await broken
  })

  it("ends its time when it is closed", async () => {
    const conclave = await composed()
    const { url } = await conclave.listen({ host: "127.0.0.1" })
    const socket = await socketAt(url)
    const draining = conclave.drain(3_600_000)
    await conclave.close()
    await draining
    assert.notEqual(socket.readyState, WebSocket.OPEN)
  })
})
