import { ClientError } from "../errors.js"
import type { ConversationHandle } from "./handle.js"
import type { Runner } from "./runner.js"

export interface PollingRoundOptions {
  readonly inbox: Runner
  /** Those of which nothing is heard otherwise. */
  readonly conversations: () => readonly ConversationHandle[]
}

/** Conversations in one round: those in which something happened last, and some of the others in their turn. */
const RECENT = 4
const IN_TURN = 8
/** Knocks wait for hours: they are asked for each so many rounds. */
const ROUNDS_PER_KNOCKS = 6

/** What a subscription would bring, asked for by requests. */
export class PollingRound {
  readonly #options: PollingRoundOptions
  /** Where each conversation was, and in which round it was there first. */
  readonly #places = new Map<string, { readonly cursor: bigint; readonly round: number }>()
  /** The last one whose turn it was. */
  #last = ""
  #rounds = 0

  constructor(options: PollingRoundOptions) {
    this.#options = options
  }

  /** Rejects where the service does not answer. */
  async run(): Promise<void> {
    this.#rounds++
    await this.#readInbox()
    const knocks = this.#rounds % ROUNDS_PER_KNOCKS === 1
    for (const { driver } of this.#chosen()) {
      driver.bring({ type: "polled", knocks })
      driver.runner.wake()
    }
  }

  async #readInbox(): Promise<void> {
    const { inbox } = this.#options
    try {
      await inbox.once()
    } catch (error) {
      if (error instanceof ClientError && error.code !== "UNAVAILABLE" && error.code !== "STORE_FAILED") inbox.wake()
      else throw error
    }
  }

  #chosen(): readonly ConversationHandle[] {
    const all = [...this.#options.conversations()].sort((a, b) => (a.id < b.id ? -1 : 1))
    for (const it of all) this.#note(it)
    if (all.length <= RECENT + IN_TURN) return all
    const roundOf = ({ id }: ConversationHandle) => this.#places.get(id)?.round ?? 0
    const recent = [...all].sort((a, b) => roundOf(b) - roundOf(a)).slice(0, RECENT)
    const others = all.filter((it) => !recent.includes(it))
    const from = others.findIndex(({ id }) => id > this.#last)
    const at = from === -1 ? 0 : from
    const inTurn = [...others.slice(at), ...others.slice(0, at)].slice(0, IN_TURN)
    this.#last = inTurn.at(-1)!.id
    return [...recent, ...inTurn]
  }

  #note({ id, driver }: ConversationHandle): void {
    const { cursor } = driver.state.position
    if (this.#places.get(id)?.cursor !== cursor) this.#places.set(id, { cursor, round: this.#rounds })
  }
}
