import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { noPostgres } from "@conclave/testing/servers"
import { type Database, strikeStore } from "../src/index.js"
import { relayTo } from "./relay.js"
import { bytes, isUnavailable, opened, operator, postgres } from "./support.js"

const A = bytes("gateway a", 8)
const B = bytes("gateway b", 8)
const WINDOW = 10_000
const entry = (name: string, time: number | undefined) => ({ digest: bytes(name, 16), time })

async function clockOf(database: Database): Promise<number> {
  const row = await database.look((connection) =>
    connection.get("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now"),
  )
  return Number(row!.now)
}

describe("the strike register in PostgreSQL", { skip: noPostgres }, () => {
  const server = postgres()

  async function store(test: TestContext) {
    const database = await opened(test, server)
    const strikes = await strikeStore(database, { windowMilliseconds: WINDOW })
    const outcomes = async (claim: Uint8Array, ...entries: ReturnType<typeof entry>[]) =>
      (await strikes.enter(entries, claim)).outcomes
    return { database, strikes, outcomes, now: await clockOf(database) }
  }

  it("lets the first have a request, and says whose it is afterwards", async (test) => {
    const { outcomes, now } = await store(test)
    assert.deepEqual(await outcomes(A, entry("1", now), entry("2", now), entry("3", undefined)), [
      ...["entered", "entered", "entered"],
    ])
    assert.deepEqual(await outcomes(A, entry("4", now), entry("1", now), entry("3", now)), ["entered", "ours", "ours"])
    assert.deepEqual(await outcomes(B, entry("3", undefined), entry("5", now), entry("1", now)), [
      ...["theirs", "entered", "theirs"],
    ])
    assert.deepEqual(await outcomes(A), [])
  })

  it("gives each of a thousand requests to one of many that ask at the same time, in any order", async (test) => {
    const { outcomes, now } = await store(test)
    const names = Array.from({ length: 1000 }, (_, number) => `${number}`)
    const claims = Array.from({ length: 6 }, (_, number) => bytes(`gateway ${number}`, 8))
    const all = await Promise.all(
      claims.map((claim, number) => {
        const order = number % 2 === 0 ? names : [...names].reverse()
        return outcomes(claim, ...order.map((name) => entry(name, now))).then((got) =>
          order.flatMap((name, index) => (got[index] === "entered" ? [name] : [])),
        )
      }),
    )
    assert.deepEqual(all.flat().sort(), [...names].sort())
  })

  it("judges by the time of the request and the database's clock", async (test) => {
    const { outcomes, now } = await store(test)
    const margin = 3_000
    assert.deepEqual(
      await outcomes(
        A,
        ...[entry("past", now - WINDOW - 1), entry("future", now + WINDOW + margin)],
        ...[entry("early", now - WINDOW + margin), entry("late", now + WINDOW)],
        ...[entry("farthest", Number.MAX_SAFE_INTEGER), entry("below", -Number.MAX_SAFE_INTEGER)],
      ),
      ["outside", "outside", "entered", "entered", "outside", "outside"],
    )
  })

  it("keeps a row while its request could be accepted, and sweeps it in time", async (test) => {
    const { database, strikes, outcomes, now } = await store(test)
    await outcomes(A, entry("old", now), entry("noted", undefined), entry("new", now))
    const asOperator = await operator(test, database.options)
    const { rows } = await asOperator.query("SELECT digest, until FROM strike")
    const untilOf = (name: string) =>
      Number(rows.find(({ digest }) => Buffer.compare(digest, bytes(name, 16)) === 0)!.until)
    assert.equal(untilOf("old"), now + WINDOW)
    // A copy of what was asked inside a connection can be dated a window ahead, and be good for a window then.
    assert.ok(untilOf("noted") >= now + 2 * WINDOW)

    await strikes.sweep()
    assert.deepEqual(await outcomes(B, entry("old", now)), ["theirs"])
    const swept = now - 70_000
    await asOperator.query("UPDATE strike SET until = $1 WHERE digest = $2", [swept, Buffer.from(bytes("old", 16))])
    await strikes.sweep()
    const left = await asOperator.query("SELECT count(*)::int AS count FROM strike")
    assert.equal(left.rows[0].count, 2)
    const horizon = await asOperator.query("SELECT swept::text FROM strike_horizon")
    assert.deepEqual(horizon.rows, [{ swept: `${swept}` }])
  })

  it("accepts nothing from before what it has forgotten, although the clock is set back", async (test) => {
    const { database, outcomes, now } = await store(test)
    // The database's clock cannot be set here: what was swept is moved ahead of it instead.
    await database.write((connection) =>
      connection.run("UPDATE strike_horizon SET swept = $1::bigint", [BigInt(now + WINDOW)]),
    )
    assert.deepEqual(await outcomes(A, entry("before", now - 1), entry("after", now + 5_000)), ["outside", "entered"])
  })

  it("rejects while the way to the database is cut, and goes on afterwards", async (test) => {
    const relay = await relayTo(await server.server.url("test"), test)
    const short = { statementTimeoutMilliseconds: 200, connectTimeoutMilliseconds: 500 }
    const database = await opened(test, server, { url: relay.url, ...short })
    const strikes = await strikeStore(database)
    relay.mode = "closed"
    await assert.rejects(strikes.enter([entry("cut", undefined)], A), isUnavailable(/lost|reached/))
    relay.mode = "open"
    assert.deepEqual((await strikes.enter([entry("cut", undefined)], A)).outcomes, ["entered"])
  })
})
