import assert from "node:assert/strict"
import { test } from "node:test"
import { encode } from "@conclave/codec"
import {
  createKeyPackage,
  type Extension,
  Group,
  type GroupOptions,
  type GroupPolicy,
  type RuleId,
  validateKeyPackage,
} from "@conclave/mls"
import { RequiredCapabilities, type UnsignedLeafNode } from "../src/wire.js"
import { follow, keyPackageOf, now, person, provider } from "./group-fixture.js"
import { ForgedGroup, forgeKeyPackage } from "./rules/forged-group.js"
import { Insider, leaf } from "./rules/insider.js"
import { addOf, breaks, declines, refuses, type Scene, scene, stored, understands } from "./rules/scene.js"

type Change = (right: UnsignedLeafNode) => UnsignedLeafNode

const withCapabilities =
  (change: Partial<UnsignedLeafNode["capabilities"]>): Change =>
  (right) => ({ ...right, capabilities: { ...right.capabilities, ...change } })
const extension = (extensionType: number): Extension => ({ extensionType, extensionData: new Uint8Array(3) })
const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === 7 ? byte ^ 1 : byte))

/** What is wrong with a leaf node by itself. */
const wrongLeaves: readonly (readonly [RuleId, string, Change])[] = [
  ["key-encryption-valid", "an encryption key of 31 bytes", (it) => ({ ...it, encryptionKey: new Uint8Array(31) })],
  ["leaf-version-supported", "a leaf node without the version", withCapabilities({ versions: [2] })],
  ["leaf-version-supported", "a leaf node without the suite", withCapabilities({ cipherSuites: [2, 3] })],
  ["leaf-capabilities-default", "a default extension among the capabilities", withCapabilities({ extensions: [1] })],
  ["leaf-capabilities-default", "a default proposal among the capabilities", withCapabilities({ proposals: [7] })],
  ["leaf-extensions-listed", "an extension that is not listed", (it) => ({ ...it, extensions: [extension(0xf004)] })],
  [
    "extensions-distinct",
    "a leaf node with two extensions of a type",
    (it) => ({ ...withCapabilities({ extensions: [0xf004] })(it), extensions: [extension(0xf004), extension(0xf004)] }),
  ],
  ["extension-place", "external senders in a leaf node", (it) => ({ ...it, extensions: [extension(5)] })],
  ["leaf-credential-listed", "a credential that is not listed", withCapabilities({ credentials: [2] })],
]

/** Ways by which a leaf node reaches a client. */
const ways: readonly (readonly [string, (id: RuleId, change: Change) => void])[] = [
  [
    "in the tree of a group to join",
    (id, change) => {
      const group = new ForgedGroup(["ann", "ben", "cem"], { leaf: (it, i) => (i === 0 ? change(it) : it) }).commitAs(1)
      refusesEntry(group, id)
    },
  ],
  [
    "in an Add that is proposed",
    (id, change) => {
      const set = scene()
      const { keyPackage } = forgeKeyPackage(person("eve"), { leaf: change })
      refuses(set, set.mallory.propose(addOf(keyPackage)), id)
    },
  ],
  [
    "in an Add that is committed",
    (id, change) => {
      const set = scene()
      const { keyPackage } = forgeKeyPackage(person("eve"), { leaf: change })
      refuses(set, set.mallory.commit({ proposals: [addOf(keyPackage)] }).message, id)
    },
  ],
  [
    "in an Update",
    (id, change) => {
      const set = scene()
      refuses(set, set.mallory.propose({ type: "update", leafNode: set.mallory.updatedLeaf(change) }), id)
    },
  ],
  [
    "in an UpdatePath",
    (id, change) => {
      const set = scene()
      refuses(set, set.mallory.commit({ leaf: change }).message, id)
    },
  ],
]

for (const [id, what, change] of wrongLeaves)
  for (const [way, meets] of ways) test(`${id}: ${what}, ${way}`, () => meets(id, change))

