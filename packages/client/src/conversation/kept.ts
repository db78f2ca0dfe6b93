import { decode, encode } from "@conclave/codec"
import type { Interval } from "@conclave/contracts/access"
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

  delete(step: Changes, id: string, handshake: Handshake): void {
    step.delete(recordKeys.keptHandshake(id, handshake.n % HANDSHAKES_KEPT))
    this.#all = this.#all?.filter((it) => it !== handshake)
  }

  /** The first lost commit: members who have not followed what is lost are in its epoch. */
  get lostCommit(): Handshake | undefined {
    return this.lost.find(({ kind }) => kind === "commit")
  }

  /**
   * The lost handshake that an entry is, with the interval that it began. Only the next one: whoever has not followed what is lost
   * passes over a commit that comes before its epoch, and needs the proposals before it.
   */
  find({ kind, body, begins }: Pick<Entry, "kind" | "body" | "begins">): Handshake | undefined {
    const { lost, lostCommit } = this
    const found = lost.find((it) => it.kind === kind && equalBytes(it.body, body))
    if (found === undefined || !isSame(found.begins, begins)) return undefined
    const isNext = found.kind === "commit" ? found === lost[0] : lostCommit === undefined || found.n < lostCommit.n
    return isNext ? found : undefined
  }
}

function isSame(one: Interval | undefined, other: Interval | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return one.removes === other.removes && equalBytes(one.accessKey, other.accessKey)
}
