import assert from "node:assert/strict"
import { test } from "node:test"
import { dangerouslyAcceptAll, Group } from "@conclave/mls"
import type { GroupContext } from "../src/wire.js"
import { keyPackageOf, person, utf8 } from "./group-fixture.js"
import { ForgedGroup } from "./rules/forged-group.js"
import { Insider, leaf } from "./rules/insider.js"
import { addOf, newcomer, stored } from "./rules/scene.js"

const last = 2n ** 64n - 1n
const inLastEpoch = (right: GroupContext): GroupContext => ({ ...right, epoch: last })
const spent = { name: "StateError", code: "EPOCHS_SPENT" }

/** Somebody with a GroupInfo of the last epoch that a number can say has invited Eve. */
function eveInTheLastEpoch() {
  const eve = person("eve")
  const bundle = keyPackageOf(eve)
  const forged = new ForgedGroup(["ann", "ben", "eve", "dan"], { joiner: { index: 2, who: eve, bundle } }).commitAs(0)
  const staged = Group.stageJoin({
    ...eve.options,
    welcome: forged.welcome(bundle, 2, { context: inLastEpoch }),
    keyPackages: [bundle],
  })
  return { group: staged.accept(dangerouslyAcceptAll(staged.claims)), eve, ann: forged.people[0]! }
}

test("in the last epoch members talk, but nobody commits", () => {
  const { group } = eveInTheLastEpoch()
  assert.equal(group.epoch, last)
  assert.throws(() => group.commit(), spent)
  assert.throws(() => group.commit({ add: [keyPackageOf(person("zoe")).keyPackage], path: false }), spent)
  assert(group.encrypt(utf8("still here")).length > 0)
})

test("a commit that comes in the last epoch leaves the group as it is", () => {
  const { group, eve, ann } = eveInTheLastEpoch()
  const commit = {
    proposals: [{ type: "proposal", proposal: addOf(newcomer("zoe").keyPackage) }] as const,
    path: undefined,
  }
  const message = new Insider(eve, group).send(
    { type: "commit", commit },
    { content: { sender: { type: "member", leafIndex: leaf(0) } }, key: ann.signer.key },
    { confirmationTag: new Uint8Array(32) },
  )
  const before = stored(group)
  assert.throws(() => group.receive(message), spent)
  assert.deepEqual(stored(group), before)
})

test("a commit that removes us in the last epoch does not, though nothing follows that could be wrong with it", () => {
  const { group, eve, ann } = eveInTheLastEpoch()
  // Nobody's own code makes it: Ann computes the path as if the epoch were the one before.
  const insider = new Insider(eve, group)
  const { epoch } = insider
  const context = { ...epoch.context, epoch: last - 1n }
  insider.state.epoch = { ...epoch, context, ownLeafIndex: leaf(0), signer: ann.signer }
  const { message } = insider.commit({
    proposals: [{ type: "remove", removed: group.ownLeafIndex }],
    content: { epoch: last },
    leaf: (it) => ({ ...it, credential: ann.signer.credential, signatureKey: ann.signer.key.publicKey }),
    leafKey: ann.signer.key,
  })
  const before = stored(group)
  assert.throws(() => group.receive(message), spent)
  assert.deepEqual(stored(group), before)
})

test("nobody joins from outside by a GroupInfo of the last epoch", () => {
  const forged = new ForgedGroup(["ann", "ben"])
  const zoe = person("zoe")
  assert.throws(
    () => Group.stageExternalJoin({ ...zoe.options, groupInfo: forged.groupInfo({ context: inLastEpoch }) }),
    spent,
  )
})
