import assert from "node:assert/strict"
import { test } from "node:test"
import { Group } from "@conclave/mls"
import { follow, utf8 } from "./group-fixture.js"
import { leaf } from "./rules/insider.js"
import { type Scene, scene, stored } from "./rules/scene.js"

const alices = leaf(0)
const applicationData = utf8("not by Alice")

/** Alice refuses the message as not authentic, and nothing of hers has changed. */
function refusesForgery({ alice }: Scene, message: Uint8Array): void {
  const before = stored(alice)
  assert.throws(() => alice.receive(message), { name: "AuthenticityError", seenBy: "everybody" })
  assert.deepEqual(stored(alice), before)
}

for (const contentType of ["application", "proposal", "commit"] as const) {
  test(`a message that says it is our own and that we have not sent is no sign of an old state: ${contentType}`, () => {
    const set = scene()
    for (const generation of [0, 7, contentType === "application" ? 1000 : 128]) {
      refusesForgery(set, set.mallory.claim(alices, generation, contentType))
    }
    const message = set.alice.encrypt(utf8("alice has not been stopped"))
    assert.equal(follow(set.bob, message).type, "application")
  })
}

test("nor is one that is encrypted with our own ratchet's key, which every member knows, and signed by another", () => {
  const set = scene()
  const content = { sender: { type: "member", leafIndex: alices } } as const
  const framing = { wireFormat: "mlsPrivateMessage", content } as const
  refusesForgery(set, set.mallory.send({ type: "application", applicationData }, framing))
  refusesForgery(set, set.mallory.propose({ type: "remove", removed: leaf(1) }, framing))
  refusesForgery(set, set.mallory.commit(framing).message)
})

test("a message of ours beyond the forward limit says nothing, be it authentic or not", () => {
  const { alice, mallory } = scene()
  assert.throws(() => alice.receive(mallory.claim(alices, 2000)), { code: "GENERATION_SPENT" })
})

test("an old state is told of by an authentic message alone, in this epoch and in one that is over", () => {
  const { alice, bob, people } = scene()
  const old = Group.restore({ ...people[0].options, records: new Map(alice.records()) })
  const sent = [alice.encrypt(utf8("one")), alice.encrypt(utf8("two"))]
  for (const message of sent) assert.throws(() => old.receive(message), { code: "STATE_ROLLED_BACK", seenBy: "self" })
  const { message } = bob.commit()
  follow(old, message)
  for (const late of sent) assert.throws(() => old.receive(late), { code: "STATE_ROLLED_BACK" })
})
