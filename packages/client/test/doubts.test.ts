import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { AuthResponse } from "@conclave/contracts/auth"
import { DeliveryResponse } from "@conclave/contracts/delivery"
import { type Transport, TransportError } from "@conclave/transport"
import { fromHex } from "../src/bytes.js"
import { knownSigner } from "../src/conversation/group-info.js"
import { ConversationHandle } from "../src/device/handle.js"
import type { Client } from "../src/index.js"
import { until } from "./support/counting.js"
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
    const learn = async () => {
      position.reload({ ...position.stored, lastCommit: undefined })
      assert.ok(position.needsLastCommit)
      const answer = await team.driver.means.delivery.head(team.driver.state.id, new AbortController().signal)
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

describe("a device that has to come back", () => {
  /** Bob's log breaks; what he rejoins by is `spoilt` while it is. */
  async function brokenLog(world: World, auth: Transport) {
    const service = { broken: false, spoilt: false, asked: 0, unknown: undefined as string | undefined, loses: false }
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      if (request.type === service.unknown)
        return encode(DeliveryResponse, { type: "notFound", groupId: new Uint8Array() })
      const answer = decode(DeliveryResponse, await pass())
      if (service.loses && request.type === "append")
        throw new TransportError("the answer is lost", { retryable: true })
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
    const told = (await taken(bob)).map((it) => (it.type === "rejected" ? [it.code, it.count] : it.type))
    assert.deepEqual(told, ["joined", ["CANNOT_REJOIN", 1]])
    const { asked } = service
    const sending = only(bob).send("I was away")
    await later(50)
    assert.equal(service.asked, asked, "woken, it does not ask")
    Object.assign(service, { broken: false, spoilt: false })
    await bob.sync()
    await sending
    assert.equal(only(bob).status, "active")
  })

  for (const [request, told] of [
    ["groupInfo", ["missing"]],
    ["append", []],
  ] as const) {
    it(`waits where the service does not know the group, and tells it where no answer says otherwise (${request})`, async () => {
      await using world = new World({ inMemory: true })
      const { service, bob, team } = await brokenLog(world, world.transport("auth"))
      await team.refresh()
      await taken(bob)
      Object.assign(service, { broken: true, unknown: request })
      for (let round = 0; round < 2; round++) {
        if (request === "groupInfo") await bob.sync()
        else await assert.rejects(bob.sync(), { code: "UNAVAILABLE" })
      }
      assert.equal(only(bob).status, "recovering")
      assert.deepEqual(
        (await taken(bob)).map(({ type }) => type),
        told,
      )
      Object.assign(service, { broken: false, unknown: undefined })
      await bob.sync()
      assert.equal(only(bob).status, "active")
    })
  }

  it("comes in once, where the first answer to its commit is lost", async () => {
    await using world = new World({ inMemory: true })
    const { service, alice, bob, team } = await brokenLog(world, world.transport("auth"))
    await team.refresh()
    await taken(alice)
    Object.assign(service, { broken: true, loses: true })
    await assert.rejects(bob.sync(), { code: "UNAVAILABLE" })
    Object.assign(service, { broken: false, loses: false })
    await settle(bob, alice)
    assert.equal(only(bob).status, "active")
    const told = (await taken(alice)).flatMap((it) => (it.type === "members" ? [it.rejoined] : []))
    assert.deepEqual(told, [["bob"]])
  })

  it("learns the place of a message that the service took before, and sends it once", async () => {
    await using world = new World({ inMemory: true })
    const service = { broken: false, loses: true, appends: 0 }
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      if (request.type === "groupInfo") service.broken = false
      const answer = await pass()
      if (request.type === "read" && service.broken) {
        return encode(DeliveryResponse, { type: "belowRetention", groupId: request.groupId, oldestSeq: 99n })
      }
      if (request.type !== "append" || request.kind !== "application") return answer
      service.appends++
      if (service.loses) throw new TransportError("the answer is lost", { retryable: true })
      return answer
    })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery })]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await taken(bob)
    const sending = only(bob).send("before I was away")
    await until(() => service.appends === 1, "the message")
    await team.refresh()
    service.broken = true
    await assert.rejects(bob.sync(), { code: "UNAVAILABLE" })
    assert.equal(service.broken, false, "it has come back")
    // What is followed before the place is known says nothing about it.
    await alice.sync()
    await team.send("welcome back")
    await assert.rejects(bob.sync(), { code: "UNAVAILABLE" })
    service.loses = false
    await bob.sync()
    await sending
    assert.deepEqual(
      (await taken(bob)).map((it) => (it.type === "message" || it.type === "sent" ? `${it.seq} ${it.text}` : it.type)),
      ["recovered", "5 welcome back", "2 before I was away"],
    )
    await alice.sync()
    assert.deepEqual(
      (await team.history()).map(({ text }) => text),
      ["before I was away", "welcome back"],
    )
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

describe("what a GroupInfo is signed by", () => {
  it("is a member of the last tree, for this group, or nobody", async () => {
    await using world = new World({ inMemory: true })
    const [alice, carol] = [await world.open("alice"), await world.open("carol")]
    const team = await alice.createConversation({ members: ["carol"] })
    await carol.sync()
    const elsewhere = await alice.createConversation({})
    assert.ok(team instanceof ConversationHandle && elsewhere instanceof ConversationHandle)
    const { suite } = team.driver.means.identity
    const signer = (message: Uint8Array) => knownSigner(team.driver.state, suite, message)
    const { group } = await Mallory.inside(world, carol)
    const groupInfo = group.groupInfo()
    assert.deepEqual(signer(groupInfo), { name: "carol", epoch: 1n })
    const other = elsewhere.driver.state.group!.groupInfo()
    assert.equal(signer(other), undefined)
    assert.equal(signer(groupInfo.subarray(1)), undefined)
    await team.remove("carol")
    assert.equal(signer(groupInfo), undefined)
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
    const mallory = new Mallory(world)
    const groupId = fromHex(team.id)
    const log = expected(await mallory.ask({ type: "read", groupId, afterSeq: 0n, limit: 100 }), "entries")
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
