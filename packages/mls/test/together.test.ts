import assert from "node:assert/strict"
import { test } from "node:test"
import { decode, encode } from "@conclave/codec"
import type { SignatureScheme } from "@conclave/crypto"
import { type CipherSuite, dangerouslyAcceptAll, Group, type KeyPackageBundle, signWithLabel } from "@conclave/mls"
import { LeafSignatures } from "../src/tree/leaf-signatures.js"
import { RatchetTree } from "../src/tree/ratchet-tree.js"
import { type KeyPackage, KeyPackageTBS, MLSMessage } from "../src/wire.js"
import { create, follow, join, keyPackageOf, type Person, person } from "./group-fixture.js"

/*
 * Many signatures are verified together where a provider can. What is accepted and what is refused, and by which rule, is the
 * same as one by one. These suites verify together whatever the provider can, and count.
 */

const { suite } = person("anybody").options

function counting(answer: (valid: boolean) => boolean): { suite: CipherSuite; batches: number[]; alone: number } {
  const counted = { suite, batches: [] as number[], alone: 0 }
  const { beginVerifying: _, ...scheme } = suite.signature
  const signature: SignatureScheme = {
    ...scheme,
    verify: (...signed) => {
      counted.alone++
      return suite.signature.verify(...signed)
    },
    verifyAll: (list) => {
      counted.batches.push(list.length)
      return answer(list.every((it) => suite.signature.verify(it.publicKey, it.message, it.signature)))
    },
  }
  return Object.assign(counted, { suite: { ...suite, signature } })
}

const honest = (valid: boolean) => valid
const people = Array.from({ length: 40 }, (_, i) => person(`member ${i}`))
const bundles = people.map((it) => keyPackageOf(it))
const keyPackages = bundles.map((it) => it.keyPackage)

const within = (who: Person, counted: { suite: CipherSuite }): Person => ({
  ...who,
  options: { ...who.options, suite: counted.suite },
})

function rewritten(bundle: KeyPackageBundle, change: (keyPackage: KeyPackage) => KeyPackage): Uint8Array {
  const { wireFormat } = decode(MLSMessage, bundle.keyPackage)
  assert(wireFormat.type === "mlsKeyPackage")
  const keyPackage = change(wireFormat.keyPackage)
  return encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsKeyPackage", keyPackage } })
}

const flipped = (bytes: Uint8Array) => bytes.map((byte, i) => (i === 5 ? byte ^ 1 : byte))

const wrongSignature = (at: number) => rewritten(bundles[at]!, (it) => ({ ...it, signature: flipped(it.signature) }))

/** The leaf node is not signed by its key, the key package around it is. */
const wrongLeaf = (at: number) =>
  rewritten(bundles[at]!, (it) => {
    const leafNode = { ...it.leafNode, signature: flipped(it.leafNode.signature) }
    const unsigned = { ...it, leafNode }
    const signature = signWithLabel(people[at]!.signer.key, "KeyPackageTBS", encode(KeyPackageTBS, unsigned))
    return { ...unsigned, signature }
  })

test("key packages that are added are verified together, once, by who adds and by who follows", () => {
  const [ours, theirs] = [counting(honest), counting(honest)]
  const alice = create(within(person("alice"), ours))
  const bob = within(person("bob"), theirs)
  const bundle = keyPackageOf(bob)
  const first = alice.commit({ add: [bundle.keyPackage] })
  alice.apply(first, dangerouslyAcceptAll(first.claims))
  const staged = Group.stageJoin({ ...bob.options, welcome: first.welcome!, keyPackages: [bundle] })
  const bobs = staged.accept(dangerouslyAcceptAll(staged.claims))
  assert.deepEqual([ours.batches, theirs.batches], [[], []], "two signatures are not worth it")
  const [before, beforeTheirs] = [ours.alone, theirs.alone]

  const commit = alice.commit({ add: keyPackages })
  assert.deepEqual(ours.batches, [80])
  assert.equal(ours.alone, before)
  const received = bobs.receive(commit.message)
  assert(received.type === "commit")
  assert.deepEqual(theirs.batches, [80])
  // The commit itself and its leaf.
  assert.equal(theirs.alone - beforeTheirs, 2)
})