function entry(group: ForgedGroup, extra: Partial<GroupOptions> = {}) {
  const { options } = person("eve", 1, extra)
  return Group.stageExternalJoin({ ...options, groupInfo: group.groupInfo() })
}

function refusesEntry(group: ForgedGroup, id: RuleId, extra: Partial<GroupOptions> = {}): void {
  breaks(id, () => entry(group, extra))
}

test("a forged group with nothing wrong can be joined", () => {
  assert.equal(entry(new ForgedGroup(["ann", "ben", "cem"]).commitAs(0)).epoch, 6n)
})

// --- What the group asks for -----------------------------------------------------------------------------------------

const listed = { capabilities: { extensions: [0xf001], proposals: [0xf002] } }
const required: Extension = {
  extensionType: 3,
  extensionData: encode(RequiredCapabilities, {
    extensionTypes: [0xf001, 1],
    proposalTypes: [0xf002, 3],
    credentialTypes: [1],
  }),
}

/** A group with these extensions, whose members all support what they ask for. */
function demanding(extensions: readonly Extension[]): Scene {
  const set = scene(listed)
  const { message } = set.alice.commit({ extensions })
  for (const group of set.groups) follow(group, message)
  return { ...set, mallory: new Insider(set.people[2], set.groups[2]!) }
}

const lacking: readonly (readonly [string, Change])[] = [
  ["a required extension", withCapabilities({ extensions: [] })],
  ["a required proposal type", withCapabilities({ proposals: [] })],
]
for (const [what, change] of lacking) {
  test(`leaf-required-capabilities: a leaf node without ${what}, in an UpdatePath`, () => {
    const set = demanding([required])
    refuses(set, set.mallory.commit({ leaf: change }).message, "leaf-required-capabilities")
  })
}

test("leaf-required-capabilities: a leaf node without a required credential type, in the tree of a group to join", () => {
  const extensionData = encode(RequiredCapabilities, { extensionTypes: [], proposalTypes: [], credentialTypes: [7] })
  const group = new ForgedGroup(["ann", "ben"], { extensions: [{ extensionType: 3, extensionData }] }).commitAs(0)
  refusesEntry(group, "leaf-required-capabilities", { capabilities: { credentials: [1, 7] } })
})

test("leaf-required-capabilities: somebody is added who lacks them", () => {
  const set = demanding([required])
  const { keyPackage } = forgeKeyPackage(person("eve"))
  refuses(set, set.mallory.commit({ proposals: [addOf(keyPackage)] }).message, "leaf-required-capabilities")
})

test("leaf-required-capabilities: an Update gives them up", () => {
  const set = demanding([required])
  const leafNode = set.mallory.updatedLeaf(withCapabilities({ extensions: [] }))
  const update = set.mallory.propose({ type: "update", leafNode })
  for (const group of [set.alice, set.bob]) group.receive(update)
  const ref = set.alice.proposals[0]!.ref
  const accomplice = new Insider(set.people[1], set.bob)
  const sender = { type: "member", leafIndex: set.mallory.leafIndex } as const
  const { message } = accomplice.commit({ proposals: [{ proposal: { type: "update", leafNode }, sender, ref }] })
  refuses(set, message, "leaf-required-capabilities")
})

test("leaf-required-capabilities: our own new leaf node gives them up", () => {
  const { alice } = demanding([required])
  declines(alice, "leaf-required-capabilities", () => alice.commit({ leafCapabilities: { proposals: [] } }))
})

test("leaf-required-capabilities: an Update of ours gives them up", () => {
  const { alice, people } = demanding([required])
  const careless = Group.restore({ ...people[0].options, capabilities: {}, records: alice.records() })
  const before = stored(careless)
  breaks("leaf-required-capabilities", () => careless.propose({ type: "update" }))
  assert.deepEqual(stored(careless), before)
})

