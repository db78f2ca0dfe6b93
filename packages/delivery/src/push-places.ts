import type { Registration } from "./store/push-store.js"

export interface PushPlacesOptions {
  /** How long an endpoint may take. */
  readonly timeoutMilliseconds: number
  readonly onError: (error: unknown) => void
}

/** One call of an endpoint: `gone` where there is none any more. The signal is aborted when it has taken too long. */
export type PushCall = (signal: AbortSignal) => Promise<"sent" | "gone">

interface Waiting {
  readonly host: string
  readonly group: string
  readonly call: PushCall
  readonly onGone: () => Promise<void>
}

/** Calls at the same time. Those of hosts that did not answer in time, or were not called yet, have a few places of their own. */
const AT_ONCE = { trusted: 48, doubtful: 16 } as const
const OF_HOST = { trusted: 16, doubtful: 2 } as const
const OF_GROUP = 8
/** Of all calls, of one host's, and of one group's. */
const WAITING = { all: 10_000, host: 2_500, group: 1_000 } as const
const HOSTS_KNOWN = 10_000

/**
 * The calls of endpoints that are under way, and those that wait. Endpoints are what clients have said, and some never answer:
 * a host has most places only as long as it answers in time, and no host and no group has all of them.
 */
export class PushPlaces {
  readonly #options: PushPlacesOptions
  /** By host, the one that was served last at the end. */
  readonly #queues = new Map<string, Waiting[]>()
  readonly #waiting = new Counts()
  readonly #underway = new Counts()
  /** Hosts that answered in time when they were called last; the one that was called last is the last. */
  readonly #trusted = new Set<string>()

  constructor(options: PushPlacesOptions) {
    this.#options = options
  }

  /** Whether one more may wait. */
  hasRoom({ endpoint, groupId }: Pick<Registration, "endpoint" | "groupId">): boolean {
    const { all, host, group } = WAITING
    if (this.#waiting.of(ALL) >= all) return false
    return this.#waiting.of(hostOf(endpoint)) < host && this.#waiting.of(groupOf(groupId)) < group
  }

  add(
    { endpoint, groupId }: Pick<Registration, "endpoint" | "groupId">,
    { call, onGone }: Pick<Waiting, "call" | "onGone">,
  ): void {
    const waiting = { host: hostOf(endpoint), group: groupOf(groupId), call, onGone }
    const queue = this.#queues.get(waiting.host) ?? []
    this.#queues.set(waiting.host, queue)
    queue.push(waiting)
    this.#waiting.add(namesOf(waiting), 1)
    this.#go()
  }

  #go(): void {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const place = this.#placeOf(next)
      this.#underway.add(place, 1)
      this.#call(next)
        .catch(this.#options.onError)
        .finally(() => {
          this.#underway.add(place, -1)
          this.#go()
        })
    }
  }

  #placeOf(waiting: Waiting): readonly string[] {
    return [...namesOf(waiting), this.#trusted.has(waiting.host) ? TRUSTED : DOUBTFUL]
  }

  /** The first that may go, of the host that was not served for the longest time. */
  #next(): Waiting | undefined {
    const room = { trusted: this.#hasPlace("trusted", TRUSTED), doubtful: this.#hasPlace("doubtful", DOUBTFUL) }
    if (!room.trusted && !room.doubtful) return undefined
    for (const [host, queue] of this.#queues) {
      const kind = this.#trusted.has(host) ? "trusted" : "doubtful"
      if (!room[kind] || this.#underway.of(host) >= OF_HOST[kind]) continue
      const at = queue.findIndex(({ group }) => this.#underway.of(group) < OF_GROUP)
      if (at < 0) continue
      const [next] = queue.splice(at, 1)
      this.#queues.delete(host)
      if (queue.length > 0) this.#queues.set(host, queue)
      this.#waiting.add(namesOf(next!), -1)
      return next
    }
    return undefined
  }

  #hasPlace(kind: keyof typeof AT_ONCE, name: string): boolean {
    return this.#underway.of(name) < AT_ONCE[kind]
  }

  async #call({ host, call, onGone }: Waiting): Promise<void> {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), this.#options.timeoutMilliseconds).unref()
    const isLate = new Promise<"late">((resolve) => late.signal.addEventListener("abort", () => resolve("late")))
    try {
      const called = call(late.signal)
      called.catch(() => {})
      const answer = await Promise.race([called, isLate])
      if (answer === "late") this.#trusted.delete(host)
      else this.#trust(host)
      if (answer === "gone") await onGone()
    } catch (error) {
      // It has failed in time, and held its place for no longer than others.
      if (!late.signal.aborted) this.#trust(host)
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  #trust(host: string): void {
    this.#trusted.delete(host)
    this.#trusted.add(host)
    for (const oldest of this.#trusted) {
      if (this.#trusted.size <= HOSTS_KNOWN) return
      this.#trusted.delete(oldest)
    }
  }
}

/** How many there are of a name; those of which there are none take no room. */
class Counts {
  readonly #counts = new Map<string, number>()

  of(name: string): number {
    return this.#counts.get(name) ?? 0
  }

  add(names: readonly string[], change: number): void {
    for (const name of names) {
      const count = this.of(name) + change
      if (count === 0) this.#counts.delete(name)
      else this.#counts.set(name, count)
    }
  }
}

/** Names of groups and of the three below are no host's: they have a space in them. */
const [ALL, TRUSTED, DOUBTFUL] = ["all of them", "trusted hosts", "doubtful hosts"]
const groupOf = (groupId: Uint8Array) => `group ${Buffer.from(groupId).toString("latin1")}`
const namesOf = ({ host, group }: Waiting) => [ALL, host, group]

/** The last two labels of its name: whoever has a domain has as many names in it as it likes. */
const hostOf = (endpoint: string) => new URL(endpoint).hostname.split(".").slice(-2).join(".")
