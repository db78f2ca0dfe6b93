import assert from "node:assert/strict"
import { test } from "node:test"
import { Group, type GroupOptions, leafIndex, type Proposal } from "@conclave/mls"
import { follow, person, provider, utf8 } from "./group-fixture.js"
import { Insider, leaf } from "./rules/insider.js"
import { addOf, breaks, newcomer, refuses, scene } from "./rules/scene.js"

const random = (length: number) => new Uint8Array(provider.random(length))
const remove = (index: number): Proposal => ({ type: "remove", removed: leaf(index) })

/** Mallory's path has two steps: five members, and she is the third. */
const wide = (extra: Partial<GroupOptions> = {}) => scene(extra, ["alice", "bob", "mallory", "dave", "erin"])

// --- Update paths ----------------------------------------------------------------------------------------------------

test("path-length: an UpdatePath has a node too many", () => {
  const set = wide()
  const extra = { encryptionKey: set.mallory.suite.hpke.deriveKeyPair(random(32)).publicKey, encryptedPathSecret: [] }
  refuses(set, set.mallory.commit({ nodes: (it) => [...it, extra] }).message, "path-length")
})

test("path-length: an UpdatePath lacks its last node", () => {
  const set = wide()
  refuses(set, set.mallory.commit({ nodes: (it) => it.slice(0, -1) }).message, "path-length")
})

test("path-ciphertexts: a path secret is encrypted once too often", () => {
  const set = wide()
  const { message } = set.mallory.commit({
    nodes: (it) =>
      it.map((node) => ({ ...node, encryptedPathSecret: [...node.encryptedPathSecret, node.encryptedPathSecret[0]!] })),
  })
  refuses(set, message, "path-ciphertexts")
})

test("path-ciphertexts: a path secret is encrypted to a newcomer as well", () => {
  const set = scene()
  const { message } = set.mallory.commit({
    proposals: [addOf(newcomer().keyPackage)],
    nodes: ([first, ...rest]) => [{ ...first!, encryptedPathSecret: [rest[0]!.encryptedPathSecret[0]!] }, ...rest],
  })
  refuses(set, message, "path-ciphertexts")
})

test("key-encryption-valid: an UpdatePath has a public key of 31 bytes", () => {
  const set = wide()
  const { message } = set.mallory.commit({ publicKeys: ([first, ...rest]) => [first!.subarray(1), ...rest] })
  refuses(set, message, "key-encryption-valid")
})

test("path-parent-hash: the committer's leaf holds another parent hash", () => {
  const set = wide()
  for (const parentHash of [random(32), new Uint8Array(0), random(31)]) {
    const leafNodeSource = { type: "commit", parentHash } as const
    const { message } = new Insider(set.people[2], set.groups[2]!).commit({ leaf: (it) => ({ ...it, leafNodeSource }) })
    breaks("path-parent-hash", () => set.alice.receive(message))
  }
  const leafNodeSource = { type: "commit", parentHash: random(32) } as const
  refuses(set, set.mallory.commit({ leaf: (it) => ({ ...it, leafNodeSource }) }).message, "path-parent-hash")
})

test("path-keys-new: a public key of an UpdatePath is in the tree already", () => {
  const set = wide()
  const { message } = set.mallory.commit({
    publicKeys: ([, ...rest], tree) => [tree.leaf(leaf(0))!.encryptionKey, ...rest],
  })
  refuses(set, message, "path-keys-new")
})

test("path-keys-new: the leaf's public key is that of another member", () => {
  const set = wide()
  const { encryptionKey } = set.mallory.epoch.tree.leaf(leaf(3))!
  refuses(set, set.mallory.commit({ leaf: (it) => ({ ...it, encryptionKey }) }).message, "path-keys-new")
})

test("path-keys-new: a public key is in an UpdatePath twice", () => {
  const set = wide()
  refuses(set, set.mallory.commit({ publicKeys: (it) => it.map(() => it[0]!) }).message, "path-keys-new")
})

test("path-keys-derived: a public key of an UpdatePath does not follow from the path secret", () => {
  for (const which of [0, 1, 2]) {
    const set = wide()
    const stray = set.mallory.suite.hpke.deriveKeyPair(random(32)).publicKey
    // Dave stands below the first step and sees all of the path, Alice and Bob what is above.
    const dave = set.groups[3]!
    const { message } = set.mallory.commit({ publicKeys: (it) => it.map((key, i) => (i === which ? stray : key)) })
    refuses({ alice: dave, bob: set.bob }, message, "path-keys-derived")
  }
})

test("path-secret-decrypts: a path secret is encrypted to somebody else", () => {
  const set = wide()
  const { message } = set.mallory.commit({
    nodes: (it) =>
      it.map((node) => ({
        ...node,
        encryptedPathSecret: node.encryptedPathSecret.map(({ kemOutput, ciphertext }) => ({
          kemOutput,
          ciphertext: ciphertext.map((byte, i) => (i === 0 ? byte ^ 1 : byte)),
        })),
      })),
  })
  refuses(set, message, "path-secret-decrypts")
})

test("path-secret-decrypts: a path secret of 16 bytes", () => {
  const set = scene({}, ["alice", "bob", "mallory", "dave"])
  const { message } = set.mallory.commit({ firstPathSecret: random(16) })
  // Dave is told the first secret itself.
  refuses({ alice: set.groups[3]!, bob: set.bob }, message, "path-secret-decrypts")
})

// --- Commits ---------------------------------------------------------------------------------------------------------

test("commit-path-required: a Commit of nothing without a path", () => {
  const set = scene()
  refuses(set, set.mallory.commit({ path: false }).message, "commit-path-required")
})

