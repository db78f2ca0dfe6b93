import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { TransportError } from "@conclave/transport"
import type { Client } from "../src/index.js"
import { Backup, only, pass, texts, told } from "./support/backup.js"
import { assertOneGroup } from "./support/team.js"
import { settle } from "./support/world.js"

const TEN_MINUTES = 600_000

type Clients = readonly [Client, Client, Client]

/** Dave asks to leave after the backup. Bob reads that, and Carol does not. */
async function requestToLeave(backup: Backup): Promise<Clients> {
  const [alice, bob, carol, dave] = await backup.team("alice", "bob", "carol", "dave")
  await backup.make()
  await only(dave!).leave()
  await settle(bob!)
  return [alice!, bob!, carol!]
}

async function assertLetIn([alice, bob, carol]: Clients, backup: Backup): Promise<void> {
  assert.deepEqual(await told(carol), ["restored", "stuck"])
  await pass(backup.world, 2 * TEN_MINUTES, alice, bob, carol)
  assert.deepEqual(await told(carol), ["recovered", "members", "refreshed"])
  assertOneGroup(alice, bob, carol)
  await only(carol).send("I am still here")
  await settle(alice, bob, carol)
  assert.equal((await texts(bob)).at(-1), "I am still here")
}

describe("a commit that carries out a request to leave, which a restored service has lost", () => {
  it("stops nobody who has not read the request: that member asks to be let in again", async () => {
    await using backup = new Backup()
    const clients = await requestToLeave(backup)
    const [alice, , carol] = clients
    // Alice reads the request, and carries it out before she hears of the backup.
    backup.lie = (request, answer, to) => {
      if (to !== "alice" || request.type !== "read" || answer.type !== "entries") return answer
      backup.lie = (_, answer) => answer
      backup.restore()
      return answer
    }
    await alice.sync().catch(() => {})
    await carol.sync()
    await assertLetIn(clients, backup)
  })

  it("stops nobody who has heard of the backup before the commit comes", async () => {
    await using backup = new Backup()
    const clients = await requestToLeave(backup)
    const [alice, , carol] = clients
    // Alice does not hear what becomes of her commit, which comes late.
    backup.lie = (request, answer, to) => {
      if (to === "alice" && request.type === "append")
        throw new TransportError("the line is broken", { retryable: true })
      return answer
    }
    await alice.sync().catch(() => {})
    backup.lie = (_, answer) => answer
    const commit = (await backup.world.branch.entries(only(alice))).at(-1)!
    const restored = backup.restore()
    await carol.sync()
    await restored.place(only(carol), commit)
    await carol.sync()
    await assertLetIn(clients, backup)
  })
})
