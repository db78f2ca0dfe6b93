import { after, before, type TestContext } from "node:test"
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