test("leaf-required-capabilities: the creator of a group lacks them", () => {
  const creator = person("ann")
  const wish = () => Group.create({ ...creator.options, groupId: provider.random(32), extensions: [required] })
  breaks("leaf-required-capabilities", wish)
})

test("leaf-group-extensions: somebody is added who does not support an extension of the group", () => {
  const set = demanding([extension(0xf001)])
  const { keyPackage } = forgeKeyPackage(person("eve"))
  refuses(set, set.mallory.commit({ proposals: [addOf(keyPackage)] }).message, "leaf-group-extensions")
})

test("leaf-group-extensions: a member of the tree does not support an extension of the group", () => {
  const group = new ForgedGroup(["ann", "ben"], { extensions: [extension(0xf001)] }).commitAs(0)
  refusesEntry(group, "leaf-group-extensions", listed)
})

// --- Signatures and sources ------------------------------------------------------------------------------------------

test("leaf-signature: a leaf node of the tree is not signed by its key", () => {
  const group = new ForgedGroup(["ann", "ben", "cem"])
  const right = group.tree.leaf(leaf(2))!
  group.tree.setLeaf(leaf(2), { ...right, signature: flipped(right.signature) })
  refusesEntry(group.commitAs(0), "leaf-signature")
})

test("leaf-signature: the signatures of a tree can be verified elsewhere, and are the leaves' own", () => {
  const who = person("eve")
  const { bundle } = forgeKeyPackage(who)
  const group = new ForgedGroup(["ann", "eve"], { joiner: { index: 1, who, bundle } }).commitAs(0)
  const welcome = group.welcome(bundle, 1)
  const prepared = Group.prepareJoin({ ...who.options, welcome, keyPackages: [bundle] })
  const { signature } = who.options.suite
  const valid = prepared.signatures().map((it) => signature.verify(it.publicKey, it.message, it.signature))
  assert.deepEqual(valid, Array(prepared.leaves).fill(true))
  assert.equal(prepared.stage({ signaturesVerified: true }).epoch, group.epoch)
})

test("leaf-signature: the leaf node of an Add that is proposed is not signed by its key", () => {
  const set = scene()
  const { keyPackage } = forgeKeyPackage(person("eve"), { leafSignature: flipped })
  refuses(set, set.mallory.propose(addOf(keyPackage)), "leaf-signature")
})

test("leaf-signature: the leaf node of an Add that is committed is not signed by its key", () => {
  const set = scene()
  const { keyPackage } = forgeKeyPackage(person("eve"), { leafSignature: flipped })
  refuses(set, set.mallory.commit({ proposals: [addOf(keyPackage)] }).message, "leaf-signature")
})

test("leaf-signature: the leaf node of an Update is signed for another leaf", () => {
  const set = scene()
  const leafNode = set.mallory.updatedLeaf(undefined, { leafIndex: leaf(0) })
  refuses(set, set.mallory.propose({ type: "update", leafNode }), "leaf-signature")
})

test("leaf-signature: the leaf node of an UpdatePath is signed for another group", () => {
  const set = scene()
  const leafPosition = { groupId: new Uint8Array(32), leafIndex: set.mallory.leafIndex }
  refuses(set, set.mallory.commit({ leafPosition }).message, "leaf-signature")
})

test("leaf-source-update: the leaf node of an Update says it is of a key package", () => {
  const set = scene()
  const lifetime = { notBefore: now - 1n, notAfter: now + 1n }
  const leafNode = set.mallory.updatedLeaf((it) => ({ ...it, leafNodeSource: { type: "keyPackage", lifetime } }))
  refuses(set, set.mallory.propose({ type: "update", leafNode }), "leaf-source-update")
})

test("leaf-source-update: the leaf node of an Update says it is of a Commit", () => {
  const set = scene()
  const parentHash = new Uint8Array(0)
  const leafNode = set.mallory.updatedLeaf((it) => ({ ...it, leafNodeSource: { type: "commit", parentHash } }))
  refuses(set, set.mallory.propose({ type: "update", leafNode }), "leaf-source-update")
})