test("one wrong signature among many refuses the commit by the rule that it breaks, wherever it is", () => {
  for (const at of [0, 17, 39]) {
    for (const [wrong, rule] of [
      [wrongSignature, "key-package-signature"],
      [wrongLeaf, "leaf-signature"],
    ] as const) {
      const counted = counting(honest)
      const alice = create(within(person("alice"), counted))
      const add = keyPackages.map((it, i) => (i === at ? wrong(i) : it))
      assert.throws(() => alice.commit({ add }), { code: "RULE_VIOLATED", rule })
      assert.equal(counted.batches[0], 80)
    }
  }
})

test("leaves of a tree are verified together; what is said of all is nothing of any", () => {
  const alice = create(person("alice"))
  const commit = alice.commit({ add: keyPackages })
  alice.apply(commit, dangerouslyAcceptAll(commit.claims))
  const join = (counted: ReturnType<typeof counting>) =>
    Group.stageJoin({
      ...within(people[3]!, counted).options,
      welcome: commit.welcome!,
      keyPackages: [bundles[3]!],
    })
  const counted = counting(honest)
  assert.equal(join(counted).members.length, 41)
  assert.deepEqual(counted.batches, [41])
  const alone = counted.alone
  // A library that says no: each is looked at, and all are valid.
  const denied = counting(() => false)
  assert.equal(join(denied).members.length, 41)
  assert.equal(denied.alone, alone + 41)
})

/** The same with a scheme that verifies while others do something else, and says `answer` in the end. */
function inBackground(answer: (valid: boolean) => boolean) {
  const counted = { ...counting(honest), begun: [] as number[], finished: [] as number[], disposed: 0 }
  const beginVerifying: SignatureScheme["beginVerifying"] = ({ memory, beside, rows }) => {
    const all = new Uint8Array([...memory, ...beside])
    const piece = (at: number) => all.slice(rows[at], rows[at]! + rows[at + 1]!)
    let [areValid, count] = [true, 0]
    for (let at = 0; at < rows.length; at += 5 + 2 * rows[at + 4]!, count++) {
      const pieces = Array.from({ length: rows[at + 4]! }, (_, i) => piece(at + 5 + 2 * i))
      areValid &&= suite.signature.verify(piece(at), new Uint8Array(pieces.flatMap((it) => [...it])), piece(at + 2))
    }
    counted.begun.push(count)
    return {
      finish() {
        counted.finished.push(count)
        return answer(areValid)
      },
      [Symbol.dispose]: () => counted.disposed++,
    }
  }
  const alone = counting(honest)
  const signature = { ...alone.suite.signature, beginVerifying }
  return { counted, alone, people: { suite: { ...suite, signature } } }
}

function welcomed() {
  const alice = create(person("alice"))
  const commit = alice.commit({ add: keyPackages })
  alice.apply(commit, dangerouslyAcceptAll(commit.claims))
  // Leaves of commits and of key packages, of which the first sign their place.
  return { alice, welcome: commit.welcome! }
}

test("other cores verify the leaves while the rest of the tree is looked at", () => {
  const { alice, welcome } = welcomed()
  const { counted, alone, people: within } = inBackground(honest)
  const options = { ...people[3]!.options, ...within }
  const staged = Group.stageJoin({ ...options, welcome, keyPackages: [bundles[3]!] })
  assert.deepEqual(staged.members, alice.members)
  // The first 32 before the others are read.
  assert.deepEqual([counted.begun, counted.finished, alone.batches], [[32, 9], [9, 32], []])
  assert.equal(alone.alone, 1, "the GroupInfo")
  // In slices they are verified by whoever drives them.
  const prepared = Group.prepareJoin({ ...options, welcome, keyPackages: [bundles[3]!] })
  assert.equal(prepared.stage({ signaturesVerified: true }).members.length, 41)
  assert.deepEqual(counted.begun, [32, 9])
})

