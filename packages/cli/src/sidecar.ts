import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs"
import { syncFolderOf } from "./files.js"

/**
 * A small record beside a profile: written whole or not at all, durable when the call returns, for its owner alone.
 * It is not sealed: nothing of a message belongs there.
 */
export class Sidecar<T> {
  readonly #file: string
  readonly #read: (value: unknown) => T | undefined

  /** `read` gives `undefined` for what is not of the type: such a file is as good as none. */
  constructor(file: string, read: (value: unknown) => T | undefined) {
    this.#file = file
    this.#read = read
  }

  read(): T | undefined {
    try {
      return this.#read(JSON.parse(readFileSync(this.#file, "utf8")))
    } catch (error) {
      if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return undefined
      throw error
    }
  }

  write(value: T): void {
    const temporary = `${this.#file}.new`
    const descriptor = openSync(temporary, "w", 0o600)
    try {
      writeSync(descriptor, JSON.stringify(value))
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(temporary, this.#file)
    syncFolderOf(this.#file)
  }

  remove(): void {
    rmSync(this.#file, { force: true })
  }
}
