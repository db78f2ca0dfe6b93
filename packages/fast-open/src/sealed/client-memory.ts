import { networkInterfaces } from "node:os"
import type { DayKey, Supply } from "./wire.js"

const TOKENS_MAX = 64
/** How long what did not work is left alone: longer each time. */
const TROUBLE_MILLISECONDS = 2000
const TROUBLE_MILLISECONDS_MAX = 600_000
/** The same for a service that cannot be reached at all, which costs seconds to find out. */
const UNREACHABLE_MILLISECONDS = 15_000
/** After so many in a row, fast open is not tried again for a while. */
const FAILURES_MAX = 3
const LOOK_EVERY_MILLISECONDS = 1000

/**
 * What a client knows of one service: in memory only. Keys and the clock belong to the service and stay; tokens, the
 * round trip and what the path does to data in a SYN belong to the network, and are forgotten when that changes.
 */
export class ClientMemory {
  readonly #now: () => number
  readonly #networkName: () => string
  #keys: readonly DayKey[] = []
  #tokens: Uint8Array[] = []
  #clockAhead = 0
  #roundTrip: number | undefined
  #failures = 0
  #troubleUntil = 0
  #trouble = TROUBLE_MILLISECONDS
  #unreachableUntil = 0
  #unreachable = UNREACHABLE_MILLISECONDS
  #network: string
  #lookedAt = 0

  constructor(now: () => number = Date.now, networkName: () => string = nameNetwork) {
    this.#now = now
    this.#networkName = networkName
    this.#network = networkName()
  }

  take({ time, keys, tokens }: Supply): void {
    this.#clockAhead = Number(time) - this.#now()
    if (keys.length > 0) this.#keys = keys
    this.#tokens = [...tokens, ...this.#tokens].slice(0, TOKENS_MAX)
  }

  /** The service's clock, as far as it is known. */
  serviceTime(): number {
    return Math.floor(this.#now() + this.#clockAhead)
  }

  /** What another process could begin with, without the tokens: these are for one network and one use. */
  supplyToKeep(): Supply {
    return { time: BigInt(this.serviceTime()), keys: [...this.#keys], tokens: [] }
  }

  /** The newest key that is still to be used. */
  key(): DayKey | undefined {
    return this.#keys.find((key) => Number(key.useUntil) > this.serviceTime())
  }

  /** The service no longer has it. */
  forgetKey(id: number): void {
    this.#keys = this.#keys.filter((key) => key.id !== id)
  }

  /** Each token is given out once. */
  takeToken(): Uint8Array | undefined {
    return this.#tokens.shift()
  }

  get tokenCount(): number {
    return this.#tokens.length
  }

  get roundTripMilliseconds(): number | undefined {
    return this.#roundTrip
  }

  measured(roundTripMilliseconds: number): void {
    if (roundTripMilliseconds <= 0) return
    this.#roundTrip =
      this.#roundTrip === undefined ? roundTripMilliseconds : this.#roundTrip * 0.75 + roundTripMilliseconds * 0.25
  }

  /** Whether data in a SYN has a chance here. */
  fastOpenWorks(): boolean {
    return this.#now() >= this.#troubleUntil
  }

  fastOpenSucceeded(): void {
    this.#failures = 0
    this.#trouble = TROUBLE_MILLISECONDS
  }

  fastOpenFailed(): void {
    if (++this.#failures < FAILURES_MAX) return
    this.#failures = 0
    this.#troubleUntil = this.#now() + this.#trouble
    this.#trouble = Math.min(2 * this.#trouble, TROUBLE_MILLISECONDS_MAX)
  }

  /** Whether the service can be reached this way, as far as is known. */
  reachable(): boolean {
    return this.#now() >= this.#unreachableUntil
  }

  /** Left alone for longer each time: a service that restarts is soon back, a network that is in the way stays. */
  couldNotReach(): void {
    this.#unreachableUntil = this.#now() + this.#unreachable
    this.#unreachable = Math.min(2 * this.#unreachable, TROUBLE_MILLISECONDS_MAX)
  }

  reached(): void {
    this.#unreachable = UNREACHABLE_MILLISECONDS
  }

  /** To be called before each request: forgets what belonged to a network that is left. Looks once a second. */
  noticeNetwork(): void {
    const now = this.#now()
    if (Math.abs(now - this.#lookedAt) < LOOK_EVERY_MILLISECONDS) return
    this.#lookedAt = now
    const network = this.#networkName()
    if (network === this.#network) return
    this.#network = network
    this.#tokens = []
    this.#roundTrip = undefined
    this.#failures = 0
    this.#troubleUntil = 0
    this.#trouble = TROUBLE_MILLISECONDS
    this.#unreachableUntil = 0
    this.#unreachable = UNREACHABLE_MILLISECONDS
  }
}

/** The addresses of this machine: what changes with the network, as far as it can be seen from here. */
function nameNetwork(): string {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal }) => !internal)
    .map(({ address }) => address)
    .sort()
    .join()
}
