import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Client } from "../src/index.js"
import { answered } from "./support/tampered.js"
import { provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const texts = async (client: Client) => (await only(client).history()).map(({ text }) => text)

describe("a message that is said to have expired", () => {
  it("is kept back, where this device was at the head of the log less than a day ago", async () => {
    await using world = new World({ inMemory: true })
    let hidden: bigint | undefined
    const delivery = answered(world.transport("delivery"), (_, answer) => {
      if (answer.type !== "entries") return answer
      const entries = answer.entries.map((entry) => {
        if (entry.seq !== hidden) return entry
        return { ...entry, kind: "expired" as const, body: provider.hashes["SHA-256"]!.digest(entry.body) }
      })
      return { ...answer, entries }
    })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery })]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await team.send("one")
    await bob.sync()
    await taken(bob)
    // Nothing is said for long, but Bob looks each day.
    world.now += 3 * 86_400_000
    await bob.sync()
    const { length } = await world.branch.entries(only(alice))
    hidden = BigInt(length) + 1n
    await team.send("Bob, do NOT pay that bill")
    await team.send("see you tomorrow")
    await bob.sync()
    assert.deepEqual(await texts(bob), ["one", "see you tomorrow"])
    const told = (await taken(bob)).filter((it) => it.type === "rejected")
    assert.deepEqual(
      told.map(({ code }) => code),
      ["WITHHELD"],
    )
  })
})
