import { decode, encode } from "@conclave/codec"
import type { Entry } from "@conclave/contracts/delivery"
import { equalBytes } from "@conclave/crypto"
import type { CipherSuite } from "@conclave/mls"
import { IntervalKeys } from "../access/interval-keys.js"
import { recordKeys, StoredHandshake } from "../records/records.js"
import type { Changes } from "../store/changes.js"
import type { StoredRecords } from "./question.js"

/** As many as there may be between a backup and what it is a backup of; each commit in a large group takes its size. */
export const HANDSHAKES_KEPT = 16

/** A handshake that this device has followed. */
export interface Handshake extends Omit<StoredHandshake, "before"> {
  /** Of the interval that it was appended in. */
  readonly before: IntervalKeys | undefined
}

/** The last handshakes that this device has followed, in their order: in memory while some of them are lost. */
export class Kept {
  #all: Handshake[] | undefined

  get isLoaded(): boolean {
    return this.#all !== undefined
  }

  get all(): readonly Handshake[] {
    return this.#all ?? []
  }

  /** Those that the service has lost. */
  get lost(): readonly Handshake[] {
    return this.all.filter(({ seq }) => seq === undefined)
  }

  load(suite: CipherSuite, records: StoredRecords): void {
    this.#all = records
      .map(([, record]) => {
        const { before, ...stored } = decode(StoredHandshake, record)
        return { ...stored, before: before && new IntervalKeys(suite, before.secret, before.accessKey) }
      })
      .sort((a, b) => a.n - b.n)
  }

  forget(): void {
    this.#all = undefined
  }

  put(step: Changes, id: string, handshake: Handshake): void {
    const { n, before } = handshake
    const slot = n % HANDSHAKES_KEPT
    const stored = before && { accessKey: before.accessKey, secret: before.secret }
    step.put(recordKeys.keptHandshake(id, slot), encode(StoredHandshake, { ...handshake, before: stored }))
    if (this.#all === undefined) return
    this.#all = [...this.#all.filter((it) => it.n % HANDSHAKES_KEPT !== slot), handshake].sort((a, b) => a.n - b.n)
  }

  find({ body }: Pick<Entry, "body">): Handshake | undefined {
    return this.all.find((it) => it.seq === undefined && equalBytes(it.body, body))
  }
}
