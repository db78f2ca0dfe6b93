import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { encode } from "@conclave/codec"
import { type AuthRequest, type DisplayName, DisplayNameTBS } from "@conclave/contracts/auth"
import { signWithLabel } from "@conclave/mls"
import { authStore, openDatabase } from "@conclave/sqlite"
import { createDevice, createService, NOW, registration, type TestDevice } from "@conclave/testing/auth"
import { memoryStore, type Store } from "../src/index.js"

type Request = Extract<AuthRequest, { type: "setDisplayName" }>

function statement(device: TestDevice, name: string, text: string, at = BigInt(NOW)): Request {
  const content = encode(DisplayNameTBS, { name, text, at })
  const signature = signWithLabel(device.key, "ConclaveDisplayName", content)
  return { type: "setDisplayName", name, displayName: { text, at, deviceId: device.deviceId, signature } }
}

const stores: Readonly<Record<string, () => { store: Store; close?: () => Promise<void> }>> = {
  memory: () => ({ store: memoryStore() }),
  SQLite() {
    const database = openDatabase({ file: ":memory:" })
    return { store: authStore(database), close: () => database.close() }
  },
}

for (const [kind, open] of Object.entries(stores)) {
  describe(`a display name in the directory (${kind})`, () => {
    async function directory(test: { after(work: () => unknown): void }) {
      const { store, close } = open()
      test.after(() => close?.())
      const service = createService(store)
      const alice = createDevice()
      await service.ask(registration(alice, "alice"))
      const shown = async (): Promise<DisplayName | undefined> => {
        const answer = await service.ask({ type: "lookup", name: "alice" })
        assert.ok(answer.type === "devices")
        return answer.displayName
      }
      return { ...service, alice, shown }
    }

    it("is what a device of the name has signed last, and comes with its devices", async (test) => {
      const { ask, alice, shown } = await directory(test)
      assert.equal(await shown(), undefined)
      const first = statement(alice, "alice", "Alice")
      assert.deepEqual(await ask(first), { type: "displayName", displayName: first.displayName })
      assert.deepEqual(await shown(), first.displayName)
      const phone = createDevice(2)
      await ask(registration(phone, "alice", alice))
      const second = statement(phone, "alice", "Alice B.", BigInt(NOW) + 1n)
      await ask(second)
      assert.deepEqual(await shown(), second.displayName)
      const byDevice = await ask({ type: "lookupDevice", deviceId: alice.deviceId })
      assert.ok(byDevice.type === "devices")
      assert.deepEqual(byDevice.displayName, second.displayName)
      const withdrawal = statement(alice, "alice", "", BigInt(NOW) + 2n)
      await ask(withdrawal)
      assert.equal((await shown())?.text, "")
    })

    it("is not put back by a copy of an older statement", async (test) => {
      const { ask, alice, shown } = await directory(test)
      const older = statement(alice, "alice", "Alice")
      const later = statement(alice, "alice", "Alicia", BigInt(NOW) + 1n)
      await ask(older)
      await ask(later)
      for (const copy of [older, later, statement(alice, "alice", "Other", BigInt(NOW) + 1n)]) {
        assert.deepEqual(await ask(copy), { type: "displayName", displayName: later.displayName })
        assert.deepEqual(await shown(), later.displayName)
      }
    })

    it("is nobody else's to say", async (test) => {
      const { ask, alice, shown } = await directory(test)
      const mallory = createDevice()
      await ask(registration(mallory, "mallory"))
      assert.deepEqual(await ask(statement(mallory, "alice", "Mallory")), { type: "notFound" })
      assert.deepEqual(await ask(statement(createDevice(), "alice", "Mallory")), { type: "notFound" })
      const { displayName } = statement(mallory, "alice", "Mallory")
      const forged = { ...displayName, deviceId: alice.deviceId }
      assert.equal((await ask({ type: "setDisplayName", name: "alice", displayName: forged })).type, "invalid")
      const moved = statement(alice, "bob", "Alice")
      assert.equal((await ask({ ...moved, name: "alice" })).type, "invalid", "it was signed for another name")
      assert.equal(await shown(), undefined)
    })

    it("is well-formed, in its normal form, and not of the future", async (test) => {
      const { ask, alice, shown } = await directory(test)
      for (const text of ["Ali\u200dce", "Alice (alice)", " Alice", "\uff21lice", "x".repeat(65)]) {
        assert.equal((await ask(statement(alice, "alice", text))).type, "invalid", text)
      }
      const answer = await ask(statement(alice, "alice", "Alice (alice)"))
      assert.match(answer.type === "invalid" ? answer.reason : answer.type, /^text: it contains “\(”/)
      const far = statement(alice, "alice", "Alice", BigInt(NOW) + 86_400_001n)
      assert.equal((await ask(far)).type, "invalid")
      assert.equal((await ask(statement(alice, "alice", "Alice", 2n ** 64n - 1n))).type, "invalid")
      assert.equal(await shown(), undefined)
    })

    it("changes so often, and copies cost nothing", async (test) => {
      const { ask, alice, clock } = await directory(test)
      const types = []
      for (let at = 0n; at < 21n; at++) {
        const request = statement(alice, "alice", `Alice ${at}`, BigInt(NOW) + at)
        types.push((await ask(request)).type)
        if (at === 5n) await ask(request)
      }
      assert.deepEqual([types.filter((type) => type === "displayName").length, types.at(-1)], [20, "throttled"])
      clock.now += 60_000
      assert.equal((await ask(statement(alice, "alice", "Later", BigInt(clock.now)))).type, "displayName")
    })
  })
}
