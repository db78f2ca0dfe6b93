/// <reference lib="esnext.disposable" preserve="true" />
import type { LineFault } from "./line-fault.js"
import type { ReplaySafe } from "./replay-safety.js"

/**
 * The seam between those who ask and those who answer. A service is a function from one request to a sequence of
 * responses; a transport carries bytes and knows nothing of their meaning. Tests put the two together without a socket
 * ({@link directTransport} in `memory.ts`).
 */
export interface Transport extends AsyncDisposable {
  /**
   * One request, one response. A request that is `replaySafe` may travel in the first packet (TCP Fast Open), where an
   * attacker can record and repeat it. Rejects with {@link TransportError}.
   */
  request<Body extends Uint8Array>(body: Body, options?: RequestOptions<Body>): Promise<Uint8Array>
  /** One request, responses until either side ends them. Iteration throws {@link TransportError} when the line breaks. */
  subscribe<Body extends Uint8Array>(body: Body, options?: RequestOptions<Body>): AsyncIterable<Uint8Array>
  /**
   * Looks whether an open line still carries something: one that does not breaks within seconds, and so does an attempt
   * to open one that has been under way for seconds. For the moment after a machine or a page has slept, and for a network
   * that came back. Absent where a transport keeps no line open.
   */
  probe?(): void
}

export interface SubscribeOptions {
  readonly signal?: AbortSignal
}

export interface RequestOptions<Body extends Uint8Array = Uint8Array> extends SubscribeOptions {
  /** Only for bytes of which their contract says so: `RequestContract.encode` and `isReplaySafe` make the type. */
  readonly replaySafe?: Body extends ReplaySafe ? boolean : false
}

/** How a request came: by HTTP, on a WebSocket, sealed, or without a listener. */
export type Way = "http" | "socket" | "sealed" | "direct"

export interface RequestContext {
  /** Aborted when the asker is gone. */
  readonly signal: AbortSignal
  /** The request came in the first flight and may be a replay: only requests that are safe to repeat may run. */
  readonly early: boolean
  /**
   * Who asks, as far as the listener can tell: an IPv4 address or 56 bits of an IPv6 address, as short opaque text. For
   * sharing fairly, never for deciding who somebody is. Absent where nothing is known, as without a listener.
   */
  readonly peer?: string | undefined
  /** The wider network of {@link peer}: 24 bits of an IPv4 address, 48 of an IPv6 address. Each is to be limited. */
  readonly network?: string | undefined
  /** By which way the request came, as the listener says; absent without one. For telling, never for deciding. */
  readonly way?: Way | undefined
}

/** A service: never throws for what a request says; its answers are typed by its own contract. */
export type Handler = (request: Uint8Array, context: RequestContext) => AsyncIterable<Uint8Array>

/** The request may or may not have arrived: only the service's own records can tell (a timeout is not a failure). */
export class TransportError extends Error {
  override readonly name = "TransportError"
  readonly code = "TRANSPORT_FAILED"
  /** Whether the same request may succeed if it is sent again. */
  readonly retryable: boolean
  /** The HTTP status, where a server answered with one that is no 200. */
  readonly status: number | undefined
  /** Why there is no line, where that is known. */
  readonly fault: LineFault | undefined
  /** What the server, or a proxy, has named with its status (`Retry-After`, RFC 9110 §10.2.3); above 0, without a bound. */
  readonly retryAfterMilliseconds: number | undefined
  /** The server has ended a line that worked, as it is about to stop (RFC 6455 §7.4.1: 1001): others may be there. */
  readonly isHandedOver: boolean

  constructor(
    message: string,
    options: {
      readonly retryable: boolean
      readonly cause?: unknown
      readonly status?: number
      readonly fault?: LineFault | undefined
      readonly retryAfterMilliseconds?: number | undefined
      readonly isHandedOver?: boolean
    },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.retryable = options.retryable
    this.status = options.status
    this.fault = options.fault
    this.retryAfterMilliseconds = options.retryAfterMilliseconds
    this.isHandedOver = options.isHandedOver ?? false
  }
}
