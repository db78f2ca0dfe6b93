import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { Suspended } from "@conclave/delivery/store"
import { sha256 } from "@conclave/testing/delivery"
import { noPostgres } from "@conclave/testing/servers"
import { authStore, deliveryStore, OperatorDatabase, openDatabase } from "../src/index.js"
import { bytes, commitParts, message, newGroup, opened, operator, postgres } from "./support.js"

const deviceId = bytes("device")
const device = { deviceId, cipherSuite: 1, signatureKey: bytes("key"), at: 1n }

describe("erasing a name at one gateway while another serves it, on PostgreSQL", { skip: noPostgres }, () => {
  const server = postgres()

  async function twoGateways(test: TestContext) {
    const database = await opened(test, server)
    const other = openDatabase(database.options)
    test.after(() => other.close())
    const stores = []
    for (const it of [database, other]) {
      stores.push({ auth: await authStore(it), delivery: await deliveryStore(it, sha256) })
    }
    await stores[0]!.auth.register({ ...device, name: "alice", endorsement: undefined, devicesMax: 9 })
    return { one: stores[0]!, two: stores[1]!, database }
  }

  const publish = (name: string) => ({
    ...{ ...device, keyPackages: [{ ref: bytes(name), keyPackage: bytes(name, 30), notAfter: 1_000n }] },
    ...{ lastResort: undefined, replaces: false, withdrawnUntil: 0n, stockMax: 99 },
  })

  it("leaves no key package, no Welcome and no display name, in whatever order they are written", async (test) => {
    const { one, two, database } = await twoGateways(test)
    const asOperator = await operator(test, database.options)
    await one.delivery.createGroup(newGroup("group"))
    for (let n = 0; n < 5; n++) await one.delivery.publishKeyPackages(publish(`before ${n}`))
    const commit = commitParts({ recipients: [deviceId] })
    const displayName = { text: "Alice", at: 5n, deviceId, signature: bytes("signature") }
    const [erased, ...others] = await Promise.allSettled([
      one.auth.erase("alice", { deviceId, at: 2n }),
      ...[0, 1, 2, 3].map((n) => two.delivery.publishKeyPackages(publish(`while ${n}`))),
      ...[0, 1, 2, 3].map(() => two.delivery.claimKeyPackage({ ...device, lowStock: 9, lastResortOnly: false })),
      two.delivery.append(message("group", "commit", { kind: "commit", commit })),
      two.auth.setDisplayName("alice", displayName),
      two.auth.register({ ...device, name: "alice", endorsement: undefined, devicesMax: 9 }),
    ])
    assert.deepEqual(erased.status === "fulfilled" && erased.value, { type: "erased" })
    for (const it of others) if (it.status === "rejected") assert.ok(it.reason instanceof Suspended, `${it.reason}`)
    for (const table of ["key_package", "inbox", "blob", "directory_device", "directory_display_name"]) {
      assert.deepEqual((await asOperator.query(`SELECT * FROM ${table}`)).rows, [], table)
    }
    await assert.rejects(two.delivery.publishKeyPackages(publish("after")), Suspended)
    const claim = { ...device, lowStock: 9, lastResortOnly: false }
    assert.equal(await two.delivery.claimKeyPackage(claim), undefined)
    const { rows } = await asOperator.query("SELECT did, what, operator FROM action")
    assert.deepEqual(
      rows.map(({ did, what, operator }) => [did, what.length, operator]),
      [["erase", 64, ""]],
    )
  })

  it("is done once, whoever asks, and by the operator for a suspended name too", async (test) => {
    const { one, two, database } = await twoGateways(test)
    const answers = await Promise.all([one, two, one].map(({ auth }) => auth.erase("alice", { deviceId, at: 2n })))
    assert.deepEqual(new Set(answers.map(({ type }) => type)), new Set(["erased"]))
    const bob = { ...device, deviceId: bytes("bob"), name: "bob", endorsement: undefined, devicesMax: 9 }
    await one.auth.register(bob)
    await one.auth.suspend("bob", "spam")
    const { url, schema } = database.options
    await using asOperator = await OperatorDatabase.open({ url, ...(schema !== undefined && { schema }) })
    assert.equal((await asOperator.account("bob"))?.devices.length, 1)
    assert.equal(await asOperator.erase("bob", { at: 3, user: "root", reason: "asked for" }), true)
    assert.equal(await asOperator.erase("bob", { at: 3, user: "root", reason: "asked for" }), false)
    assert.equal(await asOperator.account("bob"), undefined)
    assert.deepEqual(await two.auth.register(bob), { type: "erased" })
    assert.deepEqual(await two.auth.register({ ...bob, deviceId: bytes("new") }), { type: "nameTaken" })
    assert.ok((await asOperator.actions()).every(({ what }) => !/alice|bob/.test(what)))
  })
})
