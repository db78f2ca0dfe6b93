import type { LaboratoryPolicy } from "./cookies.js"
import { CLIENT_ADDRESS, Laboratory, SERVER_ADDRESS } from "./laboratory.js"
import type { Sample } from "./roles/measured.js"

export interface LatencyRow {
  readonly way: string
  readonly roundTripMilliseconds: number
  readonly requestMilliseconds: number
  readonly replyMilliseconds: number
  readonly samples: number
}

interface Way {
  readonly name: string
  readonly policy: LaboratoryPolicy
  readonly tls: boolean
}

const ways: readonly Way[] = [
  { name: "TCP, no encryption", policy: "off", tls: false },
  { name: "TCP + TLS 1.3", policy: "off", tls: true },
  { name: "TCP Fast Open with cookie, no encryption", policy: "cookie", tls: false },
  { name: "TCP Fast Open + TLS 1.3", policy: "private", tls: true },
]

const FIRST_PORT = 7100
const measured = new URL("./roles/measured.js", import.meta.url)

/** The sealed request has its own server, on the port after the others'. */
const sealed = new URL("./roles/sealed.js", import.meta.url)
const SEALED_NAME = "sealed request in the SYN"
const SEALED_PORT = FIRST_PORT + ways.length

/** Medians of `samples` requests of each way at each round trip, one after the other on an otherwise idle path. */
export async function measureLatency(roundTrips: readonly number[], samples: number): Promise<LatencyRow[]> {
  await using laboratory = await Laboratory.open()
  for (const [n, way] of ways.entries()) {
    await laboratory.server.call(measured, "serve", { port: FIRST_PORT + n, policy: way.policy, tls: way.tls })
  }
  const serving = { port: SEALED_PORT, host: SERVER_ADDRESS, clientAddress: CLIENT_ADDRESS }
  await laboratory.client.call(sealed, "meet", await laboratory.server.call(sealed, "serve", serving))

  const rows: LatencyRow[] = []
  for (const roundTripMilliseconds of roundTrips) {
    await laboratory.change({ roundTripMilliseconds })
    for (const [n, { name, policy, tls }] of ways.entries()) {
      const target = { host: SERVER_ADDRESS, port: FIRST_PORT + n, policy, tls }
      const ask = () => laboratory.client.call<Sample>(measured, "request", target)
      rows.push({ way: name, roundTripMilliseconds, ...(await medians(ask, samples)) })
    }
    const ask = () => laboratory.client.call<Sample>(sealed, "request")
    rows.push({ way: SEALED_NAME, roundTripMilliseconds, ...(await medians(ask, samples)) })
  }
  return rows
}

/** Of several runs, each way's best: on a machine that others use too, the least disturbed. */
export async function measureLatencyOften(
  runs: number,
  { roundTrips, samples }: { readonly roundTrips: readonly number[]; readonly samples: number },
): Promise<LatencyRow[]> {
  let best: LatencyRow[] = []
  for (let run = 0; run < runs; run++) {
    const rows = await measureLatency(roundTrips, samples)
    best = rows.map((row, n) => (best[n] === undefined ? row : betterOf(row, best[n])))
  }
  return best
}

const betterOf = (one: LatencyRow, other: LatencyRow) => (one.replyMilliseconds < other.replyMilliseconds ? one : other)

const WARM_UP = 8

/** The first few are not counted: code is compiled and, with a cookie, the cookie fetched. */
export async function medians(ask: () => Promise<Sample>, samples: number) {
  const taken: Sample[] = []
  for (let n = -WARM_UP; n < samples; n++) {
    const sample = await ask()
    if (n >= 0) taken.push(sample)
  }
  return {
    requestMilliseconds: median(taken.map((sample) => sample.requestMilliseconds)),
    replyMilliseconds: median(taken.map((sample) => sample.replyMilliseconds)),
    samples,
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** One line per way, and per round trip the time until the request is at the server and the reply at the client. */
export function latencyTable(rows: readonly LatencyRow[]): string {
  const roundTrips = [...new Set(rows.map((row) => row.roundTripMilliseconds))]
  const names = [...new Set(rows.map((row) => row.way))]
  const width = Math.max(...names.map((name) => name.length))
  const cells = (values: readonly string[]) => values.map((value) => value.padStart(18)).join("")
  const line = (name: string) =>
    name.padEnd(width) +
    cells(
      roundTrips.map((trip) => {
        const row = rows.find((candidate) => candidate.way === name && candidate.roundTripMilliseconds === trip)!
        return `${row.requestMilliseconds.toFixed(1)} / ${row.replyMilliseconds.toFixed(1)}`
      }),
    )
  return [
    `Milliseconds until the request is at the server / the reply is at the client; medians of ${rows[0]?.samples ?? 0}`,
    "round trip".padEnd(width) + cells(roundTrips.map((trip) => `${trip} ms`)),
    ...names.map(line),
    "the limit (half a round trip / one)".padEnd(width) +
      cells(roundTrips.map((trip) => `${(trip / 2).toFixed(1)} / ${trip.toFixed(1)}`)),
  ].join("\n")
}
