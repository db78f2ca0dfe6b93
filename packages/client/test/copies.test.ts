import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { sweepOnce } from "@conclave/delivery"
import { type Transport, TransportError } from "@conclave/transport"
import type { ConversationHandle } from "../src/device/handle.js"
import type { Client, ClientEvent } from "../src/index.js"
import { settle, taken, World } from "./support/world.js"

const DAY = 86_400_000
const HOUR = 3_600_001

const told = async (client: Client, type: ClientEvent["type"]) =>
  (await taken(client)).filter((event) => event.type === type)
const sweep = (world: World) => sweepOnce({ store: world.branch.store, now: () => world.now })

async function team(world: World, delivery?: Transport) {
  const [alice, bob] = [await world.open("alice", delivery && { delivery }), await world.open("bob")]
  const ofAlice = await alice.createConversation({ title: "team", members: ["bob"] })
  await settle(alice, bob)
  return { alice, bob, ofAlice, ofBob: bob.conversations.get(ofAlice.id)! }
}

describe("what the service keeps of a conversation", () => {
  it("is what any member asks for, within the operator's bounds, and others learn it by asking", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob, ofAlice, ofBob } = await team(world)
    const before = await ofBob.keptAtService()
    assert.deepEqual([before.messages, before.handshakes, before.least.messages], [30, 180, 1])
    const asked = await ofAlice.keepAtService({ messages: 2 })
    assert.deepEqual([asked.messages, asked.wanted.messages, asked.wanted.handshakes], [30, 2, 180])
    assert.deepEqual(asked.wanted.from, new Date(world.now + 7 * DAY))
    world.now += 8 * DAY
    await settle(alice, bob)
    assert.equal((await ofBob.keptAtService()).messages, 2)
    await settle(alice, bob)
    // The last wish holds; more than the operator keeps is that.
    assert.equal((await ofBob.keepAtService({ messages: 400 })).messages, 30)
    assert.equal((await ofAlice.keptAtService()).messages, 30)
    for (const messages of [0.5, 1 / 86_400]) {
      await assert.rejects(ofAlice.keepAtService({ messages }), { code: "REFUSED" })
    }
    await assert.rejects(ofAlice.keepAtService({ messages: 20, handshakes: 14 }), { code: "REFUSED" })
    for (const messages of [0, -1, Number.NaN, 2 ** 63, Number.POSITIVE_INFINITY]) {
      await assert.rejects(ofAlice.keepAtService({ messages }), TypeError)
    }
  })

  it("is both members' wish, one after the other, where they ask together", async () => {
    await using world = new World({ inMemory: true })
    const { ofAlice, ofBob } = await team(world)
    await Promise.all([ofAlice.keepAtService({ messages: 3 }), ofBob.keepAtService({ messages: 4 })])
    assert.ok([3, 4].includes((await ofAlice.keptAtService()).wanted.messages))
  })

  it("is nothing to a member who was removed", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob, ofAlice, ofBob } = await team(world)
    await ofAlice.remove("bob")
    // Bob has not read that yet.
    await assert.rejects(ofBob.keepAtService({ messages: 2 }), { code: "REFUSED" })
    await assert.rejects(ofBob.retireAtService(), { code: "REFUSED" })
    await settle(alice, bob)
    await assert.rejects(ofBob.keepAtService({ messages: 2 }), { code: "NOT_A_MEMBER" })
    assert.equal((await ofAlice.keptAtService()).wanted.messages, 30)
  })
})

