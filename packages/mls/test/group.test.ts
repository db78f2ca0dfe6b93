import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { cipherSuiteNumbers, dangerouslyAcceptAll, Group, StateError } from "@conclave/mls"
import { add, create, follow, groupOf, join, keyPackageOf, person, text, utf8 } from "./group-fixture.js"

const agree = (...groups: readonly Group[]) => {
  for (const group of groups) assert.deepEqual(group.epochAuthenticator, groups[0]!.epochAuthenticator)
}

const sorted = (records: Iterable<readonly [string, Uint8Array]>) =>
  [...records].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, bytes]) => [key, Buffer.from(bytes).toString("hex")])

test("a clock that was never set makes a group as any other does", () => {
  const { options } = person("alice", 1, { now: () => 0n })
  const group = Group.create({ ...options, groupId: utf8("1970") })
  assert.deepEqual(follow(group, group.commit().message).type, "commit")
})

for (const suite of cipherSuiteNumbers) {
  for (const handshake of ["private", "public"] as const) {
    test(`suite ${suite}, ${handshake} handshakes: create, add, talk, update, remove, rejoin`, () => {
      const extra = { policy: { handshake } }
      const { people, groups } = groupOf(["alice", "bob", "carol"], suite, extra)
      const [alice, bob, carol] = groups as [Group, Group, Group]
      agree(alice, bob, carol)

      for (const sender of groups) {
        const message = sender.encrypt(utf8(`from ${sender.ownLeafIndex}`))
        for (const receiver of groups.filter((it) => it !== sender)) {
          const received = receiver.receive(message)
          assert(received.type === "application")
          assert.equal(text(received.plaintext), `from ${sender.ownLeafIndex}`)
          assert.equal(received.sender.leafIndex, sender.ownLeafIndex)
        }
        assert.deepEqual(sender.receive(message), { type: "ignored", reason: "own-message" })
      }

      const update = bob.commit()
      for (const group of [alice, carol]) follow(group, update.message)
      assert.deepEqual(follow(bob, update.message).type, "commit")
      agree(alice, bob, carol)

      const proposal = carol.propose({ type: "update" })
      for (const group of [alice, bob]) assert.equal(group.receive(proposal.message).type, "proposal")
      const taken = alice.commit({ remove: [bob.ownLeafIndex] })
      follow(alice, taken.message)
      follow(carol, taken.message)
      agree(alice, carol)
      const removal = bob.receive(taken.message)
      assert(removal.type === "commit" && removal.staged.selfRemoved)
      bob.apply(removal.staged, dangerouslyAcceptAll(removal.staged.claims))
      assert.equal(bob.active, false)
      assert.throws(() => bob.encrypt(utf8("still here?")), StateError)

      const rejoin = Group.stageExternalJoin({
        ...people[1]!.options,
        groupInfo: alice.groupInfo({ withRatchetTree: true, withExternalPub: true }),
      })
      for (const group of [alice, carol]) follow(group, rejoin.message)
      const bobAgain = rejoin.accept(dangerouslyAcceptAll(rejoin.claims))
      agree(alice, carol, bobAgain)
      assert.equal(text((alice.receive(bobAgain.encrypt(utf8("back"))) as { plaintext: Uint8Array }).plaintext), "back")
    })
  }
}

describe("records", () => {
  test("a group restored from its records after every operation goes on where it was", () => {
    const { people, groups } = groupOf(["alice", "bob"])
    const stored = new Map<string, Uint8Array>()
    let [alice] = groups as [Group, Group]
    const bob = groups[1]!
    const reload = () => {
      const { put, delete: gone } = alice.takeChanges()
      for (const key of gone) stored.delete(key)
      for (const [key, bytes] of put) stored.set(key, bytes)
      alice = Group.restore({ ...people[0]!.options, records: stored })
      assert.deepEqual(sorted(alice.records()), sorted(stored))
    }
    reload()
    for (let round = 0; round < 5; round++) {
      const late = bob.encrypt(utf8("late"))
      const second = bob.encrypt(utf8("in time"))
      assert.equal(alice.receive(second).type, "application")
      reload()
      assert.equal(bob.receive(alice.encrypt(utf8(`round ${round}`))).type, "application")
      reload()
      const proposal = bob.propose({ type: "update" })
      assert.equal(alice.receive(proposal.message).type, "proposal")
      reload()
      const commit = alice.commit()
      reload()
      assert.deepEqual(alice.pending?.message, commit.message)
      const echo = alice.receive(commit.message)
      assert(echo.type === "commit" && echo.own)
      alice.apply(echo.staged, dangerouslyAcceptAll(echo.staged.claims))
      follow(bob, commit.message)
      reload()
      agree(alice, bob)
      const received = alice.receive(late)
      assert(received.type === "application")
      reload()
      assert.throws(() => alice.receive(late), { code: "GENERATION_SPENT" })
      const [carol] = add(bob, [person("carol")], [alice]) as [Group]
      agree(alice, bob, carol)
      reload()
      const away = bob.commit({ remove: [carol.ownLeafIndex] })
      follow(bob, away.message)
      follow(alice, away.message)
      reload()
    }
  })

  test("a pending commit of somebody who will be alone comes back as often as it is restored", () => {
    const { people, groups } = groupOf(["alice", "bob"])
    let [alice] = groups as [Group]
    const { message } = alice.commit({ remove: [groups[1]!.ownLeafIndex] })
    for (let time = 0; time < 3; time++) {
      alice = Group.restore({ ...people[0]!.options, records: [...alice.records()] })
      assert.deepEqual(alice.pending?.message, message)
    }
    follow(alice, message)
    assert.equal(alice.memberCount, 1)
  })

  test("a message writes a few hundred bytes, whatever the size of the group", () => {
    const names = Array.from({ length: 64 }, (_, i) => `member ${i}`)
    const { groups } = groupOf(names)
    const [first, second] = groups as [Group, Group]
    const size = (group: Group) =>
      [...group.takeChanges().put].reduce((sum, [key, it]) => sum + key.length + it.length, 0)
    for (const group of [first, second]) group.takeChanges()
    second.receive(first.encrypt(utf8("the first one grows the ratchets")))
    for (const group of [first, second]) group.takeChanges()
    second.receive(first.encrypt(utf8("the second one steps on")))
    for (const group of [first, second]) assert(size(group) <= 512)
  })
})

test("a commit that lost the race is given up, and the winner's is understood", () => {
  const { groups } = groupOf(["alice", "bob", "carol"])
  const [alice, bob, carol] = groups as [Group, Group, Group]
  const winner = bob.commit()
  alice.commit({ remove: [carol.ownLeafIndex] })
  for (const group of groups) follow(group, winner.message)
  assert.equal(alice.pending, undefined)
  agree(alice, bob, carol)
})

test("the tree may come beside the welcome", () => {
  const alice = create(person("alice"))
  const bob = person("bob")
  const bundle = keyPackageOf(bob)
  const commit = alice.commit({ add: [bundle.keyPackage], welcomeWithTree: false })
  follow(alice, commit.message)
  assert.throws(() => join(bob, bundle, commit.welcome!), { rule: "welcome-tree-present" })
  agree(alice, join(bob, bundle, commit.welcome!, commit.ratchetTree()))
})
