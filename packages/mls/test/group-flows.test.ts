import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { encode, opaque, struct, uint32 } from "@conclave/codec"
import {
  cipherSuite,
  createKeyPackage,
  dangerouslyAcceptAll,
  decodeKeyPackage,
  extensionTypes,
  Group,
  type PreSharedKeyID,
  proposeFromOutside,
  proposeOwnAdd,
} from "@conclave/mls"
import { ExternalSenders, RequiredCapabilities } from "@conclave/mls/wire"
import { unrestrictedProfile } from "../src/group/profile.js"
import {
  add,
  create,
  follow,
  groupOf,
  join,
  keyPackageOf,
  now,
  type Person,
  person,
  provider,
  utf8,
} from "./group-fixture.js"

const agree = (...groups: readonly Group[]) => {
  for (const group of groups) assert.deepEqual(group.epochAuthenticator, groups[0]!.epochAuthenticator)
}
const apply = (group: Group, commit: Parameters<Group["apply"]>[0]) =>
  group.apply(commit, dangerouslyAcceptAll(commit.claims))

describe("proposals from outside", () => {
  const service = person("directory")
  const listed = {
    extensionType: extensionTypes.externalSenders,
    extensionData: encode(ExternalSenders, [
      { signatureKey: service.signer.key.publicKey, credential: service.signer.credential },
    ]),
  }
  const target = (group: Group) => ({ groupId: group.id, epoch: group.epoch, senderIndex: 0, key: service.signer.key })

  test("an external sender that the group lists proposes to add and to remove, and members commit it", () => {
    const alice = Group.create({ ...person("alice").options, groupId: provider.random(32), extensions: [listed] })
    const [bob, carol] = add(alice, [person("bob"), person("carol")]) as [Group, Group]
    const dave = person("dave")
    const offer = keyPackageOf(dave)
    const proposals = [
      proposeFromOutside(target(alice), { type: "add", keyPackage: decodeKeyPackage(offer.keyPackage) }),
      proposeFromOutside(target(alice), { type: "remove", removed: carol.ownLeafIndex }),
    ]
    for (const group of [alice, bob, carol]) {
      for (const message of proposals) assert.deepEqual(group.receive(message).type, "proposal")
    }
    const commit = bob.commit()
    for (const group of [alice, bob, carol]) follow(group, commit.message)
    agree(alice, bob, join(dave, offer, commit.welcome!))
    assert.equal(carol.active, false)
  })

  test("it cannot propose what only members may, and an unlisted one nothing", () => {
    const [alice] = groupOf(["alice"]).groups as [Group]
    const proposal = { type: "externalInit" as const, kemOutput: new Uint8Array(32) }
    assert.throws(() => proposeFromOutside(target(alice), proposal), { rule: "framing-external-proposal-type" })
    const remove = proposeFromOutside(target(alice), { type: "remove", removed: alice.ownLeafIndex })
    assert.throws(() => alice.receive(remove), { rule: "framing-external-sender-listed" })
  })

  test("somebody proposes its own addition, and is welcomed", () => {
    const { groups } = groupOf(["alice", "bob"])
    const [alice, bob] = groups as [Group, Group]
    const carol = person("carol")
    const offer = keyPackageOf(carol)
    const message = proposeOwnAdd({ groupId: alice.id, epoch: alice.epoch }, offer, carol.signer.key)
    for (const group of groups) assert.equal(group.receive(message).type, "proposal")
    const commit = alice.commit()
    apply(alice, commit)
    follow(bob, commit.message)
    agree(alice, bob, join(carol, offer, commit.welcome!))
  })
})

