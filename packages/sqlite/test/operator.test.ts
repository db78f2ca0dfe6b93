import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { createDevice, createService as createDirectory, registration } from "@conclave/testing/auth"
import {
  createGroup,
  createService,
  expectType,
  keyPackage,
  messageRequest,
  proved,
  sha256,
  temporaryFolder,
} from "@conclave/testing/delivery"
import Libsql from "libsql"
import { authStore, migrations } from "../src/auth/store.js"
import { deliveryStore, lockHolder, OperatorFile, openDatabase } from "../src/index.js"

const first = readFileSync(new URL("../../test/fixtures/service-1.sql", import.meta.url), "utf8")
const action = { at: 1, user: "olga", reason: "spam" }

/** Both services on one file, as they run. */
function running(test: TestContext, file = join(temporaryFolder(test), "service.db")) {
  const database = openDatabase({ file, sizeMax: 2 ** 30 })
  test.after(() => database.close())
  const auth = authStore(database)
  const store = deliveryStore(database, sha256)
  return { file, database, store, directory: createDirectory(auth), service: createService(store) }
}

describe("the file of a running service", () => {
  it("is changed by its operator in one transaction, and the service goes by it at once", async (test) => {
    const { file, directory, service } = running(test)
    const [alice, laptop] = [createDevice(), createDevice()]
    await directory.ask(registration(alice, "alice"))
    await directory.ask(registration(laptop, "alice", alice))
    using operator = new OperatorFile(file, { readonly: false })
    const devices = [alice, laptop].map((device) => service.register(device))
    for (const device of devices) {
      const publish = { type: "publishKeyPackages", cipherSuite: 1, lastResort: undefined, replaces: false } as const
      const request = proved(device, { ...publish, keyPackages: [keyPackage(device)] })
      expectType(await service.ask(request), "keyPackageCount")
    }
    const counts = () =>
      Promise.all(
        devices.map(async (it) => (await service.ask(proved(it, { type: "countKeyPackages", cipherSuite: 1 }))).type),
      )
    assert.equal(operator.suspend("nobody", action), false)
    assert.equal(operator.suspend("alice", action), true)
    assert.deepEqual(await directory.ask({ type: "lookup", name: "alice" }), { type: "notFound" })
    assert.deepEqual(await counts(), ["forbidden", "forbidden"])
    assert.equal(operator.resume("alice", { ...action, reason: "a mistake" }), true)
    assert.equal(operator.resume("alice", action), false)
    assert.deepEqual(await counts(), ["keyPackageCount", "keyPackageCount"])
    assert.deepEqual(
      operator.actions().map(({ did, what, reason }) => [did, what, reason]),
      [
        ["suspend", "alice", "spam"],
        ["resume", "alice", "a mistake"],
      ],
    )
  })

  it("loses a closed group whose deletion was cut short, by the next sweep or the next closing", async (test) => {
    const { file, database, store, service } = running(test)
    const [one, two, three] = [await createGroup(service), await createGroup(service), await createGroup(service)]
    for (const group of [one, two, three]) await service.ask(messageRequest(group, 0n))
    const cutShort = (group: Uint8Array) =>
      database.write((connection) =>
        connection.run("UPDATE mls_group SET id = randomblob(32), last_at = -1 WHERE id = ?", [group]),
      )
    const left = () => database.read((connection) => Number(connection.get("SELECT count(*) AS n FROM log")!.n))
    await cutShort(one)
    await store.sweep({ at: 0n, messages: 0n, log: 0n, inbox: 0n, groups: 0n, knocks: 0n, rowsMax: 100 })
    assert.equal(left(), 2)
    await cutShort(two)
    using operator = new OperatorFile(file, { readonly: false })
    assert.equal(operator.closeGroup(three, { ...action, sha256 }), true)
    assert.equal(left(), 0)
  })

  it("is swept as before where the operator has deleted the newest rows of the log", async (test) => {
    const { file, store, service } = running(test)
    const [old, newest] = [await createGroup(service), await createGroup(service)]
    const sweep = () =>
      store.sweep({ at: 0n, messages: 2n ** 60n, log: 0n, inbox: 0n, groups: 0n, knocks: 0n, rowsMax: 100 })
    await service.ask(messageRequest(old, 0n))
    for (let n = 0; n < 5; n++) await service.ask(messageRequest(newest, 0n))
    await sweep()
    using operator = new OperatorFile(file, { readonly: false })
    operator.closeGroup(newest, { ...action, sha256 })
    await service.ask(messageRequest(old, 0n))
    assert.equal((await sweep()).rows, 1)
  })

  it("names the process that has it, and how large it may become", async (test) => {
    const { file, database } = running(test)
    assert.deepEqual(lockHolder(file), { pid: process.pid, sizeMax: 2 ** 30 })
    await database.close()
    assert.equal(lockHolder(file), undefined)
  })
})

describe("the directory in a file of every version before this", () => {
  for (let version = 2; version < migrations.length; version++) {
    it(`has its names, and lets them be suspended (version ${version})`, async (test) => {
      const file = join(temporaryFolder(test), "service.db")
      const database = new Libsql(file)
      database.exec(first)
      // The fixture was written by the second version of these tables.
      for (const migration of migrations.slice(2, version)) database.exec(migration)
      database.exec(`UPDATE schema_version SET version = ${version} WHERE component = 'auth'`)
      database.close()
      assert.throws(() => new OperatorFile(file, { readonly: true }), /is of an older version of Conclave/)
      const { directory } = running(test, file)
      assert.equal((await directory.ask({ type: "lookup", name: "alice" })).type, "devices")
      using operator = new OperatorFile(file, { readonly: false })
      assert.equal(operator.suspend("alice", action), true)
      assert.equal((await directory.ask({ type: "lookup", name: "alice" })).type, "notFound")
      assert.deepEqual(
        operator
          .names()
          .map(({ name, suspended }) => [name, suspended])
          .at(0),
        ["alice", "spam"],
      )
    })
  }
})
