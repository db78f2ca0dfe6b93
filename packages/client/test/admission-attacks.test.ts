import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { DeliveryRequest, DeliveryResponse, Entry } from "@conclave/contracts/delivery"
import type { Knock } from "@conclave/contracts/knocks"
import { logChainHash } from "@conclave/contracts/log-chain"
import { equalBytes } from "@conclave/crypto"
import { createKeyPackage, decodeKeyPackageBundle, Group, type Signer } from "@conclave/mls"
import type { Extension } from "@conclave/mls/wire"
import type { IntervalKeys } from "../src/access/interval-keys.js"
import { sealAnswers, sealKnock } from "../src/access/knocks.js"
import { newcomerExtension } from "../src/access/newcomer.js"
import { fromHex, hex } from "../src/bytes.js"
import { intervalOf } from "../src/conversation/epoch-interval.js"
import { ConversationHandle } from "../src/device/handle.js"
import type { Client } from "../src/index.js"
import { entranceOf, expected, Mallory, noise, type WelcomeExtensions } from "./support/mallory.js"
import { answered } from "./support/tampered.js"
import { assertTogether } from "./support/team.js"
import { provider, settle, taken, World } from "./support/world.js"

const only = (client: Client) => [...client.conversations.values()][0]!
const driverOf = (client: Client) => {
  const conversation = only(client)
  assert.ok(conversation instanceof ConversationHandle)
  return conversation.driver
}
const sha256 = (...parts: readonly Uint8Array[]) => provider.hashes["SHA-256"]!.digest(...parts)

type Lie = (request: DeliveryRequest, answer: DeliveryResponse) => DeliveryResponse

const awayTooLong: Lie = (request, answer) =>
  request.type === "read" && answer.type === "entries"
    ? { type: "belowRetention", groupId: answer.groupId, oldestSeq: 1_000n }
    : answer

interface Knocker {
  readonly groupId: Uint8Array
  readonly group: Group
  readonly keys: IntervalKeys
  readonly signer: Signer
}

/** A knock of the leaf with the signer's key. */
function knockOf(
  { groupId, group, keys, signer }: Knocker,
  at: bigint,
  seconds: bigint,
  stuckAt?: bigint | undefined,
): Knock {
  const { suite } = group
  const random = (length: number) => provider.random(length)
  const own = group.members.find(({ signatureKey }) => equalBytes(signatureKey, signer.key.publicKey))!
  const lifetime = { notBefore: seconds - 60n, notAfter: seconds + 86_400n }
  const content = {
    id: random(16),
    groupId,
    interval: keys.accessKey,
    leafNodeHashes: [suite.hash.digest(group.leafNode(own.leafIndex)!)],
    seen: 1_000_000n,
    seenHash: new Uint8Array(32),
    stuckAt,
    keyPackage: createKeyPackage({ suite, signer, lifetime, lastResort: false, random }).keyPackage,
  }
  return { id: content.id, key: keys.accessKey, sealed: sealKnock(content, { keys, signer: signer.key, random }), at }
}

/** As the device of `client` could leave it, whatever state it is in. */
function ownKnockOf(client: Client, at: bigint, stuckAt?: bigint): Knock {
  const { means, state } = driverOf(client)
  const { signer } = means.identity
  const knocker = { groupId: state.id, group: state.group!, keys: state.intervals.newest!, signer }
  return knockOf(knocker, at, means.groupOptions.now(), stuckAt)
}

/** Alice, Bob and Carol talk; what the service tells Bob goes through `service.lie`. */
async function team() {
  const world = new World({ inMemory: true })
  const honest: Lie = (_, answer) => answer
  const service = { lie: honest, honest }
  const delivery = answered(world.transport("delivery"), (request, answer) => service.lie(request, answer))
  const alice = await world.open("alice")
  const bob = await world.open("bob", { delivery })
  const carol = await world.open("carol")
  const clients = [alice, bob, carol]
  const conversation = await alice.createConversation({ members: ["bob", "carol"] })
  await settle(...clients)
  // Everybody has a leaf of their own making.
  for (const client of clients) await only(client).refresh()
  await settle(...clients)
  for (const client of clients) await taken(client)
  const loseTrack = async () => {
    await conversation.send("what Bob cannot follow")
    service.lie = awayTooLong
    await bob.sync()
    service.lie = honest
    assert.equal(only(bob).status, "recovering")
    await taken(bob)
  }
  return { world, service, clients, alice, bob, carol, conversation, groupId: fromHex(conversation.id), loseTrack }
}

