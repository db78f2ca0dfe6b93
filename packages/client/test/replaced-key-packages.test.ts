import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { type DeliveryRequest, DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import { decodeKeyPackageBundle } from "@conclave/mls"
import { TransportError } from "@conclave/transport"
import { type Client, type ClientPolicy, MemoryProfile, memoryStore } from "../src/index.js"
import { recordKeys, StoredKeyPackage } from "../src/records/records.js"
import { SealedStore } from "../src/store/sealed.js"
import { tampered } from "./support/tampered.js"
import { provider, settle, taken, World } from "./support/world.js"

const HOUR = 3_600_000
const DAY = 24 * HOUR
const SIZE = 4
const only = (client: Client) => [...client.conversations.values()][0]!
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")

function copyOf(profile: MemoryProfile): MemoryProfile {
  const copy = new MemoryProfile()
  for (const [key, value] of profile.records) copy.records.set(key, value.slice())
  return copy
}

/** The key packages whose private keys are in a profile. */
async function held(profile: MemoryProfile): Promise<ReadonlySet<string>> {
  const random = (length: number) => provider.random(length)
  const sealingKey = new Uint8Array(32).fill(7)
  const store = new SealedStore(memoryStore(copyOf(profile)), { provider, sealingKey, random })
  const records = await store.list(recordKeys.keyPackages)
  return new Set(
    records.map(([, record]) => text(decodeKeyPackageBundle(decode(StoredKeyPackage, record).bundle).keyPackage)),
  )
}

/** What the service hands out for a device, the last resort in the end. */
async function claimed(world: World, deviceId: Uint8Array): Promise<readonly string[]> {
  const request = deliveryRequests.encode({ type: "claimKeyPackage", deviceId, cipherSuite: 1 })
  for (const keyPackages: string[] = []; ; ) {
    const answer = decode(DeliveryResponse, await world.transport("delivery").request(request))
    assert.ok(answer.type === "keyPackage")
    keyPackages.push(text(answer.keyPackage))
    if (answer.lastResort) return keyPackages
  }
}

type Publishing = Extract<DeliveryRequest, { readonly type: "publishKeyPackages" }>

/** Bob's line to the service: what he publishes, which is lost on its way or on the way back while `losing`. */
function watched(world: World) {
  const line = { published: [] as Publishing[], losing: "nothing" as "nothing" | "request" | "answer" }
  const lost = () => new TransportError("lost", { retryable: true })
  const connect = () =>
    tampered(world.transport("delivery"), async (request, pass) => {
      if (request.type !== "publishKeyPackages") return pass()
      if (line.losing === "request") throw lost()
      line.published.push(request)
      const answer = await pass()
      if (line.losing === "answer") throw lost()
      return answer
    })
  const replacements = () => line.published.filter(({ replaces }) => replaces)
  return { line, connect, replacements }
}

async function people(world: World, policy: Partial<ClientPolicy> = {}) {
  const profile = new MemoryProfile()
  const bobs = watched(world)
  const open = () =>
    world.open("bob", {
      store: memoryStore(profile),
      delivery: bobs.connect(),
      policy: { keyPackages: SIZE, ...policy },
    })
  const [alice, bob] = [await world.open("alice"), await open()]
  const team = await alice.createConversation({ members: ["bob"] })
  await settle(alice, bob)
  const [{ proof }] = bobs.line.published as [Publishing]
  return { alice, bob, profile, team, open, deviceId: proof.deviceId, ...bobs }
}

/** Bob speaks, and renews his keys by age. */
async function renew(world: World, alice: Client, bob: Client): Promise<void> {
  await only(bob).send("hello")
  world.now += 9 * DAY
  const { epoch } = only(bob)
  await settle(bob, alice)
  assert.equal(only(bob).epoch, epoch + 1n)
}

describe("the key packages of a device that has renewed its keys", { timeout: 30_000 }, () => {
  it("are others than a thief knows who has copied the device before", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob, profile, deviceId, replacements } = await people(world)
    const stolen = await held(copyOf(profile))
    await renew(world, alice, bob)
    const [replaced, ...others] = replacements()
    assert.ok(replaced !== undefined && others.length === 0)
    assert.equal(replaced.keyPackages.length, SIZE)
    const handedOut = await claimed(world, deviceId)
    assert.deepEqual(handedOut, [...replaced.keyPackages, replaced.lastResort!].map(text))
    const mine = await held(profile)
    for (const keyPackage of handedOut) assert.ok(mine.has(keyPackage) && !stolen.has(keyPackage))
  })

  it("are others after a knock was answered", async () => {
    await using world = new World({ inMemory: true })
    const profile = new MemoryProfile()
    const { line, connect, replacements } = watched(world)
    let isBroken = false
    const cut = tampered(connect(), async (request, pass) => {
      if (!isBroken || request.type !== "read") return pass()
      return encode(DeliveryResponse, { type: "belowRetention", groupId: request.groupId, oldestSeq: 1_000n })
    })
    const alice = await world.open("alice")
    const bob = await world.open("bob", { store: memoryStore(profile), delivery: cut })
    const team = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    // Asked for by the person, or with somebody else's wish: not what takes a thief's keys.
    await only(bob).refresh()
    await settle(alice, bob)
    assert.deepEqual(replacements(), [])
    const stolen = await held(copyOf(profile))
    await team.send("what Bob cannot follow")
    isBroken = true
    await bob.sync()
    assert.equal(only(bob).status, "recovering")
    isBroken = false
    await settle(alice, bob)
    assert.equal(only(bob).status, "active")
    assert.equal(replacements().length, 1)
    for (const it of await claimed(world, line.published[0]!.proof.deviceId)) assert.ok(!stolen.has(it))
  })

  it("are replaced once in 24 hours, and after that once more where keys were renewed meanwhile", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob, replacements } = await people(world, { renewAfterMilliseconds: HOUR })
    const renewed = async () => {
      await only(bob).send("hello")
      world.now += 2 * HOUR
      const { epoch } = only(bob)
      await settle(bob, alice)
      assert.equal(only(bob).epoch, epoch + 1n)
    }
    await renewed()
    assert.equal(replacements().length, 1)
    await renewed()
    await renewed()
    world.now += DAY - 6 * HOUR
    await settle(bob)
    assert.equal(replacements().length, 1)
    world.now += 2 * HOUR
    await settle(bob)
    assert.equal(replacements().length, 2)
    world.now += 3 * DAY
    await settle(bob)
    assert.equal(replacements().length, 2)
  })

  it("open Welcomes that were under way for a week, and then their private keys are gone", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob, profile } = await people(world)
    let isCut = false
    const carol = await world.open("carol", {
      delivery: tampered(world.transport("delivery"), async (request, pass) => {
        if (isCut && request.type === "append") throw new TransportError("lost", { retryable: true })
        return pass()
      }),
    })
    const late = await carol.createConversation({ title: "late" })
    isCut = true
    const invited = late.invite("bob")
    invited.catch(() => {})
    await assert.rejects(carol.sync(), { code: "UNAVAILABLE" })
    const before = await held(profile)
    await renew(world, alice, bob)
    for (const keyPackage of before) assert.ok((await held(profile)).has(keyPackage))
    world.now += 6 * DAY
    isCut = false
    await settle(carol, bob)
    await invited
    assert.equal(bob.conversations.size, 2)
    world.now += 2 * DAY
    await bob.sync()
    for (const keyPackage of before) assert.ok(!(await held(profile)).has(keyPackage))
  })

  for (const losing of ["request", "answer"] as const) {
    it(`are replaced after a crash, where the ${losing} was lost`, async () => {
      await using world = new World({ inMemory: true })
      const { alice, bob, profile, deviceId, open, line, replacements } = await people(world)
      const stolen = await held(copyOf(profile))
      await only(bob).send("hello")
      world.now += 9 * DAY
      line.losing = losing
      await bob.sync()
      await assert.rejects(bob.sync(), { code: "UNAVAILABLE" })
      // However often it fails, it is the same ones.
      await assert.rejects(bob.sync(), { code: "UNAVAILABLE" })
      const made = (await held(profile)).size
      assert.equal(made, stolen.size + SIZE + 1)
      await bob.close()
      line.losing = "nothing"
      const again = await open()
      await settle(again, alice)
      assert.equal((await held(profile)).size, made)
      const sent = replacements().map(({ keyPackages, lastResort }) => [...keyPackages, lastResort!].map(text).sort())
      for (const it of sent) assert.deepEqual(it, sent[0])
      for (const it of await claimed(world, deviceId)) assert.ok(!stolen.has(it) && sent[0]!.includes(it))
      // It is done: nothing more is replaced.
      const { length } = replacements()
      world.now += 2 * DAY
      await again.sync()
      assert.equal(replacements().length, length)
    })
  }

  it("come from a thief where he publishes some afterwards, which shows when somebody invites by them", async () => {
    await using world = new World({ inMemory: true })
    const { alice, bob, profile } = await people(world)
    const copy = copyOf(profile)
    await renew(world, alice, bob)
    // He has the signature key; nothing tells Bob that there are more than he has published.
    const thief = await world.open("bob", { store: memoryStore(copy), policy: { keyPackages: 4 * SIZE } })
    await thief.sync()
    await bob.sync()
    await taken(bob)
    for (let i = 0; i < SIZE; i++) await alice.createConversation({ members: ["bob"] })
    await bob.sync()
    assert.ok(!(await taken(bob)).some(({ type }) => type === "rejected"))
    await alice.createConversation({ title: "the thief's", members: ["bob"] })
    await bob.sync()
    const rejected = (await taken(bob)).filter(({ type }) => type === "rejected")
    assert.equal(rejected.length, 1)
  })
})
