import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { InboxEntry } from "@conclave/contracts/delivery"
import type { ConversationHandle } from "../src/device/handle.js"
import type { Client } from "../src/index.js"
import { recordKeys } from "../src/records/records.js"
import { Backup, only, pass, told } from "./support/backup.js"
import { Mallory } from "./support/mallory.js"
import { settle, type World } from "./support/world.js"

/** Somebody has taken all key packages that are used once. */
async function leaveLastResort(world: World, name: string): Promise<void> {
  const mallory = new Mallory(world)
  const taken = new Set<string>()
  for (;;) {
    const { keyPackage } = await mallory.claim(name)
    const text = String(keyPackage)
    if (taken.has(text)) return
    taken.add(text)
  }
}

interface Scene {
  readonly alice: Client
  readonly bob: Client
  /** The service shows Bob his Welcome once more. */
  readonly showAgain: () => void
}

/** Bob has come in with his key package of last resort, and has left. */
async function leftAfterLastResort(backup: Backup): Promise<Scene> {
  const alice = await backup.open("alice")
  const bob = await backup.open("bob")
  await leaveLastResort(backup.world, "bob")
  let welcome: InboxEntry | undefined
  backup.lie = (_, answer, to) => {
    if (to === "bob" && answer.type === "inboxEntries")
      welcome ??= answer.entries.find(({ kind }) => kind === "welcome")
    return answer
  }
  await alice.createConversation({ title: "team", members: ["bob"] })
  await settle(alice, bob)
  await only(bob).send("hello")
  await only(bob).leave()
  await pass(backup.world, 30_000, alice, bob)
  assert.equal(only(bob).status, "left")
  const showAgain = () => {
    let isShown = false
    backup.lie = (_, answer, to) => {
      if (to !== "bob" || isShown || answer.type !== "inboxEntries") return answer
      isShown = true
      const n = answer.head + 1n
      return { ...answer, entries: [{ ...welcome!, n }], head: n }
    }
  }
  for (const client of [alice, bob]) await told(client)
  return { alice, bob, showAgain }
}

describe("a Welcome to a key package of last resort", () => {
  it("is followed once: a device that has left would begin with the same keys again", async () => {
    await using backup = new Backup()
    const { bob, showAgain } = await leftAfterLastResort(backup)
    showAgain()
    await bob.sync()
    assert.deepEqual(await told(bob), ["rejected REFUSED"])
    assert.equal(only(bob).status, "left")
  })

  it("is followed once, also by a device that was started again", async () => {
    await using backup = new Backup()
    const { bob, showAgain } = await leftAfterLastResort(backup)
    await bob.close()
    const again = await backup.open("bob")
    showAgain()
    await again.sync()
    assert.deepEqual(await told(again), ["rejected REFUSED"])
    assert.equal(only(again).status, "left")
  })

  it("does not keep a device that has left from being invited again", async () => {
    await using backup = new Backup()
    const { alice, bob } = await leftAfterLastResort(backup)
    await only(alice).invite("bob")
    await settle(alice, bob)
    assert.deepEqual(await told(bob), ["joined"])
  })

  it("is remembered no longer than the private keys are kept", async () => {
    await using backup = new Backup()
    const { bob } = await leftAfterLastResort(backup)
    const { store } = (only(bob) as ConversationHandle).driver.means
    assert.equal((await store.list(recordKeys.welcomed)).length, 1)
    backup.world.now += 400 * 86_400_000
    await bob.sync()
    assert.deepEqual(await store.list(recordKeys.welcomed), [])
  })
})