describe("a service that lies to a member", () => {
  it("by one entry that registers a key does not stop the conversation: the entry is read twice", async () => {
    const { world, service, clients, bob, conversation, groupId } = await team()
    await using _ = world
    await conversation.send("what is there")
    let lies = 0
    service.lie = (request, answer) => {
      const [first] = answer.type === "entries" && request.type === "read" ? answer.entries : []
      if (answer.type !== "entries" || first === undefined || lies > 0) return answer
      lies++
      const { position, epoch } = driverOf(bob).state
      const begins = { accessKey: provider.random(32), removes: true }
      const forged: Entry = { ...first, kind: "commit", epoch, body: noise(groupId, epoch), begins }
      const chainHash = logChainHash(sha256, position.chainHash, forged)
      return { ...answer, entries: [{ ...forged, chainHash }], headSeq: forged.seq }
    }
    await bob.sync()
    assert.equal(lies, 1)
    assert.deepEqual(
      (await taken(bob)).map(({ type }) => type),
      ["message"],
    )
    await assertTogether(clients)
  })

  it("by saying once that it was away for too long does not make it knock", async () => {
    const { world, service, clients, bob, conversation } = await team()
    await using _ = world
    await conversation.send("what is there")
    let lies = 0
    service.lie = (request, answer) => {
      const lie = lies === 0 ? awayTooLong(request, answer) : answer
      if (lie !== answer) lies++
      return lie
    }
    await bob.sync()
    assert.equal(lies, 1)
    assert.deepEqual(
      (await taken(bob)).map(({ type }) => type),
      ["message"],
    )
    await assertTogether(clients)
  })

  it("by false answers to its knocks is not asked without end", async () => {
    const { world, service, clients, bob, loseTrack } = await team()
    await using _ = world
    await loseTrack()
    let answers = 0
    service.lie = (request, answer) => {
      // Not for ever, so that a client that does not stop can be told from a test that hangs.
      if (request.type !== "answer" || ++answers > 50) return answer
      const { groupId, id } = request
      return { type: "answer", groupId, id, seq: 1_000n, key: provider.random(60), welcome: provider.random(100) }
    }
    await bob.sync()
    assert.equal(answers, 1)
    const [alarm, ...more] = await taken(bob)
    assert.ok(alarm?.type === "rejected" && alarm.code === "FALSE_ANSWER" && more.length === 0)
    assert.match(alarm.reason, /nobody who has the keys of this conversation has sealed it/)
    const due = driverOf(bob).state.refused?.retryAt
    assert.ok(due !== undefined && due > world.now)
    service.lie = service.honest
    // The members have both of its knocks, and answer the one that it waits with.
    await settle(bob, ...clients)
    await assertTogether(clients)
  })
})

describe("several knocks of one leaf", () => {
  it("that all have to wait leave room for others", async () => {
    const { world, clients, alice, bob, carol, conversation } = await team()
    await using _ = world
    const knock = ownKnockOf(carol, 1n)
    const driver = driverOf(alice)
    driver.bring({ type: "knocked", knocks: [knock] })
    world.now += 60_000
    await alice.sync()
    assert.equal(driver.state.letIn.size, 1)
    // Carol comes in by the key package of her knock, as her own program would.
    await settle(carol)
    await conversation.remove("carol")
    await conversation.invite("carol")
    await settle(...clients)
    await only(carol).refresh()
    await settle(...clients)
    const flood = Array.from({ length: 1_024 }, (_, at) => ownKnockOf(carol, BigInt(at)))
    driver.bring({ type: "knocked", knocks: flood })
    world.now += 60_000
    await alice.sync()
    assert.equal(driver.state.visitors.size, 1, "one of them waits")
    const honest = ownKnockOf(bob, 2_000n)
    driver.bring({ type: "knocked", knocks: [honest] })
    const { epoch } = conversation
    world.now += 60_000
    await alice.sync()
    assert.equal(conversation.epoch, epoch + 1n, "Bob is let in")
  })
})

