import { chmodSync, closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs"
import type { CryptoProvider } from "@conclave/crypto"
import { KeyRing } from "@conclave/fast-open"
import { Failure } from "../failure.js"

const PINNED_KEY_ID = 0
const PRIVATE_KEY_SIZE = 32
/** How soon a key that has been replaced or destroyed in memory is so in the file. */
const LOOK_EVERY_MILLISECONDS = 60_000

/**
 * The service's keys for sealed requests: those of the day, which change by themselves, and the pinned one, which stays.
 * In a file for its owner alone, so that clients need not learn them anew after a restart.
 */
export class KeyFile implements Disposable {
  readonly ring: KeyRing
  /** 32 bytes: what clients may be given to know the service by. */
  readonly publicKey: Uint8Array
  readonly #file: string
  readonly #timer: NodeJS.Timeout
  #stored = Buffer.alloc(0)

  /** Throws {@link Failure} for a file that is damaged, and the system's error for one that cannot be written. */
  constructor(file: string, { provider, now = Date.now }: { provider: CryptoProvider; now?: () => number }) {
    this.#file = file
    this.ring = new KeyRing({ provider, now })
    this.#load()
    this.publicKey = this.ring.find(PINNED_KEY_ID)?.publicKey ?? this.ring.pin(provider.random(PRIVATE_KEY_SIZE))
    this.save()
    this.#timer = setInterval(() => this.save(), LOOK_EVERY_MILLISECONDS)
    this.#timer.unref()
  }

  /** Writes the file if the keys have changed; it is whole at every moment. */
  save(): void {
    const keys = Buffer.from(this.ring.export())
    if (keys.equals(this.#stored)) return
    const temporary = `${this.#file}.new`
    const descriptor = openSync(temporary, "w", 0o600)
    try {
      writeSync(descriptor, keys)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(temporary, this.#file)
    this.#stored.fill(0)
    this.#stored = keys
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.save()
    this.#stored.fill(0)
    this.ring.destroy()
  }

  #load(): void {
    let stored: Buffer
    try {
      chmodSync(this.#file, 0o600)
      stored = readFileSync(this.#file)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return
      throw error
    }
    try {
      this.ring.import(stored)
    } catch (cause) {
      throw new Failure(
        `${this.#file}: the keys are damaged; delete the file to begin with others, and tell those who use --server-key`,
        { cause },
      )
    }
    stored.fill(0)
  }
}