test("and those of who joins from outside; leaves of commits stand in each part", () => {
  const { alice, welcome } = welcomed()
  const committers = [1, 35].map((i) => join(people[i]!, bundles[i]!, welcome))
  const present = [alice, ...committers]
  for (const from of committers) {
    const commit = from.commit({})
    from.apply(commit, [])
    for (const other of present) if (other !== from) follow(other, commit.message)
  }
  const { counted, alone, people: within } = inBackground(honest)
  const groupInfo = alice.groupInfo({ withRatchetTree: true, withExternalPub: true })
  const staged = Group.stageExternalJoin({ ...person("zoe").options, ...within, groupInfo })
  assert.equal(staged.claims.length, 41)
  assert.deepEqual([counted.begun, counted.finished, alone.batches], [[32, 9], [9, 32], []])
  assert.equal(alone.alone, 1, "the GroupInfo")
})

test("a wrong signature of a leaf is found in the part that is begun first, and in the last", () => {
  const { verifyAll: _, beginVerifying: __, ...scheme } = suite.signature
  const careless = { suite: { ...suite, signature: { ...scheme, verify: () => true } } }
  // Leaf 0 is the creator's.
  for (const at of [0, 30, 31, 39]) {
    const alice = create({ ...person("alice"), options: { ...person("alice").options, ...careless } })
    const commit = alice.commit({ add: keyPackages.map((it, i) => (i === at ? wrongLeaf(i) : it)) })
    for (const within of [{}, inBackground(honest).people]) {
      const options = { ...people[3]!.options, ...within }
      assert.throws(() => Group.stageJoin({ ...options, welcome: commit.welcome!, keyPackages: [bundles[3]!] }), {
        rule: "leaf-signature",
      })
    }
  }
})

test("a tree that is refused while it is decoded leaves nothing that is being verified", () => {
  const alice = create(person("alice"))
  const commit = alice.commit({ add: keyPackages, welcomeWithTree: false })
  alice.apply(commit, dangerouslyAcceptAll(commit.claims))
  const groupInfo = alice.groupInfo({ withExternalPub: true })
  const refused = (ratchetTree: Uint8Array, leafCountMax: number | undefined, error: object, begun = [32]) => {
    for (const isExternal of [false, true]) {
      const { counted, people: within } = inBackground(honest)
      const policy = leafCountMax === undefined ? {} : { policy: { leafCountMax } }
      const options = { ...people[3]!.options, ...within, ...policy, ratchetTree }
      assert.throws(() => {
        if (isExternal) Group.stageExternalJoin({ ...options, groupInfo })
        else Group.stageJoin({ ...options, welcome: commit.welcome!, keyPackages: [bundles[3]!] })
      }, error)
      assert.deepEqual([counted.begun, counted.finished, counted.disposed], [begun, [], begun.length])
    }
  }
  const tree = alice.ratchetTree()
  refused(new Uint8Array([...tree, 0]), undefined, { code: "DECODE_FAILED" })
  refused(tree, 32, { rule: "tree-size" })
  // Nor is anything begun beyond what is allowed.
  refused(tree, 16, { rule: "tree-size" }, [])
})

test("a long group id is not copied with each part of the leaves", () => {
  for (const [length, begun] of [
    [1024, [32, 9]],
    [1025, [41]],
  ] as const) {
    const commit = create(person("alice"), new Uint8Array(length)).commit({ add: keyPackages })
    const { counted, people: within } = inBackground(honest)
    const options = { ...people[3]!.options, ...within }
    const staged = Group.stageJoin({ ...options, welcome: commit.welcome!, keyPackages: [bundles[3]!] })
    assert.equal(staged.members.length, 41)
    assert.deepEqual(counted.begun, begun, `${length} bytes`)
  }
})

test("of what is not begun yet, has been asked before or was left, nothing verifies", () => {
  const { alice } = welcomed()
  const begun = (act: (signatures: LeafSignatures) => void): boolean => {
    const signatures = LeafSignatures.of(inBackground(honest).people.suite, alice.id)!
    RatchetTree.decode(suite, alice.ratchetTree(), undefined, undefined, signatures)
    act(signatures)
    return signatures.finish()
  }
  assert.equal(
    begun((it) => it.end()),
    true,
  )
  assert.equal(
    begun(() => undefined),
    false,
    "nine leaves are not begun",
  )
  assert.equal(
    begun((it) => it.end()!.finish()),
    false,
    "asked before",
  )
  assert.equal(
    begun((it) => it.end()![Symbol.dispose]()),
    false,
    "left",
  )
})

