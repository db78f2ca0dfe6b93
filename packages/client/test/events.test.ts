import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { inspect } from "node:util"
import type { Client } from "../src/index.js"
import { Recorder } from "./support/troubled-session.js"
import { settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!

/** Alice with three events: of bob's joining, and of two messages of hers. */
async function alice(world: World): Promise<Client> {
  const client = await world.open("alice")
  const bob = await world.open("bob")
  const team = await client.createConversation({ members: ["bob"] })
  await team.send("one")
  await team.send("two")
  await settle(client, bob)
  return client
}

describe("an event", () => {
  it("is seen again after a loop that did not complete it, and not after one that asked for the next", async () => {
    await using world = new World({ inMemory: true })
    const client = await alice(world)
    for await (const event of client.events()) if (event.number === 2) break
    const numbers = (await taken(client)).map(({ number }) => number)
    assert.deepEqual(numbers, [2, 3])
    assert.deepEqual(await taken(client), [])
  })

  it("survives a restart until it is acknowledged, and its number is never used again", async () => {
    await using world = new World({ inMemory: true })
    const client = await alice(world)
    await client.acknowledge(1)
    await client.close()
    const again = await world.open("alice")
    const numbers = (await taken(again)).map(({ number }) => number)
    assert.deepEqual(numbers, [2, 3])
    await [...again.conversations.values()][0]!.send("three")
    await again.close()
    const last = await world.open("alice")
    assert.deepEqual(
      (await taken(last)).map(({ number }) => number),
      [4],
    )
  })

  it("comes to one loop that acknowledges, and to any number of onlookers", async () => {
    await using world = new World({ inMemory: true })
    const client = await alice(world)
    const first = client.events()[Symbol.asyncIterator]()
    assert.equal((await first.next()).value?.number, 1)
    await assert.rejects(client.events()[Symbol.asyncIterator]().next(), TypeError)
    for (let onlooker = 0; onlooker < 2; onlooker++) {
      const looking = client.events({ peek: true })[Symbol.asyncIterator]()
      assert.equal((await looking.next()).value?.number, 1)
      assert.equal((await looking.next()).value?.number, 2)
    }
    await first.return?.()
    assert.equal((await taken(client)).length, 3)
  })

  it("can be logged: the conversation shows itself, and nothing of what is behind it", async () => {
    await using world = new World({ inMemory: true })
    const client = await alice(world)
    const [event] = await taken(client)
    assert.ok(event?.type === "members")
    const { id, title, status, members } = event.conversation
    assert.deepEqual(JSON.parse(JSON.stringify(event)).conversation, { id, title, status, members })
    assert.doesNotMatch(inspect(event, { depth: 20 }), /signer|sealingKey|store/)
  })

  it("is told, and the client closed, whatever a listener throws: what has happened has happened", async () => {
    await using world = new World({ inMemory: true })
    const recorder = new Recorder()
    const client = await world.open("alice", { logger: recorder.logger })
    const team = await client.createConversation({})
    let calls = 0
    client.observe(() => {
      calls++
      throw new Error("the application's own fault")
    })
    await team.send("one")
    assert.ok(calls > 0)
    assert.equal(recorder.of("a listener of the application failed").length, calls)
    assert.deepEqual(recorder.of("a transaction failed"), [])
    assert.deepEqual(
      (await taken(client)).map(({ type }) => type),
      ["sent"],
    )
    await client.close()
    const again = await world.open("alice")
    assert.deepEqual(
      (await only(again).history()).map(({ text }) => text),
      ["one"],
    )
  })

  it("ends the loop that was in the middle of it when the client is closed, and is seen again", async () => {
    await using world = new World({ inMemory: true })
    const client = await alice(world)
    const seen: number[] = []
    for await (const event of client.events()) {
      seen.push(event.number)
      if (event.number === 2) await client.close()
    }
    assert.deepEqual(seen, [1, 2])
    const again = await world.open("alice")
    assert.deepEqual(
      (await taken(again)).map(({ number }) => number),
      [2, 3],
    )
  })

  it("ends the waiting of its loops when the client is closed", async () => {
    await using world = new World({ inMemory: true })
    const client = await world.open("alice")
    const waiting = client.events()[Symbol.asyncIterator]().next()
    await client.close()
    assert.equal((await waiting).done, true)
  })
})
