import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { equalBytes } from "@conclave/crypto"
import { TransportError } from "@conclave/transport"
import type { ConversationHandle } from "../src/device/handle.js"
import { until } from "./support/counting.js"
import { tampered } from "./support/tampered.js"
import { only, team } from "./support/team.js"
import { settle, World } from "./support/world.js"

describe("the code of a key", () => {
  it("is the half of a safety code, and of that key and that name alone", async () => {
    const { world, alice, bob, conversation } = await team()
    const halves = [alice, bob].map(({ name, signatureKey }) => bob.keyCode(name, signatureKey))
    for (const half of halves) assert.match(half, /^\d{5}( \d{5}){5}$/)
    assert.equal(halves.toSorted().join(" "), conversation.safetyCode("bob"))
    assert.notEqual(alice.keyCode("alice", bob.signatureKey), halves[0])
    assert.notEqual(alice.keyCode("carol", alice.signatureKey), halves[0])
    assert.throws(() => alice.keyCode("no name", alice.signatureKey), /is not a name/)
    const [own] = await alice.ownDevices()
    assert.deepEqual(own?.signatureKey, alice.signatureKey)
    await world[Symbol.asyncDispose]()
  })
})

describe("an inspection", () => {
  it("says which commit began which epoch, who made it and what it changed, and how far the log was read", async () => {
    const { world, alice, bob, others } = await team({ names: ["carol"] })
    const clients = [alice, ...others]
    await only(bob).refresh()
    await settle(...clients)
    await only(alice).remove("carol")
    await settle(...clients)
    const { commits, log, head, service, intervals, wishes, isCommitting, firstEpoch } = only(alice).inspect()
    assert.deepEqual(
      commits.map(({ epoch, by, own, path, added, removed }) => ({ epoch, by, own, path, added, removed })),
      [
        { epoch: 1n, by: "alice", own: true, path: false, added: ["bob", "carol"], removed: [] },
        { epoch: 2n, by: "bob", own: false, path: true, added: [], removed: [] },
        { epoch: 3n, by: "alice", own: true, path: true, added: [], removed: ["carol"] },
      ],
    )
    assert.deepEqual(commits[1]?.signatureKey, bob.signatureKey)
    assert.equal(commits[2]?.at.getTime(), world.now)
    assert.equal(firstEpoch, 0n)
    assert.equal(log.lastCommit, commits[2]?.seq)
    assert.equal(log.cursor, log.head)
    assert.equal(log.waiting, 0)
    assert.equal(head?.seq, log.cursor)
    assert.deepEqual(head?.chainHash, log.chainHash)
    assert.deepEqual(head?.signedBy, service?.key, "the service has signed what was read")
    assert.deepEqual([wishes, isCommitting], [[], false])
    const newest = intervals.at(-1)!
    assert.deepEqual(only(bob).inspect().intervals.at(-1)?.accessKey, newest.accessKey, "members derive the same key")
    // Who came later knows nothing of the time before.
    assert.deepEqual(
      only(bob)
        .inspect()
        .commits.map(({ epoch }) => epoch),
      [2n, 3n],
    )
    assert.equal(only(bob).inspect().firstEpoch, 1n)
    await world[Symbol.asyncDispose]()
  })

  it("names what waits, for whom, and when it is tried again", async () => {
    let isDown = false
    const delivery = (world: World) =>
      tampered(world.transport("delivery"), ({ type }, pass) => {
        if (isDown && type === "append") throw new TransportError("not now", { retryable: true })
        return pass()
      })
    const { world, alice, others, conversation } = await team({ names: ["carol"], delivery })
    isDown = true
    conversation.remove("carol").catch(() => {})
    await until(() => conversation.inspect().isCommitting, "a commit under way")
    assert.deepEqual(conversation.inspect().wishes, [{ wish: "remove", names: ["carol"] }])
    isDown = false
    await settle(alice, ...others)
    assert.deepEqual(conversation.inspect().wishes, [])
    assert.equal(conversation.inspect().isCommitting, false)
    await world[Symbol.asyncDispose]()
  })

  it("does not count a head that the service has not signed", async () => {
    const { world, alice, conversation } = await team()
    const { state } = (conversation as ConversationHandle).driver
    const { head } = state.facts
    assert.notEqual(conversation.inspect().head?.signedBy, undefined)
    state.facts = { ...state.facts, head: { ...head!, signature: new Uint8Array(64) } }
    assert.equal(conversation.inspect().head?.signedBy, undefined)
    await alice.close()
    await world[Symbol.asyncDispose]()
  })

  it("has no secret in it, and nothing that changes the conversation when it is written to", async () => {
    const { world, alice, conversation } = await team()
    const { state } = (conversation as ConversationHandle).driver
    const secrets = [state.intervals.newest!.secret, ...state.kept.all.flatMap(({ before }) => before?.secret ?? [])]
    const found = bytesIn(conversation.inspect())
    assert.ok(found.length >= 6, `${found.length} byte strings`)
    for (const secret of secrets) for (const bytes of found) assert.ok(!equalBytes(secret, bytes))
    const code = conversation.safetyCode("bob")
    for (const bytes of [...found, ...bytesIn(conversation.tree()), alice.signatureKey]) bytes.fill(0)
    assert.equal(conversation.safetyCode("bob"), code)
    await conversation.send("still here")
    assert.notDeepEqual(conversation.inspect().log.chainHash, new Uint8Array(32))
    await world[Symbol.asyncDispose]()
  })
})

describe("the leaves of a tree", () => {
  it("say which device each is of", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice")
    const conversation = await alice.createConversation({})
    const leaves = conversation.tree().flatMap(({ signatureKey }) => signatureKey ?? [])
    assert.deepEqual(leaves.map(hex), [hex(alice.signatureKey)])
  })
})

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")

/** All byte strings in it, whatever they are called. */
function bytesIn(value: unknown): readonly Uint8Array[] {
  if (value instanceof Uint8Array) return [value]
  if (typeof value !== "object" || value === null) return []
  return Object.values(value).flatMap(bytesIn)
}