describe("a member who sends a Welcome to somebody who knocks", () => {
  it("does not take them into a group of its own in place of the conversation", async () => {
    const { world, clients, bob, carol, groupId, loseTrack } = await team()
    await using _ = world
    await loseTrack()
    const { mallory } = await Mallory.inside(world, carol)
    const { deviceId, keyPackage } = await mallory.claim("bob")
    const welcomeExtensions: WelcomeExtensions = (_, commit) => [
      newcomerExtension(mallory.keys!, undefined),
      entranceOf(commit),
    ]
    const own = Group.create({ ...mallory.options, groupId })
    const { welcome } = own.commit({ add: [keyPackage], welcomeExtensions })
    // All others pass this over.
    const parts = { welcome: welcome!, recipients: [{ deviceId }], begins: undefined, answers: undefined }
    const append = { kind: "commit", epoch: 1n, body: noise(groupId, 1n), commit: parts } as const
    expected(await mallory.append(groupId, append), "accepted")
    await bob.sync()
    assert.equal(only(bob).status, "recovering")
    const told = await taken(bob)
    assert.ok(told.length === 1 && told[0]?.type === "rejected" && told[0].reason.includes("member already"))
    await settle(...clients)
    await assertTogether(clients)
  })
})

describe("a member who is let in again", () => {
  it("is known by the commit that its own knock names, whatever other knocks are there", async () => {
    const { world, alice, bob, carol } = await team()
    await using _ = world
    const commits = (await world.branch.entries(only(alice))).filter(({ kind }) => kind === "commit")
    const [byAlice, byBob] = commits.slice(-3).map(({ seq }) => seq)
    const hers = ownKnockOf(carol, 1n, byBob)
    const garbage = { ...ownKnockOf(carol, 1n, byAlice), sealed: provider.random(99) }
    driverOf(bob).bring({ type: "knocked", knocks: [garbage, ownKnockOf(alice, 1n, byAlice), hers] })
    driverOf(alice).bring({ type: "knocked", knocks: [hers] })
    world.now += 60_000
    await alice.sync()
    await bob.sync()
    const keyOf = (client: Client) => hex(driverOf(client).means.identity.signatureKey)
    for (const client of [alice, bob]) {
      const letIn = driverOf(client).state.letIn.get(keyOf(carol))
      assert.deepEqual([...(letIn?.stuckBy ?? [])], [[keyOf(bob), 1]], client.name)
    }
  })
})

describe("a member whose key the others have not approved", () => {
  it("is not let in again, and its knock keeps nobody busy", async () => {
    const { world, clients, alice, bob, carol, groupId } = await team()
    await using _ = world
    const { mallory, group } = await Mallory.inside(world, carol)
    const fake = new Mallory(world, "bob")
    await mallory.commit(group, { add: [fake.keyPackage()], path: true })
    await settle(alice, bob)
    assert.equal(only(alice).status, "halted")
    await taken(alice)
    const { judge } = driverOf(alice).means
    const judged = judge.judge.bind(judge)
    let asked = 0
    judge.judge = (...claims) => {
      // So that a client that does not stop can be told from a test that hangs.
      if (++asked > 20) throw new Error("asked without end")
      return judged(...claims)
    }
    const { signer } = fake
    const knock = knockOf({ groupId, group, keys: mallory.keys!, signer }, 1n, BigInt(world.now / 1_000))
    driverOf(alice).bring({ type: "knocked", knocks: [knock] })
    world.now += 60_000
    await alice.sync()
    assert.ok(asked <= 1, `asked ${asked} times`)
    assert.equal(driverOf(alice).state.visitors.size, 0)
    assert.deepEqual(await taken(alice), [])
    // What needs no approval goes on.
    await only(alice).refresh()
    await settle(...clients.slice(0, 2))
    assert.deepEqual(only(bob).epochAuthenticator, only(alice).epochAuthenticator)
  })
})

