import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { encode } from "@conclave/codec"
import { dangerouslyAcceptAll, decodeGroupInfo, type Extension, Group, type GroupOptions } from "@conclave/mls"
import { ExternalSenders } from "../src/wire.js"
import {
  add,
  create,
  follow,
  groupOf,
  join,
  keyPackageOf,
  type Person,
  person,
  provider,
  text,
  utf8,
} from "./group-fixture.js"
import { Insider, leaf } from "./rules/insider.js"
import { breaks, refreshed, scene, settle, stored, understands } from "./rules/scene.js"

/* What other implementations are known to have let through, or to have stumbled over: the course of events. */

const random = (length: number) => new Uint8Array(provider.random(length))
const agree = (...groups: readonly Group[]) => {
  for (const group of groups) assert.deepEqual(group.epochAuthenticator, groups[0]!.epochAuthenticator)
}
const restored = ({ options }: Person, group: Group): Group =>
  Group.restore({ ...options, records: [...group.records()] })

function reads(group: Group, message: Uint8Array): string {
  const received = group.receive(message)
  assert(received.type === "application")
  return text(received.plaintext)
}

describe("a group that was stored and restored", () => {
  test("replays no message that it has read, near or skipped", () => {
    const { alice, bob, people } = scene()
    const messages = Array.from({ length: 4 }, (_, i) => bob.encrypt(utf8(`message ${i}`)))
    for (const i of [2, 0]) reads(alice, messages[i]!)
    const again = restored(people[0], alice)
    for (const i of [2, 0]) assert.throws(() => again.receive(messages[i]!), { code: "GENERATION_SPENT" })
    assert.deepEqual(
      [1, 3].map((i) => reads(again, messages[i]!)),
      ["message 1", "message 3"],
    )
  })

  test("sends nothing with a key that it has used", () => {
    const { alice, bob, people } = scene()
    const before = alice.encrypt(utf8("before"))
    const again = restored(people[0], alice)
    const after = again.encrypt(utf8("after"))
    assert.deepEqual([reads(bob, before), reads(bob, after)], ["before", "after"])
    for (const message of [before, after]) assert.throws(() => bob.receive(message), { code: "GENERATION_SPENT" })
  })

  test("keeps a commit of ours that renews nothing of ours", () => {
    const { alice, people } = scene()
    const { message } = alice.commit({ add: [keyPackageOf(person("eve")).keyPackage], path: false })
    assert.deepEqual(restored(people[0], alice).pending?.message, message)
  })

  test("is refused where a record of its tree is not one node, in its place", () => {
    const { alice, people } = scene()
    const records = new Map(alice.records())
    const node = (index: number) => records.get(`tree/${index}`)!
    const present = node(2).indexOf(1, 1)
    const spoiled: Readonly<Record<string, readonly [string, Uint8Array][]>> = {
      "a byte behind it": [["tree/2", Uint8Array.of(...node(2), 0)]],
      "a byte too few": [["tree/2", node(2).subarray(0, -1)]],
      // The two together are well-formed: what says that the next node is there stands for the byte between.
      "what it lacks in front of the next": [
        ["tree/2", node(2).subarray(0, present)],
        ["tree/3", Uint8Array.of(...node(2).subarray(present + 1), 1, ...node(3))],
      ],
      "a leaf in a parent's place": [["tree/1", node(0)]],
      "beyond the tree": [["tree/99", node(0)]],
      "with a name that is no number": [["tree/first", node(0)]],
      "nothing at all": [["tree/2", new Uint8Array(0)]],
    }
    for (const [what, changed] of Object.entries(spoiled)) {
      const stored = new Map([...records, ...changed])
      assert.throws(() => Group.restore({ ...people[0].options, records: stored }), { name: "DecodeError" }, what)
    }
    Group.restore({ ...people[0].options, records })
    for (const record of ["group", "epoch"]) {
      const lacking = [...records].filter(([name]) => name !== record)
      assert.throws(
        () => Group.restore({ ...people[0].options, records: lacking }),
        new RegExp(`the records of the group lack ${record}`),
      )
    }
  })

  test("is refused where its records are of another layout, of another cipher suite, or without our leaf node", () => {
    const { alice, people } = scene()
    const records = new Map(alice.records())
    const restore = (changed: Iterable<readonly [string, Uint8Array]>, { options } = people[0]) =>
      Group.restore({ ...options, records: changed })
    const lacks = (what: string) => ({ name: "TypeError", message: `the records of the group lack ${what}` })
    const [layout, ...rest] = records.get("group")!
    const later = new Map(records).set("group", Uint8Array.of(layout! + 1, ...rest))
    assert.throws(() => restore(later), lacks("this layout or cipher suite"))
    assert.throws(() => restore(records, person("alice", 3)), lacks("this layout or cipher suite"))
    const without = [...records].filter(([name]) => name !== `tree/${2 * alice.ownLeafIndex}`)
    assert.throws(() => restore(without), lacks("our leaf node"))
    assert.equal(restore(records).epoch, alice.epoch)
  })

  test("notices that it is an old copy when it meets what it has sent since", () => {
    const { alice, people } = scene()
    const old = restored(people[0], alice)
    const message = alice.encrypt(utf8("sent by the newer one"))
    assert.throws(() => old.receive(message), { code: "STATE_ROLLED_BACK" })
    assert.equal(alice.receive(message).type, "ignored")
  })

  test("notices that it is an old copy when its own Commit or Update comes in that it has not sent", () => {
    const { alice, bob, people } = scene({ policy: { handshake: "public" } })
    const twin = restored(people[0], alice)
    const before = stored(alice)
    assert.throws(() => alice.receive(twin.commit().message), { code: "STATE_ROLLED_BACK" })
    assert.deepEqual(stored(alice), before)
    const other = restored(people[0], alice)
    const update = other.propose({ type: "update" })
    for (const group of [alice, bob]) assert.equal(group.receive(update.message).type, "proposal")
    const commit = bob.commit()
    assert.throws(() => alice.receive(commit.message), { code: "STATE_ROLLED_BACK" })
  })
})

