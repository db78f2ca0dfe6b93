import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { deliveryRequests } from "@conclave/contracts/delivery"
import { Evidence } from "@conclave/contracts/evidence"
import type { HeadClaim } from "@conclave/contracts/heads"
import { dangerouslyAcceptAll, Group } from "@conclave/mls"
import { newcomerExtension } from "../src/access/newcomer.js"
import { intervalIn } from "../src/conversation/epoch-interval.js"
import { decodePayload, encodePayload } from "../src/conversation/payload.js"
import type { ConversationHandle } from "../src/device/handle.js"
import { Envelope, encodeEnvelope, encodeHandshakeData, HandshakeData, headInHandshake } from "../src/heads/claims.js"
import { type Client, type ClientEvent, verifyEvidence } from "../src/index.js"
import { pair, relay } from "./support/histories.js"
import { entranceOf, expected, Mallory, type WelcomeExtensions } from "./support/mallory.js"
import { answered } from "./support/tampered.js"
import { provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const texts = async (client: Client) => (await only(client).history()).map(({ text }) => text)
type Contradicted = Extract<ClientEvent, { type: "contradicted" }>
const chainOf = (client: Client) => (only(client) as ConversationHandle).driver.state.chain
const contradictions = async (client: Client) =>
  (await taken(client)).filter((it): it is Contradicted => it.type === "contradicted")
const idOf = (client: Client) => new Uint8Array(Buffer.from(only(client).id, "hex"))

describe("a service that shows two histories", () => {
  it("is found out by the first message that crosses, and its own signatures prove it", async () => {
    const { world, alice, bob, team, leadAway } = await pair()
    await using _ = world
    const id = idOf(alice)
    const last = BigInt((await world.branch.entries(only(alice))).length)
    const branch = leadAway()
    await team.send("Bob, do NOT pay that bill")
    await team.send("see you tomorrow")
    await relay(world, branch, team, { after: last, without: [last + 1n] })
    await bob.sync()
    assert.deepEqual((await texts(bob)).slice(-1), ["see you tomorrow"])
    const [told, ...others] = await contradictions(bob)
    assert.deepEqual([told?.by, told?.accused, others.length], ["alice", "service", 0])
    const proven = verifyEvidence(told!.evidence, provider)
    assert.deepEqual([proven.groupId, proven.seq, proven.incarnation], [id, last + 1n, 1n])
  })

  it("is found out where what is kept back is a removal", async () => {
    const { world, alice, bob, team, leadAway } = await pair()
    await using _ = world
    const carol = await world.open("carol")
    await team.invite("carol")
    await settle(alice, bob, carol)
    await Promise.all([alice, bob, carol].map(taken))
    const last = BigInt((await world.branch.entries(only(alice))).length)
    const branch = leadAway()
    await team.remove("carol")
    await alice.sync()
    await only(bob).send("is Carol gone?")
    const [said] = await branch.entries(only(bob), last)
    await world.branch.place(only(alice), said!)
    await alice.sync()
    const [told] = await contradictions(alice)
    // Bob has not read the removal: what he had read is the same, and what he says next is not.
    assert.equal(told, undefined)
    await only(bob).send("and now?")
    const [, next] = await branch.entries(only(bob), last)
    await world.branch.place(only(alice), next!)
    await alice.sync()
    const [after] = await contradictions(alice)
    assert.deepEqual([after?.by, after?.accused], ["bob", "service"])
    assert.equal(verifyEvidence(after!.evidence, provider).seq, last + 1n)
  })

  it("is found out by a commit that crosses", async () => {
    const { world, alice, bob, team, leadAway } = await pair()
    await using _ = world
    const last = BigInt((await world.branch.entries(only(alice))).length)
    const branch = leadAway()
    await team.send("only for Alice")
    await team.refresh()
    await relay(world, branch, team, { after: last, without: [last + 1n] })
    await bob.sync()
    assert.equal(only(bob).epoch, team.epoch)
    const [told] = await contradictions(bob)
    assert.equal(told?.accused, "service")
    assert.ok(verifyEvidence(told.evidence, provider))
  })

  it("is found out after the device was restarted, by what it has stored", async () => {
    const { world, alice, bob, team, leadAway, reopen } = await pair()
    await using _ = world
    const last = BigInt((await world.branch.entries(only(alice))).length)
    const branch = leadAway()
    await team.send("only for Alice")
    await only(bob).send("only for Bob")
    await team.send("for both")
    await bob.close()
    const again = await reopen()
    await relay(world, branch, team, { after: last, without: [last + 1n] })
    await again.sync()
    const [told] = await contradictions(again)
    assert.equal(verifyEvidence(told!.evidence, provider).seq, last + 1n)
  })

  it("is reported once for each member, however often it is seen", async () => {
    const { world, alice, bob, team, leadAway } = await pair()
    await using _ = world
    const last = BigInt((await world.branch.entries(only(alice))).length)
    const branch = leadAway()
    for (const text of ["one", "two", "three", "four"]) await team.send(text)
    await relay(world, branch, team, { after: last, without: [last + 1n] })
    await bob.sync()
    assert.equal((await contradictions(bob)).length, 1)
    assert.deepEqual((await texts(bob)).slice(-3), ["two", "three", "four"])
  })

  it("cannot put another entry in the place of the newest that a device has read", async () => {
    const { world, alice, bob, team, leadAway } = await pair()
    await using _ = world
    const branch = leadAway()
    await team.send("for Alice")
    await only(bob).send("for Bob")
    const entries = await branch.entries(only(bob))
    // Alice is led into Bob's history, in which her own message has never been.
    const carried = answered(branch.transport, (_request, answer) => answer)
    await alice.close()
    const again = await world.open("alice", { delivery: carried })
    await only(bob).send("more for Bob")
    await again.sync()
    const events = await taken(again)
    const told = events.find((it): it is Contradicted => it.type === "contradicted")
    assert.deepEqual([told?.by, told?.accused], ["", "service"])
    assert.equal(verifyEvidence(told!.evidence, provider).seq, BigInt(entries.length))
    assert.ok(
      events.some(({ type }) => type === "missing"),
      "it waits for the log that it knows",
    )
  })
})

describe("evidence", () => {
  async function proof(): Promise<Uint8Array> {
    const { world, alice, bob, team, leadAway } = await pair()
    await using _ = world
    const last = BigInt((await world.branch.entries(only(alice))).length)
    const branch = leadAway()
    for (const text of ["one", "two", "three"]) await team.send(text)
    await relay(world, branch, team, { after: last, without: [last + 1n] })
    await bob.sync()
    const [told] = await contradictions(bob)
    return told!.evidence
  }

  it("holds for nothing but what was signed", async () => {
    const bytes = await proof()
    const { serviceKey, seq } = verifyEvidence(bytes, provider)
    assert.equal(serviceKey.length, 32)
    const evidence = decode(Evidence, bytes)
    const refuses = (changed: Partial<Evidence>, why: RegExp) =>
      assert.throws(() => verifyEvidence(encode(Evidence, { ...evidence, ...changed }), provider), why)
    refuses({ version: 2 }, /version 2/)
    refuses({ other: evidence.one }, /histories are one/)
    refuses({ groupId: provider.random(32) }, /has not signed/)
    refuses({ serviceKey: provider.random(32) }, /has not signed/)
    refuses({ seq: seq + 1n }, /do not lead/)
    const { one, other } = evidence
    // Of two entries, every service has signed two heads.
    refuses(
      { one: { ...one, chainHash: one.head.chainHash, links: [] } },
      /of the first history, the links do not lead/,
    )
    refuses({ one: { ...one, chainHash: provider.random(32) } }, /of the first history, the links do not lead/)
    refuses({ other: { ...other, chainHash: provider.random(32) } }, /of the second history, the links do not lead/)
    const restored = { ...other, head: { ...other.head, incarnation: 2n } }
    refuses({ other: restored }, /restored from a backup between/)
    refuses({ one: { ...one, head: { ...one.head, incarnation: 2n } }, other: restored }, /has not signed/)
    assert.throws(() => verifyEvidence(bytes.subarray(1), provider), TypeError)
    assert.throws(() => verifyEvidence(new Uint8Array([...bytes, 0]), provider), /no evidence/)
  })

  it("does not survive a change of any of its bytes", async () => {
    const bytes = await proof()
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice()
      changed[at]! ^= 1
      assert.throws(() => verifyEvidence(changed, provider), TypeError, `byte ${at}`)
    }
  })
})

