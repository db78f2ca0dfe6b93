import { type Sliced, toEnd } from "@conclave/mls"
import type { Worked } from "../src/conversation/question.js"
import { type Moment, State } from "../src/conversation/state.js"
import { type Input, type Stepped, step } from "../src/conversation/step.js"
import { loadState } from "../src/device/loading.js"
import { MemoryProfile } from "../src/store/memory.js"
import type { SealedStore } from "../src/store/sealed.js"
import { type Invariants, short } from "./invariants.js"
import { text } from "./watch.js"

export interface RecorderOptions {
  readonly invariants: Invariants
  readonly profile: MemoryProfile
  /** Reads what is on a disk. */
  readonly diskOf: (profile: MemoryProfile) => SealedStore
  readonly device: string
}

/** One step: all that went into it, and what came out. */
interface Recorded {
  readonly input: Input
  readonly moment: Moment
  /** What the group's clock showed, in seconds. */
  readonly seconds: bigint
  readonly random: readonly Uint8Array[]
  readonly effects: string
  /** The disk from which the conversation was read again just before. */
  readonly reloadedFrom: MemoryProfile | undefined
}

interface Recording {
  /** `undefined` for a conversation of which nothing was stored. */
  readonly from: MemoryProfile | undefined
  readonly id: Uint8Array
  readonly steps: Recorded[]
  /** The number of the last question, from which a reload is seen. */
  asked: number
  /** It has what was made elsewhere: what comes after that is not recorded. */
  isOver: boolean
}

/**
 * Takes the steps of a device's conversations and records what goes into them. At the end of each life of the program
 * they are taken again, from the same disk: the effects must be the same, or a step depends on something else.
 */
export class Recorder {
  readonly #options: RecorderOptions
  readonly #recordings = new Map<string, Recording>()
  #drawn: Uint8Array[] | undefined
  #isRecording = false

  constructor(options: RecorderOptions) {
    this.#options = options
  }

  /** A program begins; nothing is in its memory. */
  begin(): void {
    this.#recordings.clear()
    this.#isRecording = true
  }

  /** Randomness that the program has drawn. */
  drew(bytes: Uint8Array): Uint8Array {
    this.#drawn?.push(bytes.slice())
    return bytes
  }

  step(state: State, input: Input, moment: Moment): Stepped {
    if (!this.#isRecording) return step(state, input, moment)
    const recording = this.#recordings.get(state.key) ?? this.#start(state)
    const reloadedFrom = recording.asked === state.asked ? undefined : copyOf(this.#options.profile)
    if (reloadedFrom !== undefined && state.staged !== undefined) {
      const what = `${this.#options.device}: what was staged in ${short(state.key)} outlives a reload`
      this.#options.invariants.broken("what is in memory is what is stored", what)
    }
    if (isMadeElsewhere(input)) recording.isOver = true
    this.#drawn = []
    const { now } = moment.groupOptions
    const seconds = now?.() ?? 0n
    const stepped = step(state, input, moment)
    const random = this.#drawn
    this.#drawn = undefined
    recording.asked = state.asked
    if (!recording.isOver) {
      recording.steps.push({ input, moment, seconds, random, effects: text(stepped.effects), reloadedFrom })
    }
    return stepped
  }

  #start({ id, key, asked }: State): Recording {
    const from = asked === 0 ? undefined : copyOf(this.#options.profile)
    const recording: Recording = { from, id, steps: [], asked, isOver: false }
    this.#recordings.set(key, recording)
    return recording
  }

  /** Takes all steps again; calls that come later record nothing. */
  async end(): Promise<void> {
    this.#isRecording = false
    const recordings = [...this.#recordings.values()]
    this.#recordings.clear()
    for (const recording of recordings) await this.#replay(recording)
  }

  async #replay({ from, id, steps }: Recording): Promise<void> {
    const { invariants, device, diskOf } = this.#options
    const [first] = steps
    if (first === undefined) return
    const state = new State(id)
    const source = new Source(first)
    if (from !== undefined) await loadState(state, diskOf(from), source.moment(first))
    for (const [at, recorded] of steps.entries()) {
      source.go(recorded)
      if (recorded.reloadedFrom !== undefined) {
        await loadState(state, diskOf(recorded.reloadedFrom), source.moment(recorded))
      }
      const { effects } = step(state, forState(state, recorded.input), source.moment(recorded))
      if (text(effects) === recorded.effects && source.isSpent) continue
      const what = `step ${at + 1} of ${short(state.key)} (${recorded.input.type}) has other effects when it is repeated`
      invariants.broken("a step depends on its inputs alone", `${device}: ${what}`)
      return
    }
    state.group?.[Symbol.dispose]()
  }
}

/** A group that was entered, or a commit that was made in slices, with randomness that was drawn between two steps. */
function isMadeElsewhere(input: Input): boolean {
  return input.type === "joined" || (input.type === "answered" && input.to === "make")
}

/**
 * Verdicts are about the very claims that a group has staged, and what was opened in slices belongs to the very group:
 * those of this one take their place.
 */
function forState({ asking }: State, input: Input): Input {
  if (input.type === "answered" && input.to === "open" && asking?.type === "open") {
    return { ...input, question: asking, answer: workedOn(asking.work) }
  }
  if (input.type === "answered" && input.to === "enter" && asking?.type === "enter") {
    return { ...input, question: asking, answer: workedOn(asking.work) }
  }
  if (input.type !== "answered" || input.to !== "judge" || asking?.type !== "judge") return input
  const { claims } = asking
  const verdicts = input.answer.verdicts.map((verdict, at) => ({ ...verdict, claim: claims[at] ?? verdict.claim }))
  return { ...input, question: asking, answer: { ...input.answer, verdicts } }
}

function workedOn<T>(work: Sliced<T>): Worked<T> {
  try {
    return { done: toEnd(work) }
  } catch (failure) {
    return { failure }
  }
}

/** Time and randomness as they were. */
class Source {
  #step: Recorded
  #drawn = 0

  constructor(step: Recorded) {
    this.#step = step
  }

  go(step: Recorded): void {
    this.#step = step
    this.#drawn = 0
  }

  get isSpent(): boolean {
    return this.#drawn === this.#step.random.length
  }

  moment({ moment }: Recorded): Moment {
    const random = (length: number) => {
      const bytes = this.#step.random[this.#drawn++]
      return bytes?.length === length ? bytes.slice() : new Uint8Array(length)
    }
    return { ...moment, random, groupOptions: { ...moment.groupOptions, random, now: () => this.#step.seconds } }
  }
}

function copyOf(profile: MemoryProfile): MemoryProfile {
  const copy = new MemoryProfile()
  for (const [key, record] of profile.records) copy.records.set(key, record)
  return copy
}