for (const [what, proposals] of [
  ["a Remove", [remove(1)]],
  ["new group extensions", [{ type: "groupContextExtensions", extensions: [] }]],
] as const) {
  test(`commit-path-required: a Commit of ${what} without a path`, () => {
    const set = scene({}, ["alice", "bob", "mallory", "dave"])
    const { message } = set.mallory.commit({ proposals, path: false })
    refuses({ alice: set.alice, bob: set.groups[3]! }, message, "commit-path-required")
  })
}

test("commit-confirmation-tag: a wrong confirmation tag", () => {
  const set = scene()
  const confirmationTag = (right: Uint8Array) => right.map((byte, i) => (i === 31 ? byte ^ 1 : byte))
  refuses(set, set.mallory.commit({ confirmationTag }).message, "commit-confirmation-tag")
})

test("tree-size: a Commit adds more members than the application allows", () => {
  const set = scene({ policy: { leafCountMax: 4 } })
  const proposals = [addOf(newcomer("dave").keyPackage), addOf(newcomer("erin").keyPackage)]
  refuses(set, set.mallory.commit({ proposals }).message, "tree-size")
  const { alice, mallory } = scene({ policy: { leafCountMax: 4 } })
  follow(alice, mallory.commit({ proposals: proposals.slice(0, 1) }).message)
  assert.equal(alice.members.length, 4)
})

// --- External Commits ------------------------------------------------------------------------------------------------

test("external-by-value: somebody who joins refers to a proposal", () => {
  const set = scene()
  const { message: update, ref } = set.bob.propose({ type: "update" })
  set.alice.receive(update)
  const sender = { type: "member", leafIndex: leafIndex(1) } as const
  const { proposal } = set.alice.proposals[0]!
  const commit = set.mallory.commit({ joins: person("eve"), proposals: [{ proposal, sender, ref }] })
  refuses(set, commit.message, "external-by-value")
})

test("external-init-once: somebody joins with two ExternalInits", () => {
  const set = scene()
  const { kemOutput } = set.mallory.commit({ joins: person("eve") }).applied
  const init: Proposal = { type: "externalInit", kemOutput: kemOutput! }
  refuses(set, set.mallory.commit({ joins: person("eve"), proposals: [init, init] }).message, "external-init-once")
})

test("external-init-once: somebody joins without an ExternalInit", () => {
  const set = scene()
  const eve = person("eve")
  // The right init secret is no longer of use to her: nobody learns it.
  const { message } = set.mallory.commit({
    joins: eve,
    proposals: [{ type: "psk", psk: { psktype: { type: "external", pskId: utf8("key") }, pskNonce: random(32) } }],
    withoutExternalInit: true,
  })
  refuses(set, message, "external-init-once")
})

test("external-init-decapsulates: the kem_output of an ExternalInit is malformed", () => {
  const set = scene()
  for (const kemOutput of [new Uint8Array(31), new Uint8Array(0)]) {
    const message = set.mallory.commit({ joins: person("eve"), kemOutput: () => kemOutput }).message
    breaks("external-init-decapsulates", () => set.alice.receive(message))
  }
  const message = set.mallory.commit({ joins: person("eve"), kemOutput: () => new Uint8Array(33) }).message
  refuses(set, message, "external-init-decapsulates")
})

test("external-remove-once: somebody who joins removes two members", () => {
  const set = scene({}, ["alice", "bob", "mallory", "dave"])
  const { message } = set.mallory.commit({ joins: person("eve"), proposals: [remove(2), remove(3)] })
  refuses(set, message, "external-remove-once")
})

for (const [what, proposal] of [
  ["adds somebody", addOf(newcomer("erin").keyPackage)],
  ["sets group extensions", { type: "groupContextExtensions", extensions: [] }],
  ["reinitialises the group", { type: "reinit", groupId: utf8("next"), version: 1, cipherSuite: 1, extensions: [] }],
] as const) {
  test(`external-proposal-types: somebody who joins ${what}`, () => {
    const set = scene()
    refuses(set, set.mallory.commit({ joins: person("eve"), proposals: [proposal] }).message, "external-proposal-types")
  })
}

test("proposal-remove-member: somebody who joins removes nobody", () => {
  const set = scene()
  const { message } = set.mallory.commit({ joins: person("eve"), proposals: [remove(77)] })
  refuses(set, message, "proposal-remove-member")
})

test("psk-nonce-length: somebody joins with a nonce of 31 bytes", () => {
  const { alice } = scene()
  const psk = { psktype: { type: "external", pskId: utf8("key") }, pskNonce: random(31) } as const
  const { options } = person("eve")
  const groupInfo = alice.groupInfo({ withExternalPub: true, withRatchetTree: true })
  breaks("psk-nonce-length", () => Group.stageExternalJoin({ ...options, groupInfo, withPsks: [psk] }))
})

test("psk-distinct: somebody joins with a pre-shared key twice", () => {
  const set = scene({ psks: () => utf8("shared") })
  const psk = { psktype: { type: "external", pskId: utf8("key") }, pskNonce: random(32) } as const
  const proposal = { type: "psk", psk } as const
  refuses(set, set.mallory.commit({ joins: person("eve"), proposals: [proposal, proposal] }).message, "psk-distinct")
})

test("a forged Commit with nothing wrong is understood, from inside and from outside", () => {
  for (const joins of [undefined, person("eve")]) {
    const { alice, mallory } = scene()
    const { message, next } = mallory.commit(joins === undefined ? {} : { joins })
    follow(alice, message)
    assert.deepEqual(alice.epochAuthenticator, next.secrets.authenticator)
  }
})
