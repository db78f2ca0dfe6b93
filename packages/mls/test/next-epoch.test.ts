import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { dangerouslyAcceptAll, Group, type StagedCommit } from "@conclave/mls"
import { groupOf, keyPackageOf, person, utf8 } from "./group-fixture.js"

const asked = { label: "a label", context: utf8("a context"), length: 32 }
const exported = (group: Group) => group.exportSecret(asked.label, asked.context, asked.length)
const exportedAfter = (group: Group, staged: StagedCommit) =>
  group.exportSecretAfter(staged, asked.label, asked.context, asked.length)
const received = (group: Group, message: Uint8Array): StagedCommit => {
  const it = group.receive(message)
  assert.ok(it.type === "commit")
  return it.staged
}

describe("what is known of the epoch that a commit begins, before it is applied", () => {
  test("committer and receivers export the secret that they export once they are there, and no earlier one", () => {
    const [alice, bob] = groupOf(["alice", "bob"]).groups as [Group, Group]
    const before = exported(alice)
    const commit = alice.commit()
    const staged = received(bob, commit.message)
    const secrets = [exportedAfter(alice, commit), exportedAfter(bob, staged)]
    assert.notDeepEqual(secrets[0], before)
    alice.apply(commit, [])
    bob.apply(staged, [])
    for (const secret of [...secrets, exported(bob)]) assert.deepEqual(secret, exported(alice))
  })

  test("somebody whom the commit removes learns no secret of what follows", () => {
    const [alice, bob] = groupOf(["alice", "bob"]).groups as [Group, Group]
    const staged = received(bob, alice.commit({ remove: [bob.ownLeafIndex] }).message)
    assert.throws(() => exportedAfter(bob, staged), { code: "NOT_A_MEMBER" })
  })

  test("a commit that was staged in another epoch, or by another group, has no secrets here", () => {
    const [alice, bob] = groupOf(["alice", "bob"]).groups as [Group, Group]
    const commit = alice.commit()
    assert.throws(() => exportedAfter(bob, commit), { code: "WRONG_EPOCH" })
    alice.apply(commit, [])
    assert.throws(() => exportedAfter(alice, commit), { code: "WRONG_EPOCH" })
  })

  test("a commit says whether it has a path", () => {
    const [alice, bob] = groupOf(["alice", "bob"]).groups as [Group, Group]
    for (const path of [true, false]) {
      const add = [keyPackageOf(person(`newcomer ${path}`)).keyPackage]
      const commit = alice.commit({ add, path })
      const staged = received(bob, commit.message)
      assert.deepEqual([commit.path, staged.path], [path, path])
      alice.apply(commit, dangerouslyAcceptAll(commit.claims))
      bob.apply(staged, dangerouslyAcceptAll(staged.claims))
    }
  })
})

describe("what a Welcome tells newcomers beside the group", () => {
  test("extensions made from a secret of the new epoch reach whoever is added, signed by the committer", () => {
    const [alice] = groupOf(["alice"]).groups as [Group]
    const bob = person("bob")
    const offer = keyPackageOf(bob)
    const commit = alice.commit({
      add: [offer.keyPackage],
      path: false,
      welcomeExtensions: (exportNext) => [{ extensionType: 0xf123, extensionData: exportNext(asked) }],
    })
    alice.apply(commit, dangerouslyAcceptAll(commit.claims))
    const staged = Group.stageJoin({ ...bob.options, welcome: commit.welcome!, keyPackages: [offer] })
    const told = staged.groupInfoExtensions.find(({ extensionType }) => extensionType === 0xf123)
    assert.deepEqual(told?.extensionData, exported(alice))
    assert.equal(staged.inviter.leafIndex, alice.ownLeafIndex)
  })
})

test("a member's leaf node is what everybody has in the tree; there is none where the leaf is blank or beyond it", () => {
  const [alice, bob] = groupOf(["alice", "bob", "carol"]).groups as [Group, Group]
  const commit = alice.commit({ remove: [bob.ownLeafIndex] })
  assert.deepEqual(bob.leafNode(alice.ownLeafIndex), alice.leafNode(alice.ownLeafIndex))
  const before = alice.leafNode(alice.ownLeafIndex)
  alice.apply(commit, [])
  assert.notDeepEqual(alice.leafNode(alice.ownLeafIndex), before)
  assert.equal(alice.leafNode(bob.ownLeafIndex), undefined)
  const beyond = 1000 as typeof alice.ownLeafIndex
  assert.equal(alice.leafNode(beyond), undefined)
})
