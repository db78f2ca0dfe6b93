import { decode } from "@conclave/codec"
import { hex } from "../bytes.js"
import type { Identity } from "../identity/identity.js"
import { StoredMessage } from "../records/records.js"
import type { StoredRecords } from "./question.js"

/** So many messages before the restored service's are known again. */
export const TOLD_MAX = 1_000

type Hashing = Pick<Identity, "sha256">

/**
 * The last messages that this device has told of, in memory while the service may bring them once more: whoever had not read
 * its own message back when a backup was restored sends it again, and others may have read it.
 */
export class Told {
  #known: Set<string> | undefined

  get isLoaded(): boolean {
    return this.#known !== undefined
  }

  load(identity: Hashing, records: StoredRecords): void {
    this.#known = new Set(records.map(([, record]) => keyOf(identity, decode(StoredMessage, record))))
  }

  forget(): void {
    this.#known = undefined
  }

  /** Whether it is the same message, byte for byte, by the same person. */
  has(identity: Hashing, message: StoredMessage): boolean {
    return this.#known?.has(keyOf(identity, message)) ?? false
  }

  add(identity: Hashing, message: StoredMessage): void {
    this.#known?.add(keyOf(identity, message))
  }
}

function keyOf(identity: Hashing, { from, payload }: StoredMessage): string {
  return `${hex(identity.sha256(payload))} ${from}`
}
