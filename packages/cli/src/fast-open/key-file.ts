import { chmodSync, closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs"
import type { CryptoProvider } from "@conclave/crypto"
import { KeyRing } from "@conclave/fast-open"
import { Failure } from "../failure.js"
import { syncFolderOf } from "../files.js"
import { words } from "../words/words.js"

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
    write(this.#file, keys)
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
    try {
      chmodSync(this.#file, 0o600)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return
      throw error
    }
    load(this.ring, this.#file)
  }
}

/**
 * The private key that stays, 32 bytes: all that a backup has of the file. The keys of the day are to be destroyed after
 * two days, wherever they are. `undefined` where there is no file.
 *
 * Throws {@link Failure} for a file that is damaged, and the system's error for one that cannot be read.
 */
export function serverKeyIn(file: string, provider: CryptoProvider): Uint8Array | undefined {
  if (!existsSync(file)) return undefined
  const ring = new KeyRing({ provider })
  try {
    load(ring, file)
    return ring.find(PINNED_KEY_ID)?.privateKey.slice()
  } finally {
    ring.destroy()
  }
}

/** Makes a file with this private key, 32 bytes, and new keys of the day. */
export function writeServerKey(file: string, { key, provider }: { key: Uint8Array; provider: CryptoProvider }): void {
  const ring = new KeyRing({ provider })
  ring.pin(key)
  const keys = ring.export()
  write(file, keys)
  keys.fill(0)
  ring.destroy()
}

function load(ring: KeyRing, file: string): void {
  const stored = readFileSync(file)
  try {
    ring.import(stored)
  } catch (cause) {
    throw new Failure(words().serve.damagedKeys(file), { cause })
  }
  stored.fill(0)
}

function write(file: string, keys: Uint8Array): void {
  const temporary = `${file}.new`
  const descriptor = openSync(temporary, "w", 0o600)
  try {
    writeSync(descriptor, keys)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(temporary, file)
  syncFolderOf(file)
}
