import { createInterface, type Interface } from "node:readline"
import { Failure } from "../../failure.js"
import type { Terminal } from "../../terminal/terminal.js"
import { words } from "../../words/words.js"

/** Recovery keys as a person types them, one a line. */
export class TypedKeys implements Disposable {
  readonly #lines: Interface
  readonly #typed: AsyncIterator<string>
  readonly #terminal: Terminal

  constructor(terminal: Terminal) {
    this.#terminal = terminal
    this.#lines = createInterface({ input: terminal.input, crlfDelay: Number.POSITIVE_INFINITY })
    this.#typed = this.#lines[Symbol.asyncIterator]()
  }

  async next(prompt: string): Promise<string> {
    this.#terminal.tell(prompt)
    for (;;) {
      const { done, value } = await this.#typed.next()
      if (done === true) throw new Failure(words().recovery.noInput)
      if (value.trim() !== "") return value.trim()
    }
  }

  [Symbol.dispose](): void {
    this.#lines.close()
  }
}

/** What does not matter about how it was typed; see `Recovery` of the SDK. */
export const plain = (text: string): string =>
  text.toUpperCase().replace(/[\s-]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1")

/** A text that is no recovery key is the person's mistake, not the program's. */
export function asFailure(error: unknown): unknown {
  return error instanceof TypeError ? new Failure(words().recovery.notAKey(error.message)) : error
}
