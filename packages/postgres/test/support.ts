import assert from "node:assert/strict"
import { after, before, type TestContext } from "node:test"
import type { Entry } from "@conclave/contracts/delivery"
import { logChainHash, logChainStart } from "@conclave/contracts/log-chain"
import { type Horizons, type NewCommit, type NewEntry, type Store, StoreUnavailable } from "@conclave/delivery/store"
import { sha256 } from "@conclave/testing/delivery"
import { type PostgresOptions, type PostgresServer, startPostgres } from "@conclave/testing/servers"
import pg from "pg"
import { type Database, type DatabaseOptions, openDatabase } from "../src/index.js"

export const bytes = (text: string, size = 32) => sha256(new TextEncoder().encode(text)).subarray(0, size)
export const admitted = () => undefined

/** One server for the tests of a file or suite, started before the first of them. */
export function postgres(options?: PostgresOptions): { readonly server: PostgresServer } {
  let server: PostgresServer | undefined
  before(async () => {
    server = await startPostgres(options)
  })
  after(() => server?.[Symbol.asyncDispose]())
  return {
    get server() {
      return server!
    },
  }
}

let schemas = 0

/** An empty schema of the database `test`, to be closed with the test. */
export async function opened(
  test: TestContext,
  { server }: { readonly server: PostgresServer },
  options: Partial<DatabaseOptions> = {},
): Promise<Database & { readonly options: DatabaseOptions }> {
  const all = { url: await server.url("test"), schema: `s${++schemas}`, ...options }
  const database = openDatabase(all)
  test.after(() => database.close())
  return Object.assign(database, { options: all })
}

/** A connection of the test's own, as an operator has it, to the schema of a database. */
export async function operator(test: TestContext, { url, schema }: DatabaseOptions): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on("error", () => {})
  await client.connect()
  test.after(() => client.end())
  await client.query(`SET search_path TO ${schema}`)
  return client
}

export const KEY = bytes("access key")

export const newGroup = (name: string, at = 1n) => ({
  groupId: bytes(name),
  idempotencyId: bytes("created", 16),
  requestHash: bytes("request"),
  accessKey: KEY,
  at,
  admit: admitted,
})

/** A message; `id` is its idempotency id and its request. */
export const message = (group: string, id: string, more: Partial<NewEntry> = {}): NewEntry => ({
  groupId: bytes(group),
  key: KEY,
  permit: admitted,
  idempotencyId: bytes(id, 16),
  requestHash: bytes(id),
  kind: "application",
  epoch: 0n,
  body: bytes(`body of ${id}`),
  at: 1n,
  after: 0n,
  pastCommitsMax: 1000,
  commit: undefined,
  admit: admitted,
  ...more,
})

export const commitParts = (more: Partial<NewCommit> = {}): NewCommit => ({
  welcome: bytes("welcome"),
  recipients: [],
  unserved: [],
  begins: undefined,
  answers: undefined,
  knocksSince: 0n,
  sender: bytes("sender", 8),
  inboxEntriesMax: 1000,
  inboxEntriesPerGroupMax: 1000,
  mayDeliver: () => true,
  ...more,
})

/** The whole log of a group, checked: dense from 1, and one chain. */
export async function logOf(store: Store, group: string): Promise<readonly Entry[]> {
  const page = await store.read({
    ...{ groupId: bytes(group), key: KEY, permit: admitted },
    ...{ after: 0n, limit: 100_000, sizeMax: 1 << 30 },
  })
  assert.ok(page.type === "page")
  let hash = logChainStart(sha256, bytes(group))
  for (const [index, entry] of page.entries.entries()) {
    assert.equal(entry.seq, BigInt(index + 1))
    hash = logChainHash(sha256, hash, entry)
    assert.deepEqual(entry.chainHash, hash)
  }
  return page.entries
}

/** Sweeps until there is no more to delete. */
export async function sweepAll(store: Store, horizons: Partial<Horizons>): Promise<number> {
  const nothing = { at: 0n, messages: 0n, log: 0n, inbox: 0n, groups: 0n, knocks: 0n, rowsMax: 100 }
  for (let sum = 0; ; ) {
    const { rows, more } = await store.sweep({ ...nothing, ...horizons })
    sum += rows
    if (!more) return sum
  }
}

export const isUnavailable = (reason: RegExp) => (error: unknown) => {
  assert.ok(error instanceof StoreUnavailable, `${error}`)
  assert.match(error.message, reason)
  return true
}
