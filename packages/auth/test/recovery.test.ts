import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { encode } from "@conclave/codec"
import {
  ACCOUNT_LABEL,
  AccountTBS,
  type AuthResponse,
  RECOVERY_KEY_LABEL,
  RECOVERY_KEYS_MAX,
  RECOVERY_REPLACEMENT_LABEL,
  type RecoveryKey,
  RecoveryKeyTBS,
  recoveryIdOf,
} from "@conclave/contracts/auth"
import { signWithLabel } from "@conclave/mls"
import {
  createDevice,
  createService,
  NOW,
  registration,
  revocation,
  sha256,
  type TestDevice,
} from "@conclave/testing/auth"
import type { Store } from "../src/index.js"
import { stores } from "./stores.js"

/** A key that is no device's: it endorses by its own id. */
function createRecoveryKey(): TestDevice {
  const { key } = createDevice()
  return { key, cipherSuite: 1, deviceId: recoveryIdOf(sha256, key.publicKey) }
}

interface Said {
  readonly name?: string
  readonly at?: number
  readonly signer?: TestDevice
  readonly prover?: TestDevice
}

/** The statement of `by` that binds the recovery key, or replaces another one. */
function binding(recovery: TestDevice, by: TestDevice, { name = "alice", at = NOW, ...keys }: Said = {}): RecoveryKey {
  const said = { recoveryKey: recovery.key.publicKey, signerKey: by.key.publicKey, at: BigInt(at) }
  const content = encode(RecoveryKeyTBS, { name, ...said })
  const isByRecovery = by.deviceId.join() === recoveryIdOf(sha256, by.key.publicKey).join()
  const label = isByRecovery ? RECOVERY_REPLACEMENT_LABEL : RECOVERY_KEY_LABEL
  const sign = ({ key }: TestDevice) => signWithLabel(key, label, content)
  return { ...said, signature: sign(keys.signer ?? by), proof: sign(keys.prover ?? recovery) }
}

const inWords = (answer: AuthResponse) => (answer.type === "invalid" ? answer.reason : answer.type)

/** Alice's laptop, and her phone that it has endorsed. */
async function family(store: Store, options: Parameters<typeof createService>[1] = {}) {
  const service = createService(store, { limits: { recoveries: { perSecond: 1, burst: 1_000 } }, ...options })
  const { ask } = service
  const [laptop, phone, recovery] = [createDevice(), createDevice(), createRecoveryKey()]
  await ask(registration(laptop, "alice"))
  await ask(registration(phone, "alice", laptop))
  const bind = (recoveryKey: RecoveryKey) => ask({ type: "setRecoveryKey", name: "alice", recoveryKey })
  const revoke = async (of: TestDevice, by: TestDevice, at = NOW) => {
    const revocations = [revocation(of, by, { at })]
    return inWords(await ask({ type: "revoke", name: "alice", revocations, endorsements: [] }))
  }
  const listed = async () => {
    const answer = await ask({ type: "lookup", name: "alice" })
    assert.ok(answer.type === "devices")
    const names = new Map([laptop, phone].map((it, at) => [it.deviceId.join(), ["laptop", "phone"][at]]))
    const nameOf = (it: { readonly deviceId: Uint8Array }) => names.get(it.deviceId.join()) ?? "new"
    return [...answer.devices.map(nameOf), ...answer.revoked.map(({ device }) => `-${nameOf(device)}`)].join(" ")
  }
  return { ...service, laptop, phone, recovery, bind, revoke, listed }
}

