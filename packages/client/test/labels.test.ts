import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Entry } from "@conclave/contracts/delivery"
import { logChainHash } from "@conclave/contracts/log-chain"
import { TransportError } from "@conclave/transport"
import { intervalIn } from "../src/conversation/epoch-interval.js"
import type { Client } from "../src/index.js"
import { Backup, only, pass, texts, told } from "./support/backup.js"
import { Mallory } from "./support/mallory.js"
import { assertOneGroup, assertUndisturbed, team } from "./support/team.js"
import { provider, settle, taken } from "./support/world.js"

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

  const bodies: Readonly<Record<string, (scene: Awaited<ReturnType<typeof team>>) => Uint8Array>> = {
    "what nobody can decode": () => provider.random(100),
    "a key package": ({ world }) => new Mallory(world, "mona").keyPackage(),
  }
  for (const [what, bodyIn] of Object.entries(bodies)) {
    for (const kind of ["commit", "proposal", "application"] as const) {
      it(`is passed over by all members alike: ${what}, called a message of kind ${kind}`, async () => {
        const scene = await team({ names: ["carol"] })
        const { world, clients, conversation } = scene
        await using _ = world
        const { epoch, members } = conversation
        const entry = { kind, epoch, body: bodyIn(scene), begins: undefined } as Entry
        await world.branch.place(conversation, entry)
        await settle(...clients)
        for (const client of clients) {
          assert.deepEqual(
            (await taken(client)).map(({ type }) => type),
            ["rejected"],
          )
        }
        await assertUndisturbed(clients, members)
      })
    }
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

describe("an entry that a device need not read, and that the service calls something else", () => {
  it("is not the lost commit of a restored service, which the others would have passed over", async () => {
    await using backup = new Backup()
    const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
    await backup.open("dave")
    await backup.make()
    await only(alice).invite("dave")
    await settle(alice, bob)
    const commit = (await backup.world.branch.entries(only(alice))).findLast(({ kind }) => kind === "commit")!
    const restored = backup.restore()
    for (const client of [alice, bob]) await taken(client)
    await restored.place(only(carol), { ...commit, epoch: commit.epoch + 1n })
    await pass(backup.world, 60_000, alice, bob, carol)
    for (const client of [alice, bob]) assert.deepEqual(await told(client), ["restored", "rejected UNREADABLE"])
    assertOneGroup(alice, bob, carol)
  })

  it("is no place of a message of one's own: that is sent again", async () => {
    await using backup = new Backup()
    const { alice, bob, message, other, sending } = await lostOnTheWay(backup)
    await other.place(only(bob), { ...message, epoch: message.epoch + 1n })
    await pass(backup.world, 30_000, alice, bob)
    await sending
    for (const client of [alice, bob]) {
      assert.deepEqual(await told(client), ["rejected UNREADABLE"])
      assert.equal((await texts(client)).at(-1), "hello")
    }
  })

  it("stops the author of a message, too, where that registers a key", async () => {
    await using backup = new Backup()
    const { alice, bob, message, other, sending } = await lostOnTheWay(backup)
    const failed = assert.rejects(sending)
    const before = (await other.entries(only(bob))).at(-1)!
    const seq = await other.place(only(bob), message)
    const begins = { accessKey: provider.random(32), removes: false }
    const entry = { ...message, seq, begins }
    const chainHash = logChainHash(provider.hashes["SHA-256"]!.digest, before.chainHash, entry)
    backup.lie = (_, answer) => {
      if (answer.type !== "entries") return answer
      return { ...answer, entries: answer.entries.map((it) => (it.seq === seq ? { ...entry, chainHash } : it)) }
    }
    await pass(backup.world, 30_000, alice, bob)
    for (const client of [alice, bob]) assert.ok((await told(client)).includes("stopped"))
    await alice.close()
    await failed
  })
})

/** Alice's message comes into one history, and she hears nothing of that; she is shown another one after that. */
async function lostOnTheWay(backup: Backup) {
  const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
  const other = backup.world.fork()
  let isDown = false
  backup.lie = (request, answer, to) => {
    isDown ||= to === "alice" && request.type === "append"
    if (to === "alice" && isDown) throw new TransportError("the line is broken", { retryable: true })
    return answer
  }
  const sending = only(alice).send("hello")
  await alice.sync().catch(() => {})
  const message = (await backup.world.branch.entries(only(bob))).at(-1)!
  backup.show(other)
  backup.lie = (_, answer) => answer
  return { alice, bob, message, other, sending }
}