test("a lost message leaves its own key behind, and nothing from which a later key follows", () => {
  const { alice, bob, people } = scene()
  const messages = Array.from({ length: 6 }, (_, i) => bob.encrypt(utf8(`message ${i}`)))
  reads(alice, messages[0]!)
  const started = new Map(alice.records())
  reads(alice, messages[4]!)
  const records = new Map(alice.records())
  const names = [...records.keys()].filter((key) => key.startsWith("e/") && key.includes("/1/application"))
  const skipped = names.filter((key) => key.includes("missed"))
  assert.deepEqual(skipped.sort(), ["e/1/missed/1/application/0"])
  // A key of 16 bytes and a nonce of 12, each with its length, and no more.
  // Of each message its generation, key and nonce.
  assert.equal(records.get(skipped[0]!)!.length, 2 + 3 * (4 + 1 + 16 + 1 + 12))
  // The ratchet as it stood before the gap is in no record any more.
  const secretBefore = Buffer.from(started.get("e/1/ratchet/1/application")!.subarray(-32))
  for (const [key, bytes] of records) assert.equal(Buffer.from(bytes).indexOf(secretBefore), -1, key)
  const again = restored(people[0], alice)
  assert.deepEqual(
    [1, 2, 3, 5].map((i) => reads(again, messages[i]!)),
    [1, 2, 3, 5].map((i) => `message ${i}`),
  )
})

test("a message of an epoch before a member came is not for it", () => {
  const { alice, bob } = scene()
  const before = bob.encrypt(utf8("before"))
  const [eve] = add(alice, [person("eve")])
  assert.deepEqual(eve!.receive(before), { type: "ignored", reason: "past-epoch" })
})

