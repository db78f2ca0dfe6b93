import assert from "node:assert/strict"
import { mock, test } from "node:test"
import { encode } from "@conclave/codec"
import { type Extension, Group, type GroupOptions, type RuleId } from "@conclave/mls"
import { RequiredCapabilities, type UnsignedLeafNode } from "../src/wire.js"
import { follow, now, person, provider } from "./group-fixture.js"
import { ForgedGroup, forgeKeyPackage } from "./rules/forged-group.js"
import { Insider, leaf } from "./rules/insider.js"
import { type Change, entry, extension, flipped, refusesEntry, withCapabilities } from "./rules/leaves.js"
import { addOf, breaks, declines, refuses, type Scene, scene, stored } from "./rules/scene.js"

/** So many extension types of an application's own. */
const upTo = (count: number) => Array.from({ length: count }, (_, i) => 0xf100 + i)

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
  ["leaf-capabilities-length", "257 extension types that it supports", withCapabilities({ extensions: upTo(257) })],
  ["leaf-capabilities-length", "one credential type 257 times", withCapabilities({ credentials: Array(257).fill(1) })],
  [
    "extensions-length",
    "257 extensions",
    (it) => ({ ...withCapabilities({ extensions: upTo(256) })(it), extensions: upTo(257).map(extension) }),
  ],
  [
    "credential-chain",
    "an X.509 credential without a certificate",
    (it) => ({ ...it, credential: { type: "x509", certificates: [] } }),
  ],
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

test("leaf-required-capabilities: type 0 is reserved, and none of those that everybody supports", () => {
  for (const kind of ["extensionTypes", "proposalTypes"] as const) {
    const types = { extensionTypes: [], proposalTypes: [], credentialTypes: [], [kind]: [0] }
    const extensions = [{ extensionType: 3, extensionData: encode(RequiredCapabilities, types) }]
    const { options } = person("ann")
    const wish = (capabilities: GroupOptions["capabilities"] = {}) =>
      Group.create({ ...options, capabilities, groupId: provider.random(32), extensions })
    breaks("leaf-required-capabilities", wish)
    assert.equal(wish({ extensions: [0], proposals: [0] }).epoch, 0n)
  }
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
  const verified = mock.method(signature, "verify")
  assert.equal(prepared.stage({ signaturesVerified: true }).epoch, group.epoch)
  assert.equal(verified.mock.callCount(), 0, "nor are they verified again")
  verified.mock.restore()
  // Together or one by one: they are verified.
  const counted = { ...signature }
  let count = 0
  Object.assign(counted, {
    beginVerifying: undefined,
    verify: (...it: Parameters<typeof signature.verify>) => {
      count++
      return signature.verify(...it)
    },
  })
  const suite = { ...who.options.suite, signature: counted }
  Group.stageJoin({ ...who.options, suite, welcome, keyPackages: [bundle] })
  assert.equal(count, prepared.leaves + 1, "the leaves, and the GroupInfo")
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