describe("a conversation that a member retires", () => {
  it("is told of to the others, who keep it by saying something", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob, ofAlice, ofBob } = await team(world)
    const { goneAt } = await ofAlice.retireAtService()
    assert.deepEqual(goneAt, new Date(world.now + 7 * DAY))
    world.now += HOUR
    await bob.sync()
    world.now += DAY
    await bob.sync()
    const events = await told(bob, "retired")
    assert.deepEqual(
      events.map((it) => it.type === "retired" && [it.goneAt, it.conversation]),
      [[goneAt, ofBob]],
    )
    await ofBob.send("wait")
    assert.equal((await ofBob.keptAtService()).goneAt, undefined)
    await assert.rejects(ofAlice.retireAtService(), { code: "REFUSED" })
    await settle(alice, bob)
    assert.ok((await ofAlice.retireAtService()).goneAt !== undefined)
  })

  it("is gone after the notice: members keep their histories, and see that the service does not have it", async () => {
    await using world = new World()
    const { bob, ofAlice, ofBob } = await team(world)
    await ofBob.send("hello")
    await bob.sync()
    await assert.rejects(ofAlice.retireAtService(), { code: "REFUSED" }, "Alice has not read that")
    await ofBob.retireAtService()
    world.now += 7 * DAY
    await sweep(world)
    world.now += HOUR
    await bob.sync().catch(() => {})
    assert.equal(ofBob.missing, true)
    assert.equal((await ofBob.history()).length, 1)
  })

  it("is retired by its last member, who leaves", async () => {
    await using world = new World()
    const alice = await world.open("alice")
    const alone = await alice.createConversation({ title: "notes" })
    await alone.send("a note")
    const { id: groupId, intervals } = (alone as ConversationHandle).driver.state
    const shown = { groupId, key: intervals.newest!.accessKey, permit: () => undefined }
    const found = async () => (await world.branch.store.head(shown)).type
    assert.equal(await found(), "head")
    await Promise.all([alone.leave(), alice.sync()])
    assert.equal(alone.status, "left")
    await sweep(world)
    assert.equal(await found(), "head")
    world.now += 7 * DAY
    await sweep(world)
    assert.equal(await found(), "notFound")
  })
})

describe("an account", () => {
  it("is exported by its person: what the service holds, and what it cannot know", async () => {
    await using world = new World()
    const { alice, ofAlice } = await team(world)
    await alice.setDisplayName("Alice A.")
    const text = await alice.exportAccount()
    const account = JSON.parse(text)
    assert.deepEqual([account.name, account.displayName.text, account.devices.length], ["alice", "Alice A.", 1])
    assert.ok(account.devices[0].keyPackages.length > 3)
    assert.match(account.notKnown[0], /conversations this name is in/)
    assert.ok(!text.includes(ofAlice.id) && !text.includes("bob"))
  })

  it("is erased for good: its conversations are left, its other devices told, and its name is nobody's again", async () => {
    await using world = new World()
    const { alice, bob, ofAlice, ofBob } = await team(world)
    let content = new Uint8Array()
    const second = await world.open("alice 2", {
      name: "alice",
      endorse: async (registration) => {
        content = Uint8Array.from(registration)
        return alice.endorseDevice(registration)
      },
    })
    assert.ok(content.length > 0)
    await assert.rejects(second.eraseAccount(), { code: "REFUSED", message: /only the oldest device of alice/ })
    await alice.eraseAccount()
    await alice.eraseAccount()
    assert.equal(ofAlice.status, "leaving")
    assert.equal((await told(alice, "erased")).length, 1)
    world.now += HOUR
    await second.sync().catch(() => {})
    assert.equal((await told(second, "erased")).length, 1)
    await assert.rejects(world.open("another", { name: "alice" }), { code: "NAME_TAKEN" })
    await assert.rejects(bob.createConversation({ members: ["alice"] }), { code: "UNKNOWN_NAME" })
    await assert.rejects(alice.exportAccount(), { code: "REFUSED" })
    // What is left in the group, a member carries out.
    world.now += HOUR
    await settle(bob, bob)
    assert.deepEqual(ofBob.members, ["bob"])
  })

  it("is erased where its conversations cannot be left: members see somebody who never answers, and remove them", async () => {
    await using world = new World()
    let isCut = false
    const delivery = world.transport("delivery")
    const cut: Transport = {
      ...delivery,
      request: (body, options) =>
        isCut
          ? Promise.reject(new TransportError("there is no network", { retryable: true }))
          : delivery.request(body, options),
    }
    const { alice, bob, ofAlice, ofBob } = await team(world, cut)
    isCut = true
    await alice.eraseAccount()
    assert.equal(ofAlice.status, "active")
    await bob.sync()
    assert.deepEqual(ofBob.members, ["alice", "bob"])
    await Promise.all([ofBob.remove("alice"), bob.sync()])
    assert.deepEqual(ofBob.members, ["bob"])
  })
})
