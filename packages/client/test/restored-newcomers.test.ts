import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Entry } from "@conclave/contracts/delivery"
import { TransportError } from "@conclave/transport"
import type { ConversationHandle } from "../src/device/handle.js"
import type { Client } from "../src/index.js"
import { Backup, hiddenUntilAppended, only, pass, texts, told } from "./support/backup.js"
import { noise } from "./support/mallory.js"
import { assertOneGroup } from "./support/team.js"
import { provider, settle, taken } from "./support/world.js"

const TEN_MINUTES = 600_000

const stateOf = (client: Client) => (only(client) as ConversationHandle).driver.state

/** Dave has come in by a commit before which there was Carol's request to leave, and both are lost. */
async function lostWithRequest(backup: Backup): Promise<readonly [Client, Client, Client]> {
  const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
  const dave = await backup.open("dave")
  await backup.make()
  const { cursor } = stateOf(alice).position
  await only(carol).leave()
  // Alice has not read that when she invites Dave, and her commit does not carry it out.
  backup.lie = hiddenUntilAppended("alice", cursor)
  await only(alice).invite("dave")
  await settle(alice, bob, dave)
  const lost = (await backup.world.branch.entries(only(alice), cursor)).map(({ kind }) => kind)
  assert.deepEqual(lost.slice(0, 2), ["proposal", "commit"])
  for (const client of [alice, bob, dave]) await taken(client)
  backup.restore()
  return [alice, bob, dave]
}

describe("the commit by which a member came in, where the service has lost it", () => {
  it("is not given back by that member before a request to leave that was before it", async () => {
    await using backup = new Backup()
    const [alice, bob, dave] = await lostWithRequest(backup)
    await pass(backup.world, 60_000, dave)
    await pass(backup.world, 60_000, alice, bob, dave)
    for (const client of [alice, bob, dave]) assert.deepEqual(await told(client), ["restored"])
    assertOneGroup(alice, bob, dave)
    await only(dave).send("I am still here")
    await settle(alice, bob, dave)
    assert.equal((await texts(bob)).at(-1), "I am still here")
  })

  it("is waited for as long as no commit is made: then that member knocks, and is let in when it is back", async () => {
    await using backup = new Backup()
    const [alice, bob, dave] = await lostWithRequest(backup)
    await dave.sync()
    backup.world.now += 3_600_000
    await dave.sync()
    assert.deepEqual(await told(dave), ["restored", "stuck"])
    await pass(backup.world, TEN_MINUTES + 60_000, alice, bob, dave)
    assertOneGroup(alice, bob, dave)
    assert.ok((await told(dave)).includes("recovered"))
  })

  it("is waited for no longer where the clock has been set back", async () => {
    await using backup = new Backup()
    const [, , dave] = await lostWithRequest(backup)
    await dave.sync()
    assert.deepEqual(await told(dave), ["restored"])
    backup.world.now -= 3_600_000
    await dave.sync()
    assert.deepEqual(await told(dave), ["stuck"])
  })

  it("does not hide from that member that a strange key is registered", async () => {
    await using backup = new Backup()
    const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    const dave = await backup.open("dave")
    await backup.make()
    await only(alice).invite("dave")
    await settle(alice, bob, dave)
    for (const client of [alice, bob, dave]) await taken(client)
    const restored = backup.restore()
    const { publicKey: accessKey } = provider.signatures.Ed25519!.generate(provider.random)
    const [{ chainHash, at }] = (await restored.entries(only(bob))) as [Entry]
    const garbage = { kind: "commit", epoch: 0n, body: noise(stateOf(bob).id, 0n), chainHash, at, seq: 0n } as const
    await restored.place(only(bob), { ...garbage, begins: { accessKey, removes: false } })
    await pass(backup.world, 30_000, dave, alice, bob)
    for (const client of [alice, bob, dave]) assert.deepEqual(await told(client), ["restored", "stopped"])
  })
})

