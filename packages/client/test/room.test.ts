import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { type DeliveryRequest, DeliveryResponse } from "@conclave/contracts/delivery"
import { TransportError } from "@conclave/transport"
import { encodePayload, PAYLOAD_VERSION, type Payload } from "../src/conversation/payload.js"
import type { Client } from "../src/index.js"
import { memoryStore } from "../src/store/memory.js"
import { Mallory } from "./support/mallory.js"
import { tampered } from "./support/tampered.js"
import { provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!

/** A way to the service whose answers `change` may replace; `undefined` leaves the real one. */
function answering(
  world: World,
  change: (request: DeliveryRequest, answer: DeliveryResponse) => DeliveryResponse | undefined,
) {
  return tampered(world.transport("delivery"), async (request, pass) => {
    const answer = decode(DeliveryResponse, await pass())
    return encode(DeliveryResponse, change(request, answer) ?? answer)
  })
}

describe("a service without room", () => {
  it("holds up a message, which is told once, and takes it when there is room again", async () => {
    await using world = new World({ inMemory: true })
    let full = false
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      if (!full || request.type !== "append") return pass()
      return encode(DeliveryResponse, { type: "quotaExceeded", of: "group" })
    })
    const [alice, bob] = [await world.open("alice", { delivery }), await world.open("bob")]
    const conversation = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await taken(alice)
    full = true
    const sending = conversation.send("is there room?")
    for (let minute = 0; minute < 5; minute++) {
      await alice.sync()
      world.now += 60_000
    }
    const told = await taken(alice)
    assert.deepEqual(
      told.map((it) => [it.type, it.type === "deferred" && it.wishes, it.type === "deferred" && it.reason]),
      [["deferred", ["send"], "the service refused it: there is no room left for this conversation"]],
    )
    full = false
    await settle(alice, bob)
    await sending
    assert.equal((await only(bob).history()).at(-1)?.text, "is there room?")
  })
})

describe("a message that has expired at the service", () => {
  it("is passed over without a word by a member who was away, and the chain holds", async () => {
    await using world = new World({ inMemory: true })
    let isLate = false
    const now = () => Date.now() + (isLate ? 2 * 86_400_000 : 0)
    const delivery = answering(world, (_, answer) => {
      if (!isLate || answer.type !== "entries") return undefined
      const entries = answer.entries.map((entry) => {
        if (entry.kind !== "application" || entry.seq !== 2n) return entry
        return { ...entry, kind: "expired" as const, body: provider.hashes["SHA-256"]!.digest(entry.body) }
      })
      return { ...answer, entries }
    })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery, now })]
    const conversation = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await taken(bob)
    await conversation.send("too old")
    await conversation.refresh()
    await conversation.send("recent")
    isLate = true
    await bob.sync()
    assert.deepEqual(
      (await only(bob).history()).map(({ text }) => text),
      ["recent"],
    )
    assert.deepEqual(
      (await taken(bob)).map(({ type }) => type),
      ["refreshed", "message"],
    )
    assert.deepEqual(only(bob).epochAuthenticator, conversation.epochAuthenticator)
  })

  it("is known by its own device, where the answer was lost", async () => {
    await using world = new World({ inMemory: true })
    let isLate = false
    let isLost = false
    const delivery = () =>
      tampered(world.transport("delivery"), async (request, pass) => {
        const answer = decode(DeliveryResponse, await pass())
        isLost ||= request.type === "append" && request.kind === "application"
        if (isLost && !isLate) throw new TransportError("the line is dead", { retryable: true })
        if (answer.type !== "entries") return encode(DeliveryResponse, answer)
        const entries = answer.entries.map((entry) => {
          if (entry.kind !== "application") return entry
          return { ...entry, kind: "expired" as const, body: provider.hashes["SHA-256"]!.digest(entry.body) }
        })
        return encode(DeliveryResponse, { ...answer, entries })
      })
    const alice = await world.open("alice", { delivery: delivery() })
    const conversation = await alice.createConversation({})
    const sending = conversation.send("out, and no answer")
    await assert.rejects(alice.sync(), { code: "UNAVAILABLE" })
    await alice.close()
    await assert.rejects(sending, { code: "CLOSED" })
    isLate = true
    const again = await world.open("alice", { delivery: delivery() })
    await again.sync()
    assert.deepEqual(
      (await taken(again)).map((it) => (it.type === "sent" ? it.text : it.type)),
      ["out, and no answer"],
    )
    assert.deepEqual(only(again).pending, [])
  })

  it("lets the next one be as far ahead as many have expired, and no further", async () => {
    await using world = new World({ inMemory: true })
    let expiredTo = 0n
    const delivery = answering(world, (_, answer) => {
      if (answer.type !== "entries") return undefined
      const entries = answer.entries.map((entry) => {
        if (entry.kind !== "application" || entry.seq > expiredTo) return entry
        return { ...entry, kind: "expired" as const, body: provider.hashes["SHA-256"]!.digest(entry.body) }
      })
      return { ...answer, entries }
    })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery })]
    const mallory = await world.open("mallory")
    const conversation = await alice.createConversation({ members: ["bob", "mallory"] })
    await settle(alice, bob, mallory)
    const expired = 400
    await Promise.all(Array.from({ length: expired }, (_, n) => conversation.send(`expired ${n}`)))
    await conversation.send("recent")
    expiredTo = BigInt(expired) + 1n
    await bob.sync()
    await taken(bob)
    assert.deepEqual(
      (await only(bob).history()).map(({ text }) => text),
      ["recent"],
    )

    // Messages that the service never had: of a program that lost them, or of one that wants to make others work.
    const { mallory: member, group } = await Mallory.inside(world, mallory)
    const say = async (text: string, unsent: number) => {
      const message = {
        version: PAYLOAD_VERSION,
        messageId: provider.random(16),
        sentAt: 1n,
        body: { type: "text", text },
      }
      for (let n = 0; n < unsent; n++) group.encrypt(encodePayload(message as Payload))
      const body = group.encrypt(encodePayload(message as Payload))
      await member.append(group.id, { kind: "application", epoch: group.epoch, body })
    }
    await say("a few were lost", 100)
    await say("is seen", 0)
    await say("claims to be far ahead", expired + 300)
    await bob.sync()
    const events = await taken(bob)
    assert.deepEqual(
      events.map((event) =>
        event.type === "message" ? event.text : event.type === "rejected" ? event.code : event.type,
      ),
      ["a few were lost", "is seen", "GENERATION_SPENT"],
    )
  })
})

