import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { Suspended } from "@conclave/delivery/store"
import { sha256 } from "@conclave/testing/delivery"
import { noPostgres } from "@conclave/testing/servers"
import { authStore, deliveryStore, OperatorDatabase, openDatabase } from "../src/index.js"
import { bytes, opened, operator, postgres } from "./support.js"

const NAMES = ["laptop", "desk", "phone", "tablet"] as const
type Name = (typeof NAMES)[number]

const signature = bytes("signature")
const statement = (revoker: Name, device: Name) => {
  const [deviceId, revokerKey] = [bytes(device), bytes(revoker)]
  return { deviceId, signatureKey: deviceId, revokerKey, at: 2n, signature }
}
const revoking = (revoker: Name, device: Name) => ({ revocations: [statement(revoker, device)], endorsements: [] })
const newDevice = (name: string, endorser?: Name) => ({
  ...{ name: "alice", deviceId: bytes(name), cipherSuite: 1, signatureKey: bytes(name), at: 1n, devicesMax: 99 },
  endorsement: endorser && { deviceId: bytes(endorser), signature },
})
const publish = (name: Name, ref: string) => ({
  ...{ deviceId: bytes(name), signatureKey: bytes(name), cipherSuite: 1, at: 1n, lastResort: undefined },
  keyPackages: [{ ref: bytes(ref), keyPackage: bytes(ref, 30), notAfter: 1_000n }],
  ...{ replaces: false, withdrawnUntil: 0n, stockMax: 99 },
})

describe("revoking a device at one gateway while another serves it, on PostgreSQL", { skip: noPostgres }, () => {
  const server = postgres()

  /** Alice's laptop has endorsed her desk and her phone, and the phone her tablet. */
  async function twoGateways(test: TestContext) {
    const database = await opened(test, server)
    const other = openDatabase(database.options)
    test.after(() => other.close())
    const stores = []
    for (const it of [database, other]) {
      stores.push({ auth: await authStore(it), delivery: await deliveryStore(it, sha256) })
    }
    const [one, two] = stores as [(typeof stores)[0], (typeof stores)[0]]
    const endorsers: readonly (Name | undefined)[] = [undefined, "laptop", "laptop", "phone"]
    for (const [at, name] of NAMES.entries()) await one.auth.register(newDevice(name, endorsers[at]))
    return { one, two, database }
  }

  it("holds against what the device does at the same time: nothing that it brings is left", async (test) => {
    const { one, two, database } = await twoGateways(test)
    for (let n = 0; n < 3; n++) await one.delivery.publishKeyPackages(publish("phone", `before ${n}`))
    const [revoked, ...others] = await Promise.allSettled([
      one.auth.revoke("alice", revoking("laptop", "phone")),
      ...[0, 1, 2, 3, 4].map((n) => two.auth.register(newDevice(`thief ${n}`, "phone"))),
      ...[0, 1, 2].map((n) => two.delivery.publishKeyPackages(publish("phone", `while ${n}`))),
      two.auth.revoke("alice", revoking("phone", "laptop")),
      two.auth.revoke("alice", revoking("phone", "phone")),
      two.auth.erase("alice", { deviceId: bytes("nobody"), at: 1n }),
    ])
    assert.ok(revoked.status === "fulfilled" && revoked.value.type === "revoked")
    for (const it of others) if (it.status === "rejected") assert.ok(it.reason instanceof Suspended, `${it.reason}`)
    // The phone may have retired before, and the laptop's statement has taken the place of its own.
    const listed = await two.auth.lookup("alice")
    const live = listed.filter((it) => it.revoked === undefined).map(({ deviceId }) => deviceId)
    assert.deepEqual(live, [bytes("laptop"), bytes("desk")])
    assert.deepEqual(listed[2]?.revoked?.revocation, statement("laptop", "phone"))
    assert.deepEqual((await (await operator(test, database.options)).query("SELECT * FROM key_package")).rows, [])
    await assert.rejects(two.delivery.publishKeyPackages(publish("phone", "after")), Suspended)
    assert.equal((await two.auth.register(newDevice("late", "phone"))).type, "endorserRevoked")
    assert.equal((await two.auth.register(newDevice("phone", "laptop"))).type, "revoked")
  })

  it("by two older ones at once is done, with the statement of one of them, and of the operator's resuming no more", async (test) => {
    const { one, two, database } = await twoGateways(test)
    const answers = await Promise.all([
      one.auth.revoke("alice", revoking("laptop", "phone")),
      two.auth.revoke("alice", revoking("desk", "phone")),
    ])
    assert.deepEqual(
      answers.map(({ type }) => type),
      ["revoked", "revoked"],
    )
    const shown = await Promise.all([one, two].map(({ auth }) => auth.lookupDevice(bytes("phone"))))
    assert.notEqual(shown[0]?.revoked?.revocation, undefined)
    assert.deepEqual(shown[0], shown[1])
    const { url, schema } = database.options
    await using asOperator = await OperatorDatabase.open({ url, ...(schema !== undefined && { schema }) })
    const action = { at: 3, user: "root", reason: "a test" }
    assert.equal(await asOperator.suspend("alice", action), true)
    assert.equal((await one.auth.revoke("alice", revoking("laptop", "desk"))).type, "suspended")
    assert.equal(await asOperator.resume("alice", action), true)
    await assert.rejects(two.delivery.publishKeyPackages(publish("phone", "after")), Suspended)
    await two.delivery.publishKeyPackages(publish("laptop", "of the laptop"))
  })
})