describe("a newcomer whose place the service has lost before the log was read", () => {
  it("reads what has come there, and before", async () => {
    await using backup = new Backup()
    const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    const dave = await backup.open("dave")
    await backup.make()
    const { cursor } = stateOf(alice).position
    await only(bob).send("lost")
    await only(bob).send("lost, too")
    // Alice has not read that when she invites Dave, and he reads nothing yet.
    backup.lie = (_, answer, to) => {
      if (to === "bob" || answer.type !== "entries") return answer
      const entries = answer.entries.filter(({ seq }) => seq <= cursor)
      return { ...answer, entries, headSeq: cursor, signature: new Uint8Array() }
    }
    const inviting = only(alice).invite("dave")
    await alice.sync().catch(() => {})
    await dave.sync()
    backup.lie = (_, answer) => answer
    await settle(alice, bob)
    await inviting
    assert.equal(stateOf(dave).position.cursor, cursor)
    backup.restore()
    await pass(backup.world, 60_000, alice, bob)
    await only(alice).send("hello, Dave")
    backup.world.now += TEN_MINUTES
    await only(alice).refresh()
    await settle(alice, bob)
    await settle(dave)
    assertOneGroup(alice, bob, dave)
    assert.deepEqual(await texts(dave), ["hello, Dave"])
  })
})

describe("a newcomer whose inviter has claimed nothing", () => {
  it("does not blame the inviter where the service does not show the newcomer's own commit", async () => {
    await using backup = new Backup()
    backup.lie = (_, answer) => {
      const isSigned = answer.type === "entries" || answer.type === "accepted" || answer.type === "head"
      return isSigned ? { ...answer, signature: new Uint8Array(64) } : answer
    }
    const [alice, bob] = (await backup.team("alice", "bob")) as [Client, Client]
    const dave = await backup.open("dave")
    await only(alice).invite("dave")
    await only(alice).send("hello, Dave")
    assert.equal(stateOf(alice).facts.head, undefined)
    const own = (await backup.world.branch.entries(only(alice))).findLast(({ kind }) => kind === "commit")
    backup.lie = (_, answer) =>
      answer.type === "entries" ? { ...answer, entries: answer.entries.filter(({ seq }) => seq !== own!.seq) } : answer
    await pass(backup.world, 60_000, dave)
    assert.deepEqual(await told(dave), ["joined", "missing"])
    backup.lie = (_, answer) => answer
    await pass(backup.world, 120_000, dave)
    await settle(alice, bob, dave)
    assert.deepEqual(await texts(dave), ["hello, Dave"])
  })
})

describe("a newcomer who did not know who the service is, and had read nothing when it was restored", () => {
  it("blames nobody, is not stopped by what others give back after her place, and is let in", async () => {
    await using backup = new Backup()
    const [alice, bob, carol] = (await backup.team("alice", "bob", "carol")) as [Client, Client, Client]
    const dave = await backup.open("dave")
    await backup.make()
    await only(bob).refresh()
    await settle(alice, bob)
    await only(alice).invite("dave")
    backup.lie = (request, answer, to) => {
      const isOfLog = request.type === "read" || request.type === "head"
      if (to === "dave" && isOfLog) throw new TransportError("the line is broken", { retryable: true })
      return answer
    }
    await dave.sync().catch(() => {})
    const { joinedAt } = stateOf(dave).facts
    backup.lie = (_, answer) => answer
    const restored = backup.restore()
    for (const text of ["one", "two", "three"]) await only(carol).send(text)
    await pass(backup.world, 60_000, alice, bob)
    const begun = (await restored.entries(only(alice))).findLast(({ begins }) => begins !== undefined)
    assert.ok(begun !== undefined && begun.seq > joinedAt)
    await pass(backup.world, 30_000, dave)
    assert.deepEqual(await told(dave), ["joined", "restored", "missing"])
    await pass(backup.world, 2 * TEN_MINUTES, dave, alice, bob, carol)
    assertOneGroup(alice, bob, carol, dave)
    await only(alice).send("hello, Dave")
    await settle(alice, dave)
    assert.equal((await texts(dave)).at(-1), "hello, Dave")
  })
})
