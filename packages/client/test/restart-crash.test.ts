import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { Client, MemoryProfile, memoryStore } from "../src/index.js"
import { Power, storeOn, transportOn } from "./support/faults.js"
import { isWhole } from "./support/long.js"
import { bobStuck, invitationOf, only, stop, texts } from "./support/stopping.js"
import { settle, World } from "./support/world.js"

describe("a crash", () => {
  for (const who of ["alice", "bob"] as const) {
    const doing = who === "alice" ? "restarts a conversation" : "accepts the new one"
    it(`of ${who}, who ${doing}, at any point leaves one conversation, with everything said once`, async (context) => {
      let points = 0
      for (let at: number | undefined; ; ) {
        const passed = await crashed(who, at)
        if (at === undefined) {
          points = passed
          assert.ok(points > 8, `only ${points} points`)
          at = 0
        } else at += isWhole ? 1 : 3
        if (at >= points) break
      }
      context.diagnostic(`${points} points`)
    })
  }
})

describe("a device that comes in again while it restarts the conversation, and loses its place once more", () => {
  it("says nothing twice that it has sent meanwhile", async () => {
    const { world, service, alice, bob, old, sent, later } = await bobStuck("the answer")
    await using _ = world
    let isIn = false
    service.beforeReading = async () => {
      service.beforeReading = async () => {}
      world.now += 30_000
      await settle(alice)
      service.loses = true
      await bob.sync().catch(() => {})
      isIn = old.status === "active"
      service.spoils = true
      await only(alice).refresh()
      for (let round = 0; round < 2; round++) await bob.sync().catch(() => {})
      assert.equal(old.status, "recovering")
      service.loses = false
      service.spoils = false
    }
    const after = await old.restart({ without: ["mallory"] })
    assert.ok(isIn, "it was in meanwhile")
    await Promise.all([sent, later])
    await settle(alice, bob)
    const said = ["hello", "hello, alice", "while I was losing my place", "after that"]
    assert.deepEqual(await texts(old), said)
    assert.deepEqual(await texts(after), said)
    assert.deepEqual(await texts(alice.conversations.get(after.id)!), [])
  })
})

/** Returns how many points the one whose power fails has passed without a failure. */
async function crashed(who: "alice" | "bob", at: number | undefined): Promise<number> {
  const label = `${who} at ${at}`
  await using world = new World({ inMemory: true })
  const profiles = new Map(["alice", "bob", "mallory"].map((name) => [name, new MemoryProfile()]))
  const open = (name: string, power: Power) =>
    Client.open({
      ...world.options(name, storeOn(power, memoryStore(profiles.get(name)))),
      delivery: transportOn(power, world.transport("delivery")),
      auth: transportOn(power, world.transport("auth")),
    })
  const steady = () => new Power(Number.POSITIVE_INFINITY)
  let [alice, bob] = [await open("alice", steady()), await open("bob", steady())]
  const mallory = await open("mallory", steady())
  const old = await alice.createConversation({ title: "team", members: ["bob", "mallory"] })
  await old.send("hello")
  await settle(alice, bob, mallory)
  await stop(world, mallory)
  const waiting = [old.send("one"), only(bob).send("two")]
  for (const it of waiting) it.catch(() => {})
  await settle(alice, bob)
  assert.deepEqual([only(alice).status, only(bob).status], ["stopped", "stopped"])
  let points = 0
  /** Does `act` in a profile whose power may fail, and again after that. */
  const play = async (name: "alice" | "bob", client: Client, act: (client: Client) => Promise<unknown>) => {
    await client.close()
    for (let failsAt = name === who ? at : undefined; ; failsAt = undefined) {
      const power = new Power(failsAt ?? Number.POSITIVE_INFINITY)
      let opened: Client | undefined
      const acting = (async () => {
        opened = await open(name, power)
        await act(opened)
      })()
      const failed = await Promise.race([acting.then(() => undefined), power.failure]).catch((error: unknown) => error)
      if (name === who && at === undefined) points = power.passed
      if (power.off) {
        await opened?.close().catch(() => {})
        await acting.catch(() => {})
        continue
      }
      if (failed !== undefined) throw new Error(label, { cause: failed })
      return opened!
    }
  }
  alice = await play("alice", alice, async (client) => {
    await client.sync()
    const one = only(client)
    if (one.continues === undefined) await one.restart({ without: ["mallory"] })
    await client.sync()
  })
  bob = await play("bob", bob, async (client) => {
    await client.sync()
    await invitationOf(client)?.accept()
    await client.sync()
  })
  await settle(alice, bob)
  for (const client of [alice, bob]) {
    const one = only(client)
    assert.deepEqual([one.status, one.members], ["active", ["alice", "bob"]], label)
    assert.deepEqual([one.continues?.status, one.continues?.pending], ["continued", []], label)
    assert.deepEqual(await texts(one), ["hello", "one", "two"], label)
    assert.deepEqual(one.pending, [])
  }
  assert.equal(only(alice).id, only(bob).id)
  await Promise.all([alice.close(), bob.close(), mallory.close()])
  assert.deepEqual(world.faults, [])
  return points
}
