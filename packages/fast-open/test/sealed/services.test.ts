import assert from "node:assert/strict"
import { request as httpRequest } from "node:http"
import { type TestContext, test } from "node:test"
import { decode, type TypeOf } from "@conclave/codec"
import { nodeProvider } from "@conclave/crypto/node"
import { listen } from "@conclave/server"
import type { Handler, ReplaySafe, Transport } from "@conclave/transport"
import {
  joinTransports,
  KeyRing,
  Offer,
  SealedServer,
  type SealedServerOptions,
  SealedTransport,
  type SealedTransportOptions,
  serveAll,
  shareTransport,
} from "../../src/sealed/index.js"

const provider = nodeProvider()
const bytes = (words: string) => new TextEncoder().encode(words)
const harmless = (words: string) => bytes(words) as ReplaySafe
const text = (octets: Uint8Array) => new TextDecoder().decode(octets)

const named = (name: string, asked: string[] = []): Handler =>
  async function* (request, { early }) {
    asked.push(`${name} ${text(request)}${early ? " early" : ""}`)
    yield bytes(`${name}: ${text(request)}`)
    yield bytes("and more")
  }

async function serving(context: TestContext, options: Partial<SealedServerOptions> = {}) {
  const server = new SealedServer({ provider, handler: named("alone"), ...options })
  const port = await server.listen({ port: 0, host: "127.0.0.1" })
  context.after(() => server[Symbol.asyncDispose]())
  return { server, port, offer: async () => server.offer({ host: "127.0.0.1", clientAddress: "127.0.0.1" }) }
}

function asking(context: TestContext, options: Omit<SealedTransportOptions, "provider">): SealedTransport {
  const transport = new SealedTransport({ provider, ...options })
  context.after(() => transport[Symbol.asyncDispose]())
  return transport
}

test("several services are behind one port, each with its own say on what may run early", async (t) => {
  const asked: string[] = []
  const services = {
    reads: { handler: named("reads", asked), mayRunEarly: () => true },
    writes: { handler: named("writes", asked), mayRunEarly: () => false },
  }
  const { offer } = await serving(t, serveAll(services))
  const { reads, writes, missing } = shareTransport(asking(t, { service: offer }), ["reads", "writes", "missing"])
  assert.equal(text(await reads.request(harmless("a"), { replaySafe: true })), "reads: a")
  assert.equal(text(await writes.request(harmless("b"), { replaySafe: true })), "writes: b")
  const streamed: string[] = []
  for await (const response of reads.subscribe(harmless("c"), { replaySafe: true })) streamed.push(text(response))
  assert.deepEqual(streamed, ["reads: c", "and more"])
  assert.deepEqual(asked, ["reads a early", "writes b", "reads c early"])
  await assert.rejects(missing.request(bytes("d")), { name: "TransportError" })
})

test("a shared transport is closed with the last of its services", async (t) => {
  const { offer } = await serving(t, serveAll({ one: { handler: named("one"), mayRunEarly: () => true } }))
  const { one, other } = shareTransport(asking(t, { service: offer }), ["one", "other"])
  await other[Symbol.asyncDispose]()
  await other[Symbol.asyncDispose]()
  assert.equal(text(await one.request(bytes("still"))), "one: still")
  await one[Symbol.asyncDispose]()
  await assert.rejects(one.request(bytes("late")), { name: "TransportError", retryable: false })
})

test("where sealed requests cannot go, each service is asked another way, and that is told once", async (t) => {
  const told: string[] = []
  const way = (name: string): Transport => ({
    async request(body) {
      return bytes(`${name} got ${text(body)}`)
    },
    async *subscribe(body) {
      yield bytes(`${name} got ${text(body)}`)
    },
    async [Symbol.asyncDispose]() {},
  })
  const transport = asking(t, {
    service: async () => {
      throw new TypeError("fetch failed")
    },
    fallback: joinTransports({ one: way("one"), other: way("other") }),
    onFallback: ({ message }) => told.push(message),
  })
  const { one, other } = shareTransport(transport, ["one", "other"])
  assert.equal(text(await one.request(harmless("a"), { replaySafe: true })), "one got a")
  assert.equal(text(await other.request(bytes("b"))), "other got b")
  for await (const response of other.subscribe(bytes("c"))) assert.equal(text(response), "other got c")
  assert.deepEqual(told, ["the service's offer could not be had"])
})

