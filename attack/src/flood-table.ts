import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { type Flooded, flood, MORE_THAN_ALL } from "./attacks/resources.js"
import * as floods from "./floods.js"
import { root } from "./hostile.js"
import type { Fared } from "./probe.js"
import { megabytes } from "./service.js"
import { World } from "./world.js"

/** What honest people may wait, and what the service may take, under any of these. */
const limits = { elsewhere: 250, neighbour: 1_000, memory: 512 * 1024 * 1024 }

const all: readonly floods.Flood[] = [
  floods.nothing,
  floods.idleSockets(MORE_THAN_ALL),
  floods.slowHeads(MORE_THAN_ALL),
  floods.halfFrames(100, 3_900_000),
  floods.halfBodies(100, 3_900_000),
  floods.unreadPings(20_000_000),
  floods.unreadPongs(200_000_000),
  floods.anonymousCursors(5, 64, 1_000),
  floods.appends(1_000),
  floods.appends(1_000_000),
  floods.registrations,
  floods.claims,
  floods.creations,
  floods.halfFlights(400),
]

/** A line of the table, for the record. */
export interface FloodLine {
  readonly elsewhere: string
  readonly neighbour: string
  readonly memory: string
  readonly disk: string
  readonly holds: boolean
}

/**
 * Each flood from one address for some seconds, against a service of its own: what honest clients elsewhere and in the
 * same network wait, and what the service takes. `quota` is what the disk may grow by.
 */
export async function floodTable(before: Readonly<Record<string, FloodLine>>, quota: number) {
  const lines: Record<string, FloodLine> = {}
  const widths = [60, 8, 26, 26, 20, 12] as const
  const print = (...columns: string[]) =>
    console.log(
      columns
        .map((text, n) => text.padEnd(widths[n]!))
        .join(" ")
        .trimEnd(),
    )
  print("flood from one address", "", "p99 elsewhere", "p99 in the same /24", "memory", "disk")
  for (const attack of all) {
    const line = await bestOf(TRIES_MAX, attack, quota)
    lines[attack.name] = line
    const known = before[attack.name]
    if (known) print(attack.name, "before", known.elsewhere, known.neighbour, known.memory, known.disk)
    print(
      known ? "" : attack.name,
      line.holds ? "now" : "now (!)",
      line.elsewhere,
      line.neighbour,
      line.memory,
      line.disk,
    )
  }
  await spoofed()
  const held = Object.values(lines).filter(({ holds }) => holds).length
  console.log(
    `\n${held} of ${all.length} within p99 elsewhere 250 ms, same /24 1 s, 512 MiB, ${megabytes(quota)} of disk; the best of up to ${TRIES_MAX}`,
  )
  return { lines, allHold: held === all.length }
}

/** On a machine that others use too, one time says little: again, until the limits are kept. */
const TRIES_MAX = 3

async function bestOf(tries: number, attack: floods.Flood, quota: number): Promise<FloodLine> {
  let best: { readonly line: FloodLine; readonly p99: number } | undefined
  for (let n = 0; n < tries && best?.line.holds !== true; n++) {
    await using world = new World()
    const flooded = await flood(world, attack)
    const line = lineOf(flooded, quota)
    const { p99 } = flooded.elsewhere
    if (best === undefined || line.holds || p99 < best.p99) best = { line, p99 }
  }
  return best!.line
}

/** First flights from addresses that are not there need a network of their own: the laboratory of `transport` has one. */
async function spoofed(): Promise<void> {
  const program = join(root, "packages/fast-open/dist/lab/main.js")
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, "flood", "--seconds", "5", "--json"], {
    encoding: "utf8",
    timeout: 60_000,
  })
  if (status !== 0) {
    console.log(`spoofed first flights: not run, ${stderr.trim().split("\n").at(-1) ?? "it took too long"}`)
    return
  }
  const { spoofed: sent, requests, failed, medianMilliseconds, memoryGrownBytes } = JSON.parse(stdout)
  console.log(
    `${sent} spoofed first flights: honest median ${Math.round(medianMilliseconds)} ms over a way of 50 ms, ` +
      `${failed} of ${requests} failed, memory +${megabytes(memoryGrownBytes)}`,
  )
}

function lineOf({ elsewhere, neighbour, before, highest, stored, ended }: Flooded, quota: number): FloodLine {
  const holds =
    elsewhere.p99 <= limits.elsewhere &&
    neighbour.p99 <= limits.neighbour &&
    highest <= limits.memory &&
    stored <= quota &&
    ended === undefined
  const memory = ended === undefined ? `${megabytes(before)} to ${megabytes(highest)}` : `ended: ${ended}`
  return { elsewhere: words(elsewhere), neighbour: words(neighbour), memory, disk: megabytes(stored), holds }
}

function words({ p99, refused, asked }: Fared): string {
  const time = Number.isFinite(p99) ? `${Math.round(p99)} ms` : "never"
  return refused === 0 ? time : `${time} (${Math.round((100 * refused) / asked)} % refused)`
}
