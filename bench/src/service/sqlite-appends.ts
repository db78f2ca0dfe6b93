import { join } from "node:path"
import { logChainHash } from "@conclave/contracts/log-chain"
import { deliveryStore, openDatabase } from "@conclave/sqlite"
import { crypto, random, sha256 } from "@conclave/testing/delivery"
import Libsql from "libsql"
import { serviceOn } from "./in-process.js"
import type { Measurement } from "./results.js"
import { alternate, type Contestant, compared, perSecond } from "./rounds.js"
import type { Found, Scenario, Setting } from "./scenario.js"
import { createBareGroups, entryOf, storedAppend } from "./store-entries.js"
import { usage } from "./usage.js"

const GROUPS = 1000
/** As the service's own transactions. */
const BATCH_MAX = 256
const GOAL = { atLeast: 0.85 }
const GOAL_FROM_WRITERS = 16

/**
 * Appends through the store, and through the service on such a store, beside a bare loop that writes the same rows into the
 * same tables with group commit, and reads nothing. Another such loop reads, hashes, checks and signs what the protocol
 * demands: what it falls behind is the protocol's, and what the service falls behind it is the service's own.
 */
export const sqliteAppends: Scenario = {
  name: "sqlite-appends",
  title: "Appends to SQLite, beside a bare libsql loop with group commit",
  async run(setting: Setting): Promise<Found> {
    const bare = await bareLoop(setting, { name: "bare libsql" })
    const demanded = await bareLoop(setting, { name: "with the protocol", alongside: protocolWork })
    const store = await storeAlone(setting)
    const service = await throughService(setting)
    const levels = setting.isQuick ? [1, 64] : [1, 16, 64, 256]
    const measurements: Measurement[] = []
    setting.progress("warming up")
    for (const { prepare, write } of [bare, demanded, store, service]) {
      prepare(WARM_UP)
      await perSecond({ writers: 64, count: WARM_UP }, write)
    }
    for (const writers of levels) {
      setting.progress(`${writers} writers`)
      const cpu = new Map<string, number[]>()
      const contestants = [bare, demanded, store, service].map((writing) =>
        contestant(writing, { ...setting, writers, cpu }),
      )
      const values = await alternate(contestants, setting.rounds)
      for (const { name } of [demanded, store, service]) {
        const what = `${name}, ${writers} ${writers === 1 ? "writer" : "writers"}`
        const goal = writers >= GOAL_FROM_WRITERS && name !== demanded.name && { goal: GOAL }
        measurements.push({ what, unit: "/s", ...compared(values, name, bare.name), ...goal })
        measurements.push({ what: `${what}, CPU of each`, unit: "µs", ...compared(cpu, name, bare.name) })
      }
      const what = `service, ${writers} ${writers === 1 ? "writer" : "writers"}, beside the protocol`
      measurements.push({ what, unit: "/s", ...compared(values, service.name, demanded.name) })
    }
    for (const { close } of [bare, demanded, store, service]) await close()
    const notes = [
      "The bare loop inserts and updates the same rows of the same tables, and reads nothing: no look for a repeated " +
        "request, no key, no hash chain. All wait for the disk (WAL, synchronous=FULL) before they answer.",
      "With the protocol, the loop also finds the row of the group by its id, looks for the repeated request, checks the MAC " +
        "of the request, hashes request, body and chain, and signs the receipt, with nothing around it: no decoding, no " +
        "limits, no promise of its own. What it falls behind is the protocol's.",
      "The service is called in this process, without sockets; requests were made and authenticated by MACs before.",
    ]
    return { measurements, notes }
  },
}

interface Level extends Setting {
  readonly writers: number
  /** Microseconds of each append, by contestant, round by round. */
  readonly cpu: Map<string, number[]>
}

/** Rounds of so many appends as take about the same time each. */
function contestant({ name, prepare, write }: Writing, { writers, cpu, isQuick }: Level): Contestant {
  const seconds = isQuick ? 0.15 : 0.6
  let count: number | undefined
  return {
    name,
    async prepare() {
      if (count === undefined) {
        prepare(TRIAL)
        count = Math.ceil(seconds * (await perSecond({ writers, count: TRIAL }, write)))
      }
      prepare(count)
    },
    async round() {
      const before = usage().cpu
      const rate = await perSecond({ writers, count: count! }, write)
      cpu.set(name, [...(cpu.get(name) ?? []), (usage().cpu - before) / count!])
      return rate
    },
  }
}

const TRIAL = 512
/** Until the code is compiled as it stays. */
const WARM_UP = 3_000

interface Writing {
  readonly name: string
  /** Makes so many that are then written. */
  prepare(count: number): void
  write(index: number): Promise<unknown>
  close(): Promise<void>
}

