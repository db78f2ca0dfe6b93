import { performance } from "node:perf_hooks"
import { nodeProvider } from "@conclave/crypto/node"
import { AddressTokens } from "../src/sealed/index.js"
import { OpeningReader, openingFrames } from "../src/sealed/opening.js"
import { Suite } from "../src/sealed/session.js"
import { Kind } from "../src/sealed/wire.js"
import { CLIENT_ADDRESS, Laboratory, SERVER_ADDRESS } from "./laboratory.js"

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
    sealedPerCoreSecond: await sealedRequests(),
    tlsPerCoreSecond: await tlsRequests(),
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
const WARM_UP = 300
const REQUESTS = 1500
const TOGETHER = 16

async function sealedRequests(): Promise<number> {
  await using laboratory = await Laboratory.open({ roundTripMilliseconds: 0 })
  const serving = { port: PORT, host: SERVER_ADDRESS, clientAddress: CLIENT_ADDRESS }
  await laboratory.client.call(sealed, "meet", await laboratory.server.call(sealed, "serve", serving))
  return await perCoreSecond(laboratory, (count) => laboratory.client.call(sealed, "requests", count, TOGETHER))
}

async function tlsRequests(): Promise<number> {
  await using laboratory = await Laboratory.open({ roundTripMilliseconds: 0 })
  await laboratory.server.call(measured, "serve", { port: PORT, policy: "off", tls: true })
  const target = { host: SERVER_ADDRESS, port: PORT, policy: "off", tls: true }
  return await perCoreSecond(laboratory, (count) =>
    laboratory.client.call(measured, "requests", target, count, TOGETHER),
  )
}

/** Requests that a second of the server's processor time is enough for, whatever else the machine does. */
async function perCoreSecond(laboratory: Laboratory, ask: (count: number) => Promise<unknown>): Promise<number> {
  const processor = () => laboratory.server.call<number>(measured, "processorMicroseconds")
  await ask(WARM_UP)
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