test("leaf-source-commit: the leaf node of an UpdatePath says it is of an Update", () => {
  const set = scene()
  const leafNodeSource = { type: "update" } as const
  refuses(set, set.mallory.commit({ leaf: (it) => ({ ...it, leafNodeSource }) }).message, "leaf-source-commit")
})

test("leaf-source-commit: the leaf node of an UpdatePath says it is of a key package", () => {
  const set = scene()
  const leafNodeSource = { type: "keyPackage", lifetime: { notBefore: now - 1n, notAfter: now + 1n } } as const
  refuses(set, set.mallory.commit({ leaf: (it) => ({ ...it, leafNodeSource }) }).message, "leaf-source-commit")
})

test("leaf-source-key-package: the leaf node of a key package says it is of an Update", () => {
  const set = scene()
  const { keyPackage } = forgeKeyPackage(person("eve"), {
    leaf: (it) => ({ ...it, leafNodeSource: { type: "update" } }),
    leafPosition: { groupId: set.alice.id, leafIndex: leaf(3) },
  })
  refuses(set, set.mallory.commit({ proposals: [addOf(keyPackage)] }).message, "leaf-source-key-package")
})

// --- Keys ------------------------------------------------------------------------------------------------------------

test("leaf-encryption-key-new: an Update keeps the encryption key", () => {
  const set = scene()
  const { encryptionKey } = set.mallory.epoch.tree.leaf(set.mallory.leafIndex)!
  const leafNode = set.mallory.updatedLeaf((it) => ({ ...it, encryptionKey }))
  refuses(set, set.mallory.propose({ type: "update", leafNode }), "leaf-encryption-key-new")
})

test("leaf-encryption-key-new: an UpdatePath keeps the encryption key of the leaf", () => {
  const set = scene()
  const { encryptionKey } = set.mallory.epoch.tree.leaf(set.mallory.leafIndex)!
  refuses(set, set.mallory.commit({ leaf: (it) => ({ ...it, encryptionKey }) }).message, "leaf-encryption-key-new")
})

test("leaf-encryption-key-new: somebody who comes back by a Commit keeps the encryption key", () => {
  const set = scene()
  const { leafIndex: removed, epoch, person: joins } = set.mallory
  const { encryptionKey } = epoch.tree.leaf(removed)!
  const commit = set.mallory.commit({
    joins,
    proposals: [{ type: "remove", removed }],
    leaf: (it) => ({ ...it, encryptionKey }),
  })
  refuses(set, commit.message, "leaf-encryption-key-new")
})

test("leaf-signature-key-unique: an UpdatePath takes on the signature key of another member", () => {
  const set = scene()
  const { key } = set.people[1].signer
  const leafNode = (it: UnsignedLeafNode) => ({ ...it, signatureKey: key.publicKey })
  refuses(set, set.mallory.commit({ leaf: leafNode, leafKey: key }).message, "leaf-signature-key-unique")
})

test("leaf-signature-key-unique: two members of the tree have the same signature key", () => {
  const group = new ForgedGroup(["ann", "ben", "cem"])
  const twin = forgeKeyPackage(group.people[1]!).keyPackage.leafNode
  group.tree.setLeaf(leaf(2), twin)
  refusesEntry(group.commitAs(0), "leaf-signature-key-unique")
})

test("leaf-encryption-key-unique: somebody is added with the encryption key of a member", () => {
  const set = scene()
  const { encryptionKey } = set.mallory.epoch.tree.leaf(leaf(1))!
  const { keyPackage } = forgeKeyPackage(person("eve"), { leaf: (it) => ({ ...it, encryptionKey }) })
  refuses(set, set.mallory.commit({ proposals: [addOf(keyPackage)] }).message, "leaf-encryption-key-unique")
})

