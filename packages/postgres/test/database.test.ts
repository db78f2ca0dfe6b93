import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { noPostgres } from "@conclave/testing/servers"
import { openDatabase } from "../src/index.js"
import { bigintArray, booleanArray, bytesArray, integerArray } from "../src/values.js"
import { isUnavailable, opened, operator, postgres } from "./support.js"

describe("a database of PostgreSQL", { skip: noPostgres }, () => {
  const server = postgres()

  it("gives and takes every value as it is, arrays included", async (test) => {
    const database = await opened(test, server)
    const big = [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]
    const bodies = [new Uint8Array(), Uint8Array.of(0, 255, 92, 120), null, new Uint8Array(70_000).fill(200)]
    const rows = await database.look((connection) =>
      connection.all(
        `SELECT number, bytes, small, bool FROM unnest($1::bigint[], $2::bytea[], $3::integer[], $4::boolean[])
           AS given (number, bytes, small, bool)`,
        [
          ...[bigintArray(big), bytesArray(bodies), integerArray([0, -1, 2 ** 31 - 1, -(2 ** 31)])],
          booleanArray([true, false, true, false]),
        ],
      ),
    )
    assert.deepEqual(
      rows.map(({ number }) => number),
      big,
    )
    assert.deepEqual(
      rows.map(({ bytes }) => bytes),
      bodies,
    )
    assert.ok(rows.every(({ bytes }) => bytes === null || Object.getPrototypeOf(bytes) === Uint8Array.prototype))
    assert.deepEqual(
      rows.map(({ small, bool }) => [small, bool]),
      [
        ...[
          [0, true],
          [-1, false],
        ],
        ...[
          [2 ** 31 - 1, true],
          [-(2 ** 31), false],
        ],
      ],
    )
    const empty = await database.look((connection) =>
      connection.all("SELECT * FROM unnest($1::bigint[], $2::bytea[])", [bigintArray([]), bytesArray([])]),
    )
    assert.deepEqual(empty, [])
    const [row] = await database.look((connection) =>
      connection.all("SELECT $1::bytea AS bytes, $2::bigint AS number, $3::text AS text, $4::boolean AS bool", [
        ...[Uint8Array.of(1), -5n, "\\x'\"", false],
      ]),
    )
    assert.deepEqual({ ...row }, { bytes: Uint8Array.of(1), number: -5n, text: "\\x'\"", bool: false })
  })

  it("opens a connection beside its own, which hears what others notify", async (test) => {
    const database = await opened(test, server)
    const listening = await database.connect()
    test.after(() => listening.end())
    const heard = new Promise((resolve) => listening.once("notification", ({ payload }) => resolve(payload)))
    await listening.query("LISTEN topic")
    await database.look((connection) => connection.all("SELECT pg_notify('topic', 'hint')::text"))
    assert.equal(await heard, "hint")
    const nowhere = openDatabase({ url: "postgres://conclave@127.0.0.1:1/test" })
    test.after(() => nowhere.close())
    await assert.rejects(nowhere.connect(), isUnavailable(/nothing listens there/))
  })

  it("reads at one moment, and undoes what throws", async (test) => {
    const database = await opened(test, server)
    await database.migrate("test", [{ sql: "CREATE TABLE word (text text)", oldestReader: 1 }])
    const asOperator = await operator(test, database.options)
    const counts = await database.read(async (connection) => {
      const count = async () => (await connection.all("SELECT text FROM word")).length
      const before = await count()
      await asOperator.query("INSERT INTO word VALUES ('meanwhile')")
      return [before, await count()]
    })
    assert.deepEqual(counts, [0, 0])
    const failing = database.write(async (connection) => {
      await connection.run("INSERT INTO word VALUES ($1)", ["undone"])
      throw new Error("of the work")
    })
    await assert.rejects(failing, /of the work/)
    // A statement failed, and the work goes on as if nothing were: it cannot be committed.
    const swallowing = database.write(async (connection) => {
      await connection.run("INSERT INTO word VALUES ($1)", ["undone"])
      await connection.all("SELECT 1 / 0").catch(() => {})
    })
    await assert.rejects(swallowing, /the transaction was undone/)
    const words = await database.look((connection) => connection.all("SELECT text FROM word"))
    assert.deepEqual(words, [{ text: "meanwhile" }])
  })

  it("commits durably where the server is told not to, and leaves what is stricter", async (test) => {
    const database = await opened(test, server)
    const setting = () =>
      database.look(async (connection) => (await connection.get("SHOW synchronous_commit"))!.synchronous_commit)
    assert.equal(await setting(), "on")
    const asOperator = await operator(test, database.options)
    await asOperator.query("ALTER DATABASE test SET synchronous_commit = remote_apply")
    const other = openDatabase(database.options)
    test.after(() => other.close())
    await other.look(async (connection) => {
      assert.equal((await connection.get("SHOW synchronous_commit"))!.synchronous_commit, "remote_apply")
    })
    await asOperator.query("ALTER DATABASE test RESET synchronous_commit")
  })
})
