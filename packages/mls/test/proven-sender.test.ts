import assert from "node:assert/strict"
import { test } from "node:test"
import { type LeafIndex, type Proposal, RuleError } from "@conclave/mls"
import { person } from "./group-fixture.js"
import { leaf } from "./rules/insider.js"
import { scene } from "./rules/scene.js"

const mallorys = leaf(2)
const nobody: Proposal = { type: "remove", removed: leaf(7) }

for (const wireFormat of ["mlsPublicMessage", "mlsPrivateMessage"] as const) {
  test(`whoever signed a commit or a proposal that breaks a rule is proven to have sent it: ${wireFormat}`, () => {
    const set = scene()
    const commit = set.mallory.commit({ wireFormat, proposals: [nobody] }).message
    assert.equal(
      senderOf(() => set.alice.receive(commit)),
      mallorys,
    )
    const path = scene()
    const { message } = path.mallory.commit({ wireFormat, nodes: (it) => it.slice(0, -1) })
    assert.equal(
      senderOf(() => path.alice.receive(message)),
      mallorys,
    )
    const other = scene()
    assert.equal(
      senderOf(() => other.alice.receive(other.mallory.propose(nobody, { wireFormat }))),
      mallorys,
    )
  })

  test(`nobody is said to have sent what is signed with another key: ${wireFormat}`, () => {
    const set = scene()
    const asBob = { sender: { type: "member", leafIndex: leaf(1) } } as const
    const framings = [
      { wireFormat, key: person("bob").signer.key },
      { wireFormat, signature: (right: Uint8Array) => right.with(0, right[0]! ^ 1) },
      ...(wireFormat === "mlsPublicMessage" ? [{ wireFormat, content: asBob }] : []),
    ]
    for (const framing of framings) {
      const message = set.mallory.propose(nobody, framing)
      assert.throws(
        () => set.alice.receive(message),
        (error: Error) => error.name === "AuthenticityError" && !("sender" in error),
      )
    }
  })
}

test("nobody in the group is to blame for the commit of somebody who joins by it", () => {
  const set = scene()
  const { message } = set.mallory.commit({ joins: person("eve"), withoutExternalInit: true })
  assert.equal(
    senderOf(() => set.alice.receive(message)),
    undefined,
  )
})

test("an error without a message has no sender: a wish of our own that breaks a rule", () => {
  const { alice } = scene()
  assert.equal(
    senderOf(() => alice.commit({ remove: [leaf(7)] })),
    undefined,
  )
})

function senderOf(action: () => unknown): LeafIndex | undefined {
  try {
    action()
  } catch (error) {
    if (error instanceof RuleError) return error.sender
    throw error
  }
  assert.fail("no rule was broken")
}
