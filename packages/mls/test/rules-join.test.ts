import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { encode } from "@conclave/codec"
import {
  type Extension,
  Group,
  type GroupOptions,
  type KeyPackageBundle,
  type PreSharedKeyID,
  type RuleId,
} from "@conclave/mls"
import { ExternalPub } from "../src/wire.js"
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
  utf8,
} from "./group-fixture.js"
import { ForgedGroup, forgeKeyPackage, type WelcomeForgery } from "./rules/forged-group.js"
import { leaf } from "./rules/insider.js"
import { breaks, scene } from "./rules/scene.js"

const random = (length: number) => new Uint8Array(provider.random(length))
const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === 7 ? byte ^ 1 : byte))
const extension = (extensionType: number, extensionData = new Uint8Array(3)): Extension => ({
  extensionType,
  extensionData,
})

/** Eve has been added to a group that Ann made, at leaf 2; Ann has sent a Commit since. */
interface Invitation {
  readonly who: Person
  readonly bundle: KeyPackageBundle
  readonly group: ForgedGroup
}

function invitation(extra: Partial<GroupOptions> = {}, extensions: readonly Extension[] = []): Invitation {
  const who = person("eve", 1, extra)
  const bundle = keyPackageOf(who)
  const group = new ForgedGroup(["ann", "ben", "eve", "dan"], { joiner: { index: 2, who, bundle }, extensions })
  return { who, bundle, group: group.commitAs(0) }
}

function enter(
  { who, bundle, group }: Invitation,
  forgery: WelcomeForgery = {},
  more: Partial<Parameters<typeof Group.stageJoin>[0]> = {},
) {
  return Group.stageJoin({ ...who.options, welcome: group.welcome(bundle, 2, forgery), keyPackages: [bundle], ...more })
}

/** The Welcome breaks the rule; the right one to the same key package is understood afterwards. */
function refusesWelcome(
  id: RuleId,
  invited: Invitation,
  forgery: WelcomeForgery,
  more: Partial<Parameters<typeof Group.stageJoin>[0]> = {},
): void {
  breaks(id, () => enter(invited, forgery, more))
  assert.equal(enter(invited).epoch, 5n)
}

function enterByCommit(group: ForgedGroup, forgery: Parameters<ForgedGroup["groupInfo"]>[0] = {}, who = person("zoe")) {
  return Group.stageExternalJoin({ ...who.options, groupInfo: group.groupInfo(forgery) })
}

function refusesGroupInfo(id: RuleId, forgery: Parameters<ForgedGroup["groupInfo"]>[0]): void {
  const group = new ForgedGroup(["ann", "ben"]).commitAs(0)
  breaks(id, () => enterByCommit(group, forgery))
  assert.equal(enterByCommit(group).epoch, 6n)
}

// --- Welcomes --------------------------------------------------------------------------------------------------------

test("welcome-for-us: a Welcome is for somebody else", () => {
  refusesWelcome("welcome-for-us", invitation(), { newMember: random(32) })
})

test("welcome-for-us: the name of a key package is not that of its bytes", () => {
  const invited = invitation()
  const ref = random(32)
  refusesWelcome("welcome-for-us", invited, { newMember: ref }, { keyPackages: [{ ...invited.bundle, ref }] })
})

test("welcome-suite: a Welcome of another suite", () => {
  refusesWelcome("welcome-suite", invitation(), { cipherSuite: 3 })
})

test("welcome-suite: a Welcome to a key package of another suite", () => {
  const invited = invitation()
  const other = keyPackageOf(person("eve", 3))
  refusesWelcome("welcome-suite", invited, { newMember: other.ref }, { keyPackages: [other] })
})

test("welcome-secrets-decrypt: the group secrets were exchanged", () => {
  refusesWelcome("welcome-secrets-decrypt", invitation(), { encryptedGroupSecrets: flipped })
})

