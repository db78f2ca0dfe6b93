import { type Handler, type RequestOptions, type SubscribeOptions, type Transport, TransportError } from "./seam.js"

/**
 * The transport's in-memory twin: asks `handler` directly. Bytes are copied both ways, so that neither side can reach
 * into the other's memory. After disposal every use rejects, and open subscriptions end with an error.
 */
export function directTransport(handler: Handler): Transport {
  const closed = new AbortController()
  return {
    async request(body, options: RequestOptions = {}) {
      for await (const response of answers(handler, body, { ...options, closed: closed.signal })) return response
      throw new TransportError("the service ended without an answer", { retryable: true })
    },
    subscribe: (body, options: SubscribeOptions = {}) => answers(handler, body, { ...options, closed: closed.signal }),
    async [Symbol.asyncDispose]() {
      closed.abort()
    },
  }
}

interface Asking extends RequestOptions {
  readonly closed: AbortSignal
}

async function* answers(handler: Handler, body: Uint8Array, { signal, closed }: Asking): AsyncGenerator<Uint8Array> {
  const gone = new AbortController()
  let release = () => {}
  const leave = () => {
    gone.abort()
    release()
  }
  signal?.addEventListener("abort", leave)
  closed.addEventListener("abort", leave)
  const responses = startIterating(handler, body.slice(), gone.signal)
  try {
    for (;;) {
      signal?.throwIfAborted()
      if (closed.aborted) throw new TransportError("the transport is closed", { retryable: false })
      const next = await new Promise<IteratorResult<Uint8Array> | undefined>((resolve, reject) => {
        release = () => resolve(undefined)
        responses.next().then(resolve, reject)
      })
      if (next === undefined) continue
      if (next.done) return
      yield next.value.slice()
    }
  } catch (error) {
    if (error instanceof TransportError || error === signal?.reason) throw error
    throw new TransportError("the service failed", { retryable: true, cause: error })
  } finally {
    signal?.removeEventListener("abort", leave)
    closed.removeEventListener("abort", leave)
    gone.abort()
    // Not awaited: a handler that waits for something else than its signal must not hold up the asker.
    responses.return?.().catch(() => {})
  }
}

function startIterating(handler: Handler, body: Uint8Array, signal: AbortSignal): AsyncIterator<Uint8Array> {
  return handler(body, { signal, early: false })[Symbol.asyncIterator]()
}