async function storeAlone({ folder }: Setting): Promise<Writing> {
  const store = deliveryStore(openDatabase({ file: join(folder, "store.db") }), sha256)
  const groups = await createBareGroups(store, GROUPS)
  let entries: ReturnType<typeof entryOf>[] = []
  return {
    name: "store",
    prepare(count) {
      entries = Array.from({ length: count }, (_, index) => entryOf(groups[index % GROUPS]!))
    },
    write: (index) => storedAppend(store, entries[index]!),
    close: async () => store[Symbol.asyncDispose](),
  }
}

async function throughService({ folder }: Setting): Promise<Writing> {
  const store = deliveryStore(openDatabase({ file: join(folder, "service.db") }), sha256)
  return {
    name: "service",
    ...(await serviceOn(store, GROUPS)),
    close: async () => store[Symbol.asyncDispose](),
  }
}

const UPDATE = `UPDATE mls_group SET next_seq = next_seq + 1, last_commit_seq = ?, head_hash = ?, bytes = bytes + ?, last_at = ?
  WHERE number = ? AND next_seq = ?`
const INSERT = `INSERT INTO log (group_number, seq, kind, epoch, idem, request_hash, body, begins, chain_hash, undelivered, at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

interface Loop {
  readonly name: string
  /** What is done besides for each append, before it is written. */
  readonly alongside?: (database: Libsql.Database) => (entry: Written) => void
}

interface Written {
  readonly entry: ReturnType<typeof entryOf>
  readonly seq: bigint
}

/** What no service can leave out: see the notes. */
function protocolWork(database: Libsql.Database): (written: Written) => void {
  const group = database.prepare("SELECT number, next_seq, head_hash, access_key FROM mls_group WHERE id = ?").raw()
  const repeated = database.prepare("SELECT seq FROM log WHERE group_number = ? AND idem = ?").raw()
  const key = crypto.signatures.Ed25519!.importKey(random(32))
  const macKey = random(32)
  const none = { begins: undefined, kind: "application" } as const
  return ({ entry: { groupId, idempotencyId, body, epoch }, seq }) => {
    const [number, , head] = group.get([groupId]) as [number, number, Uint8Array]
    if (repeated.get([number, idempotencyId]) !== undefined) throw new Error("the bare loop writes nothing twice")
    // A request is its body and about 150 bytes more, and so is what the MAC is over.
    const request = Buffer.concat([body, REQUEST_OVERHEAD])
    crypto.hashes["SHA-256"]!.hmac(macKey, request)
    sha256(request)
    const hash = logChainHash(sha256, head, { ...none, seq, epoch, body })
    key.sign(Buffer.concat([groupId, hash, SIGNED_OVERHEAD]))
  }
}

const REQUEST_OVERHEAD = new Uint8Array(150)
const SIGNED_OVERHEAD = new Uint8Array(50)

async function bareLoop({ folder }: Setting, { name, alongside }: Loop): Promise<Writing> {
  const file = join(folder, `${name}.db`)
  const store = deliveryStore(openDatabase({ file }), sha256)
  const groups = await createBareGroups(store, GROUPS)
  await store[Symbol.asyncDispose]()
  const database = new Libsql(file)
  for (const pragma of ["journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"]) {
    database.exec(`PRAGMA ${pragma}`)
  }
  const [update, insert] = [database.prepare(UPDATE), database.prepare(INSERT)]
  const accompany = alongside?.(database)
  const heads = groups.map(() => 1n)
  let entries: ReturnType<typeof entryOf>[] = []
  let queue: { readonly index: number; readonly resolve: () => void }[] = []

  function commitTogether(): void {
    const batch = queue.slice(0, BATCH_MAX)
    queue = queue.slice(BATCH_MAX)
    database.exec("BEGIN IMMEDIATE")
    for (const { index } of batch) {
      const { body, idempotencyId, requestHash, epoch, at } = entries[index]!
      const group = index % GROUPS
      const seq = heads[group]!++
      accompany?.({ entry: entries[index]!, seq })
      update.run([0n, requestHash, body.length + 200, at, group + 1, seq])
      insert.run([group + 1, seq, 1, epoch, idempotencyId, requestHash, body, null, requestHash, null, at])
    }
    database.exec("COMMIT")
    for (const { resolve } of batch) resolve()
    if (queue.length > 0) setImmediate(commitTogether)
  }

  return {
    name,
    prepare(count) {
      entries = Array.from({ length: count }, (_, index) => entryOf(groups[index % GROUPS]!))
    },
    write: (index) =>
      new Promise<void>((resolve) => {
        if (queue.push({ index, resolve }) === 1) setImmediate(commitTogether)
      }),
    close: async () => void database.close(),
  }
}
