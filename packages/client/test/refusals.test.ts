import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { noAccess } from "@conclave/contracts/access"
import { AuthResponse } from "@conclave/contracts/auth"
import { DeliveryResponse } from "@conclave/contracts/delivery"
import { createKeyPackage } from "@conclave/mls"
import { type Transport, TransportError } from "@conclave/transport"
import { fromHex } from "../src/bytes.js"
import { nextDue } from "../src/conversation/next.js"
import { encodePayload, PAYLOAD_VERSION, type Payload } from "../src/conversation/payload.js"
import { ConversationHandle } from "../src/device/handle.js"
import type { Client } from "../src/index.js"
import { expected, Mallory } from "./support/mallory.js"
import { tampered } from "./support/tampered.js"
import { provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const later = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** A service whose answers a test may exchange. */
function exchanged(transport: Transport, exchange: (answer: DeliveryResponse) => DeliveryResponse): Transport {
  return tampered(transport, async (_, pass) =>
    encode(DeliveryResponse, exchange(decode(DeliveryResponse, await pass()))),
  )
}

describe("a message of a member without the SDK", () => {
  it("that nobody can read, or a title that is too long, is passed over and told of", async () => {
    await using world = new World({ inMemory: true })
    const [alice, mallory] = [await world.open("alice"), await world.open("mallory")]
    const team = await alice.createConversation({ title: "team", members: ["mallory"] })
    await settle(alice, mallory)
    await taken(alice)
    const inside = await Mallory.inside(world, mallory)
    const say = async (plaintext: Uint8Array) => {
      const { id, epoch } = inside.group
      const body = inside.group.encrypt(plaintext)
      expected(await inside.mallory.append(id, { kind: "application", epoch, body }), "accepted")
    }
    const payload = (body: Payload["body"], changes: Partial<Payload> = {}) =>
      encodePayload({ version: PAYLOAD_VERSION, messageId: provider.random(16), sentAt: 1n, body, ...changes })
    await say(Uint8Array.of(0xff, 0xff))
    await say(payload({ type: "text", text: "of a later version" }, { version: PAYLOAD_VERSION + 1 }))
    await say(payload({ type: "text", text: "from beyond the calendar" }, { sentAt: 8_640_000_000_000_001n }))
    await say(payload({ type: "title", title: "x".repeat(257) }))
    await say(payload({ type: "title", title: "x".repeat(256) }))
    await say(payload({ type: "text", text: "y".repeat(300) }))
    await alice.sync()
    const told = await taken(alice)
    assert.deepEqual(
      told.map((it) => (it.type === "rejected" ? [it.code, it.count] : it.type)),
      [["UNREADABLE", 4], "title", "message"],
    )
    assert.equal(team.title, "x".repeat(256))
    assert.equal((await team.history()).length, 1)
  })
})

describe("an invitation fails, and the conversation goes on,", () => {
  it("where the service gives something else than a key package of the device that is asked for", async () => {
    await using world = new World({ inMemory: true })
    const mallory = new Mallory(world)
    await mallory.register()
    let keyPackage = new Uint8Array([1, 2, 3])
    const delivery = exchanged(world.transport("delivery"), (answer) =>
      answer.type === "notFound" ? { type: "keyPackage", keyPackage, lastResort: false } : answer,
    )
    const alice = await world.open("alice", { delivery })
    const team = await alice.createConversation({})
    await assert.rejects(team.invite("mallory"), { code: "REFUSED", message: /something else than a key package/ })
    for (const other of [new Mallory(world, "eve", mallory.signer.key), new Mallory(world)]) {
      keyPackage = new Uint8Array(other.keyPackage())
      await assert.rejects(team.invite("mallory"), { code: "REFUSED", message: /somebody else's key package/ })
    }
    const { suite, signer } = mallory.options
    const expired = createKeyPackage({ suite, signer, lifetime: { notBefore: 1n, notAfter: 2n } })
    keyPackage = new Uint8Array(expired.keyPackage)
    await assert.rejects(team.invite("mallory"), { code: "WRONG_CLOCK", message: /lifetime/ })
    keyPackage = new Uint8Array(mallory.keyPackage())
    await team.invite("mallory")
    assert.deepEqual(team.members, ["alice", "mallory"])
  })

  it("where nobody has the name, no device has a key package, or the directory refuses; and waits where it is silent", async () => {
    await using world = new World({ inMemory: true })
    await new Mallory(world).register()
    const transport = world.transport("auth")
    let request = transport.request
    const alice = await world.open("alice", { auth: { ...transport, request: (body, more) => request(body, more) } })
    const team = await alice.createConversation({})
    await assert.rejects(team.invite("nobody"), { code: "UNKNOWN_NAME" })
    await assert.rejects(team.invite("mallory"), { code: "NO_KEY_PACKAGE" })
    await assert.rejects(team.remove("alice"), TypeError)
    await world.open("bob")
    request = async () => encode(AuthResponse, { type: "invalid", reason: "no lookups today" })
    await assert.rejects(team.invite("bob"), { code: "REFUSED", message: /no lookups today/ })
    request = async () => {
      throw new TransportError("the line is dead", { retryable: true })
    }
    const inviting = team.invite("bob")
    await later(50)
    request = transport.request
    await alice.sync()
    await inviting
    assert.deepEqual(team.members, ["alice", "bob"])
  })
})

describe("what a service refuses", () => {
  it("to a device itself is an error of the call, and is asked once", async () => {
    await using world = new World({ inMemory: true })
    const transport = world.transport("auth")
    const refusal = async () => encode(AuthResponse, { type: "invalid", reason: "not today" })
    const refusing = { ...world.transport("auth"), request: refusal }
    await assert.rejects(world.open("alice", { auth: refusing }), { code: "REFUSED", message: /not today/ })
    let refuses = false
    const auth: Transport = {
      ...transport,
      request: (body, options) => (refuses ? refusal() : transport.request(body, options)),
    }
    let asked = 0
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      if (!refuses || request.type !== "countKeyPackages") return pass()
      if (++asked > 1) return encode(DeliveryResponse, { type: "invalid", reason: "not today" })
      throw new TransportError("the line is dead", { retryable: true })
    })
    const alice = await world.open("alice", { auth, delivery })
    refuses = true
    await assert.rejects(alice.setDisplayName("Alice"), { code: "REFUSED", message: /not today/ })
    await assert.rejects(alice.sync(), { code: "UNAVAILABLE" })
    assert.equal(asked, 1)
    await assert.rejects(alice.sync(), { code: "REFUSED", message: /not today/ })
  })
})

describe("an invitation", () => {
  it("is judged again with its commit: it waits for a silent directory, and fails where that has changed its mind", async () => {
    await using world = new World({ inMemory: true })
    const transport = world.transport("auth")
    let lookUps = 0
    let third: () => Uint8Array = () => assert.fail("not yet")
    const auth: Transport = {
      ...transport,
      request: async (body, options) => (++lookUps === 3 ? third() : transport.request(body, options)),
    }
    const alice = await world.open("alice", { auth })
    for (const name of ["bob", "carol"]) await world.open(name)
    const team = await alice.createConversation({})
    third = () => {
      throw new TransportError("the line is dead", { retryable: true })
    }
    lookUps = 0
    await team.invite("bob")
    assert.deepEqual(team.members, ["alice", "bob"])
    assert.ok(!(await taken(alice)).some(({ type }) => type === "rejected"))
    third = () => encode(AuthResponse, { type: "notFound" })
    lookUps = 0
    await assert.rejects(team.invite("carol"), { code: "REFUSED", message: /does not know this key of carol/ })
    await team.refresh()
    assert.deepEqual([team.status, team.members], ["active", ["alice", "bob"]])
  })

  it("of a member takes no key package", async () => {
    await using world = new World({ inMemory: true })
    let claims = 0
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      if (request.type === "claimKeyPackage") claims++
      return pass()
    })
    const alice = await world.open("alice", { delivery })
    await world.open("bob")
    const team = await alice.createConversation({ members: ["bob"] })
    await team.invite("bob")
    assert.equal(claims, 1)
  })
})

