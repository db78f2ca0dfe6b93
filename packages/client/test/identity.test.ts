import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { AuthResponse } from "@conclave/contracts/auth"
import { directTransport, type Transport, TransportError } from "@conclave/transport"
import type { Identity } from "../src/identity/identity.js"
import type { Client } from "../src/index.js"
import { Directory, registrationContent } from "../src/service/directory.js"
import { Patience } from "../src/service/patience.js"
import { MemoryProfile, memoryStore } from "../src/store/memory.js"
import { makeIdentity, makeJudge } from "./support/judging.js"
import { Mallory } from "./support/mallory.js"
import { after, provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const never = new AbortController().signal

describe("a safety code", () => {
  it("is the same for both, 60 digits in groups of five, and another for anybody else", async () => {
    await using world = new World({ inMemory: true })
    const [alice, bob, carol] = [await world.open("alice"), await world.open("bob"), await world.open("carol")]
    const team = await alice.createConversation({ members: ["bob", "carol"] })
    await settle(alice, bob, carol)
    const code = team.safetyCode("bob")
    assert.match(code, /^\d{5}( \d{5}){11}$/)
    assert.equal(code, only(bob).safetyCode("alice"))
    assert.notEqual(code, team.safetyCode("carol"))
    assert.notEqual(code, only(carol).safetyCode("bob"))
    await only(bob).refresh()
    await alice.sync()
    assert.equal(code, team.safetyCode("bob"), "it belongs to the people, not to the epoch")
    assert.throws(() => team.safetyCode("dave"), { code: "NOT_A_MEMBER" })
  })

  it("needs a provider with SHA-512", async () => {
    await using world = new World({ inMemory: true })
    const { "SHA-512": _, ...hashes } = provider.hashes
    const alice = await world.open("alice", { provider: { ...provider, hashes } })
    const team = await alice.createConversation({})
    assert.throws(() => team.safetyCode("alice"), /the provider lacks SHA-512/)
  })
})

describe("a judge", () => {
  it("pins the first key of a name that the directory lists, and then asks nobody", async () => {
    const judging = makeJudge()
    const bob = judging.list("bob")
    const first = await judging.judge.judge([bob.claim], never)
    assert.deepEqual(first.verdicts, [{ claim: bob.claim, accepted: true }])
    await judging.pin(first)
    judging.devices.clear()
    const second = await judging.judge.judge([bob.claim], never)
    assert.equal(second.verdicts[0]?.accepted, true)
    assert.deepEqual([second.pins, second.keyChanges, second.refused], [[], [], []])
  })

  it("pins no key of a name whose pins it has not read", async () => {
    const judging = makeJudge()
    const judgement = await judging.judge.judge([judging.list("bob").claim], never)
    const pins = judgement.pins.map((pin) => ({ ...pin, name: "carol" }))
    await assert.rejects(judging.pin({ ...judgement, pins }), /pins are read before they are added to/)
  })

  it("decides nothing where the directory does not answer", async () => {
    const judging = makeJudge({ fails: true })
    await assert.rejects(judging.judge.judge([judging.list("bob").claim], never), /silence/)
  })
})

describe("a further device of a name", () => {
  it("is accepted loudly by those who pinned the one that endorsed it, and nothing halts", async () => {
    await using world = new World({ inMemory: true })
    const [alice, bob, carol] = [await world.open("alice"), await world.open("bob"), await world.open("carol")]
    // Alice knows carol's first device; bob has never met her.
    await alice.createConversation({ title: "old", members: ["carol"] })
    const team = await alice.createConversation({ title: "team", members: ["bob"] })
    await settle(alice, bob)
    await taken(alice)
    const phone = await openFurther(world, carol)
    await only(bob).invite("carol")
    await only(bob).send("welcome, carol")
    await settle(alice, phone, bob)
    const [change, ...others] = await taken(alice)
    assert.ok(change?.type === "keyChanged" && change.name === "carol" && change.endorsed && change.accepted)
    assert.deepEqual(
      others.map(({ type }) => type),
      ["members", "message"],
    )
    assert.equal(team.status, "active")
    assert.deepEqual((await alice.pinnedKeys("carol")).at(-1), change.signatureKey)
    assert.equal(team.tree().filter(({ name }) => name === "carol").length, 2)
    assert.equal(only(phone).safetyCode("alice"), team.safetyCode("carol"))
    assert.ok(
      !(await taken(bob)).some(({ type }) => type === "keyChanged"),
      "who pins both at once has nothing to hear",
    )
  })

  it("may have been endorsed by one that was endorsed itself, and is told of once by the one who invites it", async () => {
    await using world = new World({ inMemory: true })
    const [alice, carol] = [await world.open("alice"), await world.open("carol")]
    await alice.createConversation({ title: "old", members: ["carol"] })
    const tablet = await openFurther(world, await openFurther(world, carol))
    await taken(alice)
    const team = await alice.createConversation({ title: "team", members: ["carol"] })
    const told = await taken(alice)
    assert.deepEqual(
      told.map((event) => (event.type === "keyChanged" ? event.accepted : event.type)),
      [true, true, "members"],
    )
    assert.equal(team.tree().filter(({ name }) => name === "carol").length, 3)
    await settle(tablet)
    assert.equal(only(tablet).safetyCode("alice"), team.safetyCode("carol"))
  })

  it("learns the keys of its name from the one that endorsed it, and from nobody on the way", async () => {
    await using world = new World({ inMemory: true })
    const carol = await world.open("carol")
    const phone = await openFurther(world, carol)
    assert.equal((await phone.pinnedKeys("carol")).length, 2)
    const [key] = await carol.pinnedKeys("carol")
    const tablet = await world.open("carol", {
      store: memoryStore(),
      async endorse(registration) {
        const endorsement = Buffer.from(await phone.endorseDevice(registration))
        endorsement[endorsement.indexOf(key!)]! ^= 1
        return endorsement
      },
    })
    assert.equal((await tablet.pinnedKeys("carol")).length, 1, "its own")
  })

  it("learns no keys of its name from an endorsement that does not hold, although the directory takes it", async () => {
    const [own, sibling, mallory] = [makeIdentity("carol"), makeIdentity("carol"), makeIdentity("mallory")]
    const keys = [sibling.signatureKey, mallory.signatureKey]
    const directory = trusting(own)
    const learnt = (endorse: (registration: Uint8Array) => Uint8Array) =>
      own.register(directory, { endorse: async (registration) => endorse(registration), recovery: undefined }, never)
    assert.deepEqual(await learnt((registration) => sibling.endorse(registration, keys)), keys)
    const withoutEndorser = learnt((registration) => sibling.endorse(registration, [mallory.signatureKey]))
    assert.deepEqual(await withoutEndorser, [])
    const falselySigned = learnt((registration) => {
      const introduction = Buffer.from(sibling.endorse(registration, keys))
      introduction[introduction.indexOf(sibling.signRegistration(registration))]! ^= 1
      return introduction
    })
    assert.deepEqual(await falselySigned, [])
    await assert.rejects(
      learnt(() => Uint8Array.of(1, 2, 3)),
      TypeError,
    )
  })

  it("is asked about where the policy is to ask", async () => {
    await using world = new World({ inMemory: true })
    const policy = { keyPackages: 4, endorsedKey: "ask" } as const
    const [alice, carol] = [await world.open("alice", { policy }), await world.open("carol")]
    const team = await alice.createConversation({ members: ["carol"] })
    await team.remove("carol")
    await openFurther(world, carol)
    await taken(alice)
    await assert.rejects(team.invite("carol"), { code: "KEY_CHANGED" })
    const [change] = await taken(alice)
    assert.ok(change?.type === "keyChanged" && change.endorsed && !change.accepted)
  })
})

describe("a key that is not pinned", () => {
  it("halts the conversation, loudly, until the user approves it", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice", { auth: withoutEndorsements(world.transport("auth")) })
    const [bob, carol] = [await world.open("bob"), await world.open("carol")]
    await alice.createConversation({ title: "old", members: ["carol"] })
    const team = await alice.createConversation({ title: "team", members: ["bob"] })
    await settle(alice, bob)
    await taken(alice)
    const phone = await openFurther(world, carol)
    await only(bob).invite("carol")
    await only(bob).send("welcome, carol")
    await settle(alice, phone)

    const halted = await taken(alice)
    assert.deepEqual(
      halted.map(({ type }) => type),
      ["members", "keyChanged", "halted", "message"],
    )
    const change = halted[1]
    assert.ok(change?.type === "keyChanged" && change.name === "carol" && !change.endorsed && !change.accepted)
    assert.equal(team.status, "halted")
    assert.deepEqual(team.members, ["alice", "bob", "carol"])
    await assert.rejects(team.send("x", { signal: after(20) }), { name: "AbortError" })
    await only(phone).send("from the phone")
    await settle(alice)
    const [hidden] = await taken(alice)
    assert.ok(hidden?.type === "rejected" && hidden.code === "UNAPPROVED")

    await alice.approveKey("carol", change.signatureKey)
    await settle(alice, bob)
    assert.equal(team.status, "active")
    assert.deepEqual(team.members, ["alice", "bob", "carol"])
    assert.deepEqual(
      (await team.history()).map(({ text }) => text),
      ["welcome, carol", "x"],
    )
    assert.equal((await alice.pinnedKeys("carol")).length, 2)
    assert.equal(only(phone).safetyCode("alice"), team.safetyCode("carol"))
  })

  it("stops nobody: the others are followed, and who was brought in can be removed", async () => {
    await using world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await taken(alice)
    // Nobody but Bob, who is a member, has ever heard of this key.
    const { mallory, group } = await Mallory.inside(world, bob)
    await mallory.commit(group, { add: [new Mallory(world, "zed").keyPackage()] })
    await alice.sync()
    const [members, change, halted] = await taken(alice)
    assert.ok(members?.type === "members" && change?.type === "keyChanged" && halted?.type === "halted")
    assert.deepEqual([members.by, members.added, change.name, change.accepted], ["bob", ["zed"], "zed", false])
    const waiting = team.send("for us alone")
    await team.refresh()
    assert.deepEqual([team.status, team.pending.length], ["halted", 1])
    await team.remove("zed")
    await waiting
    assert.equal(team.status, "active")
    assert.deepEqual(team.members, ["alice", "bob"])
  })

  it("lets nobody else be brought in before it is approved, or gone", async () => {
    await using world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    await world.open("carol")
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    const { mallory, group } = await Mallory.inside(world, bob)
    await mallory.commit(group, { add: [new Mallory(world, "zed").keyPackage()] })
    await alice.sync()
    const inviting = team.invite("carol")
    await team.refresh()
    assert.deepEqual(team.members, ["alice", "bob", "zed"])
    await team.remove("zed")
    await inviting
    assert.deepEqual(team.members, ["alice", "bob", "carol"])
  })

  it("holds a conversation also after a restart", async () => {
    await using world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    const { mallory, group } = await Mallory.inside(world, bob)
    await mallory.commit(group, { add: [new Mallory(world, "zed").keyPackage()] })
    await alice.sync()
    await alice.close()
    const again = await world.open("alice")
    assert.equal(only(again).status, "halted")
    await assert.rejects(only(again).send("x", { signal: after(20) }), { name: "AbortError" })
  })

  it("brings nothing back but what was halted when the user approves it", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice")
    const team = await alice.createConversation({})
    await team.leave()
    await alice.sync()
    assert.equal(team.status, "left")
    await alice.approveKey("carol", makeIdentity("carol").signatureKey)
    assert.equal(team.status, "left")
  })

  it("lets an invitation fail, loudly, until the user approves it", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice", { auth: withoutEndorsements(world.transport("auth")) })
    const carol = await world.open("carol")
    const team = await alice.createConversation({ members: ["carol"] })
    await team.remove("carol")
    await openFurther(world, carol)
    await taken(alice)
    await assert.rejects(team.invite("carol"), { code: "KEY_CHANGED" })
    const [change, failed] = await taken(alice)
    assert.ok(change?.type === "keyChanged" && failed?.type === "failed")
    assert.deepEqual(team.members, ["alice"])
    await alice.approveKey("carol", change.signatureKey)
    await team.invite("carol")
    assert.deepEqual(team.members, ["alice", "carol"])
    assert.equal(team.tree().filter(({ name }) => name === "carol").length, 2)
  })
})

