import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Client } from "../src/index.js"
import { MemoryProfile, memoryStore } from "../src/store/memory.js"
import { settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const types = async (client: Client) => (await taken(client)).map(({ type }) => type)
const asking = { keyPackages: 4, invitations: "ask" } as const

describe("what is said while an invitation waits", () => {
  it("is kept until it is accepted, over restarts, and no longer where no history is wanted", async () => {
    await using world = new World({ inMemory: true })
    const profile = new MemoryProfile()
    const messages = () => [...profile.records.keys()].filter((key) => key.includes("/message/")).length
    const policy = { ...asking, history: false }
    const open = () => world.open("bob", { policy, store: memoryStore(profile) })
    const alice = await world.open("alice")
    let bob = await open()
    const team = await alice.createConversation({ members: ["bob"] })
    await team.send("one")
    await settle(alice, bob)
    await bob.close()
    bob = await open()
    await team.send("two")
    await settle(alice, bob)
    assert.equal(messages(), 2)
    // An entry is taken in while the invitation is being accepted.
    await team.send("three")
    await Promise.all([only(bob).accept(), bob.sync()])
    assert.deepEqual(
      (await taken(bob)).flatMap((it) => (it.type === "message" ? [it.text] : [])),
      ["one", "two", "three"],
    )
    assert.deepEqual([messages(), await only(bob).history()], [0, []])
    await team.send("four")
    await settle(alice, bob)
    assert.deepEqual([await types(bob), messages()], [["message"], 0])
  })
})
