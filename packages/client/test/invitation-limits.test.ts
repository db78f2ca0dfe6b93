import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { authRequests } from "@conclave/contracts/auth"
import type { Transport } from "@conclave/transport"
import type { Client, Conversation } from "../src/index.js"
import { MemoryProfile, memoryStore } from "../src/store/memory.js"
import { settle, taken, World } from "./support/world.js"

const asking = { keyPackages: 4, invitations: "ask" } as const

describe("nobody's list of conversations is filled by others", () => {
  const invitationLimits = { unansweredByInviter: 2, perDayByInviter: 3, unanswered: 3 }

  it("unanswered invitations are limited, by inviter and in all", async () => {
    await using world = new World({ inMemory: true })
    const bob = await world.open("bob", { policy: { ...asking, keyPackages: 20, invitationLimits } })
    const people = [await world.open("mallory"), await world.open("alice"), await world.open("carol")]
    const made = new Map<string, Conversation[]>()
    for (const person of people) {
      const conversations: Conversation[] = []
      for (let n = 0; n < 4; n++) conversations.push(await person.createConversation({ members: ["bob"] }))
      made.set(person.name, conversations)
      await bob.sync()
    }
    const by = new Map<string, number>()
    for (const { members } of bob.conversations.values()) {
      const inviter = members.find((name) => name !== "bob")!
      by.set(inviter, (by.get(inviter) ?? 0) + 1)
    }
    assert.deepEqual(Object.fromEntries(by), { mallory: 2, alice: 1 })
    const events = await taken(bob)
    assert.deepEqual(
      events.map((it) => (it.type === "rejected" ? [it.code, it.count] : it.type)),
      ["invited", "invited", ["TOO_MANY_INVITATIONS", 9], "invited"],
    )
    world.now += 10_000
    await settle(...people)
    const told = (await taken(people[0]!)).filter((it) => it.type === "declined")
    assert.deepEqual(
      told.map(({ reason }) => reason),
      ["limit", "limit"],
    )
    assert.deepEqual(
      made.get("mallory")!.map(({ members }) => members.length),
      [2, 2, 1, 1],
    )
  })

  it("those that are accepted by themselves are limited by inviter and day, and one's own devices are not", async () => {
    await using world = new World({ inMemory: true })
    const policy = { keyPackages: 20, invitationLimits }
    const profile = new MemoryProfile()
    const mallory = await world.open("mallory")
    let bob = await world.open("bob", { policy, store: memoryStore(profile) })
    const invite = async (client: Client) => {
      for (let n = 0; n < 5; n++) await (await client.createConversation({})).invite("bob")
      await bob.sync()
    }
    await invite(mallory)
    assert.equal(bob.conversations.size, 3)
    await bob.close()
    bob = await world.open("bob", { policy, store: memoryStore(profile) })
    await invite(mallory)
    assert.equal(bob.conversations.size, 3, "a restart forgets nothing")
    world.now += 86_400_001
    await invite(mallory)
    assert.equal(bob.conversations.size, 6)
    const endorse = (registration: Uint8Array) => bob.endorseDevice(registration)
    const phone = await world.open("bob", { store: memoryStore(), endorse })
    await invite(phone)
    assert.equal(bob.conversations.size, 11)
  })

  it("those that a function puts to the person are limited like those that all are asked about", async () => {
    await using world = new World({ inMemory: true })
    const policy = { keyPackages: 20, invitationLimits, invitations: () => "ask" as const }
    const [bob, mallory] = [await world.open("bob", { policy }), await world.open("mallory")]
    for (let n = 0; n < 3; n++) await mallory.createConversation({ members: ["bob"] })
    await bob.sync()
    assert.deepEqual(
      [...bob.conversations.values()].map(({ status }) => status),
      ["invited", "invited"],
    )
    assert.deepEqual(
      (await taken(bob)).map((it) => (it.type === "rejected" ? it.code : it.type)),
      ["invited", "invited", "TOO_MANY_INVITATIONS"],
    )
  })

  it("an invitation beyond the limit is declined before the directory is asked about anybody else in it", async () => {
    await using world = new World({ inMemory: true })
    const asked: string[] = []
    const auth = world.transport("auth")
    const watched: Transport = {
      ...auth,
      request(body, options) {
        const request = authRequests.decode(body)
        if (request.type === "lookup") asked.push(request.name)
        return auth.request(body, options)
      },
      [Symbol.asyncDispose]: () => auth[Symbol.asyncDispose](),
    }
    const policy = { ...asking, keyPackages: 20, invitationLimits }
    const bob = await world.open("bob", { policy, auth: watched })
    const names = ["carol", "dave", "erin"]
    for (const name of names) await world.open(name)
    const mallory = await world.open("mallory")
    for (let n = 0; n < 2; n++) await mallory.createConversation({ members: ["bob"] })
    await bob.sync()
    asked.length = 0
    await mallory.createConversation({ members: [...names, "bob"] })
    await bob.sync()
    assert.equal(bob.conversations.size, 2)
    assert.deepEqual(asked, [])
  })

  it("an invitation that keeps coming and going does not, either", async () => {
    await using world = new World({ inMemory: true })
    const bob = await world.open("bob", { policy: { ...asking, keyPackages: 20, invitationLimits } })
    const mallory = await world.open("mallory")
    const team = await mallory.createConversation({ members: ["bob"] })
    for (let n = 0; n < 5; n++) {
      await settle(bob, mallory)
      await team.remove("bob")
      await settle(bob, mallory)
      await team.invite("bob")
    }
    await settle(bob)
    assert.equal(bob.conversations.size, 0)
    assert.deepEqual(
      (await taken(bob)).map((it) => it.type),
      ["rejected"],
    )
  })
})
