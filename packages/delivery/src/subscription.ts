import type { DeliveryResponse } from "@conclave/contracts/delivery"
import type { Store } from "./store/store.js"
import { groupTopic, idOf, inboxTopic, isInbox } from "./topics.js"
import type { Wake } from "./wake.js"

export interface SubscriptionOptions {
  readonly cursors: readonly { readonly groupId: Uint8Array; readonly afterSeq: bigint }[]
  readonly inbox: { readonly deviceId: Uint8Array; readonly after: bigint } | undefined
  readonly store: Store
  readonly wake: Wake
  readonly page: { readonly limit: number; readonly sizeMax: number }
  readonly signal: AbortSignal
  /** Shared by all subscriptions of a service. */
  readonly turns: Turns
  /** Called for each cursor that is dropped, because there is no such group. */
  readonly onDropped: () => void
}

/**
 * What is behind the cursors and then what comes, until the signal is aborted. Nothing is queued for the reader: it
 * gets the next page of the log when it asks for it, so a slow one costs no more than its cursors. While nothing
 * happens, nothing is read and no timer runs; a cursor costs about 400 bytes then.
 */
export async function* subscription(options: SubscriptionOptions): AsyncGenerator<DeliveryResponse> {
  const { wake, signal, turns } = options
  const positions = positionsOf(options)
  const watch = wake.watch(positions.keys())
  const drop = (topic: string) => {
    positions.delete(topic)
    watch.drop(topic)
    options.onDropped()
  }
  const reading = { ...options, positions, drop }
  try {
    for (const [n, topic] of [...positions.keys()].entries()) {
      if (n % TOPICS_IN_A_TURN === 0) await turns.next()
      yield* pages(topic, reading, { atLeastOne: true })
    }
    while (!signal.aborted) {
      for (const topic of await watch.changed({ signal })) yield* pages(topic, reading, { atLeastOne: false })
    }
  } finally {
    watch.close()
  }
}

/** A look into the store takes no time, nor does an answer that the system takes at once: both without a pause. */
const TOPICS_IN_A_TURN = 16

/**
 * Subscriptions that begin take turns, one in each turn of the event loop: many of them, of a thousand cursors each, would
 * keep the process from anything else until all of them were read.
 */
export class Turns {
  readonly #waiting: (() => void)[] = []

  next(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) this.#later()
    })
  }

  #later(): void {
    setImmediate(() => {
      this.#waiting.shift()!()
      if (this.#waiting.length > 0) this.#later()
    })
  }
}

/** How far each log and the inbox were read, by topic. */
type Positions = Map<string, bigint>

function positionsOf({ cursors, inbox }: SubscriptionOptions): Positions {
  const positions: Positions = new Map()
  for (const { groupId, afterSeq } of cursors) positions.set(groupTopic(groupId), afterSeq)
  if (inbox !== undefined) positions.set(inboxTopic(inbox.deviceId), inbox.after)
  return positions
}

interface Reading extends Pick<SubscriptionOptions, "store" | "page" | "signal"> {
  readonly positions: Positions
  readonly drop: (topic: string) => void
}

interface Next {
  readonly response: DeliveryResponse
  /** How far it goes; `undefined` where there is nothing to be read, now and later. */
  readonly position: bigint | undefined
  readonly news: boolean
  readonly more: boolean
}

async function* pages(
  topic: string,
  reading: Reading,
  { atLeastOne }: { readonly atLeastOne: boolean },
): AsyncGenerator<DeliveryResponse> {
  for (let first = true; !reading.signal.aborted; first = false) {
    const after = reading.positions.get(topic)
    if (after === undefined) return
    const { response, position, news, more } = await (isInbox(topic) ? inboxPage : logPage)(idOf(topic), after, reading)
    if (position === undefined) reading.drop(topic)
    else reading.positions.set(topic, position)
    if (news || (first && atLeastOne)) yield response
    if (!more) return
  }
}

async function logPage(groupId: Uint8Array, after: bigint, { store, page }: Reading): Promise<Next> {
  const read = await store.read({ groupId, after, ...page })
  if (read === undefined) {
    return { response: { type: "notFound", groupId }, position: undefined, news: true, more: false }
  }
  const { entries, headSeq, oldestSeq } = read
  if (after + 1n < oldestSeq) {
    const response: DeliveryResponse = { type: "belowRetention", groupId, oldestSeq }
    return { response, position: oldestSeq - 1n, news: true, more: true }
  }
  const position = entries.at(-1)?.seq ?? after
  const response: DeliveryResponse = { type: "entries", groupId, entries, headSeq }
  return { response, position, news: entries.length > 0, more: entries.length > 0 && position < headSeq }
}

async function inboxPage(deviceId: Uint8Array, after: bigint, { store, page }: Reading): Promise<Next> {
  const { entries, head } = await store.inbox({ deviceId, after, ...page })
  const position = entries.at(-1)?.n ?? after
  const response: DeliveryResponse = { type: "inboxEntries", entries, head }
  return { response, position, news: entries.length > 0, more: entries.length > 0 && position < head }
}