describe("a copy of a device that knocks before the device renews its keys", () => {
  it("takes its place, and the device says so at once", async () => {
    const { world, clients, alice, bob } = await team()
    await using _ = world
    const knock = ownKnockOf(bob, 1n)
    driverOf(alice).bring({ type: "knocked", knocks: [knock] })
    world.now += 60_000
    await settle(...clients)
    assert.equal(only(bob).status, "left")
    const told = await taken(bob)
    assert.ok(told[0]?.type === "copied" && told[1]?.type === "left")
  })
})

describe("an answer to a knock", () => {
  /** Bob knocks; what he is told next is up to the test. */
  async function knocking() {
    const scene = await team()
    const { world, carol, bob, groupId } = scene
    await scene.loseTrack()
    const { means, state } = driverOf(bob)
    const { suite } = means.identity
    const { id, interval, bundle } = state.knock!
    const random = (length: number) => provider.random(length)
    const carolKey = driverOf(carol).means.identity.signer.key
    /** A Welcome for Bob into a group of a member's own, which `by` has made. */
    const welcomeBy = ({ by = new Mallory(world, "carol", carolKey), of = groupId, epochs = 9, tells }: False = {}) => {
      const group = Group.create({ ...by.options, groupId: of })
      for (let epoch = 0; epoch < epochs; epoch++) group.apply(group.commit(), [])
      const { keyPackage } = decodeKeyPackageBundle(bundle)
      const { welcome } = group.commit({
        add: [keyPackage],
        welcomeExtensions: (exportNext, commit) => {
          const keys = intervalOf(suite, of, exportNext)
          const own = tells === undefined ? [newcomerExtension(keys, undefined)] : tells(keys)
          return [...own, entranceOf(commit)]
        },
      })
      return welcome!
    }
    /** What Bob makes of it. */
    const answer = async (welcome: Uint8Array, { seq = 1_000n, log }: { seq?: bigint; log?: Lie } = {}) => {
      const to = [{ knock: id, keys: state.intervals.find(interval)!.keys }]
      const sealed = sealAnswers(suite, { welcome, groupId, to }, random)
      let answers = 0
      scene.service.lie = (request, honest) => {
        if (request.type === "answer") {
          answers++
          const { key } = sealed.to[0]!
          const none = { type: "notFound", groupId } as const
          return answers > 1 ? none : { type: "answer", groupId, id, seq, key, welcome: sealed.welcome }
        }
        return log === undefined || request.type !== "read" ? honest : log(request, honest)
      }
      world.now += 60_000
      await bob.sync()
      scene.service.lie = scene.service.honest
      assert.equal(only(bob).status, "recovering")
      return (await taken(bob)).map((it) => (it.type === "rejected" ? `${it.code}: ${it.reason}` : it.type))
    }
    return { ...scene, welcomeBy, answer, carolKey, state }
  }
  type Knocking = Awaited<ReturnType<typeof knocking>>
  interface False {
    readonly by?: Mallory
    readonly of?: Uint8Array
    readonly epochs?: number
    readonly tells?: (keys: IntervalKeys) => readonly Extension[]
  }
  const headAt = ({ state }: Knocking, chainHash: Uint8Array | undefined, incarnation = 1n) => {
    const { cursor } = state.position
    const head = { incarnation, seq: cursor, chainHash: chainHash ?? state.position.chainHash }
    return (keys: IntervalKeys) => [newcomerExtension(keys, { ...head, signature: new Uint8Array(64) })]
  }

  const refused: Readonly<Record<string, readonly [RegExp, (scene: Knocking) => Promise<readonly string[]>]>> = {
    "that is no Welcome": [/: (?!nobody who has the keys)/, ({ answer }) => answer(provider.random(100))],
    "into another group": [
      /it leads to another group/,
      ({ answer, welcomeBy }) => answer(welcomeBy({ of: provider.random(32) })),
    ],
    "into an epoch that was before": [
      /it leads to no later epoch/,
      ({ answer, welcomeBy }) => answer(welcomeBy({ epochs: 0 })),
    ],
    "by a stranger": [
      /no member whom this device knew/,
      ({ answer, welcomeBy, world }) => answer(welcomeBy({ by: new Mallory(world) })),
    ],
    "by a stranger with a member's name": [
      /no member whom this device knew/,
      ({ answer, welcomeBy, world }) => answer(welcomeBy({ by: new Mallory(world, "carol") })),
    ],
    "by a member with another's name": [
      /no member whom this device knew/,
      ({ answer, welcomeBy, world, carolKey }) => answer(welcomeBy({ by: new Mallory(world, "alice", carolKey) })),
    ],
    "without a key": [/it does not say by what key/, ({ answer, welcomeBy }) => answer(welcomeBy({ tells: () => [] }))],
    "in a place that was read": [
      /this device has read what is in its place/,
      ({ answer, welcomeBy, state }) => answer(welcomeBy(), { seq: state.position.cursor }),
    ],
    "by who has read another log": [
      /whoever made it has read another log/,
      (scene) => scene.answer(scene.welcomeBy({ tells: headAt(scene, provider.random(32)) })),
    ],
    "that the log does not have": [
      /the log does not have it$/,
      ({ answer, welcomeBy, groupId }) => answer(welcomeBy(), { log: () => page(groupId, []) }),
    ],
    "that the log has no longer": [
      /the log does not have it any more/,
      ({ answer, welcomeBy, groupId }) =>
        answer(welcomeBy(), { log: () => ({ type: "belowRetention", groupId, oldestSeq: 1_001n }) }),
    ],
    "in whose place the log has something else": [
      /the log has something else in its place/,
      ({ answer, welcomeBy, groupId, state }) => {
        const { cursor, chainHash } = state.position
        return answer(welcomeBy(), { seq: cursor + 1n, log: () => page(groupId, [after(cursor, chainHash)]) })
      },
    ],
    "to which the log does not lead": [
      /the log that leads to it is not the one known here/,
      ({ answer, welcomeBy, groupId, state }) => {
        const entry = after(state.position.cursor, provider.random(32))
        return answer(welcomeBy(), { log: () => page(groupId, [entry]) })
      },
    ],
    "to which the log leads with a gap": [
      /the log has a gap/,
      ({ answer, welcomeBy, groupId, state }) => {
        const entry = after(state.position.cursor + 1n, provider.random(32))
        return answer(welcomeBy(), { log: () => page(groupId, [entry]) })
      },
    ],
  }
  for (const [what, [why, ask]] of Object.entries(refused)) {
    it(`${what} is not believed, and an honest one is`, async () => {
      const scene = await knocking()
      await using _ = scene.world
      const [told, ...others] = await ask(scene)
      assert.match(told!, /^FALSE_ANSWER: /)
      assert.match(told!, why)
      assert.deepEqual(others, [])
      // The members answer the knock that Bob has given up, and ten minutes later the next one.
      for (let round = 0; round < 3; round++) {
        await settle(...scene.clients)
        scene.world.now += 660_000
      }
      await assertTogether(scene.clients)
    })
  }

  const notRefused: Readonly<Record<string, (scene: Knocking) => ReturnType<Knocking["welcomeBy"]>>> = {
    "the same log": (scene) => scene.welcomeBy({ tells: headAt(scene, undefined) }),
    "the log of another incarnation": (scene) => scene.welcomeBy({ tells: headAt(scene, provider.random(32), 2n) }),
  }
  for (const [what, make] of Object.entries(notRefused)) {
    it(`by who has read ${what} is looked for in the log, which may not be there yet`, async () => {
      const scene = await knocking()
      await using _ = scene.world
      const { groupId } = scene
      assert.deepEqual(await scene.answer(make(scene), { log: () => ({ type: "notFound", groupId }) }), ["missing"])
      assert.ok(scene.state.entering !== undefined)
      const message = "a member has answered: this device is about to be let in again"
      await assert.rejects(only(scene.bob).restart(), { code: "REFUSED", message })
    })
  }
})

const page = (groupId: Uint8Array, entries: readonly Entry[]): DeliveryResponse => ({
  ...{ type: "entries", groupId, headSeq: 1_000n, incarnation: 1n, signature: new Uint8Array() },
  entries: [...entries],
})

/** A message that comes after the entry `seq`. */
function after(seq: bigint, chainHash: Uint8Array): Entry {
  const entry = { seq: seq + 1n, kind: "application", epoch: 0n, body: provider.random(9), begins: undefined } as const
  return { ...entry, chainHash: logChainHash(sha256, chainHash, entry), at: 0n }
}
