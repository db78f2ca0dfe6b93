import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { AuthResponse } from "@conclave/auth/api"
import { decode, encode } from "@conclave/codec"
import { DeliveryResponse } from "@conclave/delivery/api"
import { createKeyPackage } from "@conclave/mls"
import { type Transport, TransportError } from "@conclave/transport"
import { nextDue } from "../src/conversation/advance.js"
import { learnLastCommit } from "../src/conversation/context.js"
import { GroupConversation } from "../src/conversation/facade.js"
import { encodePayload, PAYLOAD_VERSION, type Payload } from "../src/conversation/payload.js"
import type { Client } from "../src/index.js"
import { expected, Mallory } from "./support/mallory.js"
import { tampered } from "./support/tampered.js"
import { provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const later = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** A service whose answers a test may exchange. */
function exchanged(transport: Transport, exchange: (answer: DeliveryResponse) => DeliveryResponse): Transport {
  return tampered(transport, async (_, pass) =>
    encode(DeliveryResponse, exchange(decode(DeliveryResponse, await pass()))),
  )
}

describe("a message of a member without the SDK", () => {
  it("that nobody can read, or a title that is too long, is passed over and told of", async () => {
    await using world = new World({ inMemory: true })
    const [alice, mallory] = [await world.open("alice"), await world.open("mallory")]
    const team = await alice.createConversation({ title: "team", members: ["mallory"] })
    await settle(alice, mallory)
    await taken(alice)
    const inside = await Mallory.inside(world, mallory)
    const say = async (plaintext: Uint8Array) => {
      const { id, epoch } = inside.group
      const body = inside.group.encrypt(plaintext)
      expected(await inside.mallory.append(id, { kind: "application", epoch, body }), "accepted")
    }
    const payload = (body: Payload["body"]) =>
      encodePayload({ version: PAYLOAD_VERSION, messageId: provider.random(16), sentAt: 1n, body })
    await say(Uint8Array.of(0xff, 0xff))
    await say(payload({ type: "title", title: "x".repeat(257) }))
    await say(payload({ type: "title", title: "x".repeat(256) }))
    await say(payload({ type: "text", text: "y".repeat(300) }))
    await alice.sync()
    const told = await taken(alice)
    assert.deepEqual(
      told.map((it) => (it.type === "rejected" ? [it.code, it.count] : it.type)),
      [["UNREADABLE", 2], "title", "message"],
    )
    assert.equal(team.title, "x".repeat(256))
    assert.equal((await team.history()).length, 1)
  })
})

describe("an invitation fails, and the conversation goes on,", () => {
  it("where the service gives something else than a key package of the device that is asked for", async () => {
    await using world = new World({ inMemory: true })
    const mallory = new Mallory(world)
    await mallory.register()
    let keyPackage = new Uint8Array([1, 2, 3])
    const delivery = exchanged(world.transport("delivery"), (answer) =>
      answer.type === "notFound" ? { type: "keyPackage", keyPackage, lastResort: false } : answer,
    )
    const alice = await world.open("alice", { delivery })
    const team = await alice.createConversation({})
    await assert.rejects(team.invite("mallory"), { code: "REFUSED", message: /something else than a key package/ })
    for (const other of [new Mallory(world, "eve", mallory.signer.key), new Mallory(world)]) {
      keyPackage = new Uint8Array(other.keyPackage())
      await assert.rejects(team.invite("mallory"), { code: "REFUSED", message: /somebody else's key package/ })
    }
    const { suite, signer } = mallory.options
    const expired = createKeyPackage({ suite, signer, lifetime: { notBefore: 1n, notAfter: 2n } })
    keyPackage = new Uint8Array(expired.keyPackage)
    await assert.rejects(team.invite("mallory"), { code: "REFUSED", message: /lifetime/ })
    keyPackage = new Uint8Array(mallory.keyPackage())
    await team.invite("mallory")
    assert.deepEqual(team.members, ["alice", "mallory"])
  })

  it("where nobody has the name, no device has a key package, or the directory refuses; and waits where it is silent", async () => {
    await using world = new World({ inMemory: true })
    await new Mallory(world).register()
    const transport = world.transport("auth")
    let request = transport.request
    const alice = await world.open("alice", { auth: { ...transport, request: (body, more) => request(body, more) } })
    const team = await alice.createConversation({})
    await assert.rejects(team.invite("nobody"), { code: "UNKNOWN_NAME" })
    await assert.rejects(team.invite("mallory"), { code: "NO_KEY_PACKAGE" })
    await assert.rejects(team.remove("alice"), TypeError)
    await world.open("bob")
    request = async () => encode(AuthResponse, { type: "invalid", reason: "no lookups today" })
    await assert.rejects(team.invite("bob"), { code: "REFUSED", message: /no lookups today/ })
    request = async () => {
      throw new TransportError("the line is dead", { retryable: true })
    }
    const inviting = team.invite("bob")
    await later(50)
    request = transport.request
    await alice.sync()
    await inviting
    assert.deepEqual(team.members, ["alice", "bob"])
  })
})

describe("a wish", () => {
  it("is not made where its signal was aborted before, or its title is too long", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice")
    const team = await alice.createConversation({})
    const title = "x".repeat(257)
    await assert.rejects(alice.createConversation({ title }), { code: "TOO_LARGE" })
    assert.equal(alice.conversations.size, 1)
    await assert.rejects(team.send("never", { signal: AbortSignal.abort() }), { name: "AbortError" })
    await alice.sync()
    assert.deepEqual(await team.history(), [])
  })

  it("is none in a conversation that this device leaves, or has left; leaving again is no error", async () => {
    await using world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    await alice.createConversation({ members: ["bob"] })
    await bob.sync()
    const leaving = only(bob)
    for (const status of ["leaving", "left"]) {
      await leaving.leave()
      assert.equal(leaving.status, status)
      await leaving.leave()
      await assert.rejects(leaving.send("one more thing"), { code: "NOT_A_MEMBER", message: /was left/ })
      await settle(alice, bob)
    }
    assert.deepEqual(leaving.tree(), [])
  })

  it("to leave declines an invitation, and says where the service does not take that", async () => {
    await using world = new World({ inMemory: true })
    let refusing = true
    const refusal = encode(DeliveryResponse, { type: "invalid", reason: "no proposals today" })
    const delivery = tampered(world.transport("delivery"), async (request, pass) =>
      refusing && request.type === "append" && request.kind === "proposal" ? refusal : pass(),
    )
    const policy = { keyPackages: 4, invitations: "ask" } as const
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { policy, delivery })]
    for (const isRefused of [true, false]) {
      refusing = isRefused
      await alice.createConversation({ members: ["bob"] })
      await bob.sync()
      const invited = only(bob)
      assert.equal(invited.status, "invited")
      const left = invited.leave()
      await assert.rejects(invited.send("wait"), { code: "NOT_A_MEMBER", message: /declined/ })
      if (isRefused) await assert.rejects(left, { code: "REFUSED", message: /no proposals today/ })
      else await left
      assert.equal(bob.conversations.size, 0)
    }
  })

  it("leaves no message in a store that keeps no history", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice", { policy: { keyPackages: 4, history: false } })
    const bob = await world.open("bob", { policy: { keyPackages: 4, history: false } })
    const team = await alice.createConversation({ members: ["bob"] })
    await team.send("read it and forget it")
    await settle(alice, bob)
    assert.ok((await taken(bob)).some((it) => it.type === "message" && it.text === "read it and forget it"))
    assert.deepEqual([await team.history(), await only(bob).history()], [[], []])
  })
})

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

  it("by letting a device in again and again, with logs that it cannot follow, is not asked for ever", async () => {
    await using world = new World({ inMemory: true })
    let lying = false
    let entries = 0
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      if (lying && request.type === "append") entries++
      const answer = decode(DeliveryResponse, await pass())
      if (!lying || request.type !== "read") return encode(DeliveryResponse, answer)
      return encode(DeliveryResponse, { type: "belowRetention", groupId: request.groupId, oldestSeq: 99n })
    })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery })]
    await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    lying = true
    await assert.rejects(bob.sync(), { code: "UNAVAILABLE", message: /no log that can be followed/ })
    assert.equal(entries, 3)
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
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await only(bob).refresh()
    assert.ok(team instanceof GroupConversation)
    const { local } = team.work
    const learn = async () => {
      local.state = { ...local.state, lastCommit: undefined }
      await learnLastCommit(team.work)
      return local.state.lastCommit
    }
    assert.equal(await learn(), undefined)
    await alice.sync()
    assert.equal(await learn(), 2n)
  })
})

