/**
 * Where rows stand of which only some are drawn: by their measured heights, and by guesses for those that were not drawn
 * yet. Pixels from the top of the list. Nothing here knows an element.
 */
export class Rows {
  readonly #measured = new Map<string, number>()
  #keys: readonly string[] = []
  #guesses: readonly number[] = []
  #indexes = new Map<string, number>()
  /** Where each row begins, and after them where the last one ends. */
  #tops: readonly number[] | undefined

  get count(): number {
    return this.#keys.length
  }

  get total(): number {
    return this.top(this.count)
  }

  /** The rows in their order, of different keys; `guesses`: their heights as long as they are not measured. */
  set(keys: readonly string[], guesses: readonly number[]): void {
    this.#keys = keys
    this.#guesses = guesses
    this.#indexes = new Map(keys.map((key, index) => [key, index]))
    this.#tops = undefined
    if (this.#measured.size <= FORGOTTEN_FROM + 2 * keys.length) return
    for (const key of [...this.#measured.keys()]) if (!this.#indexes.has(key)) this.#measured.delete(key)
  }

  /** Whether that moves what follows. */
  measure(key: string, height: number): boolean {
    const index = this.#indexes.get(key)
    if (index === undefined) return false
    const before = this.#measured.get(key) ?? this.#guesses[index]
    this.#measured.set(key, height)
    if (before === height) return false
    this.#tops = undefined
    return true
  }

  index(key: string): number | undefined {
    return this.#indexes.get(key)
  }

  key(index: number): string | undefined {
    return this.#keys[index]
  }

  top(index: number): number {
    this.#tops ??= this.#sums()
    return this.#tops[Math.min(Math.max(index, 0), this.count)]!
  }

  /** The rows that stand between two heights: from `first` to before `end`. */
  between(top: number, bottom: number): { readonly first: number; readonly end: number } {
    const first = this.#at(top)
    return { first, end: Math.max(first, Math.min(this.count, this.#at(bottom) + 1)) }
  }

  /** The last row that begins at this height or above. */
  #at(height: number): number {
    let [low, high] = [0, Math.max(0, this.count - 1)]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.top(middle) <= height) low = middle
      else high = middle - 1
    }
    return low
  }

  #sums(): readonly number[] {
    const tops = [0]
    for (const [index, key] of this.#keys.entries()) {
      tops.push(tops[index]! + (this.#measured.get(key) ?? this.#guesses[index] ?? 0))
    }
    return tops
  }
}

/** So many heights of rows that are gone may be remembered: they may come back. */
const FORGOTTEN_FROM = 1_000
