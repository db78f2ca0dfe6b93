import assert from "node:assert/strict"
import { test } from "node:test"
import { type Codec, decode, encode } from "@conclave/codec"
import { type Extension, Group, type GroupOptions, type Proposal, type Sliced, toEnd } from "@conclave/mls"
import { mostThatFit } from "../src/group/received-proposals.js"
import type { SentProposal } from "../src/group/types.js"
import { Commit, ExternalSenders, HPKECiphertext, RequiredCapabilities, UpdatePath } from "../src/wire.js"
import { create, follow, groupOf, keyPackageOf, person, provider, utf8 } from "./group-fixture.js"
import { encodeNodes, ForgedGroup } from "./rules/forged-group.js"
import { leaf } from "./rules/insider.js"
import { entry } from "./rules/leaves.js"
import { addOf, breaks, declines, newcomer, refuses, scene, settle } from "./rules/scene.js"

const random = (length: number) => new Uint8Array(provider.random(length))
const reference = { type: "reference", reference: new Uint8Array(0) } as const
const setsExtensions = (...extensions: Extension[]): Proposal => ({ type: "groupContextExtensions", extensions })

// --- What is read on -------------------------------------------------------------------------------------------------

test("a list that is longer than anybody's is not read to its end", () => {
  const { mallory } = scene()
  const step = { encryptionKey: random(32), encryptedPathSecret: [] }
  const leafNode = mallory.epoch.tree.leaf(mallory.leafIndex)!
  const reads = <T>(codec: Codec<T>, countMax: number, of: (count: number) => T) => {
    assert.equal(encode(codec, decode(codec, encode(codec, of(countMax)))).length, encode(codec, of(countMax)).length)
    const longer = encode(codec, of(countMax + 1))
    assert.throws(() => decode(codec, longer), { name: "DecodeError", message: new RegExp(`more than ${countMax} `) })
  }
  reads(RequiredCapabilities, 1024, (count) => {
    return { extensionTypes: Array(count).fill(1), proposalTypes: [], credentialTypes: [] }
  })
  reads(Commit, 32_768, (count) => ({ proposals: Array(count).fill(reference), path: undefined }))
  reads(UpdatePath, 64, (count) => ({ leafNode, nodes: Array(count).fill(step) }))
})

test("a ciphertext that is shorter than any key encapsulation or any tag is not read", () => {
  const reads = (kemSize: number, size: number) =>
    decode(HPKECiphertext, encode(HPKECiphertext, { kemOutput: random(kemSize), ciphertext: random(size) }))
  for (const [kemSize, size] of [
    [31, 16],
    [32, 15],
  ] as const) {
    assert.throws(() => reads(kemSize, size), { name: "DecodeError", message: /at least/ })
  }
  assert.equal(reads(32, 16).ciphertext.length, 16)
})

// --- Lists of the group ----------------------------------------------------------------------------------------------

const required = (list: Partial<Parameters<typeof RequiredCapabilities.write>[1]>): Extension => ({
  extensionType: 3,
  extensionData: encode(RequiredCapabilities, { extensionTypes: [], proposalTypes: [], credentialTypes: [], ...list }),
})
const { publicKey } = person("external").signer.key
const senders = (count: number): Extension => ({
  extensionType: 5,
  extensionData: encode(
    ExternalSenders,
    Array.from({ length: count }, () => ({
      signatureKey: publicKey,
      credential: { type: "basic", identity: utf8("") },
    })),
  ),
})
const identity = random(0x2_0000)
const large: Extension = {
  extensionType: 5,
  extensionData: encode(ExternalSenders, [{ signatureKey: publicKey, credential: { type: "basic", identity } }]),
}

for (const [id, what, extension] of [
  [
    "required-capabilities-length",
    "257 extension types that are required",
    required({ extensionTypes: Array(257).fill(1) }),
  ],
  ["required-capabilities-length", "257 proposal types", required({ proposalTypes: Array(257).fill(1) })],
  ["required-capabilities-length", "257 credential types", required({ credentialTypes: Array(257).fill(1) })],
  ["external-senders-length", "257 external senders", senders(257)],
  ["extensions-size", "an external sender with a name of 128 KiB", large],
] as const) {
  test(`${id}: ${what}`, () => {
    const proposed = scene()
    refuses(proposed, proposed.mallory.propose(setsExtensions(extension)), id)
    const committed = scene()
    refuses(committed, committed.mallory.commit({ proposals: [setsExtensions(extension)] }).message, id)
    declines(committed.alice, id, () => committed.alice.commit({ extensions: [extension] }))
    const alone = { ...person("ann").options, groupId: random(32), extensions: [extension] }
    breaks(id, () => Group.create(alone))
    breaks(id, () => entry(new ForgedGroup(["ann", "ben"], { extensions: [extension] }).commitAs(0)))
  })
}

