import { processWake, type Wake, type Watch } from "@conclave/delivery/store"
import { hintOf } from "./frame.js"

type HintOf = (topic: string) => string

/**
 * The watches of this process, by the hints of their topics: what comes from other gateways names no topic, and a hint
 * that nobody watches here costs one look into a map.
 */
export class HintedTopics {
  readonly #hints: Wake = processWake()
  readonly #hintOf: HintOf

  constructor(hint: HintOf = hintOf) {
    this.#hintOf = hint
  }

  note(hint: string): void {
    this.#hints.notifyHere(hint)
  }

  noteAll(): void {
    this.#hints.notifyAllHere()
  }

  watch(topics: Iterable<string>, noted?: (topic: string) => void): Watch {
    const byHint = new TopicsByHint(this.#hintOf)
    for (const topic of topics) byHint.add(topic)
    const told = noted && ((hint: string) => byHint.of(hint).forEach(noted))
    return new HintedWatch(this.#hints.watch(byHint.hints(), told), byHint)
  }

  watching(topic: string): number {
    return this.#hints.watching(this.#hintOf(topic))
  }
}

class HintedWatch implements Watch {
  readonly #watch: Watch
  readonly #topics: TopicsByHint

  constructor(watch: Watch, topics: TopicsByHint) {
    this.#watch = watch
    this.#topics = topics
  }

  async changed(options: { readonly signal: AbortSignal }): Promise<ReadonlySet<string>> {
    const changed = new Set<string>()
    for (const hint of await this.#watch.changed(options)) {
      for (const topic of this.#topics.of(hint)) changed.add(topic)
    }
    return changed
  }

  drop(topic: string): void {
    const hint = this.#topics.delete(topic)
    if (hint !== undefined) this.#watch.drop(hint)
  }

  close(): void {
    this.#watch.close()
  }
}

/** Two topics with one hint are both kept: neither may be missed. */
class TopicsByHint {
  readonly #topics = new Map<string, string | readonly string[]>()
  readonly #hintOf: HintOf

  constructor(hint: HintOf) {
    this.#hintOf = hint
  }

  hints(): Iterable<string> {
    return this.#topics.keys()
  }

  of(hint: string): readonly string[] {
    const topics = this.#topics.get(hint)
    return topics === undefined ? [] : typeof topics === "string" ? [topics] : topics
  }

  add(topic: string): void {
    const hint = this.#hintOf(topic)
    const others = this.of(hint).filter((it) => it !== topic)
    this.#topics.set(hint, others.length === 0 ? topic : [...others, topic])
  }

  /** The hint, where no other topic has it. */
  delete(topic: string): string | undefined {
    const hint = this.#hintOf(topic)
    const others = this.of(hint).filter((it) => it !== topic)
    if (others.length === 0) return this.#topics.delete(hint) ? hint : undefined
    this.#topics.set(hint, others)
    return undefined
  }
}
