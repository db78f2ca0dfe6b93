import { withDeadline } from "./deadline.js"
import { type RequestOptions, type SubscribeOptions, type Transport, TransportError } from "./seam.js"
import type { SocketTransportOptions } from "./socket-options.js"
import { type ClientStream, openSession, type SocketSession } from "./socket-session.js"

export interface SocketTransport extends Transport {
  /** Whether a request would go out on a socket that is already open. */
  readonly connected: boolean
}

/**
 * Requests and subscriptions side by side on one WebSocket, which is opened when it is first needed and again after it
 * was lost. A lost socket ends whatever was under way on it with a retryable {@link TransportError}; nothing is sent
 * twice, and subscriptions are not taken up again: only their reader knows from where.
 */
export function socketTransport(options: SocketTransportOptions): SocketTransport {
  const { service, timeoutMilliseconds = 30_000, creditBytes = 256 * 1024 } = options
  let session: Promise<SocketSession> | undefined
  let openedSession: SocketSession | undefined
  let closed = false

  const connected = () => openedSession?.alive === true

  function currentSession(): Promise<SocketSession> {
    if (closed) return Promise.reject(new TransportError("the transport is closed", { retryable: false }))
    if (session !== undefined && (openedSession === undefined || openedSession.alive)) return session
    openedSession = undefined
    const opening = openSession(options)
    session = opening
    opening.then(
      (opened) => {
        if (closed) opened.close()
        else openedSession = opened
      },
      () => {
        if (session === opening) session = undefined
      },
    )
    return opening
  }

  async function* subscription(body: Uint8Array, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    const session = await withDeadline({ signal, timeoutMilliseconds }, currentSession)
    const stream = session.open({ service, body, credit: creditBytes })
    try {
      yield* itemsUntilAborted(stream, signal)
    } finally {
      stream.cancel()
    }
  }

  return {
    get connected() {
      return connected()
    },
    request: (body, { signal }: RequestOptions = {}) =>
      withDeadline({ signal, timeoutMilliseconds }, async (signal) => {
        const session = await currentSession()
        // A credit of one byte buys exactly one item.
        const stream = session.open({ service, body, credit: 1 })
        try {
          for await (const item of itemsUntilAborted(stream, signal)) return item
        } finally {
          stream.cancel()
        }
        throw new TransportError("the service ended without an answer", { retryable: true })
      }),
    subscribe: (body, { signal }: SubscribeOptions = {}) => subscription(body, signal),
    async [Symbol.asyncDispose]() {
      closed = true
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
