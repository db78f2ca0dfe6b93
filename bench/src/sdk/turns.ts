/** Milliseconds after which somebody notices that a program does not answer. */
export const STALL_MILLISECONDS_MAX = 50
const BOUNDS = [5, 10, 25, STALL_MILLISECONDS_MAX, 100, 250] as const

/** What one piece of work took, in milliseconds, and how long it held the event loop. */
export interface Spent {
  readonly total: number
  /** The longest time between two turns of the event loop. */
  readonly longest: number
  /** The most that one turn has taken of the processor: what other programs do is not in it. */
  readonly busiest: number
  /** How many turns took longer than each of `BOUNDS`. */
  readonly over: readonly number[]
}

/**
 * Runs `work`, and looks at the clock in every turn of the event loop. What the collector of garbage and other programs on
 * the machine take is counted too: they hold up whoever waits for this program.
 */
export async function spent(work: () => Promise<unknown>): Promise<Spent> {
  // What was before is not counted.
  await new Promise((resolve) => setTimeout(resolve, 20))
  const over = BOUNDS.map(() => 0)
  let longest = 0
  let busiest = 0
  let last = performance.now()
  let used = processorTime()
  let isGoing = true
  const look = () => {
    const now = performance.now()
    const between = now - last
    last = now
    if (between > longest) longest = between
    const usedNow = processorTime()
    if (usedNow - used > busiest) busiest = usedNow - used
    used = usedNow
    for (const [at, bound] of BOUNDS.entries()) if (between > bound) over[at]!++
    if (isGoing) setImmediate(look)
  }
  setImmediate(look)
  const start = performance.now()
  await work()
  const total = performance.now() - start
  // A turn that ends now is looked at in the next one.
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  isGoing = false
  return { total, longest, busiest, over }
}

/** Milliseconds of all threads of this process. */
function processorTime(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

/** `3>25 1>100`: three turns of more than 25 ms, one of them of more than 100. */
export function histogram({ over }: Spent): string {
  const parts = BOUNDS.flatMap((bound, at) => (over[at]! > 0 ? [`${over[at]}>${bound}`] : []))
  return parts.join(" ") || "none"
}
