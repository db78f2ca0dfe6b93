import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { encode } from "@conclave/codec"
import { DeliveryResponse } from "@conclave/contracts/delivery"
import { nextDue } from "../src/conversation/next.js"
import type { ConversationHandle } from "../src/device/handle.js"
import type { Client, ClientPolicy } from "../src/index.js"
import { MemoryProfile, memoryStore } from "../src/store/memory.js"
import { stop } from "./support/stopping.js"
import { answered, tampered } from "./support/tampered.js"
import { settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const WEEK = 7 * 86_400_000

async function people(world: World, policy: Partial<ClientPolicy> = {}) {
  const bobs = new MemoryProfile()
  const alice = await world.open("alice")
  const bob = await world.open("bob", { store: memoryStore(bobs), policy: { keyPackages: 4, ...policy } })
  const team = await alice.createConversation({ members: ["bob"] })
  await settle(alice, bob)
  return { alice, bob, bobs, team }
}

/** Who has renewed keys, as `client` was told. */
async function renewals(client: Client): Promise<readonly string[]> {
  return (await taken(client)).flatMap((it) => (it.type === "refreshed" ? [it.by] : []))
}

describe("a device renews its keys by itself", () => {
  it("when they are a week old and it has spoken since, up to a quarter later, and not before", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob } = await people(world)
    await only(bob).send("hello")
    await settle(bob, alice)
    await taken(alice)
    world.now += WEEK - 1
    await settle(bob, alice)
    assert.deepEqual(await renewals(alice), [])
    world.now += WEEK / 4 + 1
    await settle(bob, alice)
    assert.deepEqual(await renewals(alice), ["bob"])
    // Nothing has been said since: that waits until something is.
    world.now += 4 * WEEK
    await settle(bob, alice)
    assert.deepEqual(await renewals(alice), [])
    assert.deepEqual(only(bob).epochAuthenticator, only(alice).epochAuthenticator)
  })

  it("before it says something, where they are old and it has said nothing for long", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob } = await people(world)
    world.now += 3 * WEEK
    await settle(bob, alice)
    assert.deepEqual(await renewals(alice), [])
    await only(bob).send("after a long time")
    await settle(alice)
    const told = (await taken(alice)).map(({ type }) => type)
    assert.deepEqual(told, ["refreshed", "message"])
  })

  it("in so many conversations a day, and in the others on the days after", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob } = await people(world, { renewalsPerDay: 2 })
    for (let more = 0; more < 4; more++) await alice.createConversation({ members: ["bob"] })
    await settle(bob, alice)
    for (const conversation of bob.conversations.values()) await conversation.send("hello")
    await settle(alice)
    await taken(alice)
    world.now += 2 * WEEK
    const days: number[] = []
    for (let day = 0; day < 4; day++, world.now += 86_400_000) {
      await settle(bob, alice)
      days.push((await renewals(alice)).length)
    }
    assert.deepEqual(days, [2, 2, 1, 0])
  })

  it("never where nobody else is there, and as often as the application wants otherwise", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob } = await people(world, { renewAfterMilliseconds: 3_600_000 })
    const notes = await bob.createConversation({})
    await notes.send("to myself")
    const { epoch } = notes
    await only(bob).send("hello")
    await settle(alice)
    await taken(alice)
    world.now += 2 * 3_600_000
    await settle(bob, alice)
    assert.equal(notes.epoch, epoch)
    assert.deepEqual(await renewals(alice), ["bob"])
  })

  it("and is no reason to look again and again, or to count twice, where the service does not take it", async () => {
    await using world = new World({ inMemory: true })
    let refuses = false
    const delivery = answered(
      world.transport("delivery"),
      ({ type }, answer) => (type === "append" && refuses ? { type: "quotaExceeded", of: "group" } : answer),
      () => refuses,
    )
    const [alice, bob] = [
      await world.open("alice"),
      await world.open("bob", { delivery, policy: { keyPackages: 4, renewalsPerDay: 2 } }),
    ]
    const one = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await taken(alice)
    world.now += 2 * WEEK
    refuses = true
    const sent = only(bob).send("after a long time")
    const { driver } = only(bob) as ConversationHandle
    for (let round = 0; round < 3; round++) {
      await driver.runner.once().catch(() => {})
      assert.ok(driver.state.facts.renewalDue)
      assert.ok(nextDue(driver.state, driver.moment())! > world.now)
      world.now += 600_000
    }
    assert.equal(driver.moment().renewalsLeft, 1)
    refuses = false
    await settle(bob, alice)
    await sent
    assert.deepEqual(await renewals(alice), ["bob"])
    assert.deepEqual(only(bob).epochAuthenticator, one.epochAuthenticator)
  })

  it("in no conversation that is stopped: there is nothing to do in it, however old they are", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob } = await people(world)
    await only(bob).send("hello")
    await settle(bob, alice)
    await stop(world, alice)
    await settle(bob)
    assert.equal(only(bob).status, "stopped")
    world.now += 4 * WEEK
    const { driver } = only(bob) as ConversationHandle
    assert.equal(nextDue(driver.state, driver.moment()), undefined)
  })
})