test("what is as long as it may be is taken", () => {
  const { alice, bob } = scene()
  const commit = alice.commit({ extensions: [required({ extensionTypes: Array(256).fill(1) }), senders(256)] })
  settle(alice, commit)
  follow(bob, commit.message)
  assert.deepEqual(alice.epochAuthenticator, bob.epochAuthenticator)
})

test("extensions-length: a group has 257 extensions", () => {
  const set = scene()
  const extensions = Array.from({ length: 257 }, (_, i) => ({ extensionType: 0xf100 + i, extensionData: random(1) }))
  refuses(set, set.mallory.propose(setsExtensions(...extensions)), "extensions-length")
})

test("group-id-length: a group without a name, one with a name of 64 KiB, and a ReInit to them", () => {
  for (const groupId of [new Uint8Array(0), random(0x1_0000)]) {
    breaks("group-id-length", () => Group.create({ ...person("ann").options, groupId }))
    breaks("group-id-length", () => entry(new ForgedGroup(["ann", "ben"], { groupId }).commitAs(0)))
    const set = scene()
    const reInit: Proposal = { type: "reinit", groupId, version: 1, cipherSuite: 1, extensions: [] }
    refuses(set, set.mallory.propose(reInit), "group-id-length")
  }
})

test("psk-count: a Commit uses a pre-shared key 257 times", () => {
  const set = scene({ psks: () => utf8("a secret that everybody knows") })
  const psks = Array.from({ length: 257 }, (): Proposal => {
    return { type: "psk", psk: { psktype: { type: "external", pskId: utf8("key") }, pskNonce: random(32) } }
  })
  refuses(set, set.mallory.commit({ proposals: psks }).message, "psk-count")
  declines(set.alice, "psk-count", () => set.alice.commit({ externalPsks: Array(257).fill(utf8("key")) }))
})

// --- Proposals -------------------------------------------------------------------------------------------------------

test("proposal-count: one sender proposes more than 256 times in an epoch, and nobody else is the worse for it", () => {
  const { people, groups } = groupOf(["alice", "bob"])
  const [alice, bob] = groups as [Group, Group]
  const { message: first } = bob.propose({ type: "remove", leafIndex: leaf(0) })
  follow(alice, first)
  for (let i = 1; i < 256; i++) {
    const { message } = bob.propose({ type: "remove", leafIndex: leaf(0) }, { authenticatedData: random(4) })
    alice.receive(message)
  }
  breaks("proposal-count", () => bob.propose({ type: "remove", leafIndex: leaf(0) }))
  assert.equal(alice.proposals.length, 256)
  // Those that are stored count after a restart, too.
  const again = Group.restore({ ...people[1]!.options, records: bob.records() })
  breaks("proposal-count", () => again.propose({ type: "remove", leafIndex: leaf(0) }))
  const { message } = alice.propose({ type: "update" })
  assert.equal(bob.receive(message).type, "proposal")
})

test("proposal-count: a member that does not count is refused by those who do", () => {
  const { alice, mallory } = scene()
  const propose = (i: number) => mallory.propose(removal(0), { content: { authenticatedData: utf8(`${i}`) } })
  for (let i = 0; i < 256; i++) alice.receive(propose(i))
  breaks("proposal-count", () => alice.receive(propose(256)))
})

const removal = (index: number): Proposal => ({ type: "remove", removed: leaf(index) })

