import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode } from "@conclave/codec"
import { noAccess } from "@conclave/contracts/access"
import type { DeliveryRequest, DeliveryResponse } from "@conclave/contracts/delivery"
import { SignedKnock } from "@conclave/contracts/knocks"
import { createKeyPackage } from "@conclave/mls"
import { TransportError } from "@conclave/transport"
import { sealAnswers, sealKnock } from "../src/access/knocks.js"
import { newcomerExtension } from "../src/access/newcomer.js"
import { fromHex } from "../src/bytes.js"
import { intervalOf } from "../src/conversation/epoch-interval.js"
import { ConversationHandle } from "../src/device/handle.js"
import type { Client, Conversation } from "../src/index.js"
import { until } from "./support/counting.js"
import { entranceOf, expected, Mallory, type WelcomeExtensions } from "./support/mallory.js"
import { answered } from "./support/tampered.js"
import { assertTogether } from "./support/team.js"
import { provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const idOf = (conversation: Conversation) => fromHex(conversation.id)
const stateOf = (client: Client) => {
  const conversation = only(client)
  assert.ok(conversation instanceof ConversationHandle)
  return conversation.driver
}
const none = new Uint8Array()

type Lie = (request: DeliveryRequest, answer: DeliveryResponse) => DeliveryResponse

/** Alice, Bob and others talk; while `service.lying`, Bob's service shows him a log that he cannot follow. */
async function team(names: readonly string[] = ["carol"], lie: Lie = (_, answer) => answer) {
  const world = new World({ inMemory: true })
  const service = { lying: false, broken: [] as readonly string[], loses: false, lost: 0 }
  const deliveryOf = (name: string) =>
    answered(world.transport("delivery"), (request, answer) => {
      if (service.loses && request.type === "append") {
        service.lost++
        throw new TransportError("the answer is lost", { retryable: true })
      }
      if (service.broken.includes(name) && request.type === "read" && answer.type === "entries") {
        return { type: "belowRetention", groupId: answer.groupId, oldestSeq: 1_000n }
      }
      return service.lying ? lie(request, answer) : answer
    })
  const alice = await world.open("alice")
  const bob = await world.open("bob", { delivery: deliveryOf("bob") })
  const others = await Promise.all(names.map((name) => world.open(name, { delivery: deliveryOf(name) })))
  const clients = [alice, bob, ...others]
  const conversation = await alice.createConversation({ members: clients.slice(1).map(({ name }) => name) })
  await conversation.send("hello")
  await settle(...clients)
  // Everybody has a leaf of their own making.
  for (const client of clients) await only(client).refresh()
  await settle(...clients)
  for (const client of clients) await taken(client)
  const loseTrack = async () => {
    await conversation.send("what Bob cannot follow")
    service.broken = ["bob"]
    await bob.sync()
    service.broken = []
    assert.equal(only(bob).status, "recovering")
  }
  return { world, service, clients, alice, bob, others, conversation, groupId: idOf(conversation), loseTrack }
}

describe("a device that cannot follow", () => {
  it("knocks, is let in by the first member who comes online, sends what waited, and renews its keys", async () => {
    const { world, clients, alice, bob, others, loseTrack } = await team()
    await using _ = world
    await loseTrack()
    const [stuck] = await taken(bob)
    assert.ok(stuck?.type === "stuck" && stuck.canKnock)
    const waiting = only(bob).send("I was away")
    await others[0]!.sync()
    await bob.sync()
    await waiting
    const told = await taken(bob)
    assert.deepEqual(
      told.map(({ type }) => type),
      ["recovered", "sent", "refreshed"],
    )
    assert.ok(told[0]?.type === "recovered" && told[0].by === "carol")
    await settle(...clients)
    const [back] = (await taken(alice)).flatMap((it) => (it.type === "members" ? [it] : []))
    assert.deepEqual([back?.by, back?.rejoined, back?.added, back?.removed], ["carol", ["bob"], [], []])
    await assertTogether(clients)
  })

  it("tells who came and who went meanwhile before it sends anything", async () => {
    const { world, alice, bob, others, conversation, service } = await team(["carol", "dave"])
    await using _ = world
    await world.open("erin")
    await conversation.remove("carol")
    await conversation.invite("erin")
    service.broken = ["bob"]
    await bob.sync()
    service.broken = []
    const sending = only(bob).send("I am back")
    await settle(alice, bob)
    await sending
    const [, recovered, members, sent] = await taken(bob)
    assert.ok(recovered?.type === "recovered" && members?.type === "members" && sent?.type === "sent")
    assert.deepEqual([members.by, members.added, members.removed], ["alice", ["erin"], ["carol"]])
    assert.equal(others.length, 2)
  })

  it("is let in together with others, by one commit", async () => {
    const { world, service, clients, conversation } = await team(["carol", "dave"])
    await using _ = world
    const { epoch } = conversation
    await conversation.send("what nobody can follow")
    service.broken = clients.slice(1).map(({ name }) => name)
    await settle(...clients.slice(1))
    service.broken = []
    await settle(...clients, ...clients)
    const commits = conversation.epoch - epoch
    assert.ok(commits <= 1n + 3n, `${commits} commits: an answer, and a renewal each`)
    await assertTogether(clients)
  })

  it("finds on its way in what the service had taken of it before, and sends it once", async () => {
    const { world, service, clients, alice, bob, conversation } = await team()
    await using _ = world
    service.loses = true
    const sending = only(bob).send("before I was away")
    await until(() => service.lost > 0, "the message")
    service.loses = false
    await conversation.refresh()
    service.broken = ["bob"]
    await bob.sync()
    service.broken = []
    await settle(alice, bob)
    await sending
    await settle(...clients)
    for (const client of clients) {
      const said = (await only(client).history()).map(({ text }) => text)
      assert.deepEqual(said, ["hello", "before I was away"], client.name)
    }
    await assertTogether(clients)
  })

  it("is not led away by an invitation meanwhile: that is put to the person, though others are accepted unasked", async () => {
    const { world, alice, bob, conversation, loseTrack } = await team()
    await using _ = world
    await loseTrack()
    await taken(bob)
    await conversation.remove("bob")
    await conversation.invite("bob")
    await bob.sync()
    const told = await taken(bob)
    assert.ok(told[0]?.type === "invited" && told[0].by === "alice", told[0]?.type)
    assert.equal(only(bob).status, "invited")
    await only(bob).accept()
    await settle(bob, alice)
    await assertTogether([alice, bob])
  })

  it("that crashes while it waits, or on its way in, knocks with the same keys, and is let in", async () => {
    const { world, clients, bob, alice, loseTrack } = await team()
    await using _ = world
    await loseTrack()
    await bob.close()
    await alice.sync()
    const again = await world.open("bob")
    await settle(again, ...clients.filter((it) => it !== bob), again)
    await assertTogether([alice, again])
  })

  it("is not let in twice for one knock, however often it is shown", async () => {
    const { world, clients, alice, bob, conversation, groupId, loseTrack } = await team()
    await using _ = world
    await loseTrack()
    const { mallory } = await Mallory.inside(world, alice)
    const asked = { type: "knocks", groupId, access: noAccess } as const
    const [knock] = expected(await mallory.askAs(mallory.keys, asked), "knocks").knocks
    await settle(alice, bob, ...clients)
    const { epoch } = conversation
    const { driver } = only(alice) as ConversationHandle
    driver.bring({ type: "knocked", knocks: [knock!] })
    world.now += 60_000
    await settle(...clients)
    assert.equal(conversation.epoch, epoch)
    await assertTogether(clients)
  })

  it("is let in again at once after another commit that it cannot follow, and otherwise only after ten minutes", async () => {
    const { world, clients, alice, bob, conversation, loseTrack } = await team()
    await using _ = world
    await loseTrack()
    await settle(alice, bob, alice)
    await loseTrack()
    const { epoch } = conversation
    await settle(alice, bob)
    assert.equal(conversation.epoch, epoch, "not at once")
    assert.equal(only(bob).status, "recovering")
    world.now += 660_000
    await settle(alice, bob, ...clients)
    await assertTogether(clients)
  })
})

describe("a knock that the service does not take", () => {
  const unknown: Lie = (request, answer) =>
    "groupId" in request ? { type: "notFound", groupId: request.groupId } : answer
  const refusing = (of: DeliveryRequest["type"], lie: Lie): Lie => {
    return (request, answer) => (request.type === of ? lie(request, answer) : answer)
  }
  const denied: Lie = (request, answer) =>
    "groupId" in request ? { type: "denied", groupId: request.groupId, reason: "because" } : answer
  const full: Lie = () => ({ type: "quotaExceeded", of: "group" })
  const cases: Readonly<Record<string, readonly [Lie, readonly string[]]>> = {
    "nor says how far its log goes": [refusing("head", unknown), ["stuck", "missing"]],
    "and then says how far its log goes": [refusing("knock", unknown), ["stuck"]],
    "because it is full": [refusing("knock", full), ["stuck", "CANNOT_KNOCK"]],
    "or rather none of its key": [refusing("answer", denied), ["stuck", "missing"]],
  }
  for (const [what, [lie, told]] of Object.entries(cases)) {
    it(`${what} is told of once, and left later`, async () => {
      const { world, service, clients, bob, loseTrack } = await team(["carol"], lie)
      await using _ = world
      service.lying = true
      await loseTrack().catch(() => {})
      for (let round = 0; round < 3; round++) {
        world.now += 60_000
        await bob.sync().catch(() => {})
      }
      const events = await taken(bob)
      assert.deepEqual(
        events.map((it) => (it.type === "rejected" ? it.code : it.type)),
        told,
      )
      assert.ok(events.every((it) => it.type !== "rejected" || it.count === 1))
      service.lying = false
      service.broken = []
      for (let round = 0; round < 3; round++) {
        world.now += 60_000
        await settle(...clients)
      }
      await assertTogether(clients)
    })
  }
})

describe("a knock that is not that of a member who cannot follow", () => {
  /** A knock as Bob would leave it, changed by `change`; members are shown it, and nobody is let in. */
  async function knockingWith(
    change: (parts: Parts, scene: Awaited<ReturnType<typeof team>>) => Promise<Partial<Parts>> | Partial<Parts>,
  ) {
    const scene = await team()
    await using _ = scene.world
    const { world, bob, alice, clients, conversation, groupId } = scene
    const { identity } = stateOf(bob).means
    const { group, intervals, position } = stateOf(bob).state
    const { suite } = identity
    const packageOf = (of: Mallory | undefined) =>
      createKeyPackage({
        suite,
        signer: of?.signer ?? identity.signer,
        lifetime: { notBefore: 0n, notAfter: BigInt(world.now) },
        lastResort: false,
        random: (length) => provider.random(length),
      }).keyPackage
    const parts: Parts = {
      keys: intervals.newest!,
      signer: identity.signer.key,
      content: {
        id: provider.random(16),
        groupId,
        interval: intervals.newest!.accessKey,
        leafNodeHashes: [suite.hash.digest(group!.leafNode(group!.ownLeafIndex)!)],
        seen: position.cursor,
        seenHash: position.chainHash,
        stuckAt: undefined,
        keyPackage: packageOf(undefined),
      },
      packageOf,
    }
    const { keys, signer, content } = { ...parts, ...(await change(parts, scene)) }
    const sealed = sealKnock(content, { keys, signer, random: (length) => provider.random(length) })
    const at = BigInt(world.now)
    const { epoch } = conversation
    for (const client of [alice, clients[2]!]) {
      stateOf(client).bring({ type: "knocked", knocks: [{ id: content.id, key: content.interval, sealed, at }] })
      world.now += 60_000
      await client.sync()
    }
    assert.equal(conversation.epoch, epoch)
    await assertTogether(clients)
  }

  it("with the key of another member lets nobody in", () =>
    knockingWith((_, { clients }) => ({ signer: stateOf(clients[2]!).means.identity.signer.key })))

  it("with somebody else's key package lets nobody in", () =>
    knockingWith(({ content, packageOf }, { world }) => ({
      content: { ...content, keyPackage: packageOf(new Mallory(world, "bob")) },
    })))

  it("with something else than a key package lets nobody in", () =>
    knockingWith(({ content }) => ({ content: { ...content, keyPackage: provider.random(100) } })))

  it("with a key package that cannot be added lets nobody in", () =>
    knockingWith(({ content, packageOf }) => {
      const keyPackage = packageOf(undefined)
      keyPackage[keyPackage.length - 1]! ^= 1
      return { content: { ...content, keyPackage } }
    }))

  it("of another group lets nobody in", () =>
    knockingWith(({ content }) => ({ content: { ...content, groupId: provider.random(32) } })))

  it("with a leaf that has been renewed since lets nobody in", () =>
    knockingWith(async (_, { bob, clients }) => {
      await only(bob).refresh()
      await settle(...clients)
      return {}
    }))

  it("with the keys of an interval before its leaf lets nobody in: a copy that is older than the leaf", async () => {
    const { world, bob, alice, clients, conversation } = await team()
    await using _ = world
    const old = stateOf(bob).state.intervals.newest!
    const { identity } = stateOf(bob).means
    await only(bob).refresh()
    await settle(...clients)
    const { group } = stateOf(bob).state
    const { suite } = identity
    const bundle = createKeyPackage({
      suite,
      signer: identity.signer,
      lifetime: { notBefore: 0n, notAfter: BigInt(world.now) },
      lastResort: false,
      random: (length) => provider.random(length),
    })
    const content = {
      id: provider.random(16),
      groupId: idOf(conversation),
      interval: old.accessKey,
      leafNodeHashes: [suite.hash.digest(group!.leafNode(group!.ownLeafIndex)!)],
      seen: 99n,
      seenHash: none,
      stuckAt: undefined,
      keyPackage: bundle.keyPackage,
    }
    const sealed = sealKnock(content, { keys: old, signer: identity.signer.key, random: (n) => provider.random(n) })
    const { epoch } = conversation
    stateOf(alice).bring({ type: "knocked", knocks: [{ id: content.id, key: old.accessKey, sealed, at: 0n }] })
    world.now += 60_000
    await settle(...clients)
    assert.equal(conversation.epoch, epoch)
  })
})

interface Parts {
  readonly keys: Parameters<typeof sealKnock>[1]["keys"]
  readonly signer: Parameters<typeof sealKnock>[1]["signer"]
  readonly content: Parameters<typeof sealKnock>[0]
  readonly packageOf: (of: Mallory | undefined) => Uint8Array
}

describe("an answer to a knock", () => {
  for (const told of ["another key", "the key that the log has"] as const) {
    it(`that leads somewhere else, and tells ${told}, is not believed, and an honest one is`, async () => {
      const { world, clients, bob, alice, others, groupId, loseTrack } = await team(["mallory"])
      await using _ = world
      await loseTrack()
      await taken(bob)
      const { mallory, group } = await Mallory.inside(world, others[0]!)
      const own = await Mallory.inside(world, others[0]!)
      const asked = { type: "knocks", groupId, access: noAccess } as const
      const [knock] = expected(await mallory.askAs(mallory.keys, asked), "knocks").knocks
      const leaf = group.members.find(
        ({ credential }) => "identity" in credential && named(credential.identity, "bob"),
      )!
      const { opened } = openedBy(mallory, groupId, knock!)
      const { suite } = stateOf(bob).means.identity
      const changes = { add: [opened.content.keyPackage], remove: [leaf.leafIndex] }
      // All others follow this commit; the Welcome beside it leads Bob into a group of Mallory's own.
      const commit = group.commit(changes)
      const keys = intervalOf(suite, groupId, ({ label, context, length }) =>
        group.exportSecretAfter(commit, label, context, length),
      )
      const begins = { accessKey: keys.accessKey, removes: true }
      const welcomeExtensions: WelcomeExtensions = (exportNext) => [
        newcomerExtension(told === "another key" ? intervalOf(suite, groupId, exportNext) : keys, undefined),
        entranceOf(commit, begins),
      ]
      const { welcome } = own.group.commit({ ...changes, welcomeExtensions })
      const to = [{ knock: knock!.id, keys: mallory.keys! }]
      const answers = sealAnswers(suite, { welcome: welcome!, groupId, to }, (length) => provider.random(length))
      const parts = { welcome: none, recipients: [], begins, answers }
      const { epoch } = group
      expected(
        await mallory.append(groupId, { kind: "commit", epoch, body: commit.message, commit: parts }),
        "accepted",
      )
      await settle(alice, bob)
      const [event] = await taken(bob)
      assert.ok(event?.type === "rejected" && event.code === "FALSE_ANSWER", event?.type)
      assert.equal(only(bob).status, "recovering")
      // He knocks by the leaf that the false answer put there, with the interval that he knew.
      await settle(bob, alice)
      world.now += 15_000
      await settle(alice, bob, alice, bob)
      await assertTogether(clients.slice(0, 2))
    })
  }

  it("that came while the device was away for longer than knocks are kept is still found", async () => {
    const { world, clients, alice, bob, loseTrack } = await team()
    await using _ = world
    await loseTrack()
    await alice.sync()
    world.now += 21 * 3_600_000
    await settle(bob, ...clients)
    await assertTogether(clients)
  })

  it("that is gone when the device comes back is no reason to stay out: the next knock claims that leaf, too", async () => {
    const { world, clients, alice, bob, loseTrack } = await team()
    await using _ = world
    await loseTrack()
    await alice.sync()
    world.now += 3 * 86_400_000
    await settle(bob, alice, bob, ...clients)
    await assertTogether(clients)
  })

  it("that is gone changes nothing of how long its leaf is known, whoever has renewed theirs meanwhile", async () => {
    const { world, clients, alice, bob, loseTrack } = await team()
    await using _ = world
    await loseTrack()
    await only(alice).refresh()
    world.now += 30_000
    await alice.sync()
    world.now += 3 * 86_400_000
    await settle(bob, alice, bob, ...clients)
    await assertTogether(clients)
  })
})

describe("a member who knocks again and again, and says that it cannot follow others' commits", () => {
  it("is let in at once for the first of each author, and then more and more rarely", async () => {
    await using world = new World({ inMemory: true })
    const x25519 = provider.groups.X25519!
    let confused = false
    // While it is confused, it opens no path secret.
    const diffieHellman: typeof x25519.diffieHellman = (privateKey, peer) => {
      const secret = x25519.diffieHellman(privateKey, peer)
      return confused ? secret?.map((byte) => byte ^ 1) : secret
    }
    const groups = { ...provider.groups, X25519: { ...x25519, diffieHellman } }
    const alice = await world.open("alice")
    const bob = await world.open("bob", { provider: { ...provider, groups } })
    const conversation = await alice.createConversation({ members: ["bob"] })
    await settle(alice, bob)
    let letIn = 0
    for (let round = 0; round < 5; round++) {
      await conversation.refresh()
      confused = true
      await bob.sync()
      confused = false
      assert.equal(only(bob).status, "recovering")
      assert.equal(stateOf(bob).state.facts.stuckAt, stateOf(alice).state.position.lastCommit)
      for (let wait = 0; wait < 6 && only(bob).status === "recovering"; wait++) {
        await settle(alice, bob)
        world.now += 1_000
      }
      if (only(bob).status === "recovering") break
      letIn++
      await settle(alice, bob)
    }
    assert.equal(letIn, 1)
    world.now += 60_000
    await settle(alice, bob)
    await assertTogether([alice, bob])
  })
})

const named = (identity: Uint8Array, name: string) => new TextDecoder().decode(identity) === name

function openedBy(
  mallory: Mallory,
  groupId: Uint8Array,
  knock: { readonly id: Uint8Array; readonly sealed: Uint8Array },
) {
  const opened = mallory.keys!.open({ of: "knock", groupId, knock: knock.id }, knock.sealed)
  assert.ok(opened !== undefined)
  return { opened: decode(SignedKnock, opened) }
}
