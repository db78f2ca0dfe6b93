import { join } from "node:path"
import { Child } from "./child.js"
import { type Line, openLines, together } from "./line.js"
import { createGroups, type Group, isEntries, subscribeRequest } from "./requests.js"
import { pause, until } from "./rounds.js"
import type { Found, Scenario, Setting } from "./scenario.js"

const IDLE_GROUPS = 10
const STORM_GROUPS = 100

/** What devices cost that only wait, and how long it takes until all have come back. */
export const idleDevices: Scenario = {
  name: "idle-devices",
  title: "Idle devices, and a storm of them that come back",
  async run({ folder, isQuick, progress }: Setting): Promise<Found> {
    const [idle, returning, groupCount, seconds] = isQuick ? [300, 100, 300, 2] : [10_000, 5_000, 10_000, 20]
    await using child = await Child.start({ kind: "conclave", file: join(folder, "idle.db") })
    const makers = together(await openLines(child.url, 8))
    progress("making groups")
    const groups = await createGroups(groupCount, makers)
    makers.close()
    await pause(200)
    progress(`${idle} idle devices`)
    const before = await child.usage({ collect: true })
    const lines = await openLines(child.url, idle)
    await subscribed(lines, (device) => of(groups, { device, count: IDLE_GROUPS }))
    await pause(1_000)
    const [held, started] = [await child.usage({ collect: true }), performance.now()]
    await pause(seconds * 1000)
    const rest = (await child.usage()).cpu - held.cpu
    const elapsed = (performance.now() - started) / 1000
    for (const line of lines) line.close()
    await pause(1_000)
    progress(`${returning} devices come back`)
    const storm = await comeBack(child, { groups, returning })
    return {
      measurements: [
        {
          what: `memory of each of ${idle} idle devices`,
          value: (held.memory - before.memory) / idle / 1024,
          unit: "KiB",
        },
        { what: "of it on the heap", value: (held.heap - before.heap) / idle / 1024, unit: "KiB" },
        { what: "CPU of each, a second", value: rest / elapsed / idle, unit: "µs" },
        { what: `until ${returning} devices with ${STORM_GROUPS} groups are back`, value: storm.seconds, unit: "s" },
        { what: "CPU of each of them", value: storm.cpu / returning / 1000, unit: "ms" },
      ],
      series: [{ what: "cursors that are told how their logs stand", perSecond: storm.perSecond }],
      notes: [
        `An idle device has a WebSocket and a subscription to ${IDLE_GROUPS} groups. Those that come back all open their sockets ` +
          "at once and show a pass for each group; they are back when each log was answered.",
      ],
    }
  },
}

interface Returning {
  readonly groups: readonly Group[]
  readonly returning: number
}

async function comeBack(child: Child, { groups, returning }: Returning) {
  const requests = Array.from({ length: returning }, (_, device) =>
    subscribeRequest(of(groups, { device, count: STORM_GROUPS })),
  )
  const before = await child.usage()
  const started = performance.now()
  const perSecond: number[] = []
  let told = 0
  const lines = await openLines(child.url, returning, (line, device) => {
    line.subscribe(requests[device]!, (item) => {
      if (!isEntries(item)) return
      told++
      const second = Math.floor((performance.now() - started) / 1000)
      perSecond[second] = (perSecond[second] ?? 0) + 1
    })
  })
  const all = returning * STORM_GROUPS
  if (!(await until(() => told >= all, 120_000))) throw new Error(`${told} of ${all} cursors are told`)
  const seconds = (performance.now() - started) / 1000
  const { cpu } = await child.usage()
  for (const line of lines) line.close()
  return { seconds, cpu: cpu - before.cpu, perSecond: Array.from(perSecond, (it) => it ?? 0) }
}

async function subscribed(lines: readonly Line[], groupsOf: (device: number) => readonly Group[]): Promise<void> {
  let [told, all] = [0, 0]
  for (const [device, line] of lines.entries()) {
    const groups = groupsOf(device)
    all += groups.length
    line.subscribe(subscribeRequest(groups), (item) => {
      if (isEntries(item)) told++
    })
  }
  if (!(await until(() => told >= all, 120_000))) throw new Error(`${told} of ${all} cursors are told`)
}

/** Neighbours share most of their groups, as people do. */
const of = (groups: readonly Group[], { device, count }: { readonly device: number; readonly count: number }) =>
  Array.from({ length: count }, (_, index) => groups[(device + index * 97) % groups.length]!)
