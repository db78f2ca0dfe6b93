import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { ConversationHandle } from "../src/device/handle.js"
import type { Client } from "../src/index.js"
import { Backup, only, pass, texts } from "./support/backup.js"
import { assertOneGroup } from "./support/team.js"
import { settle, taken } from "./support/world.js"

const stateOf = (client: Client) => (only(client) as ConversationHandle).driver.state
const told = async (client: Client) =>
  (await taken(client)).flatMap((it) => {
    if (it.type === "message" || it.type === "sent") return []
    return it.type === "rejected" ? [`rejected ${it.code}`] : it.type === "service" ? [it.change] : [it.type]
  })

describe("the commit by which a member came in, where the service has lost it", () => {
  it("is not given back by that member before a request to leave that was before it", async () => {
    await using backup = new Backup()
    const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
    const dave = await backup.open("dave")
    await backup.make()
    const { cursor } = stateOf(alice).position
    await only(carol).leave()
    // Alice has not read that when she invites Dave, and her commit does not carry it out.
    let hides = true
    backup.lie = (request, answer, to) => {
      if (to !== "alice" || !hides) return answer
      if (request.type === "append") hides = false
      if (answer.type !== "entries") return answer
      const entries = answer.entries.filter(({ seq }) => seq <= cursor)
      return { ...answer, entries, headSeq: cursor, signature: new Uint8Array() }
    }
    await only(alice).invite("dave")
    await settle(alice, bob, dave)
    const lost = (await backup.world.branch.entries(only(alice), cursor)).map(({ kind }) => kind)
    assert.deepEqual(lost.slice(0, 2), ["proposal", "commit"])
    for (const client of [alice, bob, dave]) await taken(client)
    backup.restore()
    await pass(backup.world, 60_000, dave)
    await pass(backup.world, 60_000, alice, bob, dave)
    for (const client of [alice, bob, dave]) assert.deepEqual(await told(client), ["restored"])
    assertOneGroup(alice, bob, dave)
    await only(dave).send("I am still here")
    await settle(alice, bob, dave)
    assert.equal((await texts(bob)).at(-1), "I am still here")
  })
})
