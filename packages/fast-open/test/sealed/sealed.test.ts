import assert from "node:assert/strict"
import { connect as tcpConnect } from "node:net"
import { type TestContext, test } from "node:test"
import { nodeProvider } from "@conclave/crypto/node"
import { type Handler, type ReplaySafe, type RequestContext, type Transport, TransportError } from "@conclave/transport"
import {
  KeyRing,
  SealedServer,
  type SealedServerOptions,
  SealedTransport,
  type SealedTransportOptions,
} from "../../src/sealed/index.js"

const provider = nodeProvider()
const bytes = (words: string) => new TextEncoder().encode(words)
/** What the service of these tests may be asked twice. */
const harmless = (words: string) => bytes(words) as ReplaySafe
const text = (octets: Uint8Array) => new TextDecoder().decode(octets)

interface Asked {
  readonly request: string
  readonly early: boolean
}

/** A service that notes what it is asked, and answers in kind: `count N` is answered N times. */
function service(): { handler: Handler; asked: Asked[]; left: () => number } {
  const asked: Asked[] = []
  let left = 0
  async function* handler(request: Uint8Array, { signal, early }: RequestContext): AsyncGenerator<Uint8Array> {
    const words = text(request)
    asked.push({ request: words.slice(0, 40), early })
    signal.addEventListener("abort", () => left++)
    if (words === "fail") throw new Error("a secret of the service")
    if (words === "wait") await new Promise((resolve) => signal.addEventListener("abort", resolve))
    const [verb, number] = words.split(" ")
    if (verb === "large") yield new Uint8Array(Number(number)).fill(7)
    else for (let n = 1; n <= (verb === "count" ? Number(number) : 1); n++) yield bytes(`${words} → ${n}`)
  }
  return { handler, asked, left: () => left }
}

