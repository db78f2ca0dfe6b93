import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type CipherSuite,
  dangerouslyAcceptAll,
  Group,
  type GroupChanges,
  type GroupOptions,
  type MadeCommit,
  type Sliced,
  toEnd,
} from "@conclave/mls"
import {
  add,
  create,
  follow,
  groupOf,
  join,
  keyPackageOf,
  now,
  type Person,
  person,
  provider,
} from "./group-fixture.js"

const accept = dangerouslyAcceptAll

/** Goes on as far as `steps` interruptions; what comes of it, if it has ended by then. */
function advance<T>(work: Sliced<T>, steps: number): T | undefined {
  for (let step = 0; step < steps; step++) {
    const { done, value } = work.next()
    if (done === true) return value
  }
  return undefined
}

/** How often the work is interrupted, after `between` each time. */
function interruptions(work: Sliced<unknown>, between: () => void = () => {}): number {
  for (let count = 0; ; count++) {
    if (work.next().done === true) return count
    between()
  }
}

/** Random bytes that are the same for all who begin with the same number. */
function sequence(seed: number) {
  let drawn = 0
  return (length: number) => {
    const bytes = new Uint8Array(length)
    const number = new Uint8Array([seed, drawn >> 8, drawn++ & 0xff])
    const digest = provider.hashes["SHA-512"]!.digest(number)
    for (let at = 0; at < length; at++) bytes[at] = digest[at % digest.length]! ^ at
    return bytes
  }
}

/** A suite that counts the signatures which it verifies, and keeps the private keys that it derives and what it opens. */
function watched(suite: CipherSuite) {
  const seen = { verified: 0, secrets: [] as Uint8Array[] }
  const signature = Object.create(suite.signature, {
    // One after the other, where the provider can do it otherwise.
    beginVerifying: { value: undefined },
    verify: {
      value: (...signed: Parameters<CipherSuite["signature"]["verify"]>) => {
        seen.verified++
        return suite.signature.verify(...signed)
      },
    },
  })
  const hpke = Object.create(suite.hpke, {
    deriveKeyPair: {
      value: (ikm: Uint8Array) => {
        const pair = suite.hpke.deriveKeyPair(ikm)
        seen.secrets.push(pair.privateKey)
        return pair
      },
    },
  })
  return {
    seen,
    suite: Object.create(suite, { signature: { value: signature }, hpke: { value: hpke } }) as CipherSuite,
  }
}

/** The same group again, from its records. */
function copyOf(group: Group, { options }: Person, changes: Partial<GroupOptions>): Group {
  return Group.restore({ ...options, ...changes, records: group.records() })
}

const people = Array.from({ length: 12 }, (_, index) => person(`person ${index}`))
const [alice, ...others] = people as [Person, ...Person[]]

/** Alice with seven others, and four more who may come. */
function scene() {
  const group = create(alice)
  const members = add(group, others.slice(0, 7))
  const newcomers = others.slice(7)
  const bundles = newcomers.map((it) => keyPackageOf(it))
  return { group, members, newcomers, bundles, changes: { add: bundles.map((it) => it.keyPackage) } }
}

const isWiped = (secret: Uint8Array) => secret.every((byte) => byte === 0)

for (const path of [true, false]) {
  test(`a commit that is made in slices is the one that is made at once, ${path ? "with" : "without"} a path`, () => {
    const { group, changes } = scene()
    const wanted: GroupChanges = { ...changes, path }
    const one = copyOf(group, alice, { random: sequence(1) })
    const other = copyOf(group, alice, { random: sequence(1) })
    const atOnce = one.commit(wanted)
    const work = other.makeCommit(wanted)
    let made: MadeCommit | undefined
    let count = 0
    for (; made === undefined; count++) made = work.next().value
    assert.ok(count > 3 * changes.add.length, `only ${count} interruptions`)
    assert.equal(other.pending, undefined)
    const inSlices = other.commitMade(made)
    assert.deepEqual(inSlices.welcome, atOnce.welcome)
    assert.deepEqual(inSlices.message, atOnce.message)
    assert.deepEqual([...other.records()], [...one.records()])
  })
}

