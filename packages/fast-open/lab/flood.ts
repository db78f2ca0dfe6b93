import { randomBytes, randomInt } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { KEY_ID_SIZE, KEY_SIZE, TOKEN_SIZE } from "../src/sealed/wire.js"
import { CLIENT_ADDRESS, Laboratory, SERVER_ADDRESS } from "./laboratory.js"
import { median } from "./latency.js"
import { forge, type RecordedFlight, record } from "./recorded.js"
import type { Sample } from "./roles/measured.js"
import type { Served } from "./roles/sealed.js"

export interface FloodReport {
  readonly spoofed: number
  readonly seconds: number
  readonly requests: number
  readonly failed: number
  /** Requests that were answered before their handshake had ended. */
  readonly fast: number
  readonly medianMilliseconds: number
  readonly memoryGrownBytes: number
  readonly serverBusy: number
  readonly admissions: Served["admissions"]
}

const sealed = new URL("./roles/sealed.js", import.meta.url)
const PORT = 7400
const TICK_MILLISECONDS = 20
const REQUEST_EVERY_MILLISECONDS = 100
/** On a busy machine the flood waits for the server's process: besides those on their way, so many may be before it. */
const BEFORE_SERVER_MAX = 100
/** A server that has taken in none for so long takes in no first flights any more: the flood has won, and goes on. */
const STUCK_MILLISECONDS = 500

/**
 * First flights from addresses that do not exist, `seconds` times `perSecond` of them at that rate or as fast as the server's
 * process gets a processor to take them in, while a client with tokens goes on asking.
 */
export async function measureFlood(options: {
  perSecond: number
  seconds: number
  roundTripMilliseconds?: number
}): Promise<FloodReport> {
  const { perSecond, seconds, roundTripMilliseconds = 50 } = options
  await using laboratory = await Laboratory.open({ roundTripMilliseconds })
  const serving = { port: PORT, host: SERVER_ADDRESS, clientAddress: CLIENT_ADDRESS }
  await laboratory.client.call(sealed, "meet", await laboratory.server.call(sealed, "serve", serving))
  const [model] = await record(laboratory, async () => {
    for (let n = 0; n < 3; n++) await laboratory.client.call(sealed, "request")
  })
  const before = await laboratory.server.call<Served>(sealed, "served")
  const start = performance.now()
  const underWayMax = BEFORE_SERVER_MAX + (perSecond * roundTripMilliseconds) / 2000
  const flooding = flood(laboratory, { model: model!, perSecond, count: seconds * perSecond, underWayMax })
  const asked = await askOn(laboratory, flooding)
  await flooding
  const tookSeconds = (performance.now() - start) / 1000
  const after = await laboratory.server.call<Served>(sealed, "served")
  return {
    spoofed: seconds * perSecond,
    seconds: tookSeconds,
    ...asked,
    fast: after.admissions.byToken - before.admissions.byToken,
    memoryGrownBytes: after.memoryBytes - before.memoryBytes,
    serverBusy: (after.cpuMicroseconds - before.cpuMicroseconds) / (tookSeconds * 1e6),
    admissions: after.admissions,
  }
}

async function flood(
  laboratory: Laboratory,
  options: { model: RecordedFlight; perSecond: number; count: number; underWayMax: number },
): Promise<void> {
  const { model, perSecond, count, underWayMax } = options
  const start = performance.now()
  let sent = 0
  const seen = async () => (await laboratory.server.call<Served>(sealed, "served")).admissions.synData
  const before = await seen()
  let taken = { count: 0, at: start }
  while (sent < count) {
    await sleep(TICK_MILLISECONDS)
    const now = performance.now()
    const takenIn = (await seen()) - before
    if (takenIn > taken.count) taken = { count: takenIn, at: now }
    const room = now - taken.at > STUCK_MILLISECONDS ? perSecond : underWayMax - (sent - takenIn)
    const due = Math.floor(((now - start) / 1000) * perSecond) - sent
    const next = Math.max(0, Math.floor(Math.min(due, room, count - sent)))
    await laboratory.inject(Array.from({ length: next }, () => spoof(model)))
    sent += next
  }
}

/** As good as it gets without a token: everything but the token and what is sealed is right. */
function spoof({ packet, data }: RecordedFlight): Buffer {
  const address = [randomInt(11, 200), randomInt(256), randomInt(256), randomInt(1, 255)].join(".")
  const flight = Buffer.from(data)
  randomBytes(TOKEN_SIZE).copy(flight)
  randomBytes(KEY_SIZE).copy(flight, TOKEN_SIZE + KEY_ID_SIZE)
  return forge(packet, { address, data: flight })
}

async function askOn(laboratory: Laboratory, during: Promise<void>) {
  let over = false
  const end = () => {
    over = true
  }
  during.then(end, end)
  const outcome = { requests: 0, failed: 0 }
  const replies: number[] = []
  const ask = async () => {
    outcome.requests++
    try {
      replies.push((await laboratory.client.call<Sample>(sealed, "request")).replyMilliseconds)
    } catch {
      outcome.failed++
    }
  }
  const asking: Promise<void>[] = []
  while (!over) {
    asking.push(ask())
    await sleep(REQUEST_EVERY_MILLISECONDS)
  }
  await Promise.all(asking)
  return { ...outcome, medianMilliseconds: median(replies) }
}

export function floodTable(report: FloodReport): string {
  const { admissions } = report
  const percent = ((report.fast / report.requests) * 100).toFixed(1)
  return [
    `${report.spoofed} spoofed first flights in ${report.seconds.toFixed(1)} s (${Math.round(report.spoofed / report.seconds)} a second)`,
    `honest requests        ${report.requests}`,
    `  on the fast path     ${report.fast} (${percent} %)`,
    `  failed               ${report.failed}`,
    `  median of replies    ${report.medianMilliseconds.toFixed(1)} ms`,
    `admitted by token      ${admissions.byToken}`,
    `after a handshake      ${admissions.established}`,
    `held, and then proven  ${admissions.held}, ${admissions.proven}`,
    `aborted                ${admissions.aborted}`,
    `server's memory        ${(report.memoryGrownBytes / 2 ** 20).toFixed(1)} MiB more`,
    `server's processor     ${(report.serverBusy * 100).toFixed(0)} % of one core`,
  ].join("\n")
}
