import type { DeliveryResponse } from "./api.js"
import type { Store } from "./store/store.js"
import type { Wake } from "./wake.js"

export interface SubscriptionOptions {
  readonly cursors: readonly { readonly groupId: Uint8Array; readonly afterSeq: bigint }[]
  readonly inbox: { readonly deviceId: Uint8Array; readonly after: bigint } | undefined
  readonly store: Store
  readonly wake: Wake
  readonly page: { readonly limit: number; readonly sizeMax: number }
  readonly pollMilliseconds: number
  readonly signal: AbortSignal
}

export const groupTopic = (groupId: Uint8Array) => `group ${Buffer.from(groupId).toString("hex")}`
export const inboxTopic = (deviceId: Uint8Array) => `inbox ${Buffer.from(deviceId).toString("hex")}`

/**
 * What is behind the cursors and then what comes, until the signal is aborted. Nothing is queued for the reader: it
 * gets the next page of the log when it asks for it, so a slow one costs no more than its cursors.
 */
export async function* subscription(options: SubscriptionOptions): AsyncGenerator<DeliveryResponse> {
  const { wake, signal, pollMilliseconds } = options
  const sources = new Map(sourcesOf(options))
  const watch = wake.watch(sources.keys())
  try {
    for (const source of sources.values()) yield* pages(source, { atLeastOne: true, signal })
    while (!signal.aborted) {
      const changed = await watch.changed({ timeoutMilliseconds: pollMilliseconds, signal })
      // No hint within the time: perhaps one was lost, or another process has written.
      const due = changed.size === 0 ? sources.keys() : changed
      for (const topic of due) yield* pages(sources.get(topic)!, { atLeastOne: false, signal })
    }
  } finally {
    watch.close()
  }
}

/** One log or inbox, and how far it was read. */
type Source = () => Promise<{ readonly response: DeliveryResponse; readonly news: boolean; readonly more: boolean }>

async function* pages(
  source: Source,
  { atLeastOne, signal }: { readonly atLeastOne: boolean; readonly signal: AbortSignal },
): AsyncGenerator<DeliveryResponse> {
  for (let first = true; !signal.aborted; first = false) {
    const { response, news, more } = await source()
    if (news || (first && atLeastOne)) yield response
    if (!more) return
  }
}

function* sourcesOf({ cursors, inbox, store, page }: SubscriptionOptions): Generator<[string, Source]> {
  for (const { groupId, afterSeq } of cursors) yield [groupTopic(groupId), logSource(store, groupId, afterSeq, page)]
  if (inbox !== undefined) yield [inboxTopic(inbox.deviceId), inboxSource(store, inbox.deviceId, inbox.after, page)]
}

type PageLimits = SubscriptionOptions["page"]

function logSource(store: Store, groupId: Uint8Array, afterSeq: bigint, page: PageLimits): Source {
  let after = afterSeq
  return async () => {
    const read = await store.read({ groupId, after, ...page })
    if (read === undefined) return { response: { type: "notFound", groupId }, news: false, more: false }
    const { entries, headSeq, oldestSeq } = read
    if (after + 1n < oldestSeq) {
      after = oldestSeq - 1n
      return { response: { type: "belowRetention", groupId, oldestSeq }, news: true, more: true }
    }
    after = entries.at(-1)?.seq ?? after
    const response: DeliveryResponse = { type: "entries", groupId, entries, headSeq }
    return { response, news: entries.length > 0, more: entries.length > 0 && after < headSeq }
  }
}

function inboxSource(store: Store, deviceId: Uint8Array, afterNumber: bigint, page: PageLimits): Source {
  let after = afterNumber
  return async () => {
    const { entries, head } = await store.inbox({ deviceId, after, ...page })
    after = entries.at(-1)?.n ?? after
    const response: DeliveryResponse = { type: "inboxEntries", entries, head }
    return { response, news: entries.length > 0, more: entries.length > 0 && after < head }
  }
}