describe("a device that has to come back", () => {
  /** Bob's log breaks; what he rejoins by is `spoilt` while it is. */
  async function brokenLog(world: World, auth: Transport) {
    const service = { broken: false, spoilt: false, asked: 0 }
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      const answer = decode(DeliveryResponse, await pass())
      if (answer.type === "groupInfo") {
        service.asked++
        if (service.spoilt) answer.groupInfo[answer.groupInfo.length - 1]! ^= 1
      }
      const isSpoilt = service.broken && request.type === "read" && answer.type === "entries"
      const belowRetention = { type: "belowRetention", groupId: new Uint8Array(), oldestSeq: 99n } as const
      return encode(DeliveryResponse, isSpoilt ? belowRetention : answer)
    })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery, auth })]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    return { service, alice, bob, team }
  }

  it("waits where there is nothing of use to come back by, unless the application asks", async () => {
    await using world = new World({ inMemory: true })
    const { service, bob, team } = await brokenLog(world, world.transport("auth"))
    Object.assign(service, { broken: true, spoilt: true })
    await team.refresh()
    await bob.sync()
    await bob.sync()
    assert.equal(only(bob).status, "recovering")
    const { asked } = service
    const sending = only(bob).send("I was away")
    await later(50)
    assert.equal(service.asked, asked, "woken, it does not ask")
    Object.assign(service, { broken: false, spoilt: false })
    await bob.sync()
    await sending
    assert.equal(only(bob).status, "active")
  })

  it("does not come in where somebody is there whom it does not accept: that is the user's to decide", async () => {
    await using world = new World({ inMemory: true })
    const transport = world.transport("auth")
    const auth: Transport = {
      ...transport,
      async request(body, options) {
        const answer = decode(AuthResponse, await transport.request(body, options))
        const isHidden = answer.type === "devices" && answer.name === "carol"
        return encode(AuthResponse, isHidden ? { type: "notFound" } : answer)
      },
    }
    const { service, bob, team } = await brokenLog(world, auth)
    const carol = await world.open("carol")
    await team.invite("carol")
    service.broken = true
    await bob.sync()
    assert.equal(only(bob).status, "halted")
    assert.deepEqual(only(bob).members, ["alice", "bob"])
    const [key] = await carol.pinnedKeys("carol")
    service.broken = false
    await bob.approveKey("carol", key!)
    await bob.sync()
    assert.deepEqual([only(bob).status, only(bob).members], ["active", ["alice", "bob", "carol"]])
  })
})

