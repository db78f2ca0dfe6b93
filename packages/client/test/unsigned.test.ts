import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { DeliveryRequest, DeliveryResponse, Entry } from "@conclave/contracts/delivery"
import type { Client } from "../src/index.js"
import { answered } from "./support/tampered.js"
import { provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const texts = async (client: Client) => (await only(client).history()).map(({ text }) => text)

describe("a service that does not sign", () => {
  async function unsigned(change: (answer: DeliveryResponse, request: DeliveryRequest) => DeliveryResponse) {
    const world = new World({ inMemory: true })
    const lie = { on: false }
    const delivery = answered(world.transport("delivery"), (request, answer) =>
      lie.on ? change(answer, request) : answer,
    )
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery })]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await team.send("one")
    await settle(alice, bob)
    await taken(bob)
    lie.on = true
    return { world, lie, alice, bob, team }
  }
  const damaged = (answer: DeliveryResponse): DeliveryResponse =>
    answer.type === "entries" || answer.type === "head" || answer.type === "accepted"
      ? { ...answer, signature: new Uint8Array(64) }
      : answer

  it("is told of once, and does not hold up what is said", async () => {
    const { world, lie, alice, bob, team } = await unsigned(damaged)
    await using _ = world
    for (const text of ["two", "three"]) {
      await team.send(text)
      await bob.sync()
    }
    await only(bob).send("four")
    await settle(alice, bob)
    const told = (await taken(bob)).filter((it) => it.type === "rejected")
    assert.deepEqual(
      told.map(({ code }) => code),
      ["UNSIGNED"],
    )
    assert.deepEqual(await texts(alice), ["one", "two", "three", "four"])
    lie.on = false
    world.now += 60_000
    await team.send("five")
    await settle(alice, bob)
    await only(bob).send("six")
    await settle(alice, bob)
    assert.deepEqual(
      (await taken(alice)).filter(({ type }) => type === "contradicted"),
      [],
    )
  })

  it("and another key that the known one has not signed for is an alarm, once", async () => {
    const { world, bob, team } = await unsigned((answer) =>
      answer.type === "service"
        ? { ...answer, identity: { key: provider.random(32), incarnation: 1n, handovers: [] } }
        : damaged(answer),
    )
    await using _ = world
    await team.send("two")
    await bob.sync()
    const told = (await taken(bob)).filter((it) => it.type === "service")
    assert.deepEqual(
      told.map(({ change }) => change),
      ["replaced"],
    )
  })

  it("and then says that it does not know the group is waited for", async () => {
    const { world, lie, bob, team } = await unsigned((answer, request) =>
      request.type === "head" ? { type: "notFound", groupId: request.groupId } : damaged(answer),
    )
    await using _ = world
    await team.send("two")
    await bob.sync()
    assert.deepEqual(
      (await taken(bob)).map(({ type }) => type),
      ["message", "missing"],
    )
    lie.on = false
    world.now += 60_000
    await team.send("three")
    await bob.sync()
    assert.deepEqual(await texts(bob), ["one", "two", "three"])
  })

  it("has contradicted nothing where the log does not go on from what it has shown", async () => {
    await using world = new World({ inMemory: true })
    let isBroken = false
    const delivery = answered(world.transport("delivery"), (_, answer) => {
      if (answer.type !== "entries") return damaged(answer)
      const broken = answer.entries.map((entry) => ({ ...entry, chainHash: provider.random(32) }))
      return { ...answer, signature: new Uint8Array(64), entries: isBroken ? broken : answer.entries }
    })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery })]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await team.send("one")
    await bob.sync()
    await taken(bob)
    isBroken = true
    await team.send("two")
    await bob.sync()
    assert.deepEqual(
      (await taken(bob)).map(({ type }) => type),
      ["missing"],
    )
    assert.deepEqual([only(bob).status, await texts(bob)], ["active", ["one"]])
  })

  const malformed: Readonly<Record<string, (entry: Entry) => Entry>> = {
    "a hash that is too short": (entry) => ({ ...entry, chainHash: entry.chainHash.slice(1) }),
    "no hash": (entry) => ({ ...entry, chainHash: new Uint8Array() }),
    "an expired entry without the hash of what it was": (entry) => ({
      ...entry,
      kind: "expired",
      body: new Uint8Array(),
    }),
  }
  for (const [what, change] of Object.entries(malformed)) {
    it(`does not begin a newcomer's chain with ${what}`, async () => {
      await using world = new World({ inMemory: true })
      const service = { lies: true }
      const changed = (answer: DeliveryResponse) =>
        answer.type === "entries" && service.lies ? { ...answer, entries: answer.entries.map(change) } : answer
      // Nobody has told the newcomer where the chain is: whoever invited it has read nothing that was signed.
      const alice = await world.open("alice", {
        delivery: answered(world.transport("delivery"), (_, answer) => damaged(answer)),
      })
      const bob = await world.open("bob", {
        delivery: answered(world.transport("delivery"), (_, answer) => changed(answer)),
      })
      const team = await alice.createConversation({})
      await team.send("before Bob")
      await team.invite("bob")
      await settle(alice, bob)
      await team.send("one")
      await bob.sync()
      // The chain would begin with the newcomer's own commit; nobody but the service is blamed for it.
      assert.deepEqual(
        (await taken(bob)).map(({ type }) => type),
        ["joined", "missing"],
      )
      service.lies = false
      await bob.sync()
      assert.deepEqual(await texts(bob), ["one"])
    })
  }
})