test("a late message is its sender's, not that of whoever has the leaf now", () => {
  const { people, groups } = groupOf(["alice", "bob", "carol"])
  const [alice, bob, carol] = groups as [Group, Group, Group]
  const late = bob.encrypt(utf8("I was Bob"))
  const removal = alice.commit({ remove: [leaf(1)] })
  for (const group of [alice, carol]) follow(group, removal.message)
  const dave = add(alice, [person("dave")], [carol])[0]!
  assert.equal(dave.ownLeafIndex, 1)
  for (const group of [alice, restored(people[2]!, carol)]) {
    const received = group.receive(late)
    assert(received.type === "application")
    assert.equal(received.epoch, 1n)
    assert(received.sender.credential.type === "basic")
    assert.equal(text(received.sender.credential.identity), "bob")
    assert.deepEqual(received.sender.signatureKey, people[1]!.signer.key.publicKey)
  }
})

test("a late message that the leaf's new occupant has signed is not authentic", () => {
  const { people, groups } = groupOf(["alice", "bob", "mallory"])
  const [alice, bob] = groups as [Group, Group, Group]
  const old = new Insider(people[1]!, bob)
  const removal = alice.commit({ remove: [leaf(1)] })
  for (const group of [alice, groups[2]!]) follow(group, removal.message)
  const successor = person("dave")
  add(alice, [successor], [groups[2]!])
  const forged = old.send(
    { type: "application", applicationData: utf8("I am Bob") },
    { wireFormat: "mlsPrivateMessage", key: successor.signer.key },
  )
  assert.throws(() => alice.receive(forged), { code: "NOT_AUTHENTIC" })
})

describe("our pending commit is crossed", () => {
  const crossed = () => {
    const set = scene()
    const wish = set.alice.commit({ add: [keyPackageOf(person("eve")).keyPackage] })
    assert.equal(set.alice.pending?.message, wish.message)
    return { ...set, wish }
  }

  test("by another member's", () => {
    const { alice, bob, groups, wish } = crossed()
    const winner = bob.commit()
    for (const group of groups) follow(group, winner.message)
    agree(...groups)
    assert.equal(alice.pending, undefined)
    assert.deepEqual(alice.receive(wish.message), { type: "ignored", reason: "past-epoch" })
    assert.throws(() => alice.apply(wish, dangerouslyAcceptAll(wish.claims)), { code: "WRONG_EPOCH" })
    const elsewhere = bob.commit()
    assert.throws(() => alice.apply(elsewhere, dangerouslyAcceptAll(elsewhere.claims)), { code: "WRONG_EPOCH" })
    bob.discardPending()
    understands(alice, bob)
  })

  test("by another member's, in a group that was stored in between", () => {
    const { alice, bob, people, wish } = crossed()
    const again = restored(people[0], alice)
    assert.deepEqual(again.pending?.message, wish.message)
    const winner = bob.commit()
    for (const group of [again, bob]) follow(group, winner.message)
    assert.equal(again.pending, undefined)
    agree(again, bob)
    assert.equal([...again.records()].filter(([key]) => key === "pending").length, 0)
    understands(again, bob)
  })

  test("by another member's, which takes in an Update of ours", () => {
    const { alice, bob, groups } = scene()
    const update = alice.propose({ type: "update" })
    for (const group of groups) group.receive(update.message)
    alice.commit()
    const winner = bob.commit()
    assert(winner.updated.some(({ leafIndex }) => leafIndex === alice.ownLeafIndex))
    for (const group of groups) follow(group, winner.message)
    agree(...groups)
    understands(bob, alice)
  })

  test("by somebody who joins", () => {
    const { alice, bob, groups } = crossed()
    const eve = Group.stageExternalJoin({
      ...person("zoe").options,
      groupInfo: bob.groupInfo({ withExternalPub: true, withRatchetTree: true }),
    })
    for (const group of groups) follow(group, eve.message)
    const zoe = eve.accept(dangerouslyAcceptAll(eve.claims))
    agree(...groups, zoe)
    assert.equal(alice.pending, undefined)
    understands(alice, zoe)
  })

  test("by a commit that removes us", () => {
    const { alice, bob } = crossed()
    const { message } = bob.commit({ remove: [alice.ownLeafIndex] })
    const received = alice.receive(message)
    assert(received.type === "commit" && received.staged.selfRemoved)
    alice.apply(received.staged, [])
    assert.equal(alice.active, false)
    assert.equal(alice.pending, undefined)
    assert.deepEqual(
      [...alice.records()].map(([key]) => key),
      ["group"],
    )
    assert.throws(() => alice.commit(), { code: "NOT_A_MEMBER" })
  })

  test("by one that is refused: ours can still be applied", () => {
    const { alice, bob, mallory, wish } = crossed()
    const confirmationTag = (right: Uint8Array) => right.map((byte) => byte ^ 1)
    breaks("commit-confirmation-tag", () => alice.receive(mallory.commit({ confirmationTag }).message))
    const echo = alice.receive(wish.message)
    assert(echo.type === "commit" && echo.own)
    alice.apply(echo.staged, dangerouslyAcceptAll(echo.staged.claims))
    follow(bob, wish.message)
    agree(alice, bob)
  })
})

