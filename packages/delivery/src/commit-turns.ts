import type { Rate, Requester } from "@conclave/transport"
import { budgetWait, placesOf } from "./budgets.js"

export interface CommitTurnsOptions {
  /** Commits of one group. */
  readonly rate: Rate
  /** How long the next place is kept for the requester who was drawn. */
  readonly reservedMilliseconds?: number
  /** A lot is in the draw so long after its requester last asked. */
  readonly lotMilliseconds?: number
  /** From 0 to below 1. */
  readonly random: () => number
}

interface Moment {
  readonly now: number
  readonly fullAt: number
}

interface Turn extends Requester {
  readonly at: number
}

interface Group {
  /** Who asked in vain, by peer. */
  readonly waiting: Map<string, Turn>
  reserved: (Requester & { readonly until: number }) | undefined
  /** Who was served or drawn lately, oldest first. */
  turns: Turn[]
}

const TURNS_KEPT = 32
const TURNS_KEPT_MILLISECONDS = 60_000
const WAITING_MAX = 256
const WAIT_MIN_MILLISECONDS = 50
const WAIT_MAX_MILLISECONDS = 1_000
const RESERVED_WAIT_MAX_MILLISECONDS = 250
const GROUPS_MAX = 50_000

/**
 * Who commits next in a group whose members want to commit more often than its rate allows.
 *
 * While the budget is empty, requesters wait. When there is a place again, a lot is drawn: one for each network, and
 * then one for each peer in it, of those that had the fewest turns lately. Thus neither the speed nor the number of
 * requests counts, nor the number of addresses in one network. The next place is kept for the one drawn for a few
 * seconds. A requester who is not known (`undefined`) has one lot with all that are not.
 *
 * Memory: about 400 bytes for a group with a commit in the last minute, at most 50,000 such groups, and 100 bytes for
 * each that waits, at most 256 in a group.
 */
export class CommitTurns {
  readonly #rate: Rate
  readonly #reservedMilliseconds: number
  readonly #lotMilliseconds: number
  readonly #random: () => number
  readonly #groups = new Map<string, Group>()
  #sweptAt = Number.NEGATIVE_INFINITY

  constructor({ rate, reservedMilliseconds = 3_000, lotMilliseconds = 5_000, random }: CommitTurnsOptions) {
    this.#rate = rate
    this.#reservedMilliseconds = reservedMilliseconds
    this.#lotMilliseconds = lotMilliseconds
    this.#random = random
  }

  /**
   * Gives the turn for a commit, or returns in how many milliseconds to ask again: 50 to 1,000. `fullAt`: of the group's
   * budget, from which the caller takes; both times in milliseconds. To be asked only for a commit that would be accepted
   * otherwise.
   */
  take(groupKey: string, requester: Requester | undefined, { now, fullAt }: Moment): number | undefined {
    const asking = requester ?? UNKNOWN
    const group = this.#group(groupKey, now)
    const budget = { rate: this.#rate, fullAt }
    const untilPlace = budgetWait(budget, now)
    const drawn = group.reserved ?? (untilPlace === undefined ? this.#draw(group, asking, now) : undefined)
    // Beside the place that is kept there may be another.
    if (untilPlace === undefined && (drawn?.peer === asking.peer || placesOf(budget, now) >= 2)) {
      this.#serve(group, asking, now)
      return undefined
    }
    this.#wait(group, asking, now)
    return this.#waitOf(group, { now, untilPlace: untilPlace ?? 0 })
  }

  /** Groups of which something is kept. */
  get size(): number {
    return this.#groups.size
  }

  #group(key: string, now: number): Group {
    this.#sweep(now)
    const known = this.#groups.get(key)
    if (known !== undefined) {
      this.#refresh(known, now)
      return known
    }
    const group: Group = { waiting: new Map(), reserved: undefined, turns: [] }
    if (this.#groups.size >= GROUPS_MAX) this.#groups.delete(this.#groups.keys().next().value!)
    this.#groups.set(key, group)
    return group
  }

  #refresh(group: Group, now: number): void {
    if (group.reserved !== undefined && now >= group.reserved.until) group.reserved = undefined
    for (const [peer, { at }] of group.waiting) {
      if (now - at > this.#lotMilliseconds) group.waiting.delete(peer)
    }
    group.turns = group.turns.filter(({ at }) => now - at < TURNS_KEPT_MILLISECONDS)
  }

  /** Who has the place that there is; kept for it where that is somebody else than the one that asks. */
  #draw(group: Group, asking: Requester, now: number): Requester {
    const lots = [...group.waiting.values()]
    if (!group.waiting.has(asking.peer)) lots.push({ ...asking, at: now })
    const network = this.#pick([...new Set(lots.map((lot) => lot.network))], (name) =>
      count(group.turns, (turn) => turn.network === name),
    )
    const drawn = this.#pick(
      lots.filter((lot) => lot.network === network),
      (lot) => count(group.turns, (turn) => turn.peer === lot.peer),
    )
    if (drawn.peer !== asking.peer) {
      group.reserved = { peer: drawn.peer, network: drawn.network, until: now + this.#reservedMilliseconds }
      // One that does not come is not drawn again before it has asked again.
      group.waiting.delete(drawn.peer)
      note(group, drawn, now)
    }
    return drawn
  }

  /** One at random of those of which `served` is least. */
  #pick<T>(candidates: readonly T[], served: (candidate: T) => number): T {
    const counts = candidates.map(served)
    const least = Math.min(...counts)
    const best = candidates.filter((_, index) => counts[index] === least)
    return best[Math.floor(this.#random() * best.length)]!
  }

  #serve(group: Group, asking: Requester, now: number): void {
    group.waiting.delete(asking.peer)
    // A turn that was drawn is counted already.
    if (group.reserved?.peer === asking.peer) group.reserved = undefined
    else note(group, asking, now)
  }

  #wait(group: Group, asking: Requester, now: number): void {
    if (!group.waiting.has(asking.peer) && group.waiting.size >= WAITING_MAX) {
      // Which of them leaves is drawn as well: a place in the draw is nobody's for being there first.
      const peers = [...group.waiting.keys()]
      group.waiting.delete(peers[Math.floor(this.#random() * peers.length)]!)
    }
    group.waiting.set(asking.peer, { peer: asking.peer, network: asking.network, at: now })
  }

  #waitOf({ reserved }: Group, { now, untilPlace }: { readonly now: number; readonly untilPlace: number }): number {
    const milliseconds =
      reserved === undefined
        ? Math.min(WAIT_MAX_MILLISECONDS, untilPlace)
        : Math.min(RESERVED_WAIT_MAX_MILLISECONDS, reserved.until - now)
    return Math.ceil(Math.max(WAIT_MIN_MILLISECONDS, milliseconds))
  }

  /** Forgets groups that cannot be told from one that was never there. */
  #sweep(now: number): void {
    if (Math.abs(now - this.#sweptAt) < TURNS_KEPT_MILLISECONDS) return
    this.#sweptAt = now
    for (const [key, group] of this.#groups) {
      this.#refresh(group, now)
      const isIdle = group.waiting.size === 0 && group.turns.length === 0 && group.reserved === undefined
      if (isIdle) this.#groups.delete(key)
    }
  }
}

const UNKNOWN: Requester = { peer: "", network: "" }

const count = <T>(list: readonly T[], is: (item: T) => boolean) => list.reduce((sum, it) => sum + (is(it) ? 1 : 0), 0)

function note(group: Group, { peer, network }: Requester, at: number): void {
  group.turns.push({ peer, network, at })
  if (group.turns.length > TURNS_KEPT) group.turns.shift()
}
