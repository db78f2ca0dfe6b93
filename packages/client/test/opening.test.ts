import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Client, Store } from "../src/index.js"
import { MemoryProfile, memoryStore } from "../src/store/memory.js"
import { settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!

/** A store that tells which groups are read. */
function watched(store: Store): { readonly store: Store; readonly restored: string[] } {
  const restored: string[] = []
  return {
    restored,
    store: {
      lost: store.lost,
      get: (key) => store.get(key),
      async list(prefix, options) {
        const id = /^conversation\/(\w+)\/group\/$/.exec(prefix)?.[1]
        if (id !== undefined) restored.push(id)
        return store.list(prefix, options)
      },
      transaction: (changes) => store.transaction(changes),
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    },
  }
}

describe("opening a profile", () => {
  it("shows every conversation as it was left, and restores the group of one that is used, when it is used", async () => {
    await using world = new World({ inMemory: true })
    const profile = new MemoryProfile()
    const alice = await world.open("alice", { store: memoryStore(profile) })
    const people = [await world.open("bob"), await world.open("carol"), await world.open("dave")]
    const names = people.map(({ name }) => name)
    for (const title of ["one", "two", "three"]) {
      const made = await alice.createConversation({ title, members: names })
      await made.send(`hello, ${title}`)
    }
    await settle(alice, ...people)
    const shown = async (client: Client) =>
      Promise.all(
        [...client.conversations.values()].map(async (it) => {
          const { id, title, status, members, epoch, epochAuthenticator } = it
          const history = await it.history()
          return [id, title, status, members, epoch, epochAuthenticator, it.tree(), it.safetyCode("carol"), history]
        }),
      )
    const before = await shown(alice)
    await alice.close()

    const { store, restored } = watched(memoryStore(profile))
    const again = await world.open("alice", { store })
    const byId = (a: readonly unknown[], b: readonly unknown[]) => (String(a[0]) < String(b[0]) ? -1 : 1)
    assert.deepEqual((await shown(again)).sort(byId), before.sort(byId))
    await again.sync()
    assert.deepEqual(restored, [])
    const [first, second] = again.conversations.values()
    await first!.send("this one is needed")
    await people[0]!.sync()
    await people[0]!.conversations.get(second!.id)!.send("so is this one")
    await again.sync()
    assert.deepEqual(restored, [first!.id, second!.id])
    await settle(again, ...people)
    for (const client of people) {
      for (const [id, { epochAuthenticator }] of again.conversations) {
        assert.deepEqual(client.conversations.get(id)!.epochAuthenticator, epochAuthenticator)
      }
    }
  })

  it("shows in the tree what is renewed from then on", async () => {
    await using world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await alice.close()
    const again = await world.open("alice")
    assert.ok(
      only(again)
        .tree()
        .every(({ renewedInEpoch }) => renewedInEpoch === undefined),
    )
    await only(bob).refresh()
    await again.sync()
    const renewed = only(again)
      .tree()
      .map(({ renewedInEpoch }) => renewedInEpoch)
    assert.deepEqual(renewed, [undefined, team.epoch + 1n, team.epoch + 1n])
    assert.deepEqual(only(again).epochAuthenticator, only(bob).epochAuthenticator)
  })

  it("remembers nothing of the members of a conversation that was left", async () => {
    await using world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    const profile = new MemoryProfile()
    const carol = await world.open("carol", { store: memoryStore(profile) })
    const team = await alice.createConversation({ members: ["bob", "carol"] })
    await settle(alice, bob, carol)
    assert.ok([...profile.records.keys()].some((key) => key.includes("/outline")))
    await team.remove("carol")
    await carol.sync()
    assert.deepEqual(
      [...profile.records.keys()].filter((key) => /outline|group/.test(key)),
      [],
    )
    assert.deepEqual([only(carol).members, only(carol).tree(), only(carol).epoch], [[], [], 0n])
  })

  it("warns of nothing, however many people and conversations there are", async () => {
    await using world = new World({ inMemory: true })
    const warnings: unknown[] = []
    const warn = (warning: unknown) => warnings.push(warning)
    process.on("warning", warn)
    try {
      const names = Array.from({ length: 12 }, (_, at) => `person${at}`)
      for (const name of names) await world.open(name)
      const alice = await world.open("alice")
      for (let i = 0; i < 12; i++) await alice.createConversation({})
      await alice.createConversation({ members: names })
      await taken(alice)
      await new Promise((resolve) => setImmediate(resolve))
      assert.deepEqual(warnings, [])
    } finally {
      process.off("warning", warn)
    }
  })
})
