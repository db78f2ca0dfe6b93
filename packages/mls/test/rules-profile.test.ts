import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type Credential,
  Group,
  type GroupProfile,
  type Member,
  type Presented,
  type Proposal,
  proposeOwnAdd,
} from "@conclave/mls"
import { unrestrictedProfile } from "../src/group/profile.js"
import { follow, join, keyPackageOf, type Person, person, provider, text, utf8 } from "./group-fixture.js"
import { ForgedGroup } from "./rules/forged-group.js"
import { leaf } from "./rules/insider.js"
import { addOf, breaks, declines, newcomer, refreshed, refuses, type Scene, scene } from "./rules/scene.js"

const nameOf = ({ credential }: Presented) => (credential.type === "basic" ? text(credential.identity) : "")
const removesItsSender = (proposal: Proposal, sender: Member | undefined) =>
  proposal.type === "remove" && sender?.leafIndex === proposal.removed

/** A conversation: adding and removing by value, leaving by a proposal, names that stay, re-joining in one's own place. */
const conversation: GroupProfile = {
  externalCommits: "rejoin",
  proposalAllowed: removesItsSender,
  committedAllowed: (proposal, { proposer, byReference }) =>
    byReference ? removesItsSender(proposal, proposer) : proposal.type === "add" || proposal.type === "remove",
  credentialAllowed: (credential: Credential) =>
    credential.type === "basic" && !text(credential.identity).includes("fiend"),
  successorAllowed: (before, after) => nameOf(before) === nameOf(after),
}

/** All honest members keep to the profile; Mallory does not. */
function conversationScene(profile: GroupProfile = conversation): Scene {
  const lawful = scene({ profile })
  const { options } = lawful.people[2]
  const lawless = { ...lawful.people[2], options: { ...options, profile: unrestrictedProfile } }
  const people: Scene["people"] = [lawful.people[0], lawful.people[1], lawless]
  return { ...lawful, people, mallory: refreshed({ people, groups: lawful.groups }) }
}

/** The same person with another name, and its old key. */
const renamed = ({ signer, options }: Person, name: string): Person => {
  const other = { credential: { type: "basic", identity: utf8(name) }, key: signer.key } as const
  return { name, signer: other, options: { ...options, signer: other } }
}

const psk = { psktype: { type: "external", pskId: utf8("key") }, pskNonce: provider.random(32) } as const
const forbidden: readonly (readonly [string, Proposal])[] = [
  ["a pre-shared key", { type: "psk", psk }],
  ["other extensions", { type: "groupContextExtensions", extensions: [] }],
  ["the group's end", { type: "reinit", groupId: utf8("next"), version: 1, cipherSuite: 1, extensions: [] }],
]

for (const [what, proposal] of forbidden) {
  test(`profile-proposal: somebody proposes ${what} where the profile does not allow it`, () => {
    const set = conversationScene()
    refuses(set, set.mallory.propose(proposal), "profile-proposal")
  })

  test(`profile-committed-proposal: a Commit contains ${what} where the profile does not allow it`, () => {
    const set = conversationScene()
    refuses(set, set.mallory.commit({ proposals: [proposal] }).message, "profile-committed-proposal")
  })
}

test("profile-proposal: a member proposes to remove another where the profile lets it leave and nothing else", () => {
  const set = conversationScene()
  refuses(set, set.mallory.propose({ type: "remove", removed: leaf(1) }), "profile-proposal")
  declines(set.alice, "profile-proposal", () => set.alice.propose({ type: "remove", leafIndex: leaf(1) }))
})

test("profile-proposal: somebody outside proposes its own Add where the profile does not allow it", () => {
  const set = conversationScene()
  const eve = person("eve")
  const target = { groupId: set.alice.id, epoch: set.alice.epoch }
  const message = proposeOwnAdd(target, keyPackageOf(eve), eve.signer.key)
  refuses(set, message, "profile-proposal")
  assert.equal(set.alice.proposals.length, 0)
})

test("list-proposal-known: a Commit names a proposal that the profile has refused", () => {
  const set = conversationScene()
  const proposal: Proposal = { type: "remove", removed: leaf(1) }
  breaks("profile-proposal", () => set.alice.receive(set.mallory.propose(proposal)))
  const sender = { type: "member" as const, leafIndex: leaf(2) }
  const { message } = set.mallory.commit({ proposals: [{ proposal, sender, ref: provider.random(32) }] })
  refuses(set, message, "list-proposal-known")
})