test("a GroupInfo lets somebody into its own epoch and into no other", () => {
  const { alice, bob, groups } = scene()
  const stale = alice.groupInfo({ withExternalPub: true, withRatchetTree: true })
  const late = Group.stageExternalJoin({ ...person("late").options, groupInfo: stale })
  const commit = bob.commit()
  for (const group of groups) follow(group, commit.message)
  const before = stored(alice)
  assert.deepEqual(alice.receive(late.message), { type: "ignored", reason: "past-epoch" })
  assert.deepEqual(stored(alice), before)

  // The one that came with the commit is of the epoch that the commit began.
  const inTime = Group.stageExternalJoin({
    ...person("in time").options,
    groupInfo: commit.groupInfo,
    ratchetTree: commit.ratchetTree(),
  })
  for (const group of groups) follow(group, inTime.message)
  agree(...groups, inTime.accept(dangerouslyAcceptAll(inTime.claims)))
  const externalPub = (message: Uint8Array) =>
    Buffer.from(decodeGroupInfo(message).extensions.find((it) => it.extensionType === 4)!.extensionData).toString("hex")
  assert.notEqual(externalPub(stale), externalPub(commit.groupInfo))
})

test("a commit rotates the signature key and adds somebody: both old members and the new one follow", () => {
  const { alice, bob, people, groups } = scene()
  const rotated = { ...people[0].signer, key: alice.suite.signature.generate(provider.random) }
  const eve = person("eve")
  const bundle = keyPackageOf(eve)
  const commit = alice.commit({ signer: rotated, add: [bundle.keyPackage] })
  for (const group of groups) follow(group, commit.message)
  const newcomer = join(eve, bundle, commit.welcome!)
  agree(...groups, newcomer)
  for (const group of [bob, newcomer]) {
    assert.deepEqual(group.member(leaf(0))!.signatureKey, rotated.key.publicKey)
    assert.equal(reads(group, alice.encrypt(utf8("with the new key"))), "with the new key")
  }
  const again = restored(people[0], alice)
  assert.equal(reads(bob, again.encrypt(utf8("still"))), "still")
  understands(bob, alice)
})

test("a new external sender, and a changed one of the same key, have to be judged", () => {
  const { alice, bob, groups } = scene()
  const { publicKey } = person("service").signer.key
  const sendersOf = (identity: string): Extension => ({
    extensionType: 5,
    extensionData: encode(ExternalSenders, [
      { signatureKey: publicKey, credential: { type: "basic", identity: utf8(identity) } },
    ]),
  })
  for (const [identity, claims] of [
    ["a service", 1],
    ["a service", 0],
    ["a service under another name", 1],
  ] as const) {
    const commit = alice.commit({ extensions: [sendersOf(identity)] })
    const received = bob.receive(commit.message)
    assert(received.type === "commit")
    assert.deepEqual(
      received.staged.claims.map(({ reason }) => reason),
      Array(claims).fill("externalSender"),
    )
    bob.apply(received.staged, dangerouslyAcceptAll(received.staged.claims))
    settle(alice, commit)
    follow(groups[2]!, commit.message)
  }
  agree(...groups)
})

