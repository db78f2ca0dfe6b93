import { join } from "node:path"
import { decode } from "@conclave/codec"
import { DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import { type DeliveryLimits, deliveryService } from "@conclave/delivery"
import { deliveryStore, openDatabase } from "@conclave/sqlite"
import {
  accessKeyOf,
  commitRequest,
  createGroupRequest,
  crypto,
  random,
  sha256,
  withAccess,
} from "@conclave/testing/delivery"
import { Histogram } from "./histogram.js"
import type { Measurement } from "./results.js"
import type { Found, Scenario, Setting } from "./scenario.js"
import { usage } from "./usage.js"

/** From a client to the service and back, in milliseconds. */
const ROUND_TRIP = { min: 20, max: 60 }
/** Requests that come within so many milliseconds share a transaction, as they would. */
const SLICE_MILLISECONDS = 2

/** Many who want to commit in one group at the same time, each of whom tries again as clients do. */
export const commits: Scenario = {
  name: "commits",
  title: "Many wishes to commit in one group at once",
  async run(setting: Setting): Promise<Found> {
    const wishes = setting.wishes ?? (setting.isQuick ? 15 : 300)
    const runs = [
      { label: "default limits (1 a second, 5 at once)", wishes: Math.min(100, wishes), limits: {} },
      { label: "100 commits a second, 100 at once", wishes, limits: { commits: { perSecond: 100, burst: 100 } } },
    ]
    const measurements: Measurement[] = []
    const latencies = []
    for (const { label, wishes, limits } of runs) {
      setting.progress(label)
      const all = await committed(setting, { wishes, limits })
      const what = `${wishes} wishes, ${label}`
      measurements.push(
        { what: `${what}: wishes not done`, value: wishes - all.done, unit: "", goal: { atMost: 0 } },
        { what: `${what}: until all are done`, value: all.seconds, unit: "s" },
        { what: `${what}: tries of each, mean`, value: all.tries / wishes, unit: "" },
        { what: `${what}: tries of the one with the most`, value: all.triesMax, unit: "" },
        { what: `${what}: answers stale`, value: all.stale, unit: "" },
        { what: `${what}: answers throttled`, value: all.throttled, unit: "" },
        { what: `${what}: CPU of each try, client included`, value: all.cpu / all.tries, unit: "µs" },
      )
      latencies.push(all.waits.latencies(what))
    }
    const notes = [
      `Seconds are of a simulated clock that the service goes by, with ${ROUND_TRIP.min} to ${ROUND_TRIP.max} ms for each round ` +
        "trip: what the limits make of it, whatever the machine. A wish is sent again unchanged when it was throttled, after the " +
        "time that it was told; when it was stale, its author reads the log and makes the commit again for the newest interval. " +
        "Each commit makes those of all others stale, so the tries of all grow with the square of the wishes; of `--wishes`, at " +
        "most 100 are under the default limits.",
    ]
    return { measurements, latencies, notes }
  },
}

interface Wanted {
  readonly wishes: number
  readonly limits: Partial<DeliveryLimits>
}

/** One member who wants to commit. */
interface Wish {
  readonly requester: { readonly peer: string; readonly network: string }
  /** The last commit that its author has read. */
  after: bigint
  /** When its next request arrives. */
  at: number
  tries: number
  request: Uint8Array | undefined
}

async function committed({ folder }: Setting, { wishes, limits }: Wanted) {
  const store = deliveryStore(openDatabase({ file: join(folder, `${limits.commits?.perSecond ?? 1}.db`) }), sha256)
  const begun = Date.now()
  const clock = { now: begun }
  const handler = deliveryService({ store, crypto, directory: async () => undefined, now: () => clock.now, limits })
  const { signal } = new AbortController()
  const ask = async (request: Uint8Array, requester: Wish["requester"]): Promise<DeliveryResponse> => {
    for await (const answer of handler(request, { signal, early: false, ...requester })) {
      return decode(DeliveryResponse, answer)
    }
    throw new Error("the service gave no answer")
  }
  const groupId = random(32)
  await ask(deliveryRequests.encode(createGroupRequest(groupId)), { peer: "founder", network: "founder" })
  const waiting = new Set(
    Array.from({ length: wishes }, (_, index): Wish => {
      const requester = { peer: `peer ${index}`, network: `network ${index}` }
      return { requester, after: 0n, at: begun + roundTrip() / 2, tries: 0, request: undefined }
    }),
  )
  const counts = { done: 0, tries: 0, triesMax: 0, stale: 0, throttled: 0 }
  const waits = new Histogram()
  const before = usage().cpu

  async function attempt(wish: Wish): Promise<void> {
    wish.request ??= commitOf(groupId, wish.after, clock.now)
    wish.tries++
    counts.tries++
    const answer = await ask(wish.request, wish.requester)
    if (answer.type === "accepted") {
      waiting.delete(wish)
      counts.done++
      counts.triesMax = Math.max(counts.triesMax, wish.tries)
      waits.add(clock.now - begun)
    } else if (answer.type === "throttled") {
      counts.throttled++
      wish.at = clock.now + answer.retryAfterMilliseconds + roundTrip()
    } else if (answer.type === "stale" || answer.type === "denied") {
      // Somebody has begun another interval, whose key members derive when they have read its commit.
      counts.stale++
      wish.request = undefined
      wish.after = await lastCommit(wish)
      wish.at = clock.now + 2 * roundTrip()
    } else {
      throw new Error(`a commit: ${answer.type}`)
    }
  }

  async function lastCommit({ after, requester }: Wish): Promise<bigint> {
    const key = accessKeyOf(groupId, Number(after))
    const read = { type: "read", groupId, afterSeq: after, limit: 500 } as const
    const page = await ask(deliveryRequests.encode(withAccess(read, { key, at: clock.now })), requester)
    if (page.type !== "entries") throw new Error(`reading: ${page.type}`)
    return page.entries.at(-1)?.seq ?? after
  }

  while (waiting.size > 0) {
    const next = Math.min(...Array.from(waiting, ({ at }) => at))
    clock.now = Math.max(clock.now, Math.ceil(next))
    const due = [...waiting].filter(({ at }) => at <= clock.now + SLICE_MILLISECONDS)
    await Promise.all(due.map(attempt))
  }
  const cpu = usage().cpu - before
  await store[Symbol.asyncDispose]()
  return { ...counts, waits, cpu, seconds: (clock.now - begun) / 1000 }
}

/** With a path, as most commits have: it begins an interval, whose number is that of the commit before it and one. */
function commitOf(groupId: Uint8Array, after: bigint, at: number): Uint8Array {
  const request = commitRequest(groupId, after, { interval: Number(after) + 1 })
  return deliveryRequests.encode(withAccess(request, { key: accessKeyOf(groupId, Number(after)), at }))
}

const roundTrip = () => ROUND_TRIP.min + Math.random() * (ROUND_TRIP.max - ROUND_TRIP.min)
