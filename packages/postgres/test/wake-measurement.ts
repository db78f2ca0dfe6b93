/**
 * How long a hint takes from one gateway to another, and how many a second cross, over each bus and within one process:
 * `node --expose-gc packages/postgres/dist/test/wake-measurement.js`. Real servers on this machine, all in one run.
 */
import { randomBytes } from "node:crypto"
import { processWake, type Wake } from "@conclave/delivery"
import { startNats, startPostgres } from "@conclave/testing/servers"
import { natsWake, notifyWake } from "../src/index.js"

const never = new AbortController().signal
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
const topicsOf = (count: number) => Array.from({ length: count }, () => `g${randomBytes(32).toString("latin1")}`)

interface Pair {
  readonly from: Wake
  readonly to: Wake
}

/** Milliseconds from the note to the wake, one note at a time. */
async function latencies({ from, to }: Pair, count: number): Promise<number[]> {
  const [topic] = topicsOf(1) as [string]
  const watch = to.watch([topic])
  const took: number[] = []
  while (took.length < count) {
    await pause(5 + Math.random() * 10)
    const began = performance.now()
    const changed = watch.changed({ signal: never })
    from.notify(topic)
    await changed
    took.push(performance.now() - began)
  }
  watch.close()
  return took.sort((a, b) => a - b)
}

/** As {@link latencies}, while the gateway notes a thousand other topics a second. */
async function latenciesUnderLoad(pair: Pair, count: number): Promise<number[]> {
  const loading = setInterval(() => {
    for (const topic of topicsOf(10)) pair.from.notify(topic)
  }, 10)
  const took = await latencies(pair, count)
  clearInterval(loading)
  return took
}

/** Different topics a second that arrive, with no more than 5,000 on their way. */
async function perSecond({ from, to }: Pair, count: number): Promise<number> {
  const topics = topicsOf(10_000)
  const watch = to.watch(topics)
  const began = performance.now()
  let arrived = 0
  for (let noted = 0; arrived < count; ) {
    for (; noted < count && noted - arrived < 5_000; noted++) from.notify(topics[noted % topics.length]!)
    arrived += (await watch.changed({ signal: never })).size
  }
  watch.close()
  return (1_000 * count) / (performance.now() - began)
}

/** Notes a second of a gateway, whether or not they share a message. */
function notesPerSecond({ from }: Pair, count: number): number {
  const topics = topicsOf(1_000)
  const began = performance.now()
  for (let i = 0; i < count; i++) from.notify(topics[i % topics.length]!)
  return (1_000 * count) / (performance.now() - began)
}

/** Bytes of a topic that is watched, its name included. */
function bytesPerTopic({ to }: Pair): number {
  const count = 200_000
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  const watches = Array.from({ length: count / 1_000 }, () => to.watch(topicsOf(1_000)))
  globalThis.gc?.()
  const bytes = (process.memoryUsage().heapUsed - before) / count
  for (const watch of watches) watch.close()
  return bytes
}

await using postgres = await startPostgres({ settings: {} })
await using nats = await startNats()
const url = await postgres.url("wake")
const local = processWake()
await using notifying = notifyWake({ url })
await using notified = notifyWake({ url })
await using publishing = natsWake({ servers: nats.url })
await using subscribing = natsWake({ servers: nats.url })
const pairs: Readonly<Record<string, Pair>> = {
  "one process": { from: local, to: local },
  NOTIFY: { from: notifying, to: notified },
  NATS: { from: publishing, to: subscribing },
}
await pause(2_500)

for (const [name, pair] of Object.entries(pairs)) {
  const at = (took: readonly number[], part: number) => took[Math.floor(took.length * part)]!.toFixed(3)
  const [idle, loaded] = [await latencies(pair, 500), await latenciesUnderLoad(pair, 500)]
  console.log(
    [
      name.padEnd(12),
      `idle: median ${at(idle, 0.5)} ms, p99 ${at(idle, 0.99)} ms`,
      `1,000 notes/s: median ${at(loaded, 0.5)} ms, p99 ${at(loaded, 0.99)} ms`,
      `${Math.round(await perSecond(pair, 200_000))} topics/s arrive`,
      `${Math.round(notesPerSecond(pair, 500_000))} notes/s`,
      globalThis.gc === undefined ? "" : `${Math.round(bytesPerTopic(pair))} bytes per watched topic`,
    ].join("; "),
  )
}
