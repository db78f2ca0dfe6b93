import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { sha256 } from "@conclave/testing/delivery"
import { noPostgres } from "@conclave/testing/servers"
import type { Connection } from "../src/connection.js"
import { type Database, type DatabaseOptions, deliveryStore } from "../src/index.js"
import { bytes, commitParts, isUnavailable, logOf, message, newGroup, opened, operator, postgres } from "./support.js"

const GROUPS = Array.from({ length: 24 }, (_, number) => `group ${number}`)

/** How many groups each of its transactions locks for appending. */
function counting(database: Database, locks: number[]): Database {
  const write: Database["write"] = (work, options) =>
    database.write((connection) => {
      const all: Connection["all"] = (sql, parameters = []) => {
        // An array of ids: a header of 20 bytes, and 36 for each.
        if (sql.endsWith("ORDER BY number FOR UPDATE")) locks.push(((parameters[0] as Uint8Array).length - 20) / 36)
        return connection.all(sql, parameters)
      }
      return work({ ...connection, all })
    }, options)
  return new Proxy(database, {
    get(target, name) {
      if (name === "write") return write
      const value = Reflect.get(target, name, target)
      return typeof value === "function" ? value.bind(target) : value
    },
  })
}

describe("appending to many groups", { skip: noPostgres }, () => {
  const server = postgres()

  async function start(test: TestContext, options: Partial<DatabaseOptions> = { lockTimeoutMilliseconds: 8_000 }) {
    const opening = await opened(test, server, options)
    const locks: number[] = []
    const database = counting(opening, locks)
    const batches: number[] = []
    const store = await deliveryStore(database, sha256, { onBatch: (entries) => batches.push(entries) })
    for (const group of GROUPS) {
      await store.createGroup(newGroup(group))
      await store.append(message(group, `first of ${group}`))
    }
    batches.splice(0)
    const asOperator = await operator(test, opening.options)
    const locked = async (group: string) => {
      await asOperator.query("BEGIN")
      await asOperator.query("SELECT 1 FROM mls_group WHERE id = $1 FOR UPDATE", [bytes(group)])
      return () => asOperator.query("ROLLBACK")
    }
    return { store, batches, locks, locked, asOperator }
  }

  const inOrder = (ids: readonly string[]) => ids.map((id) => Buffer.from(bytes(`body of ${id}`)).toString("hex"))

  it("writes what comes at once in one transaction, whatever groups it is for", async (test) => {
    const { store, batches } = await start(test)
    await Promise.all(GROUPS.map((group) => store.append(message(group, `second of ${group}`))))
    assert.deepEqual(batches, [GROUPS.length])
  })

  it("goes on in all groups but that which another transaction holds", async (test) => {
    const { store, locked } = await start(test)
    const release = await locked(GROUPS[0]!)
    const settled = new Set<string>()
    const append = async (group: string, id: string) => {
      await store.append(message(group, id))
      settled.add(id)
    }
    let isHeld = true
    const held = append(GROUPS[0]!, "held").finally(() => {
      isHeld = false
    })
    const others: Promise<void>[] = []
    for (let turn = 0; turn < 5; turn++) {
      for (const group of GROUPS.slice(1)) others.push(append(group, `turn ${turn} of ${group}`))
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    while (isHeld && settled.size < others.length) await new Promise((resolve) => setTimeout(resolve, 5))
    assert.equal(isHeld, true)
    await release()
    await Promise.all([held, ...others])
  })

  it("gives the entries of a group places in the order in which they came, also behind one that needs locks", async (test) => {
    const { store } = await start(test)
    const group = GROUPS[0]!
    const ids = Array.from({ length: 40 }, (_, number) => `${number}`)
    const answers: Promise<unknown>[] = []
    for (const [index, id] of ids.entries()) {
      // A repetition, which takes more round trips than a message.
      if (index % 4 === 0) answers.push(store.append(message(group, `first of ${group}`)))
      answers.push(store.append(message(group, id)))
      await new Promise((resolve) => setTimeout(resolve, index % 5))
    }
    await Promise.all(answers)
    const bodies = (await logOf(store, group)).map(({ body }) => Buffer.from(body).toString("hex"))
    assert.deepEqual(bodies, inOrder([`first of ${group}`, ...ids]))
  })

  it("goes on in other groups while the Welcomes of hundreds of commits wait for a device", async (test) => {
    const { store, asOperator } = await start(test)
    const recipients = [bytes("device")]
    const commit = commitParts({ recipients })
    const others = Array.from({ length: 300 }, (_, number) => `other ${number}`)
    for (const group of others) await store.createGroup(newGroup(group))
    await store.append(message(GROUPS[0]!, "known", { kind: "commit", commit }))
    await asOperator.query("BEGIN; SELECT 1 FROM device FOR UPDATE")
    let isHeld = true
    const committed = others.map((group) =>
      store.append(message(group, `commit of ${group}`, { kind: "commit", commit })).finally(() => {
        isHeld = false
      }),
    )
    for (let turn = 0; turn < 5; turn++) {
      const answers = GROUPS.slice(1).map((group) => store.append(message(group, `turn ${turn} of ${group}`)))
      assert.deepEqual(new Set((await Promise.all(answers)).map(({ type }) => type)), new Set(["accepted"]))
    }
    assert.equal(isHeld, true)
    await asOperator.query("ROLLBACK")
    assert.deepEqual(new Set((await Promise.all(committed)).map(({ type }) => type)), new Set(["accepted"]))
  })

  it("goes on in a group that others write to while all that append with locks wait", async (test) => {
    const { store, locked, asOperator } = await start(test)
    const [group, ...others] = GROUPS
    const commit = commitParts({ recipients: [bytes("device")] })
    await store.append(message(others[0]!, "known", { kind: "commit", commit }))
    const release = await locked(group!)
    const held = store.append(message(group!, "held"))
    await new Promise((resolve) => setTimeout(resolve, 50))
    await release()
    assert.equal((await held).type, "accepted")
    await asOperator.query("BEGIN; SELECT 1 FROM device FOR UPDATE")
    let isHeld = true
    const committing: Promise<unknown>[] = []
    for (const other of others.slice(1, 4)) {
      const appended = store.append(message(other, `commit of ${other}`, { kind: "commit", commit }))
      committing.push(
        appended.finally(() => {
          isHeld = false
        }),
      )
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    assert.equal((await store.append(message(group!, "meanwhile"))).type, "accepted")
    assert.equal(isHeld, true)
    await asOperator.query("ROLLBACK")
    await Promise.all(committing)
  })

  it("locks each group once for commits that need a transaction each", async (test) => {
    const { store, locks } = await start(test)
    const commit = commitParts({ recipients: [bytes("device")] })
    locks.splice(0)
    await Promise.all(
      GROUPS.map((group) => store.append(message(group, `commit of ${group}`, { kind: "commit", commit }))),
    )
    assert.equal(
      locks.reduce((sum, groups) => sum + groups, 0),
      GROUPS.length,
    )
  })

  for (const [what, held] of [
    ["many groups that are held", "SELECT 1 FROM mls_group ORDER BY number LIMIT 20 FOR UPDATE"],
    ["a table that is locked", "LOCK TABLE mls_group"],
  ] as const) {
    it(`waits for ${what} as long as for one`, async (test) => {
      const { store, asOperator } = await start(test, { lockTimeoutMilliseconds: 400 })
      await asOperator.query(`BEGIN; ${held}`)
      const begun = performance.now()
      const told = await Promise.allSettled(GROUPS.map((group) => store.append(message(group, `second of ${group}`))))
      const took = performance.now() - begun
      const refused = told.filter((it): it is PromiseRejectedResult => it.status === "rejected")
      for (const { reason } of refused) isUnavailable(/the database is locked/)(reason)
      assert.equal(refused.length, held.startsWith("LOCK") ? GROUPS.length : 20)
      // One after the other, 20 would take 8 seconds.
      assert.ok(took < 4_000, `${took} ms`)
    })
  }

  it("is done when nothing waits any more", async (test) => {
    const { store } = await start(test)
    const asked = GROUPS.map((group) => store.append(message(group, `last of ${group}`)))
    await store[Symbol.asyncDispose]()
    assert.deepEqual(new Set((await Promise.all(asked)).map(({ type }) => type)), new Set(["accepted"]))
  })
})