describe("a device that was let in again, and has not renewed its keys yet", () => {
  /** Bob has been let in, and has not read so. */
  async function letIn() {
    const world = new World({ inMemory: true })
    const service = { isGone: false }
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      const { groupId } = request as { readonly groupId: Uint8Array }
      if (request.type !== "read" || !service.isGone) return pass()
      return encode(DeliveryResponse, { type: "belowRetention", groupId, oldestSeq: 1_000n })
    })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery })]
    const carol = await world.open("carol")
    const team = await alice.createConversation({ members: ["bob", "carol"] })
    await settle(alice, bob, carol)
    for (const client of [alice, bob, carol]) await only(client).refresh()
    await settle(alice, bob, carol)
    await team.send("what Bob cannot follow")
    service.isGone = true
    await bob.sync()
    service.isGone = false
    assert.equal(only(bob).status, "recovering")
    world.now += 30_000
    await alice.sync()
    const kinds = async () => (await world.branch.entries(only(bob))).map(({ kind }) => kind)
    return { world, bob, carol, kinds }
  }

  it("lets go whoever has asked for it before it says anything", async () => {
    const { world, bob, carol, kinds } = await letIn()
    await using _ = world
    await carol.sync()
    await only(carol).leave()
    const sent = only(bob).send("here I am")
    await bob.sync()
    await sent
    const all = await kinds()
    assert.deepEqual(all.slice(all.indexOf("proposal")).slice(0, 3), ["proposal", "commit", "application"])
    assert.deepEqual(only(bob).members, ["alice", "bob"])
  })
})

describe("a member who lets a device in", () => {
  it("commits that before it says anything, also where the service did not take the commit at first", async () => {
    await using world = new World({ inMemory: true })
    const service = { isGone: false, isBusy: false }
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      const { groupId } = request as { readonly groupId: Uint8Array }
      if (request.type !== "read" || !service.isGone) return pass()
      return encode(DeliveryResponse, { type: "belowRetention", groupId, oldestSeq: 1_000n })
    })
    const alices = answered(
      world.transport("delivery"),
      (_, answer) => answer,
      () => service.isBusy,
    )
    const [alice, bob] = [await world.open("alice", { delivery: alices }), await world.open("bob", { delivery })]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    for (const client of [alice, bob]) await only(client).refresh()
    await settle(alice, bob)
    await team.send("what Bob cannot follow")
    service.isGone = true
    await bob.sync()
    service.isGone = false
    assert.equal(only(bob).status, "recovering")
    world.now += 30_000
    service.isBusy = true
    await assert.rejects(alice.sync())
    const { driver } = only(alice) as ConversationHandle
    const { commit, facts, group } = driver.state
    assert.deepEqual([commit?.wishes, facts.renewalDue, group?.proposals.length], [[], false, 0])
    service.isBusy = false
    const before = (await world.branch.entries(team)).length
    await team.send("welcome back")
    const after = (await world.branch.entries(team)).slice(before)
    assert.deepEqual(
      after.map(({ kind }) => kind),
      ["commit", "application"],
    )
    await settle(bob, alice)
    assert.equal((await only(bob).history()).at(-1)?.text, "welcome back")
  })
})

