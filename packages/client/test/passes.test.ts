import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode } from "@conclave/codec"
import type { Access } from "@conclave/contracts/access"
import { type DeliveryRequest, DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import type { Transport } from "@conclave/transport"
import type { Client } from "../src/index.js"
import { until } from "./support/counting.js"
import { taken, World } from "./support/world.js"

const HOUR = 3_600_000

interface Sent {
  readonly by: Access["type"]
  readonly answer: DeliveryResponse["type"]
}

/** Shows how the appends of a client were proved, and changes their MACs while `forging`. */
function watched(transport: Transport) {
  const sent: Sent[] = []
  const service = { forging: false, passes: 0 }
  const forged = (request: DeliveryRequest): DeliveryRequest => {
    if (!service.forging || !("access" in request) || request.access.type !== "mac") return request
    return { ...request, access: { ...request.access, mac: new Uint8Array(32) } }
  }
  const count = (bytes: Uint8Array) => {
    const answer = decode(DeliveryResponse, bytes)
    if (answer.type === "passes") service.passes += answer.passes.length
    return answer
  }
  const wrapped: Transport = {
    ...transport,
    async request(body, options) {
      const request = deliveryRequests.decode(body)
      const answer = await transport.request(deliveryRequests.encode(forged(request)), options)
      const { type } = count(answer)
      if (request.type === "append") sent.push({ by: request.access.type, answer: type })
      return answer
    },
    async *subscribe(body, options) {
      for await (const answer of transport.subscribe(body, options)) {
        yield answer
        count(answer)
      }
    },
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  }
  return { transport: wrapped, service, taken: () => sent.splice(0) }
}

const only = (client: Client) => [...client.conversations.values()][0]!
const [byMac, signed] = [
  { by: "mac", answer: "accepted" },
  { by: "proof", answer: "accepted" },
] as const

/** Alice talks with Bob, whose client is live and has a pass. */
async function following(world: World) {
  const line = watched(world.transport("delivery"))
  const alice = await world.open("alice")
  const bob = await world.open("bob", { live: true, delivery: line.transport })
  await alice.createConversation({ members: ["bob"] })
  await until(() => bob.conversations.size === 1 && line.service.passes > 0, "a pass")
  line.taken()
  return { alice, bob, line }
}

describe("a client with a pass", { timeout: 20_000 }, () => {
  it("appends by a MAC, and after a commit signs once, for a pass for the next key", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob, line } = await following(world)
    await only(bob).send("no signature")
    assert.deepEqual(line.taken(), [byMac])
    const before = line.service.passes
    await only(bob).refresh()
    assert.deepEqual(line.taken(), [byMac])
    await only(bob).send("once")
    assert.deepEqual(line.taken(), [signed])
    await until(() => line.service.passes > before, "a pass for the next key")
    await only(bob).send("nor now")
    assert.deepEqual(line.taken(), [byMac])
    assert.equal(line.service.passes, before + 1)
    await alice.sync()
    const texts = (await taken(alice)).flatMap((event) => (event.type === "message" ? [event.text] : []))
    assert.deepEqual(texts, ["no signature", "once", "nor now"])
  })

  it("signs where the MAC is denied, once, drops its pass, and gets another", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob, line } = await following(world)
    line.service.forging = true
    const before = line.service.passes
    await only(bob).send("hello")
    assert.deepEqual(line.taken(), [{ by: "mac", answer: "denied" }, signed])
    line.service.forging = false
    await until(() => line.service.passes > before, "another pass")
    await only(bob).send("again")
    assert.deepEqual(line.taken(), [byMac])
    await alice.sync()
    const texts = (await taken(alice)).flatMap((event) => (event.type === "message" ? [event.text] : []))
    assert.deepEqual(texts, ["hello", "again"])
  })

  it("signs when the pass is over soon, and gets another", async () => {
    await using world = new World({ inMemory: true })
    const { bob, line } = await following(world)
    world.now += 24 * HOUR - 10 * 60_000 - 1
    await only(bob).send("in time")
    assert.deepEqual(line.taken(), [byMac])
    world.now += 1
    const before = line.service.passes
    await only(bob).send("late")
    assert.deepEqual(line.taken(), [signed])
    await until(() => line.service.passes > before, "another pass")
    await only(bob).send("later")
    assert.deepEqual(line.taken(), [byMac])
  })
})

describe("a client that is not live", { timeout: 20_000 }, () => {
  it("has no pass and signs", async () => {
    await using world = new World({ inMemory: true })
    const line = watched(world.transport("delivery"))
    const alice = await world.open("alice", { delivery: line.transport })
    await world.open("bob")
    const conversation = await alice.createConversation({ members: ["bob"] })
    await conversation.send("hello")
    const sent = line.taken()
    assert.ok(sent.length >= 2)
    assert.deepEqual(new Set(sent.map(({ by }) => by)), new Set(["proof"]))
  })
})
