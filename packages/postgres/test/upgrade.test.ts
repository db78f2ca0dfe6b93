import assert from "node:assert/strict"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { describe, it } from "node:test"
import { sha256 } from "@conclave/testing/delivery"
import { noPostgres } from "@conclave/testing/servers"
import pg from "pg"
import { migrations as authMigrations } from "../src/auth/store.js"
import { migrations as deliveryMigrations } from "../src/delivery/schema.js"
import { authStore, type Database, deliveryStore, openDatabase } from "../src/index.js"
import { askEverything, type Stores } from "./everything-asked.js"
import { opened, operator, postgres } from "./support.js"

/** Written by `CONCLAVE_WRITE_STATEMENTS=1 node --test packages/postgres/dist/test/upgrade.test.js`. */
const folder = new URL("../../test/fixtures/", import.meta.url)
const isWriting = process.env.CONCLAVE_WRITE_STATEMENTS === "1"

/** What gateways of one version say to the database. */
interface Gateway {
  readonly delivery: number
  readonly auth: number
  /** Of SELECT, INSERT, UPDATE and DELETE, in the order of the alphabet. */
  readonly statements: readonly string[]
}

const fileOf = ({ delivery, auth }: Pick<Gateway, "delivery" | "auth">) =>
  new URL(`statements-delivery-${delivery}-auth-${auth}.json`, folder)
const present = { delivery: deliveryMigrations.length, auth: authMigrations.length }
const released = (): Gateway[] =>
  (existsSync(folder) ? readdirSync(folder) : [])
    .filter((file) => file.startsWith("statements-"))
    .map((file) => JSON.parse(readFileSync(new URL(file, folder), "utf8")) as Gateway)

const storesOn = async (database: Database): Promise<Stores> => ({
  auth: await authStore(database),
  delivery: await deliveryStore(database, sha256),
})

/** What is asked of the database while `work` runs. */
async function recorded(work: () => Promise<void>): Promise<string[]> {
  const statements = new Set<string>()
  const { query } = pg.Client.prototype
  pg.Client.prototype.query = function (this: pg.Client, ...given: any[]) {
    const text: string = typeof given[0] === "string" ? given[0] : (given[0]?.text ?? "")
    if (/^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b/.test(text)) statements.add(text)
    return Reflect.apply(query, this, given)
  } as typeof query
  try {
    await work()
  } finally {
    pg.Client.prototype.query = query
  }
  return [...statements].sort()
}

describe("gateways of an earlier version beside this one, on PostgreSQL", { skip: noPostgres }, () => {
  const server = postgres()

  it("what gateways of this version ask is written down, for the tests of later versions", async (test) => {
    const database = await opened(test, server)
    const stores = await storesOn(database)
    const called = new Set<string>()
    const watched = <T extends object>(store: T): T =>
      new Proxy(store, {
        get(target, name) {
          called.add(String(name))
          return Reflect.get(target, name, target)
        },
      })
    const { schema } = database.options
    const statements = (
      await recorded(() => askEverything({ auth: watched(stores.auth), delivery: watched(stores.delivery) }))
    ).map((text) => text.replaceAll(schema!, "conclave"))
    const methods = [stores.auth, stores.delivery].flatMap((store) => Object.keys(store))
    assert.deepEqual(
      methods.filter((name) => !called.has(name) && name !== "waitingAppends"),
      [],
      "every method is called",
    )
    const file = fileOf(present)
    if (isWriting) {
      const known = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Gateway).statements : []
      mkdirSync(folder, { recursive: true })
      const all = [...new Set([...known, ...statements])].sort()
      writeFileSync(file, `${JSON.stringify({ ...present, statements: all }, null, 2)}\n`)
    }
    assert.ok(existsSync(file), `${file.pathname} is not there: see how it is written above`)
    const { statements: written } = JSON.parse(readFileSync(file, "utf8")) as Gateway
    // Those that are not asked any more stay: gateways that ask them may still run.
    assert.deepEqual(
      statements.filter((text) => !written.includes(text)),
      [],
    )
    assert.ok(statements.length > 60, `${statements.length} statements`)
  })

  for (const { delivery, auth, statements } of released()) {
    const oldest = [deliveryMigrations.at(-1)!.oldestReader, authMigrations.at(-1)!.oldestReader] as const
    const isReader = delivery >= oldest[0] && auth >= oldest[1]
    it(`those of delivery ${delivery} and auth ${auth} ${isReader ? "can ask all that they ask" : "are told to end"}`, async (test) => {
      const database = await opened(test, server)
      await storesOn(database)
      const asked = await operator(test, database.options)
      if (isReader) {
        const failed: string[] = []
        for (const [at, text] of statements.entries()) {
          await asked
            .query(`PREPARE asked_${at} AS ${text}`)
            .catch((error: Error) => failed.push(`${error.message}: ${text}`))
        }
        assert.deepEqual(failed, [])
        return
      }
      const older = openDatabase(database.options)
      test.after(() => older.close())
      const starting = async () => {
        await older.migrate("auth", authMigrations.slice(0, auth))
        await older.migrate("delivery", deliveryMigrations.slice(0, delivery))
      }
      await assert.rejects(starting(), /migrated by a later version of Conclave/)
    })
  }

  it("those of this version go on while the next one adds to every table", async (test) => {
    const older = await opened(test, server)
    const stores = await storesOn(older)
    const newer = openDatabase(older.options)
    test.after(() => newer.close())
    const asked = await operator(test, older.options)
    const { rows } = await asked.query(
      `SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
       AND NOT relispartition AND relname <> 'schema_version'`,
    )
    assert.ok(rows.length > 12, `${rows.length} tables`)
    const changes = rows.map(({ relname }) => `ALTER TABLE ${relname} ADD COLUMN added_later bigint NOT NULL DEFAULT 7`)
    const adding = (oldestReader: number) => ({
      sql: `${changes.join(";")}; CREATE TABLE later (id bytea)`,
      oldestReader,
    })
    const asking = new AbortController()
    let rounds = 0
    const busy = (async () => {
      for (; !asking.signal.aborted || rounds < 2; rounds++) await askEverything(stores, `${rounds}`)
    })()
    await newer.migrate("delivery", [...deliveryMigrations, adding(deliveryMigrations.length)])
    const before = rounds
    asking.abort()
    await busy
    await askEverything(stores, "after")
    await askEverything(await storesOn(older), "started again")
    assert.ok(rounds > before, "it has gone on after the tables were changed")
  })
})