test("a service that makes no offer is not asked for one again at every request", async (t) => {
  let asks = 0
  let clock = 1_000_000
  const fallback = joinTransports({})
  const transport = asking(t, {
    now: () => clock,
    fallback: { ...fallback, request: async () => bytes("by another way") },
    service: async () => {
      asks++
      throw new Error("404")
    },
  })
  for (let n = 0; n < 5; n++) await transport.request(bytes("read"))
  assert.equal(asks, 1)
  clock += 16_000
  for (let n = 0; n < 5; n++) await transport.request(bytes("read"))
  assert.equal(asks, 2)
})

test("what one process has learnt the next begins with: keys, and never a token", async (t) => {
  const keys = new KeyRing({ provider })
  const { server, port } = await serving(t, { keys })
  let offers = 0
  let kept: Uint8Array | undefined
  const options = {
    service: async () => {
      offers++
      return server.offer({ host: "127.0.0.1", clientAddress: "127.0.0.1" })
    },
    kept: {
      load: () => kept,
      save(offer: Uint8Array) {
        kept = offer
      },
    },
  }
  await asking(t, options).request(harmless("read"), { replaySafe: true })
  const stored: TypeOf<typeof Offer> = decode(Offer, kept!)
  assert.equal(stored.port, port)
  assert.equal(stored.supply.keys[0]!.id, keys.publicKeys()[0]!.id)
  assert.deepEqual(stored.supply.tokens, [])

  const next = asking(t, options)
  assert.equal(text(await next.request(harmless("again"), { replaySafe: true })), "alone: again")
  assert.equal(offers, 1)

  // Keys that the service has lost, and bytes that are no offer, cost what they were to save and nothing else.
  keys.destroy()
  assert.equal(text(await asking(t, options).request(harmless("renewed"), { replaySafe: true })), "alone: renewed")
  assert.equal(offers, 2)
  kept = provider.random(100)
  assert.equal(text(await asking(t, options).request(harmless("mended"), { replaySafe: true })), "alone: mended")
  assert.equal(offers, 3)
})

test("a connection that brings tokens has the same lengths as one that brings none", async (t) => {
  const { server } = await serving(t)
  const client = asking(t, { service: async () => server.offer({ host: "127.0.0.1" }) })
  const measure = async () => {
    const [bytes, tokens] = [server.bytes, client.tokenCount]
    await client.request(harmless("the same"), { replaySafe: true })
    await new Promise((resolve) => setTimeout(resolve, 100))
    return { bytes: server.bytes - bytes, tokens: client.tokenCount - tokens }
  }
  const measured = [await measure(), await measure(), await measure()]
  assert.ok(measured[0]!.tokens > 0 && measured[2]!.tokens <= 0, measured.map(({ tokens }) => tokens).join())
  for (const { bytes } of measured) assert.equal(bytes, measured[0]!.bytes)
})

test("a server that closes ends subscriptions and answers the requests that are under way", async (t) => {
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const handler: Handler = async function* (request, { signal }) {
    if (text(request) === "stream") {
      yield bytes("first")
      await new Promise((resolve) => signal.addEventListener("abort", resolve))
      return
    }
    await released
    yield bytes("finished")
  }
  const { server, offer } = await serving(t, { handler })
  const client = asking(t, { service: offer })
  const stream = client.subscribe(harmless("stream"), { replaySafe: true })[Symbol.asyncIterator]()
  await stream.next()
  const answer = client.request(harmless("slow"), { replaySafe: true })
  await new Promise((resolve) => setTimeout(resolve, 150))
  const closing = server.close()
  await assert.rejects(stream.next(), { name: "TransportError", retryable: true })
  release()
  assert.equal(text(await answer), "finished")
  await closing
  await assert.rejects(client.request(bytes("late")), { name: "TransportError" })
})

test("the offer is made at /fast-open, with tokens for the asker and none for whoever stands in between", async (t) => {
  const { server } = await serving(t)
  const offer = (clientAddress: string | undefined) => server.offer({ host: "", clientAddress })
  await using listener = await listen({ services: {}, offer })
  const url = new URL("fast-open", listener.url)
  const get = async (headers: Record<string, string> = {}) => {
    const response = await fetch(url, { headers })
    assert.equal(response.status, 200)
    assert.equal(response.headers.get("cache-control"), "no-store")
    return decode(Offer, new Uint8Array(await response.arrayBuffer()))
  }
  assert.equal((await get()).supply.tokens.length, 8)
  assert.equal((await get({ "x-forwarded-for": "192.0.2.1" })).supply.tokens.length, 0)
  const refused = await new Promise<number | undefined>((resolve) => {
    httpRequest(url, { method: "POST" }, (response) => resolve(response.resume().statusCode)).end()
  })
  assert.equal(refused, 405)
  await using silent = await listen({ services: {} })
  assert.equal((await fetch(new URL("fast-open", silent.url))).status, 404)
})
