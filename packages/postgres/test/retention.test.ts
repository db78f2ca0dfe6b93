import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { sha256 } from "@conclave/testing/delivery"
import { noPostgres } from "@conclave/testing/servers"
import { deliveryStore, openDatabase } from "../src/index.js"
import {
  admitted,
  bytes,
  commitParts,
  KEY,
  logOf,
  message,
  newGroup,
  opened,
  operator,
  postgres,
  sweepAll,
} from "./support.js"

const PARTITIONS = "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'message_body'::regclass"

describe("retention in PostgreSQL", { skip: noPostgres }, () => {
  const server = postgres()

  it("drops bodies with their partition once all in it have expired, and shows them as expired before", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256, { partitionMilliseconds: 100 })
    await store.createGroup(newGroup("group"))
    const secret = new TextEncoder().encode(`secret ${"x".repeat(5000)}`)
    for (const at of [10n, 20n, 150n]) await store.append(message("group", `${at}`, { at, body: secret }))
    await store.append(message("group", "proposal", { at: 20n, kind: "proposal", body: secret }))
    const asOperator = await operator(test, database.options)
    const bodies = async () => Number((await asOperator.query("SELECT count(*) FROM message_body")).rows[0]!.count)
    const partitions = async () => (await asOperator.query(PARTITIONS)).rows.map(({ name }) => name).sort()

    assert.equal(await sweepAll(store, { messages: 20n, rowsMax: 1 }), 1)
    assert.equal(await bodies(), 3)
    const kinds = async () => (await logOf(store, "group")).map(({ kind }) => kind)
    assert.deepEqual(await kinds(), ["expired", "application", "application", "proposal"])
    const [expired, kept] = await logOf(store, "group")
    assert.deepEqual([expired!.body, kept!.body], [sha256(secret), Uint8Array.from(secret)])

    assert.equal(await sweepAll(store, { messages: 100n, at: 100n }), 1)
    assert.equal(await bodies(), 1)
    assert.deepEqual(await partitions(), ["message_body_100", "message_body_200"])
    assert.deepEqual(await kinds(), ["expired", "expired", "application", "proposal"])
    // An answer from before the sweep is the same again.
    assert.equal((await store.append(message("group", "10", { at: 300n, body: secret }))).type, "accepted")
  })

  it("counts what has expired out of the size of its group, however few rows at a time", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256, { partitionMilliseconds: 100 })
    const sizes: number[] = []
    const admit = ({ bytes }: { readonly bytes: number }) => {
      sizes.push(bytes)
      return { type: "quotaExceeded", of: "group" } as const
    }
    for (const name of ["a", "b"]) {
      await store.createGroup(newGroup(name))
      for (let number = 0; number < 7; number++) {
        await store.append(message(name, `${number}`, { at: BigInt(10 + 10 * number), body: new Uint8Array(1000) }))
      }
    }
    await sweepAll(store, { messages: 50n, rowsMax: 2 })
    for (const name of ["a", "b"]) await store.append(message(name, "asked", { admit }))
    const expected = 7 * 200 + 4 * 32 + 3 * 1000
    assert.deepEqual(sizes, [expected, expected])
    await sweepAll(store, { messages: 50n, log: 70n, rowsMax: 3 })
    for (const name of ["a", "b"]) await store.append(message(name, "asked", { admit }))
    assert.deepEqual(sizes.slice(2), [1200, 1200])
    assert.equal(await sweepAll(store, { messages: 50n, log: 70n }), 0)
  })

  it("deletes the bodies of a group that is closed or has expired, also where their time is not over", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256)
    const asOperator = await operator(test, database.options)
    for (const name of ["closed", "old", "kept"]) {
      await store.createGroup(newGroup(name, name === "old" ? 1n : 100n))
      const at = name === "old" ? 1n : 100n
      await Promise.all(Array.from({ length: 5 }, (_, id) => store.append(message(name, `${id}`, { at }))))
    }
    assert.equal(await store.closeGroup(bytes("closed")), true)
    await sweepAll(store, { groups: 50n, rowsMax: 2 })
    assert.equal((await asOperator.query("SELECT * FROM message_body")).rows.length, 5)
    assert.equal((await asOperator.query("SELECT * FROM mls_group")).rows.length, 1)
    assert.equal((await logOf(store, "kept")).length, 5)
    assert.equal(await store.createGroup(newGroup("closed")), "exists")
    assert.equal(await store.createGroup(newGroup("old")), "exists")
  })

  it("goes on closing where it was cut short", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256)
    const asOperator = await operator(test, database.options)
    await store.createGroup(newGroup("group"))
    for (let id = 0; id < 5; id++) await store.append(message("group", `${id}`))
    // As after the first of its transactions.
    await asOperator.query("UPDATE mls_group SET id = 'x', oldest_seq = next_seq, last_at = -1")
    assert.equal(await sweepAll(store, { rowsMax: 2 }), 6)
    for (const table of ["log", "mls_group", "access_interval", "message_body"]) {
      assert.equal((await asOperator.query(`SELECT * FROM ${table}`)).rows.length, 0, table)
    }
  })

  it("keeps the last commit of a log, until there is a later one", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256)
    await store.createGroup(newGroup("group"))
    const commit = (id: string, after: bigint, at: bigint) =>
      store.append(message("group", id, { kind: "commit", after, at, commit: commitParts() }))
    await commit("1", 0n, 10n)
    await store.append(message("group", "2", { after: 1n, at: 20n }))
    assert.equal(await sweepAll(store, { log: 50n }), 1)
    const read = () =>
      store.read({ groupId: bytes("group"), key: KEY, permit: admitted, after: 0n, limit: 9, sizeMax: 999 })
    const seqs = async () => {
      const page = await read()
      assert.ok(page.type === "page")
      return [page.oldestSeq, ...page.entries.map(({ seq }) => seq)]
    }
    assert.deepEqual(await seqs(), [3n, 1n])
    assert.equal(await sweepAll(store, { log: 50n }), 0)
    await commit("3", 1n, 60n)
    assert.equal(await sweepAll(store, { log: 50n }), 1)
    assert.deepEqual(await seqs(), [3n, 3n])
  })

  it("sweeps with one gateway at a time", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256)
    await store.createGroup(newGroup("group"))
    await store.append(message("group", "1"))
    const other = await operator(test, database.options)
    await other.query("BEGIN")
    await other.query("SELECT pg_advisory_xact_lock(hashtext('conclave sweep'), hashtext(current_schema()))")
    const horizons = { at: 9n, messages: 9n, log: 9n, inbox: 9n, groups: 0n, knocks: 9n, rowsMax: 10 }
    assert.deepEqual(await store.sweep(horizons), { rows: 0, more: false })
    assert.equal((await logOf(store, "group"))[0]!.kind, "application")
    await other.query("COMMIT")
    assert.equal((await store.sweep(horizons)).rows, 2)
  })

  it("does not wait for a reader of a partition, and drops it the next time", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256, { partitionMilliseconds: 100 })
    await store.createGroup(newGroup("group"))
    await store.append(message("group", "1"))
    const reader = await operator(test, database.options)
    await reader.query("BEGIN")
    await reader.query("SELECT * FROM message_body")
    const partitions = async () => (await reader.query(PARTITIONS)).rows.map(({ name }) => name)
    await sweepAll(store, { messages: 100n, at: 1000n })
    assert.ok((await partitions()).includes("message_body_0"))
    await reader.query("COMMIT")
    await sweepAll(store, { messages: 100n, at: 1000n })
    assert.ok(!(await partitions()).includes("message_body_0"))
  })

  it("takes what comes for a partition that another gateway has dropped, or that has another length there", async (test) => {
    const database = await opened(test, server)
    const [mine, theirs] = [database, openDatabase(database.options)]
    test.after(() => theirs.close())
    const one = await deliveryStore(mine, sha256, { partitionMilliseconds: 100 })
    const two = await deliveryStore(theirs, sha256, { partitionMilliseconds: 1_000 })
    await one.createGroup(newGroup("group"))
    await one.append(message("group", "1", { at: 150n }))
    // Around that one.
    await two.append(message("group", "2", { at: 50n }))
    await two.append(message("group", "3", { at: 999n }))
    await one.append(message("group", "4", { at: 1_000n }))
    await sweepAll(two, { messages: 200n, at: 1_000n })
    // Of a gateway whose clock is late, and which knows of no partition, or of one that is gone.
    const late = openDatabase(database.options)
    test.after(() => late.close())
    const three = await deliveryStore(late, sha256, { partitionMilliseconds: 100 })
    await three.append(message("group", "0", { at: 150n }))
    await one.append(message("group", "5", { at: 150n }))
    const asOperator = await operator(test, database.options)
    const partitions = (await asOperator.query(PARTITIONS)).rows.map(({ name }) => name)
    assert.ok(!partitions.includes("message_body_100"), `${partitions}`)
    const kinds = (await logOf(two, "group")).map(({ kind }) => kind)
    assert.deepEqual(kinds, ["expired", "expired", "application", "application", "expired", "expired"])
    const sizes: number[] = []
    await one.append(
      message("group", "6", {
        at: 1_000n,
        admit({ bytes }) {
          sizes.push(bytes)
          return undefined
        },
      }),
    )
    assert.deepEqual(sizes, [6 * 232])
  })

  it("deletes in the end what a gateway has written whose clock is far back", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256)
    await store.createGroup(newGroup("group", 1_000n))
    const propose = (id: string, at: bigint) => store.append(message("group", id, { kind: "proposal", at }))
    await propose("1", 900n)
    assert.equal(await sweepAll(store, { log: 950n }), 1)
    await propose("2", 5n)
    await propose("3", 960n)
    assert.equal(await sweepAll(store, { log: 950n }), 1)
    const page = await store.read({
      groupId: bytes("group"),
      key: KEY,
      permit: admitted,
      after: 0n,
      limit: 9,
      sizeMax: 999,
    })
    assert.ok(page.type === "page")
    assert.deepEqual([page.oldestSeq, ...page.entries.map(({ seq }) => seq)], [3n, 3n])
  })

  it("goes on where a partition that it knows is not there any more", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256)
    await store.createGroup(newGroup("group"))
    await store.append(message("group", "1"))
    const asOperator = await operator(test, database.options)
    await asOperator.query("DROP TABLE message_body_0; DELETE FROM message_partition")
    let asked = 0
    const admit = () => {
      asked++
      return undefined
    }
    assert.equal((await store.append(message("group", "2", { admit }))).type, "accepted")
    assert.equal(asked, 1)
    assert.deepEqual(
      (await logOf(store, "group")).map(({ kind }) => kind),
      ["expired", "application"],
    )
  })

  it("keeps places ahead for what comes, and makes one where none is", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256, { partitionMilliseconds: 100 })
    const asOperator = await operator(test, database.options)
    const partitions = async () => (await asOperator.query(PARTITIONS)).rows.map(({ name }) => name).sort()
    await sweepAll(store, { at: 250n })
    assert.deepEqual(await partitions(), ["message_body_200", "message_body_300"])
    await store.createGroup(newGroup("group"))
    await store.append(message("group", "1", { at: 777n }))
    assert.deepEqual(await partitions(), ["message_body_200", "message_body_300", "message_body_700"])
  })
})
