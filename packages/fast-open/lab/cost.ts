import { performance } from "node:perf_hooks"
import { nodeProvider } from "@conclave/crypto/node"
import { AddressTokens } from "../src/sealed/index.js"
import { OpeningReader, openingFrames } from "../src/sealed/opening.js"
import { Suite } from "../src/sealed/session.js"
import { Kind } from "../src/sealed/wire.js"
import { CLIENT_ADDRESS, type Host, Laboratory, SERVER_ADDRESS } from "./laboratory.js"

export interface CostReport {
  readonly provider: string
  readonly tokenMicroseconds: number
  /** One HPKE open of the same bytes, and the opening of a flight with its fields and body checked. */
  readonly hpkeMicroseconds: number
  readonly openingMicroseconds: number
  readonly sealedPerCoreSecond: number
  readonly tlsPerCoreSecond: number
}

const measured = new URL("./roles/measured.js", import.meta.url)
const sealed = new URL("./roles/sealed.js", import.meta.url)

/** What the server's processor pays, beside the floor of its primitives and beside TLS doing the same work. */
export async function measureCost(): Promise<CostReport> {
  const provider = nodeProvider()
  return {
    provider: provider.name,
    tokenMicroseconds: costOfToken(),
    ...costOfOpening(),
    ...(await requestsPerCoreSecond()),
  }
}

function costOfToken(): number {
  const provider = nodeProvider()
  const tokens = new AddressTokens({ provider })
  const issued = Array.from({ length: 4000 }, () => tokens.issue("192.0.2.1"))
  return leastMicroseconds(20, 200, (n) => tokens.spend(issued[n]!, "192.0.2.1"))
}

function costOfOpening() {
  const suite = new Suite(nodeProvider())
  const { random } = suite.provider
  const keys = suite.hpke.deriveKeyPair(random(32))
  const info = new TextEncoder().encode("conclave sealed 1")
  const authenticatedData = random(36)
  const opening = { kind: Kind.request, tokensWanted: 0, requestId: random(16), time: 0n, bodyLength: 200 }
  const [plaintext] = [...openingFrames(opening, random(200), true)]
  const { kemOutput, ciphertext } = suite.hpke.seal(keys.publicKey, {
    info,
    authenticatedData,
    plaintext: plaintext!,
    ephemeral: random(32),
  })
  const { privateKey, publicKey } = keys
  const floor = () => suite.hpke.open(privateKey, { kemOutput, ciphertext, info, authenticatedData, publicKey })
  const whole = () => {
    using receiver = suite.openFlight(keys, kemOutput)!
    return new OpeningReader(receiver.open({ ciphertext, authenticatedData })!).body
  }
  const times = { hpkeMicroseconds: Number.POSITIVE_INFINITY, openingMicroseconds: Number.POSITIVE_INFINITY }
  // In turns, so that a busy moment of the machine meets both.
  for (let turn = 0; turn < 10; turn++) {
    times.hpkeMicroseconds = Math.min(times.hpkeMicroseconds, leastMicroseconds(5, 100, floor))
    times.openingMicroseconds = Math.min(times.openingMicroseconds, leastMicroseconds(5, 100, whole))
  }
  return times
}

/** The least mean of `rounds` rounds: what is not disturbed. */
function leastMicroseconds(rounds: number, perRound: number, work: (n: number) => unknown): number {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const start = performance.now()
    for (let n = 0; n < perRound; n++) work(round * perRound + n)
    least = Math.min(least, ((performance.now() - start) * 1000) / perRound)
  }
  return least
}

const PORT = 7800
const TLS_PORT = PORT + 1
/** Node compiles what it runs often: before that, both ways pay for the compiler. */
const WARM_UP = 5000
const REQUESTS = 1500
const ROUNDS = 4
const TOGETHER = 16

/** Both ways in one process, in turns, so that a busy moment of the machine meets both. */
async function requestsPerCoreSecond(): Promise<{ sealedPerCoreSecond: number; tlsPerCoreSecond: number }> {
  await using laboratory = await Laboratory.open({ roundTripMilliseconds: 0 })
  const { client, server } = laboratory
  const serving = { port: PORT, host: SERVER_ADDRESS, clientAddress: CLIENT_ADDRESS }
  await client.call(sealed, "meet", await server.call(sealed, "serve", serving))
  await server.call(measured, "serve", { port: TLS_PORT, policy: "off", tls: true })
  const target = { host: SERVER_ADDRESS, port: TLS_PORT, policy: "off", tls: true }
  const ways = [
    { best: 0, ask: (count: number) => client.call(sealed, "requests", count, TOGETHER) },
    { best: 0, ask: (count: number) => client.call(measured, "requests", target, count, TOGETHER) },
  ]
  for (const { ask } of ways) await ask(WARM_UP)
  for (let round = 0; round < ROUNDS; round++) {
    for (const way of ways) way.best = Math.max(way.best, await perCoreSecond(server, way.ask))
  }
  return { sealedPerCoreSecond: ways[0]!.best, tlsPerCoreSecond: ways[1]!.best }
}

/** Requests that a second of the server's processor time is enough for, whatever else the machine does. */
async function perCoreSecond(server: Host, ask: (count: number) => Promise<unknown>): Promise<number> {
  const processor = () => server.call<number>(measured, "processorMicroseconds")
  const before = await processor()
  await ask(REQUESTS)
  return (REQUESTS / ((await processor()) - before)) * 1e6
}

export function costTable(report: CostReport): string {
  const { tokenMicroseconds, hpkeMicroseconds, openingMicroseconds, sealedPerCoreSecond, tlsPerCoreSecond } = report
  const ratio = (openingMicroseconds / hpkeMicroseconds).toFixed(2)
  return [
    `token check              ${tokenMicroseconds.toFixed(1)} µs`,
    `opening a request        ${openingMicroseconds.toFixed(1)} µs, ${ratio} × an HPKE open (${hpkeMicroseconds.toFixed(1)} µs, ${report.provider})`,
    `sealed requests          ${Math.round(sealedPerCoreSecond)} a second of the server's processor time`,
    `TLS 1.3, the same work   ${Math.round(tlsPerCoreSecond)}`,
  ].join("\n")
}
