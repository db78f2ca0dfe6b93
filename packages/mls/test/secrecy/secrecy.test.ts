import assert from "node:assert/strict"
import { test } from "node:test"
import { dangerouslyAcceptAll, type Group } from "@conclave/mls"
import { follow, groupOf, text, utf8 } from "../group-fixture.js"
import { Adversary, clone, type RecordedMessage, record } from "./adversary.js"

/** Alice's complete state, at this moment. */
const stateOf = (group: Group) => new Adversary(group.suite, [...group.records()])

test("forward secrecy: no state of a member opens a message that it has sent or read before", () => {
  const { groups } = groupOf(["alice", "bob", "carol"])
  const [alice, bob, carol] = groups as [Group, Group, Group]
  const recorded: RecordedMessage[] = []
  const refusesAll = (when: string) => {
    const adversary = stateOf(alice)
    for (const [i, it] of recorded.entries()) assert.equal(adversary.opens(it), false, `message ${i}, ${when}`)
  }
  for (const committer of [carol, alice]) {
    const fromBob = bob.encrypt(utf8("from bob"))
    const received = record(fromBob, alice)
    assert(stateOf(alice).opens(received), "before it is read, the state opens it: the search is able to find keys")
    assert.equal(alice.receive(fromBob).type, "application")
    recorded.push(received)

    const sent = alice.encrypt(utf8("from alice"))
    recorded.push(record(sent, alice))
    refusesAll("after reading and sending")
    for (const group of [bob, carol]) group.receive(sent)

    const commit = committer.commit()
    for (const group of groups) follow(group, commit.message)
    refusesAll("in the next epoch")
  }
})

test("forward secrecy: of a message that was skipped only its own key stays, not what later keys follow from", () => {
  const { groups } = groupOf(["alice", "bob"])
  const [alice, bob] = groups as [Group, Group]
  const messages = [0, 1, 2].map((i) => bob.encrypt(utf8(`${i}`)))
  const recorded = messages.map((it) => record(it, alice))
  const opensNow = () => recorded.map((it) => stateOf(alice).opens(it))
  assert.deepEqual(opensNow(), [true, true, true])
  alice.receive(messages[1]!)
  assert.deepEqual(opensNow(), [true, false, true])
  alice.receive(messages[2]!)
  assert.deepEqual(opensNow(), [true, false, false])
  alice.receive(messages[0]!)
  assert.deepEqual(opensNow(), [false, false, false])
})

test("forward secrecy: late messages can be read for the epochs that are kept, and then nobody can read them", () => {
  const { groups } = groupOf(["alice", "bob"])
  const [alice, bob] = groups as [Group, Group]
  const late = bob.encrypt(utf8("late"))
  const recorded = record(late, alice)
  for (let epoch = 0; epoch < 3; epoch++) {
    const commit = alice.commit()
    for (const group of groups) follow(group, commit.message)
    assert(stateOf(alice).opens(recorded), `${epoch + 1} epochs later`)
  }
  const commit = alice.commit()
  for (const group of groups) follow(group, commit.message)
  assert.equal(stateOf(alice).opens(recorded), false)
  assert.deepEqual(alice.receive(late), { type: "ignored", reason: "past-epoch" })
})

test("a removed member keeps no secret of the group", () => {
  const { groups } = groupOf(["alice", "bob", "carol"])
  const [alice, bob, carol] = groups as [Group, Group, Group]
  const recorded = record(alice.encrypt(utf8("before")), alice)
  const removal = alice.commit({ remove: [carol.ownLeafIndex] })
  for (const group of [alice, bob]) follow(group, removal.message)
  assert(stateOf(carol).opens(recorded))
  follow(carol, removal.message)
  const after = record(bob.encrypt(utf8("after")), alice)
  assert.deepEqual([stateOf(carol).opens(recorded), stateOf(carol).opens(after)], [false, false])
})

test("post-compromise security: a stolen state follows along until the victim's update, and not past it", () => {
  const { people, groups } = groupOf(["alice", "bob", "carol", "dave"])
  const [alice, bob, carol, dave] = groups as [Group, Group, Group, Group]
  const thief = clone(alice, people[0]!.options)

  // Other members' commits do not shake the thief off: it decrypts the path secrets that alice would.
  const others = bob.commit()
  for (const group of [...groups, thief]) follow(group, others.message)
  const read = thief.receive(carol.encrypt(utf8("still listening")))
  assert(read.type === "application")
  assert.equal(text(read.plaintext), "still listening")

  // The victim's own update does: its path secrets go to everybody but the victim.
  const healing = alice.commit()
  const loot = new Adversary(thief.suite, [...thief.records()])
  for (const group of groups) follow(group, healing.message)
  assert.throws(() => thief.receive(healing.message))
  const message = dave.encrypt(utf8("the thief is gone"))
  assert.throws(() => thief.receive(message), { code: "WRONG_EPOCH" })
  const recorded = record(message, alice)
  assert.equal(loot.opens(recorded), false)
  assert(stateOf(bob).opens(recorded), "a member of the new epoch opens it")
})

test("post-compromise security: an Update proposal heals too, once somebody commits it", () => {
  const { people, groups } = groupOf(["alice", "bob", "carol"])
  const [alice, bob, carol] = groups as [Group, Group, Group]
  const thief = clone(alice, people[0]!.options)
  const proposal = alice.propose({ type: "update" })
  for (const group of [bob, carol]) group.receive(proposal.message)
  const commit = bob.commit()
  const loot = new Adversary(thief.suite, [...thief.records()])
  for (const group of groups) follow(group, commit.message)
  assert.throws(() => thief.receive(commit.message))
  assert.equal(loot.opens(record(carol.encrypt(utf8("healed")), alice)), false)
})

test("message confidentiality: somebody outside with all public messages and the server's view opens nothing", () => {
  const { groups } = groupOf(["alice", "bob"])
  const [alice, bob] = groups as [Group, Group]
  const seen: [string, Uint8Array][] = [
    ["group info", alice.groupInfo({ withRatchetTree: true, withExternalPub: true })],
    ["tree", alice.ratchetTree()],
  ]
  const commit = alice.commit()
  seen.push(["commit", commit.message])
  alice.apply(commit, dangerouslyAcceptAll(commit.claims))
  follow(bob, commit.message)
  const message = alice.encrypt(utf8("private"))
  seen.push(["message", message])
  assert.equal(new Adversary(alice.suite, seen).opens(record(message, bob)), false)
})
