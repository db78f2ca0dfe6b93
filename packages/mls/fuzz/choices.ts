/**
 * An input read as a row of choices: what a structure-aware target does follows from them, and from nothing else. Behind
 * the end of the input every choice is 0, which is everywhere the plainest one.
 */
export class Choices {
  readonly #input: Uint8Array
  #at = 0

  constructor(input: Uint8Array) {
    this.#input = input
  }

  get isOver(): boolean {
    return this.#at >= this.#input.length
  }

  /** From 0 to `count` − 1. */
  of(count: number): number {
    const low = this.#octet()
    return (count <= 256 ? low : low + 256 * this.#octet()) % count
  }

  one<T>(list: readonly T[]): T {
    return list[this.of(list.length)]!
  }

  #octet(): number {
    return this.#input[this.#at++] ?? 0
  }
}
