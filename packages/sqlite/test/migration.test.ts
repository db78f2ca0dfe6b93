import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { logChainHash, logChainStart } from "@conclave/contracts/log-chain"
import {
  commitRequest,
  createService,
  expectType,
  messageRequest,
  NOW,
  sha256,
  temporaryFolder,
} from "@conclave/testing/delivery"
import Libsql from "libsql"
import { openDatabase } from "../src/database.js"
import { deliveryStore } from "../src/delivery/store.js"

/**
 * The file of a service that was written by the first version of the tables, as its code left it: a group with three
 * messages and two commits, the first of which has invited Bob, an empty group, Bob's key packages (one of two claimed),
 * and the directory.
 */
const first = readFileSync(new URL("../../test/fixtures/service-1.sql", import.meta.url), "utf8")
const groupId = new Uint8Array(32).fill(0xa1)
const empty = new Uint8Array(32).fill(0xa2)
const bob = Uint8Array.from(Buffer.from("f1884b8e1afdffd3a18109e544cd67735f53b3f49238e6684aa63f21c197a324", "hex"))
const head = "fad11e0907efe753769c8f5c2d3b525f3c3da8622c025dc8b3f0ba1e2d741aa6"

function firstFile(test: TestContext): string {
  const file = join(temporaryFolder(test), "service.db")
  const database = new Libsql(file)
  database.exec("PRAGMA journal_mode = WAL")
  database.exec(first)
  database.close()
  return file
}

function opened(test: TestContext) {
  const database = openDatabase({ file: firstFile(test) })
  test.after(() => database.close())
  const store = deliveryStore(database, sha256)
  const directory = async () => ({ cipherSuite: 1, signatureKey: new Uint8Array(32) })
  return { database, store, service: createService(store, { directory }) }
}

describe("a file of the first version", () => {
  it("has its log, and goes on from the last commit entry", async (test) => {
    const { service } = opened(test)
    const log = expectType(await service.ask({ type: "read", groupId, afterSeq: 0n, limit: 10 }), "entries")
    assert.deepEqual(
      log.entries.map(({ seq, kind }) => `${seq} ${kind}`),
      ["1 application", "2 commit", "3 application", "4 commit", "5 application"],
    )
    const chained = log.entries.reduce(
      (hash, entry) => logChainHash(sha256, hash, entry),
      logChainStart(sha256, groupId),
    )
    assert.equal(Buffer.from(chained).toString("hex"), head)
    const { headSeq, lastCommitSeq } = expectType(await service.ask({ type: "head", groupId }), "head")
    assert.deepEqual([headSeq, lastCommitSeq], [5n, 4n])
    expectType(await service.ask(commitRequest(groupId, 2n, { after: 2n })), "stale")
    assert.equal(expectType(await service.ask(commitRequest(groupId, 2n, { after: 4n })), "accepted").seq, 6n)
    assert.equal(expectType(await service.ask(messageRequest(groupId, 3n, { after: 6n })), "accepted").seq, 7n)
    assert.equal(expectType(await service.ask(commitRequest(empty, 0n, { after: 0n })), "accepted").seq, 1n)
  })

  it("has its inboxes and key packages", async (test) => {
    const { service, store } = opened(test)
    const page = { deviceId: bob, after: 0n, limit: 10, sizeMax: 1e6 }
    const inbox = await store.inbox(page)
    assert.deepEqual(
      inbox.entries.map(({ n, kind, seq }) => `${n} ${kind} ${seq}`),
      ["1 welcome 2", "2 keyPackagesLow 0"],
    )
    assert.ok(inbox.entries[0]!.body.length > 100 && inbox.entries[0]!.ratchetTree?.length === 100)
    const claim = { type: "claimKeyPackage", deviceId: bob, cipherSuite: 1 } as const
    const claimed = await Promise.all([service.ask(claim), service.ask(claim)])
    assert.deepEqual(
      claimed.map((answer) => expectType(answer, "keyPackage").lastResort),
      [false, true],
    )
    await store.acknowledgeInbox(bob, 2n)
    await service.ask(commitRequest(groupId, 2n, { after: 4n, recipients: [{ deviceId: bob } as never] }))
    assert.deepEqual(
      (await store.inbox(page)).entries.map(({ n }) => n),
      [3n],
    )
  })

  it("is counted: what it has expires, and what a group has takes room", async (test) => {
    const { service, store, database } = opened(test)
    const sizes = () =>
      database.read((connection) =>
        connection.all(
          `SELECT bytes, (SELECT coalesce(sum(length(body) + 200), 0) FROM log WHERE group_number = mls_group.number) AS actual,
             last_at FROM mls_group ORDER BY number`,
        ),
      )
    for (const { bytes, actual, last_at } of sizes()) assert.deepEqual([bytes, last_at], [actual, BigInt(NOW)])
    await store.sweep({ at: 0n, messages: BigInt(NOW + 1), log: 0n, inbox: 0n, groups: 0n, rowsMax: 100 })
    for (const { bytes, actual } of sizes()) assert.equal(bytes, actual)
    const log = expectType(await service.ask({ type: "read", groupId, afterSeq: 0n, limit: 10 }), "entries")
    assert.equal(log.entries.filter(({ kind }) => kind === "expired").length, 3)
  })

  it("is migrated where it has reached its limit already", async (test) => {
    await using database = openDatabase({ file: firstFile(test), sizeMax: 1024 * 1024 })
    const insert = () => database.write((connection) => connection.run("INSERT INTO junk VALUES (zeroblob(20000))"))
    database.migrate("test", ["CREATE TABLE junk (body BLOB)"])
    await assert.rejects(async () => {
      for (;;) await insert()
    }, /full/)
    const service = createService(deliveryStore(database, sha256))
    assert.equal(expectType(await service.ask({ type: "head", groupId }), "head").headSeq, 5n)
    await assert.rejects(async () => {
      for (;;) await insert()
    }, /full/)
  })

  it("stays as it is where its migration fails", async (test) => {
    const database = openDatabase({ file: firstFile(test) })
    test.after(() => database.close())
    const broken = ["", "ALTER TABLE mls_group ADD COLUMN half INTEGER; CREATE TABLE log (a)"]
    assert.throws(() => database.migrate("delivery", broken), /already exists/)
    const columns = database.read((connection) => connection.all("SELECT name FROM pragma_table_info('mls_group')"))
    assert.ok(!columns.some(({ name }) => name === "half"))
    assert.ok(deliveryStore(database, sha256))
  })

  it("of a later version than this is refused in words, and not touched", async (test) => {
    const file = firstFile(test)
    const raw = new Libsql(file)
    raw.exec("UPDATE schema_version SET version = 99 WHERE component = 'delivery'")
    raw.close()
    const database = openDatabase({ file })
    test.after(() => database.close())
    const reason = /written by a later version of Conclave \(delivery 99, known up to \d+\): use that version/
    assert.throws(() => deliveryStore(database, sha256), reason)
    const versions = database.read((connection) =>
      connection.all("SELECT version FROM schema_version ORDER BY version"),
    )
    assert.deepEqual(
      versions.map(({ version }) => version),
      [2n, 99n],
    )
  })
})
