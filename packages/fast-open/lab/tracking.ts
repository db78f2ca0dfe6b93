import { setTimeout as sleep } from "node:timers/promises"
import { type TraceReport, trace } from "@conclave/trace"
import type { LaboratoryConnectOptions, LaboratoryPolicy } from "./cookies.js"
import { type Forgery, measureForgery } from "./forgery.js"
import { Laboratory, SECOND_CLIENT_ADDRESS, SERVER_ADDRESS } from "./laboratory.js"
import { median } from "./latency.js"
import { observe, record } from "./recorded.js"
import type { Sample } from "./roles/measured.js"

const tracked = new URL("./roles/tracked.js", import.meta.url)
const sealed = new URL("./roles/sealed.js", import.meta.url)
const PORT = 7300
const HOME = "203.0.113.5"
const CAFE = "198.51.100.7"
/** A client's connections are apart, as a person's are. */
const PAUSE_MILLISECONDS = 60

/** What an observer between the client's network and the server makes of one situation. */
export interface Sighting {
  readonly situation: string
  readonly report: TraceReport
}

interface Situation {
  readonly name: string
  readonly tls?: boolean
  run(client: Client): Promise<void>
}

const situations: readonly Situation[] = [
  { name: "One client", run: (client) => client.ask(6) },
  {
    name: "Two clients behind one translated address",
    async run(client) {
      for (let n = 0; n < 3; n++) {
        await client.ask(1)
        await client.ask(1, { localAddress: SECOND_CLIENT_ADDRESS })
      }
    },
  },
  {
    name: "The translated address changes",
    async run(client) {
      await client.ask(3)
      await client.moveTo(CAFE)
      await client.ask(3)
    },
  },
  {
    name: "The client's own address changes",
    async run(client) {
      await client.moveTo(null)
      await client.ask(3)
      await client.ask(3, { localAddress: SECOND_CLIENT_ADDRESS })
    },
  },
  {
    name: "The server changes its key",
    async run(client) {
      await client.ask(3)
      await client.rotate()
      await client.ask(3)
    },
  },
  {
    name: "A TLS 1.3 session is resumed, without Fast Open",
    tls: true,
    async run(client) {
      for (const address of [HOME, CAFE]) {
        await client.moveTo(address)
        for (let n = 0; n < 3; n++) await client.askTls()
      }
    },
  },
]

/** Each situation in a laboratory of its own, where nobody has a cookie yet. */
export async function measureTracking(): Promise<Sighting[]> {
  const sightings: Sighting[] = []
  for (const { name, tls = false, run } of situations) {
    await using laboratory = await Laboratory.open({ roundTripMilliseconds: 5, translatedAddress: HOME })
    laboratory.addClientAddress(SECOND_CLIENT_ADDRESS)
    const client = new Client(laboratory, tls ? "off" : "cookie")
    await client.serve(tls)
    const report = await observe(laboratory, () => run(client), trace)
    sightings.push({ situation: name, report })
  }
  return sightings
}

/** One of the ways out, for a client that asks at home, moves, and goes on after the server has changed its key. */
export interface WayRow {
  readonly way: string
  readonly connections: number
  /** The most connections that something other than an address ties to one client, and at how many addresses. */
  readonly followed: number
  readonly addresses: number
  readonly links: readonly string[]
  /** Medians for all requests, and the longest of the first ones after each change. */
  readonly replyMilliseconds: number
  readonly replyMillisecondsAfterChange: number
  /** `undefined` where no data travels in the SYN. */
  readonly forgery: Forgery | undefined
}

interface Way {
  readonly name: string
  readonly policy: LaboratoryPolicy | "sealed"
  readonly flushes?: boolean
}

const ways: readonly Way[] = [
  { name: "do nothing: Fast Open with its cookie", policy: "cookie" },
  { name: "guidance: cookies flushed when the network changes", policy: "cookie", flushes: true },
  { name: "deprecate: no Fast Open", policy: "off" },
  { name: "optional cookie: data in the SYN without one", policy: "private" },
  { name: "sealed request with a single-use token", policy: "sealed" },
]

const REQUESTS_EACH = 8
/** As many as a server sends before it hears an acknowledgement (RFC 6928: 10 segments), and some more. */
const REPLY_BYTES = 20_000

export async function measureWays(roundTripMilliseconds: number): Promise<WayRow[]> {
  const rows: WayRow[] = []
  for (const way of ways) rows.push(await measureWay(way, roundTripMilliseconds))
  return rows
}

