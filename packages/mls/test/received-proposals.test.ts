import assert from "node:assert/strict"
import { test } from "node:test"
import { opaque, struct } from "@conclave/codec"
import { provider } from "./group-fixture.js"
import { scene, settle } from "./rules/scene.js"

test("of two Updates of a member the later one is committed", () => {
  const { alice, bob } = scene()
  const messages = [bob.propose({ type: "update" }), bob.propose({ type: "update" })].map(({ message }) => message)
  const [, later] = messages.map((message) => alice.receive(message))
  assert(later?.type === "proposal" && later.proposal.type === "update")
  settle(alice, alice.commit())
  const [leafNode] = alice.treeView([2 * bob.ownLeafIndex])
  assert.deepEqual(leafNode?.key, later.proposal.leafNode.encryptionKey)
})

test("a Remove is committed, and not an Update of the same leaf", () => {
  const { alice, bob, groups } = scene()
  alice.receive(groups[2]!.propose({ type: "remove", leafIndex: bob.ownLeafIndex }).message)
  alice.receive(bob.propose({ type: "update" }).message)
  settle(alice, alice.commit())
  assert.equal(alice.member(bob.ownLeafIndex), undefined)
})

test("a proposal that comes twice is one", () => {
  const { alice, bob } = scene({ policy: { handshake: "public" } })
  const { message } = bob.propose({ type: "update" })
  assert.equal(alice.receive(message).type, "proposal")
  assert.deepEqual(alice.receive(message), { type: "ignored", reason: "known-proposal" })
  assert.equal(alice.proposals.length, 1)
  alice.discardProposal(provider.random(32))
  assert.equal(alice.proposals.length, 1)
})

test("a proposal of a type that a member does not support waits, and the others are committed", () => {
  const registries = { ProposalType: new Map([[0xf00a, struct("Poll", { question: opaque })]]) }
  const { alice, bob, mallory } = scene({ registries })
  const poll = { type: "registered", number: 0xf00a, content: Uint8Array.of(1, 7) } as const
  assert.equal(alice.receive(mallory.propose(poll)).type, "proposal")
  alice.receive(bob.propose({ type: "update" }).message)
  const commit = alice.commit()
  assert.deepEqual(
    commit.proposals.map(({ type }) => type),
    ["update"],
  )
})
