import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { AuthResponse, authRequests } from "@conclave/contracts/auth"
import { DeliveryResponse } from "@conclave/contracts/delivery"
import { Group } from "@conclave/mls"
import type { Transport } from "@conclave/transport"
import { newcomerExtension } from "../src/access/newcomer.js"
import { fromHex } from "../src/bytes.js"
import { intervalIn } from "../src/conversation/epoch-interval.js"
import type { Client, ClientPolicy, Invitation } from "../src/index.js"
import { MemoryProfile, memoryStore } from "../src/store/memory.js"
import { entranceOf, expected, Mallory, type WelcomeExtensions } from "./support/mallory.js"
import { after, provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const types = async (client: Client) => (await taken(client)).map(({ type }) => type)
const asking = { keyPackages: 4, invitations: "ask" } as const
const groupKeys = ({ records }: MemoryProfile) =>
  [...records.keys()].filter((key) => key.startsWith("conversation/") || key.startsWith("state/"))

describe("an invitation, where the policy is to ask", () => {
  it("is told of once, by the one who signed it, and followed in silence until it is accepted", async () => {
    await using world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { policy: asking })]
    const team = await alice.createConversation({ title: "team", members: ["bob"] })
    await team.send("hello, bob")
    await settle(alice, bob)
    const invited = only(bob)
    assert.deepEqual([invited.status, invited.members], ["invited", ["alice", "bob"]])
    const [event, ...others] = await taken(bob)
    assert.ok(event?.type === "invited" && event.by === "alice" && event.conversation === invited)
    assert.deepEqual([event.members, others], [["alice", "bob"], []])
    assert.equal(invited.invitedBy, "alice")

    await team.refresh()
    await team.setTitle("the team")
    await team.send("are you there?")
    await settle(alice, bob)
    assert.deepEqual(await taken(bob), [])
    assert.equal(invited.epoch, team.epoch, "nothing piles up")
    for (const wish of [invited.send("no"), invited.invite("alice"), invited.setTitle("no"), invited.refresh()]) {
      await assert.rejects(wish, { code: "NOT_A_MEMBER" })
    }

    await invited.accept()
    await invited.accept()
    assert.deepEqual([invited.status, invited.title, invited.invitedBy], ["active", "the team", undefined])
    const told = await taken(bob)
    assert.deepEqual(
      told.map((it) => (it.type === "message" ? it.text : it.type === "title" ? `${it.type}: ${it.title}` : it.type)),
      ["joined", "title: the team", "hello, bob", "are you there?"],
    )
    assert.deepEqual(
      (await invited.history()).map(({ text }) => text),
      ["hello, bob", "are you there?"],
    )
    await invited.send("I am")
    await settle(alice, bob)
    assert.ok((await types(alice)).includes("message"))
  })

  it("is gone at once when it is declined, and the others hear that and remove who did not come", async () => {
    await using world = new World({ inMemory: true })
    const profile = new MemoryProfile()
    const [alice, carol] = [await world.open("alice"), await world.open("carol")]
    const bob = await world.open("bob", { policy: asking, store: memoryStore(profile) })
    const team = await alice.createConversation({ title: "team", members: ["bob", "carol"] })
    await team.send("secret")
    await settle(alice, bob, carol)
    const [invited] = [only(bob)]
    const declined = invited.decline()
    await bob.sync()
    await declined
    assert.deepEqual([bob.conversations.size, invited.status, invited.members], [0, "left", []])
    await taken(alice)
    await taken(carol)
    for (let round = 0; round < 3; round++) {
      world.now += 10_000
      await settle(alice, carol, bob)
    }
    for (const client of [alice, carol]) {
      const [told, ...then] = await taken(client)
      assert.ok(told?.type === "declined" && told.name === "bob" && told.reason === "declined")
      assert.deepEqual(
        then.map(({ type }) => type),
        ["members"],
      )
      assert.deepEqual(only(client).members, ["alice", "carol"])
    }
    assert.deepEqual(await types(bob), [], "nothing is told of what nobody wanted")
    assert.deepEqual(groupKeys(profile), [], "and nothing is left of it")
    await assert.rejects(invited.decline(), TypeError)
  })

  it("waits and is declined over restarts, too", async () => {
    await using world = new World({ inMemory: true })
    const profile = new MemoryProfile()
    const alice = await world.open("alice")
    const open = () => world.open("bob", { policy: asking, store: memoryStore(profile) })
    let bob = await open()
    await alice.createConversation({ title: "team", members: ["bob"] })
    await bob.sync()
    await bob.close()
    bob = await open()
    assert.deepEqual([only(bob).status, only(bob).invitedBy], ["invited", "alice"])
    // Closed before anybody could be told.
    only(bob)
      .decline()
      .catch(() => {})
    await new Promise((resolve) => setImmediate(resolve))
    await bob.close()
    bob = await open()
    assert.equal(bob.conversations.size, 0)
    await bob.sync()
    world.now += 10_000
    await settle(alice, bob)
    assert.deepEqual(only(alice).members, ["alice"])
    assert.deepEqual(groupKeys(profile), [])
    assert.ok((await types(alice)).includes("declined"))
  })

  it("that is withdrawn leaves nothing behind", async () => {
    await using world = new World({ inMemory: true })
    const profile = new MemoryProfile()
    const [alice, bob] = [
      await world.open("alice"),
      await world.open("bob", { policy: asking, store: memoryStore(profile) }),
    ]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    const invited = only(bob)
    await team.remove("bob")
    await settle(alice, bob)
    assert.deepEqual([bob.conversations.size, invited.status], [0, "left"])
    assert.deepEqual([await taken(bob), groupKeys(profile)], [[], []])
    await team.invite("bob")
    await settle(alice, bob)
    assert.equal(only(bob).status, "invited")
  })

  it("to a conversation that one was in keeps what there was of it, whatever the answer is", async () => {
    await using world = new World({ inMemory: true })
    const asked: Invitation[] = []
    const invitations: ClientPolicy["invitations"] = (invitation) => {
      asked.push(invitation)
      return asked.length === 1 ? "accept" : "ask"
    }
    const [alice, bob] = [
      await world.open("alice"),
      await world.open("bob", { policy: { keyPackages: 4, invitations } }),
    ]
    const team = await alice.createConversation({ title: "team", members: ["bob"] })
    await team.send("once")
    await settle(alice, bob)
    await team.remove("bob")
    await settle(alice, bob)
    await team.invite("bob")
    await settle(alice, bob)
    const again = only(bob)
    assert.equal(again.status, "invited")
    assert.deepEqual(asked.at(-1), { by: "alice", conversation: team.id, members: ["alice", "bob"], title: "team" })
    const declined = again.decline()
    await bob.sync()
    await declined
    world.now += 10_000
    await settle(alice, bob)
    assert.deepEqual((await types(bob)).slice(-2), ["left", "invited"], "nothing is told of what was declined")
    assert.deepEqual([only(bob).status, (await again.history()).map(({ text }) => text)], ["left", ["once"]])
  })
})

