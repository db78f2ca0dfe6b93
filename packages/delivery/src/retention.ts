/// <reference lib="esnext.disposable" preserve="true" />
import type { BlobStore } from "./store/blob-store.js"
import type { PushStore } from "./store/push-store.js"
import type { Horizons, Store } from "./store/store.js"

/** How long is kept what; in days. */
export interface Retention {
  /** Application messages; default 30. */
  readonly messages: number
  /** Handshakes, and what says of an expired message that it was there; default 180. */
  readonly handshakes: number
  /** Entries of inboxes that nobody acknowledges; default 180. */
  readonly inbox: number
  /** Groups to which nothing is appended; default 360. */
  readonly groups: number
  /** The least for which the members of a group may have messages kept; default 1. */
  readonly messagesMin: number
  /**
   * The least for handshakes; default 14. A device asks for a week for a log that it is not shown, and one that is silent
   * renews its keys after a week: who is away for less than both is let in by the log itself.
   */
  readonly handshakesMin: number
  /**
   * From when members ask for less time, or retire their group, until that is done; default 7. A member who is there within
   * that time can read what there is, and keep the group by saying something.
   */
  readonly notice: number
}

/** All that is kept longer follows from how long messages are. */
export function retentionOf(messagesDays = 30): Retention {
  return {
    messages: messagesDays,
    handshakes: 6 * messagesDays,
    inbox: 6 * messagesDays,
    groups: 12 * messagesDays,
    messagesMin: Math.min(1, messagesDays),
    handshakesMin: Math.min(14, 6 * messagesDays),
    notice: 7,
  }
}

export interface SweepingOptions {
  readonly store: Store
  readonly blobs?: BlobStore | undefined
  readonly pushes?: PushStore | undefined
  readonly retention?: Retention
  /** Unix time in milliseconds; default `Date.now`. */
  readonly now?: () => number
  /** Between the end of one sweep and the beginning of the next; default one minute. */
  readonly intervalMilliseconds?: number
  /** Rows of a kind that are deleted at a time, with requests in between; default 200. */
  readonly rowsMax?: number
  /** Is told of errors; the sweep is tried again at its time. */
  readonly onError?: (error: unknown) => void
  /** Is told of each sweep that has come to its end: how long it took, and how many rows it has deleted or emptied. */
  readonly onSwept?: (milliseconds: number, rows: number) => void
}

/** Deletes what has expired, now and then on a timer. Disposing it waits for what is under way. */
export function startSweeping(options: SweepingOptions): AsyncDisposable {
  const { intervalMilliseconds = 60_000, onError = () => {} } = options
  const stopped = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let sweeping: Promise<void> = Promise.resolve()
  const later = (milliseconds: number) => {
    timer = setTimeout(() => {
      sweeping = sweepOnce(options, stopped.signal)
        .catch(onError)
        .finally(() => {
          if (!stopped.signal.aborted) later(intervalMilliseconds)
        })
    }, milliseconds).unref()
  }
  later(0)
  return {
    async [Symbol.asyncDispose]() {
      stopped.abort()
      clearTimeout(timer)
      await sweeping
    },
  }
}

/** Until nothing is left that has expired: in small pieces, so that nobody waits for long. */
export async function sweepOnce(
  {
    store,
    blobs,
    pushes,
    retention = retentionOf(),
    now = Date.now,
    rowsMax = 200,
    onSwept = () => {},
  }: SweepingOptions,
  signal?: AbortSignal,
): Promise<void> {
  const begin = performance.now()
  for (let all = 0; signal?.aborted !== true; ) {
    const ofLogs = await store.sweep(horizonsOf(retention, now(), rowsMax))
    const ofBlobs = await blobs?.sweep({ at: BigInt(now()), rowsMax })
    const ofPushes = await pushes?.sweep({ at: BigInt(now()), rowsMax })
    all += ofLogs.rows + (ofBlobs?.rows ?? 0) + (ofPushes?.rows ?? 0)
    if (!ofLogs.more && ofBlobs?.more !== true && ofPushes?.more !== true) {
      all += await sweepGone({ store, blobs, pushes, rowsMax }, signal)
      return onSwept(performance.now() - begin, all)
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/**
 * Deletes blobs and push registrations of groups that are no more: closed by the operator, retired, or not spoken in for long. They
 * may lie in another place than the logs, where nothing is deleted in the same transaction. Resolves with how many rows these were.
 */
async function sweepGone(
  { store, blobs, pushes, rowsMax }: Pick<SweepingOptions, "store" | "blobs" | "pushes"> & { readonly rowsMax: number },
  signal?: AbortSignal,
): Promise<number> {
  let rows = 0
  const isStopped = () => signal?.aborted === true
  for (const place of [blobs, pushes]) {
    for (let after = new Uint8Array(); place !== undefined && !isStopped(); ) {
      const groups = await place.groups({ after, limit: rowsMax })
      const shown = groups.map((groupId) => ({ groupId, key: undefined, permit: () => undefined }))
      const standings = await store.standings(shown)
      for (const [at, groupId] of groups.entries()) {
        if (standings[at]!.type !== "notFound") continue
        for (let more = true; more && !isStopped(); ) {
          const swept = await place.deleteOfGroup(groupId, rowsMax)
          rows += swept.rows
          more = swept.more
          await new Promise((resolve) => setImmediate(resolve))
        }
      }
      if (groups.length < rowsMax) break
      after = Uint8Array.from(groups.at(-1)!)
    }
  }
  return rows
}

const DAY_MILLISECONDS = 86_400_000

/** Knocks wait for a day, and so do their answers. */
export const knocksSince = (now: number) => BigInt(Math.max(0, Math.floor(now - DAY_MILLISECONDS)))

function horizonsOf({ messages, handshakes, inbox, groups }: Retention, now: number, rowsMax: number): Horizons {
  const before = (days: number) => BigInt(Math.max(0, Math.floor(now - days * DAY_MILLISECONDS)))
  return {
    at: BigInt(now),
    messages: before(messages),
    log: before(handshakes),
    inbox: before(inbox),
    groups: before(groups),
    knocks: knocksSince(now),
    rowsMax,
  }
}
