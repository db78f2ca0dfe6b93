import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { encode } from "@conclave/codec"
import { DISPLAY_NAME_LABEL, DisplayNameTBS } from "@conclave/contracts/auth"
import { signWithLabel } from "@conclave/mls"
import { createDevice, createService, NOW, registration, type TestDevice } from "@conclave/testing/auth"
import { directoryOf } from "../src/index.js"
import { stores } from "./stores.js"

const refused = { type: "invalid", reason: "the operator has suspended this name: spam" } as const
const notFound = { type: "notFound" } as const

function displayNameOf(device: TestDevice, text: string) {
  const content = encode(DisplayNameTBS, { name: "alice", text, at: BigInt(NOW) })
  const signature = signWithLabel(device.key, DISPLAY_NAME_LABEL, content)
  const displayName = { text, at: BigInt(NOW), deviceId: device.deviceId, signature }
  return { type: "setDisplayName", name: "alice", displayName } as const
}

for (const [name, openStore] of Object.entries(stores)) {
  describe(`a name that the operator has suspended (${name})`, () => {
    it("is answered for as one that nobody has, and listed again as it was when it is resumed", async (test) => {
      const store = openStore(test)
      const { ask } = createService(store)
      const [alice, bob] = [createDevice(), createDevice()]
      await ask(registration(alice, "alice"))
      await ask(registration(bob, "bob"))
      const before = await ask({ type: "lookup", name: "alice" })
      assert.equal(await store.suspend("alice", "spam"), true)
      assert.deepEqual(await ask({ type: "lookup", name: "alice" }), notFound)
      assert.deepEqual(await ask({ type: "lookupDevice", deviceId: alice.deviceId }), notFound)
      assert.equal((await directoryOf(store)(alice.deviceId))?.suspended, "spam")
      assert.equal((await ask({ type: "lookup", name: "bob" })).type, "devices")
      assert.equal(await store.resume("alice"), true)
      assert.equal(await store.resume("alice"), false)
      assert.deepEqual(await ask({ type: "lookup", name: "alice" }), before)
      assert.equal((await directoryOf(store)(alice.deviceId))?.suspended, undefined)
      assert.equal(await store.suspend("nobody", "spam"), false)
      assert.deepEqual(await ask({ type: "lookup", name: "nobody" }), notFound)
    })

    it("gets no further device, no display name, and is told why; nobody else is, nor gets the name", async (test) => {
      const store = openStore(test)
      const { ask } = createService(store)
      const [alice, laptop, mallory] = [createDevice(), createDevice(), createDevice()]
      await ask(registration(alice, "alice"))
      await store.suspend("alice", "spam")
      assert.deepEqual(await ask(registration(alice, "alice")), refused)
      assert.deepEqual(await ask(registration(laptop, "alice", alice)), refused)
      assert.deepEqual(await ask(displayNameOf(alice, "Alice")), refused)
      assert.deepEqual(await ask(registration(mallory, "alice")), { type: "nameTaken" })
      assert.equal((await ask(registration(laptop, "alice", mallory))).type, "invalid")
      // By another key: as of a device that nobody has.
      const forged = displayNameOf(mallory, "Alice")
      const displayName = { ...forged.displayName, deviceId: alice.deviceId }
      assert.deepEqual(await ask({ ...forged, displayName }), notFound)
      await store.resume("alice")
      assert.equal((await ask(registration(laptop, "alice", alice))).type, "registered")
      assert.equal((await ask(displayNameOf(alice, "Alice"))).type, "displayName")
    })
  })
}
