/** Who takes part, what each may do how often, and how long the log gets: small enough that all of it is seen. */
import type { Harm, Theft } from "./adversaries.js"
import type { Habits } from "./honest.js"
import type { Name } from "./state.js"

export interface Scenario {
  readonly name: string
  readonly words: string
  readonly members: readonly Name[]
  /** D may be let in. */
  readonly newcomer?: boolean
  /** Who reads, and hears of knocks, some time; the others do at once. */
  readonly late: readonly Name[]
  /** Entries in the log, and knocks that honest members make, at most. */
  readonly length: number
  readonly knocks: number
  readonly habits: Habits
  readonly harm?: Harm
  readonly theft?: Theft
}

const nothing: Habits = {
  active: ["A", "B"],
  refresh: 0,
  send: 0,
  remove: 0,
  add: 0,
  restart: 0,
  day: 0,
  replay: 0,
  falseAnswers: 0,
}
const onlyA = [["A"]] as const
const anybody = [["A"], ["A", "B"]] as const

export const scenarios: readonly Scenario[] = [
  {
    name: "honest",
    words: "three members and a newcomer, and nobody who means harm",
    ...{ late: ["A", "C"], members: ["A", "B", "C", "M"], newcomer: true, length: 6, knocks: 2 },
    habits: { ...nothing, refresh: 2, send: 1, remove: 1, add: 1 },
  },
  {
    name: "insider",
    words: "an insider shuts members out, alone and together, again and again",
    ...{ late: ["A"], members: ["A", "B", "C", "M"], length: 6, knocks: 2 },
    habits: { ...nothing, active: ["A"], refresh: 1, send: 1 },
    harm: { entries: 2, knocks: 0, moves: ["closed path"], victims: anybody },
  },
  {
    name: "keys",
    words: "an insider registers keys that nobody else has, and appends garbage of all kinds",
    ...{ late: ["A"], members: ["A", "B", "M"], length: 6, knocks: 1 },
    habits: { ...nothing, refresh: 1, send: 1, remove: 1 },
    harm: {
      ...{ entries: 2, knocks: 0, victims: onlyA },
      moves: [
        ...([
          "closed path",
          "other key",
          "garbage",
          "garbage with a key",
          "past commit",
          "past commit with a key",
        ] as const),
        ...(["own message with a key", "path without a key"] as const),
      ],
    },
  },
  {
    name: "answers",
    words: "an insider answers knocks falsely, or with Welcomes into a group that he has invented",
    ...{ late: ["A", "C"], members: ["A", "B", "C", "M"], length: 6, knocks: 3 },
    habits: nothing,
    harm: {
      entries: 2,
      knocks: 1,
      moves: ["closed path", "false answer", "invented answer", "forged knock"],
      victims: onlyA,
    },
  },
  {
    name: "days",
    words: "a member cannot follow, knocks expire, members restart, and the insider is removed",
    ...{ late: ["A", "C"], members: ["A", "B", "C", "M"], length: 6, knocks: 3 },
    habits: { ...nothing, active: ["B"], remove: 1, restart: 1, day: 1, replay: 1 },
    harm: { entries: 1, knocks: 0, moves: ["closed path"], victims: onlyA },
  },
  {
    name: "liar",
    words:
      "a service holds back knocks and answers, shows old knocks again, and gives out answers that nobody has made",
    ...{ late: ["A", "C"], members: ["A", "B", "C", "M"], length: 6, knocks: 4 },
    habits: { ...nothing, active: ["A"], refresh: 1, send: 1, replay: 1, falseAnswers: 2 },
    harm: { entries: 1, knocks: 0, moves: ["closed path"], victims: onlyA },
  },
  {
    name: "loop",
    words: "an insider knocks in a loop, for himself and for a stranger",
    ...{ late: ["A"], members: ["A", "B", "C", "M"], length: 6, knocks: 0 },
    habits: { ...nothing, refresh: 1, remove: 1 },
    harm: { entries: 0, knocks: 2, moves: ["knock", "knock for a stranger"], victims: onlyA },
  },
  {
    name: "thief",
    words: "a thief copies A's whole state, and an insider shuts A out",
    ...{ late: ["A"], members: ["A", "B", "C", "M"], length: 6, knocks: 1 },
    habits: { ...nothing, refresh: 1 },
    harm: { entries: 1, knocks: 0, moves: ["closed path"], victims: onlyA },
    theft: { entries: 1, knocks: 1 },
  },
  {
    name: "removed",
    words: "a member is removed and a newcomer let in; the removed one and a stranger try everything",
    ...{ late: ["A"], members: ["A", "B", "M"], newcomer: true, length: 6, knocks: 2 },
    habits: { ...nothing, refresh: 1, send: 1, remove: 1, add: 1 },
    harm: { entries: 1, knocks: 0, moves: ["closed path", "garbage"], victims: onlyA },
  },
]
