import type { Reading, Segment } from "./segment.js"

/** Packets that were not read, for one reason. */
export interface Unread {
  /** In words: `link type 147`, `ethertype 0x88e5 (MACsec)`, `IP protocol 99`, `encrypted (ESP)`, `cut off in its TCP header`. */
  readonly reason: string
  readonly packets: number
}

/** A hostile capture has a reason for each packet. */
const REASONS_MAX = 200
const ANY_OTHER = "other reasons"

/** Counts packets by what was read of them, and tells copies apart. Memory is bounded. */
export class Tally {
  /** Distinct packets. */
  packets = 0
  duplicates = 0
  /** Packets that were read and carry no TCP. */
  others = 0
  /** Packets that were read and have no time in the capture. */
  untimed = 0
  unreadPackets = 0
  readonly #reasons = new Map<string, number>()
  readonly #copies = new Copies()

  /** The segments of a packet that were not seen before. */
  add(
    readings: readonly Reading[],
    { time, isTimed }: { readonly time: number; readonly isTimed: boolean },
  ): Segment[] {
    const segments = readings.filter((reading) => reading.kind === "segment")
    const fresh = segments.filter(({ identity }) => !this.#copies.has(identity, time))
    if (segments.length > 0 && fresh.length === 0 && segments.length === readings.length) {
      this.duplicates++
      return []
    }
    this.packets++
    if (!isTimed) this.untimed++
    if (readings.every(({ kind }) => kind === "other")) this.others++
    const reasons = new Set(readings.flatMap((reading) => (reading.kind === "unread" ? [reading.reason] : [])))
    if (reasons.size > 0) this.unreadPackets++
    for (const reason of reasons) this.#count(reason)
    return fresh.map(({ segment }) => segment)
  }

  /** The most frequent reason first. */
  get unread(): Unread[] {
    const reasons = [...this.#reasons].map(([reason, packets]) => ({ reason, packets }))
    return reasons.sort((a, b) => b.packets - a.packets || (a.reason < b.reason ? -1 : 1))
  }

  #count(reason: string): void {
    const named = this.#reasons.has(reason) || this.#reasons.size < REASONS_MAX ? reason : ANY_OTHER
    this.#reasons.set(named, (this.#reasons.get(named) ?? 0) + 1)
  }
}

/** A machine that captures at all of its interfaces sees a packet at each within this time; nothing is sent again so soon. */
const COPY_MILLISECONDS = 50
const REMEMBERED_MAX = 4096

/** Packets that were seen a moment ago. */
class Copies {
  readonly #seen = new Map<string, number>()

  has(identity: string, time: number): boolean {
    const before = this.#seen.get(identity)
    this.#seen.delete(identity)
    this.#seen.set(identity, time)
    if (this.#seen.size > REMEMBERED_MAX) this.#seen.delete(this.#seen.keys().next().value!)
    return before !== undefined && Math.abs(time - before) <= COPY_MILLISECONDS
  }
}