describe("an invitation back into a conversation that cannot be followed any more", () => {
  it("is accepted from a member who was there, and put to the person from anybody else", async () => {
    for (const inviter of ["bob", "a new device of bob", "carol"]) {
      await using world = new World({ inMemory: true })
      const service = forgetting(world.transport("delivery"))
      const [alice, bob] = [await world.open("alice", { delivery: service.transport }), await world.open("bob")]
      const team = await alice.createConversation({ members: ["bob"] })
      await settle(alice, bob)
      service.forgets(true)
      for (let day = 0; day < 9; day++, world.now += 86_400_000) await alice.sync().catch(() => {})
      assert.equal(team.status, "lost")
      service.forgets(false)
      const carol = await world.open("carol")
      const endorse = (registration: Uint8Array) => bob.endorseDevice(registration)
      const phone = await world.open("bob", { store: memoryStore(), endorse })
      await only(bob).invite("carol", "bob")
      await settle(carol, bob, phone)
      const person = inviter === "bob" ? bob : inviter === "carol" ? carol : phone
      await only(person).remove("alice")
      await only(person).invite("alice")
      await settle(bob, carol, phone, alice)
      assert.equal(team.status, inviter === "bob" ? "active" : "invited")
    }
  })

  it("is put to the person where a member's key is said to be somebody else's", async () => {
    await using world = new World({ inMemory: true })
    const service = forgetting(world.transport("delivery"))
    const line = world.transport("auth")
    const auth: Transport = {
      ...line,
      async request(body, options) {
        const request = authRequests.decode(body)
        if (request.type !== "lookup" || request.name !== "eve") return line.request(body, options)
        const { devices } = await lookUp(line, "bob")
        return encode(AuthResponse, {
          type: "devices",
          name: "eve",
          devices,
          displayName: undefined,
          revoked: [],
          recovery: [],
        })
      },
    }
    const [alice, bob] = [await world.open("alice", { delivery: service.transport, auth }), await world.open("bob")]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    service.forgets(true)
    for (let day = 0; day < 9; day++, world.now += 86_400_000) await alice.sync().catch(() => {})
    assert.equal(team.status, "lost")
    service.forgets(false)
    await taken(alice)
    const { mallory } = await Mallory.inside(world, bob)
    const eve = new Mallory(world, "eve", mallory.signer.key)
    const groupId = fromHex(team.id)
    const group = Group.create({ ...eve.options, groupId })
    for (let epoch = 0n; epoch < team.epoch; epoch++) group.apply(group.commit(), [])
    const { deviceId, keyPackage } = await eve.claim("alice")
    const welcomeExtensions: WelcomeExtensions = (_, commit) => [
      newcomerExtension(mallory.keys!, undefined),
      entranceOf(commit),
    ]
    const { message: body, welcome } = group.commit({ add: [keyPackage], welcomeExtensions })
    const commit = { welcome: welcome!, recipients: [{ deviceId }], begins: undefined, answers: undefined }
    const append = { kind: "commit", epoch: team.epoch, body, commit } as const
    expected(await eve.append(groupId, append, mallory.keys), "accepted")
    await alice.sync()
    const [told] = await taken(alice)
    assert.ok(told?.type === "invited" && told.by === "eve", told?.type)
    assert.equal(team.status, "invited")
  })
})