test("welcome-group-info-decrypts: the joiner secret is another one's", () => {
  const groupSecrets = (it: { joinerSecret: Uint8Array }) => ({ ...it, joinerSecret: random(32) }) as never
  refusesWelcome("welcome-group-info-decrypts", invitation(), { groupSecrets })
})

test("welcome-tree-present: a Welcome without the tree, and none beside it", () => {
  const invited = invitation()
  refusesWelcome("welcome-tree-present", invited, { ratchetTree: undefined })
  const ratchetTree = invited.group.tree.encode()
  assert.equal(enter(invited, { ratchetTree: undefined }, { ratchetTree }).epoch, 5n)
})

test("tree-parent-hash: the tree of a Welcome has a wrong parent hash", () => {
  const who = person("eve")
  const bundle = keyPackageOf(who)
  const group = new ForgedGroup(["ann", "ben", "eve"], { joiner: { index: 2, who, bundle } })
  breaks("tree-parent-hash", () => enter({ who, bundle, group: group.commitAs(0, { parentHash: flipped }) }))
  assert.equal(enter({ who, bundle, group: group.commitAs(0) }).epoch, 5n)
})

test("welcome-leaf: our leaf node is not in the tree", () => {
  const who = person("eve")
  const group = new ForgedGroup(["ann", "ben", "eva", "dan"]).commitAs(0)
  breaks("welcome-leaf", () => enter({ who, bundle: keyPackageOf(who), group }))
})

test("welcome-path-secret: a path secret of 31 bytes", () => {
  const dan = person("dan")
  const bundle = keyPackageOf(dan)
  // Dan stands beside the first step: he is told the first secret itself.
  const group = new ForgedGroup(["ann", "ben", "cem", "dan"], { joiner: { index: 3, who: dan, bundle } })
  const enterAfter = (size: number) => {
    const welcome = group.commitAs(2, { firstPathSecret: random(size) }).welcome(bundle, 3)
    return Group.stageJoin({ ...dan.options, welcome, keyPackages: [bundle] })
  }
  breaks("welcome-path-secret", () => enterAfter(31))
  assert.equal(enterAfter(32).epoch, 5n)
})

test("path-keys-derived: a path secret where the tree has no path", () => {
  const who = person("eve")
  const bundle = keyPackageOf(who)
  const group = new ForgedGroup(["ann", "ben", "eve"], { joiner: { index: 2, who, bundle } })
  const groupSecrets = (it: object) => ({ ...it, pathSecret: { pathSecret: random(32) } }) as never
  breaks("path-keys-derived", () => enter({ who, bundle, group }, { groupSecrets }))
  assert.equal(enter({ who, bundle, group }).epoch, 5n)
})

test("welcome-path-secret: the signer of a GroupInfo is said to be the newcomer, who gets a path secret", () => {
  const who = person("eve")
  const bundle = keyPackageOf(who)
  const group = new ForgedGroup(["ann", "eve"], { joiner: { index: 1, who, bundle } })
  group.committer = leaf(1)
  const groupSecrets = (it: object) => ({ ...it, pathSecret: { pathSecret: random(32) } }) as never
  const welcome = group.welcome(bundle, 1, { groupSecrets })
  breaks("welcome-path-secret", () => Group.stageJoin({ ...who.options, welcome, keyPackages: [bundle] }))
})

test("welcome-path-secret: the path secret that the tree presumes is missing", () => {
  refusesWelcome("welcome-path-secret", invitation(), { groupSecrets: (it) => ({ ...it, pathSecret: undefined }) })
})

test("path-keys-derived: the path secret of a Welcome is not that of the tree", () => {
  const groupSecrets = (it: object) => ({ ...it, pathSecret: { pathSecret: random(32) } }) as never
  refusesWelcome("path-keys-derived", invitation(), { groupSecrets })
})

// --- Pre-shared keys of a Welcome ------------------------------------------------------------------------------------

