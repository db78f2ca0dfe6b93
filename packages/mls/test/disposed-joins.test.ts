import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { destroyJoined } from "../src/group/join.js"
import { dangerouslyAcceptAll, Group } from "../src/index.js"
import { create, keyPackageOf, person } from "./group-fixture.js"

describe("a join that was staged", () => {
  it("cannot be accepted once it was disposed of, nor twice, and disposing of one that was accepted leaves the group", () => {
    const [alice, bob] = [person("alice"), person("bob")]
    const group = create(alice)
    const bundle = keyPackageOf(bob)
    const commit = group.commit({ add: [bundle.keyPackage] })
    group.apply(commit, dangerouslyAcceptAll(commit.claims))
    const stage = () => Group.stageJoin({ ...bob.options, welcome: commit.welcome!, keyPackages: [bundle] })
    const left = stage()
    left[Symbol.dispose]()
    left[Symbol.dispose]()
    assert.throws(() => left.accept(dangerouslyAcceptAll(left.claims)), { code: "WRONG_EPOCH" })
    const staged = stage()
    const joined = staged.accept(dangerouslyAcceptAll(staged.claims))
    staged[Symbol.dispose]()
    assert.throws(() => staged.accept(dangerouslyAcceptAll(staged.claims)), { code: "WRONG_EPOCH" })
    assert.equal(joined.receive(group.encrypt(Uint8Array.of(7))).type, "application")
  })

  it("is the only one of what was prepared, and staging it again leaves it as it is", () => {
    const [alice, bob] = [person("alice"), person("bob")]
    const group = create(alice)
    const bundle = keyPackageOf(bob)
    const commit = group.commit({ add: [bundle.keyPackage] })
    group.apply(commit, dangerouslyAcceptAll(commit.claims))
    const prepared = Group.prepareJoin({ ...bob.options, welcome: commit.welcome!, keyPackages: [bundle] })
    const staged = prepared.stage()
    assert.throws(() => prepared.stage(), { name: "RuleError" })
    const joined = staged.accept(dangerouslyAcceptAll(staged.claims))
    assert.equal(joined.receive(group.encrypt(Uint8Array.of(7))).type, "application")
    assert.deepEqual(joined.epochAuthenticator, group.epochAuthenticator)
  })

  it("has no secret left in memory when it was disposed of", () => {
    const secret = () => new Uint8Array(4).fill(1)
    const names = [
      "senderData",
      "exporter",
      "external",
      "confirmation",
      "membership",
      "resumption",
      "authentication",
      "init",
    ]
    const secrets = Object.fromEntries(names.map((name) => [name, secret()]))
    const seed = { secrets, encryption: secret(), welcome: secret(), joiner: secret() }
    const privateKeys = new Map([[0, secret()]])
    destroyJoined({ epoch: { secrets, privateKeys }, seed } as unknown as Parameters<typeof destroyJoined>[0])
    for (const it of [...Object.values(secrets), seed.encryption, seed.welcome, seed.joiner, ...privateKeys.values()]) {
      assert.deepEqual(it, new Uint8Array(4))
    }
  })
})
