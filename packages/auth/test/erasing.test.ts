import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { encode } from "@conclave/codec"
import { ACCOUNT_LABEL, AccountTBS, DISPLAY_NAME_LABEL, DisplayNameTBS } from "@conclave/contracts/auth"
import { signWithLabel } from "@conclave/mls"
import { createDevice, createService, NOW, registration, revocation, type TestDevice } from "@conclave/testing/auth"
import { stores } from "./stores.js"

interface Asked {
  readonly name?: string
  readonly at?: number
  readonly signer?: TestDevice
  readonly signed?: "export" | "erase"
}

function asks(device: TestDevice, wish: "export" | "erase", { name = "alice", at = NOW, ...more }: Asked = {}) {
  const { signer = device, signed = wish } = more
  const { deviceId } = device
  const content = encode(AccountTBS, { wish: signed, name, deviceId, at: BigInt(at) })
  const type = wish === "export" ? ("exportAccount" as const) : ("eraseAccount" as const)
  return { type, name, deviceId, at: BigInt(at), signature: signWithLabel(signer.key, ACCOUNT_LABEL, content) }
}

function displayNameOf(device: TestDevice) {
  const content = encode(DisplayNameTBS, { name: "alice", text: "Alice", at: BigInt(NOW) })
  const signature = signWithLabel(device.key, DISPLAY_NAME_LABEL, content)
  const displayName = { text: "Alice", at: BigInt(NOW), deviceId: device.deviceId, signature }
  return { type: "setDisplayName", name: "alice", displayName } as const
}

