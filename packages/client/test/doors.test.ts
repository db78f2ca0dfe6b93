import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { noAccess } from "@conclave/contracts/access"
import { Group, proposeOwnAdd } from "@conclave/mls"
import { newcomerExtension } from "../src/access/newcomer.js"
import { intervalIn, intervalOf } from "../src/conversation/epoch-interval.js"
import { encodePayload, type Payload } from "../src/conversation/payload.js"
import type { Client, ClientEvent } from "../src/index.js"
import { entranceOf, expected, Mallory, noise, type WelcomeExtensions } from "./support/mallory.js"
import { answered } from "./support/tampered.js"
import { assertUndisturbed, only, team } from "./support/team.js"
import { provider, settle, taken, World } from "./support/world.js"

const types = (events: readonly ClientEvent[]) => events.map(({ type }) => type)
const none = new Uint8Array()

describe("a stranger who knows a conversation's id", () => {
  it("can do nothing with it at the service: not ask how far its log goes, read, knock, or append", async () => {
    const { world, clients, groupId } = await team()
    await using _ = world
    const mallory = new Mallory(world)
    await mallory.register()
    const own = Group.create({ ...mallory.options, groupId })
    const keys = intervalIn(own)
    const epoch = 0n
    const body = own.encrypt(none)
    const proposal = own.propose({ type: "remove", leafIndex: own.ownLeafIndex }).message
    for (const prover of [undefined, keys]) {
      const append = { epoch, after: 1n }
      const commit = { welcome: none, recipients: [], begins: undefined, answers: undefined }
      const asked = {
        head: mallory.askAs(prover, { type: "head", groupId, access: noAccess }),
        read: mallory.askAs(prover, { type: "read", groupId, afterSeq: 0n, limit: 9, access: noAccess }),
        knocks: mallory.askAs(prover, { type: "knocks", groupId, access: noAccess }),
        message: mallory.append(groupId, { ...append, kind: "application", body }, prover),
        proposal: mallory.append(groupId, { ...append, kind: "proposal", body: proposal }, prover),
        commit: mallory.append(groupId, { ...append, kind: "commit", body: noise(groupId, epoch), commit }, prover),
      }
      for (const [what, answer] of Object.entries(asked)) assert.equal((await answer).type, "denied", what)
    }
    await assertUndisturbed(clients, ["alice", "bob"])
    for (const client of clients) assert.ok(!types(await taken(client)).includes("rejected"))
  })
})