describe("whether the directory lists strange devices of one's own name", () => {
  it("is in the way of nothing while the directory does not answer; that it refuses to is an error", async () => {
    await using world = new World({ inMemory: true })
    const transport = world.transport("auth")
    let answer = transport.request
    const auth: Transport = { ...transport, request: (body, options) => answer(body, options) }
    const alice = await world.open("alice", { auth })
    const team = await alice.createConversation({})
    answer = async () => {
      throw new TransportError("the line is dead", { retryable: true })
    }
    const sending = team.send("a note")
    await alice.sync()
    await sending
    answer = async () => encode(AuthResponse, { type: "invalid", reason: "no more lookups" })
    await assert.rejects(alice.sync(), { code: "REFUSED", message: /no more lookups/ })
  })
})

describe("a profile", () => {
  it("signs for further devices of its own name, and for nothing else", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice")
    const other = registrationContent({ name: "bob", cipherSuite: 1, signatureKey: makeIdentity("bob").signatureKey })
    await assert.rejects(alice.endorseDevice(other), TypeError)
    await assert.rejects(alice.endorseDevice(Uint8Array.of(1, 2, 3)), /this is no registration/)
    const own = makeIdentity("alice").signatureKey
    const otherSuite = registrationContent({ name: "alice", cipherSuite: 3, signatureKey: own })
    await assert.rejects(alice.endorseDevice(otherSuite), TypeError)
    const noKey = registrationContent({ name: "alice", cipherSuite: 1, signatureKey: own.subarray(1) })
    await assert.rejects(alice.endorseDevice(noKey), TypeError)
    assert.equal((await alice.pinnedKeys("alice")).length, 1)
    await alice.endorseDevice(registrationContent({ name: "alice", cipherSuite: 1, signatureKey: own }))
    assert.deepEqual((await alice.pinnedKeys("alice")).at(-1), own)
  })

  it("does not get a name that somebody else has", async () => {
    await using world = new World({ inMemory: true })
    await world.open("alice")
    await assert.rejects(world.open("alice", { store: memoryStore() }), {
      code: "NAME_TAKEN",
      message: "the name alice is taken: it is registered with the key of another profile",
    })
  })

  it("speaks under one name, with one suite and one sealing key, for good", async () => {
    await using world = new World({ inMemory: true })
    const profile = new MemoryProfile()
    const first = await world.open("alice", { store: memoryStore(profile), suite: 3 })
    await first.close()
    await assert.rejects(world.open("alicia", { store: memoryStore(profile) }), { code: "WRONG_PROFILE" })
    await assert.rejects(world.open("alice", { store: memoryStore(profile), suite: 1 }), { code: "WRONG_PROFILE" })
    await assert.rejects(world.open("bob", { suite: 99 }), /cipher suite 99 is not known/)
    const sealingKey = new Uint8Array(32).fill(8)
    await assert.rejects(world.open("alice", { store: memoryStore(profile), sealingKey }), { code: "WRONG_PROFILE" })
    await world.open("alice", { store: memoryStore(profile), suite: 3 })
  })
})

/** Another device of the same person, endorsed by this one. */
function openFurther(world: World, client: Client): Promise<Client> {
  return world.open(client.name, {
    store: memoryStore(),
    endorse: (registration) => client.endorseDevice(registration),
  })
}

/** A directory that takes every registration. */
function trusting({ name, deviceId, signatureKey }: Identity): Directory {
  const device = { name, deviceId, cipherSuite: 1, signatureKey, registeredAt: 0n, endorsement: undefined }
  const transport = directTransport(async function* () {
    yield encode(AuthResponse, { type: "registered", device })
  })
  return new Directory(transport, new Patience(Date.now))
}

/** A directory that lists devices and does not show who vouched for them. */
function withoutEndorsements(transport: Transport): Transport {
  return {
    ...transport,
    async request(body, options) {
      const answer = decode(AuthResponse, await transport.request(body, options))
      if (answer.type !== "devices") return encode(AuthResponse, answer)
      const devices = answer.devices.map((device) => ({ ...device, endorsement: undefined }))
      return encode(AuthResponse, { ...answer, devices })
    },
  }
}
