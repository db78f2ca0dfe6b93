import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { Journal } from "../src/core/journal.js"
import { type Profile, recordKeys, StoredEvent, StoredMessage } from "../src/core/records.js"
import { Steps } from "../src/core/steps.js"
import type { Client, ClientEvent, Conversation, Store } from "../src/index.js"
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
const payload = new Uint8Array(Buffer.from(`01${"07".repeat(16)}${"00".repeat(8)}01026869`, "hex"))

function journal() {
  const store = sealedStore(memoryStore())
  const steps = new Steps(store, profileRecord)
  const events = new Journal(store, steps, { oldest: 1, find: () => ({ id: "team" }) as Conversation })
  const emit = (code: string) =>
    steps.run(undefined, (step) => step.emit({ type: "rejected", conversation: undefined, code, reason: "why" }))
  const say = (seq: bigint) =>
    steps.run(undefined, (step) => {
      const message = { from: "bob", own: false, payload }
      step.put(recordKeys.message("00".repeat(32), Number(seq)), encode(StoredMessage, message))
      step.emit({ type: "message", conversation, from: "bob", seq, payload })
    })
  return { store, events, emit, say }
}

const shown = ({ value }: IteratorResult<ClientEvent>) => {
  const event = value as ClientEvent
  if (event.type === "rejected") return `${event.number} ${event.code} ${event.count}`
  return event.type === "message" ? `${event.number} ${event.seq} ${event.text}` : event.type
}

describe("an event", () => {
  it("whose message is gone is passed over", async () => {
    const { events, say, emit, store } = journal()
    await say(1n)
    await emit("NEXT")
    const { signal } = new AbortController()
    await store.transaction({ put: new Map(), delete: new Set([recordKeys.message("00".repeat(32), 1)]) })
    assert.equal(shown(await events.events({ signal, peek: true })[Symbol.asyncIterator]().next()), "2 NEXT 1")
  })
})
