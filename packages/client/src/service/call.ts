import { type Codec, DecodeError, decode } from "@conclave/codec"
import { type LineFault, lineFaultOf, type RequestContract, type Transport, TransportError } from "@conclave/transport"
import { ClientError } from "../errors.js"
import { faultWords } from "../line.js"
import { branch } from "./branch.js"
import { nameOf, type Patience, type ServiceName } from "./patience.js"

/** The service could not be asked, or could not answer: the same again later. Nothing is known of the request. */
export class Unavailable extends ClientError {
  constructor(message: string, { retryAt, cause }: { readonly retryAt?: Date; readonly cause?: unknown } = {}) {
    super("UNAVAILABLE", message, cause, retryAt)
  }
}

/** The service keeps a place until `retryAt`: whoever asks then is not refused again. */
export class Busy extends Unavailable {}

/** The service cannot take a proof, because this device's clock is not its own: the same again with its time. */
export class WrongTime extends Unavailable {
  /** Unix time in milliseconds. */
  readonly serviceTime: bigint

  constructor(serviceTime: bigint) {
    super("this device's clock differs from the service's")
    this.serviceTime = serviceTime
  }
}

/** Why a request has no answer. */
function faultOfRequest(error: unknown): LineFault {
  const known = lineFaultOf(error)
  if (known !== undefined) return known
  const status = error instanceof TransportError ? error.status : undefined
  if (status === undefined) return "unreachable"
  if (status === MISDIRECTED) return "hostRefused"
  return FOR_NOW.includes(status) ? "unavailable" : "unknown"
}

/** Statuses of HTTP (RFC 9110 §15; RFC 6585 §4): of a service that is busy or faulty, or a proxy that finds none behind it. */
const FOR_NOW: readonly number[] = [429, 500, 502, 503, 504]
const MISDIRECTED = 421
/** For longer than that a proxy's word is not taken, nor that of a login page in between. */
const PROXY_WAIT_MILLISECONDS_MAX = 300_000

/** Answers that say nothing about the request itself. */
type Passing =
  | { readonly type: "throttled"; readonly retryAfterMilliseconds: number }
  | { readonly type: "unavailable"; readonly reason: string; readonly retryAfterMilliseconds: number }
  | { readonly type: "wrongTime"; readonly serviceTime: bigint }
  | { readonly type: "update" }
/** What is left of the answers when those have become errors. */
export type Lasting<Response> = Exclude<Response, { type: Passing["type"] }>

export interface ServiceOptions<Request extends { readonly type: string }, Response> {
  readonly name: ServiceName
  readonly transport: Transport
  readonly requests: RequestContract<Request>
  readonly response: Codec<Response>
  readonly patience: Patience
}

interface Sending {
  readonly signal: AbortSignal | undefined
  readonly isPassing: boolean
}

/** A service's answers, typed: `Request` and `Response` are the unions of its contract. */
export class Service<Request extends { readonly type: string }, Response extends { readonly type: string }> {
  readonly #name: ServiceName
  readonly #transport: Transport
  readonly #requests: RequestContract<Request>
  readonly #response: Codec<Response>
  readonly #patience: Patience

  constructor({ name, transport, requests, response, patience }: ServiceOptions<Request, Response>) {
    this.#name = name
    this.#transport = transport
    this.#requests = requests
    this.#response = response
    this.#patience = patience
  }

  encode(request: Request): Uint8Array {
    return this.#requests.encode(request)
  }

  /** Sends bytes that were encoded before. Every failure to get an answer is {@link Unavailable}. */
  send(request: Uint8Array, signal?: AbortSignal): Promise<Lasting<Response>> {
    return this.#send(request, { signal, isPassing: false })
  }

  /** Asks once for what is worth nothing later: a service that has no time for it has time for other things. */
  try(request: Request, signal: AbortSignal): Promise<Lasting<Response>> {
    return this.#send(this.encode(request), { signal, isPassing: true })
  }

  async #send(request: Uint8Array, { signal, isPassing }: Sending): Promise<Lasting<Response>> {
    using waiting = signal && branch(signal)
    let answer: Uint8Array
    try {
      const options = waiting === undefined ? {} : { signal: waiting.signal }
      answer = this.#requests.isReplaySafe(request)
        ? await this.#transport.request(request, { ...options, replaySafe: true })
        : await this.#transport.request(request, options)
    } catch (error) {
      signal?.throwIfAborted()
      const after = error instanceof TransportError ? error.retryAfterMilliseconds : undefined
      const retryAt = after && this.#patience.throttled(this.#name, Math.min(after, PROXY_WAIT_MILLISECONDS_MAX))
      const words = faultWords[faultOfRequest(error)]
      throw retryAt ? new Busy(words, { cause: error, retryAt }) : new Unavailable(words, { cause: error })
    }
    return this.#read(answer, { isPassing })
  }

  ask(request: Request, signal?: AbortSignal): Promise<Lasting<Response>> {
    return this.send(this.encode(request), signal)
  }

  async *subscribe(request: Request, signal: AbortSignal): AsyncGenerator<Lasting<Response>> {
    using waiting = branch(signal)
    const { signal: session } = waiting
    const encoded = this.encode(request)
    const subscribed = this.#requests.isReplaySafe(encoded)
      ? this.#transport.subscribe(encoded, { signal: session, replaySafe: true })
      : this.#transport.subscribe(encoded, { signal: session })
    try {
      for await (const answer of subscribed) yield this.#read(answer)
    } catch (error) {
      signal.throwIfAborted()
      throw error instanceof ClientError ? error : new Unavailable("the stream broke", { cause: error })
    }
  }

  /** See {@link Transport.probe}. */
  probe(): void {
    this.#transport.probe?.()
  }

  async close(): Promise<void> {
    await this.#transport[Symbol.asyncDispose]()
  }

  /** @throws Unavailable, ClientError UPDATE */
  #read(answer: Uint8Array, { isPassing = false } = {}): Lasting<Response> {
    const response = this.#decode(answer)
    const passing = response as unknown as Passing
    const service = nameOf(this.#name)
    switch (passing.type) {
      case "throttled": {
        if (isPassing) throw new Unavailable(`the ${service} is busy`)
        const retryAt = this.#patience.throttled(this.#name, passing.retryAfterMilliseconds)
        throw new Busy(`the ${service} is busy`, { retryAt })
      }
      case "unavailable":
        throw new Unavailable(`the ${service} is not available: ${passing.reason}`, {
          retryAt: this.#patience.after(passing.retryAfterMilliseconds),
        })
      case "wrongTime":
        throw new WrongTime(passing.serviceTime)
      case "update": {
        const reason = `the ${service} speaks newer versions only: this program has to be updated`
        this.#patience.outdated(this.#name, reason)
        throw new ClientError("UPDATE", reason)
      }
    }
    return response as Lasting<Response>
  }

  #decode(answer: Uint8Array): Response {
    try {
      return decode(this.#response, answer)
    } catch (error) {
      if (error instanceof DecodeError) throw new Unavailable("the service's answer cannot be read", { cause: error })
      throw error
    }
  }
}
