import assert from "node:assert/strict"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { keeping, type Store } from "@conclave/delivery/store"
import { sha256 } from "@conclave/testing/delivery"
import { noPostgres } from "@conclave/testing/servers"
import type pg from "pg"
import { authStore, deliveryStore } from "../src/index.js"
import {
  admitted,
  bytes,
  commitParts,
  KEY,
  message,
  newGroup,
  opened,
  operator,
  postgres,
  sweepAll,
} from "./support.js"

const DAY = 86_400_000n

/** Which files below a folder have the bytes in them. */
function filesWith(folder: string, needle: Uint8Array): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((file) => {
    const path = join(file.parentPath, file.name)
    return file.isFile() && statSync(path).size > 0 && readFileSync(path).includes(Buffer.from(needle)) ? [path] : []
  })
}

/** Neither is compressed by PostgreSQL. */
const marked = (name: string) => {
  const body = new Uint8Array(3_000)
  for (let start = 0; start + 32 <= body.length; start += 32) body.set(bytes(`${name} ${start}`), start)
  return { body, needle: body.slice(640, 680) }
}

describe("what was deleted of a service, in the data directory of PostgreSQL", { skip: noPostgres }, () => {
  // The files of its tables, and not what a checkpoint has to bring there yet.
  const server = postgres()

  async function files(asOperator: pg.Client) {
    const { rows } = await asOperator.query("SHOW data_directory")
    return async (needle: Uint8Array) => {
      await asOperator.query("CHECKPOINT")
      return filesWith(join(rows[0].data_directory, "base"), needle)
    }
  }

  const later = (store: Store, at: bigint) => sweepAll(store, { at, messages: at - 30n * DAY, groups: 0n })

  it("is in none of the files of its tables: messages that expired, by the operator's time and by their group's", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256)
    const within = await files(await operator(test, database.options))
    const [plain, short] = [marked("plain"), marked("short")]
    for (const [name, { body }] of Object.entries({ plain, short })) {
      await store.createGroup(newGroup(name, DAY))
      await store.append(message(name, "message", { at: DAY, body }))
      await store.append(message(name, "later", { at: 20n * DAY }))
    }
    const shown = { groupId: bytes("short"), key: KEY, permit: admitted, admit: admitted }
    await store.changePolicy({
      ...shown,
      at: DAY,
      change: (policy) => keeping(policy, { messages: 2n * DAY, handshakes: undefined }, { at: DAY, notice: 7n * DAY }),
    })
    assert.equal((await within(plain.needle)).length, 1)
    assert.equal((await within(short.needle)).length, 1)
    await later(store, 7n * DAY)
    assert.equal((await within(short.needle)).length, 1, "before the policy holds")
    await later(store, 9n * DAY)
    assert.deepEqual(await within(short.needle), [])
    assert.equal((await within(plain.needle)).length, 1)
    await later(store, 32n * DAY)
    assert.deepEqual(await within(plain.needle), [])
  })

  it("is in none of the files of its tables a day later: the messages of a group that was retired", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256)
    const asOperator = await operator(test, database.options)
    const within = await files(asOperator)
    const retired = marked("retired")
    await store.createGroup(newGroup("retired", DAY))
    await store.append(message("retired", "message", { at: DAY, body: retired.body }))
    const shown = { groupId: bytes("retired"), key: KEY, permit: admitted, admit: admitted }
    const change = (policy: Parameters<typeof keeping>[0]) => {
      return { ...policy, version: 1n, retired: { headSeq: 1n, goneAt: 8n * DAY } }
    }
    await store.changePolicy({ ...shown, at: DAY, change })
    await later(store, 8n * DAY - 1n)
    assert.equal((await within(retired.needle)).length, 1)
    await later(store, 8n * DAY)
    assert.deepEqual(await within(retired.needle), [])
    const { rows } = await asOperator.query("SHOW data_directory")
    assert.ok(filesWith(join(rows[0].data_directory, "pg_wal"), retired.needle).length > 0, "but in the WAL")
    for (const table of ["log", "mls_group", "message_body", "group_policy", "access_interval"]) {
      assert.equal((await asOperator.query(`SELECT * FROM ${table}`)).rows.length, 0, table)
    }
  })

  it("of an erased name stays in dead rows until the operator's VACUUM FULL: a Welcome, a key package", async (test) => {
    const database = await opened(test, server)
    const [auth, store] = [await authStore(database), await deliveryStore(database, sha256)]
    const asOperator = await operator(test, database.options)
    const within = await files(asOperator)
    const [welcome, keyPackage] = [marked("welcome"), marked("key package")]
    const deviceId = bytes("device")
    const device = { deviceId, cipherSuite: 1, signatureKey: bytes("key"), at: 1n }
    await auth.register({ ...device, name: "alice", endorsement: undefined, devicesMax: 9 })
    await store.publishKeyPackages({
      ...device,
      keyPackages: [{ ref: bytes("ref"), keyPackage: keyPackage.body, notAfter: 1_000n }],
      ...{ lastResort: undefined, replaces: false, withdrawnUntil: 0n, stockMax: 9 },
    })
    await store.createGroup(newGroup("group"))
    const commit = commitParts({ welcome: welcome.body, recipients: [deviceId] })
    await store.append(message("group", "commit", { kind: "commit", commit }))
    assert.equal((await within(welcome.needle)).length, 1)
    assert.equal((await within(keyPackage.needle)).length, 1)
    assert.deepEqual(await auth.erase("alice", { deviceId, at: 2n }), { type: "erased" })
    for (const table of ["inbox", "blob", "key_package", "directory_device"]) {
      assert.equal((await asOperator.query(`SELECT * FROM ${table}`)).rows.length, 0, table)
    }
    await asOperator.query("VACUUM (FULL) blob, key_package, directory_device, inbox")
    for (const { needle } of [welcome, keyPackage]) assert.deepEqual(await within(needle), [])
    assert.deepEqual(await within(Buffer.from("alice")), [], "the name")
  })
})
