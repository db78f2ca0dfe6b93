import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"
import {
  decode,
  enumeration,
  opaque,
  optional,
  struct,
  type TypeOf,
  uint8,
  uint32,
  uint64,
  utf8,
  vector,
} from "@conclave/codec"
import { appendOf } from "../src/conversation/request.js"
import type { ConversationHandle } from "../src/device/handle.js"
import type { Client, Content } from "../src/index.js"
import { migrateProfile, PROFILE_VERSION } from "../src/records/migrations.js"
import { type Outgoing, OutlineHead, recordKeys, StoredKeyPackage, Wish } from "../src/records/records.js"
import { fromVersion2 } from "../src/records/version-2.js"
import { fromVersion3, State3 } from "../src/records/version-3.js"
import { OutgoingCommit4, State4 } from "../src/records/version-4.js"
import { MemoryProfile, memoryStore } from "../src/store/memory.js"
import { SealedStore } from "../src/store/sealed.js"
import { provider, taken, World } from "./support/world.js"

/**
 * Bob's, as the last program before version 3 left it: three conversations and one that he has left, one of them
 * being created; a message that was encrypted and may have been sent, one behind it, and a commit that waits.
 */
const [team, left, creating, third] = ["7af2d312", "64fea253", "a3a9e4d4", "f57b2564"]
const messageOnItsWay = "c99f3419ba1c7e3bd44724b36df7e71e"

function profileOfVersion(version: number): MemoryProfile {
  const file = new URL(`../../test/fixtures/profile-version-${version}.json`, import.meta.url)
  const records: Record<string, string> = JSON.parse(readFileSync(file, "utf8"))
  const profile = new MemoryProfile()
  for (const [key, value] of Object.entries(records))
    profile.records.set(key, new Uint8Array(Buffer.from(value, "base64")))
  return profile
}

const sealingKey = new Uint8Array(32).fill(7)
const random = (length: number) => provider.random(length)
const sealed = (profile: MemoryProfile) => new SealedStore(memoryStore(profile), { provider, sealingKey, random })

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
/** What another test holds against the contract of today. */
function withoutRequest(record: object): object {
  const { request: _, outgoing, ...rest } = record as { request?: Uint8Array; outgoing?: Outgoing }
  return outgoing === undefined ? rest : { ...rest, epoch: outgoing.epoch, body: outgoing.body }
}

/** What version 2 wrote, in its order. */
const StateOfVersion2 = struct("State", {
  version: uint8,
  status: enumeration("Status", 1, { creating: 1, active: 2, halted: 3, recovering: 4, lost: 5, leaving: 6, left: 7 }),
  title: utf8,
  reason: utf8,
  cursor: uint64,
  chainHash: opaque,
  firstEpoch: uint64,
  nextWish: uint64,
  departures: vector(struct("Departure", { leafIndex: uint32, since: uint64 })),
  titleDueSince: optional(uint64),
})
const CommitOfVersion2 = struct("OutgoingCommit", {
  purpose: enumeration("CommitPurpose", 1, { wishes: 1, rejoin: 2 }),
  outgoing: struct("Outgoing", { epoch: uint64, body: opaque, request: opaque }),
  wishes: vector(uint64),
  reason: utf8,
})

