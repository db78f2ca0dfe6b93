/**
 * A map of bounded size. It keeps the `sizeMax` / 2 names that were used last, and at most `sizeMax`: whenever the younger
 * half is full, it becomes the older one, and what was not used since is forgotten at once. Taking the oldest out of one Map,
 * one by one, would look at all that was taken out before.
 */
export class Recent<Value> {
  readonly #halfMax: number
  #young = new Map<string, Value>()
  /** What is in both is as in the younger half. */
  #old = new Map<string, Value>()

  constructor(sizeMax: number) {
    this.#halfMax = Math.ceil(sizeMax / 2)
  }

  get(name: string): Value | undefined {
    const young = this.#young.get(name)
    if (young !== undefined) return young
    const old = this.#old.get(name)
    if (old !== undefined) this.set(name, old)
    return old
  }

  set(name: string, value: Value): void {
    this.#young.set(name, value)
    if (this.#young.size < this.#halfMax) return
    this.#old = this.#young
    this.#young = new Map()
  }
}
