import type { Signal } from "../client.js"
import { faultOf, framesOf } from "../diagnostics/faults.js"
import type { Log } from "../diagnostics/log.js"
import type { ConversationHandle } from "./handle.js"
import type { StreamOptions } from "./subscription.js"

/** Those to whom signals are told. */
export class SignalListeners {
  readonly #log: Log
  readonly #listeners = new Set<{ readonly tell: (signal: Signal) => void }>()

  constructor(log: Log) {
    this.#log = log
  }

  /** Returns what takes it away. */
  add(listener: (signal: Signal) => void): () => void {
    const entry = { tell: listener }
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }

  /** What the stream asks and tells. */
  readonly hearing: Pick<StreamOptions, "hears" | "onSignal"> = {
    hears: () => this.#listeners.size > 0,
    onSignal: (conversation, body) => {
      if (this.#listeners.size > 0) this.#open(conversation, body).catch((error) => this.#failed(error))
    },
  }

  async #open(conversation: ConversationHandle, body: Uint8Array): Promise<void> {
    const signal = await conversation.openSignal(body)
    if (signal === undefined) return
    for (const { tell } of this.#listeners) {
      try {
        tell({ conversation, ...signal })
      } catch (error) {
        this.#failed(error)
      }
    }
  }

  #failed(error: unknown): void {
    this.#log.write("listener failed", { error: faultOf(error), frames: framesOf(error) })
  }
}
