import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import { cipherSuite } from "@conclave/mls"
import type { Transport } from "@conclave/transport"
import { openSignal, SIGNAL_SIZE, sealSignal } from "../src/access/signals.js"
import type { ConversationHandle } from "../src/device/handle.js"
import type { Client, Signal } from "../src/index.js"
import { until } from "./support/counting.js"
import { provider, taken, World } from "./support/world.js"

const text = (content: string) => new TextEncoder().encode(content)
const only = (client: Client) => [...client.conversations.values()][0]!

function heardBy(client: Client) {
  const heard: [string, string][] = []
  const stop = client.onSignal(({ from, content }: Signal) => heard.push([from, new TextDecoder().decode(content)]))
  return { heard, stop }
}

/** What goes over a line, and what somebody in between does with it. */
function between(transport: Transport) {
  const sent: Uint8Array[] = []
  const hook = {
    request: (body: Uint8Array) => body,
    answer: async (bytes: Uint8Array): Promise<Uint8Array[]> => [bytes],
  }
  const line: Transport = {
    ...transport,
    request(body, options) {
      const request = deliveryRequests.decode(body)
      if (request.type === "signal") sent.push(request.body)
      return transport.request(hook.request(body), options as object)
    },
    async *subscribe(body, options) {
      for await (const answer of transport.subscribe(body, options as object)) yield* await hook.answer(answer)
    },
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  }
  return { line, sent, hook }
}

const signalIn = (bytes: Uint8Array) => {
  const answer = decode(DeliveryResponse, bytes)
  return answer.type === "signal" ? answer : undefined
}

/** Alice, Bob and Carol are live in one conversation. */
async function three(world: World) {
  const bobs = between(world.transport("delivery"))
  const alices = between(world.transport("delivery"))
  const alice = await world.open("alice", { live: true, delivery: alices.line })
  const bob = await world.open("bob", { live: true, delivery: bobs.line })
  const carol = await world.open("carol", { live: true })
  await alice.createConversation({ members: ["bob", "carol"] })
  await until(() => bob.conversations.size + carol.conversations.size === 2, "all are in")
  await until(() => new Set([alice, bob, carol].map((it) => only(it).epoch)).size === 1, "one epoch")
  return { alice, bob, carol, alices, bobs }
}

/** Sends until it comes: a subscription may not hear yet. */
async function signalUntil(from: Client, content: string, came: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !came(); i++) {
    await only(from).signal(text(content))
    for (let j = 0; j < 20 && !came(); j++) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  assert.ok(came(), `${content} did not come`)
}