const external = (pskNonce = random(32)): PreSharedKeyID => ({
  psktype: { type: "external", pskId: utf8("key") },
  pskNonce,
})
const secret = utf8("a secret that everybody knows")
const keyed: Partial<GroupOptions> = { psks: () => secret }

test("psk-known: a Welcome with a pre-shared key that we do not know", () => {
  refusesWelcome("psk-known", invitation(), { psks: [{ id: external(), secret }] })
  assert.equal(enter(invitation(keyed), { psks: [{ id: external(), secret }] }).epoch, 5n)
})

for (const size of [0, 31, 33]) {
  test(`psk-nonce-length: a Welcome with a nonce of ${size} bytes`, () => {
    refusesWelcome("psk-nonce-length", invitation(keyed), { psks: [{ id: external(random(size)), secret }] })
  })
}

test("psk-distinct: a Welcome with a pre-shared key twice", () => {
  const psk = { id: external(), secret }
  refusesWelcome("psk-distinct", invitation(keyed), { psks: [psk, psk] })
})

// --- GroupInfo -------------------------------------------------------------------------------------------------------

test("group-info-signature: the GroupInfo of a Welcome is signed by nobody", () => {
  refusesWelcome("group-info-signature", invitation(), { signature: flipped })
})

test("group-info-signature: a GroupInfo is signed by nobody", () => {
  refusesGroupInfo("group-info-signature", { signature: flipped })
})

for (const signer of [1, 3, 2 ** 29, 2 ** 31 - 1, 2 ** 32 - 1]) {
  test(`group-info-signature: a GroupInfo says that leaf ${signer} has signed it`, () => {
    refusesGroupInfo("group-info-signature", { groupInfo: (it) => ({ ...it, signer: leaf(signer) }) })
  })
}

test("group-info-suite: the GroupInfo of a Welcome is of another suite", () => {
  refusesWelcome("group-info-suite", invitation(), { context: (it) => ({ ...it, cipherSuite: 3 }) })
})

test("group-info-suite: a GroupInfo of another suite", () => {
  refusesGroupInfo("group-info-suite", { context: (it) => ({ ...it, cipherSuite: 3 }) })
})

test("group-info-confirmation-tag: the confirmation tag of a Welcome is wrong", () => {
  const groupInfo = (it: { confirmationTag: Uint8Array }) =>
    ({ ...it, confirmationTag: flipped(it.confirmationTag) }) as never
  refusesWelcome("group-info-confirmation-tag", invitation(), { groupInfo })
})

test("group-info-extensions-supported: a newcomer does not support an extension of the group", () => {
  const groupWith = (type: number) =>
    new ForgedGroup(["ann", "ben"], {
      extensions: [extension(type)],
      leaf: (it) => ({ ...it, capabilities: { ...it.capabilities, extensions: [type] } }),
    }).commitAs(0)
  const group = groupWith(0xf001)
  breaks("group-info-extensions-supported", () => enterByCommit(group))
  // Those of the RFC begin with 1.
  breaks("group-info-extensions-supported", () => enterByCommit(groupWith(0)))
  const who = person("zoe", 1, { capabilities: { extensions: [0xf001] } })
  assert.equal(enterByCommit(group, {}, who).epoch, 6n)
  const eve = person("eve")
  const { bundle } = forgeKeyPackage(eve)
  const joined = new ForgedGroup(["ann", "ben", "eve"], {
    extensions: [extension(0xf001)],
    leaf: (it) => ({ ...it, capabilities: { ...it.capabilities, extensions: [0xf001] } }),
    joiner: { index: 2, who: eve, bundle },
  }).commitAs(0)
  breaks("group-info-extensions-supported", () => enter({ who: eve, bundle, group: joined }))
})