test("leaf-encryption-key-unique: two members of the tree have the same encryption key", () => {
  const group = new ForgedGroup(["ann", "ben", "cem"])
  const { encryptionKey } = group.tree.leaf(leaf(1))!
  const twin = forgeKeyPackage(group.people[2]!, { leaf: (it) => ({ ...it, encryptionKey }) }).keyPackage.leafNode
  group.tree.setLeaf(leaf(2), twin)
  refusesEntry(group.commitAs(0), "leaf-encryption-key-unique")
})

// --- Credentials -----------------------------------------------------------------------------------------------------

const x509 = { type: "x509", certificates: [{ certData: new Uint8Array([1, 2, 3]) }] } as const

test("leaf-credential-supported: a credential of a type that another member does not support", () => {
  const group = new ForgedGroup(["ann", "ben", "cem"], {
    leaf: (it, i) =>
      i === 0 ? { ...it, credential: x509 } : i === 2 ? withCapabilities({ credentials: [1] })(it) : it,
  })
  refusesEntry(group, "leaf-credential-supported")
})

test("leaf-credential-supported: somebody is added with a credential that not every member supports", () => {
  const set = scene({ capabilities: { credentials: [1] } })
  const { keyPackage } = forgeKeyPackage(person("eve"), { leaf: (it) => ({ ...it, credential: x509 }) })
  refuses(set, set.mallory.commit({ proposals: [addOf(keyPackage)] }).message, "leaf-credential-supported")
})

test("leaf-supports-credentials: a leaf node without a credential type that is in use", () => {
  const group = new ForgedGroup(["ann", "ben", "cem"], {
    leaf: (it, i) =>
      i === 2 ? { ...it, credential: x509 } : i === 0 ? withCapabilities({ credentials: [1] })(it) : it,
  })
  refusesEntry(group, "leaf-supports-credentials")
})

test("leaf-supports-credentials: an UpdatePath gives up a credential type that is in use", () => {
  const set = scene()
  const change = (it: UnsignedLeafNode) => ({
    ...withCapabilities({ credentials: [2] })(it),
    credential: x509,
  })
  refuses(set, set.mallory.commit({ leaf: change }).message, "leaf-supports-credentials")
})

// --- Lifetimes -------------------------------------------------------------------------------------------------------

const living =
  (notBefore: bigint, notAfter: bigint): Change =>
  (it) => ({
    ...it,
    leafNodeSource: { type: "keyPackage", lifetime: { notBefore, notAfter } },
  })
const lifetimes: readonly (readonly [string, Change])[] = [
  ["of two years", living(now, now + 2n * 366n * 86400n)],
  ["without an end", living(0n, 2n ** 64n - 1n)],
  ["that ends before it begins", living(now + 1n, now)],
]
for (const [what, change] of lifetimes) {
  test(`leaf-lifetime-length: a lifetime ${what}, in an Add`, () => {
    const set = scene()
    const { keyPackage } = forgeKeyPackage(person("eve"), { leaf: change })
    refuses(set, set.mallory.commit({ proposals: [addOf(keyPackage)] }).message, "leaf-lifetime-length")
  })
  test(`leaf-lifetime-length: a lifetime ${what}, in the tree of a group to join`, () => {
    const group = new ForgedGroup(["ann", "ben"], { leaf: (it, i) => (i === 1 ? change(it) : it) }).commitAs(0)
    refusesEntry(group, "leaf-lifetime-length")
  })
}

test("a lifetime without an end is accepted by an application that allows it", () => {
  const policy: Partial<GroupPolicy> = { lifetimeSecondsMax: 2n ** 64n }
  const leafOf = (it: UnsignedLeafNode) => living(0n, 2n ** 64n - 1n)(it)
  const set = scene({ policy })
  const { keyPackage } = forgeKeyPackage(person("eve"), { leaf: leafOf })
  follow(set.alice, set.mallory.commit({ proposals: [addOf(keyPackage)] }).message)
  assert.equal(set.alice.members.length, 4)
  const group = new ForgedGroup(["ann", "ben"], { leaf: (it, i) => (i === 1 ? leafOf(it) : it) }).commitAs(0)
  assert.equal(entry(group, { policy }).epoch, 6n)
})