test("of a tree that is checked at once, nodes are kept as objects up to a number of bytes", () => {
  const large = create(person("x".repeat(60_000)))
  const members = Array.from({ length: 20 }, (_, i) => keyPackageOf(person(`${i}`.repeat(60_000 / `${i}`.length))))
  const commit = large.commit({ add: members.map((it) => it.keyPackage) })
  large.apply(commit, dangerouslyAcceptAll(commit.claims))
  const starts: number[] = []
  const take = (_: unknown, __: unknown, { start }: { readonly start: number }) => void starts.push(start)
  const tree = RatchetTree.decode(suite, large.ratchetTree(), undefined, undefined, { take })
  const [first, again] = [[...tree.leaves()], [...tree.leaves()]]
  const kept = first.map(([, leaf], i) => leaf === again[i]![1])
  assert.deepEqual(
    kept,
    starts.map((start) => start < 0x10_0000),
  )
  assert.deepEqual([kept.includes(true), kept.includes(false)], [true, true])
})

test("a part that does not verify ends the others", () => {
  const { welcome } = welcomed()
  const { counted, people: within } = inBackground(() => false)
  const options = { ...people[3]!.options, ...within }
  assert.equal(Group.stageJoin({ ...options, welcome, keyPackages: [bundles[3]!] }).members.length, 41)
  assert.deepEqual([counted.begun, counted.finished, counted.disposed], [[32, 9], [9], 1])
})

test("where they say no, each leaf is looked at, and a join that fails before does not wait for them", () => {
  const { welcome } = welcomed()
  const { alone, people: within } = inBackground(() => false)
  const options = { ...people[3]!.options, ...within }
  const before = alone.alone
  const staged = Group.stageJoin({ ...options, welcome, keyPackages: [bundles[3]!] })
  assert.equal(staged.members.length, 41)
  // The leaves, and the GroupInfo.
  assert.equal(alone.alone - before, 42)
  const other = inBackground(honest)
  const late = {
    ...options,
    suite: other.people.suite,
    now: () => 4_000_000_000n,
    policy: { expiredMembersAllowed: false },
  }
  assert.throws(() => Group.stageJoin({ ...late, welcome, keyPackages: [bundles[3]!] }), {
    rule: "leaf-lifetime-current",
  })
  assert.deepEqual([other.counted.begun, other.counted.finished, other.counted.disposed], [[32, 9], [], 2])
})

test("a commit is made while other cores verify what it adds, and is not given out before the verdict", () => {
  const { counted, alone, people: within } = inBackground(honest)
  const alice = person("alice")
  const group = create({ ...alice, options: { ...alice.options, ...within } })
  assert.equal(group.commit({ add: keyPackages }).added.length, 40)
  assert.deepEqual([counted.begun, counted.finished, alone.batches], [[80], [80], []])
  group.discardPending()
  for (const at of [0, 17, 39]) {
    for (const [wrong, rule] of [
      [wrongSignature, "key-package-signature"],
      [wrongLeaf, "leaf-signature"],
    ] as const) {
      const add = keyPackages.map((it, i) => (i === at ? wrong(i) : it))
      assert.throws(() => group.commit({ add }), { code: "RULE_VIOLATED", rule })
      assert.equal(group.pending, undefined)
    }
  }
  // A library that says no: each is looked at, and all are valid.
  const denied = inBackground(() => false)
  const other = create({ ...alice, options: { ...alice.options, ...denied.people } })
  const before = denied.alone.alone
  assert.equal(other.commit({ add: keyPackages }).added.length, 40)
  assert.equal(denied.alone.alone - before, 80)
})

test("work that is left leaves the verdict", () => {
  const { counted, people: within } = inBackground(honest)
  const alice = person("alice")
  const group = create({ ...alice, options: { ...alice.options, ...within } })
  const work = group.makeCommit({ add: keyPackages })
  while (counted.begun.length === 0) assert.notEqual(work.next().done, true)
  for (let i = 0; i < 50; i++) assert.notEqual(work.next().done, true)
  work.return(undefined as never)
  assert.deepEqual([counted.begun, counted.finished, counted.disposed], [[80], [], 1])
})
