import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { HANDSHAKES_KEPT } from "../src/conversation/kept.js"
import type { ConversationHandle } from "../src/device/handle.js"
import type { Client } from "../src/index.js"
import { Backup, only } from "./support/backup.js"
import { assertOneGroup } from "./support/team.js"
import { settle, taken } from "./support/world.js"

const TEN_MINUTES = 600_000
const stateOf = (client: Client) => (only(client) as ConversationHandle).driver.state
const knockOf = (client: Client) => stateOf(client).knock?.id

/** Carol cannot follow, and has knocked; Alice was away. `again`: the backup once more, as it was. */
async function knocking(backup: Backup) {
  const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
  await backup.make()
  const again = backup.world.fork()
  for (let n = 0; n <= HANDSHAKES_KEPT; n++) {
    await only(bob).refresh()
    await settle(bob, carol)
  }
  await bob.close()
  backup.restore()
  await look(backup, TEN_MINUTES + 60_000, carol)
  assert.equal(only(carol).status, "recovering")
  assert.ok(knockOf(carol), "she has knocked")
  return { alice, carol, restoreAgain: async () => backup.show(await backup.world.restore(again, 2)) }
}

/** Every half a minute. */
async function look(backup: Backup, milliseconds: number, ...clients: readonly Client[]): Promise<void> {
  for (let at = 0; at < milliseconds; at += 30_000) {
    backup.world.now += 30_000
    for (const client of clients) await client.sync()
  }
}

describe("a knock, and a service that is restored again", () => {
  it("is left once more where the service has lost it, not a day later", async () => {
    await using backup = new Backup({ inMemory: true })
    const { alice, carol, restoreAgain } = await knocking(backup)
    const lost = knockOf(carol)
    await restoreAgain()
    await look(backup, 2 * TEN_MINUTES, carol)
    assert.notDeepEqual(knockOf(carol), lost)
    await look(backup, 2 * TEN_MINUTES, carol, alice)
    assertOneGroup(alice, carol)
  })

  it("is left once more where the service has forgotten it, and says nothing of a backup", async () => {
    await using backup = new Backup({ inMemory: true })
    const { alice, carol } = await knocking(backup)
    let forgets = true
    const kept = knockOf(carol)
    backup.lie = (request, answer) => {
      if (request.type !== "knocks" || answer.type !== "knocks" || !forgets) return answer
      return { ...answer, knocks: [] }
    }
    const left: bigint[] = []
    const before = backup.lie
    backup.lie = (request, answer, to) => {
      if (request.type === "knock") left.push(BigInt(backup.world.now))
      return before(request, answer, to)
    }
    await look(backup, 4 * TEN_MINUTES, carol)
    assert.ok(left.length >= 1, "it is left again")
    assert.deepEqual(knockOf(carol), kept, "and is the same, so that the service takes it once")
    forgets = false
    await look(backup, 2 * TEN_MINUTES, carol, alice)
    assertOneGroup(alice, carol)
  })

  it("may be answered by who remembers it, and lets its leaf in by the next one", async () => {
    await using backup = new Backup({ inMemory: true })
    const { alice, carol, restoreAgain } = await knocking(backup)
    const lost = knockOf(carol)
    // Alice hears of it while nobody commits, and the service loses it before she may answer.
    await alice.sync()
    const heard = [...stateOf(alice).visitors.values()].map(({ knock }) => knock.id)
    assert.deepEqual(heard, [lost])
    await restoreAgain()
    await look(backup, 6 * TEN_MINUTES, carol, alice)
    assertOneGroup(alice, carol)
  })
})

describe("a message whose author does not know that it was accepted when a backup is restored", () => {
  for (const restarts of [false, true]) {
    it(`is sent again, and told once to those who had read it${restarts ? ", and were started again" : ""}`, async () => {
      await using backup = new Backup({ inMemory: true })
      const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
      await backup.make()
      backup.lie = (request, answer, to) =>
        to === "bob" && (request.type === "read" || request.type === "append")
          ? { type: "notFound", groupId: request.groupId }
          : answer
      only(bob)
        .send("read by Alice alone")
        .catch(() => {})
      await bob.sync()
      await alice.sync()
      const first = (await taken(alice)).flatMap((it) => (it.type === "message" ? [it.text] : []))
      assert.deepEqual(first, ["read by Alice alone"])
      backup.lie = (_, answer) => answer
      const restored = backup.restore()
      let reader = alice
      if (restarts) {
        await alice.close()
        reader = await backup.open("alice")
      }
      // Epochs later it is encrypted anew: what was read before is not recognised by its bytes.
      await look(backup, TEN_MINUTES + 60_000, reader, carol)
      for (let n = 0; n < 12; n++) {
        const refreshing = only(carol).refresh()
        await look(backup, 60_000, carol, reader)
        await refreshing
      }
      await look(backup, 2 * TEN_MINUTES, bob, reader, carol)
      const [conversation] = [only(reader)]
      const placed = (await restored.entries(conversation)).filter(({ kind }) => kind === "application")
      assert.equal(
        placed.length,
        3,
        "after the title and what was said before, it is in the log of the restored service",
      )
      await only(bob).send("and this")
      await settle(bob, reader, carol)
      const told = (await taken(reader)).flatMap((it) => (it.type === "message" ? [it.text] : []))
      assert.deepEqual(told, ["and this"])
      const history = (await conversation.history()).map(({ text }) => text)
      assert.deepEqual(history, ["before the backup", "read by Alice alone", "and this"])
    })
  }
})