async function pair(
  context: TestContext,
  options: { server?: Partial<SealedServerOptions>; client?: Partial<SealedTransportOptions> } = {},
) {
  const answering = service()
  const server = new SealedServer({ provider, handler: answering.handler, ...options.server })
  const port = await server.listen({ port: 0, host: "127.0.0.1" })
  const offer = async () => server.offer({ host: "127.0.0.1", clientAddress: "127.0.0.1" })
  const client = new SealedTransport({ provider, service: offer, ...options.client })
  context.after(async () => {
    await client[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })
  return { ...answering, server, client, port, offer }
}

async function collect(responses: AsyncIterable<Uint8Array>): Promise<string[]> {
  const collected: string[] = []
  for await (const response of responses) collected.push(text(response))
  return collected
}

test("a request that is safe to repeat runs from the first flight, another one inside the connection", async (t) => {
  const { client, asked } = await pair(t)

  assert.equal(text(await client.request(harmless("read"), { replaySafe: true })), "read → 1")
  assert.equal(text(await client.request(bytes("write"))), "write → 1")

  assert.deepEqual(asked, [
    { request: "read", early: true },
    { request: "write", early: false },
  ])
})

test("what the service does not allow in a first flight is asked again inside, and runs once", async (t) => {
  const { client, asked } = await pair(t, { server: { mayRunEarly: (request) => text(request) === "read" } })

  assert.equal(text(await client.request(harmless("write"), { replaySafe: true })), "write → 1")

  assert.deepEqual(asked, [{ request: "write", early: false }])
})

test("requests and answers of every size around the buckets and frames arrive as they were", async (t) => {
  const { client } = await pair(t, {
    server: {
      handler: async function* (request) {
        yield request
      },
    },
  })
  const sizes = [
    0, 1, 137, 138, 139, 1081, 1082, 1083, 1084, 1085, 16_381, 16_382, 16_384, 17_466, 17_467, 33_000, 1_000_000,
  ]
  for (const size of sizes) {
    const request = provider.random(size)
    for (const replaySafe of [true, false]) {
      assert.ok(
        Buffer.from(await client.request(request as ReplaySafe, { replaySafe })).equals(request),
        `${size} bytes`,
      )
    }
  }
})

test("a subscription streams responses until the service ends it", async (t) => {
  const { client } = await pair(t)
  assert.deepEqual(
    await collect(client.subscribe(harmless("count 500"), { replaySafe: true })),
    Array.from({ length: 500 }, (_, n) => `count 500 → ${n + 1}`),
  )
})

test("a subscriber that leaves is noticed by the service, and so is one that aborts", async (t) => {
  const { client, left, asked } = await pair(t, { server: { executions: { graceMilliseconds: 10 } } })
  const leaving = new AbortController()
  const waiting = collect(client.subscribe(harmless("wait"), { replaySafe: true, signal: leaving.signal }))
  while (asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))

  leaving.abort(new Error("enough"))

  await assert.rejects(waiting, /enough/)
  while (left() === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.equal(left(), 1)
})

test("a slow subscriber holds the service up and not the memory", async (t) => {
  let made = 0
  const endless: Handler = async function* (_request, { signal }) {
    while (!signal.aborted) {
      made++
      yield new Uint8Array(16_000)
    }
  }
  const { client, server } = await pair(t, { server: { handler: endless } })
  const responses = client.subscribe(harmless("all"), { replaySafe: true })[Symbol.asyncIterator]()
  await responses.next()
  await new Promise((resolve) => setTimeout(resolve, 300))
  const before = made
  await new Promise((resolve) => setTimeout(resolve, 200))

  assert.equal(made, before, "the service waits")
  assert.ok(made * 16_000 < 16 * 1024 * 1024, `${made} responses`)
  assert.ok(server.recordedBytes < 1024 * 1024, `${server.recordedBytes} bytes`)
  await responses.return?.()
})

test("tokens come with the answers and each is used once", async (t) => {
  const { client } = await pair(t)
  await client.request(harmless("read"), { replaySafe: true })
  await new Promise((resolve) => setTimeout(resolve, 50))
  const before = client.tokenCount
  assert.ok(before >= 7, `${before} tokens`)
  await client.request(harmless("read"), { replaySafe: true })
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.ok(client.tokenCount >= before - 1)
})

test("a service that fails says nothing of why", async (t) => {
  const { client } = await pair(t)
  await assert.rejects(client.request(harmless("fail"), { replaySafe: true }), (error: TransportError) => {
    assert.ok(error instanceof TransportError)
    assert.equal(error.retryable, true)
    assert.ok(!String(error.stack).includes("secret"))
    return true
  })
})

test("a request that is too long for the service is refused for good", async (t) => {
  const { client, asked } = await pair(t, { server: { requestSizeMax: 5000 } })
  for (const replaySafe of [true, false]) {
    await assert.rejects(client.request(new Uint8Array(5001) as ReplaySafe, { replaySafe }), {
      name: "TransportError",
      retryable: false,
    })
  }
  assert.equal(asked.length, 0)
  await client.request(new Uint8Array(5000) as ReplaySafe, { replaySafe: true })
})

test("an answer that is longer than the client reads is refused", async (t) => {
  const { client } = await pair(t, { client: { responseSizeMax: 1000 } })
  await assert.rejects(client.request(harmless("large 1001"), { replaySafe: true }), { retryable: false })
})

test("an answer that does not come in time is a retryable error", async (t) => {
  const { client } = await pair(t, { client: { timeoutMilliseconds: 100 } })
  await assert.rejects(client.request(harmless("wait"), { replaySafe: true }), {
    name: "TransportError",
    retryable: true,
  })
})

test("an aborted request rejects with the reason, and a closed transport refuses", async (t) => {
  const { client } = await pair(t)
  const leaving = new AbortController()
  const waiting = client.request(harmless("wait"), { replaySafe: true, signal: leaving.signal })
  leaving.abort(new Error("changed my mind"))
  await assert.rejects(waiting, /changed my mind/)

  await client[Symbol.asyncDispose]()
  await assert.rejects(client.request(bytes("read")), { name: "TransportError", retryable: false })
  await assert.rejects(collect(client.subscribe(harmless("read"), { replaySafe: true })), {
    name: "TransportError",
    retryable: false,
  })
})

test("with a pinned key no other channel is needed, and nothing but a greeting is sealed to it", async (t) => {
  const keys = new KeyRing({ provider })
  const publicKey = keys.pin(provider.random(32))
  const { server: _, port, asked } = await pair(t, { server: { keys } })
  const client = new SealedTransport({ provider, service: { host: "127.0.0.1", port, publicKey } })
  t.after(() => client[Symbol.asyncDispose]())

  assert.equal(text(await client.request(harmless("read"), { replaySafe: true })), "read → 1")
  assert.deepEqual(asked, [{ request: "read", early: true }])

  const impostor = new SealedTransport({
    provider,
    service: { host: "127.0.0.1", port, publicKey: new Uint8Array(32).fill(9) },
  })
  t.after(() => impostor[Symbol.asyncDispose]())
  await assert.rejects(impostor.request(harmless("read"), { replaySafe: true }), TransportError)
})

test("keys that the service no longer has are learnt anew", async (t) => {
  let clock = Date.now()
  const now = () => clock
  const keys = new KeyRing({ provider, now, periodMilliseconds: 1000, overlapMilliseconds: 0 })
  let offers = 0
  const { server, client, offer } = await pair(t, { server: { keys, now }, client: { now } })
  const counting = new SealedTransport({
    provider,
    now: () => 1,
    service: async () => {
      offers++
      return offer()
    },
  })
  t.after(() => counting[Symbol.asyncDispose]())
  await counting.request(harmless("read"), { replaySafe: true })
  assert.equal(text(await client.request(harmless("read"), { replaySafe: true })), "read → 1")

  clock += 3000
  // This client's own clock stands still, so it does not see its key expire: the service has to tell it.
  assert.equal(text(await counting.request(harmless("read"), { replaySafe: true })), "read → 1")
  assert.equal(offers, 2)
  assert.ok(server.admissions.established > 0)
})

test("a service that cannot be reached is asked by the fallback, one that may have heard is not", async (t) => {
  const { offer, server } = await pair(t)
  const turned: string[] = []
  const fallback: Transport = {
    async request(body) {
      turned.push(text(body))
      return bytes("by another way")
    },
    async *subscribe() {
      yield bytes("by another way")
    },
    async [Symbol.asyncDispose]() {},
  }
  const stored = await offer()
  const client = new SealedTransport({ provider, service: async () => stored, fallback })
  t.after(() => client[Symbol.asyncDispose]())

  await assert.rejects(client.request(harmless("fail"), { replaySafe: true }), TransportError)
  assert.deepEqual(turned, [])
  await server[Symbol.asyncDispose]()
  assert.equal(text(await client.request(bytes("read"))), "by another way")
  assert.deepEqual(await collect(client.subscribe(harmless("read"), { replaySafe: true })), ["by another way"])
  assert.deepEqual(turned, ["read"])
})

test("a service with a name is tried at each of its addresses", async (t) => {
  const { server, asked } = await pair(t)
  const names: string[] = []
  const resolve = async (name: string) => {
    names.push(name)
    // Nobody listens at the first two.
    return ["127.0.0.2", "127.0.0.3", "127.0.0.1"]
  }
  const client = new SealedTransport({ provider, service: async () => server.offer({ host: "service.test" }), resolve })
  t.after(() => client[Symbol.asyncDispose]())
  assert.equal(text(await client.request(harmless("read"), { replaySafe: true })), "read → 1")
  assert.equal(text(await client.request(bytes("read"))), "read → 1")
  assert.equal(asked.length, 2)
  assert.deepEqual(names, ["service.test"], "and the one that answered is kept")
})

test("connections that say nothing, or the wrong thing, are closed without a word", async (t) => {
  const { port, client } = await pair(t, { server: { requestTimeoutMilliseconds: 200 } })
  const garbage = [
    new Uint8Array(0),
    provider.random(50),
    provider.random(300),
    provider.random(5000),
    new Uint8Array(1200),
  ]
  for (const octets of garbage) {
    const socket = tcpConnect(port, "127.0.0.1")
    socket.write(octets)
    const heard = await new Promise<number>((resolve) => {
      let length = 0
      socket.on("data", (chunk) => {
        length += chunk.length
      })
      socket.on("error", () => {})
      socket.on("close", () => resolve(length))
    })
    // A whole header with an unknown key gets the one octet that says so.
    assert.ok(heard <= 1, `${heard} bytes`)
  }
  assert.equal(text(await client.request(harmless("read"), { replaySafe: true })), "read → 1")
})
