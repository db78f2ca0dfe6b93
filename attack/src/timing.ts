export const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

/** What became of a promise after so many milliseconds. */
export async function within<T>(
  milliseconds: number,
  promise: Promise<T>,
): Promise<
  | { readonly state: "done"; readonly value: T }
  | { readonly state: "failed"; readonly error: Error }
  | { readonly state: "waiting" }
> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<{ state: "waiting" }>((resolve) => {
    timer = setTimeout(() => resolve({ state: "waiting" }), milliseconds)
  })
  const settled = promise.then(
    (value) => ({ state: "done" as const, value }),
    (error: unknown) => ({ state: "failed" as const, error: error as Error }),
  )
  try {
    return await Promise.race([settled, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Waits until `holds`, looking every few milliseconds; returns whether it did in time. */
export async function until(holds: () => boolean | Promise<boolean>, milliseconds: number): Promise<boolean> {
  const end = performance.now() + milliseconds
  while (performance.now() < end) {
    if (await holds()) return true
    await pause(20)
  }
  return holds()
}

/** Milliseconds of CPU that this process spends while `work` runs, on all of its threads. */
export async function cpuOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
}
