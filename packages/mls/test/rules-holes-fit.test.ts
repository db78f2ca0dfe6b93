import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { dangerouslyAcceptAll, Group } from "@conclave/mls"
import { follow, join, keyPackageOf, type Person, person, text, utf8 } from "./group-fixture.js"
import { scene, stored, understands } from "./rules/scene.js"

/* What other implementations are known to have let through, or to have stumbled over: the course of events. */

const agree = (...groups: readonly Group[]) => {
  for (const group of groups) assert.deepEqual(group.epochAuthenticator, groups[0]!.epochAuthenticator)
}
const restored = ({ options }: Person, group: Group): Group =>
  Group.restore({ ...options, records: [...group.records()] })

function reads(group: Group, message: Uint8Array): string {
  const received = group.receive(message)
  assert(received.type === "application")
  return text(received.plaintext)
}

describe("what does not fit the state of the group", () => {
  test("a message of an epoch to come, whatever is in it", () => {
    const { alice, bob, groups } = scene()
    const commit = bob.commit()
    for (const group of [bob, groups[2]!]) follow(group, commit.message)
    const before = stored(alice)
    for (const message of [
      bob.encrypt(utf8("too early")),
      bob.commit().message,
      bob.propose({ type: "update" }).message,
    ]) {
      assert.throws(() => alice.receive(message), { code: "WRONG_EPOCH" })
    }
    assert.deepEqual(stored(alice), before)
    bob.discardPending()
    follow(alice, commit.message)
    agree(alice, bob)
  })

  test("a second commit while one is on its way", () => {
    const { alice, bob } = scene()
    const { message } = alice.commit()
    assert.throws(() => alice.commit(), { code: "COMMIT_PENDING" })
    follow(alice, message)
    follow(bob, message)
    understands(alice, bob)
  })

  test("a ratchet at its end sends no more, and starts anew in the next epoch", () => {
    const { alice, bob, people } = scene()
    reads(bob, alice.encrypt(utf8("so that the ratchet is there")))
    const name = "e/1/ratchet/0/application"
    const records = new Map(alice.records())
    const ratchet = records.get(name)!.slice()
    new DataView(ratchet.buffer).setBigUint64(0, 0xffff_ffffn)
    const late = Group.restore({ ...people[0].options, records: records.set(name, ratchet) })
    assert(late.encrypt(utf8("the last one")).length > 0)
    const before = stored(late)
    assert.throws(() => late.encrypt(utf8("one too many")), { code: "GENERATION_SPENT" })
    assert.deepEqual(stored(late), before)
    const { message } = late.commit()
    for (const group of [late, bob]) follow(group, message)
    assert.equal(reads(bob, late.encrypt(utf8("again"))), "again")
  })

  test("a signer that does not have the key of our leaf node", () => {
    const { alice, people } = scene()
    const [, bob] = people
    const records = [...alice.records()]
    assert.throws(() => Group.restore({ ...bob.options, records }), TypeError)
    assert.equal(restored(people[0], alice).epoch, 1n)
    const eve = person("eve")
    const bundle = keyPackageOf(eve)
    const { welcome } = alice.commit({ add: [bundle.keyPackage] })
    assert.throws(() => join(bob, bundle, welcome!), TypeError)
    assert.equal(join(eve, bundle, welcome!).epoch, 2n)
  })

  test("a member that has left", () => {
    const { alice, bob, people, groups } = scene()
    const { message } = bob.commit({ remove: [alice.ownLeafIndex] })
    const last = bob.encrypt(utf8("farewell"))
    const other = alice.receive(groups[2]!.commit().message)
    assert(other.type === "commit")
    follow(alice, message)
    for (const wish of [
      () => alice.apply(other.staged, dangerouslyAcceptAll(other.staged.claims)),
      () => alice.epochAuthenticator,
      () => alice.exportSecret("label", new Uint8Array(), 32),
      () => alice.groupInfo(),
      () => alice.encrypt(utf8("hello?")),
      () => alice.commit(),
      () => alice.propose({ type: "update" }),
      () => alice.receive(last),
      () => restored(people[0], alice),
    ]) {
      assert.throws(wish, { code: "NOT_A_MEMBER" })
    }
  })
})
