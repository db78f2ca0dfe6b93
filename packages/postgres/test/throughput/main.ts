/**
 * `npm run bench:postgres`: appends a second through the store, beside the same rows written by `pg` alone, turn by turn in
 * one run, on a server of its own whose commits are durable.
 */
import { parseArgs } from "node:util"
import { sha256 } from "@conclave/testing/delivery"
import { startPostgres } from "@conclave/testing/servers"
import pg from "pg"
import { BY_INDEX } from "../../src/database.js"
import { deliveryStore, openDatabase } from "../../src/index.js"
import { bigintArray, bytesArray } from "../../src/values.js"
import { bytes, message, newGroup } from "../support.js"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "2" },
    rounds: { type: "string", default: "3" },
    writers: { type: "string", default: "1,8,32,128" },
  },
})
const MILLISECONDS = Number(values.seconds) * 1000
const GROUPS = 1000
const BODY = new Uint8Array(300).fill(7)

await using server = await startPostgres({ settings: { max_connections: "300", shared_buffers: "'128MB'" } })
const url = await server.url("bench")
await using database = openDatabase({ url })
const store = await deliveryStore(database, sha256)
for (let number = 0; number < GROUPS; number++) await store.createGroup(newGroup(`${number}`))
const at = BigInt(Date.now())
let count = 0
/** Of the plain inserts, which are in groups of their own. */
let seq = 0n

/** How many were written in a second by so many writers, each of which waits for its answer. */
async function rate(writers: number, write: (writer: number) => Promise<number>): Promise<number> {
  const started = performance.now()
  let written = 0
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      while (performance.now() - started < MILLISECONDS) {
        const now = await write(writer)
        written += now
      }
    }),
  )
  return (written * 1000) / (performance.now() - started)
}

async function appended(): Promise<number> {
  const id = `${++count}`
  const answer = await store.append(message(`${count % GROUPS}`, id, { at, body: BODY }))
  if (answer.type !== "accepted") throw new Error(answer.type)
  return 1
}

/** The rows that an append writes, as one statement, without reading anything before. */
const INSERT = {
  name: "insert",
  text: `
  WITH entry AS (
    INSERT INTO log (group_number, seq, epoch, at, size, kind, idem, request_hash, body_hash, chain_hash)
    SELECT number, seq, 0, $3, 300, 1, idem, hash, hash, hash FROM unnest($1::bigint[], $2::bigint[], $4::bytea[], $5::bytea[])
      AS given (number, seq, idem, hash)
  ), told AS (INSERT INTO news (group_id) SELECT * FROM unnest($5::bytea[])), body AS (
    INSERT INTO message_body (at, group_number, seq, body)
    SELECT $3, number, seq, $6 FROM unnest($1::bigint[], $2::bigint[]) AS given (number, seq)
  ) UPDATE mls_group SET next_seq = next_seq + 1, bytes = bytes + 500, head_hash = hash
  FROM unnest($7::bigint[], $5::bytea[]) AS given (number, hash) WHERE mls_group.number = given.number`,
}

/** Each row has another group's row to change. */
async function inserted(client: pg.ClientBase, rows: number, first: number): Promise<number> {
  const numbers = Array.from({ length: rows }, (_, index) => BigInt((first + index) % GROUPS) + 1n)
  const seqs = numbers.map(() => ++seq)
  const ids = seqs.map((number) => bytes(`${number}`))
  await client.query({
    ...INSERT,
    values: [
      bigintArray(numbers.map((number) => number + 1_000_000n)),
      bigintArray(seqs),
      `${at}`,
      bytesArray(ids.map((id) => id.subarray(0, 16))),
      bytesArray(ids),
      BODY,
      bigintArray(numbers),
    ],
  })
  return rows
}

function insertedAlone(client: pg.ClientBase): Promise<number> {
  return inserted(client, 1, ++count)
}

function insertedTogether(client: pg.ClientBase): Promise<number> {
  count += 256
  return inserted(client, 256, count)
}

/** What was written before is on the disk before the next measures. */
async function settle(): Promise<void> {
  await database.look((connection) => connection.script("CHECKPOINT"))
}

const median = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!

await appended()
console.log("writers | through the store | pg, one transaction each | pg, 256 rows to a transaction | store / pg")
for (const writers of values.writers.split(",").map(Number)) {
  const clients = await Promise.all(
    Array.from({ length: writers }, async () => {
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      await client.query(`SET search_path TO conclave; ${BY_INDEX}`)
      return client
    }),
  )
  const measured: number[][] = [[], [], []]
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [contestant, write] of [appended, insertedAlone].entries()) {
      await settle()
      measured[contestant]!.push(await rate(writers, (writer) => write(clients[writer]!)))
    }
  }
  await settle()
  measured[2]!.push(await rate(1, () => insertedTogether(clients[0]!)))
  await Promise.all(clients.map((client) => client.end()))
  const [ours, single, many] = measured.map(median) as [number, number, number]
  const cells = [writers, ...[ours, single, many].map(Math.round), (ours / single).toFixed(2)]
  console.log(cells.join(" | "))
}