describe("an invitation back into a conversation that one has left", () => {
  it("is put to the person where a stranger sends it, who has made a group of the same id", async () => {
    await using world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    const eve = await world.open("mallory")
    const team = await alice.createConversation({ title: "team", members: ["bob"] })
    await settle(alice, bob)
    await team.remove("bob")
    await team.invite("mallory")
    await settle(alice, bob, eve)
    await taken(bob)
    const { mallory } = await Mallory.inside(world, eve)
    const groupId = fromHex(team.id)
    const group = Group.create({ ...mallory.options, groupId })
    for (let epoch = 0n; epoch < team.epoch; epoch++) group.apply(group.commit(), [])
    const add = [await mallory.claim("alice"), await mallory.claim("bob")]
    const welcomeExtensions: WelcomeExtensions = (_, commit) => [
      newcomerExtension(mallory.keys!, undefined),
      entranceOf(commit),
    ]
    const { message: body, welcome } = group.commit({ add: add.map((it) => it.keyPackage), welcomeExtensions })
    const recipients = [{ deviceId: add[1]!.deviceId }]
    const commit = { welcome: welcome!, recipients, begins: undefined, answers: undefined }
    expected(await mallory.append(groupId, { kind: "commit", epoch: team.epoch, body, commit }), "accepted")
    await settle(alice, bob)
    assert.equal(only(bob).status, "invited")
    const [told] = await taken(bob)
    assert.ok(told?.type === "invited")
    assert.equal(told.by, "mallory")
    await assert.rejects(only(bob).send("what alice must not miss"), { code: "NOT_A_MEMBER" })
  })
})