describe("a wish", () => {
  it("is not made where its signal was aborted before, or its title is too long", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice")
    const team = await alice.createConversation({})
    const title = "x".repeat(257)
    await assert.rejects(alice.createConversation({ title }), { code: "TOO_LARGE" })
    assert.equal(alice.conversations.size, 1)
    await assert.rejects(team.send("never", { signal: AbortSignal.abort() }), { name: "AbortError" })
    await alice.sync()
    assert.deepEqual(await team.history(), [])
  })

  it("is none in a conversation that this device leaves, or has left; leaving again is no error", async () => {
    await using world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    await alice.createConversation({ members: ["bob"] })
    await bob.sync()
    const leaving = only(bob)
    const [first, later] = [leaving.leave(), leaving.refresh()]
    await assert.rejects(later, { code: "NOT_A_MEMBER" })
    await first
    for (const status of ["leaving", "left"]) {
      await leaving.leave()
      assert.equal(leaving.status, status)
      await leaving.leave()
      await assert.rejects(leaving.send("one more thing"), { code: "NOT_A_MEMBER", message: /was left/ })
      await settle(alice, bob)
    }
    assert.deepEqual(leaving.tree(), [])
  })

  it("says whether this device left the conversation or was removed from it", async () => {
    await using world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    const team = await alice.createConversation({ members: ["bob"] })
    await bob.sync()
    await team.remove("bob")
    await bob.sync()
    const removed = { code: "NOT_A_MEMBER", message: "this device was removed from the conversation" }
    await assert.rejects(only(bob).send("one more thing"), removed)
    await team.invite("bob")
    await bob.sync()
    await only(bob).send("back again")
  })

  it("to leave declines an invitation, and says where the service does not take that", async () => {
    await using world = new World({ inMemory: true })
    let refusing = true
    const refusal = encode(DeliveryResponse, { type: "invalid", reason: "no proposals today" })
    const delivery = tampered(world.transport("delivery"), async (request, pass) =>
      refusing && request.type === "append" && request.kind === "proposal" ? refusal : pass(),
    )
    const policy = { keyPackages: 4, invitations: "ask" } as const
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { policy, delivery })]
    for (const isRefused of [true, false]) {
      refusing = isRefused
      await alice.createConversation({ members: ["bob"] })
      await bob.sync()
      const invited = only(bob)
      assert.equal(invited.status, "invited")
      const left = invited.leave()
      await assert.rejects(invited.send("wait"), { code: "NOT_A_MEMBER", message: /declined/ })
      if (isRefused) await assert.rejects(left, { code: "REFUSED", message: /no proposals today/ })
      else await left
      assert.equal(bob.conversations.size, 0)
    }
  })

  it("leaves no message in a store that keeps no history", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice", { policy: { keyPackages: 4, history: false } })
    const bob = await world.open("bob", { policy: { keyPackages: 4, history: false } })
    const team = await alice.createConversation({ members: ["bob"] })
    await team.send("read it and forget it")
    await settle(alice, bob)
    assert.ok((await taken(bob)).some((it) => it.type === "message" && it.text === "read it and forget it"))
    assert.deepEqual([await team.history(), await only(bob).history()], [[], []])
  })
})

