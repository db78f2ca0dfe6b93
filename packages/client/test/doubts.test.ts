import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { noAccess } from "@conclave/contracts/access"
import { DeliveryResponse } from "@conclave/contracts/delivery"
import { type Transport, TransportError } from "@conclave/transport"
import { fromHex } from "../src/bytes.js"
import { ConversationHandle } from "../src/device/handle.js"
import type { Client } from "../src/index.js"
import { expected, Mallory } from "./support/mallory.js"
import { tampered } from "./support/tampered.js"
import { settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const later = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** A service whose answers a test may exchange. */
function exchanged(transport: Transport, exchange: (answer: DeliveryResponse) => DeliveryResponse): Transport {
  return tampered(transport, async (_, pass) =>
    encode(DeliveryResponse, exchange(decode(DeliveryResponse, await pass()))),
  )
}

describe("a service that contradicts itself", () => {
  it("by a commit that its log does not show is not asked for ever", async () => {
    await using world = new World({ inMemory: true })
    let lying = false
    const stale = encode(DeliveryResponse, { type: "stale", lastCommitSeq: 99n, headSeq: 99n })
    const delivery = tampered(world.transport("delivery"), async (request, pass) =>
      lying && request.type === "append" ? stale : pass(),
    )
    const alice = await world.open("alice", { delivery })
    const team = await alice.createConversation({})
    lying = true
    for (const wish of [team.refresh(), team.send("hello?")]) {
      wish.catch(() => {})
      await assert.rejects(alice.sync(), { code: "UNAVAILABLE", message: /a commit that its log does not show/ })
    }
  })
})

describe("a log", () => {
  it("is not doubted where the service is silent, gives a part of it at a time, or an entry twice", async () => {
    await using world = new World({ inMemory: true })
    let silent = false
    let reads = 0
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      if (request.type !== "read") return pass()
      if (silent) throw new TransportError("the line is dead", { retryable: true })
      reads++
      const answer = decode(DeliveryResponse, await pass())
      if (answer.type !== "entries") return encode(DeliveryResponse, answer)
      const [first, second] = answer.entries
      return encode(DeliveryResponse, { ...answer, entries: [first, first, second].flatMap((it) => it ?? []) })
    })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery })]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await taken(bob)
    for (const text of ["one", "two", "three", "four", "five"]) await team.send(text)
    silent = true
    for (let round = 0; round < 3; round++) await assert.rejects(bob.sync(), { code: "UNAVAILABLE" })
    assert.equal(only(bob).status, "active")
    silent = false
    reads = 0
    await bob.sync()
    assert.equal(reads, 3)
    assert.deepEqual(
      (await taken(bob)).map(({ type }) => type),
      Array(5).fill("message"),
    )
  })
})

describe("a log of which nothing was read before", () => {
  it("has no gap that is passed over", async () => {
    await using world = new World({ inMemory: true })
    let dropping = true
    const delivery = exchanged(world.transport("delivery"), (answer) => {
      if (!dropping || answer.type !== "entries" || answer.entries.length < 2) return answer
      dropping = false
      return { ...answer, entries: answer.entries.slice(1) }
    })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery })]
    const team = await alice.createConversation({ members: ["bob"] })
    await bob.sync()
    for (const text of ["one", "two"]) await team.send(text)
    await bob.sync()
    assert.ok(!dropping)
    assert.deepEqual(
      (await only(bob).history()).map(({ text }) => text),
      ["one", "two"],
    )
  })
})

describe("the last commit that a device has read", () => {
  it("is asked for where the profile does not know it, and is none that this device has not got to", async () => {
    await using world = new World({ inMemory: true })
    let forgets = false
    const delivery = exchanged(world.transport("delivery"), (answer) =>
      forgets && answer.type === "head" ? { type: "notFound", groupId: new Uint8Array() } : answer,
    )
    const [alice, bob] = [await world.open("alice", { delivery }), await world.open("bob")]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await only(bob).refresh()
    assert.ok(team instanceof ConversationHandle)
    const { position } = team.driver.state
    const { signal } = new AbortController()
    const learn = async () => {
      position.reload({ ...position.stored, lastCommit: undefined })
      assert.ok(position.needsLastCommit)
      const answer = await team.driver.means.delivery.head(team.driver.state.id, {
        prover: team.driver.state.intervals.newest,
        signal,
      })
      position.learnLastCommit(answer?.lastCommitSeq)
      assert.ok(!position.needsLastCommit)
      return position.lastCommit
    }
    assert.equal(await learn(), undefined)
    await alice.sync()
    forgets = true
    assert.equal(await learn(), undefined)
    forgets = false
    position.reload({ ...position.stored, lastCommit: undefined })
    await team.refresh()
    assert.equal(position.lastCommit, 3n)
  })
})