describe("external joins", () => {
  const psks = (id: PreSharedKeyID) => (id.psktype.type === "external" ? utf8("shared beforehand") : undefined)
  const withPsks = [{ psktype: { type: "external" as const, pskId: utf8("door") }, pskNonce: provider.random(32) }]

  test("with the tree beside, replacing an old self, with a pre-shared key", () => {
    const { people, groups } = groupOf(["alice", "bob", "carol"], 1, { psks })
    const [alice, bob, carol] = groups as [Group, Group, Group]
    const options = { ...people[1]!.options, groupInfo: alice.groupInfo({ withExternalPub: true }) }
    assert.throws(() => Group.stageExternalJoin(options), { rule: "welcome-tree-present" })
    const staged = Group.stageExternalJoin({
      ...options,
      ratchetTree: alice.ratchetTree(),
      replaceSelf: true,
      withPsks,
    })
    assert.deepEqual(
      staged.removed.map((it) => it.leafIndex),
      [bob.ownLeafIndex],
    )
    for (const group of groups) follow(group, staged.message)
    assert.equal(bob.active, false)
    const again = staged.accept(dangerouslyAcceptAll(staged.claims))
    agree(alice, carol, again)
    assert.equal(again.members.length, 3)
  })

  test("without the pre-shared key a member cannot follow", () => {
    const { groups } = groupOf(["alice", "bob"])
    const groupInfo = groups[0]!.groupInfo({ withRatchetTree: true, withExternalPub: true })
    const staged = Group.stageExternalJoin({ ...person("eve", 1, { psks }).options, groupInfo, withPsks })
    assert.throws(() => groups[0]!.receive(staged.message), { rule: "psk-known" })
  })

  test("an application may forbid them", () => {
    const { groups } = groupOf(["alice"], 1, { profile: { ...unrestrictedProfile, externalCommits: "none" } })
    const groupInfo = groups[0]!.groupInfo({ withRatchetTree: true, withExternalPub: true })
    const staged = Group.stageExternalJoin({ ...person("bob").options, groupInfo })
    assert.throws(() => groups[0]!.receive(staged.message), { rule: "profile-external-commit" })
  })

  test("a group info without an external key lets nobody in", () => {
    const { groups } = groupOf(["alice"])
    const options = { ...person("bob").options, groupInfo: groups[0]!.groupInfo({ withRatchetTree: true }) }
    assert.throws(() => Group.stageExternalJoin(options), { rule: "external-pub-present" })
  })
})

describe("pre-shared keys", () => {
  test("members who hold an external key agree, and one who holds another does not follow", () => {
    const psks = (secret: string) => ({ psks: () => utf8(secret) })
    const alice = create(person("alice", 1, psks("right")))
    const [bob] = add(alice, [person("bob", 1, psks("right"))]) as [Group]
    const [carol] = add(alice, [person("carol", 1, psks("wrong"))], [bob]) as [Group]
    const commit = alice.commit({ externalPsks: [utf8("key")] })
    apply(alice, commit)
    follow(bob, commit.message)
    agree(alice, bob)
    assert.throws(() => carol.receive(commit.message), { rule: "commit-confirmation-tag" })
  })

  test("a resumption key of an earlier epoch ties an epoch to it", () => {
    const { groups } = groupOf(["alice", "bob"])
    const [alice, bob] = groups as [Group, Group]
    const earlier = { groupId: alice.id, epoch: alice.epoch }
    follow(bob, alice.commit().message)
    apply(alice, alice.pending!)
    const commit = alice.commit({ resumptionPsks: [earlier] })
    apply(alice, commit)
    follow(bob, commit.message)
    agree(alice, bob)
    const newcomer = person("carol")
    const offer = keyPackageOf(newcomer)
    const later = alice.commit({ add: [offer.keyPackage], resumptionPsks: [earlier] })
    assert.throws(() => join(newcomer, offer, later.welcome!), { rule: "psk-known" })
  })
})

