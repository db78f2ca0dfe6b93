import type { KnockRefusal } from "../conversation/admission.js"
import type { Effect } from "../conversation/effects.js"
import type { Answered, Question } from "../conversation/question.js"
import type { State } from "../conversation/state.js"
import type { Input } from "../conversation/step.js"
import { faultOf } from "./faults.js"
import type { Log } from "./log.js"

/** A change that a report still shows when the log has forgotten it. */
export interface Transition {
  /** `this.#log.elapsed()`. */
  readonly at: number
  readonly of: "status" | "recovery" | "obstacle"
  readonly from: string
  readonly to: string
}

const TRANSITIONS_KEPT = 8

/** Writes down what happens to one conversation, as it is computed: a failed transaction has a line of its own. */
export class ConversationLog {
  readonly #log: Log
  readonly #conversation: string
  readonly #transitions: Transition[] = []
  #status: State["facts"]["status"] | undefined
  #recovery: State["recovery"]["type"]
  #obstacle: State["obstacle"]["type"]

  constructor(log: Log, { key, recovery, obstacle }: State) {
    this.#log = log
    this.#conversation = key
    this.#recovery = recovery.type
    this.#obstacle = obstacle.type
  }

  /** The last eight, oldest first. */
  get transitions(): readonly Transition[] {
    return this.#transitions
  }

  stepped(input: Input, state: State, effects: readonly Effect[]): void {
    const last = effects.at(-1)
    this.#log.write("input", {
      conversation: this.#conversation,
      input: input.type,
      of: input.type === "answered" ? input.to : input.type === "wished" ? input.wish.type : undefined,
      entries: input.type === "brought" ? input.entries.length : undefined,
      epoch: state.epoch,
      seq: state.position.cursor,
      effects: effects.length,
      asks: last?.type === "ask" ? last.question.type : undefined,
    })
    this.look(state)
  }

  answered({ question, ...answered }: Answered, begun: number): void {
    const { to, answer } = answered
    this.#log.write("answer", {
      conversation: this.#conversation,
      question: to,
      sent: question.type === "send" ? question.sent.of : undefined,
      size: question.type === "send" ? question.request.length : undefined,
      answer:
        to === "read"
          ? answer.type
          : to === "send" || to === "answer"
            ? answer.type
            : to === "head"
              ? (answer?.type ?? "notFound")
              : undefined,
      count: countOf(answered),
      milliseconds: this.#log.elapsed() - begun,
    })
  }

  unanswered(question: Question, error: unknown, begun: number): void {
    const sent = question.type === "send" ? question.sent.of : undefined
    const milliseconds = this.#log.elapsed() - begun
    const { type } = question
    this.#log.write("no answer", {
      conversation: this.#conversation,
      question: type,
      sent,
      error: faultOf(error),
      milliseconds,
    })
  }

  /** Looks at what has become of the conversation: after a step, or after it was read from the store. */
  look({ facts, recovery, obstacle }: State): void {
    const conversation = this.#conversation
    const at = this.#log.elapsed()
    if (this.#status !== undefined && this.#status !== facts.status) {
      this.#log.write("status", { conversation, from: this.#status, to: facts.status })
      this.#keep({ at, of: "status", from: this.#status, to: facts.status })
    }
    if (this.#recovery !== recovery.type) {
      this.#log.write("recovery", { conversation, from: this.#recovery, to: recovery.type })
      this.#keep({ at, of: "recovery", from: this.#recovery, to: recovery.type })
    }
    if (this.#obstacle !== obstacle.type) {
      this.#log.write("obstacle", { conversation, from: this.#obstacle, to: obstacle.type })
      this.#keep({ at, of: "obstacle", from: this.#obstacle, to: obstacle.type })
    }
    this.#status = facts.status
    this.#recovery = recovery.type
    this.#obstacle = obstacle.type
  }

  note({ of, why }: { readonly of: "knock"; readonly why: KnockRefusal }): void {
    this.#log.write("passed over", { conversation: this.#conversation, of, why })
  }

  #keep(transition: Transition): void {
    this.#transitions.push(transition)
    if (this.#transitions.length > TRANSITIONS_KEPT) this.#transitions.shift()
  }
}

function countOf(answered: Pick<Answered, "to" | "answer">): number | undefined {
  const { to, answer } = answered as Answered
  if (to === "read") return answer.type === "entries" ? answer.entries.length : undefined
  if (to === "knocks") return answer.length
  if (to === "group") return answer.group.length
  if (to === "devices") return answer.size
  if (to === "claim") return answer.length
  return to === "judge" ? answer.verdicts.length : undefined
}
