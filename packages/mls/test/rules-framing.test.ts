import assert from "node:assert/strict"
import { test } from "node:test"
import { encode } from "@conclave/codec"
import { type Extension, type Proposal, proposeFromOutside } from "@conclave/mls"
import { protectPublic } from "../src/framing/public-message.js"
import { ExternalSenders } from "../src/wire.js"
import { follow, person, provider, utf8 } from "./group-fixture.js"
import { Insider, leaf } from "./rules/insider.js"
import { breaks, declines, newcomer, refuses, type Scene, scene, stored } from "./rules/scene.js"

/** A service outside the group that may make proposals. */
const service = person("service")
const listed: Extension = {
  extensionType: 5,
  extensionData: encode(ExternalSenders, [
    { signatureKey: service.signer.key.publicKey, credential: service.signer.credential },
  ]),
}
const asService = (senderIndex = 0) => ({
  key: service.signer.key,
  content: { sender: { type: "external", senderIndex } as const },
})

/** A group that lists the service. */
function servedScene(): Scene {
  const set = scene()
  const { message } = set.alice.commit({ extensions: [listed] })
  for (const group of set.groups) follow(group, message)
  return { ...set, mallory: new Insider(set.people[2], set.groups[2]!) }
}

const remove = (index: number): Proposal => ({ type: "remove", removed: leaf(index) })

test("framing-group: a message names another group", () => {
  const set = scene()
  const groupId = new Uint8Array(provider.random(32))
  refuses(set, set.mallory.propose(remove(1), { content: { groupId } }), "framing-group")
})

test("framing-application-private: application data in a PublicMessage", () => {
  const set = scene()
  const message = set.mallory.send({ type: "application", applicationData: utf8("read me") })
  refuses(set, message, "framing-application-private")
})

test("framing-application-private: application data is put into a PublicMessage", () => {
  const { mallory } = scene()
  const { groupId, epoch } = mallory.epoch.context
  const content = {
    groupId,
    epoch,
    sender: { type: "member", leafIndex: mallory.leafIndex },
    authenticatedData: new Uint8Array(0),
    contentType: { type: "application", applicationData: utf8("read me") },
  } as const
  const key = { membership: mallory.epoch.secrets.membership, context: mallory.epoch.contextBytes }
  breaks("framing-application-private", () =>
    protectPublic(mallory.suite, content, { signature: new Uint8Array(64) }, key),
  )
})

for (const index of [3, 77, 2 ** 29, 2 ** 31 - 1, 2 ** 32 - 1]) {
  test(`framing-sender-member: a PublicMessage by leaf ${index}, which nobody has`, () => {
    const set = scene()
    const sender = { type: "member", leafIndex: leaf(index) } as const
    refuses(set, set.mallory.propose(remove(1), { content: { sender } }), "framing-sender-member")
  })
}

test("framing-sender-member: a PrivateMessage by a blank leaf", () => {
  const set = scene()
  const sender = { type: "member", leafIndex: leaf(3) } as const
  const message = set.mallory.propose(remove(1), { wireFormat: "mlsPrivateMessage", content: { sender } })
  refuses(set, message, "framing-sender-member")
})

test("framing-external-sender-listed: an external sender beyond the end of the list", () => {
  const set = servedScene()
  refuses(set, set.mallory.propose(remove(1), asService(1)), "framing-external-sender-listed")
})

test("framing-external-sender-listed: an external sender of a group that lists none", () => {
  const set = scene()
  refuses(set, set.mallory.propose(remove(1), asService()), "framing-external-sender-listed")
})

test("framing-external-content: an external sender commits", () => {
  const set = servedScene()
  refuses(set, set.mallory.commit({ ...asService(), content: asService().content }).message, "framing-external-content")
})

test("framing-external-proposal-type: an external sender proposes an Update", () => {
  const set = servedScene()
  const proposal: Proposal = { type: "update", leafNode: set.mallory.updatedLeaf() }
  refuses(set, set.mallory.propose(proposal, asService()), "framing-external-proposal-type")
})

