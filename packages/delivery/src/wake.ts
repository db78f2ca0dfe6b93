/**
 * Lossy hints that something has changed: whoever waits looks sooner than it would by itself. The truth is in the
 * store alone, and a hint that is lost only delays.
 */
export interface Wake {
  notify(topic: string): void
  watch(topics: Iterable<string>): Watch
}

export interface Watch {
  /**
   * Which of the topics were notified since the last call; waits for the first. Empty when time is over or the signal
   * is aborted.
   */
  changed(options: { readonly timeoutMilliseconds: number; readonly signal: AbortSignal }): Promise<ReadonlySet<string>>
  close(): void
}

/** Hints within one process. */
export function processWake(): Wake {
  const watching = new Map<string, Set<ProcessWatch>>()
  return {
    notify(topic) {
      for (const watch of watching.get(topic) ?? []) watch.note(topic)
    },
    watch(topics) {
      const list = [...topics]
      const watch = new ProcessWatch(() => {
        for (const topic of list) {
          const watches = watching.get(topic)
          watches?.delete(watch)
          if (watches?.size === 0) watching.delete(topic)
        }
      })
      for (const topic of list) {
        const watches = watching.get(topic) ?? new Set()
        watching.set(topic, watches.add(watch))
      }
      return watch
    },
  }
}

class ProcessWatch implements Watch {
  readonly close: () => void
  #noted = new Set<string>()
  #wake: (() => void) | undefined

  constructor(close: () => void) {
    this.close = close
  }

  note(topic: string): void {
    this.#noted.add(topic)
    this.#wake?.()
  }

  async changed(options: {
    readonly timeoutMilliseconds: number
    readonly signal: AbortSignal
  }): Promise<ReadonlySet<string>> {
    if (this.#noted.size === 0 && !options.signal.aborted) await this.#wait(options)
    const noted = this.#noted
    this.#noted = new Set()
    return noted
  }

  #wait({ timeoutMilliseconds, signal }: { timeoutMilliseconds: number; signal: AbortSignal }): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener("abort", done)
        this.#wake = undefined
        resolve()
      }
      const timer = setTimeout(done, timeoutMilliseconds)
      signal.addEventListener("abort", done)
      this.#wake = done
    })
  }
}
