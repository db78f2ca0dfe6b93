import assert from "node:assert/strict"
import { type TestContext, test } from "node:test"
import { decode } from "@conclave/codec"
import type { Handler, ReplaySafe } from "@conclave/transport"
import {
  MemoryStrikeRegister,
  Offer,
  SealedServer,
  type SealedServerOptions,
  SealedTransport,
  SharedStrikeRegister,
  type StrikeRegister,
} from "../../src/sealed/index.js"
import { flight, pause, provider, send, TestStore } from "./support.js"

/** Registers that are asked over a network, by servers that do not wait for ever. */

const body = () => provider.random(16) as Uint8Array as ReplaySafe
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
const never = () => new Promise<never>(() => {})

async function start(test: TestContext, register: StrikeRegister, options: Partial<SealedServerOptions> = {}) {
  /** Whether each run was early, by request. */
  const runs = new Map<string, boolean[]>()
  const handler: Handler = async function* (request, { early }) {
    runs.set(hex(request), [...(runs.get(hex(request)) ?? []), early])
    yield request
  }
  const server = new SealedServer({ provider, handler, register, ...options })
  const port = await server.listen({ port: 0, host: "127.0.0.1", policy: "off" })
  const offer = () => server.offer({ host: "127.0.0.1" })
  const client = new SealedTransport({ provider, policy: "off", service: async () => offer() })
  test.after(async () => {
    await client[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })
  const ask = (request: ReplaySafe) => client.request(request, { replaySafe: true })
  const [key] = decode(Offer, offer()).supply.keys
  return { server, port, client, ask, key: key!, runsOf: (request: Uint8Array) => runs.get(hex(request)) ?? [] }
}

function shared(test: TestContext, store: TestStore, options: object = {}): SharedStrikeRegister {
  const register = new SharedStrikeRegister({ store, ...options })
  test.after(() => register[Symbol.dispose]())
  return register
}

const failing: Readonly<Record<string, StrikeRegister>> = {
  "does not answer": { strike: never, note: never },
  rejects: {
    strike: () => Promise.reject(new Error("down")),
    note: () => Promise.reject(new Error("down")),
  },
  throws: {
    strike() {
      throw new Error("down")
    },
    note() {
      throw new Error("down")
    },
  },
}

for (const [how, register] of Object.entries(failing)) {
  test(`with a register that ${how}, nothing runs from a first flight, and all is answered inside`, async (t) => {
    const { ask, runsOf, port, key } = await start(t, register, { registerTimeoutMilliseconds: 50 })
    const [asked, recorded] = [body(), body()]
    assert.deepEqual(await ask(asked), new Uint8Array(asked))
    assert.deepEqual(runsOf(asked), [false])
    const bytes = flight(key, recorded)
    await Promise.all(Array.from({ length: 5 }, () => send(port, bytes)))
    assert.deepEqual(runsOf(recorded), [])
  })
}

test("a register that answers later lets the first run, and its copies hear it", async (t) => {
  const memory = new MemoryStrikeRegister()
  let asked = 0
  const register: StrikeRegister = {
    async strike(requestId, time, key) {
      asked++
      await pause(60)
      return memory.strike(requestId, time, key)
    },
    note: (requestId) => memory.note(requestId),
  }
  const { ask, runsOf, port, key } = await start(t, register, { registerTimeoutMilliseconds: 30_000 })
  const one = body()
  await ask(one)
  assert.deepEqual(runsOf(one), [true])

  const other = body()
  const bytes = flight(key, other)
  const heard = await Promise.all(Array.from({ length: 8 }, () => send(port, bytes)))
  assert.deepEqual(runsOf(other), [true])
  assert.ok(heard.every((answer) => answer.length > 33))
  assert.equal(asked, 2, "copies do not ask for themselves")
})

test("a copy waits no longer than the flight before it, and flights of others not at all", async (t) => {
  let asked = 0
  const register: StrikeRegister = {
    strike(requestId) {
      if (requestId[0] === 0) return "first"
      asked++
      return never()
    },
    note: () => "first",
  }
  const { port, key, runsOf } = await start(t, register, { registerTimeoutMilliseconds: 1000 })
  const [stuck, free] = [body(), body()]
  const stuckBytes = flight(key, stuck, { requestId: provider.random(16).fill(1, 0, 1) })
  const order: string[] = []
  const ended = (name: string) => () => order.push(name)
  const first = send(port, stuckBytes).then(ended("stuck"))
  await pause(300)
  const copy = send(port, stuckBytes).then(ended("copy"))
  await send(port, flight(key, free, { requestId: provider.random(16).fill(0, 0, 1) })).then(ended("free"))
  await Promise.all([first, copy])
  assert.equal(order[0], "free")
  assert.equal(asked, 1, "the copy does not begin a wait of its own")
  assert.deepEqual([runsOf(free), runsOf(stuck)], [[true], []])
})

test("an entry whose answer came too late does not keep its request from running inside", async (t) => {
  const store = new TestStore()
  const register = shared(t, store)
  let late = true
  // The entry is made, and the answer is lost: once.
  store.after = async () => {
    if (late) await pause(300)
    late = false
  }
  const { ask, runsOf } = await start(t, register, { registerTimeoutMilliseconds: 100 })
  const request = body()
  assert.deepEqual(await ask(request), new Uint8Array(request))
  assert.deepEqual(runsOf(request), [false])
  assert.equal(store.entered.size, 1)
})

test("what one gateway has run is a copy at the other, early and inside; what it could not decide is not", async (t) => {
  const store = new TestStore()
  let isRegained = false
  const [a, b] = [shared(t, store, { onRegained: () => (isRegained = true) }), shared(t, store)]
  const { signal } = new AbortController()
  const id = () => provider.random(16)
  const now = Date.now()
  const early = id()
  assert.equal(await a.strike(early, now, undefined, signal), "first")
  const calls = store.calls
  assert.equal(await a.strike(early, now, undefined, signal), "copy")
  assert.equal(store.calls, calls, "a copy that was seen here costs the store nothing")
  assert.equal(await b.strike(early, now, undefined, signal), "copy")
  assert.equal(await b.note(early, signal), "copy")

  const inside = id()
  assert.equal(await b.note(inside, signal), "first")
  assert.equal(await a.strike(inside, now, undefined, signal), "copy")
  assert.equal(await b.strike(inside, now, undefined, signal), "copy")

  const late = id()
  const meanwhile = id()
  const given = new AbortController()
  store.after = async () => given.abort()
  assert.equal(await a.strike(late, now, undefined, given.signal), "undecided")
  // What runs inside a connection while the store is away is known here at once, and to all when it is back.
  await assert.rejects(a.note(meanwhile, signal))
  assert.equal(await a.strike(meanwhile, now, undefined, signal), "copy")
  while (!isRegained) await pause(20)
  assert.equal(await b.strike(meanwhile, now, undefined, signal), "copy")
  assert.equal(await a.strike(late, now, undefined, signal), "undecided")
  assert.equal(await b.strike(late, now, undefined, signal), "copy")
  assert.equal(await a.note(late, signal), "first")
  assert.equal(await a.note(late, signal), "copy")
  assert.equal(await a.strike(id(), now - 20_000, undefined, signal), "undecided")
  assert.equal(await a.strike(id(), 2 ** 60, undefined, signal), "undecided")
})

test("a register that is lost is not waited for, says so once, and comes back", async (t) => {
  const store = new TestStore()
  const told: string[] = []
  const register = shared(t, store, { onLost: () => told.push("lost"), onRegained: () => told.push("regained") })
  const { ask, runsOf } = await start(t, register, { registerTimeoutMilliseconds: 100 })
  let release = () => {}
  store.before = () => new Promise<void>((resolve) => (release = resolve))
  await ask(body())
  const calls = store.calls
  const requests = Array.from({ length: 20 }, body)
  for (const request of requests) await ask(request)
  for (const request of requests) assert.deepEqual(runsOf(request), [false])
  // Probes are sent each second, and nothing for the requests.
  assert.ok(store.calls - calls <= 20 && told.length === 1, `${store.calls - calls} calls, ${told}`)
  store.before = async () => {}
  release()
  while (told.length < 2) await pause(20)
  const request = body()
  await ask(request)
  assert.deepEqual(runsOf(request), [true])
  assert.deepEqual(told, ["lost", "regained"])
})