describe("extensions of a GroupInfo and of its GroupContext", () => {
  const twice = [extension(0xf001), extension(0xf001)]
  test("extensions-distinct: a GroupInfo with two extensions of a type", () => {
    refusesGroupInfo("extensions-distinct", {
      groupInfo: (it) => ({ ...it, extensions: [...it.extensions, ...twice] }),
    })
  })
  test("extensions-distinct: a GroupContext with two extensions of a type", () => {
    refusesGroupInfo("extensions-distinct", { context: (it) => ({ ...it, extensions: twice }) })
  })
  test("extension-place: a GroupInfo with external senders outside the GroupContext", () => {
    const groupInfo = (it: { extensions: readonly Extension[] }) =>
      ({ ...it, extensions: [...it.extensions, extension(5)] }) as never
    refusesGroupInfo("extension-place", { groupInfo })
  })
  test("extension-place: a GroupContext with an external_pub", () => {
    refusesGroupInfo("extension-place", { context: (it) => ({ ...it, extensions: [extension(4)] }) })
  })
  for (const type of [3, 5]) {
    test(`extension-content: a GroupContext with an extension of type ${type} that cannot be read`, () => {
      const extensions = [extension(type, new Uint8Array([9, 9]))]
      refusesGroupInfo("extension-content", { context: (it) => ({ ...it, extensions }) })
      const group = new ForgedGroup(["ann", "ben"], { extensions }).commitAs(0)
      breaks("extension-content", () => enterByCommit(group))
    })
  }
  test("extension-content: an external_pub that cannot be read", () => {
    const trailing = new Uint8Array([...encode(ExternalPub, { externalPub: random(32) }), 0])
    refusesGroupInfo("extension-content", {
      externalPub: undefined,
      groupInfo: (it) => ({ ...it, extensions: [...it.extensions, extension(4, trailing)] }),
    })
  })
  test("unknown extensions of a GroupInfo are ignored", () => {
    const group = new ForgedGroup(["ann", "ben"]).commitAs(0)
    const groupInfo = (it: { extensions: readonly Extension[] }) =>
      ({ ...it, extensions: [...it.extensions, extension(0x0a0a), extension(0xf00d)] }) as never
    assert.equal(enterByCommit(group, { groupInfo }).epoch, 6n)
  })
})

test("external-pub-present: a GroupInfo without an external_pub", () => {
  refusesGroupInfo("external-pub-present", { externalPub: undefined })
})

for (const size of [0, 31, 33]) {
  test(`key-encryption-valid: an external_pub of ${size} bytes`, () => {
    refusesGroupInfo("key-encryption-valid", { externalPub: random(size) })
  })
}

test("welcome-tree-present: a GroupInfo without the tree, and none beside it", () => {
  refusesGroupInfo("welcome-tree-present", { ratchetTree: undefined })
})

// --- Group ids -------------------------------------------------------------------------------------------------------

test("group-id-unique: a Welcome to a group of an id that we know", () => {
  const invited = invitation()
  const known = create(person("eve"), invited.group.groupId)
  breaks("group-id-unique", () => enter(invited, {}, { otherGroups: [known] }))
  const other = create(person("eve"))
  assert.equal(enter(invited, {}, { otherGroups: [other] }).epoch, 5n)
  // Who was removed may come back.
  const before = create(person("ann"), invited.group.groupId)
  const [left] = add(before, [person("eve")])
  follow(left!, before.commit({ remove: [left!.ownLeafIndex] }).message)
  assert.equal(enter(invited, {}, { otherGroups: [left!] }).epoch, 5n)
})

test("group-id-unique: a Commit of ours into a group that we are in already", () => {
  const { alice, bob, people } = scene()
  const groupInfo = alice.groupInfo({ withExternalPub: true, withRatchetTree: true })
  const stage = (replaceSelf: boolean) =>
    Group.stageExternalJoin({ ...people[1].options, groupInfo, otherGroups: [bob], replaceSelf })
  breaks("group-id-unique", () => stage(false))
  assert.equal(stage(true).removed.length, 1)
})

// --- Groups that continue others -------------------------------------------------------------------------------------

