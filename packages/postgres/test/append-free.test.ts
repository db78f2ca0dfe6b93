import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import type { Appended, NewEntry } from "@conclave/delivery/store"
import { sha256 } from "@conclave/testing/delivery"
import { noPostgres } from "@conclave/testing/servers"
import type { Connection } from "../src/connection.js"
import { appendFree } from "../src/delivery/append-free.js"
import { admittingOnce } from "../src/delivery/use.js"
import { type Database, type DeliveryStore, deliveryStore, openDatabase } from "../src/index.js"
import { bytes, commitParts, logOf, message, newGroup, opened, operator, postgres } from "./support.js"

describe("appending without locks", { skip: noPostgres }, () => {
  const server = postgres()
  const works = (entries: readonly NewEntry[]) =>
    entries.map((entry) => ({ entry, admit: admittingOnce(entry), mayDeliver: new Map<string, boolean>() }))

  async function start(test: TestContext) {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256)
    for (const name of ["a", "b"]) await store.createGroup(newGroup(name))
    // Of the time at which there is a partition.
    await store.append(message("a", "first"))
    /** `meanwhile`: when the groups were read. */
    const attempt = async (entries: readonly NewEntry[], meanwhile = async () => {}) => {
      const given = works(entries)
      const { settled, rest, conflicting } = await database.free((connection) => {
        const commit: Connection["commit"] = async (sql, parameters) => {
          await meanwhile()
          return connection.commit(sql, parameters)
        }
        return appendFree({ ...connection, commit }, given, sha256)
      })
      const at = (work: (typeof given)[number]) => given.indexOf(work)
      return { settled: settled.map(({ work }) => at(work)).sort(), rest: rest.map(at), conflicts: conflicting.length }
    }
    return { database, store, attempt }
  }

  const idsOf = async (store: DeliveryStore, group: string) =>
    (await logOf(store, group)).map(({ body }) => Buffer.from(body).toString("hex"))
  const idOf = (id: string) => Buffer.from(bytes(`body of ${id}`)).toString("hex")

  it("is how messages come that nothing is in the way of, and not how commits and repetitions do", async (test) => {
    const { database, store } = await start(test)
    const prepared = async () => {
      const rows = await Promise.all(
        Array.from({ length: database.lanes }, () =>
          database.free((connection) => connection.all("SELECT statement FROM pg_prepared_statements")),
        ),
      )
      const statements = rows.flat().map(({ statement }) => statement as string)
      return {
        free: statements.some((it) => it.includes("FOR UPDATE OF mls_group SKIP LOCKED")),
        locked: statements.some((it) => it.endsWith("ORDER BY number FOR UPDATE")),
      }
    }
    await Promise.all(["1", "2", "3"].map((id) => store.append(message("a", id))))
    assert.deepEqual(await prepared(), { free: true, locked: false })
    const again = await store.append(message("a", "2"))
    assert.equal(again.type, "accepted")
    assert.deepEqual(await prepared(), { free: true, locked: true })
    assert.equal((await logOf(store, "a")).length, 4)
  })

  it("leaves a group that changed meanwhile, whole and in order, and writes the others", async (test) => {
    const { store, attempt } = await start(test)
    const entries = [message("a", "1"), message("b", "2"), message("a", "3")]
    const outcome = await attempt(entries, async () => {
      await store.append(message("a", "in between"))
    })
    assert.deepEqual(outcome, { settled: [1], rest: [0, 2], conflicts: 2 })
    assert.deepEqual(await idsOf(store, "a"), [idOf("first"), idOf("in between")])
    assert.deepEqual(await idsOf(store, "b"), [idOf("2")])
  })

  it("sees a change of a group that is no entry", async (test) => {
    const { database, store, attempt } = await start(test)
    const asOperator = await operator(test, database.options)
    const outcome = await attempt([message("a", "1")], async () => {
      await asOperator.query("UPDATE mls_group SET bytes = bytes + 7 WHERE id = $1", [bytes("a")])
    })
    assert.deepEqual(outcome, { settled: [], rest: [0], conflicts: 1 })
    assert.equal((await logOf(store, "a")).length, 1)
  })

  it("waits for no lock", async (test) => {
    const { database, attempt } = await start(test)
    const asOperator = await operator(test, database.options)
    await asOperator.query("BEGIN")
    await asOperator.query("SELECT 1 FROM mls_group WHERE id = $1 FOR UPDATE", [bytes("a")])
    const outcome = await attempt([message("a", "1"), message("b", "2")])
    await asOperator.query("ROLLBACK")
    assert.deepEqual(outcome, { settled: [1], rest: [0], conflicts: 1 })
  })

  it("leaves what needs more than the row of the group, and what comes after it in the group", async (test) => {
    const { attempt } = await start(test)
    const commit = message("a", "commit", { kind: "commit", commit: commitParts() })
    const leaving = [commit, message("a", "first"), message("a", "other key", { key: bytes("other key") })]
    for (const [index, left] of leaving.entries()) {
      const before = message("a", `before ${index}`)
      const outcome = await attempt([before, left, message("a", "after"), message("c", "of no group")])
      assert.deepEqual(outcome, { settled: [0, 3], rest: [1, 2], conflicts: 0 })
    }
  })

  it("hides no failure of its statements, and leaves to locks what others were in the way of", async (test) => {
    const database = await opened(test, server)
    let planted: string | undefined
    const failing: Database = new Proxy(database, {
      get(target, name) {
        const value = Reflect.get(target, name, target)
        if (name === "free") {
          return (work: Parameters<Database["free"]>[0]) =>
            target.free(async (connection) => {
              if (planted !== undefined) await connection.script(planted)
              return work(connection)
            })
        }
        return typeof value === "function" ? value.bind(target) : value
      },
    })
    const store = await deliveryStore(failing, sha256)
    for (const name of ["a", "b"]) await store.createGroup(newGroup(name))
    await store.append(message("a", "first"))
    planted = "SELECT no_such_column FROM log"
    const told = await Promise.allSettled(["1", "2"].map((id) => store.append(message("a", id))))
    for (const it of told) assert.match(String(it.status === "rejected" && it.reason), /the database failed \(42703/)
    assert.equal((await logOf(store, "a")).length, 1)
    for (const code of ["40001", "40P01", "55P03", "23514", "23505"]) {
      planted = `DO $$ BEGIN RAISE EXCEPTION SQLSTATE '${code}'; END $$`
      assert.equal((await store.append(message("a", code))).type, "accepted", code)
    }
    assert.equal((await logOf(store, "a")).length, 6)
  })

  it("gives the same entry that comes by two gateways at once one place, and one answer", async (test) => {
    const { database, store } = await start(test)
    const other = openDatabase(database.options)
    const stores = [store, await deliveryStore(other, sha256)]
    test.after(() => other.close())
    const ids = Array.from({ length: 300 }, (_, number) => `${number}`)
    const answers = await Promise.all(
      stores.map(async (it, gateway) => {
        const found = new Map<string, Appended>()
        const order = gateway === 0 ? ids : [...ids].reverse()
        for (let start = 0; start < ids.length; start += 50) {
          const some = order.slice(start, start + 50)
          await Promise.all(
            some.map(async (id) => found.set(id, await it.append(message(Number(id) % 2 === 0 ? "a" : "b", id)))),
          )
        }
        return ids.map((id) => found.get(id)!)
      }),
    )
    assert.deepEqual(new Set(answers.flat().map(({ type }) => type)), new Set(["accepted"]))
    assert.deepEqual(answers[0], answers[1])
    assert.equal((await logOf(store, "a")).length + (await logOf(store, "b")).length, 301)
  })
})
