import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { DeliveryResponse } from "@conclave/contracts/delivery"
import type { CryptoProvider } from "@conclave/crypto"
import type { Transport } from "@conclave/transport"
import type { Client, Conversation } from "../src/index.js"
import { expected, Mallory } from "./support/mallory.js"
import { tampered } from "./support/tampered.js"
import { provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const texts = async (conversation: Conversation) => (await conversation.history()).map(({ text }) => text)

type Spoil = (answer: DeliveryResponse) => DeliveryResponse

/** What a faulty or lying service may answer to `read`. */
const spoiledLogs: Readonly<Record<string, Spoil>> = {
  "an entry is missing": (answer) =>
    answer.type === "entries" ? { ...answer, entries: answer.entries.slice(1) } : answer,
  "an entry is changed": (answer) =>
    answer.type === "entries"
      ? { ...answer, entries: answer.entries.map((it) => ({ ...it, body: it.body.with(-1, it.body.at(-1)! ^ 1) })) }
      : answer,
  "entries change places": (answer) =>
    answer.type === "entries"
      ? { ...answer, entries: answer.entries.map((it, at, all) => ({ ...all[all.length - 1 - at]!, seq: it.seq })) }
      : answer,
  "it ends before its head": (answer) => (answer.type === "entries" ? { ...answer, entries: [] } : answer),
}

const expired: Spoil = (answer) =>
  answer.type === "entries" ? { type: "belowRetention", groupId: answer.groupId, oldestSeq: 99n } : answer

/** Alice has renewed her keys twice and said something, which Bob has not read yet; his service spoils what he reads. */
async function spoiling(world: World, spoil: Spoil) {
  const alice = await world.open("alice")
  const service = { spoils: 0 }
  const delivery = tampered(world.transport("delivery"), async (request, pass) => {
    const answer = decode(DeliveryResponse, await pass())
    if (request.type !== "read" || service.spoils-- <= 0) return encode(DeliveryResponse, answer)
    return encode(DeliveryResponse, spoil(answer))
  })
  const bob = await world.open("bob", { delivery })
  const team = await alice.createConversation({ members: ["bob"] })
  await team.send("so that Bob knows where the chain stands")
  await settle(alice, bob)
  await taken(bob)
  await team.refresh()
  await team.refresh()
  await team.send("one")
  return { alice, bob, team, service }
}

describe("a log that cannot be followed", () => {
  it("is read again first: a fault on the way is no reason to knock", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice")
    let faults = 0
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      const answer = decode(DeliveryResponse, await pass())
      if (request.type !== "read" || answer.type !== "entries" || answer.entries.length === 0 || faults++ > 0) {
        return encode(DeliveryResponse, answer)
      }
      const entries = answer.entries.map((entry) => ({ ...entry, body: entry.body.with(-1, entry.body.at(-1)! ^ 1) }))
      return encode(DeliveryResponse, { ...answer, entries })
    })
    const bob = await world.open("bob", { delivery })
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await team.refresh()
    await bob.sync()
    assert.ok(faults > 1)
    assert.deepEqual(only(bob).epochAuthenticator, team.epochAuthenticator)
    assert.ok(!(await taken(bob)).some(({ type }) => type === "recovered"))
  })

  for (const [fault, spoil] of Object.entries(spoiledLogs)) {
    it(`(${fault}) is asked for again, and everything is there when it comes`, async () => {
      await using world = new World({ inMemory: true })
      const { alice, bob, team, service } = await spoiling(world, spoil)
      service.spoils = Number.POSITIVE_INFINITY
      const waiting = only(bob).send("is anybody there?")
      for (let round = 0; round < 3; round++) await bob.sync()
      assert.deepEqual(
        (await taken(bob)).map(({ type }) => type),
        ["missing"],
      )
      assert.deepEqual([only(bob).status, only(bob).pending.length], ["active", 1])
      service.spoils = 0
      await settle(bob, alice)
      await waiting
      assert.deepEqual(await texts(only(bob)), ["so that Bob knows where the chain stands", "one", "is anybody there?"])
      assert.deepEqual(only(bob).epochAuthenticator, team.epochAuthenticator)
    })
  }

  it("as it is not kept so long leads to a knock, which a member answers, and the conversation goes on", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob, team, service } = await spoiling(world, expired)
    service.spoils = 2
    await bob.sync()
    assert.equal(only(bob).status, "recovering")
    await settle(alice, bob, alice)
    const told = (await taken(bob)).map(({ type }) => type).filter((it) => it === "stuck" || it === "recovered")
    assert.deepEqual(told, ["stuck", "recovered"])
    assert.equal(only(bob).status, "active")
    await team.send("welcome back")
    await bob.sync()
    assert.deepEqual((await texts(only(bob))).at(-1), "welcome back")
    assert.deepEqual(team.members, ["alice", "bob"])
    assert.deepEqual(only(bob).epochAuthenticator, team.epochAuthenticator)
    assert.equal(team.tree().filter(({ kind, blank }) => kind === "leaf" && !blank).length, 2)
  })

  it("is none where a commit cannot be read: it is passed over by all, and what was under way goes after it", async () => {
    await using world = new World({ inMemory: true })
    let garbling = false
    const delivery = tampered(world.transport("delivery"), async (request, pass) => {
      if (!garbling || request.type !== "append" || request.commit === undefined) return pass()
      garbling = false
      const noise = { kind: "commit", epoch: request.epoch, body: garbled(request.body) } as const
      const commit = { ...request.commit, begins: undefined }
      const { mallory } = await Mallory.inside(world, alice)
      expected(await mallory.append(request.groupId, { ...noise, commit, after: request.after }), "accepted")
      return pass()
    })
    const alice: Client = await world.open("alice", { delivery })
    const bob = await world.open("bob")
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await taken(alice)
    await taken(bob)
    garbling = true
    await team.refresh()
    await team.send("is anybody there?")
    await settle(alice, bob)
    assert.deepEqual(await texts(only(bob)), ["is anybody there?"])
    assert.deepEqual(only(bob).epochAuthenticator, team.epochAuthenticator)
    const [told, refreshed, message] = await taken(bob)
    assert.ok(told?.type === "rejected" && refreshed?.type === "refreshed" && message?.type === "message")
    assert.match(told.reason, /^commit 2 was passed over: /)
    // To Alice it looks like a copy of her own, which has no effect.
    assert.deepEqual(
      (await taken(alice)).map(({ type }) => type),
      ["refreshed", "sent"],
    )
  })

  it("names the member whose signature is on a commit that breaks a rule", async () => {
    await using world = new World({ inMemory: true })
    const eyes = new Doubting()
    const alice = await world.open("alice", { provider: eyes.provider })
    const [bob, mallory] = [await world.open("bob"), await world.open("mallory")]
    await world.open("carol")
    await mallory.createConversation({ members: ["alice", "bob"] })
    await only(mallory).send("so that all know where the chain stands")
    await settle(alice, bob, mallory)
    await taken(alice)
    await only(mallory).invite("carol")
    await settle(bob, mallory)
    // To Alice, the key package that Mallory has added is not signed by its key.
    eyes.doubting = true
    await alice.sync()
    eyes.doubting = false
    const [passedOver, ...more] = await taken(alice)
    assert.ok(passedOver?.type === "rejected")
    assert.match(passedOver.reason, /^commit \d+, by mallory, was passed over: .*\(key-package-signature, /)
    assert.deepEqual(more, [])
    assert.equal(only(alice).status, "active")
  })

  it("for this device alone leads to a knock that names it, and its author is told of", async () => {
    await using world = new World({ inMemory: true })
    const x25519 = provider.groups.X25519!
    let confused = false
    // While it is confused, it opens no path secret.
    const diffieHellman: typeof x25519.diffieHellman = (privateKey, peer) => {
      const secret = x25519.diffieHellman(privateKey, peer)
      return confused ? secret?.map((byte) => byte ^ 1) : secret
    }
    const groups = { ...provider.groups, X25519: { ...x25519, diffieHellman } }
    const alice = await world.open("alice", { provider: { ...provider, groups } })
    const bob = await world.open("bob")
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await taken(alice)
    await only(bob).refresh()
    confused = true
    await alice.sync()
    const [stuck] = await taken(alice)
    assert.ok(stuck?.type === "stuck" && stuck.canKnock)
    assert.match(stuck.reason, /^commit \d+, by bob, cannot be followed: /)
    confused = false
    await settle(bob, alice, bob)
    const [recovered] = await taken(alice)
    assert.ok(recovered?.type === "recovered" && recovered.by === "bob")
    assert.equal(team.status, "active")
    assert.deepEqual(only(bob).epochAuthenticator, team.epochAuthenticator)
  })

  it("is no reason to forget a conversation where the service does not know it: that waits, for days, and goes on", async () => {
    await using world = new World({ inMemory: true })
    const service = new Forgetful(world)
    const [alice, bob] = [await world.open("alice", { delivery: service.transport }), await world.open("bob")]
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    await taken(alice)
    service.forgets = true
    const waiting = team.send("hello?")
    for (let day = 0; day < 7; day++) {
      await alice.sync()
      world.now += 86_400_000
    }
    assert.deepEqual(
      (await taken(alice)).map(({ type }) => type),
      ["missing"],
    )
    assert.equal(team.status, "active")
    // Nothing but time, or the application, makes it ask again.
    await alice.sync()
    const { asked } = service
    team.send("are you there?").catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.equal(service.asked, asked)
    service.forgets = false
    await settle(alice, bob)
    await waiting
    assert.deepEqual(await texts(only(bob)), ["hello?", "are you there?"])
  })

  it("is lost where the service has not known it for more than a week", async () => {
    await using world = new World({ inMemory: true })
    const service = new Forgetful(world)
    const alice = await world.open("alice", { delivery: service.transport })
    const team = await alice.createConversation({})
    service.forgets = true
    await alice.sync()
    world.now += 7 * 86_400_000 + 1
    await alice.sync()
    await assert.rejects(team.send("hello?"), { code: "LOST" })
    assert.deepEqual(
      (await taken(alice)).map(({ type }) => type),
      ["missing", "lost"],
    )
  })
})

/** A service that can be made to know no group. */
class Forgetful {
  forgets = false
  asked = 0
  readonly transport: Transport

  constructor(world: World) {
    this.transport = tampered(world.transport("delivery"), async (request, pass) => {
      if (!this.forgets || !("groupId" in request)) return pass()
      this.asked++
      return encode(DeliveryResponse, { type: "notFound", groupId: request.groupId })
    })
  }
}

const garbled = (bytes: Uint8Array) => bytes.with(-1, bytes.at(-1)! ^ 1)

/** A provider to whom, while it doubts, nothing is signed that is signed with a key it has not seen before. */
class Doubting {
  doubting = false
  readonly #seen = new Set<string>()
  readonly provider: CryptoProvider

  constructor() {
    const ed25519 = provider.signatures.Ed25519!
    const verify: typeof ed25519.verify = (publicKey, message, signature) => {
      if (!this.doubting) this.#seen.add(publicKey.join())
      return this.#seen.has(publicKey.join()) && ed25519.verify(publicKey, message, signature)
    }
    this.provider = { ...provider, signatures: { ...provider.signatures, Ed25519: { ...ed25519, verify } } }
  }
}
