import { TransportError } from "./seam.js"
import { platformTimers, type Timers } from "./timers.js"

export interface Deadline {
  readonly signal?: AbortSignal | undefined
  readonly timeoutMilliseconds: number
  /** Default: the platform's. */
  readonly timers?: Timers | undefined
}

/**
 * Runs `work` with a signal that is aborted when the caller's is, or when time is over. Rejects with the caller's
 * reason in the first case and with a retryable {@link TransportError} in the second.
 *
 * A timer of its own and not `AbortSignal.any`: Node 20 keeps every composed signal for as long as its sources live.
 */
export async function withDeadline<T>(
  { signal, timeoutMilliseconds, timers = platformTimers }: Deadline,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const controller = new AbortController()
  const late = new TransportError(`no answer within ${timeoutMilliseconds} ms`, { retryable: true })
  const leave = () => controller.abort(signal?.reason)
  const cancel = timers.after(timeoutMilliseconds, () => controller.abort(late))
  const unfollow = signal && follow(signal, leave)
  try {
    return await work(controller.signal)
  } catch (error) {
    if (controller.signal.aborted) throw controller.signal.reason
    throw error
  } finally {
    cancel()
    unfollow?.()
  }
}

const followers = new WeakMap<AbortSignal, Set<() => void>>()

/** One listener for all requests that share a signal: Node takes many for a leak, and says so to the user. */
function follow(signal: AbortSignal, leave: () => void): () => void {
  let all = followers.get(signal)
  if (all === undefined) {
    const set = new Set<() => void>()
    signal.addEventListener("abort", () => leaveAll(set), { once: true })
    followers.set(signal, set)
    all = set
  }
  all.add(leave)
  return () => all.delete(leave)
}

function leaveAll(all: ReadonlySet<() => void>): void {
  for (const leave of [...all]) leave()
}
