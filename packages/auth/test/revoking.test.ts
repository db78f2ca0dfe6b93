import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { encode } from "@conclave/codec"
import {
  ACCOUNT_LABEL,
  AccountTBS,
  type AuthResponse,
  DISPLAY_NAME_LABEL,
  DisplayNameTBS,
  REVOCATIONS_MAX,
  type Revocation,
} from "@conclave/contracts/auth"
import { signWithLabel } from "@conclave/mls"
import { createDevice, createService, NOW, registration, revocation, type TestDevice } from "@conclave/testing/auth"
import type { Store } from "../src/index.js"
import { stores } from "./stores.js"

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")

/** Alice's laptop, which endorsed her phone, which endorsed her tablet; and a desk that the laptop endorsed after them. */
async function family(store: Store) {
  const service = createService(store)
  const [laptop, phone, tablet, desk] = [createDevice(), createDevice(), createDevice(), createDevice()]
  await service.ask(registration(laptop, "alice"))
  await service.ask(registration(phone, "alice", laptop))
  await service.ask(registration(tablet, "alice", phone))
  await service.ask(registration(desk, "alice", laptop))
  const names = new Map([laptop, phone, tablet, desk].map((it, at) => [hex(it.deviceId), NAMES[at]!]))
  const inWords = (answer: AuthResponse) => {
    if (answer.type === "invalid") return answer.reason
    if (answer.type !== "devices" && answer.type !== "revoked") return answer.type
    const nameOf = ({ deviceId }: { readonly deviceId: Uint8Array }) => names.get(hex(deviceId)) ?? "another"
    const gone = answer.revoked.map(({ device, revocation }) => `${revocation ? "-" : "~"}${nameOf(device)}`)
    return [...(answer.type === "devices" ? answer.devices.map(nameOf) : []), ...gone].join(" ")
  }
  const revoke = async (...revocations: readonly Revocation[]) =>
    inWords(await service.ask({ type: "revoke", name: "alice", revocations, endorsements: [] }))
  const listed = async () => inWords(await service.ask({ type: "lookup", name: "alice" }))
  return { ...service, laptop, phone, tablet, desk, revoke, listed, inWords }
}
const NAMES = ["laptop", "phone", "tablet", "desk"]

const OLDER = "revocations: only an older device revokes another"
const NOT_SIGNED = "revocations: one is not by a device of the name"

