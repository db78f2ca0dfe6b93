import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { encode } from "@conclave/codec"
import { DeliveryResponse } from "@conclave/contracts/delivery"
import { next, settle, taken, World } from "./support/world.js"

/** Whether the service's contract can say what its clock shows. */
const tellsItsTime = (() => {
  try {
    encode(DeliveryResponse, { type: "wrongTime", serviceTime: 0n } as unknown as DeliveryResponse)
    return true
  } catch {
    return false
  }
})()

describe("a device whose clock is wrong", { skip: !tellsItsTime }, () => {
  for (const [words, wrong] of [
    ["ten minutes fast", 600_000],
    ["ten minutes slow", -600_000],
    ["a day fast", 86_400_000],
    ["a day slow", -86_400_000],
  ] as const) {
    it(`works: ${words}`, async () => {
      await using world = new World({ inMemory: true })
      const now = () => world.now + wrong
      const bob = await world.open("bob", { now, live: true })
      const alice = await world.open("alice")
      const team = await alice.createConversation({ title: "team", members: ["bob"] })
      const { conversation } = await next(bob, "joined")
      await team.send("hello, bob")
      assert.equal((await next(bob, "message")).text, "hello, bob")
      assert.equal(bob.online, true)
      await conversation.send("hello, alice")
      const carol = await world.open("carol")
      await conversation.invite("carol")
      await settle(carol, alice)
      assert.deepEqual(team.members, ["alice", "bob", "carol"])
      const told = [...(await taken(alice)), ...(await taken(bob)), ...(await taken(carol))]
      assert.deepEqual(
        told.filter(({ type }) => type === "rejected" || type === "unavailable"),
        [],
      )
    })
  }

  it("cannot add anybody whose keys are not valid at its time: that is said, and holds until the clock is right", async () => {
    await using world = new World({ inMemory: true })
    let wrong = 0
    const alice = await world.open("alice", { now: () => world.now + wrong, live: true })
    const bob = await world.open("bob")
    const team = await alice.createConversation({ title: "team" })
    wrong = 365 * 86_400_000
    await assert.rejects(team.invite("bob"), { code: "WRONG_CLOCK" })
    wrong = 0
    await team.invite("bob")
    await settle(bob)
    assert.deepEqual(team.members, ["alice", "bob"])
  })
})