describe("groups that continue others", () => {
  const lifetime = { notBefore: now - 10n, notAfter: now + 1000n }
  const offerIn = (who: Person, number: number) => {
    const suite = cipherSuite(number, provider)
    const signer = { credential: who.signer.credential, key: suite.signature.generate(provider.random) }
    return { suite, signer, bundle: createKeyPackage({ suite, signer, lifetime }) }
  }

  test("a reinitialisation moves all members to another suite, id and extensions", () => {
    const { people, groups } = groupOf(["alice", "bob"])
    const [alice, bob] = groups as [Group, Group]
    const groupId = provider.random(32)
    const extensions = [{ extensionType: extensionTypes.externalSenders, extensionData: encode(ExternalSenders, []) }]
    const ending = alice.commit({ reInit: { groupId, cipherSuite: 3, extensions } })
    for (const group of groups) follow(group, ending.message)
    assert.throws(() => alice.encrypt(utf8("more")), { rule: "commit-after-reinit" })
    assert.throws(() => bob.commit(), { rule: "commit-after-reinit" })

    const [aliceOffer, bobOffer] = [offerIn(people[0]!, 3), offerIn(people[1]!, 3)]
    const base = { suite: aliceOffer.suite, now: () => now }
    const create = (wanted: object) =>
      Group.create({ ...base, signer: aliceOffer.signer, groupId, extensions, ...wanted })
    const continues = { group: alice, as: "reinit" as const }
    assert.throws(() => create({ continues, groupId: provider.random(32) }), { rule: "welcome-reinit-parameters" })
    assert.throws(() => create({ continues, extensions: [] }), { rule: "welcome-reinit-parameters" })
    const renewed = create({ continues })
    const commit = renewed.commit({ add: [bobOffer.bundle.keyPackage] })
    apply(renewed, commit)
    const options = {
      ...base,
      signer: bobOffer.signer,
      welcome: commit.welcome!,
      keyPackages: [bobOffer.bundle],
      otherGroups: [bob],
    }
    const staged = Group.stageJoin(options)
    assert.throws(() => Group.stageJoin({ ...options, otherGroups: [] }), { rule: "psk-known" })
    agree(renewed, staged.accept(dangerouslyAcceptAll(staged.claims)))
  })

  test("a reinitialised group may keep the id of the one that it continues", () => {
    const { people, groups } = groupOf(["alice", "bob"])
    const [alice, bob] = groups as [Group, Group]
    const ending = alice.commit({ reInit: { groupId: alice.id, cipherSuite: 1, extensions: [] } })
    for (const group of groups) follow(group, ending.message)
    const offer = keyPackageOf(people[1]!)
    const continues = { group: alice, as: "reinit" as const }
    const renewed = Group.create({ ...people[0]!.options, groupId: alice.id, continues })
    const commit = renewed.commit({ add: [offer.keyPackage] })
    apply(renewed, commit)
    const options = { ...people[1]!.options, welcome: commit.welcome!, keyPackages: [offer], otherGroups: [bob] }
    const staged = Group.stageJoin(options)
    agree(renewed, staged.accept(dangerouslyAcceptAll(staged.claims)))
  })

  test("a reinitialisation without all members is not joined", () => {
    const { people, groups } = groupOf(["alice", "bob", "carol"])
    const [alice, bob] = groups as [Group, Group]
    const groupId = provider.random(32)
    const ending = alice.commit({ reInit: { groupId, cipherSuite: 1, extensions: [] } })
    for (const group of groups) follow(group, ending.message)
    const offer = keyPackageOf(people[1]!)
    const renewed = Group.create({ ...people[0]!.options, groupId, continues: { group: alice, as: "reinit" } })
    const commit = renewed.commit({ add: [offer.keyPackage] })
    const options = { ...people[1]!.options, welcome: commit.welcome!, keyPackages: [offer], otherGroups: [bob] }
    assert.throws(() => Group.stageJoin(options), { rule: "welcome-reinit-members" })
  })

  test("a branch takes some members along, and nobody else", () => {
    const { people, groups } = groupOf(["alice", "bob", "carol"])
    const [alice, bob] = groups as [Group, Group]
    const branch = () =>
      Group.create({ ...people[0]!.options, groupId: provider.random(32), continues: { group: alice, as: "branch" } })
    const offer = keyPackageOf(people[1]!)
    const side = branch()
    const commit = side.commit({ add: [offer.keyPackage] })
    apply(side, commit)
    const joining = { ...people[1]!.options, keyPackages: [offer], otherGroups: [bob] }
    const staged = Group.stageJoin({ ...joining, welcome: commit.welcome! })
    agree(side, staged.accept(dangerouslyAcceptAll(staged.claims)))

    const crowded = branch().commit({ add: [offer.keyPackage, keyPackageOf(person("eve")).keyPackage] })
    assert.throws(() => Group.stageJoin({ ...joining, welcome: crowded.welcome! }), { rule: "welcome-branch-members" })
  })
})

