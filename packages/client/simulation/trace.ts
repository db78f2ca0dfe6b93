import { createHash } from "node:crypto"

/** Everything that happens in a run, byte for byte: two runs of one plan have the same fingerprint. */
export class Trace {
  readonly #hash = createHash("sha256")
  /** In words, where it is kept. */
  readonly lines: string[] = []
  readonly #isKept: boolean
  #fingerprint: string | undefined

  constructor(isKept: boolean) {
    this.#isKept = isKept
  }

  note(at: number, what: string, bytes?: Uint8Array): void {
    if (this.#fingerprint !== undefined) return
    this.#hash.update(`${at} ${what} ${bytes?.length ?? 0}\n`)
    if (bytes !== undefined) this.#hash.update(bytes)
    if (!this.#isKept) return
    this.lines.push(`${(at / 1000).toFixed(3)} ${what}${bytes === undefined ? "" : ` (${bytes.length} bytes)`}`)
  }

  /** Hexadecimal; nothing is noted after that: what a program that was left alone still does is no part of the run. */
  fingerprint(): string {
    this.#fingerprint ??= this.#hash.digest("hex")
    return this.#fingerprint
  }
}
