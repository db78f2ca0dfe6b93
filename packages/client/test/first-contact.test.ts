import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { AuthResponse, type Device } from "@conclave/contracts/auth"
import { DeliveryResponse } from "@conclave/contracts/delivery"
import { createKeyPackage } from "@conclave/mls"
import type { Transport } from "@conclave/transport"
import type { Identity } from "../src/identity/identity.js"
import type { Client } from "../src/index.js"
import { memoryStore } from "../src/store/memory.js"
import { makeIdentity, makeJudge } from "./support/judging.js"
import { provider, settle, taken, World } from "./support/world.js"

const never = new AbortController().signal
const only = (client: Client) => [...client.conversations.values()][0]!

describe("at the first contact with a name", () => {
  it("one device is taken on the directory's word, and those that it endorsed; all at once", async () => {
    const judging = makeJudge()
    const bob = judging.list("bob")
    const phone = judging.list("bob", bob)
    const watch = judging.list("bob", phone)
    const judgement = await judging.judge.judge([watch.claim, bob.claim, phone.claim], never)
    assert.deepEqual(accepted(judgement), [true, true, true])
    assert.deepEqual([judgement.keyChanges, judgement.refused], [[], []])
    assert.deepEqual(judging.asked, ["bob"])
    await judging.pin(judgement)
    assert.equal((await judging.judge.pinned("bob")).length, 3)
  })

  it("two judgements at the same time do not pin two different people", async () => {
    const judging = makeJudge()
    const bob = judging.list("bob")
    const one = await judging.judge.judge([bob.claim], never)
    judging.devices.clear()
    const mallory = judging.list("bob")
    const two = await judging.judge.judge([mallory.claim], never)
    await judging.pin(one)
    await assert.rejects(judging.pin(two), { code: "UNAVAILABLE" })
    assert.deepEqual(await judging.judge.pinned("bob"), [bob.device.signatureKey])
    assert.deepEqual(accepted(await judging.judge.judge([mallory.claim], never)), [false])
  })
})

describe("a device that the directory has invented", () => {
  for (const endorsement of ["none", "false"] as const) {
    it(`gets into no conversation, and both sides are told (endorsement: ${endorsement})`, async () => {
      await using world = new World({ inMemory: true })
      const ghost = ghostOf("bob", endorsement, 0xffff_ffff_ffffn)
      const auth = () => listing(world.transport("auth"), "bob", ghost)
      const [alice, bob] = [await world.open("alice", { auth: auth() }), await world.open("bob", { auth: auth() })]
      const conversation = await alice.createConversation({ members: ["bob"] })
      await bob.sync()
      assert.equal(conversation.tree().filter(({ name }) => name === "bob").length, 1)
      assert.equal(only(bob).safetyCode("alice"), conversation.safetyCode("bob"))
      const alarms = (await taken(alice)).filter((it) => it.type === "keyChanged")
      assert.deepEqual(
        alarms.map(({ name, signatureKey, endorsed, accepted }) => [name, signatureKey, endorsed, accepted]),
        [["bob", ghost.signatureKey, false, false]],
      )
      assert.deepEqual(
        (await alice.devices("bob")).map(({ endorsed, pinned }) => [endorsed, pinned]),
        [
          [true, true],
          [false, false],
        ],
      )

      const own = (await taken(bob)).filter((it) => it.type === "keyChanged")
      assert.deepEqual(
        own.map(({ name, signatureKey, endorsed, accepted }) => [name, signatureKey, endorsed, accepted]),
        [["bob", ghost.signatureKey, false, false]],
      )
      await bob.close()
      const again = await world.open("bob", { auth: auth() })
      world.now += 2 * 3_600_000
      await again.sync()
      assert.deepEqual(await taken(again), [], "once")
    })
  }

  it("lets an invitation fail where there is a key package of it, too", async () => {
    await using world = new World({ inMemory: true })
    const identity = makeIdentity("bob")
    const ghost = ghostOf("bob", "none", 0xffff_ffff_ffffn, identity)
    const auth = listing(world.transport("auth"), "bob", ghost)
    const alice = await world.open("alice", { auth, delivery: handingOut(world.transport("delivery"), identity) })
    await world.open("bob")
    await assert.rejects(alice.createConversation({ members: ["bob"] }), { code: "KEY_CHANGED" })
    assert.deepEqual(only(alice).members, ["alice"])
    const [alarm] = (await taken(alice)).filter((it) => it.type === "keyChanged")
    assert.deepEqual([alarm?.signatureKey, alarm?.accepted], [ghost.signatureKey, false])
  })

  it("is told of to the owner also when it turns up while the client runs", async () => {
    await using world = new World({ inMemory: true })
    let listed: Device | undefined
    const bob = await world.open("bob", { auth: listing(world.transport("auth"), "bob", () => listed) })
    await bob.sync()
    assert.deepEqual(await taken(bob), [])
    listed = ghostOf("bob", "false", 5n)
    world.now += 3_599_999
    await bob.sync()
    assert.deepEqual(await taken(bob), [], "the directory is asked once an hour")
    world.now += 1
    await bob.sync()
    assert.deepEqual(
      (await taken(bob)).map(({ type }) => type),
      ["keyChanged"],
    )
  })
})

