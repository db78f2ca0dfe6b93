import { type Codec, DecodeError, decode } from "@conclave/codec"
import type { RequestContract, Transport } from "@conclave/transport"
import { ClientError } from "../errors.js"
import { branch } from "./branch.js"

/** The service could not be asked, or could not answer: the same again later. Nothing is known of the request. */
export class Unavailable extends ClientError {
  readonly retryAfterMilliseconds: number | undefined

  constructor(message: string, retryAfterMilliseconds?: number, cause?: unknown) {
    super("UNAVAILABLE", message, cause)
    this.retryAfterMilliseconds = retryAfterMilliseconds
  }
}

type Passing =
  | { readonly type: "throttled"; readonly retryAfterMilliseconds: number }
  | { readonly type: "unavailable"; readonly reason: string }
/** What is left of the answers when those that only ask for patience have become {@link Unavailable}. */
export type Lasting<Response> = Exclude<Response, { type: "throttled" } | { type: "unavailable" }>

/** A service's answers, typed: `Request` and `Response` are the unions of its contract. */
export class Service<Request extends { readonly type: string }, Response extends { readonly type: string }> {
  readonly #transport: Transport
  readonly #requests: RequestContract<Request>
  readonly #response: Codec<Response>

  constructor(transport: Transport, requests: RequestContract<Request>, response: Codec<Response>) {
    this.#transport = transport
    this.#requests = requests
    this.#response = response
  }

  encode(request: Request): Uint8Array {
    return this.#requests.encode(request)
  }

  /** Sends bytes that were encoded before. Every failure to get an answer is {@link Unavailable}. */
  async send(request: Uint8Array, signal?: AbortSignal): Promise<Lasting<Response>> {
    using waiting = signal && branch(signal)
    let answer: Uint8Array
    try {
      const options = waiting === undefined ? {} : { signal: waiting.signal }
      answer = this.#requests.isReplaySafe(request)
        ? await this.#transport.request(request, { ...options, replaySafe: true })
        : await this.#transport.request(request, options)
    } catch (error) {
      signal?.throwIfAborted()
      throw new Unavailable("the service does not answer", undefined, error)
    }
    return this.#read(answer)
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
      throw error instanceof Unavailable ? error : new Unavailable("the stream broke", undefined, error)
    }
  }

  async close(): Promise<void> {
    await this.#transport[Symbol.asyncDispose]()
  }

  #read(answer: Uint8Array): Lasting<Response> {
    const response = this.#decode(answer)
    const passing = response as unknown as Passing
    if (passing.type === "throttled") {
      throw new Unavailable("the service asks for patience", passing.retryAfterMilliseconds)
    }
    if (passing.type === "unavailable") throw new Unavailable(`the service is not available: ${passing.reason}`)
    return response as Lasting<Response>
  }

  #decode(answer: Uint8Array): Response {
    try {
      return decode(this.#response, answer)
    } catch (error) {
      if (error instanceof DecodeError) throw new Unavailable("the service's answer cannot be read", undefined, error)
      throw error
    }
  }
}
