import type { LineFault } from "./line-fault.js"
import { TransportError } from "./seam.js"
import { platformTimers, type Timers } from "./timers.js"

export interface Asked {
  /** The socket's address, `http:` or `https:`. */
  readonly url: URL
  /** Of the page that asks: browsers send none with a GET to the page's own origin. */
  readonly origin?: string | undefined
  readonly timers?: Timers | undefined
}

const TIMEOUT_MILLISECONDS = 5_000

/**
 * Asks the service by a plain GET of the socket's path, whose answer is in the file `listener/socket.ts` of
 * `@conclave/server`: a page sees neither status nor body of its own WebSocket that failed. Never rejects.
 */
export async function socketFault({ url, origin, timers = platformTimers }: Asked): Promise<LineFault> {
  const asked = new URL(url)
  if (origin !== undefined) asked.searchParams.set("origin", origin)
  const late = new AbortController()
  const cancel = timers.after(TIMEOUT_MILLISECONDS, () => late.abort())
  try {
    const response = await fetch(asked, {
      cache: "no-store",
      credentials: "omit",
      // Whatever sends elsewhere, to a form for a password for one, is there and is not this service.
      redirect: "manual",
      signal: late.signal,
    })
    if (response.status === 426) return faultIn(await response.json())
    await response.body?.cancel()
    if (response.status === 421) return "hostRefused"
    return response.status >= 502 && response.status <= 504 ? "unavailable" : "unknown"
  } catch (error) {
    return error instanceof SyntaxError ? "unknown" : "unreachable"
  } finally {
    cancel()
  }
}

function faultIn(answer: unknown): LineFault {
  if (typeof answer !== "object" || answer === null || !("code" in answer)) return "unknown"
  return "originAllowed" in answer && answer.originAllowed === false ? "originRefused" : "upgradeDropped"
}

/** What an error, or one of its causes, says of the line. */
export function lineFaultOf(error: unknown): LineFault | undefined {
  for (const it of transportErrors(error)) if (it.fault !== undefined) return it.fault
  return undefined
}

/** See `TransportError.isHandedOver`: of an error or one of its causes. */
export function isHandedOver(error: unknown): boolean {
  for (const it of transportErrors(error)) if (it.isHandedOver) return true
  return false
}

function* transportErrors(error: unknown): Generator<TransportError> {
  for (let it = error; it instanceof Error; it = it.cause) if (it instanceof TransportError) yield it
}
