import { withDeadline } from "./deadline.js"
import { type RequestOptions, TransportError } from "./seam.js"
import { platformTimers, type Timers } from "./timers.js"

export interface HttpTransportOptions {
  /** Default 30,000. */
  readonly timeoutMilliseconds?: number
  /** The longest answer that is read, in bytes; default 16 MiB. */
  readonly responseSizeMax?: number
  /** Default: the platform's. */
  readonly timers?: Timers
}

/**
 * A request that only reads is answered at once: where its answer has not begun after so long, the connection is dead or
 * something in between holds it up. Twice as long after each of these, for lines that are slower than that.
 */
const BEGINNING_MILLISECONDS = 10_000

/** The half of a transport that HTTP can carry: one POST, one answer. */
export interface HttpTransport {
  request<Body extends Uint8Array>(body: Body, options?: RequestOptions<Body>): Promise<Uint8Array>
}

/**
 * Asks the service at `url` with the platform's own `fetch`. Rejects with {@link TransportError}: retryable where the
 * line broke, time ran out or the server said 429 or 5xx. An aborted signal rejects with the signal's reason. For a request
 * that is `replaySafe`, time runs out after ten seconds in which no answer has begun.
 */
export function httpTransport(url: URL, options: HttpTransportOptions = {}): HttpTransport {
  const timeoutMilliseconds = options.timeoutMilliseconds ?? 30_000
  const responseSizeMax = options.responseSizeMax ?? 16 * 1024 * 1024
  const { timers = platformTimers } = options
  let beginningMilliseconds = BEGINNING_MILLISECONDS
  const begin: Begin = async (signal, work) => {
    const milliseconds = beginningMilliseconds
    const late = new TransportError(`no answer within ${milliseconds} ms`, { retryable: true })
    const controller = new AbortController()
    const leave = () => controller.abort(signal.reason)
    signal.addEventListener("abort", leave, { once: true })
    const cancel = timers.after(milliseconds, () => {
      beginningMilliseconds = Math.min(2 * milliseconds, timeoutMilliseconds)
      controller.abort(late)
    })
    try {
      const response = await work(controller.signal)
      beginningMilliseconds = BEGINNING_MILLISECONDS
      return response
    } finally {
      cancel()
    }
  }
  return {
    request: (body, { signal, replaySafe } = {}) =>
      withDeadline({ signal, timeoutMilliseconds, timers }, (signal) =>
        post({ url, body, signal, responseSizeMax, begin: replaySafe ? begin : (signal, work) => work(signal) }),
      ),
  }
}

/** Asks, with a signal that is aborted where the answer does not begin in time. */
type Begin = (signal: AbortSignal, work: (signal: AbortSignal) => Promise<Response>) => Promise<Response>

interface Post {
  readonly url: URL
  readonly body: Uint8Array
  readonly signal: AbortSignal
  readonly responseSizeMax: number
  readonly begin: Begin
}

async function post({ url, body, signal, responseSizeMax, begin }: Post): Promise<Uint8Array> {
  try {
    const response = await begin(signal, (signal) =>
      fetch(url, {
        method: "POST",
        headers: { "content-type": "application/octet-stream" },
        body: body as Uint8Array<ArrayBuffer>,
        signal,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
      }),
    )
    const content = await readBody(response, responseSizeMax)
    if (response.status === 200) return content
    const retryable = response.status >= 500 || response.status === 429
    throw new TransportError(`the server answered ${response.status}: ${excerpt(content)}`, {
      retryable,
      status: response.status,
      retryAfterMilliseconds: retryable ? retryAfter(response.headers, Date.now()) : undefined,
    })
  } catch (error) {
    if (error instanceof TransportError) throw error
    if (isMisdirected(error)) {
      const reason = "it does not answer to the name that was asked for"
      throw new TransportError(`the server answered 421: ${reason}`, { retryable: false, cause: error, status: 421 })
    }
    throw new TransportError(`cannot reach ${url.origin}`, { retryable: true, cause: error })
  }
}

/** Node's `fetch` asks again after a 421 (Misdirected Request), with a body that it has used up, and fails with this. */
function isMisdirected(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error && "code" in cause && cause.code === "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH"
}

/**
 * Of `Retry-After`, a number of seconds or a date (RFC 9110 §10.2.3), in milliseconds; `undefined` where it names no time to
 * come. A date is compared with that of the answer, where there is one: this machine's clock may be wrong. `now`: Unix time
 * in milliseconds.
 */
export function retryAfter(headers: Headers, now: number): number | undefined {
  const value = headers.get("retry-after")?.trim() ?? ""
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1_000 : dateOf(value) - (dateIn(headers) ?? now)
  return milliseconds > 0 ? milliseconds : undefined
}

function dateIn(headers: Headers): number | undefined {
  const date = dateOf(headers.get("date") ?? "")
  return Number.isNaN(date) ? undefined : date
}

/** `NaN` for what is not a date of HTTP, of which the obsolete forms begin with a day, too (RFC 9110 §5.6.7). */
function dateOf(text: string): number {
  const date = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text) ? text : ""
  // That of asctime says no zone.
  return Date.parse(/GMT$/.test(date) || date === "" ? date : `${date} GMT`)
}

async function readBody(response: Response, sizeMax: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let size = 0
  const reader = response.body?.getReader()
  if (reader === undefined) return new Uint8Array()
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    size += next.value.length
    if (size > sizeMax) {
      await reader.cancel()
      throw new TransportError(`the answer is longer than ${sizeMax} bytes`, { retryable: false })
    }
    parts.push(next.value)
  }
  return concat(parts, size)
}

function concat(parts: readonly Uint8Array[], size: number): Uint8Array {
  if (parts.length === 1) return parts[0]!
  const whole = new Uint8Array(size)
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

// What a server that is not ours says is shown shortened, and without control characters.
function excerpt(content: Uint8Array): string {
  const text = new TextDecoder().decode(content.subarray(0, 200))
  return text.replace(/[^\P{Cc}]/gu, " ").trim() || "(nothing)"
}