test("between two interruptions at most one key package is judged, by its two signatures", () => {
  const { group, members, bundles, newcomers, changes } = scene()
  const { seen, suite } = watched(alice.options.suite)
  const most = { verified: 0 }
  const between = () => {
    most.verified = Math.max(most.verified, seen.verified)
    seen.verified = 0
  }
  const counting = Group.restore({ ...alice.options, suite, records: group.records() })
  assert.ok(interruptions(counting.makeCommit(changes), between) > bundles.length)
  assert.ok(most.verified >= 1 && most.verified <= 2, `${most.verified} at a time`)

  const commit = group.commit(changes)
  most.verified = 0
  const [bob] = others as [Person]
  const follower = Group.restore({ ...bob.options, suite, records: members[0]!.records() })
  assert.ok(interruptions(follower.openMessage(commit.message), between) > bundles.length)
  assert.ok(most.verified >= 1 && most.verified <= 2, `${most.verified} at a time`)

  most.verified = 0
  const welcome = { ...newcomers[0]!.options, suite, welcome: commit.welcome!, keyPackages: [bundles[0]!] }
  const prepared = toEnd(Group.openWelcome(welcome))
  between()
  most.verified = 0
  assert.ok(interruptions(prepared.stageInSlices(), between) >= 12)
  assert.equal(most.verified, 1)
})

test("a commit that is left at any interruption leaves no secret and no trace", () => {
  const { group, changes } = scene()
  const before = [...group.records()]
  const drawn: Uint8Array[] = []
  const { seen, suite } = watched(alice.options.suite)
  const random = (length: number) => {
    const bytes = new Uint8Array(provider.random(length))
    drawn.push(bytes)
    return bytes
  }
  const watching = Group.restore({ ...alice.options, suite, random, records: before })
  const count = interruptions(watching.makeCommit(changes))
  assert.ok(drawn.length > 0 && seen.secrets.length > 1)
  for (let steps = 1; steps <= count; steps++) {
    drawn.length = 0
    seen.secrets.length = 0
    const work = watching.makeCommit(changes)
    assert.equal(advance(work, steps), undefined)
    work.return(undefined as never)
    // Of KDF.Nh bytes: what keys are derived from.
    const wanted = drawn.filter(({ length }) => length === suite.secretSize)
    assert.ok([...wanted, ...seen.secrets].every(isWiped), `left after ${steps} of ${count} interruptions`)
    assert.equal(watching.pending, undefined)
  }
  assert.deepEqual([...watching.records()], before)
  // One that was made, and that nobody wants.
  drawn.length = 0
  seen.secrets.length = 0
  const made = toEnd(watching.makeCommit(changes))
  made[Symbol.dispose]()
  assert.ok(seen.secrets.length > 1 && seen.secrets.every(isWiped))
  assert.throws(() => watching.commitMade(made), { code: "WRONG_EPOCH" })
  // The group goes on.
  assert.equal(watching.commit(changes).added.length, changes.add.length)
})

test("a commit is not made in a group that has moved on meanwhile, at whatever interruption", () => {
  const { group, members, changes } = scene()
  const count = interruptions(group.makeCommit(changes))
  const [bob] = members as [Group]
  for (const steps of [1, Math.floor(count / 2), count]) {
    const work = group.makeCommit(changes)
    advance(work, steps)
    const refresh = bob.commit()
    follow(group, refresh.message)
    bob.apply(refresh, accept(refresh.claims))
    assert.throws(() => work.next(), { code: "WRONG_EPOCH" })
  }
  // It was made before the group moved on.
  const made = toEnd(group.makeCommit(changes))
  const refresh = bob.commit()
  follow(group, refresh.message)
  bob.apply(refresh, accept(refresh.claims))
  assert.throws(() => group.commitMade(made), { code: "WRONG_EPOCH" })
  made[Symbol.dispose]()
  // And before it had received a proposal, which the commit would leave out.
  const second = toEnd(group.makeCommit(changes))
  const { message } = bob.propose({ type: "remove", leafIndex: bob.ownLeafIndex })
  assert.equal(group.receive(message).type, "proposal")
  assert.throws(() => group.commitMade(second), { code: "WRONG_EPOCH" })
  second[Symbol.dispose]()
  const commit = group.commit(changes)
  assert.deepEqual([commit.added.length, commit.removed.length], [changes.add.length, 1])
})

test("a commit that was made belongs to its group, becomes its own once, and not beside another", () => {
  const { group, members, changes } = scene()
  const made = toEnd(group.makeCommit(changes))
  assert.throws(() => members[0]!.commitMade(made), { code: "WRONG_EPOCH" })
  group.commit()
  assert.throws(() => group.commitMade(made), { code: "COMMIT_PENDING" })
  assert.throws(() => group.makeCommit(changes).next(), { code: "COMMIT_PENDING" })
  group.discardPending()
  // Its key was used for the other one, which may have been sent.
  assert.throws(() => group.commitMade(made), { code: "WRONG_EPOCH" })
  const again = toEnd(group.makeCommit(changes))
  group.commitMade(again)
  group.discardPending()
  assert.throws(() => group.commitMade(again), { code: "WRONG_EPOCH" })
})