describe("signals of a client", { timeout: 60_000 }, () => {
  it("come to the others who listen, with the sender's name, and are no event, no message and nothing in a store", async () => {
    await using world = new World({ inMemory: true, limits: { signalsByRequester: { perSecond: 1e6, burst: 1e6 } } })
    const { alice, bob, carol } = await three(world)
    const [bobs, carols, alices] = [heardBy(bob), heardBy(carol), heardBy(alice)]
    const before = await Promise.all([alice, bob, carol].map(taken))
    assert.ok(before.length > 0)
    await signalUntil(alice, "ready", () => bobs.heard.length > 0 && carols.heard.length > 0)
    bobs.heard.length = carols.heard.length = 0
    await only(alice).signal(text("typing"))
    await until(() => bobs.heard.length === 1 && carols.heard.length === 1, "both")
    assert.deepEqual([bobs.heard, carols.heard, alices.heard], [[["alice", "typing"]], [["alice", "typing"]], []])
    await only(bob).signal(new Uint8Array(512).fill(97))
    await until(() => carols.heard.length === 2 && alices.heard.length === 1, "of the greatest length")
    await assert.rejects(only(bob).signal(new Uint8Array(513)), { code: "TOO_LARGE" })
    for (const client of [alice, bob, carol]) {
      assert.deepEqual(await taken(client), [])
      assert.deepEqual(await only(client).history(), [])
    }
    // What one listener throws does not keep the other from it, and who has stopped hears nothing.
    bob.onSignal(() => {
      throw new Error("a listener's own fault")
    })
    const again = heardBy(bob)
    bobs.stop()
    await only(alice).signal(text("once more"))
    await until(() => again.heard.length === 1, "the other listener")
    assert.equal(bobs.heard.length, 1)
    assert.deepEqual(world.faults, [])
  })

  it("have one length, and those of another epoch, replayed, changed, or of no member are not told", async () => {
    await using world = new World({ inMemory: true, limits: { signalsByRequester: { perSecond: 1e6, burst: 1e6 } } })
    const { alice, bob, carol, alices, bobs } = await three(world)
    const { heard } = heardBy(bob)
    const ear = heardBy(carol)
    await signalUntil(alice, "ready", () => heard.length > 0 && ear.heard.length > 0)
    heard.length = 0
    const came: Uint8Array[] = []
    let mischief = (body: Uint8Array): Uint8Array[] => [body]
    bobs.hook.answer = async (bytes) => {
      const signal = signalIn(bytes)
      if (signal === undefined) return [bytes]
      came.push(signal.body)
      return mischief(signal.body).map((body) => encode(DeliveryResponse, { ...signal, body }))
    }
    const say = async (content: string) => {
      const count = came.length
      await only(alice).signal(text(content))
      await until(() => came.length > count, content)
    }
    // The service plays it twice, and later again.
    mischief = (body) => [body, body]
    await say("one")
    mischief = (body) => [came[0]!, body]
    await say("two")
    await until(() => heard.length === 2, "each once")
    assert.deepEqual(heard, [
      ["alice", "one"],
      ["alice", "two"],
    ])
    // Any bit of it.
    mischief = (body) => [0, 12, 500, body.length - 1].map((at) => body.map((byte, i) => (i === at ? byte ^ 1 : byte)))
    await say("changed")
    mischief = () => [new Uint8Array(), new Uint8Array(11), provider.random(924)]
    await say("garbage")
    mischief = (body) => [body]
    await say("three")
    await until(() => heard.length === 3, "the next one")
    assert.deepEqual(heard[2], ["alice", "three"])
    assert.deepEqual([...new Set(alices.sent.map(({ length }) => length))], [12 + SIGNAL_SIZE + 16])
    // An older one after a minute: played again, or kept back until then.
    mischief = () => []
    await say("kept back")
    const old = came.at(-1)!
    world.now += 61_000
    mischief = () => [old]
    await say("in its place")
    mischief = (body) => [body]
    await say("later")
    await until(() => heard.length === 4, "later")
    mischief = () => [old]
    await say("old")
    // After a commit, nothing of the epoch before is taken.
    const [epoch, former] = [only(bob).epoch, came.at(-1)!]
    await only(carol).refresh()
    await until(() => only(bob).epoch > epoch && only(alice).epoch > epoch, "the next epoch")
    mischief = () => [former]
    await say("former")
    mischief = (body) => [body]
    await say("last")
    await until(() => heard.length === 5, "last")
    assert.deepEqual(
      heard.map(([, content]) => content),
      ["one", "two", "three", "later", "last"],
    )
  })

  it("nobody signs for another member, and who has been removed neither says nor hears anything", async () => {
    await using world = new World({ inMemory: true, limits: { signalsByRequester: { perSecond: 1e6, burst: 1e6 } } })
    const { alice, bob, carol } = await three(world)
    const [bobs, carols] = [heardBy(bob), heardBy(carol)]
    await signalUntil(alice, "ready", () => bobs.heard.length > 0 && carols.heard.length > 0)
    bobs.heard.length = carols.heard.length = 0
    const bobsRoom = only(bob)
    await only(alice).remove("bob")
    await until(() => only(carol).members.length === 2 && bobsRoom.status === "left", "removed")
    await assert.rejects(bobsRoom.signal(text("still here")), { code: "NOT_A_MEMBER" })
    await signalUntil(alice, "without bob", () => carols.heard.length > 0)
    assert.deepEqual(bobs.heard, [])
  })

  it("are not sealed by who cannot open the group, and a group that was not in memory is no obstacle", async () => {
    await using world = new World({ inMemory: true, limits: { signalsByRequester: { perSecond: 1e6, burst: 1e6 } } })
    const { alice, bob, bobs } = await three(world)
    await only(bob).signal(text("my own"))
    const own = bobs.sent.at(-1)!
    await bob.close()
    const line = between(world.transport("delivery"))
    const again = await world.open("bob", { live: true, delivery: line.line })
    const { heard } = heardBy(again)
    // The service plays his own to who remembers nothing of it.
    line.hook.answer = async (bytes) => {
      const signal = signalIn(bytes)
      return signal === undefined ? [bytes] : [encode(DeliveryResponse, { ...signal, body: own }), bytes]
    }
    assert.equal((only(again) as ConversationHandle).driver.state.group, undefined)
    await signalUntil(alice, "to who has come back", () => heard.length > 0)
    assert.ok(heard.every(([from]) => from === "alice"))
    const ears = heardBy(alice)
    await signalUntil(again, "from who has come back", () => ears.heard.length > 0)
  })
})

describe("a sealed signal", () => {
  const suite = cipherSuite(1, provider)
  const key = provider.random(16)
  const [alice, mallory] = [1, 2].map(() => suite.signature.generate((length) => provider.random(length))) as [any, any]
  const groupId = provider.random(32)
  const tbs = { groupId, epoch: 3n, leafIndex: 1, number: 5n, content: text("hello") }
  const sealing = { key, signer: alice, random: (length: number) => provider.random(length) }
  const opening = { groupId, epoch: 3n, key, signatureKeyOf: (leaf: number) => [undefined, alice.publicKey][leaf] }

  it("opens as what its leaf has signed, and as nothing else", () => {
    const sealed = sealSignal(suite, tbs, sealing)
    assert.deepEqual(openSignal(suite, sealed, opening), tbs)
    // Another member knows the key of the epoch, and not that of the leaf.
    assert.equal(openSignal(suite, sealSignal(suite, tbs, { ...sealing, signer: mallory }), opening), undefined)
    for (const other of [{ epoch: 4n }, { leafIndex: 0 }, { leafIndex: 7 }]) {
      assert.equal(openSignal(suite, sealSignal(suite, { ...tbs, ...other }, sealing), opening), undefined)
    }
    assert.equal(openSignal(suite, sealed, { ...opening, epoch: 4n }), undefined)
    assert.equal(openSignal(suite, sealed, { ...opening, groupId: provider.random(32) }), undefined)
    assert.equal(openSignal(suite, sealed, { ...opening, key: provider.random(16) }), undefined)
    assert.equal(openSignal(suite, sealed.subarray(1), opening), undefined)
  })

  it("has one length for every content, to the greatest, in every suite", () => {
    for (const number of [1, 3, 5, 7]) {
      const other = cipherSuite(number, provider)
      const signer = other.signature.generate((length) => provider.random(length))
      const sealedBy = { ...sealing, key: provider.random(other.aead.keySize), signer }
      const lengths = [0, 1, 63, 64, 200, 400, 511, 512].map(
        (length) => sealSignal(other, { ...tbs, content: provider.random(length) }, sealedBy).length,
      )
      assert.deepEqual([...new Set(lengths)], [12 + SIGNAL_SIZE + 16], `suite ${number}`)
    }
  })
})