for (const [name, openStore] of Object.entries(stores)) {
  describe(`a device that is revoked (${name})`, () => {
    it("speaks for the name no more, nor does what it has endorsed; the statement is shown", async (test) => {
      const { laptop, phone, tablet, desk, revoke, listed, ask } = await family(openStore(test))
      const statement = revocation(phone, laptop)
      assert.equal(await revoke(statement), "-phone ~tablet")
      assert.equal(await listed(), "laptop desk -phone ~tablet")
      const shown = await ask({ type: "lookup", name: "alice" })
      assert.ok(shown.type === "devices")
      assert.deepEqual(shown.revoked[0]?.revocation, statement)
      assert.deepEqual(shown.revoked[0]?.device.signatureKey, phone.key.publicKey)
      // What fell without a statement can get one, and keeps it.
      assert.equal(await revoke(revocation(tablet, laptop)), "-phone -tablet")
      assert.equal(await revoke(statement, revocation(tablet, desk, { at: NOW + 1 })), "-phone -tablet", "once more")
    })

    it("is not revoked by a younger one, by one of the same statement before, or by one of another name", async (test) => {
      const { laptop, phone, tablet, desk, revoke, listed, ask } = await family(openStore(test))
      const bob = createDevice()
      await ask(registration(bob, "bob"))
      assert.equal(await revoke(revocation(laptop, phone)), OLDER)
      assert.equal(await revoke(revocation(phone, desk)), OLDER, "older than what it did not come from, too")
      assert.equal(await revoke(revocation(phone, bob)), NOT_SIGNED)
      assert.equal(await revoke(revocation(phone, laptop, { signer: tablet })), NOT_SIGNED)
      assert.equal(await revoke(revocation(phone, laptop, { name: "bob" })), NOT_SIGNED)
      assert.equal(await revoke(revocation(bob, laptop)), "revocations: a device is not one of the name")
      const revocations = [revocation(bob, bob, { name: "bob" })]
      assert.equal((await ask({ type: "revoke", name: "nobody", revocations, endorsements: [] })).type, "notFound")
      // All or nothing.
      assert.equal(await revoke(revocation(desk, laptop), revocation(laptop, phone)), OLDER)
      assert.equal(await listed(), "laptop phone tablet desk")
      // The phone's statements count for nothing once it is revoked, in whichever order they are in.
      const gone = "revocations: the device that signed is revoked itself"
      assert.equal(await revoke(revocation(phone, laptop), revocation(desk, phone)), gone)
      assert.equal(await revoke(revocation(phone, laptop)), "-phone ~tablet")
      assert.equal(await revoke(revocation(desk, phone, { at: NOW - 1_000_000 })), gone)
      assert.equal(await listed(), "laptop desk -phone ~tablet")
    })

    it("by itself has retired: what it endorsed stays, until an older one revokes it too", async (test) => {
      const { laptop, phone, revoke, listed } = await family(openStore(test))
      assert.equal(await revoke(revocation(phone, phone)), "-phone")
      assert.equal(await revoke(revocation(phone, laptop)), "-phone ~tablet")
      assert.equal(await revoke(revocation(laptop, laptop)), "-laptop -phone ~tablet")
      assert.equal(await listed(), "desk -laptop -phone ~tablet")
    })

    it("takes nothing with it that an older one endorses first", async (test) => {
      const { laptop, phone, tablet, desk, ask, inWords, listed } = await family(openStore(test))
      const again = (device: TestDevice, by: TestDevice) => {
        const { endorsement } = registration(device, "alice", by)
        return { deviceId: device.deviceId, endorsement: endorsement! }
      }
      const request = { type: "revoke", name: "alice", revocations: [revocation(phone, laptop)] } as const
      const forged = { ...again(tablet, laptop), endorsement: again(desk, laptop).endorsement }
      for (const [endorsement, fault] of [
        [forged, "endorsement: it is not by a device of the name"],
        [again(createDevice(), laptop), "endorsement: it is not by a device of the name"],
        [again(tablet, desk), "endorsements: only an older device endorses"],
      ] as const) {
        assert.equal(inWords(await ask({ ...request, endorsements: [endorsement] })), fault)
      }
      const kept = await ask({ ...request, endorsements: [again(tablet, laptop)] })
      assert.equal(inWords(kept), "-phone")
      assert.equal(await listed(), "laptop tablet desk -phone")
      const after = await ask({ type: "lookupDevice", deviceId: tablet.deviceId })
      assert.ok(after.type === "devices")
      assert.deepEqual(after.devices[0]?.endorsement, again(tablet, laptop).endorsement)
      // The revoked one endorses nothing any more.
      const refused = await ask({ ...request, endorsements: [again(desk, phone)] })
      assert.equal(inWords(refused), "endorsement: it is not by a device of the name")
    })

    it("takes no device of the owner's with it that it has endorsed as well, and none back that is kept", async (test) => {
      const { laptop, phone, tablet, desk, ask, inWords, revoke, listed } = await family(openStore(test))
      const by = (device: TestDevice, endorser: TestDevice) => {
        const { endorsement } = registration(device, "alice", endorser)
        return { deviceId: device.deviceId, endorsement: endorsement! }
      }
      const asked = { type: "revoke", name: "alice" } as const
      // A thief of the phone would have the desk fall with it, which the laptop has endorsed.
      for (const revocations of [[], [revocation(phone, phone)], [revocation(tablet, phone)]]) {
        const answer = inWords(await ask({ ...asked, revocations, endorsements: [by(desk, phone)] }))
        const fault = "endorsements: the device would not fall with one that its endorser revokes"
        assert.equal(answer, revocations.length === 0 ? `revocations: 1 to ${REVOCATIONS_MAX}` : fault)
      }
      assert.equal(await listed(), "laptop phone tablet desk")
      const kept = { ...asked, revocations: [revocation(phone, laptop)], endorsements: [by(tablet, laptop)] }
      assert.equal(inWords(await ask(kept)), "-phone")
      const back = await ask({ ...kept, endorsements: [by(tablet, phone)] })
      assert.equal(inWords(back), "endorsement: it is not by a device of the name")
      assert.equal(await revoke(revocation(phone, laptop)), "-phone")
      assert.equal(await listed(), "laptop tablet desk -phone")
    })

    it("is refused whatever it asks: registering again, endorsing, a display name, the account", async (test) => {
      const store = openStore(test)
      const { laptop, phone, revoke, ask, inWords } = await family(store)
      const text = (device: TestDevice, at: number) => {
        const content = encode(DisplayNameTBS, { name: "alice", text: "Alice", at: BigInt(at) })
        const signature = signWithLabel(device.key, DISPLAY_NAME_LABEL, content)
        const displayName = { text: "Alice", at: BigInt(at), deviceId: device.deviceId, signature }
        return ask({ type: "setDisplayName", name: "alice", displayName })
      }
      const account = (device: TestDevice, wish: "export" | "erase") => {
        const { deviceId } = device
        const content = encode(AccountTBS, { wish, name: "alice", deviceId, at: BigInt(NOW) })
        const signature = signWithLabel(device.key, ACCOUNT_LABEL, content)
        const type = wish === "export" ? ("exportAccount" as const) : ("eraseAccount" as const)
        return ask({ type, name: "alice", deviceId, at: BigInt(NOW), signature })
      }
      assert.equal((await text(phone, NOW)).type, "displayName")
      await revoke(revocation(phone, laptop))
      assert.equal(inWords(await ask(registration(phone, "alice", laptop))), "-phone")
      assert.equal(inWords(await ask(registration(phone, "other"))), "signatureKey: it speaks for another name")
      const thief = createDevice()
      const endorsed = await ask(registration(thief, "alice", phone))
      assert.equal(inWords(endorsed), "endorsement: it is not by a device of the name")
      // The store says so as well: the phone may have been revoked after the signature was looked at.
      const { deviceId, cipherSuite } = thief
      const { endorsement } = registration(thief, "alice", phone)
      const device = { name: "alice", deviceId, cipherSuite, signatureKey: thief.key.publicKey, at: 1n, endorsement }
      assert.equal((await store.register({ ...device, devicesMax: 100 })).type, "endorserRevoked")
      assert.equal(inWords(await text(phone, NOW + 1)), "-phone")
      // The store says so as well, here too.
      const late = { text: "A", at: BigInt(NOW + 2), deviceId: phone.deviceId, signature: new Uint8Array(64) }
      const refused = await store.setDisplayName("alice", late)
      assert.ok("type" in refused && refused.type === "revoked")
      assert.equal(inWords(await account(phone, "export")), "-phone")
      assert.equal(inWords(await account(phone, "erase")), "-phone")
      assert.equal((await store.erase("alice", { deviceId: phone.deviceId, at: 1n })).type, "notFound")
      const shown = await ask({ type: "lookup", name: "alice" })
      assert.ok(shown.type === "devices" && shown.displayName === undefined, "not what it says of the person")
      const exported = await account(laptop, "export")
      assert.ok(exported.type === "account")
      const { devices } = JSON.parse(exported.document)
      const [by, at] = [hex(laptop.key.publicKey), NOW]
      assert.deepEqual(
        devices.map((it: { readonly revoked: unknown }) => it.revoked),
        [null, { by, at }, { by: null, at: null }, null],
      )
    })

    it("leaves room for a new one, so that a thief's hundred devices fill a name for a day", async (test) => {
      const store = openStore(test)
      const service = createService(store, { limits: { devicesPerNameMax: 5 } })
      const { ask } = service
      const [laptop, phone] = [createDevice(), createDevice()]
      await ask(registration(laptop, "alice"))
      await ask(registration(phone, "alice", laptop))
      const thieves: TestDevice[] = []
      let endorser = phone
      for (let n = 0; n < 3; n++) {
        thieves.push(createDevice())
        assert.equal((await ask(registration(thieves[n]!, "alice", endorser))).type, "registered")
        endorser = thieves[n]!
      }
      const fresh = createDevice()
      assert.equal((await ask(registration(fresh, "alice", laptop))).type, "invalid")
      const revocations = [revocation(phone, laptop)]
      const answer = await ask({ type: "revoke", name: "alice", revocations, endorsements: [] })
      assert.ok(answer.type === "revoked" && answer.revoked.length === 4)
      for (const thief of [phone, ...thieves]) {
        assert.equal((await ask(registration(createDevice(), "alice", thief))).type, "invalid")
        assert.equal((await ask(registration(thief, "alice", laptop))).type, "revoked")
      }
      assert.equal((await ask(registration(fresh, "alice", laptop))).type, "registered")
      // What was revoked counts to four times as many: then there is one a day.
      for (let n = 6; n < 20; n++) {
        const one = createDevice()
        assert.equal((await ask(registration(one, "alice", laptop))).type, "registered", `${n}`)
        await ask({ type: "revoke", name: "alice", revocations: [revocation(one, laptop)], endorsements: [] })
      }
      const { clock } = service
      for (let day = 0; day < 3; day++) {
        const answer = await ask(registration(createDevice(), "alice", laptop))
        assert.deepEqual(answer, { type: "invalid", reason: "name: it has had many devices, and gets one more a day" })
        // Each of them was registered a millisecond after the one before.
        clock.now += 86_400_000 + 20
        const one = createDevice()
        assert.equal((await ask(registration(one, "alice", laptop))).type, "registered", `day ${day}`)
        await ask({ type: "revoke", name: "alice", revocations: [revocation(one, laptop)], endorsements: [] })
      }
    })

    it("is one of few in a request, and of no time that is to come", async (test) => {
      const { laptop, phone, revoke } = await family(openStore(test))
      const many = Array.from({ length: REVOCATIONS_MAX + 1 }, () => revocation(phone, laptop))
      assert.equal(await revoke(...many), `revocations: 1 to ${REVOCATIONS_MAX}`)
      assert.equal(await revoke(), `revocations: 1 to ${REVOCATIONS_MAX}`)
      assert.equal(await revoke(revocation(phone, laptop, { at: NOW + 2 * 86_400_000 })), "at: it is in the future")
    })

    it("of a suspended name waits, and nobody who brings a statement is told of that", async (test) => {
      const store = openStore(test)
      const { laptop, phone, tablet, revoke, listed } = await family(store)
      await store.suspend("alice", "reason")
      // A statement is public: who brings it may be anybody.
      assert.equal(await revoke(revocation(phone, laptop)), "notFound")
      assert.equal(await revoke(revocation(phone, laptop, { signer: tablet })), "notFound")
      await store.resume("alice")
      assert.equal(await revoke(revocation(phone, laptop)), "-phone ~tablet")
      assert.equal(await listed(), "laptop desk -phone ~tablet")
    })
  })
}
