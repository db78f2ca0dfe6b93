import { openDatabase, strikeStore } from "@conclave/postgres"
import { startPostgres } from "@conclave/testing/servers"
import { MemoryStrikeRegister, SharedStrikeRegister, type StrikeRegister } from "../src/sealed/index.js"

export interface RegisterRow {
  readonly register: string
  readonly together: number
  readonly medianMilliseconds: number
  readonly p99Milliseconds: number
  readonly perSecond: number
  readonly undecided: number
}

/** What a first flight waits for: strikes of a register in memory, and of one in PostgreSQL that writes durably. */
export async function measureRegister(seconds: number): Promise<readonly RegisterRow[]> {
  await using postgres = await startPostgres({ settings: {} })
  await using database = openDatabase({ url: await postgres.url("register"), connections: 4 })
  using shared = new SharedStrikeRegister({ store: await strikeStore(database) })
  await shared.start()
  const rows: RegisterRow[] = []
  for (const together of [1, 16, 128]) {
    rows.push(await measure("memory", { register: new MemoryStrikeRegister(), together, seconds }))
    rows.push(await measure("PostgreSQL", { register: shared, together, seconds }))
  }
  return rows
}

interface Measuring {
  readonly register: StrikeRegister
  readonly together: number
  readonly seconds: number
}

async function measure(name: string, { register, together, seconds }: Measuring): Promise<RegisterRow> {
  const waits: number[] = []
  let undecided = 0
  const begin = performance.now()
  const until = begin + seconds * 1000
  const ask = async () => {
    while (performance.now() < until) {
      const asked = performance.now()
      const key = { inherited: false, since: 0 }
      const { signal } = new AbortController()
      const struck = await register.strike(crypto.getRandomValues(new Uint8Array(16)), Date.now(), key, signal)
      if (struck !== "first") undecided++
      waits.push(performance.now() - asked)
      // A register that answers at once must not keep the others from their turn.
      if (waits.length % 64 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await Promise.all(Array.from({ length: together }, ask))
  const elapsed = (performance.now() - begin) / 1000
  waits.sort((a, b) => a - b)
  return {
    register: name,
    together,
    medianMilliseconds: waits[Math.floor(waits.length / 2)]!,
    p99Milliseconds: waits[Math.floor(waits.length * 0.99)]!,
    perSecond: waits.length / elapsed,
    undecided,
  }
}

export function registerTable(rows: readonly RegisterRow[]): string {
  return [
    "| register | flights at a time | p50 / p99 (ms) | a second | not decided |",
    "|---|---:|---:|---:|---:|",
    ...rows.map(({ register, together, medianMilliseconds, p99Milliseconds, perSecond, undecided }) => {
      const waits = `${medianMilliseconds.toFixed(2)} / ${p99Milliseconds.toFixed(2)}`
      return `| ${register} | ${together} | ${waits} | ${perSecond.toFixed(0)} | ${undecided} |`
    }),
  ].join("\n")
}
