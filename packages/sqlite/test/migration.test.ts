import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { noAccess } from "@conclave/contracts/access"
import { logChainHash, logChainStart } from "@conclave/contracts/log-chain"
import {
  accessKeyOf,
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
import { migrations } from "../src/delivery/schema.js"
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
/** What is asked of a group that was made before there were access keys. */
const access = noAccess
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

/** As the third version of the tables left it: Bob has a Welcome from then, with the tree that the group has, too. */
function thirdFile(test: TestContext): string {
  const file = firstFile(test)
  const database = new Libsql(file)
  for (const migration of migrations.slice(1, 3)) database.exec(migration)
  database.exec(`
    UPDATE schema_version SET version = 3 WHERE component = 'delivery';
    UPDATE log SET undelivered = x'0401020304' WHERE seq = 2;
    INSERT INTO blob (hash, body, uses) VALUES (x'aa', CAST('${GROUP_INFO}' AS BLOB), 1), (x'bb', x'99', 2), (x'cc', x'77', 1);
    UPDATE mls_group SET info_hash = x'aa', tree_hash = x'bb' WHERE id = x'${Buffer.from(empty).toString("hex")}';
    INSERT INTO inbox (device_id, n, kind, group_id, seq, body_hash, tree_hash, sender, at)
      VALUES (x'01', 1, 1, x'02', 3, x'cc', x'bb', x'0102030405060708', ${NOW});
    INSERT INTO device (id, inbox_head) VALUES (x'01', 1);
    DELETE FROM blob WHERE NOT EXISTS (SELECT 1 FROM mls_group WHERE hash IN (info_hash, tree_hash))
      AND NOT EXISTS (SELECT 1 FROM inbox WHERE hash IN (body_hash, tree_hash));
  `)
  database.close()
  return file
}

const GROUP_INFO = "sentinel of a GroupInfo that is stored no longer"

/** What SQLite does for each table that is touched. */
function planOf(file: string, sql: string): string[] {
  const database = new Libsql(file)
  try {
    const rows = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { readonly detail: string }[]
    return rows.map(({ detail }) => detail)
  } finally {
    database.close()
  }
}

/** A file of the first version that was brought to this one, which has all that its migrations made of it. */
function fileOf(test: TestContext, version: number): string {
  const file = firstFile(test)
  const database = new Libsql(file)
  for (const migration of migrations.slice(1, version)) database.exec(migration)
  database.exec(`UPDATE schema_version SET version = ${version} WHERE component = 'delivery'`)
  database.close()
  return file
}

describe("a file of every version before this", () => {
  for (let version = 1; version < migrations.length; version++) {
    it(`has what it had, and finds what refers to a body by an index (version ${version})`, async (test) => {
      const file = fileOf(test, version)
      const database = openDatabase({ file })
      const store = deliveryStore(database, sha256)
      const service = createService(store)
      const log = expectType(await service.ask({ type: "read", groupId, afterSeq: 0n, limit: 10, access }), "entries")
      assert.equal(log.entries.length, 5)
      const page = { deviceId: bob, after: 0n, limit: 10, sizeMax: 1e6 }
      const { entries } = await store.inbox(page)
      assert.deepEqual([entries.length, entries[0]!.ratchetTree?.length], [2, 100])
      await store.acknowledgeInbox(bob, 2n)
      assert.equal(database.read((connection) => connection.get("SELECT count(*) AS n FROM blob"))!.n, 0n)
      await database.close()
      const plan = planOf(file, "DELETE FROM blob WHERE hash = x'00' AND uses = 0")
      assert.deepEqual(
        plan.filter((step) => step.includes("inbox")).sort(),
        ["body", "tree"].map((name) => `SEARCH inbox USING COVERING INDEX inbox_${name} (${name}_hash=?)`),
      )
      assert.deepEqual(
        plan.filter((step) => step.includes("SCAN")),
        [],
      )
      const group = planOf(file, "DELETE FROM mls_group WHERE number = 1")
      assert.deepEqual(
        group.filter((step) => step.includes("SCAN")),
        [],
      )
    })
  }
})

describe("a file of the third version", () => {
  it("loses the GroupInfo and tree of each group for good, and keeps the trees of Welcomes that wait", async (test) => {
    const file = thirdFile(test)
    assert.ok(readFileSync(file).includes(GROUP_INFO) || readFileSync(`${file}-wal`).includes(GROUP_INFO))
    const database = openDatabase({ file })
    test.after(() => database.close())
    const store = deliveryStore(database, sha256)
    for (const path of [file, `${file}-wal`]) assert.equal(readFileSync(path).includes(GROUP_INFO), false, path)
    const inbox = await store.inbox({ deviceId: Uint8Array.of(1), after: 0n, limit: 10, sizeMax: 1e6 })
    assert.deepEqual(
      inbox.entries.map(({ body, ratchetTree }) => [body, ratchetTree]),
      [[Uint8Array.of(0x77), Uint8Array.of(0x99)]],
    )
    const blobs = () =>
      database.read((connection) => connection.all("SELECT hash, uses FROM blob WHERE length(hash) = 1 ORDER BY hash"))
    assert.deepEqual(
      blobs().map(({ hash, uses }) => [hash[0], uses]),
      [
        [0xbb, 1n],
        [0xcc, 1n],
      ],
    )
    await store.acknowledgeInbox(Uint8Array.of(1), 1n)
    assert.deepEqual(blobs(), [])
    // Bob's Welcome of the first version, and its tree.
    const uses = database.read((connection) =>
      connection.all(
        `SELECT uses, (SELECT count(*) FROM inbox WHERE body_hash = hash) + (SELECT count(*) FROM inbox WHERE tree_hash = hash)
           AS actual FROM blob`,
      ),
    )
    assert.equal(uses.length, 2)
    for (const { uses: counted, actual } of uses) assert.equal(counted, actual)
  })

  it("has groups without a key, whose first key is registered by a commit, once and for all", async (test) => {
    const database = openDatabase({ file: thirdFile(test) })
    test.after(() => database.close())
    const service = createService(deliveryStore(database, sha256))
    const commit = commitRequest(groupId, 3n, { after: 4n, interval: 1 })
    assert.equal(expectType(await service.ask({ ...commit, access }), "accepted").seq, 6n)
    expectType(await service.ask({ ...messageRequest(groupId, 4n, { after: 6n }), access }), "denied")
    const key = accessKeyOf(groupId, 1)
    assert.equal(expectType(await service.askWith(key, messageRequest(groupId, 4n, { after: 6n })), "accepted").seq, 7n)
    const wanted = { messages: 86_400, handshakes: undefined }
    const asked = { type: "setPolicy", groupId, replaces: 0n, wanted } as const
    assert.equal(expectType(await service.askWith(key, asked), "policy").policy.version, 1n)
    // Who knows no more than the id of a group without keys has nothing of it deleted.
    for (const request of [asked, { type: "retire", groupId: empty, headSeq: 0n } as const]) {
      expectType(await service.ask({ ...request, groupId: empty, access }), "denied")
    }
    const read = { type: "read", groupId, afterSeq: 0n, limit: 10 } as const
    const seqs = async (answer: ReturnType<typeof service.ask>) =>
      expectType(await answer, "entries").entries.map(({ seq }) => Number(seq))
    assert.deepEqual(await seqs(service.ask({ ...read, access })), [1, 2, 3, 4, 5, 6])
    assert.deepEqual(await seqs(service.askWith(key, read)), [1, 2, 3, 4, 5, 6, 7])
    // Who was not served then is told again.
    const row = database.read((connection) => connection.get("SELECT undelivered, begins FROM log WHERE seq = 2"))!
    assert.deepEqual([row.undelivered, row.begins], [Uint8Array.of(4, 1, 2, 3, 4), null])
  })
})

describe("a file of the first version", () => {
  it("has its log, and goes on from the last commit entry", async (test) => {
    const { service } = opened(test)
    const log = expectType(await service.ask({ type: "read", groupId, afterSeq: 0n, limit: 10, access }), "entries")
    assert.deepEqual(
      log.entries.map(({ seq, kind }) => `${seq} ${kind}`),
      ["1 application", "2 commit", "3 application", "4 commit", "5 application"],
    )
    const chained = log.entries.reduce(
      (hash, entry) => logChainHash(sha256, hash, entry),
      logChainStart(sha256, groupId),
    )
    assert.equal(Buffer.from(chained).toString("hex"), head)
    const { headSeq, lastCommitSeq } = expectType(await service.ask({ type: "head", groupId, access }), "head")
    assert.deepEqual([headSeq, lastCommitSeq], [5n, 4n])
    expectType(await service.ask({ ...commitRequest(groupId, 2n, { after: 2n }), access }), "stale")
    assert.equal(
      expectType(await service.ask({ ...commitRequest(groupId, 2n, { after: 4n }), access }), "accepted").seq,
      6n,
    )
    assert.equal(
      expectType(await service.ask({ ...messageRequest(groupId, 3n, { after: 6n }), access }), "accepted").seq,
      7n,
    )
    assert.equal(
      expectType(await service.ask({ ...commitRequest(empty, 0n, { after: 0n }), access }), "accepted").seq,
      1n,
    )
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
    await service.ask({
      ...commitRequest(groupId, 2n, { after: 4n, recipients: [{ deviceId: bob } as never] }),
      access,
    })
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
    await store.sweep({ at: 0n, messages: BigInt(NOW + 1), log: 0n, inbox: 0n, groups: 0n, knocks: 0n, rowsMax: 100 })
    for (const { bytes, actual } of sizes()) assert.equal(bytes, actual)
    const log = expectType(await service.ask({ type: "read", groupId, afterSeq: 0n, limit: 10, access }), "entries")
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
    assert.equal(expectType(await service.ask({ type: "head", groupId, access }), "head").headSeq, 5n)
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
