import assert from "node:assert/strict"
import { test } from "node:test"
import { encode, opaque, type Registries, struct } from "@conclave/codec"
import { type Extension, Group, type GroupOptions, type Proposal, type RuleId } from "@conclave/mls"
import { ExternalSenders, RequiredCapabilities } from "../src/wire.js"
import { follow, keyPackageOf, person, provider, utf8 } from "./group-fixture.js"
import { forgeKeyPackage } from "./rules/forged-group.js"
import { Insider, leaf } from "./rules/insider.js"
import { addOf, declines, newcomer, refreshed, refuses, type Scene, scene, settle } from "./rules/scene.js"

const random = (length: number) => new Uint8Array(provider.random(length))
const remove = (index: number): Proposal => ({ type: "remove", removed: leaf(index) })
const extension = (extensionType: number, extensionData: Uint8Array = new Uint8Array(3)): Extension => ({
  extensionType,
  extensionData,
})
const extensions = (...list: readonly Extension[]): Proposal => ({ type: "groupContextExtensions", extensions: list })
const psk = (pskNonce = random(32), id = "key"): Proposal & { type: "psk" } => ({
  type: "psk",
  psk: { psktype: { type: "external", pskId: utf8(id) }, pskNonce },
})
const resumption = (usage: "application" | "reinit" | "branch", pskGroupId: Uint8Array): Proposal => ({
  type: "psk",
  psk: { psktype: { type: "resumption", usage, pskGroupId, pskEpoch: 1n }, pskNonce: random(32) },
})
const reinit = (more: Partial<Proposal & { type: "reinit" }> = {}): Proposal => ({
  type: "reinit",
  groupId: utf8("next"),
  version: 1,
  cipherSuite: 1,
  extensions: [],
  ...more,
})
const keyed: Partial<GroupOptions> = { psks: () => utf8("a secret that everybody knows") }

/** Mallory commits proposals by value. */
function refusesCommit(set: Scene, proposals: readonly Proposal[], id: RuleId): void {
  refuses(set, set.mallory.commit({ proposals }).message, id)
}

// --- One proposal by itself ------------------------------------------------------------------------------------------

for (const index of [3, 77, 2 ** 29, 2 ** 31 - 1, 2 ** 32 - 1]) {
  test(`proposal-remove-member: a Remove of leaf ${index}, which nobody has`, () => {
    const set = scene()
    refuses(set, set.mallory.propose(remove(index)), "proposal-remove-member")
    const other = scene()
    refusesCommit(other, [remove(index)], "proposal-remove-member")
  })
}

test("proposal-remove-member: we remove nobody", () => {
  const { alice } = scene()
  declines(alice, "proposal-remove-member", () => alice.propose({ type: "remove", leafIndex: leaf(3) }))
  declines(alice, "proposal-remove-member", () => alice.commit({ remove: [leaf(3)] }))
})

for (const size of [0, 31, 33]) {
  test(`psk-nonce-length: a nonce of ${size} bytes`, () => {
    const set = scene(keyed)
    refuses(set, set.mallory.propose(psk(random(size))), "psk-nonce-length")
    refusesCommit(scene(keyed), [psk(random(size))], "psk-nonce-length")
  })
}

for (const usage of ["reinit", "branch"] as const) {
  test(`psk-usage: a resumption key for a ${usage} in a group that is none`, () => {
    const set = scene(keyed)
    refuses(set, set.mallory.propose(resumption(usage, set.alice.id)), "psk-usage")
    const other = scene(keyed)
    refusesCommit(other, [resumption(usage, other.alice.id)], "psk-usage")
  })
}

test("psk-known: a pre-shared key that we do not know", () => {
  refusesCommit(scene(), [psk()], "psk-known")
  const { alice } = scene()
  declines(alice, "psk-known", () => alice.commit({ externalPsks: [utf8("unheard of")] }))
})

test("psk-known: the resumption secret of an epoch that is long over", () => {
  const set = scene()
  for (let i = 0; i < 4; i++) {
    const { message } = set.alice.commit()
    for (const group of set.groups) follow(group, message)
  }
  refusesCommit({ ...set, mallory: refreshed(set) }, [resumption("application", set.alice.id)], "psk-known")
})

