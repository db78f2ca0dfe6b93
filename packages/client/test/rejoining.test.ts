import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { DeliveryResponse } from "@conclave/contracts/delivery"
import { Group } from "@conclave/mls"
import { fromHex } from "../src/bytes.js"
import type { Client, Conversation } from "../src/index.js"
import { Mallory } from "./support/mallory.js"
import { answered } from "./support/tampered.js"
import { provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const idOf = (conversation: Conversation) => fromHex(conversation.id)

describe("a device that rejoins", () => {
  /** Bob's service is such that his log breaks while `lying`, and gives `info` to rejoin by. */
  async function brokenLog(info: (answer: DeliveryResponse & { type: "groupInfo" }) => DeliveryResponse) {
    const world = new World({ inMemory: true })
    const lie = { lying: false }
    const delivery = answered(world.transport("delivery"), (request, answer) => {
      if (!lie.lying) return answer
      if (request.type === "read" && answer.type === "entries") {
        return { ...answer, entries: answer.entries.map((it) => ({ ...it, chainHash: provider.random(32) })) }
      }
      return answer.type === "groupInfo" ? info(answer) : answer
    })
    const [alice, bob, carol] = [
      await world.open("alice"),
      await world.open("bob", { delivery }),
      await world.open("carol"),
    ]
    const conversation = await alice.createConversation({ members: ["bob", "carol"] })
    await conversation.send("hello")
    await settle(alice, bob, carol)
    for (const client of [alice, bob, carol]) await taken(client)
    return { world, lie, alice, bob, carol, conversation }
  }

  it("believes no GroupInfo of an epoch before the one that it knows: a removed member stays out", async () => {
    let stale: DeliveryResponse | undefined
    const { world, lie, alice, bob, carol, conversation } = await brokenLog((answer) => stale ?? answer)
    await using _ = world
    stale = await new Mallory(world).groupInfo(idOf(conversation))
    await conversation.remove("carol")
    await settle(alice, bob, carol)
    await taken(bob)
    await conversation.send("only for us")
    lie.lying = true
    for (let round = 0; round < 3; round++) await bob.sync()
    assert.equal(only(bob).status, "recovering")
    const [told, ...more] = await taken(bob)
    assert.ok(told?.type === "rejected" && told.code === "CANNOT_REJOIN")
    assert.match(told.reason, /it is of epoch 1, and this device has got to 2$/)
    assert.deepEqual(more, [])
    lie.lying = false
    await settle(bob, alice)
    assert.equal(only(bob).status, "active")
    assert.deepEqual(only(bob).members, ["alice", "bob"])
  })

  it("believes no GroupInfo that no member of its last tree has signed", async () => {
    let forged: DeliveryResponse | undefined
    const { world, lie, bob, conversation } = await brokenLog((answer) => forged ?? answer)
    await using _ = world
    const mallory = new Mallory(world)
    await mallory.register()
    const own = Group.create({ ...mallory.options, groupId: idOf(conversation) })
    for (let epoch = 0; epoch < 5; epoch++) own.apply(own.commit(), [])
    forged = { ...(await mallory.groupInfo(idOf(conversation))), groupInfo: own.groupInfo(), ratchetTree: undefined }
    await conversation.send("hello again")
    lie.lying = true
    for (let round = 0; round < 3; round++) await bob.sync()
    assert.equal(only(bob).status, "recovering")
    const [told] = await taken(bob)
    assert.ok(told?.type === "rejected" && told.code === "CANNOT_REJOIN")
    assert.match(told.reason, /no member that this device knew has signed it$/)
  })

  it("believes no GroupInfo of another group that a member has signed", async () => {
    let other: DeliveryResponse | undefined
    const { world, lie, alice, bob, conversation } = await brokenLog((answer) => other ?? answer)
    await using _ = world
    const elsewhere = await alice.createConversation({ members: ["bob"] })
    await elsewhere.refresh()
    await elsewhere.refresh()
    other = await new Mallory(world).groupInfo(idOf(elsewhere))
    await conversation.send("hello again")
    lie.lying = true
    for (let round = 0; round < 3; round++) await bob.sync()
    assert.equal(bob.conversations.get(conversation.id)?.status, "recovering")
  })

  it("tells who came and who went meanwhile before it sends anything, and the others that it came back", async () => {
    const { world, lie, alice, bob, carol, conversation } = await brokenLog((answer) => answer)
    await using _ = world
    await world.open("dave")
    await conversation.remove("carol")
    await conversation.invite("dave")
    lie.lying = true
    for (let round = 0; round < 2; round++) await bob.sync()
    lie.lying = false
    const sending = only(bob).send("I am back")
    await settle(bob, alice)
    await sending
    const [recovered, members, sent] = await taken(bob)
    assert.ok(recovered?.type === "recovered" && members?.type === "members" && sent?.type === "sent")
    assert.deepEqual([members.by, members.added, members.removed], ["alice", ["dave"], ["carol"]])
    const back = (await taken(alice)).filter((it) => it.type === "members").at(-1)
    assert.ok(back?.type === "members")
    assert.deepEqual([back.by, back.rejoined, back.added, back.removed], ["bob", ["bob"], [], []])
    assert.ok(carol.name)
  })
})
