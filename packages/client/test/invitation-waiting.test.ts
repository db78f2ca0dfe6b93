import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { TransportError } from "@conclave/transport"
import { ConversationHandle } from "../src/device/handle.js"
import type { Client, Store } from "../src/index.js"
import { MemoryProfile, memoryStore } from "../src/store/memory.js"
import { Mallory } from "./support/mallory.js"
import { answered, tampered } from "./support/tampered.js"
import { settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const types = async (client: Client) => (await taken(client)).map(({ type }) => type)
const asking = { keyPackages: 4, invitations: "ask" } as const

describe("an invitation that was not accepted", () => {
  it("is no conversation that the person could restart", async () => {
    await using world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { policy: asking })]
    await alice.createConversation({ members: ["bob"] })
    await bob.sync()
    const invitation = only(bob)
    const refusal = { code: "NOT_A_MEMBER", message: "this invitation has not been accepted" }
    await assert.rejects(invitation.restart(), refusal)
    await invitation.decline()
    await assert.rejects(invitation.restart(), refusal)
  })
})

describe("a member who cannot follow", () => {
  it("is let in by nobody who has not accepted the invitation, and by them once they have", async () => {
    await using world = new World({ inMemory: true })
    let isBroken = false
    const delivery = answered(world.transport("delivery"), (request, answer) => {
      if (!isBroken || request.type !== "read" || answer.type !== "entries") return answer
      return { type: "belowRetention", groupId: answer.groupId, oldestSeq: 1_000n }
    })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { delivery })]
    const carol = await world.open("carol", { policy: asking })
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await only(bob).refresh()
    await team.invite("carol")
    await settle(alice, bob, carol)
    await team.send("what Bob cannot follow")
    isBroken = true
    await bob.sync()
    isBroken = false
    const look = async () => {
      for (let times = 0; times < 6; times++) {
        world.now += 10_000
        for (const client of [carol, bob]) await client.sync()
      }
    }
    await look()
    assert.equal(only(bob).status, "recovering")
    await only(carol).accept()
    await look()
    assert.equal(only(bob).status, "active")
    const [recovered] = (await taken(bob)).flatMap((it) => (it.type === "recovered" ? [it] : []))
    assert.equal(recovered?.by, "carol")
  })
})

describe("what is said while an invitation waits", () => {
  it("is kept until it is accepted, over restarts, and no longer where no history is wanted", async () => {
    await using world = new World({ inMemory: true })
    const profile = new MemoryProfile()
    const messages = () => [...profile.records.keys()].filter((key) => key.includes("/message/")).length
    const policy = { ...asking, history: false }
    const open = () => world.open("bob", { policy, store: memoryStore(profile) })
    const alice = await world.open("alice")
    let bob = await open()
    const team = await alice.createConversation({ members: ["bob"] })
    await team.send("one")
    await settle(alice, bob)
    await bob.close()
    bob = await open()
    await team.send("two")
    await settle(alice, bob)
    assert.equal(messages(), 2)
    // An entry is taken in while the invitation is being accepted.
    await team.send("three")
    await Promise.all([only(bob).accept(), bob.sync()])
    assert.deepEqual(
      (await taken(bob)).flatMap((it) => (it.type === "message" ? [it.text] : [])),
      ["one", "two", "three"],
    )
    assert.deepEqual([messages(), await only(bob).history()], [0, []])
    await team.send("four")
    await settle(alice, bob)
    assert.deepEqual([await types(bob), messages()], [["message"], 0])
  })

  it("is told in full where more comes while the messages that were kept are read", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice")
    const memory = memoryStore()
    let meanwhile: (() => Promise<void>) | undefined
    const store: Store = {
      ...memory,
      get: (key) => memory.get(key),
      async list(prefix, options) {
        const records = await memory.list(prefix, options)
        const next = prefix.includes("/message/") ? meanwhile : undefined
        if (next !== undefined) meanwhile = undefined
        await next?.()
        return records
      },
      transaction: (changes) => memory.transaction(changes),
      [Symbol.asyncDispose]: () => memory[Symbol.asyncDispose](),
    }
    const bob = await world.open("bob", { policy: asking, store })
    const team = await alice.createConversation({ members: ["bob"] })
    await team.send("one")
    await settle(alice, bob)
    meanwhile = async () => {
      await team.send("two")
      await bob.sync()
    }
    await only(bob).accept()
    assert.equal(meanwhile, undefined)
    assert.deepEqual(
      (await taken(bob)).flatMap((it) => (it.type === "message" ? [it.text] : [])),
      ["one", "two"],
    )
  })
})