test("profile-committed-proposal: a Commit names a proposal that may be sent and not be committed", () => {
  const profile = { ...unrestrictedProfile, committedAllowed: (proposal: Proposal) => proposal.type !== "remove" }
  const set = conversationScene(profile)
  const { message, ref } = set.groups[2]!.propose({ type: "remove", leafIndex: leaf(1) })
  assert.equal(set.alice.receive(message).type, "proposal")
  // Nor does an honest member commit it: it is left out.
  const own = set.alice.commit()
  assert.deepEqual(own.removed, [])
  set.alice.discardPending()
  const proposal: Proposal = { type: "remove", removed: leaf(1) }
  const sender = { type: "member" as const, leafIndex: leaf(2) }
  const commit = set.mallory.commit({ proposals: [{ proposal, sender, ref }] })
  breaks("profile-committed-proposal", () => set.alice.receive(commit.message))
})

test("profile-committed-proposal: our own Commit is to set extensions where the profile does not allow it", () => {
  const { alice } = conversationScene()
  declines(alice, "profile-committed-proposal", () => alice.commit({ extensions: [] }))
})

test("profile-proposals-length: a Commit has more proposals than the profile allows, and is not looked into", () => {
  const set = conversationScene({ ...conversation, proposalsMax: 2 })
  // Not even the second thing that is wrong with them is seen.
  const forged = { ...newcomer("fiend").keyPackage, signature: new Uint8Array(64) }
  const proposals = ["x", "y", "z"].map(() => addOf(forged))
  refuses(set, set.mallory.commit({ proposals }).message, "profile-proposals-length")
  const add = ["x", "y", "z"].map((name) => keyPackageOf(person(name)).keyPackage)
  declines(set.alice, "profile-proposals-length", () => set.alice.commit({ add }))
  assert.equal(set.alice.commit({ add: add.slice(1) }).added.length, 2)
})

test("a proposal that is received comes with its authenticated data", () => {
  const { alice, bob } = conversationScene()
  const authenticatedData = utf8("the newest head")
  const { message } = bob.propose({ type: "remove", leafIndex: bob.ownLeafIndex }, { authenticatedData })
  const received = alice.receive(message)
  assert(received.type === "proposal")
  assert.deepEqual(received.authenticatedData, authenticatedData)
})

test("profile-proposal: a Commit names a proposal that was received under a profile which allowed it", () => {
  const { alice, people, groups } = scene()
  const { message } = groups[2]!.propose({ type: "remove", leafIndex: leaf(1) })
  alice.receive(message)
  const { message: commit } = groups[2]!.commit()
  const profile = { ...unrestrictedProfile, proposalAllowed: () => false }
  const strict = Group.restore({ ...people[0].options, profile, records: new Map(alice.records()) })
  breaks("profile-proposal", () => strict.receive(commit))
  assert.equal(alice.receive(commit).type, "commit")
})

test("a commit of ours that the profile does not allow any more is forgotten when the group is restored", () => {
  const { alice, people } = scene()
  alice.takeChanges()
  alice.commit({ extensions: [] })
  const restore = (profile: GroupProfile) =>
    Group.restore({ ...people[0].options, profile, records: new Map(alice.records()) })
  assert.notEqual(restore(unrestrictedProfile).pending, undefined)
  const strict = restore(conversation)
  assert.equal(strict.pending, undefined)
  assert(strict.takeChanges().delete.has("pending"))
  assert.equal(strict.commit().epoch, 2n)
})

const whereACredentialComesIn: readonly (readonly [string, (set: Scene) => Uint8Array])[] = [
  ["an Add", ({ mallory }) => mallory.commit({ proposals: [addOf(newcomer("fiend").keyPackage)] }).message],
  ["an UpdatePath", ({ mallory }) => mallory.commit({ leaf: (it) => ({ ...it, credential: fiend }) }).message],
  ["an external Commit", ({ mallory }) => mallory.commit({ joins: person("fiend") }).message],
]
const fiend: Credential = { type: "basic", identity: utf8("fiend") }

for (const [where, message] of whereACredentialComesIn) {
  test(`profile-credential: ${where} brings a credential that the profile does not allow`, () => {
    const set = conversationScene({ ...conversation, externalCommits: "any", successorAllowed: () => true })
    refuses(set, message(set), "profile-credential")
  })
}

test("profile-credential: an Update that is proposed has a credential that the profile does not allow", () => {
  const set = conversationScene({ ...conversation, proposalAllowed: () => true, successorAllowed: () => true })
  const leafNode = set.mallory.updatedLeaf((it) => ({ ...it, credential: fiend }))
  refuses(set, set.mallory.propose({ type: "update", leafNode }), "profile-credential")
})

