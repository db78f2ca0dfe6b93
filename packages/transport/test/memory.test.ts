import assert from "node:assert/strict"
import { getEventListeners } from "node:events"
import { describe, it } from "node:test"
import { directTransport, TransportError } from "../src/index.js"
import { broken, counter, silent, text, utf8 } from "./support.js"

describe("a direct transport", { timeout: 10_000 }, () => {
  it("brings a request to the service and its answer back, in copies", async () => {
    const seen: Uint8Array[] = []
    const transport = directTransport(async function* (request) {
      seen.push(request)
      yield request
    })
    const request = utf8("hello")
    const answer = await transport.request(request)
    request.fill(0)
    assert.equal(text(seen[0]!), "hello")
    seen[0]!.fill(1)
    assert.equal(text(answer), "hello")
  })

  it("asks a stream for no more than its reader takes, and stops it when the reader leaves", async () => {
    const { handler, counted, stopped } = counter()
    let taken = 0
    for await (const _ of directTransport(handler).subscribe(utf8("1"))) if (++taken === 5) break
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(counted(), 5)
    assert.equal(stopped(), true)
  })

  it("waits with one listener, however many answers a stream has had", async () => {
    let signal: AbortSignal | undefined
    const { handler } = counter()
    const transport = directTransport((request, context) => {
      signal = context.signal
      return handler(request, context)
    })
    let taken = 0
    for await (const _ of transport.subscribe(utf8("1"))) {
      assert.ok(getEventListeners(signal!, "abort").length <= 1, `${taken} answers`)
      if (++taken === 20) break
    }
  })

  it("rejects with the reason when its signal is aborted, and the service learns that the asker is gone", async () => {
    const { handler, left } = silent()
    const gone = new AbortController()
    const reason = new Error("changed my mind")
    const asking = directTransport(handler).request(utf8(""), { signal: gone.signal })
    setImmediate(() => gone.abort(reason))
    await assert.rejects(asking, reason)
    await left
  })

  it("is of no use after it was disposed of, and what was under way ends", async () => {
    const { handler } = silent()
    const transport = directTransport(handler)
    const asking = transport.request(utf8(""))
    await transport[Symbol.asyncDispose]()
    await assert.rejects(asking, TransportError)
    await assert.rejects(transport.request(utf8("")), TransportError)
  })

  it("tells of a service that throws as of a line that broke", async () => {
    const rejected = directTransport(broken).request(utf8(""))
    await assert.rejects(rejected, (error) => error instanceof TransportError && error.retryable)
  })
})
