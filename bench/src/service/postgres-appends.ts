import { deliveryStore, openDatabase } from "@conclave/postgres"
import { random, sha256 } from "@conclave/testing/delivery"
import { noNats, noPostgres, startNats, startPostgres } from "@conclave/testing/servers"
import { connect } from "@nats-io/transport-node"
import pg from "pg"
import { median } from "../contest.js"
import { serviceOn } from "./in-process.js"
import { numberedMessage } from "./requests.js"
import type { Measurement } from "./results.js"
import { alternate, compared, perSecond } from "./rounds.js"
import type { Found, Scenario, Setting } from "./scenario.js"
import { createBareGroups, entryOf, storedAppend } from "./store-entries.js"

const GROUPS = 1000
const CONNECTIONS = 32
const ROWS = 256
/** Until the code is compiled as it stays, and statements are prepared on all connections. */
const WARM_UP = 2_000
const GOAL = { atLeast: 0.75 }
/** PostgreSQL's own defaults wait for the disk. */
const DURABLE = { max_connections: "200", shared_buffers: "'128MB'" }

/** Appends through the store and the service, beside the same rows by `pg` alone, and the same bytes through JetStream. */
export const postgresAppends: Scenario = {
  name: "postgres-appends",
  title: "Appends to PostgreSQL, beside plain pg and NATS JetStream",
  async run(setting: Setting): Promise<Found> {
    if (noPostgres !== undefined) return { measurements: [], notes: [noPostgres] }
    await using server = await startPostgres({ settings: DURABLE })
    const url = await server.url("bench")
    const store = await deliveryStore(openDatabase({ url, schema: "stored" }), sha256)
    const serviceStore = await deliveryStore(openDatabase({ url, schema: "served" }), sha256)
    await using plain = await plainRows(url)
    await using jetStream = noNats === undefined ? await published() : undefined
    const contestants = [
      plain.single,
      await storeAlone(store),
      { name: "service", ...(await serviceOn(serviceStore, GROUPS)) },
      ...(jetStream === undefined ? [] : [jetStream]),
    ]
    const measurements: Measurement[] = []
    const levels = setting.isQuick ? [32] : [1, 8, 32, 128]
    setting.progress("warming up")
    for (const { prepare = () => {}, write } of contestants as readonly Writing[]) {
      prepare(WARM_UP)
      await perSecond({ writers: 64, count: WARM_UP }, write)
    }
    for (const writers of levels) {
      setting.progress(`${writers} writers`)
      const values = await alternate(
        contestants.map((writing) => rounds(writing, { ...setting, writers, checkpoint: plain.checkpoint })),
        setting.rounds,
      )
      for (const { name } of contestants.slice(1)) {
        const what = `${name}, ${writers} ${writers === 1 ? "writer" : "writers"}`
        const isJudged = writers >= CONNECTIONS && name !== "JetStream"
        const comparison = compared(values, name, plain.single.name)
        measurements.push({ what, unit: "/s", ...comparison, ...(isJudged && { goal: GOAL }) })
      }
    }
    const many: number[] = []
    for (let round = 0; round < setting.rounds; round++) {
      await plain.checkpoint()
      const transactions = setting.isQuick ? 8 : 40
      many.push(ROWS * (await perSecond({ writers: 1, count: transactions }, plain.many)))
    }
    measurements.push({ what: `plain pg, ${ROWS} rows to a transaction`, unit: "/s", value: median(many) })
    await store[Symbol.asyncDispose]()
    await serviceStore[Symbol.asyncDispose]()
    return { measurements, notes: [NOTE, jetStream?.note ?? noNats!] }
  },
}

const NOTE =
  `Plain pg writes the rows of an append as one statement and transaction, over at most ${CONNECTIONS} connections, and reads ` +
  "nothing; the store has 10 connections. fsync and synchronous_commit are on."

interface Writing {
  readonly name: string
  prepare?(count: number): void
  write(index: number, writer: number): Promise<unknown>
}

interface Level extends Setting {
  readonly writers: number
  readonly checkpoint: () => Promise<unknown>
}

/** Rounds of so many appends as take about the same time each. */
function rounds({ name, prepare = () => {}, write }: Writing, { writers, isQuick, checkpoint }: Level) {
  const seconds = isQuick ? 0.3 : 0.8
  let count: number | undefined
  return {
    name,
    async prepare() {
      if (count === undefined) {
        const trial = Math.max(64, 4 * writers)
        prepare(trial)
        count = Math.ceil(seconds * (await perSecond({ writers, count: trial }, write)))
      }
      prepare(count)
      // What another has written is on the disk before this one is measured.
      await checkpoint()
    },
    round: () => perSecond({ writers, count: count! }, write),
  }
}

