import { equalBytes } from "@conclave/crypto"
import { openSignal, SIGNAL_CONTENT_MAX, type SignalTBS, sealSignal, signalKey } from "../access/signals.js"
import { copyBytes } from "../bytes.js"
import type { Setting, State } from "../conversation/state.js"
import { restoreGroup } from "../conversation/turn.js"
import { ClientError } from "../errors.js"
import { recordKeys } from "../records/records.js"
import { type Delivery, refusalOf } from "../service/delivery.js"
import type { SealedStore } from "../store/sealed.js"

export interface SignalsOptions extends Pick<Setting, "identity" | "groupOptions" | "random"> {
  readonly delivery: Delivery
  readonly store: SealedStore
  /** The service's clock, as far as it is known: Unix time in milliseconds. */
  readonly clock: { now(): number }
  readonly signal: AbortSignal
}

/** What a member has signalled. */
export interface Received {
  readonly from: string
  readonly content: Uint8Array
}

/** Signals of another time than this are not taken: clocks differ, and nobody has any use for an older one. */
const CLOCK_MILLISECONDS = 60_000n

interface Kept {
  readonly epoch: bigint
  readonly key: Uint8Array
  /** The highest number of each leaf that came, and this device's own last one. */
  readonly numbers: Map<number, bigint>
}

/** Seals and opens signals. Nothing of them is stored here either. */
export class Signals {
  readonly #options: SignalsOptions
  /** By conversation, of its present epoch. */
  readonly #kept = new Map<string, Kept>()

  constructor(options: SignalsOptions) {
    this.#options = options
  }

  async send(state: State, content: Uint8Array): Promise<void> {
    const { delivery, identity, random, clock, signal } = this.#options
    if (content.length > SIGNAL_CONTENT_MAX) {
      throw new ClientError("TOO_LARGE", `a signal has at most ${SIGNAL_CONTENT_MAX} bytes`)
    }
    // The caller may use its array for something else while this waits.
    const copied = copyBytes(content)
    const kept = await this.#of(state)
    const shown = state.outline.shown
    if (kept === undefined || shown === undefined) {
      throw new ClientError("NOT_A_MEMBER", "this device is not in the conversation")
    }
    const { ownLeafIndex: leafIndex } = shown
    const [now, last] = [BigInt(Math.floor(clock.now())), kept.numbers.get(leafIndex) ?? 0n]
    const number = now > last ? now : last + 1n
    kept.numbers.set(leafIndex, number)
    const tbs = { groupId: state.id, epoch: kept.epoch, leafIndex, number, content: copied }
    const body = sealSignal(identity.suite, tbs, { key: kept.key, signer: identity.signer.key, random })
    const answer = await delivery.signal({ groupId: state.id, body }, { prover: state.intervals.newest, signal })
    if (answer.type !== "done") throw new ClientError("REFUSED", `the service said ${refusalOf(answer)}`)
  }

  /** `undefined` for what no member of the present epoch has signalled just now, for the first time. */
  async open(state: State, body: Uint8Array): Promise<Received | undefined> {
    const kept = await this.#of(state)
    const { nodes = [], ownLeafIndex } = state.outline.shown ?? {}
    if (kept === undefined) return undefined
    const leafAt = (leafIndex: number) => {
      const node = nodes[2 * leafIndex]
      return node?.type === "leaf" ? node : undefined
    }
    const { id: groupId } = state
    const opened = openSignal(this.#options.identity.suite, body, {
      ...{ groupId, epoch: kept.epoch, key: kept.key },
      signatureKeyOf: (leafIndex) => leafAt(leafIndex)?.signatureKey,
    })
    if (opened === undefined || opened.leafIndex === ownLeafIndex || !this.#isNew(opened, kept)) return undefined
    return { from: leafAt(opened.leafIndex)!.name, content: opened.content }
  }

  /** Nothing is accepted twice: within this run by its number, and after that by its time. */
  #isNew({ leafIndex, number }: SignalTBS, { numbers }: Kept): boolean {
    const now = BigInt(Math.floor(this.#options.clock.now()))
    const difference = number > now ? number - now : now - number
    if (difference > CLOCK_MILLISECONDS || number <= (numbers.get(leafIndex) ?? 0n)) return false
    numbers.set(leafIndex, number)
    return true
  }

  /** Destroys the keys in memory. */
  close(): void {
    for (const { key } of this.#kept.values()) key.fill(0)
    this.#kept.clear()
  }

  /** Signals are for who is in a conversation where something may be said. */
  async #of(state: State): Promise<Kept | undefined> {
    const epoch = state.facts.status === "active" ? state.outline.shown?.epoch : undefined
    const known = this.#kept.get(state.key)
    if (epoch === undefined || known?.epoch === epoch) return epoch === undefined ? undefined : known
    const key = await this.#keyOf(state, epoch)
    // A commit may have come meanwhile, or somebody else may have asked.
    if (key === undefined || state.outline.shown?.epoch !== epoch) return undefined
    const again = this.#kept.get(state.key)
    if (again?.epoch === epoch) return again
    again?.key.fill(0)
    const kept = { epoch, key, numbers: new Map<number, bigint>() }
    this.#kept.set(state.key, kept)
    return kept
  }

  /** A group that is not in memory is restored for it alone. */
  async #keyOf(state: State, epoch: bigint): Promise<Uint8Array | undefined> {
    const { store, identity } = this.#options
    const prefix = recordKeys.group(state.key)
    const records = state.group === undefined ? await store.list(prefix) : []
    const restored = records.length === 0 ? undefined : restoreGroup(this.#options, records, prefix)
    const group = state.group ?? restored
    try {
      if (group?.epoch !== epoch || !equalBytes(group.id, state.id)) return undefined
      return signalKey(identity.suite, state.id, ({ label, context, length }) =>
        group.exportSecret(label, context, length),
      )
    } finally {
      restored?.[Symbol.dispose]()
    }
  }
}
