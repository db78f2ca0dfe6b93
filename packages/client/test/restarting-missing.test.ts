import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Client } from "../src/index.js"
import { Backup, only, pass, texts } from "./support/backup.js"
import { accepted, invitationOf } from "./support/stopping.js"
import { settle, taken } from "./support/world.js"

const WEEK = 7 * 86_400_000

/** A conversation of three that is younger than the backup from which the service was restored. */
async function youngTeam(backup: Backup) {
  const clients = await Promise.all(["alice", "bob", "carol"].map((name) => backup.open(name)))
  const [alice, bob, carol] = clients as [Client, Client, Client]
  await settle(...clients)
  await backup.make()
  const before = await alice.createConversation({ title: "team", members: ["bob", "carol"] })
  await settle(...clients)
  await only(bob).send("hello")
  await settle(...clients)
  for (const client of clients) await taken(client)
  return { alice, bob, carol, clients, before }
}

const typesOf = async (client: Client) => (await taken(client)).map(({ type }) => type)

describe("a conversation that the service does not show any more", () => {
  it("goes on in a new group, by one call, and all who accept have one conversation with its whole history", async () => {
    await using backup = new Backup()
    const { alice, bob, carol, clients, before } = await youngTeam(backup)
    backup.restore()
    await pass(backup.world, 10_000, ...clients)
    for (const client of clients) assert.deepEqual(await typesOf(client), ["missing"], client.name)
    // Two who have written already, before it goes on: nobody can have read that.
    const waiting = [before.send("is anybody here?"), only(bob).send("I am")]
    const after = await before.restart()
    assert.deepEqual([after.title, after.status, after.members], ["team", "active", ["alice", "bob", "carol"]])
    assert.equal(only(alice), after)
    for (const client of [bob, carol]) {
      await client.sync()
      const asked = invitationOf(client)?.invitedToContinue
      assert.deepEqual([asked?.by, asked?.added, asked?.removed, asked?.known], ["alice", [], [], true], client.name)
      await accepted(client)
    }
    await settle(...clients)
    await Promise.all(waiting)
    for (const client of clients) {
      assert.deepEqual(await texts(client), ["hello", "is anybody here?", "I am"], client.name)
      assert.deepEqual(only(client).epochAuthenticator, after.epochAuthenticator)
    }
  })

  it("is followed on, unlisted, should it come back", async () => {
    await using backup = new Backup()
    const { alice, bob, carol, clients, before } = await youngTeam(backup)
    const stayed = only(carol)
    backup.restore()
    await pass(backup.world, 10_000, ...clients)
    await before.restart()
    await bob.sync()
    await accepted(bob)
    for (const client of clients) await taken(client)
    backup.takeBack()
    const said = stayed.send("I have seen nothing of it")
    await pass(backup.world, 20 * 60_000, ...clients)
    await said
    for (const client of [alice, bob]) {
      const read = (await taken(client)).flatMap((it) => (it.type === "message" ? [it.text] : []))
      assert.deepEqual(read, ["I have seen nothing of it"], client.name)
    }
  })

  it("comes and goes without a word, where another group took its place", async () => {
    await using backup = new Backup()
    const { alice, bob, clients, before } = await youngTeam(backup)
    backup.restore()
    await pass(backup.world, 10_000, ...clients)
    await before.restart()
    await bob.sync()
    await accepted(bob)
    for (const client of clients) await taken(client)
    for (let time = 0; time < 2; time++) {
      backup.takeBack()
      await pass(backup.world, 20 * 60_000, ...clients)
      assert.equal(before.missing, false)
      backup.restore()
      await pass(backup.world, 20 * 60_000, ...clients)
      assert.equal(before.missing, true)
    }
    for (const client of [alice, bob]) {
      const told = (await taken(client)).filter(({ type }) => type === "missing")
      assert.ok(!told.some(({ conversation }) => conversation?.id === before.id), client.name)
    }
  })

  it("ends without a word a week later, where another group took its place", async () => {
    await using backup = new Backup()
    const { bob, clients, before } = await youngTeam(backup)
    backup.restore()
    await pass(backup.world, 10_000, ...clients)
    await before.restart()
    await bob.sync()
    await accepted(bob)
    for (const client of clients) await taken(client)
    backup.world.now += WEEK
    await pass(backup.world, 20 * 60_000, ...clients.slice(0, 2))
    assert.equal(before.status, "continued")
    for (const client of clients.slice(0, 2)) {
      const told = await typesOf(client)
      assert.ok(!told.includes("lost") && !told.includes("missing"), told.join())
    }
  })

  it("is not restarted as long as the service shows it", async () => {
    await using backup = new Backup()
    const { before } = await youngTeam(backup)
    await assert.rejects(before.restart(), { code: "REFUSED", message: /only one that is stopped/ })
  })

  it("takes nothing over that was encrypted: others may have read it before it was lost", async () => {
    await using backup = new Backup()
    const { alice, clients, before } = await youngTeam(backup)
    backup.lie = (request, answer, to) => {
      if (to !== "alice" || request.type !== "append") return answer
      // It has its place in the log; the answer is lost, and so is the log.
      backup.restore()
      return { type: "throttled", retryAfterMilliseconds: 1_000 }
    }
    void before.send("already said").catch(() => {})
    await alice.sync()
    backup.lie = (_, answer) => answer
    await pass(backup.world, 10_000, ...clients)
    const after = await before.restart()
    assert.deepEqual(await texts(alice), ["hello"])
    assert.deepEqual([after.pending.length, before.pending.length], [0, 1])
  })
})
