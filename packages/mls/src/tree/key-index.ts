/**
 * Which public keys occur in a tree, so that a new one is checked in constant time: scanning the tree for each key makes
 * joining and adding quadratic. A draft of the next epoch keeps only its differences until it is adopted.
 */
export class KeyIndex {
  readonly #base: Map<string, number>
  readonly #changes = new Map<string, number>()
  /** Keys that were taken, those that are twice in the tree twice. */
  #taken = 0

  constructor(base: Map<string, number> = new Map()) {
    this.#base = base
  }

  /** A key of the tree that the index is first made for. */
  take(key: Uint8Array): void {
    const name = keyName(key)
    this.#base.set(name, (this.#base.get(name) ?? 0) + 1)
    this.#taken++
  }

  /** Whether the index is known to have each of its keys once: it is where the tree has just been read. */
  get areDistinct(): boolean {
    return this.#taken === this.#base.size && this.#changes.size === 0
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
  return key.length === 32 ? nameOf32(key) : String.fromCharCode.apply(null, key as unknown as number[])
}

/** Most keys are this long, and a call with as many arguments takes a tenth of one with an array of them. */
// biome-ignore format: a table
function nameOf32(k: Uint8Array): string {
  return String.fromCharCode(
    k[0]!, k[1]!, k[2]!, k[3]!, k[4]!, k[5]!, k[6]!, k[7]!,
    k[8]!, k[9]!, k[10]!, k[11]!, k[12]!, k[13]!, k[14]!, k[15]!,
    k[16]!, k[17]!, k[18]!, k[19]!, k[20]!, k[21]!, k[22]!, k[23]!,
    k[24]!, k[25]!, k[26]!, k[27]!, k[28]!, k[29]!, k[30]!, k[31]!,
  )
}