describe("what applications add", () => {
  const Vote = struct("Vote", { question: opaque, choice: uint32 })
  const registries = {
    ProposalType: new Map([[0xf100, Vote]]),
    CredentialType: new Map([[0xf200, opaque]]),
  }
  const capabilities = { proposals: [0xf100], extensions: [0xf300], credentials: [1, 2, 0xf200] }
  const extra = { registries, capabilities }

  test("proposals of a registered type are committed and handed to every member", () => {
    const { groups } = groupOf(["alice", "bob"], 1, extra)
    const [alice, bob] = groups as [Group, Group]
    const content = encode(Vote, { question: utf8("lunch?"), choice: 2 })
    const proposal = bob.propose({ type: "registered", number: 0xf100, content })
    assert.equal(alice.receive(proposal.message).type, "proposal")
    const commit = alice.commit()
    assert.deepEqual(commit.registered, [{ type: "registered", number: 0xf100, content }])
    const received = follow(bob, commit.message)
    assert(received.type === "commit")
    assert.deepEqual(received.staged.registered, commit.registered)
    apply(alice, commit)
    agree(alice, bob)
  })

  test("a type that some member does not support is not proposed", () => {
    const alice = create(person("alice", 1, extra))
    add(alice, [person("bob")])
    const change = { type: "registered", number: 0xf100, content: new Uint8Array(5) } as const
    assert.throws(() => alice.propose(change), { rule: "proposal-type-supported" })
  })

  test("credentials of a registered type are presented and judged like others", () => {
    const who = (name: string): Person => {
      const it = person(name, 1, extra)
      const credential = { type: "registered" as const, number: 0xf200, content: encode(opaque, utf8(name)) }
      const signer = { credential, key: it.signer.key }
      return { ...it, signer, options: { ...it.options, signer } }
    }
    const alice = create(who("alice"))
    const bob = who("bob")
    const offer = keyPackageOf(bob)
    const commit = alice.commit({ add: [offer.keyPackage] })
    assert.deepEqual(commit.claims[0]!.credential, bob.signer.credential)
    apply(alice, commit)
    agree(alice, join(bob, offer, commit.welcome!))
  })

  test("extensions of the group and of leaf nodes, and required capabilities, hold newcomers to them", () => {
    const alice = create(person("alice", 1, extra))
    const required = { extensionTypes: [0xf300], proposalTypes: [0xf100], credentialTypes: [0xf200] }
    const extensions = [
      { extensionType: 0xf300, extensionData: utf8("the application's") },
      {
        extensionType: extensionTypes.requiredCapabilities,
        extensionData: encode(RequiredCapabilities, required),
      },
    ]
    apply(alice, alice.commit({ extensions, leafExtensions: [{ extensionType: 0xf300, extensionData: utf8("mine") }] }))
    assert.deepEqual(alice.extensions, extensions)
    assert.throws(() => alice.commit({ add: [keyPackageOf(person("bob")).keyPackage] }), {
      rule: "leaf-required-capabilities",
    })
    agree(alice, ...add(alice, [person("carol", 1, extra)]))
  })

  test("random values nobody knows are sent, and tolerated", () => {
    const grease = (value: number) => (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff)
    const { keyPackage } = keyPackageOf(person("alice"))
    const { capabilities: sent } = decodeKeyPackage(keyPackage).leafNode
    for (const list of [sent.cipherSuites, sent.extensions, sent.proposals, sent.credentials]) assert(list.some(grease))
    const { groups } = groupOf(["alice", "bob"])
    agree(...groups)
  })
})

test("a member rotates its signature key in a commit that adds somebody, and speaks with the new one", () => {
  const { groups } = groupOf(["alice", "bob"])
  const [alice, bob] = groups as [Group, Group]
  const renewed = { ...person("alice").signer, credential: alice.member(alice.ownLeafIndex)!.credential }
  const carol = person("carol")
  const offer = keyPackageOf(carol)
  const commit = alice.commit({ signer: renewed, add: [offer.keyPackage] })
  const received = bob.receive(commit.message)
  assert(received.type === "commit")
  assert.deepEqual(
    received.staged.claims.map((it) => it.reason),
    ["add", "commit"],
  )
  apply(bob, received.staged)
  apply(alice, commit)
  agree(alice, bob, join(carol, offer, commit.welcome!))
  assert.deepEqual(bob.member(alice.ownLeafIndex)!.signatureKey, renewed.key.publicKey)
  assert.equal(bob.receive(alice.encrypt(utf8("with the new key"))).type, "application")
})