describe("an invitation that waits", () => {
  it("waits longer than a week, wherever the log of the conversation stands", async () => {
    await using world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { policy: asking })]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    world.now += 8 * 86_400_000
    await team.refresh()
    await settle(alice, bob)
    assert.deepEqual([only(bob).status, only(bob).epoch], ["invited", team.epoch])
    await only(bob).accept()
    assert.equal(only(bob).status, "active")
  })

  it("is what it is made by the answer that comes first, where both are given at once", async () => {
    await using world = new World({ inMemory: true })
    const memory = memoryStore()
    let written = () => {}
    const store: Store = {
      ...memory,
      get: (key) => memory.get(key),
      list: (prefix, options) => memory.list(prefix, options),
      async transaction(changes) {
        written()
        await memory.transaction(changes)
      },
      [Symbol.asyncDispose]: () => memory[Symbol.asyncDispose](),
    }
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { policy: asking, store })]
    await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    const invited = only(bob)
    let declining: Promise<void> | undefined
    written = () => {
      // The acceptance is being stored, and the application does not know yet.
      declining ??= invited.decline()
    }
    assert.equal(invited.status, "invited")
    await invited.accept()
    await declining
    await bob.sync()
    assert.deepEqual([invited.status, bob.conversations.size], ["active", 1])
    await invited.send("here I am")
  })

  it("and cannot be followed is declined at once, without a word to the others", async () => {
    await using world = new World({ inMemory: true })
    let silent = false
    const delivery = tampered(world.transport("delivery"), async (_, pass) => {
      if (silent) throw new TransportError("the line is dead", { retryable: true })
      return pass()
    })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { policy: asking, delivery })]
    await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    const invited = only(bob)
    assert.ok(invited instanceof ConversationHandle)
    const { state } = invited.driver
    state.facts = { ...state.facts, status: "recovering" }
    silent = true
    await invited.decline()
    assert.deepEqual([invited.status, bob.conversations.size, state.wishes.size], ["left", 0, 0])
  })

  it("is accepted among strangers loudly, and halted", async () => {
    await using world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { policy: asking })]
    await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    const { mallory, group } = await Mallory.inside(world, alice)
    await mallory.commit(group, { add: [new Mallory(world, "zed").keyPackage()] })
    await bob.sync()
    await taken(bob)
    await only(bob).accept()
    const told = await taken(bob)
    assert.deepEqual(
      told.map((it) => (it.type === "halted" ? it.names : it.type)),
      ["joined", ["zed"]],
    )
    assert.equal(only(bob).status, "halted")
  })
})

describe("an invitation into a conversation that was halted while it waited", () => {
  it("is accepted with the reason why it is halted", async () => {
    await using world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { policy: asking })]
    await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await taken(bob)
    const invited = only(bob)
    assert.ok(invited instanceof ConversationHandle)
    const { state } = invited.driver
    state.facts = { ...state.facts, status: "halted", reason: "zed is not who they say" }
    await invited.accept()
    assert.deepEqual(
      (await taken(bob)).map((it) => (it.type === "halted" ? it.reason : it.type)),
      ["joined", "zed is not who they say"],
    )
  })
})

describe("an invitation that was declined", () => {
  it("is asked to be carried out again, where the group has moved on without doing it", async () => {
    await using world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { policy: asking })]
    const mallory = await world.open("mallory")
    const team = await alice.createConversation({ members: ["mallory", "bob"] })
    await settle(alice, mallory, bob)
    const inside = await Mallory.inside(world, mallory)
    const declining = only(bob).decline()
    await bob.sync()
    await declining
    // By somebody who has not read it.
    await inside.mallory.commit(inside.group, {})
    await bob.sync()
    await alice.sync()
    assert.deepEqual(team.members, ["alice", "mallory"])
    assert.equal((await taken(alice)).filter(({ type }) => type === "declined").length, 2)
  })
})