test("psk-distinct: a pre-shared key is used twice", () => {
  const twice = psk()
  refusesCommit(scene(keyed), [twice, twice], "psk-distinct")
})

test("a pre-shared key may be used twice with two nonces", () => {
  const set = scene(keyed)
  const { message } = set.bob.commit({ externalPsks: [utf8("key"), utf8("key")] })
  for (const group of set.groups) follow(group, message)
  assert.deepEqual(set.alice.epochAuthenticator, set.bob.epochAuthenticator)
})

test("proposal-reinit-version: a ReInit to version 0", () => {
  const set = scene()
  refuses(set, set.mallory.propose(reinit({ version: 0 })), "proposal-reinit-version")
  refusesCommit(scene(), [reinit({ version: 0 })], "proposal-reinit-version")
})

test("extensions-distinct: a ReInit with two extensions of a type", () => {
  refuses(...proposed(reinit({ extensions: [extension(0xf001), extension(0xf001)] })), "extensions-distinct")
})

test("extension-place: a ReInit to a group with a ratchet tree among its extensions", () => {
  refuses(...proposed(reinit({ extensions: [extension(2)] })), "extension-place")
})

test("extensions-distinct: group extensions with two of a type", () => {
  refuses(...proposed(extensions(extension(0xf001), extension(0xf001))), "extensions-distinct")
})

test("extension-place: group extensions with an external_pub", () => {
  refuses(...proposed(extensions(extension(4))), "extension-place")
})

test("extension-content: group extensions with required capabilities that cannot be read", () => {
  refuses(...proposed(extensions(extension(3, new Uint8Array([9, 9])))), "extension-content")
})

test("extension-content: group extensions with external senders that cannot be read", () => {
  refuses(...proposed(extensions(extension(5, new Uint8Array([9, 9])))), "extension-content")
})

test("extension-content: a new group with external senders that cannot be read", () => {
  const { options } = person("ann")
  const wish = { ...options, groupId: random(32), extensions: [extension(5, new Uint8Array([9, 9]))] }
  assert.throws(() => Group.create(wish), { rule: "extension-content" })
})

test("extensions-distinct: a new group with two extensions of a type", () => {
  const { options } = person("ann", 1, { capabilities: { extensions: [0xf001] } })
  const wish = { ...options, groupId: random(32), extensions: [extension(0xf001), extension(0xf001)] }
  assert.throws(() => Group.create(wish), { rule: "extensions-distinct" })
})

test("key-signature-valid: an external sender with a key of 31 bytes", () => {
  const sender = { signatureKey: random(31), credential: { type: "basic", identity: utf8("service") } } as const
  refuses(...proposed(extensions(extension(5, encode(ExternalSenders, [sender])))), "key-signature-valid")
})

/** A scene, and a proposal by Mallory. */
function proposed(proposal: Proposal): [Scene, Uint8Array] {
  const set = scene()
  return [set, set.mallory.propose(proposal)]
}

// --- Group extensions ------------------------------------------------------------------------------------------------

const required = (extensionTypes: number[], proposalTypes: number[], credentialTypes: number[]): Extension =>
  extension(3, encode(RequiredCapabilities, { extensionTypes, proposalTypes, credentialTypes }))

test("leaf-group-extensions: a committer does not support the extension that it sets", () => {
  refusesCommit(scene(), [extensions(extension(0xf001))], "leaf-group-extensions")
  const { alice } = scene()
  declines(alice, "leaf-group-extensions", () => alice.commit({ extensions: [extension(0xf001)] }))
})

for (const [what, wanted] of [
  ["extension type", required([0xf001], [], [])],
  ["proposal type", required([], [0xf001], [])],
  ["credential type", required([], [], [0xf001])],
] as const) {
  test(`proposal-required-capabilities: a required ${what} that not all members have`, () => {
    const set = scene()
    // Mallory herself has it.
    const all = (it: readonly number[]) => [...it, 0xf001]
    const { message } = set.mallory.commit({
      proposals: [extensions(wanted)],
      leaf: (it) => ({
        ...it,
        capabilities: {
          ...it.capabilities,
          extensions: all(it.capabilities.extensions),
          proposals: all(it.capabilities.proposals),
          credentials: all(it.capabilities.credentials),
        },
      }),
    })
    refuses(set, message, "proposal-required-capabilities")
  })
}

