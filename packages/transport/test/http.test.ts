import assert from "node:assert/strict"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { describe, it, type TestContext } from "node:test"
import { retryAfter } from "../src/http.js"
import type { Handler, ReplaySafe } from "../src/index.js"
import { httpTransport, TransportError } from "../src/index.js"
import { TestTimers } from "./line-support.js"
import { broken, echo, serve, silent, text, utf8 } from "./support.js"

const retryable = (error: unknown) => error instanceof TransportError && error.retryable
const final = (error: unknown) => error instanceof TransportError && !error.retryable

describe("requests over HTTP", { timeout: 20_000 }, () => {
  it("arrive as they were sent and come back as they were answered, also without bytes", async () => {
    await using listener = await serve({ echo })
    const transport = httpTransport(new URL("echo", listener.url))
    const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251)
    assert.deepEqual(await transport.request(bytes), bytes)
    assert.equal((await transport.request(new Uint8Array())).length, 0)
  })

  it("to nobody are worth another try", async () => {
    const listener = await serve({ echo })
    await listener.close()
    await assert.rejects(httpTransport(new URL("echo", listener.url)).request(utf8("")), retryable)
  })

  it("that only read are given up where no answer begins within ten seconds, twice that the next time", async () => {
    const timers = new TestTimers()
    let [hangs, asked] = [true, 0]
    const handler: Handler = async function* (request, { signal }) {
      asked++
      if (hangs) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }))
      else yield request
    }
    await using listener = await serve({ sometimes: handler })
    const transport = httpTransport(new URL("sometimes", listener.url), { timers })
    /** After how much time the request has no answer. */
    const givenUp = async (replaySafe: boolean) => {
      let outcome: unknown
      const before = asked
      const read = utf8("") as ReplaySafe & Uint8Array<ArrayBuffer>
      transport.request(read, { replaySafe: replaySafe as never }).then(
        () => (outcome = "answered"),
        (error) => (outcome = error),
      )
      while (asked === before) await new Promise((resolve) => setTimeout(resolve, 1))
      const after = await timers.pass(100_000, () => outcome !== undefined)
      return retryable(outcome) ? after : outcome
    }
    assert.equal(await givenUp(false), 30_000)
    for (const expected of [10_000, 20_000, 30_000, 30_000]) assert.equal(await givenUp(true), expected)
    hangs = false
    assert.equal(await givenUp(true), "answered")
    hangs = true
    assert.equal(await givenUp(true), 10_000)
  })

  it("that only read have all the time for an answer that has begun", async (test) => {
    const timers = new TestTimers()
    let [begun, finish] = [false, () => {}]
    const url = await rawServer(test, (response) => {
      response.writeHead(200)
      response.write("the first")
      finish = () => response.end(" and the last")
      begun = true
    })
    const read = utf8("") as ReplaySafe & Uint8Array<ArrayBuffer>
    const asked = httpTransport(url, { timers }).request(read, { replaySafe: true as never })
    while (!begun) await new Promise((resolve) => setTimeout(resolve, 1))
    await new Promise((resolve) => setTimeout(resolve, 100))
    await timers.pass(29_000)
    finish()
    assert.equal(text(await asked), "the first and the last")
  })

  it("that get no answer in time are worth another try, and the service is told that nobody waits", async () => {
    const { handler, left } = silent()
    await using listener = await serve({ silent: handler })
    const transport = httpTransport(new URL("silent", listener.url), { timeoutMilliseconds: 100 })
    await assert.rejects(transport.request(utf8("")), retryable)
    await left
  })

  it("reject with the signal's reason when the asker gives up", async () => {
    const { handler, entered, left } = silent()
    await using listener = await serve({ silent: handler })
    const gone = new AbortController()
    const reason = new Error("changed my mind")
    const asking = httpTransport(new URL("silent", listener.url)).request(utf8(""), { signal: gone.signal })
    entered.then(() => gone.abort(reason))
    await assert.rejects(asking, reason)
    await left
  })

  it("that only read do so, too", async () => {
    const { handler, entered, left } = silent()
    await using listener = await serve({ silent: handler })
    const gone = new AbortController()
    const reason = new Error("changed my mind")
    // No time passes.
    const transport = httpTransport(new URL("silent", listener.url), { timers: new TestTimers() })
    const asking = transport.request(utf8(""), { signal: gone.signal, replaySafe: true as never })
    entered.then(() => gone.abort(reason))
    await assert.rejects(asking, reason)
    await left
  })

  it("may share a signal, however many they are, without a warning", async (test) => {
    const warned = test.mock.method(process, "emitWarning", () => undefined)
    const { handler } = silent()
    await using listener = await serve({ silent: handler })
    const gone = new AbortController()
    const transport = httpTransport(new URL("silent", listener.url))
    const asking = Array.from({ length: 30 }, () => transport.request(utf8(""), { signal: gone.signal }))
    setTimeout(() => gone.abort(new Error("enough")), 50)
    for (const outcome of await Promise.allSettled(asking)) assert.equal(outcome.status, "rejected")
    assert.equal(warned.mock.callCount(), 0)
  })

  it("that no service takes are not worth another try", async () => {
    await using listener = await serve({ echo })
    await assert.rejects(httpTransport(new URL("missing", listener.url)).request(utf8("")), final)
  })

  it("that the server refuses for their length are not worth another try, and it says what the limit is", async () => {
    await using listener = await serve({ echo }, { limits: { requestSizeMax: 1000 } })
    const asking = httpTransport(new URL("echo", listener.url)).request(new Uint8Array(1001))
    await assert.rejects(asking, (error) => final(error) && /at most 1000 bytes/.test(String(error)))
  })

  it("to a service that fails are worth another try, and its error stays inside", async () => {
    const errors: unknown[] = []
    await using listener = await serve({ broken }, { onError: (error) => errors.push(error) })
    const asking = httpTransport(new URL("broken", listener.url)).request(utf8(""))
    await assert.rejects(asking, (error) => retryable(error) && !/secret/.test(String(error)))
    assert.equal(errors.length, 1)
  })

  it("end when the answer grows beyond what the asker takes", async (test) => {
    const url = await rawServer(test, (response) => {
      response.writeHead(200)
      for (let i = 0; i < 100; i++) response.write(Buffer.alloc(10_000))
      response.end()
    })
    await assert.rejects(httpTransport(url, { responseSizeMax: 50_000 }).request(utf8("")), final)
  })

  it("do not follow a server that sends them elsewhere", async (test) => {
    let asked = 0
    const elsewhere = await rawServer(test, (response) => {
      asked++
      response.end()
    })
    for (const status of [301, 303, 307]) {
      const url = await rawServer(test, (response) => response.writeHead(status, { location: elsewhere.href }).end())
      await assert.rejects(httpTransport(url).request(utf8("for one server only")), TransportError)
    }
    assert.equal(asked, 0)
  })

  it("say when a server or a proxy wants to be asked again, in seconds or as a date of HTTP", async (test) => {
    const at = "Sun, 06 Nov 1994 08:49:37 GMT"
    const cases: readonly (readonly [status: number, headers: Record<string, string>, after: number | undefined])[] = [
      [503, { "retry-after": "120" }, 120_000],
      [429, { "retry-after": " 7 " }, 7_000],
      [503, { "retry-after": "9".repeat(400) }, Number.POSITIVE_INFINITY],
      // By the server's clock, whatever this one says.
      [503, { "retry-after": at, date: "Sun, 06 Nov 1994 08:49:07 GMT" }, 30_000],
      [503, { "retry-after": "Sunday, 06-Nov-94 08:49:37 GMT", date: "Sun, 06 Nov 1994 08:49:07 GMT" }, 30_000],
      [503, { "retry-after": "Sun Nov  6 08:49:37 1994", date: "Sun Nov  6 08:49:07 1994" }, 30_000],
      [503, { "retry-after": at, date: "Sun, 06 Nov 1994 08:50:07 GMT" }, undefined],
      [503, { "retry-after": "0" }, undefined],
      ...["-5", "1.5", "soon", "", "1e3", "0x10"].map((it) => [503, { "retry-after": it }, undefined] as const),
      // It is not that the server is busy.
      [404, { "retry-after": "120" }, undefined],
      [503, {}, undefined],
    ]
    for (const [status, headers, after] of cases) {
      const url = await rawServer(test, (response) => response.writeHead(status, headers).end())
      const asked = httpTransport(url).request(utf8(""))
      await assert.rejects(asked, (error) => {
        assert.ok(error instanceof TransportError)
        assert.equal(error.retryAfterMilliseconds, after, JSON.stringify(headers))
        return true
      })
    }
    // Without a date of the server, by this machine's clock.
    for (const date of [at, "Sun Nov  6 08:49:37 1994"]) {
      const headers = new Headers({ "retry-after": date })
      assert.equal(retryAfter(headers, Date.UTC(1994, 10, 6, 8, 49, 0)), 37_000)
    }
  })

  it("show what a strange server said without its control characters", async (test) => {
    const url = await rawServer(test, (response) => response.writeHead(400).end("\u001b[31mred\u0007"))
    await assert.rejects(httpTransport(url).request(utf8("")), /answered 400: \[31mred$/)
  })
})

async function rawServer(
  test: TestContext,
  answer: (response: import("node:http").ServerResponse) => unknown,
): Promise<URL> {
  const server = createServer((_, response) => void answer(response))
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve))
  test.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return new URL(`http://localhost:${(server.address() as AddressInfo).port}/echo`)
}