describe("a Welcome that comes with the commit of another log, or of one's own", () => {
  it("does not put a group of the same id in the place of a conversation", async () => {
    const { world, clients, bob, groupId, others } = await team({ names: ["mallory"] })
    await using _ = world
    const { mallory } = await Mallory.inside(world, others[1]!)
    await sendWelcome(mallory, bob, { groupId, leadsTo: groupId })
    await assertUndisturbed(clients.slice(0, 2), ["alice", "bob", "mallory"])
    const reasons = (await taken(bob)).flatMap((it) => (it.type === "rejected" ? [it.reason] : []))
    assert.ok(reasons.some((it) => /this device is a member already/.test(it)))
  })

  it("does not lead into a group with another id than the log's", async () => {
    const { world, alice, bob } = await team()
    await using _ = world
    const mallory = new Mallory(world)
    await mallory.register()
    assert.ok(alice.name)
    const groupId = provider.random(32)
    mallory.keys = intervalIn(Group.create({ ...mallory.options, groupId }))
    const { accessKey } = mallory.keys
    const creation = { type: "createGroup", groupId, idempotencyId: provider.random(16), accessKey } as const
    expected(await mallory.ask(creation), "done")
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
  it("cannot let somebody in by an external commit, nor another device into her own place", async () => {
    for (const who of ["somebody", "herself"]) {
      const { world, clients, others } = await team({ names: ["mallory"] })
      await using _ = world
      const { mallory, group } = await Mallory.inside(world, others[1]!)
      const outside = who === "somebody" ? new Mallory(world, "eve") : mallory
      await outside.register()
      await outside.enter(group, mallory.keys!, { replaceSelf: who === "herself" })
      await assertUndisturbed(clients.slice(0, 2), ["alice", "bob", "mallory"])
      for (const client of clients.slice(0, 2)) {
        const [told] = await taken(client)
        assert.ok(told?.type === "rejected")
        assert.match(told.reason, /passed over: .*profile-external-commit/)
      }
    }
  })

  it("does not stop it by a commit that nobody can read, or by any number of them", async () => {
    const { world, clients, groupId, others } = await team({ names: ["mallory"] })
    await using _ = world
    const { mallory } = await Mallory.inside(world, others[1]!)
    const commit = { welcome: none, recipients: [], begins: undefined, answers: undefined }
    for (let i = 0; i < 5; i++) {
      const append = { kind: "commit", epoch: 0n, body: noise(groupId, 0n), commit } as const
      expected(await mallory.append(groupId, append), "accepted")
    }
    await assertUndisturbed(clients.slice(0, 2), ["alice", "bob", "mallory"])
    await only(clients[1]!).refresh()
    await assertUndisturbed(clients.slice(0, 2), ["alice", "bob", "mallory"])
  })

  it("stops it by a commit that says of its own key what is not so, and all say the same reason", async () => {
    const lies = {
      "it says that it removes somebody": { changes: () => ({}), removes: true },
      "it registers a key of an interval, and begins none": {
        changes: (eve: Mallory) => ({ add: [eve.keyPackage()], path: false }),
        removes: false,
      },
    }
    for (const [reason, { changes, removes }] of Object.entries(lies)) {
      const { world, clients, groupId, others } = await team({ names: ["mallory"] })
      await using _ = world
      const { mallory, group } = await Mallory.inside(world, others[1]!)
      const made = group.commit(changes(new Mallory(world, "eve")))
      const { accessKey } = intervalOf(group.suite, groupId, ({ label, context, length }) =>
        group.exportSecretAfter(made, label, context, length),
      )
      const commit = { welcome: none, recipients: [], begins: { accessKey, removes }, answers: undefined }
      const append = { kind: "commit", epoch: made.epoch - 1n, body: made.message, commit } as const
      expected(await mallory.append(groupId, append), "accepted")
      const honest = clients.slice(0, 2)
      await settle(...honest)
      for (const client of honest) {
        const [told] = await taken(client)
        assert.ok(told?.type === "stopped" && told.by === "mallory", `${client.name}: ${told?.type}`)
        assert.ok(told.reason.endsWith(reason), told.reason)
      }
    }
  })

  it("does not let anybody in by forwarding their own proposal, known or unknown, and nobody is held up by it", async () => {
    const { world, clients, groupId, conversation, others } = await team({ names: ["mallory"] })
    await using _ = world
    const { mallory: inside } = await Mallory.inside(world, others[1]!)
    const [known, unknown] = [new Mallory(world, "eve"), new Mallory(world, "nobody-knows-me")]
    await known.register()
    for (const mallory of [known, unknown]) {
      const place = { groupId, epoch: conversation.epoch }
      const body = proposeOwnAdd(place, { keyPackage: mallory.keyPackage() }, mallory.signer.key)
      const append = { kind: "proposal", epoch: place.epoch, body } as const
      expected(await mallory.append(groupId, append, inside.keys), "accepted")
    }
    await assertUndisturbed(clients.slice(0, 2), ["alice", "bob", "mallory"])
  })

  it("cannot make believe that there is a later epoch", async () => {
    const { world, clients, groupId, conversation, others } = await team({ names: ["mallory"] })
    await using _ = world
    const { mallory } = await Mallory.inside(world, others[1]!)
    const own = Group.create({ ...mallory.options, groupId })
    for (let epoch = 0n; epoch < conversation.epoch + 5n; epoch++) own.apply(own.commit(), [])
    const body = own.encrypt(new TextEncoder().encode("from the future"))
    expected(await mallory.append(groupId, { kind: "application", epoch: own.epoch, body }), "accepted")
    await assertUndisturbed(clients.slice(0, 2), ["alice", "bob", "mallory"])
    const reasons = (await taken(clients[0]!)).flatMap((it) => (it.type === "rejected" ? [it.code] : []))
    assert.deepEqual(reasons, ["WRONG_EPOCH"])
  })

  it("stops it by registering a key that no other member can know, and that is said at once, with her name", async () => {
    for (const kind of ["another key", "no path", "a removal of nobody", "garbage", "an epoch that is over"] as const) {
      const { world, clients, others, conversation } = await team({ names: ["mallory"] })
      await using _ = world
      const { mallory, group } = await Mallory.inside(world, others[1]!)
      const { accessKey } = intervalIn(Group.create({ ...mallory.options, groupId: provider.random(32) }))
      const removes = kind === "a removal of nobody"
      const isNameless = kind === "garbage" || kind === "an epoch that is over"
      const eve = new Mallory(world, "eve")
      const changes = kind === "no path" ? { path: false, add: [eve.keyPackage()] } : {}
      if (kind === "garbage") {
        const parts = { welcome: none, recipients: [], begins: { accessKey, removes }, answers: undefined }
        const body = noise(group.id, group.epoch)
        expected(
          await mallory.append(group.id, { kind: "commit", epoch: group.epoch, body, commit: parts }),
          "accepted",
        )
      } else if (kind === "an epoch that is over") {
        await conversation.refresh()
        const { epoch } = group
        const body = group.commit().message
        const parts = { welcome: none, recipients: [], begins: { accessKey, removes }, answers: undefined }
        await others[1]!.sync()
        const { mallory: later } = await Mallory.inside(world, others[1]!)
        expected(await later.append(group.id, { kind: "commit", epoch, body, commit: parts }), "accepted")
      } else await mallory.commit(group, changes, { begins: { accessKey, removes } })
      const waiting = conversation.send("does anybody hear me?")
      await settle(...clients.slice(0, 2))
      for (const client of clients.slice(0, 2)) {
        assert.equal(only(client).status, "stopped")
        const told = (await taken(client)).find(({ type }) => type === "stopped")
        assert.ok(told?.type === "stopped" && told.by === (isNameless ? "" : "mallory"), kind)
      }
      await assert.rejects(conversation.send("hello?"), { code: "LOST" })
      assert.equal(conversation.pending.length, 1)
      waiting.catch(() => {})
    }
  })

  it("cannot begin an interval without its key: that is passed over by all alike", async () => {
    const { world, clients, others } = await team({ names: ["mallory"] })
    await using _ = world
    const { mallory, group } = await Mallory.inside(world, others[1]!)
    await mallory.commit(group, {}, { begins: undefined })
    await assertUndisturbed(clients.slice(0, 2), ["alice", "bob", "mallory"])
    const [told] = await taken(clients[0]!)
    assert.ok(told?.type === "rejected")
    assert.match(told.reason, /^commit \d+, by mallory, was passed over: it renews keys, and registers no key/)
  })

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
      await mallory.commit(group, { signer: other.signer }, { begins: undefined })
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
    const add = [new Mallory(world, "No\nName").keyPackage()]
    await mallory.commit(group, { add }, { begins: undefined })
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
  it("neither speaks nor renames the conversation any more, and reads no further than the removal", async () => {
    const { world, clients, alice, bob, others, conversation, groupId } = await team({ names: ["mallory"] })
    await using _ = world
    const { mallory, group } = await Mallory.inside(world, others[1]!)
    const before = await mallory.lastCommit(groupId)
    const say = (body: Payload["body"], after: bigint) => {
      const plaintext = encodePayload({ version: 1, messageId: provider.random(16), sentAt: 0n, body })
      const append = { kind: "application", epoch: group.epoch, body: group.encrypt(plaintext), after } as const
      return mallory.append(groupId, append)
    }
    expected(await say({ type: "text", text: "before" }, before), "accepted")
    await conversation.remove("mallory")
    const { headSeq } = expected(await mallory.askAs(mallory.keys, { type: "head", groupId, access: noAccess }), "head")
    await conversation.send("not for Mallory")
    assert.equal((await say({ type: "text", text: "after" }, before)).type, "stale")
    assert.equal((await say({ type: "title", title: "renamed" }, headSeq)).type, "denied")
    const page = { type: "read", groupId, afterSeq: 0n, limit: 99, access: noAccess } as const
    const { entries } = expected(await mallory.askAs(mallory.keys, page), "entries")
    assert.equal(entries.at(-1)?.seq, headSeq, "she reads up to her removal, and no further")
    assert.equal(entries.at(-1)?.begins?.removes, true)
    await assertUndisturbed(clients.slice(0, 2), ["alice", "bob"])
    for (const client of [alice, bob]) {
      assert.equal(only(client).title, "")
      const texts = (await only(client).history()).map(({ text }) => text)
      assert.deepEqual(texts, ["hello", "before", "not for Mallory", "we go on"])
      assert.ok(!types(await taken(client)).includes("title"))
    }
  })
})

describe("a message that was sent before a device came", () => {
  it("is not for it to read, and no event", async () => {
    const { world, alice, others } = await team({ names: ["mallory"] })
    await using _ = world
    const { mallory, group } = await Mallory.inside(world, others[1]!)
    const carol = await world.open("carol")
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

/** Adds the device to a new group of hers, and has the Welcome delivered with a commit in the log of `groupId`. */
async function sendWelcome(
  mallory: Mallory,
  client: Client,
  { groupId, leadsTo }: { readonly groupId: Uint8Array; readonly leadsTo: Uint8Array },
): Promise<void> {
  const [signatureKey] = await client.pinnedKeys(client.name)
  const deviceId = mallory.deviceIdOf(signatureKey!)
  const claimed = expected(await mallory.ask({ type: "claimKeyPackage", deviceId, cipherSuite: 1 }), "keyPackage")
  const group = Group.create({ ...mallory.options, groupId: leadsTo })
  const welcomeExtensions: WelcomeExtensions = (_, commit) => [
    newcomerExtension(mallory.keys!, undefined),
    entranceOf(commit),
  ]
  const { welcome } = group.commit({ add: [claimed.keyPackage], welcomeExtensions })
  const parts = { welcome: welcome!, recipients: [{ deviceId }], begins: undefined, answers: undefined }
  const body = noise(groupId, 0n)
  expected(await mallory.append(groupId, { kind: "commit", epoch: 0n, body, commit: parts }), "accepted")
}