test("proposal-required-capabilities: an extension that the committer alone supports", () => {
  const set = scene()
  const { message } = set.mallory.commit({
    proposals: [extensions(extension(0xf001))],
    leaf: (it) => ({ ...it, capabilities: { ...it.capabilities, extensions: [0xf001] } }),
  })
  refuses(set, message, "proposal-required-capabilities")
})

// --- Proposals of types that the application has added --------------------------------------------------------------

const registries: Registries = { ProposalType: new Map([[0xf00a, struct("Poll", { question: opaque })]]) }
const poll: Proposal = {
  type: "registered",
  number: 0xf00a,
  content: encode(struct("Poll", { question: opaque }), { question: utf8("?") }),
}
const asking: Partial<GroupOptions> = { registries, capabilities: { proposals: [0xf00a] } }

test("proposal-type-supported: a proposal of a type that not all members support", () => {
  const set = scene({ registries })
  const { message } = set.mallory.commit({
    proposals: [poll],
    leaf: (it) => ({ ...it, capabilities: { ...it.capabilities, proposals: [0xf00a] } }),
  })
  refuses(set, message, "proposal-type-supported")
  const { alice } = scene({ registries })
  declines(alice, "proposal-type-supported", () =>
    alice.commit({ registered: [{ number: 0xf00a, content: new Uint8Array(1) }] }),
  )
})

test("proposal-type-supported: we propose what not all members support", () => {
  const { alice } = scene({ registries })
  const { number, content } = poll as Proposal & { type: "registered" }
  declines(alice, "proposal-type-supported", () => alice.propose({ type: "registered", number, content }))
})

test("a proposal that only those do not support who are removed or added is committed", () => {
  const set = scene(asking)
  const dave = newcomer("dave", { registries })
  const add = set.alice.commit({ add: [forgeKeyPackage(dave.who).message] })
  for (const group of set.groups) follow(group, add.message)
  const change = { registered: [{ number: 0xf00a, content: (poll as { content: Uint8Array }).content }] }
  declines(set.alice, "proposal-type-supported", () => set.alice.commit(change))
  const { message } = set.alice.commit({ ...change, remove: [leaf(3)], add: [forgeKeyPackage(person("erin")).message] })
  for (const group of set.groups) follow(group, message)
  assert.deepEqual(set.alice.epochAuthenticator, set.bob.epochAuthenticator)
})

// --- The list of a Commit --------------------------------------------------------------------------------------------

test("list-update-by-committer: a Commit takes in the committer's own Update", () => {
  const set = scene()
  refusesCommit(set, [{ type: "update", leafNode: set.mallory.updatedLeaf() }], "list-update-by-committer")
})

test("list-update-by-committer: by reference", () => {
  const set = scene()
  const leafNode = set.mallory.updatedLeaf()
  const update = set.mallory.propose({ type: "update", leafNode })
  for (const group of [set.alice, set.bob]) group.receive(update)
  const sender = { type: "member", leafIndex: set.mallory.leafIndex } as const
  const { ref } = set.alice.proposals[0]!
  const proposals = [{ proposal: { type: "update", leafNode } as const, sender, ref }]
  refuses(set, set.mallory.commit({ proposals }).message, "list-update-by-committer")
})

test("list-remove-of-committer: a Commit removes the committer", () => {
  const set = scene()
  refusesCommit(set, [remove(set.mallory.leafIndex)], "list-remove-of-committer")
  declines(set.alice, "list-remove-of-committer", () => set.alice.commit({ remove: [set.alice.ownLeafIndex] }))
})

test("list-one-change-per-leaf: a leaf is removed twice", () => {
  refusesCommit(scene(), [remove(1), remove(1)], "list-one-change-per-leaf")
})

test("list-one-change-per-leaf: a leaf is updated and removed", () => {
  const set = scene()
  const { message: update } = set.bob.propose({ type: "update" })
  set.alice.receive(update)
  const { ref, proposal } = set.alice.proposals[0]!
  const sender = { type: "member", leafIndex: leaf(1) } as const
  const proposals = [{ proposal, sender, ref }, remove(1)]
  refuses(set, set.mallory.commit({ proposals }).message, "list-one-change-per-leaf")
})