describe("the departure of a member", () => {
  it("is carried out by no one who has not accepted the invitation", async () => {
    await using world = new World({ inMemory: true })
    const bob = await world.open("bob", { policy: { keyPackages: 4, invitations: "ask" } })
    const [alice, carol] = [await world.open("alice"), await world.open("carol")]
    const team = await alice.createConversation({ members: ["bob", "carol"] })
    await settle(alice, bob, carol)
    await only(carol).leave()
    for (let round = 0; round < 3; round++) {
      world.now += 60_000
      await bob.sync()
    }
    assert.equal(only(bob).epoch, team.epoch)
    await alice.sync()
    assert.deepEqual(team.members, ["alice", "bob"])
  })

  it("is due only where somebody wants to leave, and this device follows the log", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice")
    await world.open("bob")
    const team = await alice.createConversation({ members: ["bob"] })
    assert.ok(team instanceof GroupConversation)
    const { work } = team
    const due = (changes: Partial<typeof work.local.state>) => {
      work.local.state = { ...work.local.state, ...changes }
      return nextDue(work)
    }
    assert.equal(due({}), undefined)
    const departures = [{ leafIndex: 1, since: 5n }]
    assert.equal(due({ departures }), 5)
    assert.equal(due({ status: "halted" }), undefined)
    assert.equal(due({ status: "leaving" }), 5)
    assert.equal(due({ departures: [] }), undefined)
  })
})
