/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Lossy hints that something has changed: whoever waits looks sooner than it would by itself. The truth is in the
 * store alone, and a hint that is lost only delays.
 */
export interface Wake {
  notify(topic: string): void
  /** As `notify`, for the watches of this process alone, and never lost: for what was found out by looking. */
  notifyHere(topic: string): void
  /** As `notifyHere` for every topic that is watched: hints were missed, and nobody knows which. */
  notifyAllHere(): void
  /** With `noted`, which must be cheap, that is called for each notice at once, and `changed` tells of none. */
  watch(topics: Iterable<string>, noted?: (topic: string) => void): Watch
  /**
   * Passes bytes on to those who {@link hear} the topic now, in every process: at most once, and lost where anything is in
   * the way. `body`: at most {@link SIGNAL_SIZE_MAX} bytes.
   */
  signal(topic: string, body: Uint8Array): void
  /** Until it is disposed of. `listener` must be cheap. */
  hear(topic: string, listener: (body: Uint8Array) => void): Disposable
  /** How many watch the topic in this process. */
  watching(topic: string): number
}

/** A longer signal is dropped. */
export const SIGNAL_SIZE_MAX = 1_024

export interface Watch {
  /** Which of the topics were notified since the last call; waits for the first. Empty when the signal is aborted. */
  changed(options: { readonly signal: AbortSignal }): Promise<ReadonlySet<string>>
  /** Watches the topic no longer. */
  drop(topic: string): void
  close(): void
}

/** Hints within one process. An idle topic costs about 200 bytes with its name, and no time. */
export function processWake(): Wake {
  const watching = new Watching()
  const notify = (topic: string) => {
    for (const watch of watching.of(topic)) watch.note(topic)
  }
  const notifyAllHere = () => {
    for (const watch of watching.all) watch.noteAll()
  }
  const ears = new Ears()
  return {
    signal: (topic, body) => ears.tell(topic, body),
    hear: (topic, listener) => ears.add(topic, listener),
    notify,
    notifyHere: notify,
    notifyAllHere,
    watch: (topics, noted) => new ProcessWatch(topics, watching, noted),
    watching: (topic) => watching.count(topic),
  }
}

/** Who hears what: by topics, or whatever stands for them. */
export class Ears {
  readonly #listeners = new Map<string, Set<(body: Uint8Array) => void>>()

  add(topic: string, listener: (body: Uint8Array) => void): Disposable {
    const listeners = this.#listeners.get(topic) ?? new Set()
    this.#listeners.set(topic, listeners.add(listener))
    return {
      [Symbol.dispose]: () => {
        listeners.delete(listener)
        if (listeners.size === 0 && this.#listeners.get(topic) === listeners) this.#listeners.delete(topic)
      },
    }
  }

  tell(topic: string, body: Uint8Array): void {
    if (body.length > SIGNAL_SIZE_MAX) return
    for (const listener of this.#listeners.get(topic) ?? []) listener(body)
  }
}

/** Who watches what. Most topics have one watch: a set is made for the second. */
class Watching {
  readonly all = new Set<ProcessWatch>()
  readonly #watches = new Map<string, ProcessWatch | Set<ProcessWatch>>()

  of(topic: string): Iterable<ProcessWatch> {
    const watches = this.#watches.get(topic)
    return watches === undefined ? [] : watches instanceof Set ? watches : [watches]
  }

  count(topic: string): number {
    const watches = this.#watches.get(topic)
    return watches instanceof Set ? watches.size : watches === undefined ? 0 : 1
  }

  add(topic: string, watch: ProcessWatch): void {
    const watches = this.#watches.get(topic)
    if (watches === undefined) this.#watches.set(topic, watch)
    else if (watches instanceof Set) watches.add(watch)
    else this.#watches.set(topic, new Set([watches, watch]))
  }

  delete(topic: string, watch: ProcessWatch): void {
    const watches = this.#watches.get(topic)
    if (watches instanceof Set) watches.delete(watch)
    if (watches === watch || (watches instanceof Set && watches.size === 0)) this.#watches.delete(topic)
  }
}

class ProcessWatch implements Watch {
  readonly #watching: Watching
  readonly #topics: Set<string>
  readonly #told: ((topic: string) => void) | undefined
  #noted = new Set<string>()
  #isAllNoted = false
  #wake: (() => void) | undefined
  #signal: AbortSignal | undefined
  readonly #aborted = () => this.#wake?.()

  constructor(topics: Iterable<string>, watching: Watching, told?: (topic: string) => void) {
    this.#watching = watching
    this.#told = told
    this.#topics = new Set(topics)
    for (const topic of this.#topics) watching.add(topic, this)
    watching.all.add(this)
  }

  note(topic: string): void {
    if (this.#told !== undefined) this.#told(topic)
    else this.#noted.add(topic)
    this.#wake?.()
  }

  noteAll(): void {
    if (this.#topics.size === 0) return
    if (this.#told !== undefined) for (const topic of this.#topics) this.#told(topic)
    else this.#isAllNoted = true
    this.#wake?.()
  }

  async changed({ signal }: { readonly signal: AbortSignal }): Promise<ReadonlySet<string>> {
    if (this.#noted.size === 0 && !this.#isAllNoted && !signal.aborted) await this.#wait(signal)
    const noted = this.#isAllNoted ? new Set(this.#topics) : this.#noted
    this.#noted = new Set()
    this.#isAllNoted = false
    return noted
  }

  drop(topic: string): void {
    this.#topics.delete(topic)
    this.#noted.delete(topic)
    this.#watching.delete(topic, this)
  }

  close(): void {
    for (const topic of this.#topics) this.#watching.delete(topic, this)
    this.#topics.clear()
    this.#watching.all.delete(this)
    // One that waits is let go by its signal all the same.
    if (this.#wake === undefined) this.#listen(undefined)
  }

  #wait(signal: AbortSignal): Promise<void> {
    this.#listen(signal)
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined
        resolve()
      }
    })
  }

  /** Once for a signal, not for each wait: adding and removing a listener takes longer than all else of a notice. */
  #listen(signal: AbortSignal | undefined): void {
    if (this.#signal === signal) return
    this.#signal?.removeEventListener("abort", this.#aborted)
    signal?.addEventListener("abort", this.#aborted)
    this.#signal = signal
  }
}