async function measureWay({ name, policy, flushes = false }: Way, roundTripMilliseconds: number): Promise<WayRow> {
  await using laboratory = await Laboratory.open({ roundTripMilliseconds, translatedAddress: HOME })
  const client = new Client(laboratory, policy === "sealed" ? "off" : policy, policy === "sealed")
  await client.serve(false)
  // Code is compiled, and the first cookie or the first tokens are fetched, before the observer looks.
  await client.ask(REQUESTS_EACH)
  client.samples.length = 0
  const report = await observe(
    laboratory,
    async () => {
      await client.ask(REQUESTS_EACH)
      await client.moveTo(CAFE)
      if (flushes) await client.flush()
      await client.ask(REQUESTS_EACH)
      if (policy === "cookie") await client.rotate()
      await client.ask(REQUESTS_EACH)
    },
    trace,
  )
  const replies = client.samples.map(({ replyMilliseconds }) => replyMilliseconds)
  const groups = report.clients.filter((group) => group.length > 1)
  const largest = groups.reduce<readonly number[]>((most, group) => (group.length > most.length ? group : most), [])
  return {
    way: name,
    connections: report.connections.length,
    followed: largest.length,
    addresses: new Set(largest.map((id) => report.connections[id]!.client)).size,
    links: [...new Set(report.links.map(({ kind }) => kind))].filter((kind) => kind !== "address"),
    replyMilliseconds: median(replies),
    replyMillisecondsAfterChange: Math.max(replies[REQUESTS_EACH]!, replies[2 * REQUESTS_EACH]!),
    forgery: await forgeryOf(laboratory, client),
  }
}

/** Without translation: the flight is forged as it left the client. */
async function forgeryOf(laboratory: Laboratory, client: Client): Promise<Forgery | undefined> {
  await client.moveTo(null)
  await client.ask(3)
  const [flight] = await record(laboratory, () => client.ask(1))
  return flight && measureForgery(laboratory, flight)
}

/** A client and its server, as the situations above speak of them. */
class Client {
  readonly samples: Sample[] = []
  readonly #laboratory: Laboratory
  readonly #policy: LaboratoryPolicy
  readonly #isSealed: boolean
  #keys = 1

  constructor(laboratory: Laboratory, policy: LaboratoryPolicy, isSealed = false) {
    this.#laboratory = laboratory
    this.#policy = policy
    this.#isSealed = isSealed
  }

  async serve(tls: boolean): Promise<void> {
    const { client, server } = this.#laboratory
    if (this.#isSealed) {
      const serving = { port: PORT, host: SERVER_ADDRESS, clientAddress: HOME }
      await client.call(sealed, "meet", await server.call(sealed, "serve", serving))
      return
    }
    const cookieKeys = this.#policy === "cookie" ? { cookieKeys: { primary: key(this.#keys) } } : {}
    const answering = { tls, replyBytes: REPLY_BYTES }
    await server.call(tracked, "serve", { port: PORT, policy: this.#policy, ...cookieKeys }, answering)
  }

  async ask(times: number, more: Partial<LaboratoryConnectOptions> = {}): Promise<void> {
    const { client } = this.#laboratory
    const target = { host: SERVER_ADDRESS, port: PORT, policy: this.#policy, ...more }
    for (let n = 0; n < times; n++) {
      const asked = this.#isSealed
        ? client.call<Sample>(sealed, "request")
        : client.call<Sample>(tracked, "request", target)
      this.samples.push(await asked)
      await sleep(PAUSE_MILLISECONDS)
    }
  }

  async askTls(): Promise<void> {
    await this.#laboratory.client.call(tracked, "requestTls", { host: SERVER_ADDRESS, port: PORT })
    await sleep(PAUSE_MILLISECONDS)
  }

  /** To another network behind a translator, which the client's own address does not show; `null` for none. */
  async moveTo(translatedAddress: string | null): Promise<void> {
    await this.#laboratory.change({ translatedAddress })
  }

  async rotate(): Promise<void> {
    const backup = key(this.#keys++)
    await this.#laboratory.server.call(tracked, "rotate", { primary: key(this.#keys), backup })
  }

  async flush(): Promise<void> {
    if (!(await this.#laboratory.client.call<boolean>(tracked, "flush"))) throw new Error("cookies cannot be flushed")
  }
}

const key = (octet: number) => new Uint8Array(16).fill(octet)

export function trackingTable(sightings: readonly Sighting[]): string {
  return sightings
    .map(({ situation, report }) => {
      const links = report.links.filter(({ kind }) => kind !== "address")
      const lines = links.map(
        ({ kind, connections, addresses, values }) =>
          `  ${kind}: ${connections.length} of ${report.connections.length} connections, ${addresses.length} addresses, ${values.length} values`,
      )
      return [situation, ...(lines.length === 0 ? ["  nothing but addresses"] : lines)].join("\n")
    })
    .join("\n")
}

export function waysTable(rows: readonly WayRow[], roundTripMilliseconds: number): string {
  const width = Math.max(...rows.map(({ way }) => way.length))
  const line = (...cells: readonly string[]) =>
    cells.map((cell, n) => (n === 0 ? cell.padEnd(width) : cell.padStart(14))).join("")
  return [
    `Round trip ${roundTripMilliseconds} ms; followed by more than an address; milliseconds to the reply`,
    line("", "followed", "at addresses", "by", "median", "after changes", "forged"),
    ...rows.map((row) =>
      line(
        row.way,
        `${row.followed} of ${row.connections}`,
        String(row.addresses),
        row.links.join(", ") || "nothing",
        row.replyMilliseconds.toFixed(0),
        row.replyMillisecondsAfterChange.toFixed(0),
        row.forgery === undefined ? "-" : `${row.forgery.returnedBytes} for ${row.forgery.sentBytes}`,
      ),
    ),
    `forged: bytes that the server sends to a forged address for one SYN of so many; answers have ${REPLY_BYTES} bytes`,
  ].join("\n")
}
