import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { HANDSHAKES_KEPT } from "../src/conversation/kept.js"
import type { ConversationHandle } from "../src/device/handle.js"
import type { Client, ClientEvent } from "../src/index.js"
import { Backup, only, pass } from "./support/backup.js"
import { assertOneGroup } from "./support/team.js"
import { settle, taken } from "./support/world.js"

const TEN_MINUTES = 600_000
const stateOf = (client: Client) => (only(client) as ConversationHandle).driver.state

async function say(backup: Backup, count: number, ...clients: readonly [Client, ...Client[]]): Promise<void> {
  for (let n = 0; n < count; n++) await only(clients[0]).send(`${n + 1}`)
  backup.world.now += 1_000
  await settle(...clients)
}

const types = (events: readonly ClientEvent[]) =>
  events.flatMap((it) => {
    if (it.type === "message" || it.type === "sent") return []
    return it.type === "rejected" ? [it.code] : [it.type === "service" ? it.change : it.type]
  })

describe("a client from which a restored service has lost more than it can give back", () => {
  for (const commits of [HANDSHAKES_KEPT + 1, 3 * HANDSHAKES_KEPT]) {
    it(`is let in again by a member who was away: ${commits} commits`, async () => {
      await using backup = new Backup({ inMemory: true })
      const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
      await say(backup, 10, alice, bob, carol)
      await backup.make()
      for (let n = 0; n < commits; n++) {
        await only(bob).refresh()
        await settle(bob, carol)
      }
      await say(backup, 10, carol, bob)
      for (const client of [alice, bob, carol]) await taken(client)
      backup.restore()
      await pass(backup.world, TEN_MINUTES + 120_000, carol, alice)
      assertOneGroup(alice, carol)
      assert.deepEqual(types(await taken(carol)).slice(0, 4), ["restored", "missing", "stuck", "recovered"])
      await only(alice).send("welcome back")
      await settle(alice, carol)
      const events = await taken(carol)
      assert.deepEqual(
        events.flatMap((it) => (it.type === "message" ? [it.text] : [])),
        ["welcome back"],
      )
    })
  }

  it("lets in another one whom it has heard in what is lost", async () => {
    await using backup = new Backup({ inMemory: true })
    const clients = await backup.team("alice", "bob", "carol", "dave")
    const [alice, bob, carol, dave] = clients as [Client, Client, Client, Client]
    await backup.make()
    for (let n = 0; n <= HANDSHAKES_KEPT; n++) {
      await only(dave).refresh()
      await settle(dave, bob, carol)
    }
    await say(backup, 10, bob, carol)
    backup.restore()
    await pass(backup.world, TEN_MINUTES + 120_000, carol, alice)
    assertOneGroup(alice, carol)
    await alice.close()
    await pass(backup.world, TEN_MINUTES + 120_000, bob, carol)
    assertOneGroup(bob, carol)
  })

  it("is let in again where the service does not keep so old entries any more", async () => {
    await using backup = new Backup({ inMemory: true })
    const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
    await say(backup, 10, alice, bob, carol)
    await backup.make()
    await only(bob).refresh()
    await settle(bob, carol)
    await say(backup, 10, bob, carol)
    for (const client of [alice, bob, carol]) await taken(client)
    backup.restore()
    // Alice is alone for long enough.
    await pass(backup.world, TEN_MINUTES + 60_000, alice)
    await say(backup, 100, alice)
    const oldestSeq = stateOf(alice).position.cursor - 20n
    assert.ok(oldestSeq > stateOf(carol).position.cursor)
    backup.lie = (request, answer) => {
      if (request.type !== "read" || answer.type !== "entries" || request.afterSeq + 1n >= oldestSeq) return answer
      return { type: "belowRetention", groupId: request.groupId, oldestSeq }
    }
    await pass(backup.world, TEN_MINUTES + 120_000, bob, carol, alice)
    assertOneGroup(alice, bob, carol)
    for (const client of [bob, carol]) {
      assert.deepEqual(types(await taken(client)).slice(0, 4), ["restored", "missing", "stuck", "recovered"])
    }
  })

  it("is let in again though the service has said that its log goes on for ever", async () => {
    await using backup = new Backup({ inMemory: true })
    const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
    await say(backup, 10, alice, bob, carol)
    await backup.make()
    for (let n = 0; n <= HANDSHAKES_KEPT; n++) {
      await only(carol).refresh()
      await settle(carol, bob)
    }
    for (const client of [alice, bob]) await taken(client)
    backup.restore()
    const { cursor } = stateOf(bob).position
    backup.lie = (request, answer, to) => {
      if (to !== "bob" || request.type !== "read" || answer.type !== "entries") return answer
      return stateOf(bob).rewinding === undefined ? answer : { ...answer, headSeq: 1n << 62n, entries: [] }
    }
    await pass(backup.world, TEN_MINUTES + 60_000, bob, alice)
    assert.ok(stateOf(bob).position.cursor < 2n * cursor)
    const told = types(await taken(bob))
    backup.lie = (_, answer) => answer
    // What lets him in has its place after what he has read.
    await say(backup, 20, alice)
    await pass(backup.world, 2 * TEN_MINUTES, bob, alice)
    assertOneGroup(alice, bob)
    assert.ok([...told, ...types(await taken(bob))].includes("stuck"))
  })
})

describe("a client that waits to be let in", () => {
  it("is let in though an older backup is restored meanwhile, which does not know what it has knocked with", async () => {
    await using backup = new Backup({ inMemory: true })
    const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
    const older = backup.world.fork()
    await only(alice).refresh()
    await say(backup, 10, alice, bob, carol)
    // Bob cannot read on.
    backup.lie = ({ type }, answer, to) =>
      to === "bob" && answer.type === "entries" && type === "read"
        ? { type: "belowRetention", groupId: answer.groupId, oldestSeq: 1_000n }
        : answer
    await bob.sync().catch(() => {})
    backup.lie = (_, answer) => answer
    assert.equal(only(bob).status, "recovering")
    for (const client of [alice, carol]) await client.close()
    backup.show(await backup.world.restore(older))
    await bob.sync().catch(() => {})
    const others = [await backup.open("alice"), await backup.open("carol")] as const
    await pass(backup.world, 3 * TEN_MINUTES, bob, ...others)
    assertOneGroup(bob, ...others)
    await only(others[0]).send("welcome back")
    await settle(bob, ...others)
    const events = await taken(bob)
    const told = events.flatMap((it) => (it.type === "message" ? [it.text] : []))
    assert.equal(told.at(-1), "welcome back")
    assert.equal(told.length, new Set(told).size)
  })
})
