/** The last items, as many as fit into a number of bytes; a newer one pushes the oldest out. */
export class Ring<T> {
  readonly #bytesMax: number
  #items: { readonly item: T; readonly bytes: number }[] = []
  /** Those before are out. */
  #first = 0
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** `bytes`: what the item takes in memory. */
  add(item: T, bytes: number): void {
    this.#items.push({ item, bytes })
    this.#bytes += bytes
    while (this.#bytes > this.#bytesMax) {
      this.#bytes -= this.#items[this.#first]!.bytes
      this.#items[this.#first++] = undefined as never
    }
    // As many holes as items: the array moves up, so that each item is moved once on average.
    if (this.#first * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#first)
      this.#first = 0
    }
  }

  /** Oldest first. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let at = this.#first; at < this.#items.length; at++) yield this.#items[at]!.item
  }
}
