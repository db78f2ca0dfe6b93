import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { News, NewsMark, Store } from "@conclave/delivery/store"
import { sha256 } from "@conclave/testing/delivery"
import { noPostgres } from "@conclave/testing/servers"
import { deliveryStore } from "../src/index.js"
import { bytes, message, newGroup, opened, operator, postgres, sweepAll } from "./support.js"

const hex = (id: Uint8Array) => Buffer.from(id).toString("hex")
const groupsOf = ({ groups }: News) => groups.map(hex).sort()

function listener(store: Store) {
  let mark: NewsMark | undefined
  return async () => {
    const news = await store.news(mark)
    mark = news.mark
    return news
  }
}

describe("news in PostgreSQL", { skip: noPostgres }, () => {
  const server = postgres()

  it("has what commits late under an early number, and each once", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256)
    for (const name of ["early", "late"]) await store.createGroup(newGroup(name))
    const listen = listener(store)
    await listen()
    // What a gateway does that stops for a moment before it commits.
    const slow = await operator(test, database.options)
    await slow.query("BEGIN")
    await slow.query("INSERT INTO news (group_id) VALUES ($1)", [bytes("early")])
    await store.append(message("late", "1"))
    assert.deepEqual(groupsOf(await listen()), [hex(bytes("late"))])
    assert.deepEqual(groupsOf(await listen()), [])
    await slow.query("COMMIT")
    assert.deepEqual(groupsOf(await listen()), [hex(bytes("early"))])
    assert.deepEqual(groupsOf(await listen()), [])
  })

  it("says everything where what a mark has not seen was swept", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256)
    const asOperator = await operator(test, database.options)
    await store.createGroup(newGroup("group"))
    const old = (await store.news(undefined)).mark
    await store.append(message("group", "1"))
    const { mark } = await store.news(old)
    await asOperator.query("UPDATE news SET at = at - 3600000")
    await sweepAll(store, {})
    assert.equal((await asOperator.query("SELECT * FROM news")).rows.length, 0)
    assert.deepEqual(await store.news(old).then(({ everything }) => everything), true)
    assert.deepEqual(await store.news(mark).then(({ everything }) => everything), false)
    await store.append(message("group", "2"))
    assert.deepEqual(groupsOf(await store.news(mark)), [hex(bytes("group"))])
    assert.equal((await store.news([])).everything, true)
  })

  it("keeps what a mark beside a transaction under way has not seen", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256)
    const slow = await operator(test, database.options)
    await store.createGroup(newGroup("group"))
    await slow.query("BEGIN; INSERT INTO news (group_id, at) VALUES ('x', 0)")
    const { mark } = await store.news(undefined)
    await store.append(message("group", "1"))
    const asOperator = await operator(test, database.options)
    await asOperator.query("UPDATE news SET at = 0")
    await sweepAll(store, {})
    assert.deepEqual(await store.news(mark).then(({ everything }) => everything), false)
    assert.deepEqual(groupsOf(await store.news(mark)), [hex(bytes("group"))])
    await slow.query("COMMIT")
  })

  it("says everything after a connection was lost, as the server may not be the same", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256)
    const asOperator = await operator(test, database.options)
    await store.createGroup(newGroup("group"))
    const listen = listener(store)
    await listen()
    assert.equal((await listen()).everything, false)
    await asOperator.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'conclave' AND state = 'idle'",
    )
    while (database.losses === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    assert.equal((await listen()).everything, true)
    assert.equal((await listen()).everything, false)
  })

  it("has what is new in a database that was restored from another server, and nothing of what was there", async (test) => {
    const database = await opened(test, server)
    const store = await deliveryStore(database, sha256)
    await store.createGroup(newGroup("group"))
    const asOperator = await operator(test, database.options)
    // Ids of transactions begin low again, and what was restored has high ones.
    await asOperator.query("INSERT INTO news (xid, group_id) VALUES ('4000000000', 'x')")
    await asOperator.query("UPDATE news_horizon SET swept = '4000000000'")
    const listen = listener(store)
    await listen()
    await store.append(message("group", "1"))
    const news = await listen()
    assert.equal(news.everything, false)
    assert.deepEqual(groupsOf(news), [hex(bytes("group"))])
    await asOperator.query("UPDATE news SET at = 0 WHERE xid = '4000000000'")
    await sweepAll(store, {})
    assert.equal((await asOperator.query("SELECT * FROM news WHERE xid = '4000000000'")).rows.length, 0)
    assert.notEqual((await asOperator.query("SELECT swept::text FROM news_horizon")).rows[0]!.swept, "4000000000")
    // A snapshot says nothing of another server, or of another run of this one.
    const [snapshot, startedAt, losses] = (await store.news(undefined)).mark
    assert.equal((await store.news([snapshot!, startedAt!, losses!])).everything, false)
    assert.equal((await store.news([snapshot!, 1n, losses!])).everything, true)
    const elsewhere: NewsMark = ["4000000000:4000000000:", 1n, 0n]
    assert.equal((await store.news(elsewhere)).everything, true)
  })
})
