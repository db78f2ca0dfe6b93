import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { encodePayload, type Payload } from "../src/conversation/payload.js"
import { ClientError } from "../src/errors.js"
import type { Client, ClientEvent, Conversation, Store } from "../src/index.js"
import { Journal } from "../src/journal/journal.js"
import { Transactions } from "../src/journal/transactions.js"
import { UnreadEvents } from "../src/journal/unread.js"
import { type Profile, recordKeys, StoredEvent, StoredMessage } from "../src/records/records.js"
import { MemoryProfile, memoryStore } from "../src/store/memory.js"
import { SealedStore } from "../src/store/sealed.js"
import { provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const sealedStore = (store: Store) =>
  new SealedStore(store, {
    provider,
    sealingKey: new Uint8Array(32).fill(7),
    random: (length) => provider.random(length),
  })
const texts = (events: readonly ClientEvent[]) =>
  events.flatMap((it) => (it.type === "message" || it.type === "sent" ? [`${it.type} ${it.seq} ${it.text}`] : []))

/** The kinds of the records of messages' events, and how many records of messages there are. */
async function recordsOf(profile: MemoryProfile): Promise<{ readonly events: readonly string[]; messages: number }> {
  // A copy: the client has its profile for itself.
  const copy = Object.assign(new MemoryProfile(), { records: profile.records })
  const store = sealedStore(memoryStore(copy))
  const events = (await store.list(recordKeys.events)).map(([, record]) => decode(StoredEvent, record).type)
  const messages = [...profile.records.keys()].filter((key) => key.includes("/message/")).length
  return { events: events.filter((type) => ["message", "sent", "keptMessage"].includes(type)), messages }
}

describe("a message's payload", () => {
  it("is stored once: in the record of the message with a history, in that of the event without one", async () => {
    await using world = new World({ inMemory: true })
    for (const [history, kind, messages] of [
      [true, "keptMessage", 2],
      [false, "", 0],
    ] as const) {
      const profile = new MemoryProfile()
      const name = history ? "bob" : "carol"
      const [alice, bob] = [
        await world.open(`alice-${name}`),
        await world.open(name, { store: memoryStore(profile), policy: { keyPackages: 4, history } }),
      ]
      const team = await alice.createConversation({ members: [name] })
      await settle(alice, bob)
      await team.send("one")
      await settle(alice, bob)
      await only(bob).send("two")
      assert.deepEqual(await recordsOf(profile), { events: kind ? [kind, kind] : ["message", "sent"], messages })
      assert.deepEqual(texts(await taken(bob)), ["message 2 one", "sent 3 two"])
    }
  })

  it("is stored once also where an invitation waited", async () => {
    await using world = new World({ inMemory: true })
    for (const [history, kind] of [
      [true, "keptMessage"],
      [false, "message"],
    ] as const) {
      const profile = new MemoryProfile()
      const name = history ? "bob" : "carol"
      const policy = { keyPackages: 4, history, invitations: "ask" } as const
      const alice = await world.open(`alice-${name}`)
      const bob = await world.open(name, { store: memoryStore(profile), policy })
      const team = await alice.createConversation({ members: [name] })
      await team.send("one")
      await settle(alice, bob)
      assert.deepEqual(await recordsOf(profile), { events: [], messages: 1 })
      await only(bob).accept()
      assert.deepEqual(await recordsOf(profile), { events: [kind], messages: history ? 1 : 0 })
      assert.deepEqual(texts(await taken(bob)), ["message 2 one"])
    }
  })

  it("is shown from its one record after a restart, and to a client that keeps no history any more", async () => {
    await using world = new World({ inMemory: true })
    const profile = new MemoryProfile()
    const alice = await world.open("alice")
    const bob = await world.open("bob", { store: memoryStore(profile) })
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await team.send("one")
    await settle(alice, bob)
    await bob.close()
    const policy = { keyPackages: 4, history: false }
    const again = await world.open("bob", { store: memoryStore(profile), policy })
    const [, event] = await taken(again)
    assert.ok(event?.type === "message")
    const { from, seq, text, sentAt, messageId } = event
    assert.deepEqual([from, seq, text, sentAt.getTime()], ["alice", 2, "one", world.now])
    assert.equal(messageId, (await only(again).history())[0]!.messageId)
  })
})

const profileRecord: Profile = {
  version: 4,
  name: "alice",
  suite: 1,
  signaturePrivateKey: new Uint8Array(),
  signaturePublicKey: new Uint8Array(),
  registered: true,
  inboxCursor: 0n,
  nextEvent: 1n,
}
const conversation = new Uint8Array(32)
const payloadOf = (body: Payload["body"]) =>
  encodePayload({ version: 1, messageId: new Uint8Array(16), sentAt: 0n, body })
const greeting = payloadOf({ type: "text", text: "hi" })

/** A journal on a store that counts what is read of events, and can fail. */
function journal() {
  const profile = new MemoryProfile()
  const counts = { gets: 0 }
  const failing = { after: false, before: false }
  const inner = memoryStore(profile)
  const store = sealedStore({
    lost: inner.lost,
    list: inner.list.bind(inner),
    get(key) {
      if (key.startsWith(recordKeys.events)) counts.gets++
      return inner.get(key)
    },
    async transaction(changes) {
      if (failing.before) throw new ClientError("STORE_FAILED", "no room")
      await inner.transaction(changes)
      if (failing.after) throw new Error("the disk is gone")
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  })
  const transactions = new Transactions(store, profileRecord)
  const team = { id: "team", firstPlace: 0 } as Conversation & { readonly firstPlace: number }
  const events = new Journal(store, transactions, { oldest: 1, find: () => team })
  const emit = (text: string, times = 1) =>
    transactions.run(undefined, (transaction) => {
      for (let i = 0; i < times; i++) {
        transaction.emit({ type: "rejected", conversation: undefined, code: text, reason: "why" })
      }
    })
  const say = (seq: bigint, keeps: boolean, payload = greeting) =>
    transactions.run(undefined, (transaction) => {
      const message = { from: "bob", own: false, payload }
      if (keeps) transaction.put(recordKeys.message("00".repeat(32), Number(seq)), encode(StoredMessage, message))
      transaction.emit({ type: "message", conversation, from: "bob", seq, payload })
    })
  return { store, transactions, events, emit, say, counts, failing }
}

const shown = ({ value }: IteratorResult<ClientEvent>) => {
  const event = value as ClientEvent
  if (event.type === "rejected") return `${event.number} ${event.code} ${event.count}`
  return event.type === "message" ? `${event.number} ${event.seq} ${event.text}` : event.type
}

describe("a listener that keeps up", () => {
  it("is told from memory, by any loop, and reads nothing", async () => {
    const { events, say, counts } = journal()
    const { signal } = new AbortController()
    const loops = [false, true].map((peek) => events.events({ signal, peek })[Symbol.asyncIterator]())
    for (let seq = 1; seq <= 50; seq++) {
      const told = loops.map((loop) => loop.next())
      await say(BigInt(seq), seq % 2 === 0)
      const expected = `${seq} ${seq} hi`
      assert.deepEqual((await Promise.all(told)).map(shown), [expected, expected])
    }
    assert.equal(counts.gets, 0)
  })

  it("reads what was before it, and what is more than memory holds", async () => {
    const { events, say, counts } = journal()
    await say(1n, true)
    const { signal } = new AbortController()
    const loop = events.events({ signal, peek: true })[Symbol.asyncIterator]()
    assert.equal(shown(await loop.next()), "1 1 hi")
    assert.equal(counts.gets, 1)
    for (let seq = 2; seq <= 1_101; seq++) await say(BigInt(seq), false)
    for (let seq = 2; seq <= 1_101; seq++) assert.equal(shown(await loop.next()), `${seq} ${seq} hi`)
    assert.equal(counts.gets, 1 + 100)
  })

  it("does not fill the memory with large messages", async () => {
    const { events, say, counts } = journal()
    const large = payloadOf({ type: "bytes", bytes: new Uint8Array(65_500) })
    const { signal } = new AbortController()
    const loop = events.events({ signal, peek: true })[Symbol.asyncIterator]()
    const first = loop.next()
    await say(1n, false)
    await first
    for (let seq = 2; seq <= 101; seq++) await say(BigInt(seq), false, large)
    for (let seq = 2; seq <= 101; seq++) assert.equal((await loop.next()).value?.number, seq)
    assert.equal(counts.gets, 100 - 64)
  })

  it("sees a repeated event as it is stored", async () => {
    const { events, emit, counts } = journal()
    const { signal } = new AbortController()
    const loop = events.events({ signal, peek: false })[Symbol.asyncIterator]()
    const first = loop.next()
    await emit("FIRST")
    assert.equal(shown(await first), "1 FIRST 1")
    await emit("JUNK", 2)
    await emit("JUNK", 3)
    assert.equal(shown(await loop.next()), "2 JUNK 5")
    await emit("JUNK")
    assert.equal(shown(await loop.next()), "3 JUNK 1", "one that has been shown is not counted up")
    assert.equal(counts.gets, 0)
  })

  it("sees nothing counted in an event that is acknowledged in the same transaction", async () => {
    const { events, emit, store } = journal()
    const { signal } = new AbortController()
    await emit("JUNK")
    await Promise.all([emit("JUNK"), events.acknowledge(1), emit("JUNK"), emit("JUNK")])
    const loop = events.events({ signal, peek: true })[Symbol.asyncIterator]()
    assert.equal(shown(await loop.next()), "2 JUNK 2")
    assert.equal(await store.get(recordKeys.event(1)), undefined)
  })

  it("is acknowledged by a number", async () => {
    const { events, emit } = journal()
    await emit("FIRST")
    for (const number of [Number.NaN, 0.5]) await assert.rejects(events.acknowledge(number), TypeError)
    await events.acknowledge(Number.POSITIVE_INFINITY)
    await emit("NEXT")
    const { signal } = new AbortController()
    assert.equal(shown(await events.events({ signal, peek: true })[Symbol.asyncIterator]().next()), "2 NEXT 1")
  })

  it("sees what is stored where a transaction failed, whether it happened or not", async () => {
    for (const where of ["before", "after"] as const) {
      const { events, emit, failing } = journal()
      const { signal } = new AbortController()
      const loop = events.events({ signal, peek: true })[Symbol.asyncIterator]()
      const waiting = loop.next()
      await emit("FIRST")
      assert.equal(shown(await waiting), "1 FIRST 1")
      await emit("JUNK")
      failing[where] = true
      await assert.rejects(emit("JUNK"))
      failing[where] = false
      await emit("OTHER")
      assert.equal(shown(await loop.next()), where === "before" ? "2 JUNK 1" : "2 JUNK 2")
      assert.equal(shown(await loop.next()), "3 OTHER 1")
    }
  })
})

describe("a loop that acknowledges", () => {
  it("ends with the store's error where an event cannot be acknowledged, and the event is seen again", async () => {
    const { events, emit, failing } = journal()
    const { signal } = new AbortController()
    await emit("FIRST")
    await emit("NEXT")
    const loop = events.events({ signal, peek: false })[Symbol.asyncIterator]()
    assert.equal(shown(await loop.next()), "1 FIRST 1")
    failing.before = true
    await assert.rejects(loop.next(), { code: "STORE_FAILED" })
    failing.before = false
    const again = events.events({ signal, peek: false })[Symbol.asyncIterator]()
    assert.equal(shown(await again.next()), "1 FIRST 1")
    assert.equal(shown(await again.next()), "2 NEXT 1")
  })
})

describe("an event", () => {
  it("that was shown while it was being counted up is not counted up again", () => {
    const unread = new UnreadEvents()
    const event = { type: "rejected", conversation: undefined, code: "JUNK", reason: "why", count: 2 } as const
    unread.keep("junk", { number: 4, event })
    assert.equal(unread.find("junk")?.number, 4)
    unread.read(4)
    unread.keep("junk", { number: 4, event })
    assert.equal(unread.find("junk"), undefined)
  })

  it("whose message is gone is passed over", async () => {
    const { events, say, emit, store } = journal()
    await say(1n, true)
    await emit("NEXT")
    const { signal } = new AbortController()
    await store.transaction({ put: new Map(), delete: new Set([recordKeys.message("00".repeat(32), 1)]) })
    assert.equal(shown(await events.events({ signal, peek: true })[Symbol.asyncIterator]().next()), "2 NEXT 1")
  })
})