test("list-add-distinct: a client is added twice", () => {
  const eve = person("eve")
  const twice = [addOf(forgeKeyPackage(eve).keyPackage), addOf(forgeKeyPackage(eve).keyPackage)]
  refusesCommit(scene(), twice, "list-add-distinct")
})

test("list-add-not-member: a member is added", () => {
  const set = scene()
  refusesCommit(set, [addOf(forgeKeyPackage(set.people[1]).keyPackage)], "list-add-not-member")
  declines(set.alice, "list-add-not-member", () => set.alice.commit({ add: [keyPackageOf(set.people[1]).keyPackage] }))
})

test("a member that is removed may be added in the same Commit", () => {
  const set = scene()
  const again = forgeKeyPackage(set.people[1])
  const { message } = set.mallory.commit({ proposals: [remove(1), addOf(again.keyPackage)] })
  follow(set.alice, message)
  assert.equal(set.alice.members.length, 3)
})

test("list-one-group-context-extensions: a Commit replaces the extensions twice", () => {
  refusesCommit(scene(), [extensions(), extensions()], "list-one-group-context-extensions")
})

test("list-reinit-alone: a ReInit is committed with another proposal", () => {
  refusesCommit(scene(), [reinit(), addOf(newcomer().keyPackage)], "list-reinit-alone")
  refusesCommit(scene(), [reinit(), reinit()], "list-reinit-alone")
})

test("list-external-init: a member's Commit has an ExternalInit", () => {
  const set = scene()
  const { kemOutput } = externalInit(set)
  // What follows from it is computed as a receiver would.
  refusesCommit(set, [{ type: "externalInit", kemOutput }], "list-external-init")
})

function externalInit({ mallory }: Scene) {
  const { applied } = mallory.commit({ joins: person("eve") })
  return { kemOutput: applied.kemOutput! }
}

test("list-proposal-known: a Commit refers to a proposal that nobody has sent", () => {
  const set = scene()
  const sender = { type: "member", leafIndex: set.mallory.leafIndex } as const
  const proposals = [{ proposal: remove(1), sender, ref: random(32) }]
  refuses(set, set.mallory.commit({ proposals }).message, "list-proposal-known")
})

test("list-proposal-known: a Commit refers to a proposal of the epoch before", () => {
  const set = scene()
  const { message: update } = set.bob.propose({ type: "update" })
  for (const group of [set.alice, set.groups[2]!]) group.receive(update)
  const { ref, proposal } = set.alice.proposals[0]!
  const next = new Insider(set.people[2], set.groups[2]!).commit()
  for (const group of [set.alice, set.bob]) follow(group, next.message)
  const later = new Insider(set.people[1], set.bob)
  const sender = { type: "member", leafIndex: leaf(1) } as const
  const { message } = later.commit({ proposals: [{ proposal, sender, ref }] })
  refuses(set, message, "list-proposal-known")
})

// --- Proposals that cannot be committed do not keep anybody from committing ------------------------------------------

test("a proposal that cannot be committed is left out, and the others are taken in", () => {
  const set = scene()
  const { alice, bob, mallory } = set
  const { encryptionKey } = mallory.epoch.tree.leaf(leaf(2))!
  const bad: Proposal[] = [
    // Valid by themselves: what is wrong shows only when they are applied.
    addOf(forgeKeyPackage(person("eve"), { leaf: (it) => ({ ...it, encryptionKey }) }).keyPackage),
    psk(),
    extensions(extension(0xf00b)),
  ]
  const good = addOf(newcomer("erin").keyPackage)
  for (const proposal of [bad[0]!, good, bad[1]!, bad[2]!]) {
    const message = mallory.propose(proposal)
    for (const group of [alice, bob]) assert.equal(group.receive(message).type, "proposal")
  }
  const commit = alice.commit({ add: [keyPackageOf(person("frank")).keyPackage] })
  assert.equal(commit.added.length, 2)
  settle(alice, commit)
  follow(bob, commit.message)
  assert.deepEqual(alice.epochAuthenticator, bob.epochAuthenticator)
  assert.equal(alice.proposals.length, 0)
})