test("proposals that nobody can commit cost a committer no path each", () => {
  let drawn = 0
  const counted: Partial<GroupOptions> = {
    random: (length) => {
      drawn++
      return random(length)
    },
  }
  const drawnByCommit = (unknown: number) => {
    const { alice, mallory } = scene(counted, ["alice", "bob", "mallory", "dora", "erin", "fred", "gina", "hugo"])
    for (let i = 0; i < unknown; i++) {
      const psktype = { type: "external", pskId: random(8) } as const
      alice.receive(mallory.propose({ type: "psk", psk: { psktype, pskNonce: random(32) } }))
    }
    alice.receive(mallory.propose(addOf(newcomer("zoe").keyPackage)))
    drawn = 0
    const commit = alice.commit()
    assert.equal(commit.added.length, 1)
    return drawn
  }
  const without = drawnByCommit(0)
  // Capabilities and a leaf's key pair are drawn before it shows that a list cannot be committed; nothing else is.
  assert(drawnByCommit(50) - without <= 60, "a path has been made for a proposal that cannot be committed")
})

test("one whose proposals cannot be committed does not keep another's from being committed", () => {
  const set = scene()
  for (let i = 0; i < 200; i++) {
    const psktype = { type: "external", pskId: random(8) } as const
    set.alice.receive(set.mallory.propose({ type: "psk", psk: { psktype, pskNonce: random(32) } }))
  }
  const leaving = set.bob.propose({ type: "remove", leafIndex: set.bob.ownLeafIndex })
  set.alice.receive(leaving.message)
  const commit = set.alice.commit()
  assert.deepEqual(
    commit.removals.map(({ proposedBy }) => proposedBy?.leafIndex),
    [set.bob.ownLeafIndex],
  )
})

test("a list is asked about once for each sender, and once for each proposal of one who proposes nonsense", () => {
  const known = (sender: number, i: number, isBad: boolean) => ({
    proposal: removal(isBad ? 1 : 0),
    sender: { type: "member", leafIndex: leaf(sender) } as const,
    ref: utf8(`${sender} ${i}`),
  })
  const honest = Array.from({ length: 100 }, (_, sender) => [0, 1, 2].map((i) => known(sender, i, false))).flat()
  const bad = Array.from({ length: 256 }, (_, i) => known(100, i, i % 2 === 0))
  let asked = 0
  const fits = function* (list: readonly SentProposal[]): Sliced<boolean> {
    asked++
    return list.every(({ proposal }) => proposal.type === "remove" && proposal.removed === 0)
  }
  const taken = toEnd(mostThatFit([...bad, ...honest], fits))
  // Everything, nothing, each sender, and each proposal of the last one; what stays is in the order in which it came.
  assert.equal(asked, 2 + 101 + 256)
  assert.deepEqual(taken, [...bad.filter((_, i) => i % 2 === 1), ...honest])
})

// --- Trees -----------------------------------------------------------------------------------------------------------

/** Two members, one of them in the last of so many leaves. */
function sparse(leaves: number) {
  const group = new ForgedGroup(["ann", "ben"])
  const nodes = group.nodes()
  return { group, ratchetTree: encodeNodes([nodes[0], ...Array(2 * leaves - 3).fill(undefined), nodes[2]]) }
}

test("tree-sparse: two members in a tree of 65,536 leaves, which is not built", () => {
  const { group, ratchetTree } = sparse(0x1_0000)
  breaks("tree-sparse", () =>
    Group.stageExternalJoin({ ...person("eve").options, groupInfo: group.groupInfo({ ratchetTree }) }),
  )
  // One that is small is judged by what is in it, however few there are.
  const small = sparse(0x8000)
  breaks("tree-hash", () =>
    Group.stageExternalJoin({
      ...person("eve").options,
      groupInfo: small.group.groupInfo({ ratchetTree: small.ratchetTree }),
    }),
  )
})

test("a group whose first and last members are the only ones left can still be joined", () => {
  const creator = create(person("ann"))
  const people = Array.from({ length: 64 }, (_, i) => keyPackageOf(person(`${i}`)).keyPackage)
  settle(creator, creator.commit({ add: people, path: false }))
  const middle = Array.from({ length: 62 }, (_, i) => leaf(i + 1))
  settle(creator, creator.commit({ remove: middle }))
  assert.equal(creator.memberCount, 3)
  assert.equal(creator.nodeCount, 255)
  const groupInfo = creator.groupInfo({ withExternalPub: true, withRatchetTree: true })
  assert.equal(Group.stageExternalJoin({ ...person("eve").options, groupInfo }).epoch, 3n)
})
