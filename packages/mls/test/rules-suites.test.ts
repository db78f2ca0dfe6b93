import assert from "node:assert/strict"
import { test } from "node:test"
import type { CryptoProvider } from "@conclave/crypto"
import { cipherSuite, decodeKeyPackage, Group, leafIndex } from "@conclave/mls"
import { add, create, follow, join, keyPackageOf, person, provider } from "./group-fixture.js"
import { forgeKeyPackage } from "./rules/forged-group.js"
import { declines, settle } from "./rules/scene.js"

/** Suites of the provider of these tests. */
const all = [1, 2, 3, 4, 5, 6, 7]
const lists = (keyPackage: Uint8Array) => decodeKeyPackage(keyPackage).leafNode.capabilities.cipherSuites

const without = <T extends object>(table: T, name: keyof T): T =>
  Object.fromEntries(Object.entries(table).filter(([it]) => it !== name)) as T

test("our leaf nodes list every suite that the provider has, or those that the application names", () => {
  const ann = person("ann")
  assert.deepEqual(lists(keyPackageOf(ann).keyPackage).slice(0, -1), all)
  const narrow = person("ben", 1, { capabilities: { cipherSuites: [1, 3] } })
  assert.deepEqual(lists(keyPackageOf(narrow).keyPackage).slice(0, -1), [1, 3])
  const view = create(ann)
  const commit = view.commit()
  settle(view, commit)
  assert.equal(view.epoch, 1n)
})

test("a suite that is unknown, or one of whose algorithms the provider lacks, is not supported", () => {
  const lacking: readonly CryptoProvider[] = [
    { ...provider, hashes: without(provider.hashes, "SHA-256") },
    { ...provider, aeads: without(provider.aeads, "AES-128-GCM") },
    { ...provider, signatures: without(provider.signatures, "Ed25519") },
    { ...provider, groups: without(provider.groups, "X25519") },
  ]
  for (const less of lacking) assert.throws(() => cipherSuite(1, less), { code: "UNSUPPORTED" })
  for (const unknown of [0, 8, 0xffff]) assert.throws(() => cipherSuite(unknown, provider), { code: "UNSUPPORTED" })
  assert.equal(cipherSuite(1, provider).number, 1)
})

test("suite-best: a group is created in another suite than the best that all its members support", () => {
  const preferring = (suitePreference: number[]) => create(person("ann", 1, { policy: { suitePreference } }))
  const ben = [keyPackageOf(person("ben")).keyPackage]
  declines(preferring([3, 1]), "suite-best", () => preferring([3, 1]).commit({ add: ben }))
  // Ben is not able to do any better, or nothing better is asked for.
  const old = [keyPackageOf(person("ben", 1, { capabilities: { cipherSuites: [1] } })).keyPackage]
  for (const [suitePreference, keyPackages] of [
    [[3, 1], old],
    [[1, 3], ben],
    [[], ben],
    [[99, 1], ben],
  ] as const) {
    const group = preferring([...suitePreference])
    settle(group, group.commit({ add: keyPackages }))
    // Later on the suite is what it is.
    settle(group, group.commit({ add: [keyPackageOf(person("eve")).keyPackage] }))
    assert.equal(group.memberCount, 3)
  }
})

test("suite-best: what our provider lacks, or the creator of the group, is not the best of anything", () => {
  const preferring = (suitePreference: number[], cipherSuites: number[]) =>
    person("ann", 1, { policy: { suitePreference }, capabilities: { cipherSuites } })
  const able = (...cipherSuites: number[]) => keyPackageOf(person("ben", 1, { capabilities: { cipherSuites } }))
  for (const [ann, ben] of [
    [preferring([99, 1], [1, 99]), able(1, 99)],
    [preferring([3, 1], [1]), able(1, 3)],
  ] as const) {
    assert.equal(create(ann).commit({ add: [ben.keyPackage] }).added.length, 1)
  }
  const ann = preferring([3, 1], [1, 3])
  declines(create(ann), "suite-best", () => create(ann).commit({ add: [able(1, 3).keyPackage] }))
})

