import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { DeliveryResponse } from "@conclave/contracts/delivery"
import type { Client } from "../src/index.js"
import { answered } from "./support/tampered.js"
import { provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const texts = async (client: Client) => (await only(client).history()).map(({ text }) => text)

const DAY = 86_400_000

describe("a message that is said to have expired", () => {
  /** Bob is at the head of the log; of what is hidden from then on, he is shown that it was there. */
  async function pair() {
    const world = new World({ inMemory: true })
    const hidden = new Set<bigint>()
    const hide = (answer: DeliveryResponse): DeliveryResponse => {
      if (answer.type !== "entries") return answer
      const entries = answer.entries.map((entry) => {
        if (!hidden.has(entry.seq)) return entry
        return { ...entry, kind: "expired" as const, body: provider.hashes["SHA-256"]!.digest(entry.body) }
      })
      return { ...answer, entries }
    }
    const service = { losesAnswers: false }
    const open = () => {
      const delivery = answered(world.transport("delivery"), ({ type }, answer) =>
        type === "append" && service.losesAnswers
          ? { type: "unavailable", reason: "", retryAfterMilliseconds: 0 }
          : hide(answer),
      )
      return world.open("bob", { delivery })
    }
    const [alice, bob] = [await world.open("alice"), await open()]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await team.send("one")
    await bob.sync()
    await taken(bob)
    const hideNext = async () => hidden.add(BigInt((await world.branch.entries(only(alice))).length) + 1n)
    const say = async (text: string, { isHidden = false } = {}) => {
      if (isHidden) await hideNext()
      await team.send(text)
    }
    return { world, bob, open, say, hideNext, service }
  }
  const rejected = async (client: Client) =>
    (await taken(client)).flatMap((it) => (it.type === "rejected" ? [it.code] : []))

  it("is kept back, where this device was at the head of the log less than a day ago", async () => {
    const { world, bob, say } = await pair()
    await using _ = world
    // Nothing is said for long, but Bob looks each day.
    world.now += 3 * DAY
    await bob.sync()
    await say("Bob, do NOT pay that bill", { isHidden: true })
    await say("see you tomorrow")
    await bob.sync()
    assert.deepEqual(await texts(bob), ["one", "see you tomorrow"])
    assert.deepEqual(await rejected(bob), ["WITHHELD"])
  })

  it("may have expired where this device was away for longer", async () => {
    const { world, bob, open, say } = await pair()
    await using _ = world
    await bob.close()
    await say("long ago", { isHidden: true })
    world.now += 3 * DAY
    await say("here I am")
    const again = await open()
    await again.sync()
    assert.deepEqual(await texts(again), ["one", "here I am"])
    assert.deepEqual(await rejected(again), [])
  })

  it("may have expired before a newcomer came to read it", async () => {
    await using world = new World({ inMemory: true })
    let hidden: bigint | undefined
    // Alice, who knows of no signature, tells the newcomer of none.
    const unsigned = (answer: DeliveryResponse): DeliveryResponse =>
      "signature" in answer ? { ...answer, signature: new Uint8Array(64) } : answer
    const alice = await world.open("alice", {
      delivery: answered(world.transport("delivery"), (_, answer) => unsigned(answer)),
    })
    const hide = (answer: DeliveryResponse): DeliveryResponse => {
      if (answer.type !== "entries") return answer
      const entries = answer.entries.map((entry) => {
        if (entry.seq !== hidden) return entry
        return { ...entry, kind: "expired" as const, body: provider.hashes["SHA-256"]!.digest(entry.body) }
      })
      return { ...answer, entries }
    }
    const carol = await world.open("carol", {
      delivery: answered(world.transport("delivery"), (_, answer) => hide(answer)),
    })
    const team = await alice.createConversation({ members: ["carol"] })
    // More than one page.
    for (let n = 0; n < 300; n++) await team.send(`${n}`)
    await team.send("long ago")
    hidden = BigInt((await world.branch.entries(team)).length)
    world.now += 3 * DAY
    await team.send("here you are")
    await settle(carol)
    assert.deepEqual((await texts(carol)).slice(-2), ["299", "here you are"])
    assert.deepEqual(await rejected(carol), [])
  })

  it("may have expired where this device's clock was put back", async () => {
    const { world, bob, say } = await pair()
    await using _ = world
    await bob.sync()
    world.now -= 3 * DAY
    await say("who knows when", { isHidden: true })
    await say("here I am")
    await bob.sync()
    assert.deepEqual(await texts(bob), ["one", "here I am"])
    assert.deepEqual(await rejected(bob), [])
  })

  it("is not kept back from the device that has sent it, and has not heard so", async () => {
    const { world, bob, hideNext, service } = await pair()
    await using _ = world
    service.losesAnswers = true
    await hideNext()
    const sent = only(bob).send("mine")
    await bob.sync().catch(() => {})
    service.losesAnswers = false
    await bob.sync()
    await sent
    assert.deepEqual(await texts(bob), ["one", "mine"])
    assert.deepEqual(await rejected(bob), [])
  })
})