describe("a member's word for what they have read", () => {
  async function withMallory() {
    const world = new World({ inMemory: true })
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    const team = await alice.createConversation({ title: "team", members: ["bob"] })
    await settle(alice, bob)
    await team.send("hello")
    const theirs = await world.open("mallory")
    await team.invite("mallory")
    await settle(alice, bob, theirs)
    const { mallory, group } = await Mallory.inside(world, theirs)
    await Promise.all([alice, bob].map(taken))
    const id = idOf(alice)
    const says = async (head: HeadClaim | undefined, text: string) => {
      const body = { type: "text", text } as const
      const payload = encodePayload({ version: 1, messageId: provider.random(16), sentAt: 0n, body })
      const { epoch } = group
      await mallory.append(id, { kind: "application", epoch, body: group.encrypt(encodeEnvelope(payload, head)) })
    }
    const entries = () => world.branch.entries(only(alice))
    return { world, alice, bob, team, mallory, group, id, says, entries }
  }
  const made = (seq: bigint): HeadClaim => ({
    ...{ incarnation: 1n, seq, chainHash: provider.random(32), signature: provider.random(64) },
  })

  it("accuses the member where the service has not signed it; the others talk on", async () => {
    const { world, alice, bob, team, says } = await withMallory()
    await using _ = world
    for (const n of [1, 2, 3]) await says(made(3n), `lie ${n}`)
    await team.send("are you there?")
    await settle(alice, bob)
    for (const member of [alice, bob]) {
      const told = await contradictions(member)
      assert.deepEqual(
        told.map(({ by, accused, evidence }) => [by, accused, evidence.length]),
        [["mallory", "member", 0]],
      )
    }
    assert.deepEqual((await texts(bob)).slice(-1), ["are you there?"])
    await only(bob).send("yes")
  })

  it("is a contradiction where it is of an entry that comes later, the member's own included", async () => {
    const { world, alice, says, entries } = await withMallory()
    await using _ = world
    const own = BigInt((await entries()).length) + 1n
    await says(made(own), "I have read what I am writing")
    await alice.sync()
    assert.deepEqual(
      (await contradictions(alice)).map(({ by }) => by),
      ["mallory"],
    )
  })

  it("is passed over where it is of another incarnation, or of what is kept no longer", async () => {
    const { world, alice, bob, team, says } = await withMallory()
    await using _ = world
    for (let n = 0; n < 340; n++) await team.send(`${n}`)
    await says(made(20n), "long ago")
    await says({ ...made(330n), incarnation: 0n }, "before the backup")
    await says({ ...made(330n), incarnation: 9n }, "after a backup that nobody signed for")
    await settle(alice, bob)
    for (const client of [alice, bob]) assert.equal(chainOf(client).hashAt(20n), undefined)
    assert.deepEqual([await contradictions(alice), await contradictions(bob)], [[], []])
    await says(made(330n), "a lie")
    await alice.sync()
    assert.equal((await contradictions(alice)).length, 1)
  })

  it("is compared with an older hash, too, where one is kept of that entry", async () => {
    const { world, alice, bob, team, says } = await withMallory()
    await using _ = world
    for (let n = 0; n < 340; n++) await team.send(`${n}`)
    await settle(alice, bob)
    const older = chainOf(bob).known.find((seq) => seq > 0n && seq < 60n)
    assert.ok(older !== undefined)
    await says(made(older), "long ago")
    await bob.sync()
    const told = (await contradictions(bob)).map(({ by, accused, evidence }) => [by, accused, evidence.length])
    assert.deepEqual(told, [["mallory", "member", 0]])
  })

  it("is read in commits and requests to leave alike", async () => {
    const { world, alice, bob, mallory, group, id } = await withMallory()
    await using _ = world
    const { message } = group.propose(
      { type: "remove", leafIndex: group.ownLeafIndex },
      { authenticatedData: encodeHandshakeData(new Uint8Array(), made(1n)) },
    )
    await mallory.append(id, { kind: "proposal", epoch: group.epoch, body: message })
    await settle(alice)
    assert.deepEqual(
      (await contradictions(alice)).map(({ by, accused }) => [by, accused]),
      [["mallory", "member"]],
    )
    await settle(bob)
    assert.ok(!only(bob).members.includes("mallory"), "and the request is carried out")
  })

  it("is nothing where its bytes are no head", async () => {
    const { world, alice, bob, group, mallory, id } = await withMallory()
    await using _ = world
    const body = { type: "text", text: "of a later version" } as const
    const payload = encodePayload({ version: 1, messageId: provider.random(16), sentAt: 0n, body })
    const later = encode(Envelope, { version: 3, head: undefined, payload })
    for (const plaintext of [new Uint8Array(), Uint8Array.of(2), Uint8Array.of(2, 1, 0), later]) {
      await mallory.append(id, { kind: "application", epoch: group.epoch, body: group.encrypt(plaintext) })
    }
    await settle(alice, bob)
    const told = await taken(alice)
    assert.deepEqual(
      told.map((it) => it.type === "rejected" && [it.code, it.count]),
      [["UNREADABLE", 4]],
    )
    await only(bob).send("we go on")
  })
})

