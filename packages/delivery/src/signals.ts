import type { DeliveryRequest, DeliveryResponse } from "@conclave/contracts/delivery"
import { type AccessJudge, evidenceOf, keyIn, provedBefore } from "./access.js"
import type { Admission, Asking } from "./admission.js"
import type { DeliveryLimits } from "./limits.js"
import { done, refusedOf, throttled } from "./responses.js"
import type { Refused, Store } from "./store/store.js"
import type { Positions } from "./subscription.js"
import { groupTopic, idOf } from "./topics.js"
import type { Wake } from "./wake.js"

export interface SendingOptions {
  readonly store: Store
  readonly wake: Wake
  readonly limits: DeliveryLimits
  readonly admission: Admission
  readonly judge: AccessJudge
  readonly onAccessRefusal: (refusal: Refused, asking: Asking) => void
}

type SignalRequest = Extract<DeliveryRequest, { type: "signal" }>

/** Passes a signal on to whoever listens at this moment, here and at other gateways; keeps nothing of it. */
export async function sendSignal(
  request: SignalRequest,
  asking: Asking,
  { store, wake, limits, admission, judge, onAccessRefusal }: SendingOptions,
): Promise<DeliveryResponse> {
  const { groupId, body } = request
  const { now } = asking
  if (body.length > limits.signalSizeMax) return { type: "tooLarge", max: limits.signalSizeMax }
  const wait = admission.denialsWait(asking) ?? admission.arrivalWait("signals", groupId, asking)
  if (wait !== undefined) return throttled(wait)
  const standing = await store.standing(judge.writing(evidenceOf(request), BigInt(now)))
  if (standing.type !== "standing") {
    onAccessRefusal(standing, asking)
    return refusedOf(groupId, standing)
  }
  const ofGroup =
    admission.ofGroup("signals", groupId, asking) ?? admission.waiting("signals", admission.rates.signal(groupId, now))
  if (ofGroup !== undefined) return throttled(ofGroup)
  wake.signal(groupTopic(groupId), body)
  return done
}

/** What waits for one subscription that hears signals: a few, and what comes beyond them is dropped. */
export class Heard {
  /** Noted in its watch when there is something to take. */
  readonly topic: string
  /** Whom it is for: keys by topic, as the subscription follows them at the moment. */
  readonly positions: Positions
  #waiting: Waiting[] = []
  #isHearing = false
  #isProved = false

  constructor(topic: string, positions: Positions) {
    this.topic = topic
    this.positions = positions
  }

  get isHearing(): boolean {
    return this.#isHearing
  }

  /** Whether what its cursors show was looked at: before that, nothing is for it. */
  get isProved(): boolean {
    return this.#isProved
  }

  hear(): void {
    this.#isHearing = true
  }

  /** Those that are refused are not followed any more. */
  proved(): void {
    this.#isProved = true
  }

  /** Whether there was room. */
  add(topic: string, signal: DeliveryResponse): boolean {
    if (this.#waiting.length >= WAITING_MAX) return false
    this.#waiting.push({ topic, signal })
    return true
  }

  take(): readonly DeliveryResponse[] {
    const taken = this.#waiting
    this.#waiting = []
    return taken.map(({ signal }) => signal)
  }

  /** What waits of a log that is followed no longer is for nobody. */
  forget(topic: string): void {
    this.#waiting = this.#waiting.filter((it) => it.topic !== topic)
  }
}

interface Waiting {
  readonly topic: string
  readonly signal: DeliveryResponse
}

/** For each subscription; each of a kilobyte at most. */
const WAITING_MAX = 32

interface HearingOptions {
  readonly store: Store
  readonly wake: Wake
  readonly onError: (error: unknown) => void
  /** Is told of each signal that a subscription had no room for. */
  readonly onDropped: () => void
}

interface Listening {
  readonly all: Set<Heard>
  readonly ear: Disposable
}

/** The subscriptions of a service that hear signals, by the logs that they follow. */
export class Signals {
  readonly #options: HearingOptions
  readonly #listening = new Map<string, Listening>()

  constructor(options: HearingOptions) {
    this.#options = options
  }

  /** From now on, until {@link leave}. */
  enter(heard: Heard): void {
    if (heard.isHearing) return
    heard.hear()
    for (const [topic, position] of heard.positions) {
      if (typeof position === "bigint") continue
      const listening = this.#listening.get(topic) ?? this.#listen(topic)
      listening.all.add(heard)
    }
  }

  leave(heard: Heard): void {
    for (const topic of heard.isHearing ? heard.positions.keys() : []) this.leaveLog(heard, topic)
  }

  /** A log that is followed no longer. */
  leaveLog(heard: Heard, topic: string): void {
    heard.forget(topic)
    const listening = this.#listening.get(topic)
    listening?.all.delete(heard)
    if (listening?.all.size !== 0) return
    listening.ear[Symbol.dispose]()
    this.#listening.delete(topic)
  }

  #listen(topic: string): Listening {
    const all = new Set<Heard>()
    const ear = this.#options.wake.hear(topic, (body) => {
      this.#came(topic, all, body).catch(this.#options.onError)
    })
    const listening = { all, ear }
    this.#listening.set(topic, listening)
    return listening
  }

  /** Who has been removed hears nothing more: each key is looked at for each signal, once for all who have it. */
  async #came(topic: string, all: ReadonlySet<Heard>, body: Uint8Array): Promise<void> {
    const { store, wake, onDropped } = this.#options
    const keyOf = ({ positions }: Heard) => {
      const position = positions.get(topic)
      return typeof position === "object" ? (position.key ?? NO_KEY) : undefined
    }
    const groupId = idOf(topic)
    const keys = [...new Set([...all].map(keyOf))].filter((key) => key !== undefined)
    const shown = keys.map((key) => ({ groupId, key: key === NO_KEY ? undefined : keyIn(key), permit: provedBefore }))
    const standings = await store.standings(shown)
    const reaching = new Set(
      keys.filter((_, at) => {
        const standing = standings[at]!
        return standing.type === "standing" && standing.reach === undefined
      }),
    )
    const signal: DeliveryResponse = { type: "signal", groupId, body }
    for (const heard of all) {
      const key = keyOf(heard)
      if (key === undefined || !reaching.has(key) || !heard.isProved) continue
      if (!heard.add(topic, signal)) onDropped()
      // Also where there was no room: whatever waits is taken, and makes room for the next.
      wake.notifyHere(heard.topic)
    }
  }
}

/** In the place of a key, in a group without any: no key is so short. */
const NO_KEY = ""