describe("an invitation, where a function decides", () => {
  it("is declined unseen, and the one who sent it hears of it", async () => {
    await using world = new World({ inMemory: true })
    const profile = new MemoryProfile()
    const invitations: ClientPolicy["invitations"] = async ({ by }) => (by === "mallory" ? "decline" : "accept")
    const bob = await world.open("bob", { policy: { keyPackages: 4, invitations }, store: memoryStore(profile) })
    const [alice, mallory] = [await world.open("alice"), await world.open("mallory")]
    await alice.createConversation({ members: ["bob"] })
    const team = await mallory.createConversation({ members: ["bob"] })
    // Before bob hears of it, the group has gone on.
    await team.refresh()
    await team.send("surprise")
    await settle(bob, mallory)
    assert.deepEqual([bob.conversations.size, only(bob).members], [1, ["alice", "bob"]])
    assert.equal(groupKeys(profile).filter((key) => key.includes(team.id)).length, 0)
    world.now += 10_000
    await settle(mallory, bob)
    const told = await taken(mallory)
    assert.deepEqual(
      told.filter((it) => it.type === "declined").map(({ name, reason }) => [name, reason]),
      [["bob", "declined"]],
    )
    assert.deepEqual(team.members, ["mallory"])
  })

  it("is put to the person where the function fails", async () => {
    await using world = new World({ inMemory: true })
    const invitations: ClientPolicy["invitations"] = () => {
      throw new Error("no answer")
    }
    const [alice, bob] = [
      await world.open("alice"),
      await world.open("bob", { policy: { keyPackages: 4, invitations } }),
    ]
    await alice.createConversation({ members: ["bob"] })
    await bob.sync()
    assert.equal(only(bob).status, "invited")
  })
})

describe("an invitation into a conversation with somebody who is not who they say", () => {
  it("is declined unseen and loudly, and those inside are told", async () => {
    await using world = new World({ inMemory: true })
    const [alice, carol] = [await world.open("alice"), await world.open("carol")]
    const bob = await world.open("bob", { auth: without(world.transport("auth"), "carol") })
    const team = await alice.createConversation({ members: ["carol"] })
    await team.invite("bob")
    await settle(alice, carol, bob)
    assert.equal(bob.conversations.size, 0)
    const [rejected] = await taken(bob)
    assert.ok(rejected?.type === "rejected" && /carol/.test(rejected.reason))
    world.now += 10_000
    await settle(alice, carol)
    for (const client of [alice, carol]) {
      const told = (await taken(client)).filter((it) => it.type === "declined")
      assert.deepEqual(
        told.map(({ name, reason }) => [name, reason]),
        [["bob", "unverified"]],
      )
      assert.deepEqual(only(client).members, ["alice", "carol"])
    }
  })
})

describe("an invitation among a crowd whom nobody knows", () => {
  it("is told of in few words, however many they are and however they are called", async () => {
    await using world = new World({ inMemory: true })
    const bob = await world.open("bob")
    const mallory = new Mallory(world)
    await mallory.register()
    const groupId = provider.random(32)
    const group = Group.create({ ...mallory.options, groupId })
    mallory.keys = intervalIn(group)
    const { accessKey } = mallory.keys
    const creation = { type: "createGroup", groupId, idempotencyId: provider.random(16), accessKey } as const
    expected(await mallory.ask(creation), "done")
    const { deviceId, keyPackage } = await mallory.claim("bob")
    const crowd = Array.from({ length: 50 }, (_, n) => new Mallory(world, `${"x".repeat(120)}${n}`).keyPackage())
    const welcomeExtensions: WelcomeExtensions = (_, commit) => [
      newcomerExtension(mallory.keys!, undefined),
      entranceOf(commit),
    ]
    const { message: body, welcome } = group.commit({ add: [...crowd, keyPackage], welcomeExtensions })
    const commit = { welcome: welcome!, recipients: [{ deviceId }], begins: undefined, answers: undefined }
    expected(await mallory.append(groupId, { kind: "commit", epoch: 0n, body, commit }), "accepted")
    await bob.sync()
    const [told] = await taken(bob)
    assert.ok(told?.type === "rejected")
    assert.match(told.reason, /and 47 more$/)
    assert.ok(told.reason.length < 1_000, `${told.reason.length} characters`)
  })
})

