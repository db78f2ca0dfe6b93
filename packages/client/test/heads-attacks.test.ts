import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode } from "@conclave/codec"
import { noAccess } from "@conclave/contracts/access"
import { DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import type { HeadClaim } from "@conclave/contracts/heads"
import { encodePayload } from "../src/conversation/payload.js"
import type { ConversationHandle } from "../src/device/handle.js"
import { encodeEnvelope } from "../src/heads/claims.js"
import { type Client, type ClientEvent, type ClientOptions, verifyEvidence } from "../src/index.js"
import { toldBy } from "../src/service/delivery.js"
import { expected, Mallory, proofOf } from "./support/mallory.js"
import { type Branch, provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const texts = async (client: Client) => (await only(client).history({ limit: 1_000 })).map(({ text }) => text)
const stateOf = (client: Client) => (only(client) as ConversationHandle).driver.state
type Contradicted = Extract<ClientEvent, { type: "contradicted" }>
const contradictions = async (client: Client) =>
  (await taken(client)).filter((it): it is Contradicted => it.type === "contradicted")

const through = (branch: () => Branch, isLost: (type: string) => boolean = () => false): ClientOptions["delivery"] => ({
  request: async (body, options) => {
    if (isLost(deliveryRequests.decode(body).type)) throw new Error("lost")
    return branch().transport.request(body, options)
  },
  subscribe: (body, options) => branch().transport.subscribe(body, options),
  [Symbol.asyncDispose]: async () => {},
})

describe("an honest service", () => {
  it("is not accused of what was said before it was restored", async () => {
    await using world = new World()
    let shown = world.branch
    let isLost = false
    const alice = await world.open("alice", {
      delivery: through(
        () => shown,
        (type) => isLost && type === "append",
      ),
    })
    const bob = await world.open("bob", { delivery: through(() => shown) })
    const team = await alice.createConversation({ title: "team", members: ["bob"] })
    await settle(alice, bob)
    await only(bob).send("before")
    await settle(alice, bob)
    await taken(bob)
    const backup = await world.restore()
    await team.send("one")
    await alice.sync()
    isLost = true
    team.send("two").catch(() => {})
    await alice.sync().catch(() => {})
    isLost = false
    shown = backup
    await alice.sync()
    await team.send("three")
    await alice.sync()
    // What he is shown first is a stream, which goes on where he stood.
    const { driver } = only(bob) as ConversationHandle
    const { cursor, head } = driver.state.position
    assert.equal(head, cursor)
    const { prover, id } = driver.state
    const page = await driver.means.delivery.read(id, cursor, { prover, signal: new AbortController().signal })
    assert.ok(page.type === "entries")
    driver.bring({ type: "brought", entries: page.entries, headSeq: page.headSeq, told: toldBy(page) })
    await driver.runner.once()
    const told = (await taken(bob)).filter((it) => it.type !== "message")
    assert.deepEqual(
      told.map(({ type }) => type),
      ["service"],
    )
    assert.deepEqual((await texts(bob)).slice(-2), ["two", "three"])
  })
})

async function withMallory() {
  const world = new World()
  let branch: Branch | undefined
  const asked: string[] = []
  const alice = await world.open("alice")
  const bob = await world.open("bob", {
    delivery: through(
      () => branch ?? world.branch,
      (type) => {
        asked.push(type)
        return false
      },
    ),
  })
  const team = await alice.createConversation({ title: "team", members: ["bob"] })
  await settle(alice, bob)
  await team.send("hello")
  const theirs = await world.open("mallory")
  await team.invite("mallory")
  await settle(alice, bob, theirs)
  const { mallory, group } = await Mallory.inside(world, theirs)
  await Promise.all([alice, bob].map(taken))
  const says = async (head: HeadClaim | undefined, text: string) => {
    const body = { type: "text", text } as const
    const payload = encodePayload({ version: 1, messageId: provider.random(16), sentAt: 0n, body })
    const body_ = group.encrypt(encodeEnvelope(payload, head))
    await mallory.append(stateOf(alice).id, { kind: "application", epoch: group.epoch, body: body_ })
  }
  const made = (seq: bigint): HeadClaim => ({
    ...{ incarnation: 1n, seq, chainHash: provider.random(32), signature: provider.random(64) },
  })
  const lead = (to: Branch) => {
    branch = to
  }
  return { world, alice, bob, team, says, made, lead, asked }
}

describe("a member's lies", () => {
  it("do not hide what the same member proves", async () => {
    const { world, alice, bob, says, made, lead } = await withMallory()
    await using _ = world
    await says(made(2n), "a lie")
    await settle(alice, bob)
    assert.deepEqual(
      (await contradictions(bob)).map(({ accused }) => accused),
      ["member"],
    )
    const last = BigInt((await world.branch.entries(only(alice))).length)
    const branch = world.fork()
    await only(alice).send("for Alice")
    await says(stateOf(alice).facts.head, "the truth")
    lead(branch)
    await only(bob).send("for Bob")
    const entries = await world.branch.entries(only(alice), last)
    await branch.place(only(bob), entries.at(-1)!)
    await bob.sync()
    const [told] = await contradictions(bob)
    assert.equal(told?.accused, "service")
    assert.ok(verifyEvidence(told.evidence, provider))
  })

  it("do not keep a device from learning that the service was restored", async () => {
    const { world, alice, bob, says, made, asked } = await withMallory()
    await using _ = world
    const restored = await world.restore()
    const { id: groupId, prover } = stateOf(alice)
    const asking = { type: "head", groupId, access: noAccess } as const
    const request = deliveryRequests.encode({ ...asking, access: proofOf(prover!, asking, world.now) })
    const head = expected(decode(DeliveryResponse, await restored.transport.request(request)), "head")
    const { headSeq: seq, chainHash, incarnation, signature } = head
    assert.ok(incarnation > 1n)
    await says({ incarnation, seq, chainHash, signature }, "it was restored")
    await says({ ...made(2n), incarnation: incarnation + 9n }, "nobody has signed that")
    const before = asked.length
    await bob.sync()
    assert.ok(asked.slice(before).includes("service"))
  })
})

describe("evidence", () => {
  it("accuses no service that has forgotten a group: nobody makes it again by its id", async () => {
    const { world, alice, says } = await withMallory()
    await using _ = world
    await says(undefined, "the last word")
    await alice.sync()
    const { id: groupId, intervals } = stateOf(alice)
    world.now += 1_000 * 86_400_000
    const at = BigInt(world.now)
    const horizons = { at, messages: at, log: at, inbox: at, groups: at, knocks: at, rowsMax: 10_000 }
    for (let round = 0; round < 10; round++) await world.branch.store.sweep(horizons)
    const mallory = new Mallory(world)
    const idempotencyId = provider.random(16)
    const { accessKey } = intervals.newest!
    const made = await mallory.ask({ type: "createGroup", groupId, idempotencyId, accessKey })
    assert.equal(made.type, "alreadyExists")
  })
})

describe("a service that is of one incarnation for some, and of a later one for others", () => {
  it("is accused where it goes on saying so, as it shows two histories of which nobody compares the heads", async () => {
    await using world = new World()
    let shown = world.branch
    const alice = await world.open("alice", { delivery: through(() => shown) })
    const bob = await world.open("bob")
    const team = await alice.createConversation({ title: "team", members: ["bob"] })
    await settle(alice, bob)
    await team.send("hello")
    await settle(alice, bob)
    await taken(bob)
    shown = await world.restore()
    await alice.sync()
    await team.send("Bob, do NOT pay that bill")
    const says = async (text: string) => {
      await team.send(text)
      await world.branch.place(only(bob), (await shown.entries(team)).at(-1)!)
      await bob.sync()
    }
    await says("see you tomorrow")
    world.now += 300_000
    // One of its processes may not have heard yet that it was restored.
    await says("are you there?")
    assert.deepEqual(await contradictions(bob), [])
    world.now += 300_000
    for (const text of ["hello?", "well?"]) await says(text)
    const [told, ...others] = await contradictions(bob)
    assert.deepEqual([told?.by, told?.accused, told?.evidence.length, others.length], ["alice", "service", 0, 0])
    assert.deepEqual((await texts(bob)).slice(-4), ["see you tomorrow", "are you there?", "hello?", "well?"])
  })

  it("is not accused where it says so late", async () => {
    await using world = new World()
    let [shown, shownBob] = [world.branch, world.branch]
    const alice = await world.open("alice", { delivery: through(() => shown) })
    const bob = await world.open("bob", { delivery: through(() => shownBob) })
    const team = await alice.createConversation({ title: "team", members: ["bob"] })
    await settle(alice, bob)
    await team.send("hello")
    await settle(alice, bob)
    shown = await world.restore()
    await alice.sync()
    for (const text of ["one", "two"]) {
      await team.send(text)
      if (text === "one") await world.branch.place(only(bob), (await shown.entries(team)).at(-1)!)
      else shownBob = shown
      await bob.sync()
      world.now += 3_600_000
    }
    await team.send("three")
    await bob.sync()
    assert.deepEqual(await contradictions(bob), [])
    assert.deepEqual((await texts(bob)).slice(-3), ["one", "two", "three"])
  })
})
