import { readFileSync } from "node:fs"
import { loadavg } from "node:os"

/** What a process has used and holds. */
export interface Usage {
  /** Microseconds of all of its threads, of user and system. */
  readonly cpu: number
  /** Bytes. */
  readonly memory: number
  readonly heap: number
}

/** Of this process; where the garbage can be collected, after that. */
export function usage({ collect = false }: { readonly collect?: boolean } = {}): Usage {
  if (collect) for (let i = 0; i < 3; i++) globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed, external } = process.memoryUsage()
  return { cpu: user + system, memory: rss, heap: heapUsed + external }
}

/** Microseconds that a process and those it has started have used, to 10 ms; 0 where the system does not tell. */
export function cpuOfTree(processId: number): number {
  try {
    const fields = readFileSync(`/proc/${processId}/stat`, "utf8").split(") ")[1]!.split(" ")
    const own = Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14])
    const children = readFileSync(`/proc/${processId}/task/${processId}/children`, "utf8").trim().split(" ")
    const all = children.filter((id) => id !== "").map((id) => cpuOfTree(Number(id)))
    return own * 10_000 + all.reduce((sum, it) => sum + it, 0)
  } catch {
    return 0
  }
}

/** Of the last minute. */
export const load = () => loadavg()[0]!