describe("a further device of one's own", () => {
  it("that a sibling has endorsed is told of at the others, and known from then on", async () => {
    await using world = new World({ inMemory: true })
    const carol = await world.open("carol")
    const further = (endorser: Client) =>
      world.open("carol", { store: memoryStore(), endorse: (registration) => endorser.endorseDevice(registration) })
    const phone = await further(carol)
    const tablet = await further(phone)
    await settle(carol, phone, tablet)
    const [told] = await taken(carol)
    assert.ok(told?.type === "keyChanged" && told.endorsed && told.accepted)
    assert.equal((await carol.pinnedKeys("carol")).length, 3)
    assert.deepEqual(await taken(phone), [], "it has endorsed it itself")
    assert.deepEqual(await taken(tablet), [])
  })
})

const accepted = ({ verdicts }: { verdicts: readonly { accepted: boolean }[] }) => verdicts.map((it) => it.accepted)

function ghostOf(
  name: string,
  endorsement: "none" | "false",
  registeredAt: bigint,
  { deviceId, signatureKey } = makeIdentity(name),
): Device {
  const forged = { deviceId, signature: new Uint8Array(64) }
  return {
    deviceId,
    cipherSuite: 1,
    signatureKey,
    registeredAt,
    endorsement: endorsement === "none" ? undefined : forged,
  }
}

/** A directory that lists one more device for a name. */
function listing(transport: Transport, name: string, ghost: Device | (() => Device | undefined)): Transport {
  return {
    ...transport,
    async request(body, options) {
      const answer = decode(AuthResponse, await transport.request(body, options))
      const device = typeof ghost === "function" ? ghost() : ghost
      if (answer.type !== "devices" || answer.name !== name || device === undefined) return encode(AuthResponse, answer)
      return encode(AuthResponse, { ...answer, devices: [...answer.devices, device] })
    },
  }
}

/** A service that gives a key package of its own where it has none. */
function handingOut(transport: Transport, { suite, signer }: Identity): Transport {
  const lifetime = { notBefore: 0n, notAfter: 0xffff_ffffn }
  const random = (length: number) => provider.random(length)
  return {
    ...transport,
    async request(body, options) {
      const answer = decode(DeliveryResponse, await transport.request(body, options))
      if (answer.type !== "notFound") return encode(DeliveryResponse, answer)
      const { keyPackage } = createKeyPackage({ suite, signer, lifetime, lastResort: false, random })
      return encode(DeliveryResponse, { type: "keyPackage", keyPackage, lastResort: false })
    },
  }
}
