import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { Group, proposeOwnAdd } from "@conclave/mls"
import type { Transport } from "@conclave/transport"
import { fromHex } from "../src/bytes.js"
import { encodePayload, type Payload } from "../src/conversation/payload.js"
import type { Client, ClientEvent, Conversation } from "../src/index.js"
import { expected, Mallory, noise } from "./support/mallory.js"
import { answered } from "./support/tampered.js"
import { provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const idOf = (conversation: Conversation) => fromHex(conversation.id)
const types = (events: readonly ClientEvent[]) => events.map(({ type }) => type)
const none = new Uint8Array()

interface TeamOptions {
  readonly names?: readonly string[]
  readonly delivery?: (world: World, name: string) => Transport
}

/** Alice, Bob and a conversation of theirs, all told. */
async function team(options: TeamOptions = {}) {
  const world = new World({ inMemory: true })
  const delivery = options.delivery ?? (() => world.transport("delivery"))
  const names = ["alice", "bob", ...(options.names ?? [])]
  const [alice, ...others] = await Promise.all(
    names.map((name) => world.open(name, { delivery: delivery(world, name) })),
  )
  const clients = [alice!, ...others]
  const conversation = await alice!.createConversation({ members: others.map(({ name }) => name) })
  await conversation.send("hello")
  await settle(...clients)
  for (const client of clients) await taken(client)
  return { world, clients, alice: alice!, bob: others[0]!, others, conversation, groupId: idOf(conversation) }
}

/** Everybody goes on, and they can still talk: nobody is in another place than before. */
async function assertUndisturbed(clients: readonly Client[], members: readonly string[]): Promise<void> {
  const [first, ...others] = clients
  await only(first!).send("we go on")
  await settle(...clients)
  for (const client of clients) {
    assert.equal(only(client).status, "active")
    assert.deepEqual(only(client).members, members)
    assert.deepEqual(only(client).epochAuthenticator, only(first!).epochAuthenticator)
  }
  for (const client of others) assert.equal((await only(client).history()).at(-1)?.text, "we go on")
}

describe("a stranger who knows a conversation's id", () => {
  it("does not enter by an external commit", async () => {
    const { world, clients, groupId } = await team()
    await using _ = world
    const mallory = new Mallory(world)
    assert.equal(await mallory.register(), "registered")
    await mallory.enter(groupId)
    await assertUndisturbed(clients, ["alice", "bob"])
    for (const client of clients) {
      const [told] = await taken(client)
      assert.ok(told?.type === "rejected")
      assert.match(told.reason, /passed over: .*profile-external-commit/)
    }
  })

  it("does not replace a member, whose name and place she takes, with a key of her own", async () => {
    const { world, clients, groupId } = await team()
    await using _ = world
    await new Mallory(world, "bob").enter(groupId, { replaceSelf: true })
    await assertUndisturbed(clients, ["alice", "bob"])
  })

  it("does not move anybody into a group of her own by what she leaves to rejoin by", async () => {
    const { world, clients, groupId, conversation } = await team()
    await using _ = world
    const mallory = new Mallory(world)
    await mallory.register()
    const own = Group.create({ ...mallory.options, groupId })
    for (let epoch = 0n; epoch <= conversation.epoch; epoch++) own.apply(own.commit(), [])
    const groupInfo = own.groupInfo({ withRatchetTree: false, withExternalPub: true })
    const commit = { welcome: none, recipients: [], ratchetTree: own.ratchetTree(), groupInfo }
    const { epoch } = conversation
    expected(await mallory.append(groupId, { kind: "commit", epoch, body: noise(groupId, epoch), commit }), "accepted")
    await assertUndisturbed(clients, ["alice", "bob"])
  })

  it("does not stop it by a commit that nobody can read, or by any number of them", async () => {
    const { world, clients, groupId } = await team()
    await using _ = world
    const mallory = new Mallory(world)
    const own = Group.create({ ...mallory.options, groupId })
    own.apply(own.commit(), [])
    const commit = { welcome: none, recipients: [], ratchetTree: undefined, groupInfo: own.groupInfo() }
    for (let i = 0; i < 5; i++) {
      expected(
        await mallory.append(groupId, { kind: "commit", epoch: 0n, body: noise(groupId, 0n), commit }),
        "accepted",
      )
    }
    await assertUndisturbed(clients, ["alice", "bob"])
    await only(clients[1]!).refresh()
    await assertUndisturbed(clients, ["alice", "bob"])
  })

  it("is not let in by proposing herself, known or unknown, and nobody is held up by it", async () => {
    const { world, clients, groupId, conversation } = await team()
    await using _ = world
    const [known, unknown] = [new Mallory(world), new Mallory(world, "nobody-knows-me")]
    await known.register()
    for (const mallory of [known, unknown]) {
      const place = { groupId, epoch: conversation.epoch }
      const body = proposeOwnAdd(place, { keyPackage: mallory.keyPackage() }, mallory.signer.key)
      expected(await mallory.append(groupId, { kind: "proposal", epoch: place.epoch, body }), "accepted")
    }
    await assertUndisturbed(clients, ["alice", "bob"])
  })

  it("cannot make believe that there is a later epoch", async () => {
    const asked: Record<string, number> = {}
    const delivery = (world: World, name: string) =>
      answered(world.transport("delivery"), (request, answer) => {
        if (request.type === "groupInfo") asked[name] = (asked[name] ?? 0) + 1
        return answer
      })
    const { world, clients, groupId, conversation } = await team({ delivery })
    await using _ = world
    const mallory = new Mallory(world)
    const own = Group.create({ ...mallory.options, groupId })
    for (let epoch = 0n; epoch < conversation.epoch + 5n; epoch++) own.apply(own.commit(), [])
    const claim = async () => {
      const body = own.encrypt(new TextEncoder().encode("from the future"))
      expected(await mallory.append(groupId, { kind: "application", epoch: own.epoch, body }), "accepted")
    }
    for (let i = 0; i < 3; i++) await claim()
    await assertUndisturbed(clients, ["alice", "bob"])
    assert.deepEqual(asked, { alice: 1, bob: 1 })
    await claim()
    await settle(...clients)
    assert.deepEqual(asked, { alice: 1, bob: 1 }, "now and then")
    world.now += 60_000
    await settle(...clients)
    world.now += 3_600_000
    await settle(...clients)
    assert.deepEqual(asked, { alice: 2, bob: 2 }, "while there is a reason")
    for (const client of clients) assert.ok(!types(await taken(client)).includes("rejected"))
  })
})

describe("a Welcome that a stranger sends with the commit of another log", () => {
  it("does not put a group of the same id in the place of a conversation", async () => {
    const { world, clients, bob, groupId } = await team()
    await using _ = world
    const mallory = new Mallory(world)
    await mallory.register()
    await sendWelcome(mallory, bob, { groupId, leadsTo: groupId })
    await assertUndisturbed(clients, ["alice", "bob"])
    const reasons = (await taken(bob)).flatMap((it) => (it.type === "rejected" ? [it.reason] : []))
    assert.ok(reasons.some((it) => /this device is a member already/.test(it)))
  })

  it("does not lead into a group with another id than the log's", async () => {
    const { world, alice, bob } = await team()
    await using _ = world
    const mallory = new Mallory(world)
    await mallory.register()
    const groupId = idOf(await alice.createConversation({ title: "without Bob" }))
    await sendWelcome(mallory, bob, { groupId, leadsTo: provider.random(32) })
    await bob.sync()
    const [told] = await taken(bob)
    assert.ok(told?.type === "rejected")
    assert.match(told.reason, /the Welcome leads to another group/)
    assert.equal(bob.conversations.size, 1)
    // As it should be, it is an invitation like any other.
    await sendWelcome(mallory, bob, { groupId, leadsTo: groupId })
    await bob.sync()
    assert.equal(bob.conversations.size, 2)
  })
})

describe("a member without the SDK", () => {
  it("cannot have others carry out a removal of a third member", async () => {
    const { world, clients, others } = await team({ names: ["mallory"] })
    await using _ = world
    const { mallory, group } = await Mallory.inside(world, others[1]!)
    const bob = group.members.find((it) => it.leafIndex === 1)!
    await mallory.propose(group, { type: "remove", leafIndex: bob.leafIndex })
    await assertUndisturbed(clients.slice(0, 2), ["alice", "bob", "mallory"])
    const [told] = await taken(clients[0]!)
    assert.ok(told?.type === "rejected")
    assert.match(told.reason, /^proposal \d+, by mallory, was passed over: .*profile-proposal/)
  })

  it("cannot end the group by a ReInit, or change it in ways that conversations do not have", async () => {
    const { world, clients, others } = await team({ names: ["mallory"] })
    await using _ = world
    const { mallory, group } = await Mallory.inside(world, others[1]!)
    await mallory.propose(group, { type: "reInit", groupId: provider.random(32), cipherSuite: 1, extensions: [] })
    await mallory.propose(group, { type: "extensions", extensions: [] })
    await assertUndisturbed(clients.slice(0, 2), ["alice", "bob", "mallory"])
  })

  for (const [name, key] of [
    ["support-team", "another key"],
    ["support-team", "her own key"],
    ["mallory", "another key"],
  ] as const) {
    it(`cannot turn her leaf into another: to the name ${name}, with ${key}`, async () => {
      const { world, clients, others } = await team({ names: ["mallory"] })
      await using _ = world
      const { mallory, group } = await Mallory.inside(world, others[1]!)
      const other = key === "her own key" ? new Mallory(world, name, mallory.signer.key) : new Mallory(world, name)
      await other.register()
      await mallory.commit(group, { signer: other.signer })
      await assertUndisturbed(clients.slice(0, 2), ["alice", "bob", "mallory"])
    })
  }

  it("cannot drive others out by messages that cost them too many keys", async () => {
    const { world, clients, others } = await team({ names: ["mallory"] })
    await using _ = world
    const { mallory, group } = await Mallory.inside(world, others[1]!)
    const { id, epoch } = group
    for (let round = 0; round < 2; round++) {
      for (let skipped = 0; skipped < 900; skipped++) group.encrypt(none)
      expected(await mallory.append(id, { kind: "application", epoch, body: group.encrypt(none) }), "accepted")
    }
    await assertUndisturbed(clients.slice(0, 2), ["alice", "bob", "mallory"])
    for (const client of clients.slice(0, 2)) {
      const told = await taken(client)
      assert.ok(told.some((it) => it.type === "rejected" && it.code === "GENERATION_SPENT"))
      assert.ok(!types(told).some((type) => type === "recovered" || type === "members"))
    }
  })

  it("cannot put off her own departure and that of others by asking to leave again and again", async () => {
    const { world, clients, bob, others } = await team({ names: ["mallory", "carol"] })
    await using _ = world
    const { mallory, group } = await Mallory.inside(world, others[1]!)
    await settle(...clients)
    await only(others[2]!).leave()
    for (let n = 0; n < 4; n++, world.now += 1_000) {
      // Otherwise it is the same proposal, which is passed over.
      const authenticatedData = Uint8Array.of(n)
      const body = group.propose({ type: "remove", leafIndex: group.ownLeafIndex }, { authenticatedData }).message
      expected(await mallory.append(group.id, { kind: "proposal", epoch: group.epoch, body }), "accepted")
      await bob.sync()
    }
    // Alice, whose turn it was, is not there; Bob's is three seconds after Mallory has asked first.
    await bob.sync()
    assert.deepEqual(only(bob).members, ["alice", "bob"])
  })

  it("cannot stop it by adding somebody whose name is none", async () => {
    const { world, clients, others } = await team({ names: ["mallory"] })
    await using _ = world
    const { mallory, group } = await Mallory.inside(world, others[1]!)
    await mallory.commit(group, { add: [new Mallory(world, "No\nName").keyPackage()] })
    await assertUndisturbed(clients.slice(0, 2), ["alice", "bob", "mallory"])
  })
})

describe("a member who asks to leave again and again", () => {
  it("is let go once, and nobody hears of it more than once", async () => {
    const { world, clients, alice, others } = await team({ names: ["mallory"] })
    await using _ = world
    const { mallory, group } = await Mallory.inside(world, others[1]!)
    const { epoch, ownLeafIndex: leafIndex } = group
    for (let i = 0; i < 20; i++) {
      const authenticatedData = new TextEncoder().encode("conclave declined")
      const body = group.propose({ type: "remove", leafIndex }, { authenticatedData }).message
      expected(await mallory.append(group.id, { kind: "proposal", epoch, body }), "accepted")
    }
    await settle(...clients.slice(0, 2))
    world.now += 60_000
    await settle(...clients.slice(0, 2))
    assert.deepEqual(types(await taken(alice)), ["declined", "members"])
    assert.deepEqual(only(alice).members, ["alice", "bob"])
  })
})

describe("a member who was removed", () => {
  it("neither speaks nor renames the conversation any more, though the service takes messages of the epoch before", async () => {
    const { world, clients, alice, bob, others, conversation, groupId } = await team({ names: ["mallory"] })
    await using _ = world
    const { mallory, group } = await Mallory.inside(world, others[1]!)
    const { headSeq, lastCommitSeq: after } = expected(await mallory.ask({ type: "head", groupId }), "head")
    const say = async (body: Payload["body"]) => {
      const plaintext = encodePayload({ version: 1, messageId: provider.random(16), sentAt: 0n, body })
      const append = { kind: "application", epoch: group.epoch, body: group.encrypt(plaintext), after } as const
      return expected(await mallory.append(groupId, append), "accepted")
    }
    await say({ type: "text", text: "before" })
    await conversation.remove("mallory")
    assert.ok((await say({ type: "text", text: "after" })).seq > headSeq + 1n)
    await say({ type: "title", title: "renamed" })
    await assertUndisturbed(clients.slice(0, 2), ["alice", "bob"])
    for (const client of [alice, bob]) {
      assert.equal(only(client).title, "")
      const texts = (await only(client).history()).map(({ text }) => text)
      assert.deepEqual(texts, ["hello", "before", "we go on"])
      assert.ok(!types(await taken(client)).includes("title"))
    }
  })
})

describe("a message that was sent before a device came", () => {
  it("is not for it to read, and no event", async () => {
    const { world, alice, others } = await team({ names: ["mallory"] })
    await using _ = world
    const { mallory, group } = await Mallory.inside(world, others[1]!)
    // What is damaged on the way is no event, either.
    const delivery = answered(world.transport("delivery"), (request, answer) => {
      if (request.type !== "read" || answer.type !== "entries") return answer
      return { ...answer, entries: answer.entries.map((it) => ({ ...it, body: it.body.subarray(1) })) }
    })
    const carol = await world.open("carol", { delivery })
    await only(alice).invite("carol")
    const { id, epoch } = group
    const body = group.encrypt(new TextEncoder().encode("not for Carol"))
    expected(await mallory.append(id, { kind: "application", epoch, body }), "accepted")
    await settle(carol)
    assert.deepEqual(types(await taken(carol)), ["joined"])
  })
})

describe("who is told to have done it", () => {
  it("is the member who removed, the one who left, and the device that came back", async () => {
    const { world, clients, alice, bob, others } = await team({ names: ["carol", "dave"] })
    await using _ = world
    const carol = others[1]!
    await only(carol).leave()
    await settle(...clients)
    const [left] = await taken(bob)
    assert.ok(left?.type === "members")
    assert.deepEqual([left.left, left.removed, left.added], [["carol"], [], []])
    const own = (await taken(carol)).find(({ type }) => type === "left")
    assert.ok(own?.type === "left" && own.by === "carol")
    await only(bob).remove("dave")
    await settle(...clients)
    const removed = (await taken(alice)).at(-1)
    assert.ok(removed?.type === "members")
    assert.deepEqual([removed.by, removed.left, removed.removed], ["bob", [], ["dave"]])
    const gone = (await taken(others[2]!)).find(({ type }) => type === "left")
    assert.ok(gone?.type === "left" && gone.by === "bob")
  })
})

describe("a commit of this device that the service refuses", () => {
  for (const refusal of ["forbidden", "invalid"] as const) {
    it(`(${refusal}) is no reason for a loop: it is told once`, async () => {
      await using world = new World({ inMemory: true })
      let requests = 0
      let refusing = false
      const delivery = answered(
        world.transport("delivery"),
        (request, answer) => {
          if (!refusing || request.type !== "append" || request.kind !== "commit") return answer
          requests++
          return { type: refusal, reason: "because" }
        },
        () => refusing,
      )
      const [alice, bob] = [await world.open("alice", { delivery }), await world.open("bob")]
      const conversation = await alice.createConversation({ members: ["bob"] })
      await settle(alice, bob)
      await taken(alice)
      refusing = true
      // Alice has to let Bob go before she says anything.
      await only(bob).leave()
      conversation.send("hello?").catch(() => {})
      for (let round = 0; round < 5; round++) await alice.sync()
      assert.ok(requests <= 6, `${requests} requests`)
      const told = (await taken(alice)).filter(({ type }) => type === "deferred" || type === "rejected")
      assert.deepEqual(types(told), ["deferred"])
      // What she says is not held up by it.
      assert.deepEqual(conversation.pending, [])
    })
  }
})

/** Adds the device to a new group of the stranger's, and has the Welcome delivered with a commit in the log of `groupId`. */
async function sendWelcome(
  mallory: Mallory,
  client: Client,
  { groupId, leadsTo }: { readonly groupId: Uint8Array; readonly leadsTo: Uint8Array },
): Promise<void> {
  const [signatureKey] = await client.pinnedKeys(client.name)
  const deviceId = mallory.deviceIdOf(signatureKey!)
  const claimed = expected(await mallory.ask({ type: "claimKeyPackage", deviceId, cipherSuite: 1 }), "keyPackage")
  const group = Group.create({ ...mallory.options, groupId: leadsTo })
  const { welcome } = group.commit({ add: [claimed.keyPackage], welcomeWithTree: true })
  const own = Group.create({ ...mallory.options, groupId })
  own.apply(own.commit(), [])
  const parts = { welcome: welcome!, recipients: [{ deviceId }], ratchetTree: undefined, groupInfo: own.groupInfo() }
  const body = noise(groupId, 0n)
  expected(await mallory.append(groupId, { kind: "commit", epoch: 0n, body, commit: parts }), "accepted")
}
