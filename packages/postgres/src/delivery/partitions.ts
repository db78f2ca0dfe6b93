import type { Connection } from "../connection.js"
import type { Database } from "../database.js"

interface Range {
  readonly start: bigint
  /** Exclusive. */
  readonly end: bigint
}

/** How far bodies of application messages are gone. Unix times in milliseconds. */
interface Retained {
  /** What is from before is shown as expired. */
  readonly messages: bigint
  /** The sizes of what is from before have been taken off its groups: partitions can be dropped. */
  readonly counted: bigint
}

/**
 * The partitions of `message_body`, by time. Each holds what was appended in its range, so what expires together is
 * dropped together, and its room on the disk is free at once.
 */
export class Partitions {
  readonly #database: Database
  readonly milliseconds: bigint
  /** Those that this process has met; another may have dropped them since. */
  #known: Range[] = []

  constructor(database: Database, milliseconds: number) {
    this.#database = database
    this.milliseconds = BigInt(milliseconds)
  }

  /** Whether all are known to have one. */
  has(times: readonly bigint[]): boolean {
    return times.every((at) => this.#known.some(({ start, end }) => at >= start && at < end))
  }

  /** Makes what is missing. A time whose bodies have expired gets none. */
  async make(times: readonly bigint[]): Promise<void> {
    for (const at of new Set(times)) {
      if (this.has([at])) continue
      // Who drops or rewrites one holds the lock, for minutes where it is large: what is there needs none.
      const range =
        (await this.#database.look((connection) => partitionAt(connection, at))) ??
        (await this.#database.write((connection) => this.#make(connection, at)))
      if (range !== undefined) this.#known.push(range)
    }
  }

  forget(): void {
    this.#known = []
  }

  async #make(connection: Connection, at: bigint): Promise<Range | undefined> {
    await lockPartitions(connection)
    const present = await partitionAt(connection, at)
    if (present !== undefined) return present
    const { counted } = await retainedIn(connection)
    if (at < counted) return undefined
    // Gateways may be told of partitions of another length: what lies around stays as it is.
    const around = (await connection.get(
      `SELECT (SELECT max(end_at) FROM message_partition WHERE end_at <= $1) AS before,
         (SELECT min(start_at) FROM message_partition WHERE start_at > $1) AS after`,
      [at],
    ))!
    const begin = at - (((at % this.milliseconds) + this.milliseconds) % this.milliseconds)
    const start = around.before !== null && around.before > begin ? around.before : begin
    const end =
      around.after !== null && around.after < begin + this.milliseconds ? around.after : begin + this.milliseconds
    await connection.run("INSERT INTO message_partition (start_at, end_at) VALUES ($1, $2)", [start, end])
    // Attaching lets others read and write meanwhile, as making it a partition at once does not.
    await connection.script(`
      CREATE TABLE ${nameOf(start)} (LIKE message_body INCLUDING ALL);
      ALTER TABLE message_body ATTACH PARTITION ${nameOf(start)} FOR VALUES FROM ('${start}') TO ('${end}')`)
    return { start, end }
  }

  /** Drops one whose bodies have all expired and been counted. Returns whether there may be more of them. */
  async dropOne(connection: Connection): Promise<boolean> {
    await lockPartitions(connection)
    const due = await connection.all(
      `SELECT start_at FROM message_partition WHERE end_at <= (SELECT counted FROM retention) ORDER BY start_at LIMIT 2`,
    )
    if (due.length === 0) return false
    // Those who read wait for it while it waits for those who read: not for long.
    await connection.script(`SET LOCAL lock_timeout = '${DROP_MILLISECONDS}ms'; DROP TABLE ${nameOf(due[0]!.start_at)}`)
    await connection.run("DELETE FROM message_partition WHERE start_at = $1", [due[0]!.start_at])
    this.forget()
    return due.length > 1
  }
}

/**
 * Rewrites one from which bodies were deleted, so that they are in no file any more: none of those that are being written, and
 * each once in a while, for those who read from it wait.
 */
export async function rewriteOne(connection: Connection, at: bigint, everyMilliseconds: bigint): Promise<void> {
  await lockPartitions(connection)
  const due = await connection.get(
    `SELECT start_at FROM message_partition WHERE touched AND end_at <= $1 AND rewritten_at <= $2 ORDER BY start_at LIMIT 1`,
    [at, at - everyMilliseconds],
  )
  if (due === undefined) return
  const name = nameOf(due.start_at)
  await connection.run("UPDATE message_partition SET touched = false, rewritten_at = $2 WHERE start_at = $1", [
    due.start_at,
    at,
  ])
  await connection.script(`SET LOCAL lock_timeout = '${DROP_MILLISECONDS}ms'; SET LOCAL statement_timeout = 0;
    CLUSTER ${name} USING ${name}_pkey`)
}

async function partitionAt(connection: Connection, at: bigint): Promise<Range | undefined> {
  const found = await connection.get(
    "SELECT start_at, end_at FROM message_partition WHERE start_at <= $1 AND end_at > $1",
    [at],
  )
  return found && { start: found.start_at, end: found.end_at }
}

const DROP_MILLISECONDS = 500

const nameOf = (start: bigint) => `message_body_${`${start}`.replace("-", "minus_")}`

async function lockPartitions(connection: Connection): Promise<void> {
  await connection.get(
    "SELECT pg_advisory_xact_lock(hashtext('conclave partitions'), hashtext(current_schema()))::text",
  )
}

export async function retainedIn(connection: Connection): Promise<Retained> {
  return (await connection.get("SELECT messages, counted FROM retention"))! as unknown as Retained
}