describe("a message of this device that the service repeats", () => {
  it("is not taken for the one that is under way", async () => {
    await using world = new World({ inMemory: true })
    let lost = false
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      if (lost && request.type === "append") throw new TransportError("the line is dead", { retryable: true })
      return pass()
    })
    const [alice, bob] = [await world.open("alice", { delivery }), await world.open("bob")]
    const team = await alice.createConversation({ members: ["bob"] })
    await team.send("one")
    lost = true
    const sending = team.send("two")
    await later(20)
    const { mallory } = await Mallory.inside(world, alice)
    const groupId = fromHex(team.id)
    const page = { type: "read", groupId, afterSeq: 0n, limit: 100, access: noAccess } as const
    const log = expected(await mallory.askAs(mallory.keys, page), "entries")
    const { epoch, body } = log.entries.at(-1)!
    expected(await mallory.append(groupId, { kind: "application", epoch, body }), "accepted")
    lost = false
    await alice.sync()
    await sending
    await settle(bob)
    assert.deepEqual(
      (await only(bob).history()).map(({ text }) => text),
      ["one", "two"],
    )
  })
})

describe("a wish, where the service shows the log and takes nothing, as if it did not know the group,", () => {
  for (const kind of ["refresh", "send", "leave"] as const) {
    it(`waits, without an event each time (${kind})`, async () => {
      await using world = new World({ inMemory: true })
      let forgets = false
      const notFound = encode(DeliveryResponse, { type: "notFound", groupId: new Uint8Array() })
      const delivery = tampered(world.transport("delivery"), async (request, pass) =>
        forgets && request.type === "append" ? notFound : pass(),
      )
      const [alice, bob] = [await world.open("alice", { delivery }), await world.open("bob")]
      const team = await alice.createConversation({ members: ["bob"] })
      await settle(alice, bob)
      await taken(alice)
      forgets = true
      const wish = kind === "send" ? team.send("hello?") : kind === "refresh" ? team.refresh() : team.leave()
      wish.catch(() => {})
      for (let round = 0; round < 3; round++) await assert.rejects(alice.sync(), { code: "UNAVAILABLE" })
      assert.deepEqual(await taken(alice), [])
      forgets = false
      for (let round = 0; round < 3; round++) {
        world.now += 10_000
        await settle(alice, bob)
      }
      await wish
      const done = { refresh: "refreshed", send: "sent", leave: "left" }[kind]
      assert.ok((await taken(alice)).some(({ type }) => type === done))
    })
  }
})

describe("a pause", () => {
  it("is over where the clock has been set back since it began", async () => {
    await using world = new World({ inMemory: true })
    let [ahead, isHidden] = [0, false]
    const delivery = tampered(world.transport("delivery"), async (request, pass) =>
      isHidden && request.type === "read"
        ? encode(DeliveryResponse, { type: "notFound", groupId: request.groupId })
        : pass(),
    )
    const alice = await world.open("alice")
    const bob = await world.open("bob", { delivery, now: () => world.now + ahead })
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await taken(bob)
    const { driver } = only(bob) as ConversationHandle
    const look = async () => {
      driver.bring({ type: "head unknown" })
      await driver.runner.once()
    }
    ahead = 365 * 86_400_000
    isHidden = true
    await look()
    assert.deepEqual(
      (await taken(bob)).map(({ type }) => type),
      ["missing"],
    )
    ahead = 0
    isHidden = false
    await team.send("here we are")
    await look()
    assert.deepEqual(
      (await only(bob).history()).map(({ text }) => text),
      ["here we are"],
    )
  })
})