for (const [name, openStore] of Object.entries(stores)) {
  describe(`a recovery key (${name})`, () => {
    it("is bound by the oldest device, once; shown to everybody, and exported", async (test) => {
      const { ask, laptop, phone, recovery, bind } = await family(openStore(test))
      const oldest = "signerKey: only the oldest device of a name gives it a recovery key"
      const mallory = createDevice()
      await ask(registration(mallory, "mallory"))
      assert.equal(inWords(await bind(binding(recovery, phone))), oldest)
      assert.equal(inWords(await bind(binding(recovery, mallory))), "signature: it is not by a key of the name")
      assert.equal(
        inWords(await bind(binding(recovery, laptop, { signer: phone }))),
        "signature: it is not by a key of the name",
      )
      assert.equal(
        inWords(await bind(binding(recovery, laptop, { prover: laptop }))),
        "proof: it is not by the recovery key",
      )
      assert.equal(
        inWords(await bind(binding(recovery, laptop, { name: "bob" }))),
        "proof: it is not by the recovery key",
      )
      assert.equal(
        inWords(await bind(binding(recovery, laptop, { at: NOW + 2 * 86_400_000 }))),
        "at: it is in the future",
      )
      assert.equal(inWords(await bind(binding(phone, laptop))), "recoveryKey: it is or was another key of the name")
      assert.equal(
        inWords(await bind({ ...binding(recovery, laptop), recoveryKey: new Uint8Array(31) })),
        "recoveryKey: it is no Ed25519 key",
      )
      const statement = binding(recovery, laptop)
      assert.deepEqual(await bind(statement), { type: "recoveryKeys", recovery: [statement] })
      assert.deepEqual(await bind(statement), { type: "recoveryKeys", recovery: [statement] }, "once more")
      const shown = await ask({ type: "lookup", name: "alice" })
      assert.deepEqual(shown.type === "devices" && shown.recovery, [statement])
      const replaces = "signerKey: only the name's recovery key replaces it"
      assert.equal(inWords(await bind(binding(createRecoveryKey(), laptop, { at: NOW + 1 }))), replaces)
      const exported = await ask(account(laptop, "export"))
      assert.ok(exported.type === "account")
      const [key] = JSON.parse(exported.document).recoveryKeys
      assert.deepEqual([key.key, key.at], [Buffer.from(recovery.key.publicKey).toString("hex"), NOW])
    })

    it("is replaced by itself alone, in order, and so many times", async (test) => {
      const { laptop, recovery, bind, ask } = await family(openStore(test))
      const first = binding(recovery, laptop)
      await bind(first)
      let last = recovery
      const early = binding(createRecoveryKey(), recovery, { at: NOW })
      assert.equal(inWords(await bind(early)), "at: it is not after the one before")
      for (let n = 1; n < RECOVERY_KEYS_MAX; n++) {
        const next = createRecoveryKey()
        assert.equal(inWords(await bind(binding(next, last, { at: NOW + n }))), "recoveryKeys")
        last = next
      }
      assert.match(inWords(await bind(binding(createRecoveryKey(), last, { at: NOW + 99 }))), /at most 16 in all/)
      assert.equal(inWords(await bind(first)), "recoveryKey: at most 16 in all", "a copy of an old one")
      const shown = await ask({ type: "lookup", name: "alice" })
      assert.ok(shown.type === "devices" && shown.recovery.length === RECOVERY_KEYS_MAX)
      assert.deepEqual(shown.recovery.at(-1)!.recoveryKey, last.key.publicKey)
    })

    it("revokes any device, the oldest too, with what that has endorsed; one that was replaced revokes nothing", async (test) => {
      const { laptop, phone, recovery, bind, revoke, listed, ask } = await family(openStore(test))
      assert.equal(await revoke(laptop, recovery), "revocations: one is not by a device of the name", "not bound yet")
      await bind(binding(recovery, laptop))
      const next = createRecoveryKey()
      await bind(binding(next, recovery, { at: NOW + 1 }))
      assert.equal(await revoke(laptop, recovery), "revocations: a device is not one of the name", "replaced")
      assert.equal(await revoke(laptop, next), "revoked")
      assert.equal(await listed(), "-laptop -phone")
      assert.equal(await revoke(phone, next), "revoked", "a statement for what fell")
      assert.equal(
        inWords(await ask(registration(createDevice(), "alice", laptop))),
        "endorsement: it is not by a device of the name",
      )
      assert.equal(inWords(await ask(registration(createDevice(), "alice"))), "nameTaken")
    })

    it("endorses a device where all are gone, and one to keep; no older device revokes those", async (test) => {
      const { laptop, phone, recovery, bind, revoke, listed, ask } = await family(openStore(test))
      await bind(binding(recovery, laptop))
      const fresh = createDevice()
      const forged = registration(fresh, "alice", { ...createRecoveryKey(), deviceId: recovery.deviceId })
      assert.equal(inWords(await ask(forged)), "endorsement: it is not by a device of the name")
      const endorsed = registration(fresh, "alice", recovery)
      assert.equal(inWords(await ask(endorsed)), "registered")
      const last = "revocations: only the recovery key revokes what it has endorsed"
      assert.equal(await revoke(fresh, laptop), last)
      // Nor by endorsing it first, to have it fall.
      const again = { deviceId: fresh.deviceId, endorsement: registration(fresh, "alice", laptop).endorsement! }
      const falls = { revocations: [revocation(phone, laptop)], endorsements: [again] }
      assert.match(inWords(await ask({ type: "revoke", name: "alice", ...falls })), /would not fall/)
      // The phone is kept from falling with the stolen laptop.
      const kept = { deviceId: phone.deviceId, endorsement: registration(phone, "alice", recovery).endorsement! }
      const stolen = { revocations: [revocation(laptop, recovery)], endorsements: [kept] }
      assert.equal(inWords(await ask({ type: "revoke", name: "alice", ...stolen })), "revoked")
      assert.equal(await listed(), "phone new -laptop")
      assert.equal(await revoke(fresh, phone), last)
      assert.equal(await revoke(fresh, fresh), "revoked", "but itself")
      assert.equal(await revoke(phone, recovery), "revoked")
      assert.equal(await listed(), "-laptop -phone -new")
      assert.equal(inWords(await ask(registration(createDevice(), "alice", recovery))), "registered")
    })

    it("that is replaced while a device is registered with it brings that device no more", async (test) => {
      const store = openStore(test)
      const { laptop, recovery, bind } = await family(store)
      await bind(binding(recovery, laptop))
      await bind(binding(createRecoveryKey(), recovery, { at: NOW + 1 }))
      const { type: _, ...fresh } = registration(createDevice(), "alice", recovery)
      const { deviceId } = createDevice()
      const registered = await store.register({ ...fresh, deviceId, at: BigInt(NOW), devicesMax: 100 })
      assert.deepEqual(registered, { type: "endorserRevoked" })
    })

    it("has room in a name that a thief has filled", async (test) => {
      const limits = { devicesPerNameMax: 3, recoveries: { perSecond: 1, burst: 100 } }
      const { laptop, recovery, bind, ask } = await family(openStore(test), { limits })
      await bind(binding(recovery, laptop))
      assert.equal((await ask(registration(createDevice(), "alice", laptop))).type, "registered")
      assert.match(inWords(await ask(registration(createDevice(), "alice", laptop))), /3 devices already/)
      assert.equal((await ask(registration(createDevice(), "alice", recovery))).type, "registered")
    })

    it("exports and erases the name, by a budget that no device uses up; nobody has it then", async (test) => {
      const store = openStore(test)
      const limits = { erasures: { perSecond: 0.001, burst: 1 }, accounts: { perSecond: 0.001, burst: 1 } }
      const { laptop, phone, recovery, bind, ask } = await family(store, { limits })
      await bind(binding(recovery, laptop))
      await ask(account(phone, "export"))
      assert.equal(inWords(await ask(account(phone, "export"))), "throttled")
      assert.equal(inWords(await ask(account(recovery, "export"))), "account")
      const forged = account({ ...createRecoveryKey(), deviceId: recovery.deviceId }, "erase")
      assert.equal(inWords(await ask(forged)), "signature: it is not by the device")
      assert.equal(inWords(await ask({ ...account(recovery, "erase"), name: "bob" })), "notFound")
      assert.deepEqual(await ask(account(recovery, "erase")), { type: "erased" })
      assert.deepEqual(await ask(account(recovery, "erase")), { type: "erased" }, "once more")
      assert.deepEqual(await ask({ type: "lookup", name: "alice" }), { type: "notFound" })
      assert.deepEqual(await store.recoveryKeys("alice"), [])
      assert.equal(inWords(await ask(registration(createDevice(), "alice"))), "nameTaken")
    })

    it("alone erases the name: no device does, the oldest neither, and its requests use up no budget", async (test) => {
      const store = openStore(test)
      const limits = { recoveries: { perSecond: 0.001, burst: 3 }, erasures: { perSecond: 0.001, burst: 1 } }
      const { laptop, phone, recovery, bind, ask } = await family(store, { limits })
      await bind(binding(recovery, laptop))
      const next = createRecoveryKey()
      await bind(binding(next, recovery, { at: NOW + 1 }))
      for (const device of [laptop, laptop, laptop, phone]) {
        assert.equal(
          inWords(await ask(account(device, "erase"))),
          "deviceId: only the recovery key of the name erases it",
        )
        const by = { deviceId: device.deviceId, at: 1n }
        assert.deepEqual(await store.erase("alice", by), { type: "recoveryKeyNeeded" })
      }
      assert.equal(inWords(await ask(account(recovery, "erase"))), "notFound", "replaced")
      assert.deepEqual(await store.erase("alice", { deviceId: recovery.deviceId, at: 1n }), { type: "notFound" })
      assert.deepEqual(await ask(account(next, "erase")), { type: "erased" })
    })

    it("of a suspended name waits, and no stranger is told of that", async (test) => {
      const store = openStore(test)
      const { laptop, phone, recovery, bind, ask } = await family(store)
      await store.suspend("alice", "reason")
      assert.equal(inWords(await bind(binding(recovery, laptop, { signer: phone }))), "notFound")
      assert.match(inWords(await bind(binding(recovery, laptop))), /suspended this name: reason/)
      await store.resume("alice")
      await bind(binding(recovery, laptop))
      await store.suspend("alice", "reason")
      assert.match(inWords(await ask(account(recovery, "erase"))), /suspended this name: reason/)
    })

    it("is not kept from its owner by what strangers repeat, or devices and former keys ask in vain", async (test) => {
      const limits = { recoveries: { perSecond: 0.001, burst: 3 } }
      const { laptop, phone, recovery, bind, revoke, ask } = await family(openStore(test), { limits })
      for (let n = 0; n < 4; n++) assert.match(inWords(await bind(binding(recovery, phone, { at: NOW + n }))), /oldest/)
      await bind(binding(recovery, laptop))
      const next = createRecoveryKey()
      const replacing = binding(next, recovery, { at: NOW + 1 })
      assert.equal(inWords(await bind(replacing)), "recoveryKeys")
      await revoke(laptop, next)
      for (let n = 2; n < 6; n++) {
        assert.equal(inWords(await bind(replacing)), "recoveryKeys", "as a lookup shows it")
        for (const by of [laptop, phone, recovery]) {
          assert.match(inWords(await bind(binding(createRecoveryKey(), by, { at: NOW + n }))), /replaces it/)
        }
      }
      assert.equal(inWords(await ask(account(next, "erase"))), "erased")
    })

    it("is asked for at a pace", async (test) => {
      const limits = { recoveries: { perSecond: 0.001, burst: 1 } }
      const { laptop, recovery, bind } = await family(openStore(test), { limits })
      assert.equal(inWords(await bind(binding(recovery, laptop))), "recoveryKeys")
      assert.equal(inWords(await bind(binding(createRecoveryKey(), recovery, { at: NOW + 1 }))), "throttled")
    })
  })
}

function account(by: TestDevice, wish: "export" | "erase") {
  const { deviceId } = by
  const content = encode(AccountTBS, { wish, name: "alice", deviceId, at: BigInt(NOW) })
  const type = wish === "export" ? ("exportAccount" as const) : ("eraseAccount" as const)
  return { type, name: "alice", deviceId, at: BigInt(NOW), signature: signWithLabel(by.key, ACCOUNT_LABEL, content) }
}
