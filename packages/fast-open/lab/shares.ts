import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { request } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { type Flood, floodNames, type Order } from "./roles/flooder.js"
import type { Ports, ServiceState } from "./roles/shared-service.js"

export interface SharesRow {
  readonly flood: Flood | "none"
  /** Of clients whose network is another one. */
  readonly elsewhere: Waits
  /** Of a client in the attacker's own /24. */
  readonly neighbour: Waits
  /** The most that the service's process held, in bytes. */
  readonly memoryBytes: number
  /** Of one core. */
  readonly serverBusy: number
  /** What it refused, by kind. */
  readonly refused: Readonly<Record<string, number>>
}

export interface Waits {
  readonly asked: number
  readonly failed: number
  readonly medianMilliseconds: number
  readonly p99Milliseconds: number
}

export interface SharesOptions {
  readonly seconds: number
  /** The attacker's connections at a time. */
  readonly lines: number
  readonly floods?: readonly (Flood | "none")[]
}

const ATTACKER = "127.0.1.1"
const NEIGHBOUR = "127.0.1.2"
const ELSEWHERE = ["127.0.2.1", "127.0.3.1"]
const ASK_EVERY_MILLISECONDS = 20
/** However short the time, or busy the machine. */
const ASKED_MIN = 10
const PATIENCE_MILLISECONDS = 10_000
const START_MILLISECONDS = 500

/**
 * Floods of each kind from one address against a real listener, while honest clients of the same /24 and of others open
 * a connection for each of their requests. Service, attacker and clients are processes of their own.
 */
export async function measureShares(options: SharesOptions): Promise<readonly SharesRow[]> {
  const rows: SharesRow[] = []
  for (const flood of options.floods ?? (["none", ...floodNames] as const)) rows.push(await measure(flood, options))
  return rows
}

async function measure(flood: Flood | "none", { seconds, lines }: SharesOptions): Promise<SharesRow> {
  await using service = role("shared-service")
  const [ports] = (await once(service.process, "message")) as [Ports]
  await using attacker = role("flooder")
  const order: Order | undefined = flood === "none" ? undefined : { flood, ports, localAddress: ATTACKER, lines }
  if (order) attacker.process.send(order)
  await sleep(START_MILLISECONDS)
  const until = performance.now() + seconds * 1000
  const before = await stateOf(service.process)
  const watching = watch(service.process, until)
  const [neighbour, ...elsewhere] = await Promise.all(
    [NEIGHBOUR, ...ELSEWHERE].map((localAddress) => askOn({ port: ports.http, localAddress, until })),
  )
  const memoryBytes = await watching
  const after = await stateOf(service.process)
  return {
    flood,
    elsewhere: summary(elsewhere.flat()),
    neighbour: summary(neighbour!),
    memoryBytes,
    serverBusy: (after.cpuMicroseconds - before.cpuMicroseconds) / (seconds * 1e6),
    refused: after.refused,
  }
}

function role(name: string): { readonly process: ChildProcess } & AsyncDisposable {
  const child = fork(fileURLToPath(new URL(`./roles/${name}.js`, import.meta.url)))
  return {
    process: child,
    async [Symbol.asyncDispose]() {
      const ended = once(child, "exit")
      child.disconnect()
      await ended
    },
  }
}

async function stateOf(service: ChildProcess): Promise<ServiceState> {
  service.send("state")
  const [state] = (await once(service, "message")) as [ServiceState]
  return state
}

async function watch(service: ChildProcess, until: number): Promise<number> {
  let most = 0
  do {
    most = Math.max(most, (await stateOf(service)).memoryBytes)
    await sleep(100)
  } while (performance.now() < until)
  return most
}

interface Asking {
  readonly port: number
  readonly localAddress: string
  readonly until: number
}

/** Milliseconds of each answer, `undefined` for those that failed. Asks on whether the last one was answered or not. */
async function askOn({ until, ...address }: Asking): Promise<(number | undefined)[]> {
  const asked: Promise<number | undefined>[] = []
  while (performance.now() < until || asked.length < ASKED_MIN) {
    asked.push(ask(address).catch(() => undefined))
    await sleep(ASK_EVERY_MILLISECONDS)
  }
  return Promise.all(asked)
}

function ask(address: Omit<Asking, "until">): Promise<number> {
  const start = performance.now()
  return new Promise((resolve, reject) => {
    const asking = request({
      ...address,
      host: "127.0.0.1",
      path: "/echo",
      method: "POST",
      agent: false,
      timeout: PATIENCE_MILLISECONDS,
      headers: { host: "localhost", "content-type": "application/octet-stream", "content-length": 2 },
    })
    asking.on("error", reject)
    asking.on("timeout", () => asking.destroy(new Error("no answer")))
    asking.on("response", (response) => {
      response.resume()
      response.on("error", reject)
      response.on("end", () => {
        if (response.statusCode === 200) resolve(performance.now() - start)
        else reject(new Error(`${response.statusCode}`))
      })
    })
    asking.end("hi")
  })
}

function summary(waits: readonly (number | undefined)[]): Waits {
  const answered = waits.filter((wait) => wait !== undefined).sort((a, b) => a - b)
  const at = (part: number) => answered[Math.min(Math.floor(answered.length * part), answered.length - 1)] ?? Number.NaN
  return {
    asked: waits.length,
    failed: waits.length - answered.length,
    medianMilliseconds: at(0.5),
    p99Milliseconds: at(0.99),
  }
}

export function sharesTable(rows: readonly SharesRow[]): string {
  const milliseconds = (waits: Waits) =>
    `${waits.medianMilliseconds.toFixed(1)} / ${waits.p99Milliseconds.toFixed(1)}${waits.failed > 0 ? `, ${waits.failed} of ${waits.asked} failed` : ""}`
  return [
    "| flood from one address | elsewhere p50 / p99 (ms) | same /24 p50 / p99 (ms) | memory (MiB) | processor | refused |",
    "|---|---|---|---:|---:|---|",
    ...rows.map(({ flood, elsewhere, neighbour, memoryBytes, serverBusy, refused }) => {
      const kinds = Object.entries(refused).map(([kind, count]) => `${kind} ${count}`)
      const cells = [
        ...[flood, milliseconds(elsewhere), milliseconds(neighbour), (memoryBytes / 2 ** 20).toFixed(0)],
        ...[`${(serverBusy * 100).toFixed(0)} %`, kinds.join(", ")],
      ]
      return `| ${cells.join(" | ")} |`
    }),
  ].join("\n")
}