const resumption = (parent: Group, usage: "reinit" | "branch" | "application", pskEpoch = parent.epoch) => ({
  id: {
    psktype: { type: "resumption", usage, pskGroupId: parent.id, pskEpoch },
    pskNonce: random(32),
  } satisfies PreSharedKeyID,
  secret: parent.resumptionSecret(pskEpoch)!,
})
const nextId = utf8("the next group")

/** Alice and Bob have reinitialised their group; `parent` is Bob's view of it. */
function reinitialised(reInit: Partial<Parameters<Group["commit"]>[0] & object>["reInit"] = undefined) {
  const { people, groups } = groupOf(["alice", "bob"])
  const { message } = groups[0]!.commit({ reInit: reInit ?? { groupId: nextId, cipherSuite: 1, extensions: [] } })
  for (const group of groups) follow(group, message)
  return { bob: people[1]!, parent: groups[1]! }
}

/** A group as Alice might make it, and Bob's way in. */
function continuation(
  { bob, parent }: { readonly bob: Person; readonly parent: Group },
  as: {
    readonly usage?: "reinit" | "branch"
    readonly names?: readonly string[]
    readonly epoch?: bigint
    readonly groupId?: Uint8Array
    readonly extensions?: readonly Extension[]
    readonly pskEpoch?: bigint
    readonly psks?: WelcomeForgery["psks"]
    readonly others?: readonly Group[]
    readonly psksKnown?: boolean
  } = {},
) {
  const who = as.psksKnown ? { ...bob, options: { ...bob.options, psks: () => as.psks![0]!.secret } } : bob
  const { bundle } = forgeKeyPackage(who)
  const { epoch = 1n, groupId = nextId, extensions = [] } = as
  const names = as.names ?? ["alice", "bob"]
  const group = new ForgedGroup(names, { joiner: { index: 1, who, bundle }, epoch, groupId, extensions }).commitAs(0)
  const psks = as.psks ?? [resumption(parent, as.usage ?? "reinit", as.pskEpoch)]
  const welcome = group.welcome(bundle, 1, { psks })
  return () => Group.stageJoin({ ...who.options, welcome, keyPackages: [bundle], otherGroups: as.others ?? [parent] })
}

test("a reinitialised group as its ReInit says is entered", () => {
  assert.equal(continuation(reinitialised())().epoch, 1n)
  assert.equal(continuation(reinitialised(), { names: ["alice", "bob", "carol"] })().epoch, 1n)
})

test("welcome-reinit-parameters: a reinitialised group has another id", () => {
  breaks("welcome-reinit-parameters", continuation(reinitialised(), { groupId: random(32) }))
})

test("welcome-reinit-parameters: a reinitialised group has another suite", () => {
  const reInit = { groupId: nextId, cipherSuite: 3, extensions: [] }
  breaks("welcome-reinit-parameters", continuation(reinitialised(reInit)))
})

test("welcome-reinit-parameters: a reinitialised group has other extensions", () => {
  const required = { extensionType: 3, extensionData: new Uint8Array(3) }
  breaks("welcome-reinit-parameters", continuation(reinitialised(), { extensions: [required] }))
})

test("welcome-reinit-parameters: the resumption key is of an epoch before the ReInit", () => {
  const set = reinitialised()
  breaks("welcome-reinit-parameters", continuation(set, { pskEpoch: set.parent.epoch - 1n }))
})

test("welcome-reinit-parameters: nobody has reinitialised the group", () => {
  const { people, groups } = groupOf(["alice", "bob"])
  breaks("welcome-reinit-parameters", continuation({ bob: people[1]!, parent: groups[1]! }))
})

test("welcome-reinit-parameters: we continue a group otherwise than its ReInit says", () => {
  const { bob, parent } = reinitialised()
  const wish = { ...bob.options, continues: { group: parent, as: "reinit" } } as const
  breaks("welcome-reinit-parameters", () => Group.create({ ...wish, groupId: random(32) }))
  assert.equal(Group.create({ ...wish, groupId: nextId }).epoch, 0n)
})