describe("Welcomes that lead nowhere", () => {
  it("become one event with a count, however many they are, and as long as nobody has read it", async () => {
    await using world = new World({ inMemory: true })
    const profile = new MemoryProfile()
    const bob = await world.open("bob", { delivery: junk(world.transport("delivery")), store: memoryStore(profile) })
    const mallory = await world.open("mallory")
    const send = async (times: number) => {
      for (let n = 0; n < times; n++) await mallory.createConversation({ members: ["bob"] })
      await bob.sync()
    }
    await send(12)
    const events = () => [...profile.records.keys()].filter((key) => key.startsWith("event/")).length
    await send(12)
    assert.equal(events(), 1)
    const [first, ...others] = await taken(bob)
    assert.ok(first?.type === "rejected" && first.count === 24)
    assert.deepEqual(others, [])
    await send(3)
    const [second] = await taken(bob)
    assert.ok(second?.type === "rejected" && second.count === 3 && second.number > first.number)
  })

  it("are counted in an event of their own where the one before is being read", async () => {
    await using world = new World({ inMemory: true })
    const bob = await world.open("bob", { delivery: junk(world.transport("delivery")) })
    const mallory = await world.open("mallory")
    await mallory.createConversation({ members: ["bob"] })
    await bob.sync()
    const counts: number[] = []
    for await (const event of bob.events({ signal: after(500) })) {
      assert.ok(event.type === "rejected")
      counts.push(event.count)
      if (counts.length === 2) break
      await mallory.createConversation({ members: ["bob"] })
      await bob.sync()
    }
    assert.deepEqual(counts, [1, 1])
  })
})

async function lookUp(transport: Transport, name: string) {
  const answer = decode(AuthResponse, await transport.request(authRequests.encode({ type: "lookup", name })))
  assert.ok(answer.type === "devices")
  return answer
}

/** A directory that does not know somebody. */
function without(transport: Transport, name: string): Transport {
  return {
    ...transport,
    async request(body, options) {
      const answer = decode(AuthResponse, await transport.request(body, options))
      return encode(AuthResponse, answer.type === "devices" && answer.name === name ? { type: "notFound" } : answer)
    },
  }
}

/** A service whose Welcomes nobody can open. */
function junk(transport: Transport): Transport {
  return {
    ...transport,
    async request(body, options) {
      const answer = decode(DeliveryResponse, await transport.request(body, options))
      if (answer.type === "inboxEntries")
        for (const { body: welcome } of answer.entries) welcome[welcome.length - 1]! ^= 1
      return encode(DeliveryResponse, answer)
    },
  }
}

/** A service that says it knows no groups. */
function forgetting(transport: Transport) {
  const [read, head, groupInfo] = [6, 7, 8]
  let forgets = false
  const wrapped: Transport = {
    ...transport,
    async request(body, options) {
      const kind = body[0]! & 0x80 ? body[1]! : body[0]!
      if (!forgets || ![read, head, groupInfo].includes(kind)) return transport.request(body, options)
      return encode(DeliveryResponse, { type: "notFound", groupId: new Uint8Array() })
    },
  }
  return {
    transport: wrapped,
    forgets: (whether: boolean) => {
      forgets = whether
    },
  }
}