const expired = living(now - 100n, now - 1n)
const early = living(now + 1n, now + 100n)
for (const [what, change] of [
  ["has ended", expired],
  ["has not begun", early],
] as const) {
  test(`leaf-lifetime-current: we propose to add somebody whose lifetime ${what}`, () => {
    const { alice } = scene()
    const { message: keyPackage } = forgeKeyPackage(person("eve"), { leaf: change })
    declines(alice, "leaf-lifetime-current", () => alice.propose({ type: "add", keyPackage }))
  })
  test(`leaf-lifetime-current: we add somebody whose lifetime ${what}`, () => {
    const { alice } = scene()
    const { message: keyPackage } = forgeKeyPackage(person("eve"), { leaf: change })
    declines(alice, "leaf-lifetime-current", () => alice.commit({ add: [keyPackage] }))
  })
  test(`leaf-lifetime-current: a member whose lifetime ${what}, where the application does not allow it`, () => {
    const group = new ForgedGroup(["ann", "ben"], { leaf: (it, i) => (i === 1 ? change(it) : it) }).commitAs(0)
    refusesEntry(group, "leaf-lifetime-current", { policy: { expiredMembersAllowed: false } })
    assert.equal(entry(group).epoch, 6n)
  })
}

test("a lifetime that ended on the way is no reason to refuse a commit that everybody else has accepted", () => {
  const set = scene()
  const { keyPackage } = forgeKeyPackage(person("eve"), { leaf: expired })
  follow(set.alice, set.mallory.commit({ proposals: [addOf(keyPackage)] }).message)
  assert.equal(set.alice.members.length, 4)
})

// --- Key packages ----------------------------------------------------------------------------------------------------

type KeyPackageForgery = NonNullable<Parameters<typeof forgeKeyPackage>[1]>
const wrongKeyPackages: readonly (readonly [RuleId, string, KeyPackageForgery])[] = [
  ["key-package-signature", "a key package is signed by another key", { key: person("eve").signer.key }],
  ["key-package-suite", "a key package of another suite", { keyPackage: (it) => ({ ...it, cipherSuite: 3 }) }],
  ["key-encryption-valid", "an init key of 31 bytes", { keyPackage: (it) => ({ ...it, initKey: new Uint8Array(31) }) }],
  [
    "key-package-init-key",
    "the init key of a key package is its encryption key",
    { keyPackage: (it) => ({ ...it, initKey: it.leafNode.encryptionKey }) },
  ],
  [
    "extensions-distinct",
    "a key package with two extensions of a type",
    { keyPackage: (it) => ({ ...it, extensions: [extension(0xf004), extension(0xf004)] }) },
  ],
  [
    "extension-place",
    "a ratchet tree in a key package",
    { keyPackage: (it) => ({ ...it, extensions: [extension(2)] }) },
  ],
]
for (const [id, what, forgery] of wrongKeyPackages) {
  test(`${id}: ${what}`, () => {
    const set = scene()
    const { keyPackage, message } = forgeKeyPackage(person("eve"), forgery)
    breaks(id, () => validateKeyPackage(set.alice.suite, keyPackage))
    declines(set.alice, id, () => set.alice.commit({ add: [message] }))
    refuses(set, set.mallory.propose(addOf(keyPackage)), id)
  })
  test(`${id}: ${what}, committed`, () => {
    const set = scene()
    const { keyPackage } = forgeKeyPackage(person("eve"), forgery)
    refuses(set, set.mallory.commit({ proposals: [addOf(keyPackage)] }).message, id)
  })
}