async function storeAlone(store: Awaited<ReturnType<typeof deliveryStore>>): Promise<Writing> {
  const groups = await createBareGroups(store, GROUPS)
  let entries: ReturnType<typeof entryOf>[] = []
  let made = 0
  return {
    name: "store",
    prepare(count) {
      entries = Array.from({ length: count }, () => entryOf(groups[made++ % GROUPS]!))
    },
    write: (index) => storedAppend(store, entries[index]!),
  }
}

/** Every statement finds its rows by an index, as in the store's own connections. */
const BY_INDEX = "SET enable_seqscan TO off; SET enable_hashjoin TO off; SET enable_mergejoin TO off; SET jit TO off"

/** The rows that an append writes, as one statement, without reading anything before. */
const INSERT = {
  name: "insert",
  text: `
  WITH entry AS (
    INSERT INTO log (group_number, seq, epoch, at, size, kind, idem, request_hash, body_hash, chain_hash)
    SELECT number, seq, 0, $3, length($6::bytea), 1, idem, hash, hash, hash
      FROM unnest($1::bigint[], $2::bigint[], $4::bytea[], $5::bytea[]) AS given (number, seq, idem, hash)
  ), told AS (INSERT INTO news (group_id) SELECT * FROM unnest($5::bytea[])), body AS (
    INSERT INTO message_body (at, group_number, seq, body)
    SELECT $3, number, seq, $6::bytea FROM unnest($1::bigint[], $2::bigint[]) AS given (number, seq)
  ) UPDATE mls_group SET next_seq = next_seq + 1, bytes = bytes + length($6::bytea) + 200, head_hash = hash
  FROM unnest($1::bigint[], $5::bytea[]) AS given (number, hash) WHERE mls_group.number = given.number`,
}

/** In a schema of its own, in which the same tables lie. */
async function plainRows(url: string) {
  const schema = "plain"
  const store = await deliveryStore(openDatabase({ url, schema }), sha256)
  await createBareGroups(store, GROUPS)
  // Their partitions are there once something was appended.
  const [group] = await createBareGroups(store, 1)
  await storedAppend(store, entryOf(group!))
  await store[Symbol.asyncDispose]()
  const clients = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      await client.query(`SET search_path TO ${schema}; ${BY_INDEX}`)
      return client
    }),
  )
  const body = numberedMessage(random(32), 0)
  /** Of each connection, what is under way on it. */
  const turns = clients.map(() => Promise.resolve())
  /** Above all that the store has given. */
  let seq = 1_000
  let next = 0
  const insert = async (client: pg.ClientBase, rows: number) => {
    const numbers = Array.from({ length: rows }, () => (next++ % GROUPS) + 1)
    const seqs = numbers.map(() => ++seq)
    const [ids, hashes] = [16, 32].map((size) => numbers.map(() => Buffer.from(random(size))))
    await client.query({ ...INSERT, values: [numbers, seqs, `${Date.now()}`, ids, hashes, body] })
  }
  return {
    single: {
      name: "plain pg",
      write(_: number, writer: number) {
        const index = writer % CONNECTIONS
        const turn = turns[index]!.then(() => insert(clients[index]!, 1))
        turns[index] = turn
        return turn
      },
    } satisfies Writing,
    many: () => insert(clients[0]!, ROWS),
    checkpoint: () => clients[0]!.query("CHECKPOINT"),
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.end()))
    },
  }
}

/** One stream in a file, asked by its API: each publication is a request whose answer is the acknowledgement. */
async function published() {
  const server = await startNats({ jetStream: true })
  const connection = await connect({ servers: server.url })
  const config = { name: "log", subjects: ["log.*"], storage: "file", num_replicas: 1, retention: "limits" }
  const created = await connection.request("$JS.API.STREAM.CREATE.log", JSON.stringify(config))
  const { error } = created.json<{ readonly error?: { readonly description: string } }>()
  if (error !== undefined) throw new Error(`JetStream: ${error.description}`)
  const body = numberedMessage(random(32), 0)
  const synced = server.isDurable
    ? "has each message on the disk before it acknowledges it (`sync_interval: always`)"
    : "acknowledges before a message is on the disk: this version cannot do otherwise"
  return {
    name: "JetStream",
    note: `JetStream has one stream in a file, and ${synced}. It orders no commits and checks no keys.`,
    async write(index: number) {
      const acknowledged = await connection.request(`log.${index % GROUPS}`, body, { timeout: 10_000 })
      if (!("seq" in acknowledged.json<object>())) throw new Error(`JetStream: ${acknowledged.string()}`)
    },
    async [Symbol.asyncDispose]() {
      await connection.close()
      await server[Symbol.asyncDispose]()
    },
  }
}
