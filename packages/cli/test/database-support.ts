import assert from "node:assert/strict"
import { after } from "node:test"
import { openDatabase } from "@conclave/postgres"
import { type PostgresServer, startPostgres } from "@conclave/testing/servers"
import { runHere } from "./support.js"

let started: Promise<PostgresServer> | undefined
after(async () => (await started)?.[Symbol.asyncDispose]())

/** One for all tests of a file. */
export function server(): Promise<PostgresServer> {
  started ??= startPostgres()
  return started
}

export const database = async (name: string): Promise<string> => (await server()).url(name)

/** What a command writes, run here, which has to succeed. */
export async function done(words: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<string> {
  const ran = await runHere(words, { environment })
  assert.equal(ran.code, 0, ran.errors)
  return ran.output.toString()
}

/** Statements, separated by semicolons; the rows of the last. */
export async function query(url: string, sql: string): Promise<any[]> {
  const opened = openDatabase({ url, role: "operator" })
  try {
    let rows: any[] = []
    for (const statement of sql.split(";")) rows = await opened.look((connection) => connection.all(statement))
    return rows
  } finally {
    await opened.close()
  }
}