describe("a thief with a copy of a whole device", () => {
  /** Bob's profile, copied; the copy is opened as a client of its own. */
  async function copied(world: World) {
    const { alice, bob, bobs, team } = await people(world)
    await team.send("one")
    await settle(alice, bob)
    const copy = new MemoryProfile()
    for (const [key, value] of bobs.records) copy.records.set(key, value.slice())
    const thief = await world.open("bob", { store: memoryStore(copy) })
    for (const client of [alice, bob, thief]) await taken(client)
    return { alice, bob, thief, team }
  }
  const texts = async (client: Client) => (await only(client).history()).map(({ text }) => text)

  it("reads on until the device renews its keys, and neither reads, writes nor comes back from then on", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob, thief, team } = await copied(world)
    await team.send("two")
    await settle(thief, bob)
    assert.deepEqual(await texts(thief), ["one", "two"], "a copy can do what the device can")
    await only(bob).refresh()
    await settle(alice)
    await team.send("three")
    await settle(bob)
    // For a minute the service takes messages that were under way.
    world.now += 61_000
    for (let round = 0; round < 3; round++, world.now += 120_000) {
      only(thief)
        .send("it is me, Bob")
        .catch(() => {})
      await thief.sync().catch(() => {})
      await settle(alice, bob)
    }
    assert.deepEqual(await texts(thief), ["one", "two"])
    assert.equal(only(thief).status, "recovering")
    for (const client of [alice, bob]) {
      assert.deepEqual(await texts(client), ["one", "two", "three"])
      assert.deepEqual(only(client).epochAuthenticator, team.epochAuthenticator)
      assert.ok(!(await taken(client)).some(({ type }) => type === "members"))
    }
  })

  it("who renews first is noticed at once by the device whose copy it is, with an alarm", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob, thief } = await copied(world)
    await only(thief).refresh()
    await settle(alice, bob)
    const told = await taken(bob)
    assert.ok(told[0]?.type === "copied" && told[1]?.type === "stuck", told.map(({ type }) => type).join())
    assert.match(told[0].reason, /^commit \d+ is signed as this device, which did not make it$/)
    assert.equal(only(bob).status, "recovering")
  })

  it("who has a knock answered is noticed by the device whose copy it is, with an alarm", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob, thief } = await copied(world)
    await only(thief).send("as Bob")
    await bob.sync()
    const told = await taken(bob)
    assert.ok(told.some(({ type }) => type === "copied"))
    await settle(alice)
    assert.equal(only(bob).status, "recovering")
  })
})

describe("a member whose device cannot come back by itself", () => {
  it("is invited again by a member, in one commit, and accepts; what it had stays", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob, bobs, team } = await people(world)
    await team.send("one")
    await settle(alice, bob)
    // A copy from before the device has renewed its keys is put back: nobody can tell it from a thief.
    const copy = new MemoryProfile()
    for (const [key, value] of bobs.records) copy.records.set(key, value.slice())
    await only(bob).refresh()
    await bob.close()
    await settle(alice)
    const restored = await world.open("bob", { store: memoryStore(copy) })
    await restored.sync()
    assert.equal(only(restored).status, "recovering")
    await alice.sync()
    await restored.sync()
    assert.equal(only(restored).status, "recovering", "its leaf is not the one in the tree")
    await taken(restored)
    const { epoch } = team
    await team.reinvite("bob")
    assert.equal(team.epoch, epoch + 1n)
    assert.deepEqual(team.members, ["alice", "bob"])
    await restored.sync()
    const [invited] = await taken(restored)
    assert.ok(invited?.type === "invited" && invited.by === "alice")
    await only(restored).accept()
    await only(restored).send("back again")
    await settle(alice, restored)
    assert.deepEqual(
      (await only(restored).history()).map(({ text }) => text),
      ["one", "back again"],
    )
    assert.deepEqual(only(restored).epochAuthenticator, team.epochAuthenticator)
  })

  it("is told that somebody else has taken it out and in, where it can follow", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob, team } = await people(world)
    await taken(bob)
    await team.reinvite("bob")
    await settle(bob, alice)
    const told = (await taken(bob)).map(({ type }) => type)
    assert.deepEqual(told.slice(0, 2), ["copied", "left"])
    assert.equal(only(bob).status, "active", "it has come in by the invitation")
    assert.deepEqual(only(bob).epochAuthenticator, team.epochAuthenticator)
  })
})