for (const [name, openStore] of Object.entries(stores)) {
  describe(`an account (${name})`, () => {
    it("is erased by its oldest device: nobody has the name then, and nobody can have it or those keys again", async (test) => {
      const store = openStore(test)
      const { ask } = createService(store)
      const [alice, second, bob, mallory] = [createDevice(), createDevice(), createDevice(), createDevice()]
      await ask(registration(alice, "alice"))
      await ask(registration(second, "alice", alice))
      await ask(registration(bob, "bob"))
      await ask(displayNameOf(alice))
      assert.deepEqual(await ask(asks(alice, "erase")), { type: "erased" })
      assert.deepEqual(await ask(asks(alice, "erase")), { type: "erased" }, "once more")
      assert.deepEqual(await ask(asks(second, "erase")), { type: "erased" }, "whoever asks then")
      assert.deepEqual(await ask({ type: "lookup", name: "alice" }), { type: "notFound" })
      for (const { deviceId } of [alice, second]) {
        assert.deepEqual(await ask({ type: "lookupDevice", deviceId }), { type: "notFound" })
      }
      assert.equal(await store.displayName("alice"), undefined)
      assert.deepEqual(await ask(registration(mallory, "alice")), { type: "nameTaken" })
      for (const device of [alice, second]) {
        assert.deepEqual(await ask(registration(device, "alice")), { type: "erased" })
        assert.deepEqual(await ask(registration(device, "another")), { type: "erased" })
      }
      assert.equal((await ask(registration(mallory, "alice", alice))).type, "invalid")
      assert.deepEqual(await ask(displayNameOf(alice)), { type: "notFound" })
      assert.deepEqual(await ask(asks(alice, "export")), { type: "erased" }, "the other device is told")
      assert.equal((await ask({ type: "lookup", name: "bob" })).type, "devices")
    })

    it("is not erased by a younger device, which uses up nothing of the oldest one's; by it once that is revoked", async (test) => {
      const store = openStore(test)
      const { ask } = createService(store, { limits: { erasures: { perSecond: 0.001, burst: 1 } } })
      const [laptop, phone] = [createDevice(), createDevice()]
      await ask(registration(laptop, "alice"))
      await ask(registration(phone, "alice", laptop))
      for (let n = 0; n < 3; n++) {
        const answer = await ask(asks(phone, "erase"))
        assert.deepEqual(answer, {
          type: "invalid",
          reason: "deviceId: only the oldest device of a name erases it, or its recovery key",
        })
      }
      assert.deepEqual(await store.erase("alice", { deviceId: phone.deviceId, at: 1n }), { type: "younger" })
      const retired = { revocations: [revocation(laptop, laptop)], endorsements: [] }
      assert.equal((await ask({ type: "revoke", name: "alice", ...retired })).type, "revoked")
      assert.deepEqual(await ask(asks(phone, "erase")), { type: "erased" })
    })

    it("is erased at its own rate, whatever was exported", async (test) => {
      const limits = { accounts: { perSecond: 0.001, burst: 1 }, erasures: { perSecond: 0.001, burst: 1 } }
      const { ask } = createService(openStore(test), { limits })
      const alice = createDevice()
      await ask(registration(alice, "alice"))
      assert.equal((await ask(asks(alice, "export"))).type, "account")
      assert.equal((await ask(asks(alice, "export"))).type, "throttled")
      assert.deepEqual(await ask(asks(alice, "erase")), { type: "erased" })
    })

    it("is erased and exported by nobody else, for no other name, and not by what was signed for something else", async (test) => {
      const { ask, clock } = createService(openStore(test))
      const [alice, bob, stranger] = [createDevice(), createDevice(), createDevice()]
      await ask(registration(alice, "alice"))
      await ask(registration(bob, "bob"))
      for (const wish of ["export", "erase"] as const) {
        const other = wish === "export" ? "erase" : "export"
        assert.equal((await ask(asks(alice, wish, { signer: bob }))).type, "invalid")
        assert.equal((await ask(asks(alice, wish, { signed: other }))).type, "invalid")
        assert.deepEqual(await ask(asks(bob, wish)), { type: "notFound" })
        assert.deepEqual(await ask(asks(stranger, wish)), { type: "notFound" })
        assert.deepEqual(await ask({ ...asks(bob, wish, { name: "bob" }), name: "alice" }), { type: "notFound" })
        for (const at of [NOW - 300_001, NOW + 300_001]) {
          assert.equal((await ask(asks(alice, wish, { at }))).type, "wrongTime")
        }
        assert.equal((await ask({ ...asks(alice, wish), at: BigInt(NOW) + 1n })).type, "invalid")
      }
      const old = asks(alice, "erase")
      clock.now += 300_001
      assert.equal((await ask(old)).type, "wrongTime", "a copy comes too late")
      assert.equal((await ask({ type: "lookup", name: "alice" })).type, "devices")
    })

    it("is exported with what there is, and what cannot be known", async (test) => {
      const { ask } = createService(openStore(test))
      const [alice, second] = [createDevice(), createDevice()]
      await ask(registration(alice, "alice"))
      await ask(registration(second, "alice", alice))
      await ask(displayNameOf(alice))
      const answer = await ask(asks(alice, "export"))
      assert.ok(answer.type === "account")
      const { displayName, devices, notKnown } = JSON.parse(answer.document)
      assert.equal(displayName.text, "Alice")
      const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
      assert.deepEqual(
        devices.map((it: { id: string; endorsedBy: string | null }) => [it.id, it.endorsedBy]),
        [
          [hex(alice.deviceId), null],
          [hex(second.deviceId), hex(alice.deviceId)],
        ],
      )
      assert.ok(notKnown.length > 3)
    })

    it("is exported as often as its rate says, for others keep the service busy with it", async (test) => {
      const { ask } = createService(openStore(test), { limits: { accounts: { perSecond: 1, burst: 3 } } })
      const [alice, bob] = [createDevice(), createDevice()]
      await ask(registration(alice, "alice"))
      await ask(registration(bob, "bob"))
      const answers = []
      for (let n = 0; n < 4; n++) answers.push((await ask(asks(alice, "export"))).type)
      assert.deepEqual(answers, ["account", "account", "account", "throttled"])
      assert.equal((await ask(asks(bob, "export", { name: "bob" }))).type, "account")
    })

    it("that is suspended is erased by the operator alone", async (test) => {
      const store = openStore(test)
      const { ask } = createService(store)
      const alice = createDevice()
      await ask(registration(alice, "alice"))
      await store.suspend("alice", "spam")
      for (const wish of ["export", "erase"] as const) {
        assert.deepEqual(await ask(asks(alice, wish)), {
          ...{ type: "invalid", reason: "the operator has suspended this name: spam" },
        })
      }
    })
  })
}