test("unknown extensions of a key package are ignored, listed or not", () => {
  const set = scene()
  const { keyPackage } = forgeKeyPackage(person("eve"), {
    keyPackage: (it) => ({ ...it, extensions: [extension(0x0a0a), extension(0xf005)] }),
  })
  follow(set.alice, set.mallory.commit({ proposals: [addOf(keyPackage)] }).message)
  assert.equal(set.alice.members.length, 4)
})

const ownKeyPackage = (options: Partial<Parameters<typeof createKeyPackage>[0]>) => {
  const { options: group, signer } = person("eve")
  const lifetime = { notBefore: now, notAfter: now + 86400n }
  return () => createKeyPackage({ suite: group.suite, signer, lifetime, ...options })
}

test("key-package-extensions-listed: a key package of ours has an extension that it does not list", () => {
  breaks("key-package-extensions-listed", ownKeyPackage({ extensions: [extension(0xf001)] }))
  ownKeyPackage({ extensions: [extension(0xf001)], capabilities: { extensions: [0xf001] } })()
})

test("leaf-extensions-listed: the leaf node of a key package of ours has an extension that it does not list", () => {
  breaks("leaf-extensions-listed", ownKeyPackage({ leafExtensions: [extension(0xf001)] }))
})

test("extensions-distinct: a key package of ours has two extensions of a type", () => {
  const capabilities = { extensions: [0xf001] }
  breaks("extensions-distinct", ownKeyPackage({ extensions: [extension(0xf001), extension(0xf001)], capabilities }))
})

test("leaf-capabilities-default: a key package of ours lists default types", () => {
  breaks("leaf-capabilities-default", ownKeyPackage({ capabilities: { proposals: [1, 2, 3] } }))
})

test("default types in capabilities are accepted by an application that allows them", () => {
  const policy: Partial<GroupPolicy> = { listedDefaultsAllowed: true }
  const set = scene({ policy })
  const { keyPackage } = forgeKeyPackage(person("eve"), {
    leaf: withCapabilities({ extensions: [1, 2, 3, 4, 5], proposals: [1, 2, 3, 4, 5, 6, 7] }),
  })
  follow(set.alice, set.mallory.commit({ proposals: [addOf(keyPackage)] }).message)
  assert.equal(set.alice.members.length, 4)
})

// --- Verdicts --------------------------------------------------------------------------------------------------------

test("credential-accepted: a commit is applied without a verdict on somebody new", () => {
  const { alice, bob } = scene()
  const { message } = bob.commit({ add: [keyPackageOf(person("eve")).keyPackage] })
  const received = alice.receive(message)
  assert(received.type === "commit")
  const { staged } = received
  assert.equal(staged.claims.length, 1)
  const before = stored(alice)
  for (const verdicts of [[], [{ claim: staged.claims[0]!, accepted: false }]]) {
    breaks("credential-accepted", () => alice.apply(staged, verdicts))
  }
  assert.deepEqual(stored(alice), before)
  alice.apply(staged, [{ claim: staged.claims[0]!, accepted: true }])
  follow(bob, message)
  understands(alice, bob)
})

test("credential-accepted: a group is entered by a Welcome without verdicts", () => {
  const who = person("eve")
  const { bundle } = forgeKeyPackage(who)
  const group = new ForgedGroup(["ann", "eve"], { joiner: { index: 1, who, bundle } }).commitAs(0)
  const staged = Group.stageJoin({ ...who.options, welcome: group.welcome(bundle, 1), keyPackages: [bundle] })
  breaks("credential-accepted", () => staged.accept([]))
  assert.equal(staged.accept([{ claim: staged.claims[0]!, accepted: true }]).epoch, group.epoch)
})

test("credential-accepted: a group is entered by a Commit without verdicts", () => {
  const staged = entry(new ForgedGroup(["ann", "ben"]).commitAs(0))
  const [first, second] = staged.claims
  breaks("credential-accepted", () => staged.accept([{ claim: first!, accepted: true }]))
  assert.equal(staged.accept([first!, second!].map((claim) => ({ claim, accepted: true }))).epoch, 6n)
})