describe("a newcomer", () => {
  it("checks that the log leads from what the inviter had read to its own place", async () => {
    const { world, bob, team, leadAway } = await pair()
    await using _ = world
    const branch = leadAway()
    await only(bob).send("only for Bob")
    await team.send("only for Alice")
    let isLed = false
    // Her inbox is the true one, where the Welcome comes; the logs are the others.
    const carol = await world.open("carol", {
      delivery: {
        request: (body, options) => {
          const { type } = deliveryRequests.decode(body)
          const isOfLog = type === "read" || type === "head"
          return (isOfLog && isLed ? branch : world.branch).transport.request(body, options)
        },
        subscribe: () => assert.fail("nobody is live"),
        [Symbol.asyncDispose]: async () => {},
      },
    })
    // She knows by what key the service signs.
    await (await carol.createConversation({})).send("hello, me")
    await taken(carol)
    isLed = true
    await team.invite("carol")
    const { length } = await world.branch.entries(team)
    await relay(world, branch, team, { after: BigInt(length) - 1n })
    await settle(carol)
    const events = await taken(carol)
    const rejected = events.flatMap((it) => (it.type === "rejected" ? [it.code] : []))
    assert.deepEqual(rejected, ["FALSE_HEAD"])
    const told = events.find((it): it is Contradicted => it.type === "contradicted")
    assert.equal(verifyEvidence(told!.evidence, provider).seq, BigInt(length) - 1n)
    // What she is shown is all that there is for her: she goes on with it.
    assert.equal(carol.conversations.get(team.id)?.status, "active")
    await only(bob).send("hello, Carol")
  })

  it("begins at its own commit where the inviter claims to have read what comes after it", async () => {
    await using world = new World({ inMemory: true })
    const carol = await world.open("carol")
    const mallory = new Mallory(world)
    await mallory.register()
    const groupId = provider.random(32)
    const group = Group.create({ ...mallory.options, groupId })
    mallory.keys = intervalIn(group)
    const { accessKey } = mallory.keys
    const creation = { type: "createGroup", groupId, idempotencyId: provider.random(16), accessKey } as const
    expected(await mallory.ask(creation), "done")
    const { deviceId, keyPackage } = await mallory.claim("carol")
    const head: HeadClaim = { incarnation: 1n, seq: 2n, chainHash: provider.random(32), signature: new Uint8Array(64) }
    const welcomeExtensions: WelcomeExtensions = (_, commit) => [
      newcomerExtension(mallory.keys!, head),
      entranceOf(commit),
    ]
    const outgoing = group.commit({ add: [keyPackage], welcomeExtensions })
    const commit = { welcome: outgoing.welcome!, recipients: [{ deviceId }], begins: undefined, answers: undefined }
    expected(await mallory.append(groupId, { kind: "commit", epoch: 0n, body: outgoing.message, commit }), "accepted")
    group.apply(outgoing, dangerouslyAcceptAll(outgoing.claims))
    const say = async (text: string) => {
      const body = { type: "text", text } as const
      const payload = encodePayload({ version: 1, messageId: provider.random(16), sentAt: 0n, body })
      const message = group.encrypt(encodeEnvelope(payload, undefined))
      expected(await mallory.append(groupId, { kind: "application", epoch: 1n, body: message }), "accepted")
    }
    await say("one")
    await say("two")
    await settle(carol)
    assert.deepEqual(await texts(carol), ["one", "two"])
  })

  it("follows from there, and knows nothing of what was said before", async () => {
    await using world = new World()
    const [alice, bob] = [await world.open("alice"), await world.open("bob")]
    const team = await alice.createConversation({})
    await team.send("before Bob")
    await team.send("before Bob, too")
    await team.invite("bob")
    await team.send("welcome")
    await settle(alice, bob)
    assert.deepEqual(await texts(bob), ["welcome"])
    assert.deepEqual(
      (await taken(bob)).map(({ type }) => type),
      ["joined", "message"],
    )
    assert.deepEqual(only(bob).epochAuthenticator, team.epochAuthenticator)
  })
})

it("a handshake without a head, or of another form, claims nothing", () => {
  const head = { incarnation: 1n, seq: 3n, chainHash: provider.random(32), signature: provider.random(64) }
  const unique = provider.random(16)
  assert.deepEqual(headInHandshake(encodeHandshakeData(unique, head)), head)
  assert.equal(headInHandshake(encodeHandshakeData(unique, undefined)), undefined)
  assert.equal(headInHandshake(encode(HandshakeData, { version: 2, unique, head })), undefined)
  assert.equal(headInHandshake(encodeHandshakeData(unique, head).subarray(0, -1)), undefined)
  assert.equal(headInHandshake(new Uint8Array()), undefined)
})

it("payloads without a head are read as before", () => {
  const body = { type: "text", text: "hello" } as const
  const payload = encodePayload({ version: 1, messageId: new Uint8Array(16), sentAt: 0n, body })
  assert.deepEqual(decodePayload(payload).body, body)
})
