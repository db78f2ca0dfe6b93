import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Entry } from "@conclave/contracts/delivery"
import { intervalIn } from "../src/conversation/epoch-interval.js"
import { Mallory } from "./support/mallory.js"
import { assertUndisturbed, team } from "./support/team.js"
import { settle, taken } from "./support/world.js"

/** A commit by Bob that every member could follow, as it has to stand in the log. */
async function commitByBob({ world, bob }: Awaited<ReturnType<typeof team>>, path: boolean) {
  const { mallory, group } = await Mallory.inside(world, bob)
  const { epoch } = group
  const add = path ? [] : [new Mallory(world, "mona").keyPackage()]
  const commit = group.commit({ add, path })
  const accessKey = () => intervalIn(group).accessKey
  group.apply(
    commit,
    [...commit.claims].map((claim) => ({ claim, accepted: true })),
  )
  const begins = path ? { accessKey: accessKey(), removes: false } : undefined
  return { mallory, entry: { kind: "commit", epoch, body: commit.message, begins } as Entry }
}

describe("an entry that the service calls something else than its message is", () => {
  const labels: Readonly<Record<string, (entry: Entry) => Partial<Entry>>> = {
    "of the epoch before": ({ epoch }) => ({ epoch: epoch - 1n }),
    "of the epoch after": ({ epoch }) => ({ epoch: epoch + 1n }),
    "an application message": () => ({ kind: "application" }),
    "a proposal": () => ({ kind: "proposal" }),
  }
  for (const [called, change] of Object.entries(labels)) {
    it(`is passed over by all members alike: a commit, called ${called}`, async () => {
      const scene = await team({ names: ["carol"] })
      const { world, clients, alice, conversation } = scene
      await using _ = world
      const { entry } = await commitByBob(scene, false)
      const { epoch } = conversation
      await world.branch.place(conversation, { ...entry, ...change(entry) })
      await settle(...clients)
      for (const client of clients) {
        const told = (await taken(client)).map((it) => (it.type === "rejected" ? it.code : it.type))
        assert.deepEqual(told, ["UNREADABLE"])
      }
      assert.equal(conversation.epoch, epoch)
      await assertUndisturbed(clients, conversation.members)
      assert.equal(alice.conversations.size, 1)
    })
  }

  it("stops all members where it registers a key", async () => {
    const scene = await team({ names: ["carol"] })
    const { world, clients, conversation } = scene
    await using _ = world
    const { entry } = await commitByBob(scene, true)
    await world.branch.place(conversation, { ...entry, epoch: entry.epoch - 1n })
    await settle(...clients)
    for (const client of clients) {
      assert.deepEqual(
        (await taken(client)).map(({ type }) => type),
        ["stopped"],
      )
    }
  })
})