test("a GroupContext of more than 64 KiB is hashed, signed, welcomed into and stored", () => {
  const extra: Partial<GroupOptions> = { capabilities: { extensions: [0xf001] } }
  const { people, groups } = groupOf(["alice", "bob"], 1, extra)
  const [alice, bob] = groups as [Group, Group]
  const big: Extension = { extensionType: 0xf001, extensionData: random(70_000) }
  const commit = alice.commit({ extensions: [big] })
  for (const group of groups) follow(group, commit.message)
  const eve = add(alice, [person("eve", 1, extra)], [bob])[0]!
  agree(alice, bob, eve)
  const again = restored(people[1]!, bob)
  assert.deepEqual(again.extensions[0]!.extensionData, big.extensionData)
  assert.equal(reads(again, eve.encrypt(utf8("through a big context"))), "through a big context")
  understands(alice, eve)
})

/** Seeds whose P-521 public key, and whose private key, begin with two zeros. */
const zeroInPublic = 128
const zeroInPrivate = 309

test("P-521 keys with leading zeros sign, encrypt and are stored like others", () => {
  const seed = (number: number) => {
    const bytes = new Uint8Array(64)
    new DataView(bytes.buffer).setUint32(0, number)
    return bytes
  }
  const { suite } = person("anybody", 5).options
  const shortPublic = suite.hpke.deriveKeyPair(seed(zeroInPublic))
  const shortPrivate = suite.hpke.deriveKeyPair(seed(zeroInPrivate))
  assert.deepEqual([...shortPublic.publicKey.subarray(1, 3)], [0, 0])
  assert.deepEqual([...shortPrivate.privateKey.subarray(0, 2)], [0, 0])

  /** Draws its first key pair from a seed that gives such a key. */
  const people = [
    { name: "alice", first: zeroInPublic, key: shortPrivate.privateKey },
    { name: "bob", first: zeroInPrivate, key: shortPublic.privateKey },
  ].map(({ name, first, key }) => {
    let drawn = false
    const random = (length: number) => {
      if (length !== 64 || drawn) return new Uint8Array(provider.random(length))
      drawn = true
      return seed(first)
    }
    const signer = { credential: { type: "basic", identity: utf8(name) }, key: suite.signature.importKey(key) } as const
    return { name, signer, options: { suite, signer, now: () => 1_800_000_000n, random } }
  })
  const [alice, bob] = [create(people[0]!), people[1]!]
  assert.deepEqual(new Map(alice.records()).get("key/0"), shortPublic.privateKey)
  const group = add(alice, [bob])[0]!
  agree(alice, group)
  understands(alice, group)
  understands(group, alice)
  assert.equal(reads(restored(people[0]!, alice), group.encrypt(utf8("short keys"))), "short keys")
})

test("a commit that lost the race is given up and the winner's understood, whoever has proposed what", () => {
  const set = scene()
  const { alice, bob, groups } = set
  const proposals = [alice.propose({ type: "update" }), bob.propose({ type: "update" })]
  for (const group of groups) for (const { message } of proposals) group.receive(message)
  const loser = alice.commit({ remove: [leaf(2)] })
  const winner = refreshed(set).commit({
    proposals: alice.proposals.map(({ ref, proposal }, i) => ({
      ref,
      proposal,
      sender: { type: "member" as const, leafIndex: leaf(i) },
    })),
  })
  for (const group of [alice, bob]) follow(group, winner.message)
  assert.deepEqual(alice.epochAuthenticator, winner.next.secrets.authenticator)
  agree(alice, bob)
  assert.equal(alice.pending, undefined)
  assert.deepEqual(alice.receive(loser.message), { type: "ignored", reason: "past-epoch" })
  understands(alice, bob)
  understands(bob, alice)
})