test("a Welcome can name the commit that it belongs to, by the bytes that are sent", () => {
  const { group, changes } = scene()
  const named: { message: Uint8Array; epoch: bigint }[] = []
  const welcomeExtensions: GroupChanges["welcomeExtensions"] = (_, commit) => {
    named.push(commit)
    return []
  }
  const { message, epoch } = group.commit({ ...changes, welcomeExtensions })
  assert.deepEqual(
    named.map((it) => [it.message, it.epoch]),
    [[message, epoch]],
  )
})

test("a commit that is made and left spends no key: what comes in its place is read with the same", () => {
  const { group, members, changes } = scene()
  const [bob] = members as [Group]
  for (let left = 0; left < 200; left++) toEnd(group.makeCommit(changes))[Symbol.dispose]()
  const { message } = group.commitMade(toEnd(group.makeCommit(changes)))
  const received = bob.receive(message)
  assert.equal(received.type, "commit")
})

test("a message that is opened in slices spends nothing before it is received, and is of its epoch alone", () => {
  const { group, members, changes } = scene()
  const [bob, carol] = members as [Group, Group]
  const commit = group.commit(changes)
  const before = [...bob.records()]
  const count = interruptions(bob.openMessage(commit.message))
  for (let steps = 1; steps <= count; steps += 3) {
    const work = bob.openMessage(commit.message)
    assert.equal(advance(work, steps), undefined)
    work.return(undefined as never)
  }
  assert.deepEqual([...bob.records()], before)
  const work = bob.openMessage(commit.message)
  advance(work, 2)
  const opened = toEnd(bob.openMessage(commit.message))
  const refresh = carol.commit()
  follow(bob, refresh.message)
  // What it reads has been overwritten: what it would find is no fault of its sender's.
  assert.throws(() => work.next(), { name: "StateError", code: "WRONG_EPOCH" })
  assert.throws(() => bob.receiveOpened(opened), { name: "StateError", code: "WRONG_EPOCH" })
})

test("a commit that removes this member is opened in slices, and leaves nothing to destroy", () => {
  const { group, members } = scene()
  const [bob] = members as [Group]
  const commit = group.commit({ remove: [bob.ownLeafIndex] })
  const left = toEnd(bob.openMessage(commit.message))
  left[Symbol.dispose]()
  assert.throws(() => bob.receiveOpened(left), { code: "WRONG_EPOCH" })
  const received = bob.receiveOpened(toEnd(bob.openMessage(commit.message)))
  assert.ok(received.type === "commit" && received.staged.selfRemoved)
  bob.apply(received.staged, accept(received.staged.claims))
  assert.equal(bob.active, false)
})

test("a forged message that is opened in slices throws the same, and does not spend the key of the real one", () => {
  const { group, members, changes } = scene()
  const [bob] = members as [Group]
  const commit = group.commit(changes)
  const forged = commit.message.slice()
  forged[forged.length - 1]! ^= 1
  let thrown: unknown
  try {
    bob.receive(forged)
  } catch (error) {
    thrown = error
  }
  assert.ok(thrown instanceof Error)
  assert.throws(() => toEnd(bob.openMessage(forged)), { name: thrown.name, message: thrown.message })
  const received = bob.receiveOpened(toEnd(bob.openMessage(commit.message)))
  assert.ok(received.type === "commit")
  bob.apply(received.staged, accept(received.staged.claims))
  group.apply(commit, accept(commit.claims))
  assert.deepEqual(bob.epochAuthenticator, group.epochAuthenticator)
})

test("a Welcome whose tree was not checked to its end is of no use any more", () => {
  const { group, newcomers, bundles, changes } = scene()
  const commit = group.commit(changes)
  group.apply(commit, accept(commit.claims))
  const options = { ...newcomers[0]!.options, welcome: commit.welcome!, keyPackages: [bundles[0]!] }
  const left = toEnd(Group.openWelcome(options))
  const work = left.stageInSlices()
  advance(work, 1)
  work.return(undefined as never)
  assert.throws(() => left.stage(), { name: "RuleError" })
  const joined = join(newcomers[0]!, bundles[0]!, commit.welcome!)
  assert.deepEqual(joined.epochAuthenticator, group.epochAuthenticator)
})

test("what breaks a rule breaks it in slices too", () => {
  const { people, groups } = groupOf(["alice", "bob"])
  const expired = keyPackageOf(person("carol", 1))
  const [{ options }] = people as [Person]
  const late = Group.restore({ ...options, now: () => now + 86_400n * 365n, records: groups[0]!.records() })
  const refusal = { name: "RuleError", rule: "leaf-lifetime-current" }
  assert.throws(() => late.commit({ add: [expired.keyPackage] }), refusal)
  assert.throws(() => toEnd(late.makeCommit({ add: [expired.keyPackage] })), refusal)
})
