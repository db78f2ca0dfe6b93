/**
 * Which public keys occur in a tree, so that a new one is checked in constant time: scanning the tree for each key makes
 * joining and adding quadratic. A draft of the next epoch keeps only its differences until it is adopted.
 */
export class KeyIndex {
  readonly #base: Map<string, number>
  readonly #changes = new Map<string, number>()

  constructor(base: Map<string, number> = new Map()) {
    this.#base = base
  }

  /** A key of the tree that the index is first made for. */
  take(key: Uint8Array): void {
    const name = keyName(key)
    this.#base.set(name, (this.#base.get(name) ?? 0) + 1)
  }

  draft(): KeyIndex {
    this.adopt()
    return new KeyIndex(this.#base)
  }

  /** How many nodes hold the key. */
  count(key: Uint8Array): number {
    const name = keyName(key)
    return (this.#base.get(name) ?? 0) + (this.#changes.get(name) ?? 0)
  }

  add(key: Uint8Array): void {
    this.#change(key, 1)
  }

  remove(key: Uint8Array): void {
    this.#change(key, -1)
  }

  /** Makes the differences part of the index that later drafts start from. Earlier epochs need theirs no longer. */
  adopt(): void {
    for (const [name, change] of this.#changes) {
      const count = (this.#base.get(name) ?? 0) + change
      if (count === 0) this.#base.delete(name)
      else this.#base.set(name, count)
    }
    this.#changes.clear()
  }

  #change(key: Uint8Array, change: number): void {
    const name = keyName(key)
    const sum = (this.#changes.get(name) ?? 0) + change
    if (sum === 0) this.#changes.delete(name)
    else this.#changes.set(name, sum)
  }
}

/** A public key as the key of a Map. */
export function keyName(key: Uint8Array): string {
  return String.fromCharCode.apply(null, key as unknown as number[])
}
