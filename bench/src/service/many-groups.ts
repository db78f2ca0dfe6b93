import { join } from "node:path"
import { Child } from "./child.js"
import { Histogram } from "./histogram.js"
import { openLines, together } from "./line.js"
import { createGroups, type Group, isEntries, messageRequest, numbersIn, subscribeRequest } from "./requests.js"
import { paced, until } from "./rounds.js"
import type { Found, Scenario, Setting } from "./scenario.js"
import { usage } from "./usage.js"

const GROUPS_EACH = 100
const MEMBERS = 10
const SENDERS = 16
const WARM_UP_SECONDS = 2

/** Many clients in many small groups, at a steady rate: from append to arrival. */
export const manyGroups: Scenario = {
  name: "many-groups",
  title: "Many clients with 100 groups each: from append to arrival",
  async run({ folder, isQuick, progress }: Setting): Promise<Found> {
    const [clients, rate, seconds] = isQuick ? [100, 100, 2] : [1_000, 500, 15]
    await using child = await Child.start({ kind: "conclave", file: join(folder, "groups.db") })
    const senders = together(await openLines(child.url, SENDERS))
    progress("making groups")
    const groups = await createGroups((clients * GROUPS_EACH) / MEMBERS, senders)
    const lines = await openLines(child.url, clients)
    const [sentAt, histogram, arrivals] = [[] as number[], new Histogram(), [] as number[]]
    let [ready, begun] = [0, 0]
    for (const [client, mine] of membershipsOf(groups, clients).entries()) {
      lines[client]!.subscribe(subscribeRequest(mine), (item) => {
        if (!isEntries(item)) return
        ready++
        const now = performance.now()
        for (const number of numbersIn(item)) {
          histogram.add(now - sentAt[number]!)
          const second = Math.floor((now - begun) / 1000)
          arrivals[second] = (arrivals[second] ?? 0) + 1
        }
      })
    }
    progress("subscribing")
    if (!(await until(() => ready >= clients * GROUPS_EACH, 60_000))) throw new Error(`${ready} cursors are told`)
    let sent = 0
    const flow = async (time: number) => {
      await paced({ rate, seconds: time }, () => {
        sentAt[sent] = performance.now()
        senders.tell(messageRequest(groups[(sent * STRIDE) % groups.length]!, { number: sent++ }))
      })
      await until(() => histogram.count >= rate * time * MEMBERS, 30_000)
    }
    progress(`${rate} messages a second`)
    await flow(WARM_UP_SECONDS)
    histogram.clear()
    arrivals.length = 0
    const [before, here] = [await child.usage(), usage().cpu]
    begun = performance.now()
    const all = rate * seconds * MEMBERS
    await flow(seconds)
    const [used, usedHere] = [(await child.usage()).cpu - before.cpu, usage().cpu - here]
    const elapsed = performance.now() - begun
    for (const line of [...lines, senders]) line.close()
    return {
      measurements: [
        { what: "messages a second", value: (rate * seconds * 1000) / elapsed, unit: "/s" },
        { what: "deliveries a second", value: (histogram.count * 1000) / elapsed, unit: "/s" },
        { what: "deliveries that are missing", value: all - histogram.count, unit: "", goal: { atMost: 0 } },
        { what: "CPU of the service's process", value: used / elapsed / 10, unit: "%" },
        { what: "CPU of the clients' process", value: usedHere / elapsed / 10, unit: "%" },
        { what: "CPU of each delivery, its part of the append included", value: used / all, unit: "µs" },
      ],
      latencies: [histogram.latencies(`${clients} clients, ${groups.length} groups, ${rate} messages/s`)],
      series: [{ what: "deliveries", perSecond: Array.from(arrivals, (it) => it ?? 0) }],
      notes: [
        `Each group has ${MEMBERS} members, and each client a WebSocket with one subscription to all of its groups.`,
      ],
    }
  },
}

/** No group is sent to twice before all were. */
const STRIDE = 7_919

/** Of each client: one group of each hundredth of them, with other members in each. */
function membershipsOf(groups: readonly Group[], clients: number): Group[][] {
  const perClient = Array.from({ length: clients }, (): Group[] => [])
  const perSlot = clients / MEMBERS
  for (let slot = 0; slot < GROUPS_EACH; slot++) {
    for (const [place, client] of shuffled(clients, slot).entries()) {
      perClient[client]!.push(groups[slot * perSlot + Math.floor(place / MEMBERS)]!)
    }
  }
  return perClient
}

/** The numbers below `count`, in an order that follows from the seed. */
function shuffled(count: number, seed: number): number[] {
  const keys = Array.from({ length: count }, (_, index) => {
    const mixed = Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b)
    return [Math.imul(mixed ^ (mixed >>> 15), 0xc2b2ae35) >>> 0, index] as const
  })
  return keys.sort(([a], [b]) => a - b).map(([, index]) => index)
}