test("welcome-reinit-psk: a group that a ReInit has announced is not linked to the old one", () => {
  breaks("welcome-reinit-psk", continuation(reinitialised(), { psks: [] }))
  // Any other group may be a new one.
  assert.equal(continuation(reinitialised(), { psks: [], groupId: random(32) })().epoch, 1n)
})

test("welcome-reinit-psk: a group that a ReInit has announced says it is a branch", () => {
  breaks("welcome-reinit-psk", continuation(reinitialised(), { usage: "branch" }))
})

test("welcome-reinit-members: a member of the old group is missing in the reinitialised one", () => {
  breaks("welcome-reinit-members", continuation(reinitialised(), { names: ["alina", "bob"] }))
})

for (const usage of ["reinit", "branch"] as const) {
  test(`welcome-epoch-one: a group that says it is a ${usage} is in epoch 2`, () => {
    const set = usage === "reinit" ? reinitialised() : branched()
    breaks("welcome-epoch-one", continuation(set, { usage, epoch: 2n }))
  })
}

test("a resumption key that only the application wants links a group to no other", () => {
  const { parent, bob } = branched()
  const psks = [resumption(parent, "application"), resumption(parent, "application")]
  assert.equal(continuation({ parent, bob }, { psks, epoch: 5n })().epoch, 5n)
})

test("psk-nonce-length: the nonce of a link is as long as the secret of a third group", () => {
  const set = reinitialised()
  const third = create(person("bob", 7))
  const link = resumption(set.parent, "reinit")
  const psks = [resumption(third, "application"), { ...link, id: { ...link.id, pskNonce: random(48) } }]
  breaks("psk-nonce-length", continuation(set, { psks, others: [set.parent, third] }))
})

test("welcome-psk-resumption-once: a group comes from two", () => {
  const set = branched()
  const psks = [resumption(set.parent, "branch"), resumption(set.parent, "branch")]
  breaks("welcome-psk-resumption-once", continuation(set, { psks }))
})

test("psk-known: a branch of a group that we are not in", () => {
  const set = branched()
  const psks = [resumption(set.parent, "branch")]
  breaks("psk-known", continuation(set, { psks, others: [] }))
  const external = {
    id: { psktype: { type: "external" as const, pskId: random(32) }, pskNonce: random(32) },
    secret: random(32),
  }
  breaks("psk-known", continuation(set, { psks: [external] }))
  // Even where the application knows the secret: there is nothing to hold the new group against.
  breaks("psk-known", continuation(set, { psks, others: [], psksKnown: true }))
})

/** Alice and Bob are in a group with Carol. */
function branched(suite = 1) {
  const { people, groups } = groupOf(["alice", "bob", "carol"], suite)
  return { bob: suite === 1 ? people[1]! : person("bob"), parent: groups[1]! }
}

test("a branch of some members is entered", () => {
  assert.equal(continuation(branched(), { usage: "branch" })().epoch, 1n)
})

test("welcome-branch-parameters: a branch has another suite", () => {
  breaks("welcome-branch-parameters", continuation(branched(3), { usage: "branch" }))
})

test("welcome-branch-parameters: we branch into another suite", () => {
  const { bob, parent } = branched(3)
  const wish = { ...bob.options, groupId: random(32), continues: { group: parent, as: "branch" } } as const
  breaks("welcome-branch-parameters", () => Group.create(wish))
})

test("welcome-branch-members: somebody is in a branch who was not in the group", () => {
  breaks("welcome-branch-members", continuation(branched(), { usage: "branch", names: ["alice", "bob", "zoe"] }))
})

test("a forged Welcome with nothing wrong is understood, and its group goes on", () => {
  const staged = enter(invitation())
  assert.equal(staged.members.length, 4)
  const { who, bundle, group } = invitation()
  const eve = join(who, bundle, group.welcome(bundle, 2))
  assert.equal(eve.member(leaf(3))!.leafIndex, 3)
  assert.equal(eve.commit().epoch, 6n)
})