test("profile-credential: our own Add, our own group, and the tree that we are given", () => {
  const { alice } = conversationScene()
  const keyPackage = keyPackageOf(person("fiend")).keyPackage
  declines(alice, "profile-credential", () => alice.commit({ add: [keyPackage] }))
  const creator = person("fiend", 1, { profile: conversation })
  breaks("profile-credential", () => Group.create({ ...creator.options, groupId: provider.random(32) }))
  const eve = person("eve", 1, { profile: conversation })
  const bundle = keyPackageOf(eve)
  const names = ["fiend", "eve"]
  const forged = new ForgedGroup(names, { joiner: { index: 1, who: eve, bundle } })
  breaks("profile-credential", () => join(eve, bundle, forged.welcome(bundle, 1)))
  const joined = new ForgedGroup(["friend", "eve"], { joiner: { index: 1, who: eve, bundle } })
  join(eve, bundle, joined.welcome(bundle, 1))
})

test("profile-successor: a member takes another name by its Commit or by an Update", () => {
  const set = conversationScene()
  const credential: Credential = { type: "basic", identity: utf8("support-team") }
  refuses(set, set.mallory.commit({ leaf: (it) => ({ ...it, credential }) }).message, "profile-successor")
  const lenient = conversationScene({ ...conversation, proposalAllowed: () => true })
  const leafNode = lenient.mallory.updatedLeaf((it) => ({ ...it, credential }))
  refuses(lenient, lenient.mallory.propose({ type: "update", leafNode }), "profile-successor")
  const { key } = set.people[0].signer
  declines(set.alice, "profile-successor", () => set.alice.commit({ signer: { credential, key } }))
})

test("profile-external-commit: somebody joins where the profile lets nobody in", () => {
  const set = conversationScene({ ...conversation, externalCommits: "none" })
  refuses(set, set.mallory.commit({ joins: person("eve") }).message, "profile-external-commit")
})

const notARejoin: readonly (readonly [string, (set: Scene) => Parameters<Scene["mallory"]["commit"]>[0]])[] = [
  ["removes nobody", () => ({ joins: person("eve") })],
  ["removes somebody of another name", () => ({ joins: person("eve"), proposals: [removes(1)] })],
  ["removes its namesake with another key", () => ({ joins: person("bob"), proposals: [removes(1)] })],
  [
    "removes somebody with its key and another name",
    ({ people }) => ({ joins: renamed(people[2], "eve"), proposals: [removes(2)] }),
  ],
  [
    "brings a pre-shared key with it",
    ({ people }) => ({ joins: people[2], proposals: [removes(2), { type: "psk" as const, psk }] }),
  ],
]
const removes = (index: number): Proposal => ({ type: "remove", removed: leaf(index) })

for (const [what, forgery] of notARejoin) {
  test(`profile-external-commit: somebody joins who ${what}, where only a rejoin is allowed`, () => {
    const set = conversationScene()
    refuses(set, set.mallory.commit(forgery(set)).message, "profile-external-commit")
  })
}

test("profile-external-commit: our own external Commit is no rejoin", () => {
  const { alice } = conversationScene()
  const groupInfo = alice.groupInfo({ withExternalPub: true, withRatchetTree: true })
  const { options } = person("eve", 1, { profile: conversation })
  breaks("profile-external-commit", () => Group.stageExternalJoin({ ...options, groupInfo }))
})

test("what the profile allows goes on: adding, removing, leaving, and coming back in one's own place", () => {
  const { alice, bob, people, groups } = conversationScene()
  const groupInfo = alice.groupInfo({ withExternalPub: true, withRatchetTree: true })
  const rejoin = Group.stageExternalJoin({ ...people[1].options, groupInfo, replaceSelf: true })
  const received = alice.receive(rejoin.message)
  assert(received.type === "commit")
  assert.equal(received.staged.external, true)
  assert.deepEqual(
    received.staged.removals.map(({ proposedBy }) => proposedBy),
    [undefined],
  )
  follow(alice, rejoin.message)
  follow(groups[2]!, rejoin.message)
  const back = rejoin.accept(rejoin.claims.map((claim) => ({ claim, accepted: true })))
  const leaving = back.propose({ type: "remove", leafIndex: back.ownLeafIndex })
  follow(alice, leaving.message)
  const commit = alice.commit({ add: [keyPackageOf(person("erin")).keyPackage], remove: [leaf(2)] })
  assert.deepEqual(
    commit.removals.map(({ member, proposedBy, byReference }) => [nameOf(member), nameOf(proposedBy!), byReference]),
    [
      ["bob", "bob", true],
      ["mallory", "alice", false],
    ],
  )
  assert.equal(bob.active, true)
})

test("a forged credential is judged by its bytes: one that was altered is another one", () => {
  const set = conversationScene()
  const altered = { ...set.people[2].signer, credential: { type: "basic", identity: utf8("Mallory") } as const }
  const { message } = set.mallory.commit({
    joins: { ...set.people[2], signer: altered },
    proposals: [removes(2)],
  })
  refuses(set, message, "profile-external-commit")
})
