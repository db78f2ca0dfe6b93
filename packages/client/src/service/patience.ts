import { platformTimers, type Timers } from "../timers.js"

/** Which of the two services. */
export type ServiceName = "delivery" | "auth"

/** A service asked for patience: what needs it goes on by itself at `until`. */
export interface Waiting {
  readonly until: Date
  readonly reason: string
}

export interface PatienceListener {
  /** Once for each episode: until the service has not asked for patience for a minute. */
  readonly onThrottled: (service: ServiceName, retryAt: Date) => void
  /** Once for each service: it speaks newer versions only. */
  readonly onOutdated: (service: ServiceName, reason: string) => void
  /** {@link Patience.waiting} is another than before. */
  readonly onChange: () => void
}

/** No service is waited for any longer than that, whatever it asks for; and a timer takes no more than 2³¹ - 1 ms. */
export const WAIT_MILLISECONDS_MAX = 3_600_000
const EPISODE_GAP_MILLISECONDS = 60_000

/** What the services have asked for: patience, or another version of this program. */
export class Patience {
  readonly #now: () => number
  readonly #untils = new Map<ServiceName, number>()
  readonly #outdated = new Set<ServiceName>()
  #listener: PatienceListener | undefined
  readonly #timers: Timers
  #cancelTimer = () => {}

  /** `now`: Unix time in milliseconds. */
  constructor(now: () => number, timers: Timers = platformTimers) {
    this.#now = now
    this.#timers = timers
  }

  listen(listener: PatienceListener): void {
    this.#listener = listener
  }

  get waiting(): Waiting | undefined {
    const latest = [...this.#untils].sort(([, a], [, b]) => b - a)[0]
    if (latest === undefined || latest[1] <= this.#now()) return undefined
    return { until: new Date(latest[1]), reason: `the ${nameOf(latest[0])} is busy` }
  }

  /** Returns when the service may be asked again. */
  throttled(service: ServiceName, retryAfterMilliseconds: number): Date {
    const now = this.#now()
    const retryAt = now + Math.min(retryAfterMilliseconds, WAIT_MILLISECONDS_MAX)
    const before = this.#untils.get(service)
    this.#untils.set(service, Math.max(retryAt, before ?? 0))
    if (before === undefined || now > before + EPISODE_GAP_MILLISECONDS) {
      this.#listener?.onThrottled(service, new Date(retryAt))
    }
    this.#notify()
    this.#cancelTimer()
    const wait = Math.max(...this.#untils.values()) - now + 1
    this.#cancelTimer = this.#timers.after(wait, () => this.#notify())
    return new Date(retryAt)
  }

  /** When a service that is not available may be asked again: it is not busy, and nobody is told. */
  after(milliseconds: number): Date {
    return new Date(this.#now() + Math.min(milliseconds, WAIT_MILLISECONDS_MAX))
  }

  outdated(service: ServiceName, reason: string): void {
    if (this.#outdated.has(service)) return
    this.#outdated.add(service)
    this.#listener?.onOutdated(service, reason)
  }

  close(): void {
    this.#listener = undefined
    this.#cancelTimer()
  }

  #notify(): void {
    this.#listener?.onChange()
  }
}

export function nameOf(service: ServiceName): string {
  return service === "delivery" ? "Delivery Service" : "Authentication Service"
}
