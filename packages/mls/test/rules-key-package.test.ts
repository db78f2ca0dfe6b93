import assert from "node:assert/strict"
import { test } from "node:test"
import { createKeyPackage, Group, type GroupPolicy, type RuleId, validateKeyPackage } from "@conclave/mls"
import type { UnsignedLeafNode } from "../src/wire.js"
import { follow, keyPackageOf, now, person } from "./group-fixture.js"
import { ForgedGroup, forgeKeyPackage } from "./rules/forged-group.js"
import { type Change, entry, extension, refusesEntry, withCapabilities } from "./rules/leaves.js"
import { addOf, breaks, declines, refuses, scene, stored, understands } from "./rules/scene.js"

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