describe("the departure of a member", () => {
  it("is carried out by no one who has not accepted the invitation", async () => {
    await using world = new World({ inMemory: true })
    const bob = await world.open("bob", { policy: { keyPackages: 4, invitations: "ask" } })
    const [alice, carol] = [await world.open("alice"), await world.open("carol")]
    const team = await alice.createConversation({ members: ["bob", "carol"] })
    await settle(alice, bob, carol)
    await only(carol).leave()
    for (let round = 0; round < 3; round++) {
      world.now += 60_000
      await bob.sync()
    }
    assert.equal(only(bob).epoch, team.epoch)
    await alice.sync()
    assert.deepEqual(team.members, ["alice", "bob"])
  })

  it("is carried out by a device that has been restarted since it was asked for", async () => {
    await using world = new World({ inMemory: true })
    const [alice, carol] = [await world.open("alice"), await world.open("carol")]
    const bob = await world.open("bob")
    await alice.createConversation({ members: ["bob", "carol"] })
    await settle(alice, bob, carol)
    await only(carol).leave()
    await bob.sync()
    await bob.close()
    const again = await world.open("bob")
    const waiting = only(again)
    assert.ok(waiting instanceof ConversationHandle)
    assert.equal(nextDue(waiting.driver.state, waiting.driver.moment()), undefined, "the group is not in memory")
    assert.deepEqual(waiting.members, ["alice", "bob", "carol"], "bob is second, and waits")
    world.now += 60_000
    await again.sync()
    assert.deepEqual(only(again).members, ["alice", "bob"])
  })

  it("is due only where somebody wants to leave, and this device follows the log", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice")
    await world.open("bob")
    const team = await alice.createConversation({ members: ["bob"] })
    assert.ok(team instanceof ConversationHandle)
    const { state } = team.driver
    const due = (changes: Partial<typeof state.facts>) => {
      state.facts = { ...state.facts, ...changes }
      return nextDue(state, team.driver.moment())
    }
    assert.equal(due({}), undefined)
    const departures = [{ leafIndex: 1, since: 5n }]
    assert.equal(due({ departures }), 5)
    assert.equal(due({ status: "halted" }), undefined)
    assert.equal(due({ status: "leaving" }), 5)
    assert.equal(due({ departures: [] }), undefined)
  })
})

