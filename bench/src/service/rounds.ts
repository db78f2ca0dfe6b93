import { median } from "../contest.js"
import type { Measurement } from "./results.js"

/** One of those that are measured in turn. */
export interface Contestant {
  readonly name: string
  /** Measures once: in a unit that all of them share. */
  readonly round: () => Promise<number>
  /** Makes ready what is not measured. */
  readonly prepare?: () => Promise<void> | void
}

/** The values of each, a round beside a round: the load of the machine changes from one to the next for all of them. */
export async function alternate(
  contestants: readonly Contestant[],
  rounds: number,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const values = new Map(contestants.map(({ name }): [string, number[]] => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (let place = 0; place < contestants.length; place++) {
      const contestant = contestants[(place + round) % contestants.length]!
      await contestant.prepare?.()
      values.get(contestant.name)!.push(await contestant.round())
    }
  }
  return values
}

/** The medians of two contestants, and the median of their ratios, round by round. */
export function compared(
  values: ReadonlyMap<string, readonly number[]>,
  name: string,
  base: string,
): Required<Pick<Measurement, "value" | "spread" | "beside" | "ratio">> {
  const [mine, others] = [values.get(name)!, values.get(base)!]
  const ratio = median(mine.map((value, round) => value / others[round]!))
  return { value: median(mine), spread: spreadOf(mine), beside: { what: base, value: median(others) }, ratio }
}

export const spreadOf = (values: readonly number[]) => [Math.min(...values), Math.max(...values)] as const

/** How many a second `writers` do that each wait for their last one before the next, of `count` in all. */
export async function perSecond(
  { writers, count }: { readonly writers: number; readonly count: number },
  write: (index: number, writer: number) => Promise<unknown>,
): Promise<number> {
  let next = 0
  const started = performance.now()
  await Promise.all(
    Array.from({ length: Math.min(writers, count) }, async (_, writer) => {
      while (next < count) await write(next++, writer)
    }),
  )
  return (count * 1000) / (performance.now() - started)
}

/** Calls `act` as often as `rate` says for `seconds`, without waiting for it; late calls are made up for. */
export async function paced(
  { rate, seconds }: { readonly rate: number; readonly seconds: number },
  act: (index: number) => void,
): Promise<void> {
  const started = performance.now()
  for (let done = 0; done < rate * seconds; ) {
    const due = Math.min(rate * seconds, ((performance.now() - started) / 1000) * rate)
    while (done < due) act(done++)
    await pause(Math.max(1, Math.min(10, 1000 / rate)))
  }
}

export const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

/** Whether it came to that in time. */
export async function until(holds: () => boolean, milliseconds: number): Promise<boolean> {
  for (const end = performance.now() + milliseconds; !holds(); ) {
    if (performance.now() > end) return false
    await pause(5)
  }
  return true
}
