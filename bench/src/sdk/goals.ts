import { duration, median, table } from "../contest.js"
import { catchingUp } from "./catching-up.js"
import { grown } from "./growing.js"
import { opening } from "./opening.js"
import { type Spent, STALL_MILLISECONDS_MAX } from "./turns.js"

const CATCH_UP_PER_SECOND_MIN = 3_000
const OPENING_MILLISECONDS_MAX = 500
const CREATION_MILLISECONDS_MAX = 3_000

/** What the SDK is to reach, what it reaches (medians of the rounds), and whether that is enough. */
export async function goals(rounds: number, quick: boolean): Promise<void> {
  const rows: string[][] = []
  const isMet = (met: boolean) => (met ? "met" : "missed")
  const messages = quick ? 500 : 10_000
  for (const conversations of quick ? [1, 10] : [1, 100]) {
    const figures = ["rate", "longest", "busiest"] as const
    const { rate, longest, busiest } = await repeated(rounds, figures, () => catchingUp({ messages, conversations }))
    const what = `caught up, ${messages} messages of 5 senders in ${conversations}`
    const isFast = rate >= CATCH_UP_PER_SECOND_MIN
    rows.push([what, `>= ${CATCH_UP_PER_SECOND_MIN}/s`, `${rate.toFixed(0)}/s`, isMet(isFast)])
    rows.push(stall({ longest, busiest }))
  }
  const conversations = quick ? 50 : 1_000
  const opened = await opening(conversations, rounds)
  for (const which of ["cold", "warm"] as const) {
    const milliseconds = opened[which]
    const what = `opened, ${conversations} conversations, ${which}`
    const isFast = milliseconds <= OPENING_MILLISECONDS_MAX
    rows.push([what, `<= ${duration(OPENING_MILLISECONDS_MAX)}`, duration(milliseconds), isMet(isFast)])
  }
  for (const members of quick ? [20, 50] : [100, 400, 1_000]) {
    for (const { what, total, turns, isCreation, ...turn } of await grown(members, rounds)) {
      const isFast = !isCreation || total <= CREATION_MILLISECONDS_MAX
      const goal = isCreation ? `<= ${duration(CREATION_MILLISECONDS_MAX)}` : ""
      rows.push([what, goal, duration(total), isCreation ? isMet(isFast) : ""])
      rows.push([...stall(turn), turns])
    }
  }
  console.log(
    table([["", "goal", "median", "", "of the processor", "turns longer than ms, in one round"], ...rows.map(padded)]),
  )

  function stall({ longest, busiest }: Pick<Spent, "longest" | "busiest">): string[] {
    const goal = `<= ${duration(STALL_MILLISECONDS_MAX)}`
    return ["  longest turn", goal, duration(longest), isMet(longest <= STALL_MILLISECONDS_MAX), duration(busiest)]
  }
}

const padded = (row: readonly string[]) => [...row, ...Array<string>(6 - row.length).fill("")]

async function repeated<K extends string>(
  rounds: number,
  figures: readonly K[],
  once: () => Promise<Readonly<Record<K, number>>>,
): Promise<Record<K, number>> {
  const found: Readonly<Record<K, number>>[] = []
  for (let round = 0; round < rounds; round++) found.push(await once())
  return Object.fromEntries(figures.map((figure) => [figure, median(found.map((it) => it[figure]))])) as Record<
    K,
    number
  >
}