test("a group keeps its suite when those have left who could do no better", () => {
  const ann = create(person("ann", 1, { policy: { suitePreference: [3, 1] } }))
  add(ann, [person("ben", 1, { capabilities: { cipherSuites: [1] } })])
  settle(ann, ann.commit({ remove: [leafIndex(1)] }))
  settle(ann, ann.commit({ add: [keyPackageOf(person("eve")).keyPackage] }))
  assert.equal(ann.memberCount, 2)
})

test("a group that continues another has the suite that was agreed on there", () => {
  const [ann, ben] = [person("ann", 1, { policy: { suitePreference: [3, 1] } }), person("ben")]
  const before = create(person("old ann"))
  const [mine] = add(before, [ann, ben])
  const groupId = provider.random(32)
  const branch = Group.create({ ...ann.options, groupId, continues: { group: mine!, as: "branch" } })
  assert.equal(branch.commit({ add: [keyPackageOf(ben).keyPackage] }).added.length, 1)
})

test("suite-best: a group is reinitialised with another suite than the best that all its members support", () => {
  const ann = create(person("ann", 1, { policy: { suitePreference: [4, 1] } }))
  const able = (...cipherSuites: number[]) => person("somebody", 1, { capabilities: { cipherSuites } })
  const reInit = (cipherSuite: number) => ({ groupId: provider.random(32), cipherSuite, extensions: [] })
  add(ann, [able(1, 4), able(1)])
  assert.equal(ann.commit({ reInit: reInit(1) }).reInit?.cipherSuite, 1)
  ann.discardPending()
  // Whoever could do no better has left.
  settle(ann, ann.commit({ remove: [leafIndex(2)] }))
  declines(ann, "suite-best", () => ann.commit({ reInit: reInit(1) }))
  declines(ann, "suite-best", () => ann.propose({ type: "reInit", ...reInit(1) }))
  assert.equal(ann.commit({ reInit: reInit(4) }).reInit?.cipherSuite, 4)
})

test("a leaf node that leaves the group's suite out is taken where the application allows it", () => {
  const { message } = forgeKeyPackage(person("eve"), {
    leaf: (it) => ({ ...it, capabilities: { ...it.capabilities, cipherSuites: [2] } }),
  })
  const strict = create(person("ann"))
  declines(strict, "leaf-version-supported", () => strict.commit({ add: [message] }))
  const lenient = create(person("ann", 1, { policy: { unlistedSuiteAllowed: true } }))
  assert.equal(lenient.commit({ add: [message] }).added.length, 1)
})

/** A group of suite 1 goes on in suite 7, whose secrets have 48 bytes; the link's nonce has `nonceSize`. */
function reinitialised(nonceSize: number) {
  const [ann, ben] = [person("ann"), person("ben")]
  const before = create(ann)
  const [other] = add(before, [ben])
  const groupId = provider.random(32)
  const ending = before.commit({ reInit: { groupId, cipherSuite: 7, extensions: [] } })
  settle(before, ending)
  follow(other!, ending.message)

  let isNonce = false
  const random = (length: number) => {
    const size = isNonce ? nonceSize : length
    isNonce = false
    return provider.random(size)
  }
  const [newAnn, newBen] = [person("ann", 7, { random }), person("ben", 7)]
  const after = Group.create({ ...newAnn.options, groupId, continues: { group: before, as: "reinit" } })
  const bundle = keyPackageOf(newBen)
  isNonce = true
  const commit = after.commit({ add: [bundle.keyPackage] })
  settle(after, commit)
  const options = { ...newBen, options: { ...newBen.options, otherGroups: [other!] } }
  return { after, joined: () => join(options, bundle, commit.welcome!) }
}

for (const nonceSize of [32, 48]) {
  test(`a reinitialised group is entered with a nonce of ${nonceSize} bytes, as long as a secret of the old or new suite`, () => {
    const { after, joined } = reinitialised(nonceSize)
    assert.deepEqual(joined().epochAuthenticator, after.epochAuthenticator)
    assert.equal(after.member(leafIndex(1))?.leafIndex, 1)
  })
}

test("psk-nonce-length: a reinitialised group is linked with a nonce of another length", () => {
  assert.throws(() => reinitialised(64), { rule: "psk-nonce-length" })
})