describe("declining unseen", () => {
  const policy = { keyPackages: 4, invitations: () => "decline" as const }

  it("is said once, also where members have left meanwhile", async () => {
    await using world = new World({ inMemory: true })
    const [alice, carol] = [await world.open("alice"), await world.open("carol")]
    const bob = await world.open("bob", { policy })
    const team = await alice.createConversation({ members: ["carol", "bob"] })
    await settle(carol)
    await team.refresh()
    await carol.sync()
    await only(carol).leave()
    await bob.sync()
    const { mallory } = await Mallory.inside(world, alice)
    const page = { type: "read", groupId: fromHex(team.id), afterSeq: 0n, limit: 100, access: noAccess } as const
    const log = expected(await mallory.askAs(mallory.keys, page), "entries")
    assert.deepEqual(
      log.entries.map(({ kind }) => kind),
      ["commit", "commit", "proposal", "proposal"],
    )
    await alice.sync()
    assert.deepEqual(team.members, ["alice"])
  })

  it("is not said any more where this device was removed meanwhile", async () => {
    await using world = new World({ inMemory: true })
    let asked = 0
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      if (request.type === "append") asked++
      return pass()
    })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { policy, delivery })]
    const team = await alice.createConversation({ members: ["bob"] })
    await team.remove("bob")
    await bob.sync()
    assert.deepEqual([asked, bob.conversations.size], [1, 0])
  })

  it("is no way around a fault of this program: what that keeps from being followed is told of, and done later", async () => {
    await using world = new World({ inMemory: true })
    const x25519 = provider.groups.X25519!
    let isFaulty = false
    const diffieHellman: typeof x25519.diffieHellman = (privateKey, peer) => {
      if (isFaulty) throw new RangeError("out of memory")
      return x25519.diffieHellman(privateKey, peer)
    }
    const groups = { ...provider.groups, X25519: { ...x25519, diffieHellman } }
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      if (request.type === "read") isFaulty = true
      return pass()
    })
    const bob = await world.open("bob", { policy, delivery, provider: { ...provider, groups } })
    const alice = await world.open("alice")
    const team = await alice.createConversation({ members: ["bob"] })
    await team.refresh()
    await assert.rejects(bob.sync(), /out of memory/)
    await alice.sync()
    assert.deepEqual(team.members, ["alice", "bob"])
  })

  it("is given up where the service asks for patience or shows nothing new, and is done later where it is silent", async () => {
    await using world = new World({ inMemory: true })
    const answers = {
      throttled: encode(DeliveryResponse, { type: "throttled", retryAfterMilliseconds: 1_000 }),
      stale: encode(DeliveryResponse, { type: "stale", lastCommitSeq: 9n, headSeq: 9n }),
    }
    let way: keyof typeof answers | "silent" | "honest" = "throttled"
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      if (request.type !== "append" || way === "honest") return pass()
      if (way === "silent") throw new TransportError("the line is dead", { retryable: true })
      return answers[way]
    })
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { policy, delivery })]
    const invite = () => alice.createConversation({ members: ["bob"] })
    for (const given of ["throttled", "stale"] as const) {
      way = given
      await invite()
      await bob.sync()
    }
    way = "silent"
    const team = await invite()
    await assert.rejects(bob.sync(), { code: "UNAVAILABLE" })
    way = "honest"
    await bob.sync()
    await alice.sync()
    assert.deepEqual(team.members, ["alice"])
    assert.equal((await taken(alice)).filter(({ type }) => type === "declined").length, 1)
  })
})

