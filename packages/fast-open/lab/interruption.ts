import { mkdtempSync, rmSync } from "node:fs"
import { constants, tmpdir } from "node:os"
import { join } from "node:path"

/** Of a shell, for what a signal has ended. */
const SIGNALLED = 128

/** At Ctrl-C, or a signal to end, what `exit` listeners clean up is cleaned up: a signal alone runs none of them. */
export function endAtSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => process.exit(SIGNALLED + constants.signals[signal]))
  }
}

/** A temporary folder that is gone when it is disposed of, and when the process ends before that. */
export class TemporaryFolder implements Disposable {
  readonly path: string
  readonly #remove = () => rmSync(this.path, { recursive: true, force: true, maxRetries: 5 })

  constructor(prefix: string) {
    this.path = mkdtempSync(join(tmpdir(), prefix))
    process.once("exit", this.#remove)
  }

  [Symbol.dispose](): void {
    process.removeListener("exit", this.#remove)
    this.#remove()
  }
}