test("framing-external-proposal-type: an external sender proposes an ExternalInit", () => {
  const set = servedScene()
  const proposal: Proposal = { type: "externalInit", kemOutput: new Uint8Array(32) }
  refuses(set, set.mallory.propose(proposal, asService()), "framing-external-proposal-type")
})

test("framing-external-proposal-type: a service makes a proposal that only members may make", () => {
  const target = { groupId: utf8("a group"), epoch: 3n, senderIndex: 0, key: service.signer.key }
  const proposal: Proposal = { type: "externalInit", kemOutput: new Uint8Array(32) }
  breaks("framing-external-proposal-type", () => proposeFromOutside(target, proposal))
  assert(proposeFromOutside(target, remove(1)).length > 0)
})

test("what external senders may propose is taken in", () => {
  const set = servedScene()
  const { keyPackage } = newcomer()
  const pskNonce = new Uint8Array(provider.random(32))
  const proposals: Proposal[] = [
    remove(1),
    { type: "add", keyPackage },
    { type: "psk", psk: { psktype: { type: "external", pskId: utf8("key") }, pskNonce } },
    { type: "reinit", groupId: utf8("next"), version: 1, cipherSuite: 1, extensions: [] },
    { type: "groupContextExtensions", extensions: [listed] },
  ]
  for (const proposal of proposals) {
    assert.equal(set.alice.receive(set.mallory.propose(proposal, asService())).type, "proposal")
  }
})

test("framing-new-member-proposal: somebody from outside proposes a Remove", () => {
  const set = scene()
  const sender = { type: "newMemberProposal" } as const
  const message = set.mallory.propose(remove(1), { content: { sender } })
  refuses(set, message, "framing-new-member-proposal")
})

test("framing-new-member-commit: somebody who joins by a Commit sends a proposal", () => {
  const set = scene()
  const sender = { type: "newMemberCommit" } as const
  refuses(set, set.mallory.propose(remove(1), { content: { sender } }), "framing-new-member-commit")
})

test("external-path: somebody joins by a Commit without a path", () => {
  const set = scene()
  refuses(set, set.mallory.commit({ joins: person("eve"), path: false }).message, "external-path")
})

test("application-after-proposals: application data while a proposal waits for its commit", () => {
  const { alice, bob } = scene()
  assert.equal(alice.receive(bob.propose({ type: "update" }).message).type, "proposal")
  declines(alice, "application-after-proposals", () => alice.encrypt(utf8("too early")))
  const { message } = alice.commit()
  follow(alice, message)
  assert.equal(bob.receive(message).type, "commit")
  assert(alice.encrypt(utf8("in time")).length > 0)
})

test("commit-after-reinit: a group that was reinitialised sends", () => {
  const { alice, groups } = scene()
  const { message } = alice.commit({ reInit: { groupId: utf8("next"), cipherSuite: 1, extensions: [] } })
  for (const group of groups) follow(group, message)
  for (const wish of [
    () => alice.encrypt(utf8("one more")),
    () => alice.propose({ type: "update" }),
    () => alice.commit(),
  ]) {
    declines(alice, "commit-after-reinit", wish)
  }
})

test("commit-after-reinit: a message comes from a group that was reinitialised", () => {
  const { alice, people, groups } = scene()
  const { message } = alice.commit({ reInit: { groupId: utf8("next"), cipherSuite: 1, extensions: [] } })
  const late = groups[1]!.encrypt(utf8("sent before the end"))
  for (const group of groups) follow(group, message)
  const mallory = new Insider(people[2], groups[2]!)
  const before = stored(alice)
  breaks("commit-after-reinit", () => alice.receive(mallory.propose(remove(1))))
  assert.deepEqual(stored(alice), before)
  assert.equal(alice.receive(late).type, "application")
})