describe("a commit that brings somebody in", () => {
  it("is followed when the directory has said who that is, and not before", async () => {
    await using world = new World({ inMemory: true })
    const transport = world.transport("auth")
    let silent = false
    const auth: Transport = {
      ...transport,
      async request(body, options) {
        if (silent) throw new TransportError("the line is dead", { retryable: true })
        return transport.request(body, options)
      },
    }
    const [alice, bob] = [await world.open("alice"), await world.open("bob", { auth })]
    await world.open("carol")
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await team.invite("carol")
    silent = true
    await assert.rejects(bob.sync(), { code: "UNAVAILABLE" })
    assert.deepEqual(only(bob).members, ["alice", "bob"])
    silent = false
    await bob.sync()
    assert.deepEqual(only(bob).members, ["alice", "bob", "carol"])
  })
})

describe("a conversation that was halted", () => {
  it("is followed all the same: what was sent has its place, and a wish to leave waits for no approval", async () => {
    await using world = new World({ inMemory: true })
    const hidden = new Set(["carol"])
    const transport = world.transport("auth")
    const auth: Transport = {
      ...transport,
      async request(body, options) {
        const answer = decode(AuthResponse, await transport.request(body, options))
        const isHidden = answer.type === "devices" && hidden.has(answer.name)
        return encode(AuthResponse, isHidden ? { type: "notFound" } : answer)
      },
    }
    const [alice, bob] = [await world.open("alice", { auth }), await world.open("bob")]
    await world.open("carol")
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await only(bob).invite("carol")
    // Taken by the service after the commit that halts Alice.
    const sending = team.send("meanwhile")
    await alice.sync()
    assert.equal(team.status, "halted")
    await only(bob).send("before you go")
    await alice.sync()
    await sending
    const leaving = team.leave()
    await alice.sync()
    assert.deepEqual(
      (await team.history()).map(({ text }) => text),
      ["meanwhile", "before you go"],
    )
    await settle(bob, alice)
    await leaving
    assert.deepEqual([team.status, only(bob).members], ["left", ["bob", "carol"]])
  })
})

describe("a tree that is drawn", () => {
  it("has no renewal of a node that is blank", async () => {
    await using world = new World({ inMemory: true })
    for (const name of ["bob", "carol", "dave"]) await world.open(name)
    const alice = await world.open("alice")
    const team = await alice.createConversation({ members: ["bob", "carol", "dave"] })
    const renewed = () => team.tree().filter(({ blank, renewedInEpoch }) => blank && renewedInEpoch !== undefined)
    assert.deepEqual(renewed(), [])
    await team.remove("carol")
    await team.refresh()
    assert.deepEqual(renewed(), [])
    assert.ok(team.tree().some(({ blank }) => blank))
    assert.ok(team.tree().some(({ renewedInEpoch }) => renewedInEpoch === team.epoch))
  })
})
