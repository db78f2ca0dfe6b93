import { withDeadline } from "./deadline.js"
import { type RequestOptions, type SubscribeOptions, type Transport, TransportError } from "./seam.js"
import type { SocketTransportOptions } from "./socket-options.js"
import { type ClientStream, type OpeningSession, openSession, type SocketSession } from "./socket-session.js"
import { platformTimers } from "./timers.js"

export interface SocketTransport extends Transport {
  /** Whether a request would go out on a socket that is already open. */
  readonly connected: boolean
  /**
   * Whether a request that is sent now should take the socket: it is open, and the server was heard in the last seconds,
   * or is heard now. Resolves with `false` within seconds where it is not; the socket has been given up then.
   */
  usable(): Promise<boolean>
  probe(): void
}

/** A socket that was heard so recently is taken to be alive. */
const FRESH_MILLISECONDS = 5_000
/** Somebody waits for what was sent, or looks: a ping has to be answered within so long. */
const PROBE_MILLISECONDS = 3_000
/** A request without an answer for so long says that the socket carries none, whatever pings do. */
const MUTE_MILLISECONDS = 10_000
/** An attempt to open a socket that is so old is given up for another one, when there is a reason to hope. */
const ATTEMPT_MILLISECONDS = 2_000
/** Silences that differ by less than that part are one proxy's. */
const SAME_SILENCE = 0.2
const KEEPALIVE_MILLISECONDS_MIN = 1_000
/** How often the time that a ping may take is doubled. */
const DOUBLINGS_MAX = 2

/**
 * Requests and subscriptions side by side on one WebSocket, which is opened when it is first needed and again after it
 * was lost. A lost socket ends whatever was under way on it with a retryable {@link TransportError}; nothing is sent
 * twice, and subscriptions are not taken up again: only their reader knows from where.
 */
export function socketTransport(options: SocketTransportOptions): SocketTransport {
  const { service, timeoutMilliseconds = 30_000, creditBytes = 256 * 1024, timers = platformTimers, explain } = options
  const keepaliveMillisecondsMax = options.keepaliveMilliseconds ?? 15_000
  let keepaliveMilliseconds = keepaliveMillisecondsMax
  const pongMilliseconds = options.pongMilliseconds ?? keepaliveMilliseconds / 2
  let session: Promise<SocketSession> | undefined
  let openedSession: SocketSession | undefined
  let opening: (OpeningSession & { readonly begun: number }) | undefined
  let closed = false
  /** Sockets in a row that did not open. */
  let failures = 0
  /** Sockets in a row that answered no ping: a large answer on a slow line takes longer than a ping may. */
  let doublings = 0
  /** It answers pings, and has not answered a request: others go another way as long as it is open. */
  let mute: SocketSession | undefined
  /** How long the last socket that was cut had been silent. */
  let cutAfter: number | undefined

  const connected = () => openedSession?.alive === true

  function currentSession(): Promise<SocketSession> {
    if (closed) return Promise.reject(new TransportError("the transport is closed", { retryable: false }))
    if (session !== undefined && (openedSession === undefined || openedSession.alive)) return session
    if (openedSession?.hasAnswered === true) doublings = 0
    if (openedSession?.isUnanswered === true) doublings = Math.min(doublings + 1, DOUBLINGS_MAX)
    if (openedSession !== undefined) learnPatience(openedSession)
    openedSession = undefined
    const current = open()
    session = current
    current.then(
      (opened) => {
        if (closed) opened.close()
        else openedSession = opened
      },
      () => {
        if (session === current) session = undefined
      },
    )
    return current
  }

  /**
   * A proxy that cuts what is silent for a time of its own: two sockets that were cut after the same silence, and none after
   * another in between. One that ends otherwise may have been on another network, without that proxy: the next one may be
   * silent for twice as long, and where it is cut as before, that is seen at once.
   */
  function learnPatience({ cutAfter: silence, isUnanswered }: SocketSession): void {
    if (silence === undefined && !isUnanswered) return
    const isSame =
      silence !== undefined && cutAfter !== undefined && Math.abs(silence - cutAfter) < SAME_SILENCE * cutAfter
    keepaliveMilliseconds = isSame
      ? Math.max(KEEPALIVE_MILLISECONDS_MIN, Math.min(keepaliveMilliseconds, silence / 2))
      : Math.min(keepaliveMillisecondsMax, keepaliveMilliseconds * 2)
    if (silence !== undefined) cutAfter = silence >= KEEPALIVE_MILLISECONDS_MIN ? silence : undefined
  }

  async function open(): Promise<SocketSession> {
    const pong = pongMilliseconds * 2 ** doublings
    const attempt = openSession({ ...options, keepaliveMilliseconds, pongMilliseconds: pong })
    const mine = { ...attempt, begun: timers.elapsed() }
    opening = mine
    try {
      const opened = await attempt.opened
      failures = 0
      return opened
    } catch (error) {
      failures++
      throw await explained(error)
    } finally {
      if (opening === mine) opening = undefined
    }
  }

  async function explained(error: unknown): Promise<unknown> {
    if (!(error instanceof TransportError) || explain === undefined || closed) return error
    const found = await explain()
    // A single socket may also have failed because of a moment's fault of the network.
    const fault = found === "upgradeDropped" && failures < 2 ? undefined : found
    const { retryable, cause } = error
    return new TransportError(error.message, { retryable, cause, fault })
  }

  async function* subscription(body: Uint8Array, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    const session = await withDeadline({ signal, timeoutMilliseconds, timers }, currentSession)
    const stream = session.open({ service, body, credit: creditBytes })
    try {
      yield* itemsUntilAborted(stream, signal)
    } finally {
      stream.cancel()
    }
  }

  async function ask(body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const session = await currentSession()
    // A credit of one byte buys exactly one item.
    const stream = session.open({ service, body, credit: 1 })
    const begun = timers.elapsed()
    let isAnswered = false
    // An answer may take its time; a pong does not.
    const cancel = timers.after(PROBE_MILLISECONDS, () => void session.probe(PROBE_MILLISECONDS))
    try {
      for await (const item of itemsUntilAborted(stream, signal)) {
        isAnswered = true
        return item
      }
    } finally {
      if (!isAnswered && session.alive && timers.elapsed() - begun >= MUTE_MILLISECONDS) mute = session
      cancel()
      stream.cancel()
    }
    throw new TransportError("the service ended without an answer", { retryable: true })
  }

  return {
    get connected() {
      return connected()
    },
    async usable() {
      if (openedSession?.alive !== true || openedSession === mute) return false
      return openedSession.silence < FRESH_MILLISECONDS || openedSession.probe(PROBE_MILLISECONDS)
    },
    probe() {
      if (openedSession?.alive === true) void openedSession.probe(PROBE_MILLISECONDS)
      else if (opening !== undefined && timers.elapsed() - opening.begun >= ATTEMPT_MILLISECONDS) opening.abandon()
    },
    request: (body, { signal }: RequestOptions = {}) =>
      withDeadline({ signal, timeoutMilliseconds, timers }, (signal) => ask(body, signal)),
    subscribe: (body, { signal }: SubscribeOptions = {}) => subscription(body, signal),
    async [Symbol.asyncDispose]() {
      closed = true
      opening?.abandon()
      openedSession?.close()
    },
  }
}

async function* itemsUntilAborted(stream: ClientStream, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  signal?.throwIfAborted()
  const leave = () => stream.fail(signal?.reason)
  signal?.addEventListener("abort", leave)
  try {
    for (let item = await stream.next(); item !== undefined; item = await stream.next()) yield item
  } finally {
    signal?.removeEventListener("abort", leave)
  }
}
