import assert from "node:assert/strict"
import { test } from "node:test"
import { dangerouslyAcceptAll, Group } from "@conclave/mls"
import { create, follow, groupOf, join, keyPackageOf, person } from "./group-fixture.js"

const blankParents = (group: Group) => group.treeView().filter((node) => node.kind === "parent" && node.blank).length

test("warming: each commit of the order fills the largest blank part, until a commit costs the logarithm", () => {
  const names = Array.from({ length: 32 }, (_, i) => `member ${i}`)
  const { groups } = groupOf(names)
  const order = groups[0]!.warmingOrder(100)
  assert.equal(groups[0]!.warmingOrder(3).length, 3)
  const sizes: number[] = []
  for (const index of order) {
    const committer = groups.find((group) => group.ownLeafIndex === index)!
    assert.equal(committer.warmingOrder(1)[0], index)
    const commit = committer.commit()
    sizes.push(commit.message.length)
    for (const group of groups) follow(group, commit.message)
  }
  assert.equal(blankParents(groups[0]!), 0)
  assert.deepEqual(groups[0]!.warmingOrder(1), [])
  // The first is encrypted to nearly everybody, the last to one node for each level.
  assert(sizes.at(-1)! * 3 < sizes[0]! * 2, `${sizes[0]} bytes became ${sizes.at(-1)}`)
  assert(order.length <= 16)
})

test("warming: nodes with nobody on one side cannot be filled, and are not waited for", () => {
  const { groups } = groupOf(["a", "b", "c", "d", "e"])
  const first = groups[0]!
  for (let i = 0; i < 4; i++) {
    const [next] = first.warmingOrder(1)
    if (next === undefined) break
    const commit = groups.find((group) => group.ownLeafIndex === next)!.commit()
    for (const group of groups) follow(group, commit.message)
  }
  assert.deepEqual(first.warmingOrder(9), [])
  assert(blankParents(first) > 0)
})

test("a join can be prepared, its signatures verified elsewhere, and its progress shown", () => {
  const names = Array.from({ length: 300 }, (_, i) => `member ${i}`)
  const alice = create(person("alice"))
  const people = names.map((name) => person(name))
  const bundles = people.map((it) => keyPackageOf(it))
  const commit = alice.commit({ add: bundles.map((it) => it.keyPackage) })
  alice.apply(commit, dangerouslyAcceptAll(commit.claims))

  const prepared = Group.prepareJoin({ ...people[7]!.options, welcome: commit.welcome!, keyPackages: [bundles[7]!] })
  assert.equal(prepared.leaves, 301)
  const { signature } = alice.suite
  const signatures = prepared.signatures()
  assert.equal(signatures.length, 301)
  assert(signatures.every((it) => signature.verify(it.publicKey, it.message, it.signature)))
  const seen: [number, number][] = []
  const staged = prepared.stage({
    signaturesVerified: true,
    onProgress: (done, all) => {
      seen.push([done, all])
    },
  })
  assert.deepEqual(seen, [[256, 301]])
  const joined = staged.accept(dangerouslyAcceptAll(staged.claims))
  assert.deepEqual(joined.epochAuthenticator, alice.epochAuthenticator)
  assert.deepEqual(join(people[8]!, bundles[8]!, commit.welcome!).epochAuthenticator, alice.epochAuthenticator)
})