describe("a profile of version 2", () => {
  it("is opened, with its conversations, history, pins, keys, events and wishes", async () => {
    await using world = new World({ inMemory: true })
    const bob = await world.open("bob", { store: memoryStore(profileOfVersion(2)) })
    const find = (id: string) => [...bob.conversations.values()].find((it) => it.id.startsWith(id))!
    const shown = [team, left, creating, third].map((id) => {
      const { title, status, members, epoch } = find(id!)
      return [title, status, members.join(), epoch]
    })
    assert.deepEqual(shown, [
      ["team", "active", "alice,bob,carol", 2n],
      ["old", "left", "", 0n],
      ["new", "creating", "bob", 0n],
      ["third", "active", "alice,bob", 1n],
    ])
    const conversation = find(team!)
    assert.deepEqual(
      (await conversation.history()).map(({ from, text, own, seq }) => [from, text, own, seq]),
      [
        ["alice", "hello, bob", false, 3],
        ["bob", "hello, alice", true, 4],
      ],
    )
    assert.equal(conversation.safetyCode("alice").replaceAll(" ", "").slice(0, 10), "0582752785")
    assert.equal(Buffer.from(conversation.epochAuthenticator).toString("hex").slice(0, 8), "f5abe8d8")
    assert.deepEqual(
      conversation.pending.map(({ messageId, text }) => [messageId === messageOnItsWay, text]),
      [
        [true, "on its way"],
        [false, "not sent yet"],
      ],
    )
    assert.equal((await bob.pinnedKeys("carol")).length, 2)
    const events = await taken(bob)
    assert.deepEqual(
      events.map(({ number, type }) => `${number} ${type}`),
      ["4 sent", "5 joined", "6 title", "7 left", "8 members", "9 joined", "10 title", "11 rejected"],
    )
    const [members, rejected] = [events[4], events[7]]
    assert.ok(members?.type === "members" && members.added[0] === "carol")
    assert.ok(rejected?.type === "rejected" && rejected.count === 1)
  })

  it("carries its wishes out by the contract of today, and loses nothing at a service that has forgotten it", async () => {
    await using world = new World({ inMemory: true })
    const bob = await world.open("bob", { store: memoryStore(profileOfVersion(2)), live: true })
    const made = [...bob.conversations.values()].find(({ title }) => title === "new")!
    const deadline = Date.now() + 5_000
    while (made.status === "creating" && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10))
    assert.equal(made.status, "active", "its group has been created")
    const old = [...bob.conversations.values()].find(({ title }) => title === "team")!
    assert.deepEqual([old.status, old.pending.length], ["active", 2])
  })

  it("has requests that are the ones of today: the same bodies and ids, in a place to be found out", async () => {
    const profile = profileOfVersion(2)
    const store = sealed(profile)
    await migrateProfile(store)
    assert.equal((await store.get(recordKeys.profile))![0], PROFILE_VERSION)
    const stock = (await store.list(recordKeys.keyPackages)).map(([, record]) => decode(StoredKeyPackage, record))
    assert.deepEqual(stock.map(({ lastResort, published, keptUntil }) => [lastResort, published, keptUntil]).sort(), [
      [false, true, undefined],
      [false, true, undefined],
      [false, true, undefined],
      [true, true, undefined],
    ])
    const outgoing: Outgoing[] = []
    for (const [key] of await store.list(recordKeys.states)) {
      const id = key.slice(recordKeys.states.length)
      for (const [, record] of await store.list(recordKeys.wishes(id))) {
        const wish = decode(Wish, record)
        if (wish.type === "message" && wish.outgoing !== undefined) outgoing.push(wish.outgoing)
      }
      const commit = await store.get(recordKeys.commit(id))
      assert.equal(commit, undefined)
    }
    const requests = outgoing.map((it) => ({ ...it, append: appendOf(it.request) }))
    // A commit without the key of its interval is not sent: what it was for is wished for still.
    assert.deepEqual(requests.map(({ append }) => append.kind).sort(), ["application"])
    for (const { append, epoch, body } of requests) {
      assert.deepEqual([append.epoch, append.body, append.after], [epoch, body, 0n])
      assert.equal(append.idempotencyId.length, 16)
      assert.equal(append.commit === undefined, append.kind !== "commit")
    }
  })

  it("has what version 3 has besides, as if nothing were known of it, and nothing else is changed", async () => {
    const store = sealed(profileOfVersion(2))
    const changed: Record<string, number> = {}
    for (const [key, record] of await fromVersion2(store)) {
      const old = (await store.get(key))!
      const kind = key.replace(/^conversation\/[^/]+\//, "").split("/")[0]!
      changed[kind] = (changed[kind] ?? 0) + 1
      if (kind === "key-package") assert.equal(hex(record), `${hex(old)}00`, "not replaced")
      if (kind === "event") {
        const [members, rejected] = ["0000", "00000001"]
        assert.equal(hex(record), hex(old) + (old[0] === 5 ? members : rejected), "nobody left or came back, and once")
      }
      if (kind === "state") {
        const { lastCommit, missingSince, laterEpoch, ...rest } = decode(State3, record)
        assert.deepEqual([lastCommit, missingSince, laterEpoch], [undefined, undefined, undefined])
        assert.deepEqual(rest, { ...decode(StateOfVersion2, old), version: 2 })
      }
      if (kind === "commit") {
        const [is, was] = [decode(OutgoingCommit4, record), decode(CommitOfVersion2, old)]
        assert.deepEqual(withoutRequest(is), withoutRequest({ ...was, by: "" }))
      }
      if (kind === "wish") {
        assert.deepEqual(withoutRequest(decode(Wish, record)), withoutRequest(decode(Wish, old)))
      }
    }
    assert.deepEqual(changed, { event: 2, "key-package": 4, state: 4, commit: 1, wish: 2 })
  })

  it("is of one version or the other, whenever the power fails", async () => {
    const profile = profileOfVersion(2)
    const before = new Map(profile.records)
    const store = sealed(profile)
    const broken = new Error("no power")
    const failing = Object.assign(Object.create(store), {
      get: store.get.bind(store),
      list: store.list.bind(store),
      transaction: async () => {
        throw broken
      },
    })
    await assert.rejects(migrateProfile(failing), broken)
    assert.deepEqual(profile.records, before)
    await migrateProfile(store)
    const after = new Map(profile.records)
    await migrateProfile(store)
    assert.deepEqual(profile.records, after, "a profile of today is left alone")
  })
})