describe("an invitation that one inbox has no room for", () => {
  it("fails for that person, who is taken out again, and for nobody else", async () => {
    await using world = new World({ inMemory: true })
    const carol = await world.open("carol")
    const delivery = answering(world, (request, answer) => {
      if (request.type !== "append" || request.commit === undefined || answer.type !== "accepted") return undefined
      const undelivered = request.commit.recipients.slice(1).map(({ deviceId }) => deviceId)
      return { ...answer, undelivered }
    })
    const [alice, bob] = [await world.open("alice", { delivery }), await world.open("bob")]
    const conversation = await alice.createConversation({ members: ["bob", "carol"] })
    await settle(alice, bob)
    const told = await taken(alice)
    const failed = told.find(({ type }) => type === "failed")
    assert.ok(failed?.type === "failed")
    assert.deepEqual([failed.wish, failed.names], ["invite", ["carol"]])
    assert.match(failed.reason, /inbox .* is full/)
    assert.deepEqual(conversation.members, ["alice", "bob"])
    assert.deepEqual(only(bob).members, ["alice", "bob"])
    assert.ok(carol.name)
  })

  it("puts nobody out who is in it with another device already", async () => {
    await using world = new World({ inMemory: true })
    let isFull = false
    const delivery = answering(world, (request, answer) => {
      if (!isFull || request.type !== "append" || request.commit === undefined) return undefined
      if (answer.type !== "accepted") return undefined
      return { ...answer, undelivered: request.commit.recipients.map(({ deviceId }) => deviceId) }
    })
    const [alice, phone] = [await world.open("alice", { delivery }), await world.open("carol")]
    const conversation = await alice.createConversation({ members: ["carol"] })
    await settle(alice, phone)
    const endorse = (registration: Uint8Array) => phone.endorseDevice(registration)
    await world.open("carol", { store: memoryStore(), endorse })
    isFull = true
    await conversation.invite("carol")
    await conversation.send("are you there?")
    await settle(alice, phone)
    assert.deepEqual(conversation.members, ["alice", "carol"])
    assert.equal(only(phone).status, "active")
    assert.equal((await only(phone).history()).at(-1)?.text, "are you there?")
    assert.ok(!(await taken(alice)).some(({ type }) => type === "failed"))
  })
})

describe("a service that places what it says it refuses", () => {
  for (const kind of ["commit", "proposal"] as const) {
    it(`(a ${kind}) does not cut its author off from what the others have carried out`, async () => {
      await using world = new World({ inMemory: true })
      let lies = 1
      const delivery = answering(world, (request) =>
        request.type === "append" && request.kind === kind && lies-- > 0
          ? { type: "invalid", reason: "no" }
          : undefined,
      )
      const [alice, carol] = [await world.open("alice"), await world.open("carol")]
      const bob = await world.open("bob", { delivery })
      const conversation = await alice.createConversation({ members: ["bob", "carol"] })
      await settle(alice, bob, carol)
      const wish = kind === "commit" ? only(bob).refresh() : only(bob).leave()
      await assert.rejects(wish, { code: "REFUSED" })
      await settle(bob, alice, carol, bob, alice)
      await conversation.send("do you hear me?")
      await settle(alice, carol, bob)
      for (const client of [bob, carol]) {
        assert.equal((await only(client).history()).at(-1)?.text, "do you hear me?")
        assert.deepEqual(only(client).members, ["alice", "bob", "carol"])
        assert.deepEqual(only(client).epochAuthenticator, conversation.epochAuthenticator)
      }
      const told = (await taken(bob)).filter(({ type }) => type === "recovered" || type === "refreshed")
      if (kind === "commit") assert.ok(told[0]?.type === "refreshed" && told[0].by === "bob")
      else assert.ok(told[0]?.type === "recovered" && /refused a .* and placed it nevertheless/.test(told[0].reason))
    })
  }
})
