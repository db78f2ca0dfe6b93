import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { logChainHash, logChainStart } from "@conclave/contracts/log-chain"
import { sha256 } from "@conclave/testing/delivery"
import { noPostgres } from "@conclave/testing/servers"
import { migrations as authMigrations } from "../src/auth/store.js"
import { migrations as deliveryMigrations } from "../src/delivery/schema.js"
import { authStore, deliveryStore, type Migration, openDatabase } from "../src/index.js"
import { admitted, bytes, isUnavailable, KEY, logOf, message, opened, operator, postgres } from "./support.js"

const first: Migration = { sql: "CREATE TABLE kept (word text); INSERT INTO kept VALUES ('first')", oldestReader: 1 }
const adding: Migration = { sql: "ALTER TABLE kept ADD COLUMN more text", oldestReader: 1 }
const breaking: Migration = { sql: "ALTER TABLE kept RENAME COLUMN word TO changed", oldestReader: 3 }

describe("migrations in PostgreSQL", { skip: noPostgres }, () => {
  const server = postgres()

  it("are done once, by one of the gateways that start together", async (test) => {
    const { options } = await opened(test, server)
    const databases = Array.from({ length: 6 }, () => openDatabase(options))
    for (const database of databases) test.after(() => database.close())
    await Promise.all(databases.map((database) => database.migrate("test", [first, adding])))
    const rows = await databases[0]!.look((connection) => connection.all("SELECT word, more FROM kept"))
    assert.deepEqual(rows, [{ word: "first", more: null }])
  })

  it("let an older gateway go on beside a newer one, where the newer tables are for both", async (test) => {
    const older = await opened(test, server)
    const newer = openDatabase(older.options)
    test.after(() => newer.close())
    await older.migrate("test", [first])
    await newer.migrate("test", [first, adding])
    const words = await older.look((connection) => connection.all("SELECT word FROM kept"))
    assert.deepEqual(words, [{ word: "first" }])
    // Started again, too, which changes nothing.
    const again = openDatabase(older.options)
    test.after(() => again.close())
    await again.migrate("test", [first])
    await newer.look((connection) => connection.all("SELECT more FROM kept"))
  })

  it("end an older gateway that cannot use the newer tables, whether it starts or runs", async (test) => {
    const older = await opened(test, server)
    const newer = openDatabase(older.options)
    const starting = openDatabase(older.options)
    for (const database of [newer, starting]) test.after(() => database.close())
    await older.migrate("test", [first, adding])
    await newer.migrate("test", [first, adding, breaking])
    const reason = /migrated by a later version of Conclave \(test 3, which 3 and later can use; this one is 2\)/
    await assert.rejects(starting.migrate("test", [first, adding]), isUnavailable(reason))
    const read = () => older.look((connection) => connection.all("SELECT word FROM kept"))
    await assert.rejects(read(), isUnavailable(reason))
    await assert.rejects(read(), isUnavailable(reason))
    const write = older.write((connection) => connection.run("DELETE FROM kept"))
    await assert.rejects(write, isUnavailable(reason))
  })

  it("leave nothing where one of them fails", async (test) => {
    const database = await opened(test, server)
    await database.migrate("test", [first])
    const broken = { sql: "CREATE TABLE half (); SELECT 1 / 0", oldestReader: 2 }
    await assert.rejects(database.migrate("test", [first, broken]), /22012/)
    assert.deepEqual(await database.look((connection) => connection.all("SELECT to_regclass('half')::text AS half")), [
      { half: null },
    ])
    await database.migrate("test", [first, adding])
  })

  it("statements that were prepared for the older tables are prepared again", async (test) => {
    const older = await opened(test, server)
    await older.migrate("test", [first])
    const read = () => older.look((connection) => connection.all("SELECT * FROM kept"))
    assert.deepEqual(await read(), [{ word: "first" }])
    await (await operator(test, older.options)).query("ALTER TABLE kept ADD COLUMN more text")
    assert.deepEqual(await read(), [{ word: "first", more: null }])
  })

  it("use a schema that the operator has made, where the user may make none", async (test) => {
    const { options } = await opened(test, server)
    const asOperator = await operator(test, options)
    await asOperator.query("CREATE ROLE tenant LOGIN; CREATE SCHEMA given AUTHORIZATION tenant")
    const url = options.url.replace("conclave@", "tenant@")
    const [given, made] = [openDatabase({ url, schema: "given" }), openDatabase({ url, schema: "made" })]
    for (const database of [given, made]) test.after(() => database.close())
    assert.equal(await (await deliveryStore(given, sha256)).inboxHead(bytes("device")), 0n)
    await assert.rejects(deliveryStore(made, sha256), isUnavailable(/this user may not use/))
  })

  it("keep the services of several schemas of one database apart", async (test) => {
    const [one, two] = [await opened(test, server), await opened(test, server)]
    const [first, second] = await Promise.all([deliveryStore(one, sha256), deliveryStore(two, sha256)])
    await Promise.all([authStore(one), authStore(two)])
    await first.suspend(bytes("device"), "reason")
    assert.equal((await second.countKeyPackages({ deviceId: bytes("device"), cipherSuite: 1, at: 1n })).count, 0)
  })

  for (let version = 1; version <= deliveryMigrations.length; version++) {
    it(`take a Delivery Service over that version ${version} of the tables has`, async (test) => {
      const database = await opened(test, server)
      await database.migrate("delivery", deliveryMigrations.slice(0, version))
      const asOperator = await operator(test, database.options)
      const [groupId, body] = [bytes("group"), bytes("body")]
      const start = logChainStart(sha256, groupId)
      const entry = { seq: 1n, kind: "application", epoch: 0n, body, begins: undefined } as const
      const hash = logChainHash(sha256, start, entry)
      // As version 1 has them.
      await asOperator.query(
        `INSERT INTO mls_group (id, next_seq, bytes, last_at, access_seq, access_key, head_hash, idem, request_hash)
         VALUES ($1, 2, 232, 5, 0, $2, $3, $4, $5)`,
        [groupId, KEY, hash, bytes("created", 16), bytes("request")],
      )
      await asOperator.query("INSERT INTO access_interval VALUES (1, 0, 1, false, $1, $2)", [KEY, start])
      await asOperator.query(
        `INSERT INTO log (group_number, seq, epoch, at, size, kind, idem, request_hash, body_hash, chain_hash)
         VALUES (1, 1, 0, 5, 32, 1, $1, $2, $3, $4)`,
        [bytes("1", 16), bytes("1"), sha256(body), hash],
      )
      await asOperator.query(`INSERT INTO message_partition VALUES (0, 100);
        CREATE TABLE message_body_0 PARTITION OF message_body FOR VALUES FROM (0) TO (100)`)
      await asOperator.query("INSERT INTO message_body VALUES (5, 1, 1, $1)", [body])
      const store = await deliveryStore(database, sha256)
      assert.deepEqual(
        (await logOf(store, "group")).map((it) => it.body),
        [body],
      )
      assert.deepEqual(await store.append(message("group", "1")), {
        ...{ type: "accepted", seq: 1n, chainHash: hash, undelivered: [] },
      })
      assert.equal((await store.append(message("group", "2"))).type, "accepted")
      assert.equal((await logOf(store, "group")).length, 2)
    })
  }

  for (let version = 1; version <= authMigrations.length; version++) {
    it(`take a directory over that version ${version} of the tables has`, async (test) => {
      const database = await opened(test, server)
      await database.migrate("auth", authMigrations.slice(0, version))
      const asOperator = await operator(test, database.options)
      await asOperator.query(
        "INSERT INTO directory_device (registered_at, cipher_suite, id, name, signature_key) VALUES (5, 1, $1, 'alice', $2)",
        [bytes("device"), bytes("key")],
      )
      const names = await authStore(database)
      const device = {
        ...{ name: "alice", deviceId: bytes("device"), cipherSuite: 1, signatureKey: bytes("key"), registeredAt: 5n },
        ...{ endorsement: undefined, suspended: undefined, revoked: undefined },
      }
      assert.deepEqual(await names.lookup("alice"), [device])
      assert.equal(await names.suspend("alice", "reason"), true)
      assert.deepEqual(await names.lookupDevice(bytes("device")), { ...device, suspended: "reason" })
    })
  }

  it("usage is about what the tables have", async (test) => {
    const database = await opened(test, server, { sizeMax: 1_000_000_000 })
    const store = await deliveryStore(database, sha256)
    const { bytes: before, sizeMax } = store.usage()
    assert.equal(sizeMax, 1_000_000_000)
    assert.ok(before > 100_000 && before < 2_000_000, `${before}`)
    const { rows } = await (await operator(test, database.options)).query(
      "SELECT sum(pg_total_relation_size(oid))::integer AS size FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'",
    )
    assert.equal(before, rows[0]!.size)
    assert.equal((await store.head({ groupId: bytes("none"), key: KEY, permit: admitted })).type, "notFound")
  })
})