/**
 * Bob's, as the last program before version 4 left it, two hours into it: a conversation with a commit that may have been
 * sent and a message behind it; one that is halted, with keys to be judged and a message that waits for that; one with an
 * encrypted message that may have been sent; an invitation that waits, with two messages. Three events are acknowledged.
 */
describe("a profile of version 3", () => {
  const titled = (client: Client, title: string) =>
    [...client.conversations.values()].find((it) => it.title === title) as ConversationHandle
  const texts = (messages: readonly { readonly text?: string; readonly bytes?: Uint8Array }[]) =>
    messages.map(({ text, bytes }) => text ?? bytes?.join())

  it("is opened, with everything that it waits for", async () => {
    await using world = new World({ inMemory: true })
    const bob = await world.open("bob", { store: memoryStore(profileOfVersion(3)) })
    const shown = [...bob.conversations.values()].map(
      ({ title, status, members, pending }) => `${title} ${status} ${members}: ${texts(pending)}`,
    )
    assert.deepEqual(shown.sort(), [
      "asked invited bob,dave: ",
      "odd halted bob,erin,zed: held back",
      "team active alice,bob: not sent yet",
      "third active alice,bob: on its way",
    ])
    const { commit, wishes } = titled(bob, "team").driver.state
    assert.equal(commit, undefined, "it is made again, with the key of its interval")
    assert.ok([...wishes].some(([, { type }]) => type === "refresh" || type === "invite"))
    assert.deepEqual(
      titled(bob, "odd").driver.state.unapproved.map(({ name }) => name),
      ["zed"],
    )
    const wish = [...titled(bob, "third").driver.state.wishes][0]?.[1]
    assert.ok(wish?.type === "message" && wish.outgoing !== undefined)
    assert.deepEqual(texts(await titled(bob, "team").history()), ["hello, bob", "hello, alice", "1,2,3"])
    const events = await taken(bob)
    assert.deepEqual(
      events.map(({ number, type, conversation }) => `${number} ${type} ${conversation?.title}`),
      [
        ...["4 sent team", "5 message team", "6 refreshed team", "7 joined odd", "8 title odd", "9 members odd"],
        ...["10 keyChanged odd", "11 halted odd", "12 joined third", "13 title third", "14 invited asked"],
      ],
    )
    const [sent, message, , , , , change] = events
    assert.ok(sent?.type === "sent" && sent.text === "hello, alice" && sent.seq === 4)
    assert.ok(message?.type === "message" && message.bytes?.join() === "1,2,3" && message.from === "alice")
    assert.ok(change?.type === "keyChanged" && change.name === "zed" && !change.accepted)
  })

  it("goes on: takes its invitation, approves its key, and holds new conversations", async () => {
    await using world = new World({ inMemory: true })
    const profile = profileOfVersion(3)
    // The service of this test does not know its conversations.
    const news = async (client: Client) => (await taken(client)).filter(({ type }) => type !== "missing")
    const bob = await world.open("bob", { store: memoryStore(profile) })
    await taken(bob)
    const [asked, odd] = [titled(bob, "asked"), titled(bob, "odd")]
    await asked.accept()
    const told = await news(bob)
    assert.deepEqual(
      told.map(({ type }) => type),
      ["joined", "title", "message", "message"],
    )
    assert.deepEqual(texts(told.slice(2) as readonly Content[]), ["are you in?", "still there?"])
    assert.deepEqual(texts(await asked.history()), ["are you in?", "still there?"])
    await bob.approveKey("zed", odd.driver.state.unapproved[0]!.signatureKey)
    assert.equal(odd.status, "active")
    const made = await bob.createConversation({ title: "made" })
    await made.send("a note")
    await bob.close()
    const again = await world.open("bob", { store: memoryStore(profile) })
    const events = await news(again)
    assert.deepEqual(
      events.map(({ type }) => type),
      ["sent"],
    )
    assert.deepEqual(texts(events as readonly Content[]), ["a note"])
    assert.deepEqual([titled(again, "team").pending.length, titled(again, "third").pending.length], [1, 1])
  })

  it("takes as many messages for unseen in its epoch as it could have missed, and changes nothing else", async () => {
    const profile = profileOfVersion(3)
    const before = new Map(profile.records)
    const store = sealed(profile)
    const [old, outlines] = [new Map<string, TypeOf<typeof State3>>(), new Map<string, bigint>()]
    for (const [key, record] of await store.list(recordKeys.states)) {
      old.set(key, decode(State3, record))
      const outline = await store.get(recordKeys.outline(key.slice(recordKeys.states.length)))
      if (outline !== undefined) outlines.set(key, decode(OutlineHead, outline).epoch)
    }
    const put = await fromVersion3(store)
    assert.deepEqual([...put.keys()].sort(), [...old.keys()].sort())
    assert.deepEqual(profile.records, before)
    assert.ok(old.size > 2)
    for (const [key, record] of put) {
      const { unseen, ...rest } = decode(State4, record)
      assert.deepEqual(rest, { ...old.get(key), version: 3 })
      const epoch = outlines.get(key)
      assert.deepEqual(unseen, epoch === undefined ? [] : [{ epoch, count: 1_000 }])
    }
  })
})

describe("a profile of a version that this program does not know", () => {
  for (const [what, version, message] of [
    ["a newer one", PROFILE_VERSION + 1, /a newer version of this program .* update/],
    ["one that is too old", 1, /profiles of version 1 are not known/],
  ] as const) {
    it(`(${what}) is refused in words, and left as it is`, async () => {
      await using world = new World({ inMemory: true })
      const profile = new MemoryProfile()
      await (await world.open("alice", { store: memoryStore(profile) })).close()
      const store = sealed(profile)
      const record = (await store.get(recordKeys.profile))!
      record[0] = version
      await store.transaction({ put: new Map([[recordKeys.profile, record]]), delete: new Set() })
      await store.close()
      const before = new Map(profile.records)
      await assert.rejects(world.open("alice", { store: memoryStore(profile) }), { code: "WRONG_PROFILE", message })
      assert.deepEqual(profile.records, before)
    })
  }
})
