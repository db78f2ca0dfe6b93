/// <reference lib="esnext.disposable" preserve="true" />
import { lookup } from "node:dns/promises"
import { setMaxListeners } from "node:events"
import { isIP } from "node:net"
import { DecodeError, decode, encode } from "@conclave/codec"
import type { CryptoProvider } from "@conclave/crypto"
import { type RequestOptions, type Transport, TransportError } from "@conclave/transport"
import { withDeadline } from "@conclave/transport/parts"
import type { FastOpenPolicy } from "../sockets/index.js"
import { fastOpenSupport, warnOnce } from "../sockets/support.js"
import { ClientConnection, type Flight, type ServerFrame, UnknownKeyError } from "./client-connection.js"
import { ClientMemory } from "./client-memory.js"
import { PINNED_KEY_ID } from "./key-ring.js"
import { type Lead, race, UnreachedError } from "./race.js"
import { Suite } from "./session.js"
import { FrameType, KEY_SIZE, Kind, Offer, REQUEST_ID_SIZE, Refusal, Supply, VERSION } from "./wire.js"

export interface SealedTransportOptions {
  readonly provider: CryptoProvider
  /**
   * What the service says of itself, from a channel that is confidential and authentic: fetched again whenever its keys
   * have gone. Or, where the service has a pinned key, that key and where to reach it.
   */
  readonly service: (() => Promise<Uint8Array | PinnedService>) | PinnedService
  /** Where to keep what the service said, for the next process: it saves that a round trip. */
  readonly kept?: KeptOffer
  /** Default `private`; `off` sends the same requests over ordinary connections. */
  readonly policy?: FastOpenPolicy
  /** Where to turn when the service cannot be reached this way; what may have arrived is not asked again there. */
  readonly fallback?: Transport
  /** Is told at the first time that the fallback is turned to, and at the first after it went well again. */
  readonly onFallback?: (reason: TransportError) => void
  /** The addresses of a name, in the order to try them. Default: the system's. */
  readonly resolve?: (host: string) => Promise<readonly string[]>
  /** Default 30,000. */
  readonly timeoutMilliseconds?: number
  /** The longest response that is read, in bytes; default 16 MiB. */
  readonly responseSizeMax?: number
  readonly now?: () => number
}

export interface PinnedService {
  readonly host: string
  readonly port: number
  /** 32 bytes. */
  readonly publicKey: Uint8Array
}

/** An offer without tokens: the service's public keys, and where it is. To be kept from other people's writing. */
export interface KeptOffer {
  load(): Uint8Array | undefined
  save(offer: Uint8Array): void
}

interface Question {
  readonly kind: number
  readonly body: Uint8Array
  /** May travel in the first packet. */
  readonly early: boolean
  readonly requestId: Uint8Array
}

/** Where the service is: its addresses, the one that is used first. */
interface Place {
  readonly host: string
  readonly addresses: readonly string[]
  readonly port: number
}

const HEAD_START_MIN_MILLISECONDS = 75
const REACH_MILLISECONDS = 3000
const TOKENS_LOW = 8
const TOKENS_ASKED = 8

/**
 * Requests sealed to the service and, where the system and the path allow it, sent in the first packet. Each request is
 * a connection of its own, and nothing on the wire links two of them but the address.
 *
 * Only what is `replaySafe` travels in the first packet; the rest waits for the server's first answer, a round trip.
 */
export class SealedTransport implements Transport {
  readonly #options: SealedTransportOptions
  readonly #suite: Suite
  readonly #memory: ClientMemory
  readonly #timeout: number
  readonly #closed = new AbortController()
  #place: Place | undefined
  #fallen = false
  #keptTaken = false
  #learning: Promise<void> | undefined

  constructor(options: SealedTransportOptions) {
    if (typeof options.service !== "function") requireKey(options.service.publicKey)
    this.#options = options
    this.#suite = new Suite(options.provider)
    this.#memory = new ClientMemory(options.now)
    this.#timeout = options.timeoutMilliseconds ?? 30_000
    // Every request under way listens.
    setMaxListeners(0, this.#closed.signal)
  }

  async request<Body extends Uint8Array>(
    body: Body,
    { signal, replaySafe = false }: RequestOptions<Body> = {},
  ): Promise<Uint8Array> {
    const question = this.#question(Kind.request, body, replaySafe)
    try {
      return await this.#whileOpen(signal, (open) =>
        withDeadline({ signal: open, timeoutMilliseconds: this.#timeout }, (signal) => this.#answer(question, signal)),
      )
    } catch (error) {
      return this.#fallbackAfter(error).request(body, signal ? { signal } : {})
    }
  }

  async *subscribe<Body extends Uint8Array>(
    body: Body,
    { signal, replaySafe = false }: RequestOptions<Body> = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const question = this.#question(Kind.subscription, body, replaySafe)
    let lead: Lead
    try {
      lead = await this.#whileOpen(signal, (open) =>
        withDeadline({ signal: open, timeoutMilliseconds: this.#timeout }, (signal) => this.#ask(question, signal)),
      )
    } catch (error) {
      yield* this.#fallbackAfter(error).subscribe(body, signal ? { signal } : {})
      return
    }
    const leave = () => lead.connection.close()
    signal?.addEventListener("abort", leave)
    this.#closed.signal.addEventListener("abort", leave)
    try {
      yield* this.#responses(lead, question)
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    } finally {
      signal?.removeEventListener("abort", leave)
      this.#closed.signal.removeEventListener("abort", leave)
      leave()
    }
  }

  /** Address tokens in stock: each makes one request's answer a round trip faster. */
  get tokenCount(): number {
    return this.#memory.tokenCount
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort(new TransportError("the transport is closed", { retryable: false }))
    await this.#options.fallback?.[Symbol.asyncDispose]()
  }

  /** Throws the error where it is not for the fallback: what may have arrived is not asked again. */
  #fallbackAfter(error: unknown): Transport {
    const { fallback, onFallback } = this.#options
    if (!(error instanceof NotReached) || !fallback) throw error
    if (!this.#fallen) onFallback?.(error)
    this.#fallen = true
    return fallback
  }

  #question(kind: number, body: Uint8Array, early: boolean): Question {
    return { kind, body, early, requestId: this.#suite.provider.random(REQUEST_ID_SIZE) }
  }

  /** Runs `work` with a signal that is aborted with the caller's, or when the transport is closed. */
  async #whileOpen<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#closed.signal.throwIfAborted()
    signal?.throwIfAborted()
    const open = new AbortController()
    const leave = () => open.abort(signal?.aborted ? signal.reason : this.#closed.signal.reason)
    signal?.addEventListener("abort", leave)
    this.#closed.signal.addEventListener("abort", leave)
    try {
      return await work(open.signal)
    } finally {
      signal?.removeEventListener("abort", leave)
      this.#closed.signal.removeEventListener("abort", leave)
    }
  }

  async #answer(question: Question, signal: AbortSignal): Promise<Uint8Array> {
    const lead = await this.#ask(question, signal)
    const leave = () => lead.connection.close()
    signal.addEventListener("abort", leave)
    try {
      const responses = this.#responses(lead, question)
      const first = await responses.next()
      if (first.done) throw new TransportError("the service ended without an answer", { retryable: true })
      void hearOut(responses, leave)
      return first.value
    } catch (error) {
      leave()
      throw error
    } finally {
      signal.removeEventListener("abort", leave)
    }
  }

  /** The connection on which the server has answered first; keys that it no longer has are learnt anew, once. */
  async #ask(question: Question, signal: AbortSignal): Promise<Lead> {
    this.#memory.noticeNetwork()
    if (this.#options.fallback && !this.#memory.reachable()) throw new NotReached("not reached a while ago", undefined)
    let relearnt = false
    for (let addressesLeft = 0; ; addressesLeft--) {
      const key = await this.#key()
      if (addressesLeft <= 0) addressesLeft = this.#place!.addresses.length
      try {
        const lead = await this.#race(question.early ? question : { ...question, kind: Kind.hello }, key, signal)
        this.#learnFromPath(lead)
        return lead
      } catch (error) {
        signal.throwIfAborted()
        const causes: unknown[] = error instanceof AggregateError ? error.errors : [error]
        if (causes.some((cause) => cause instanceof UnknownKeyError) && !relearnt) {
          this.#memory.forgetKey(key.id)
          relearnt = true
        } else if (causes.every(isUnreached) && addressesLeft > 1) {
          this.#turnToNextAddress()
        } else {
          throw this.#failure(error, question)
        }
      }
    }
  }

  #turnToNextAddress(): void {
    const { addresses, ...place } = this.#place!
    this.#place = { ...place, addresses: [...addresses.slice(1), addresses[0]!] }
  }

  /** Only what cannot have run may be asked elsewhere. */
  #failure(error: unknown, question: Question): Error {
    if (error instanceof TransportError) return error
    const causes: unknown[] = error instanceof AggregateError ? error.errors : [error]
    if (causes.every(isUnreached)) {
      this.#memory.couldNotReach()
      // The service may have moved: it is looked for again.
      this.#place = undefined
    }
    if (!question.early || causes.every((cause) => isUnreached(cause) || cause instanceof UnknownKeyError)) {
      return new NotReached("the service cannot be reached by sealed requests", error)
    }
    return new TransportError("the line to the service broke", { retryable: true, cause: error })
  }

  #race(question: Question, key: Flight["key"], signal: AbortSignal): Promise<Lead> {
    const { addresses, port } = this.#place!
    const fly = (fast: boolean) => () => {
      const token = fast ? this.#memory.takeToken() : undefined
      const body = question.kind === Kind.hello ? new Uint8Array(0) : question.body
      const flight = { key, token, body, opening: this.#opening(question, body.length) }
      return new ClientConnection(this.#suite, flight, { host: addresses[0]!, port, fast })
    }
    const fastOpen = this.#options.policy !== "off" && fastOpenSupported() && this.#memory.fastOpenWorks()
    const { roundTripMilliseconds = 0 } = this.#memory
    return race({
      ...(fastOpen && { fast: fly(true) }),
      ordinary: fly(false),
      headStartMilliseconds: Math.max(HEAD_START_MIN_MILLISECONDS, 1.5 * roundTripMilliseconds),
      reachMilliseconds: REACH_MILLISECONDS,
      signal,
      settles: ({ type, content }) => type !== FrameType.refused || content[0] !== Refusal.spent,
    })
  }

  #opening({ kind, requestId }: Question, bodyLength: number) {
    const tokensWanted = this.#memory.tokenCount < TOKENS_LOW ? TOKENS_ASKED : 0
    return { kind, requestId, bodyLength, tokensWanted, time: BigInt(this.#memory.serviceTime()) }
  }

  #learnFromPath({ connection, synData }: Lead): void {
    const { path } = connection
    this.#memory.reached()
    this.#fallen = false
    if (path) this.#memory.measured(path.roundTripMilliseconds)
    if (synData === "accepted") this.#memory.fastOpenSucceeded()
    else if (synData === "failed") this.#memory.fastOpenFailed()
  }

  async #key(): Promise<Flight["key"]> {
    const known = this.#memory.key()
    if (known && this.#place) return known
    this.#learning ??= this.#learn(this.#closed.signal).finally(() => {
      this.#learning = undefined
    })
    await this.#learning
    const learnt = this.#memory.key()
    if (learnt === undefined) throw new NotReached("the service has no key that is good now", undefined)
    return learnt
  }

  async #resolve(host: string): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [host]
    const addresses = await (this.#options.resolve ?? systemAddresses)(host)
    if (addresses.length === 0) throw new UnreachedError(`the name ${host} has no address`)
    return addresses
  }

  async #learn(signal: AbortSignal): Promise<void> {
    const { service } = this.#options
    try {
      if (await this.#takeKept()) return
      const found = typeof service === "function" ? await service() : service
      if (found instanceof Uint8Array) await this.#takeOffer(found)
      else await this.#greet(found, signal)
    } catch (cause) {
      signal.throwIfAborted()
      if (cause instanceof NotReached) throw cause
      this.#memory.couldNotReach()
      throw new NotReached("the service's offer could not be had", cause)
    }
    this.#keep()
  }

  async #takeOffer(offer: Uint8Array): Promise<void> {
    const { version, host, port, supply } = decode(Offer, offer, { sizeMax: 65_536 })
    if (version !== VERSION) throw new DecodeError(`version ${version} is not known`, 0)
    this.#place = { host, port, addresses: await this.#resolve(host) }
    this.#memory.take(supply)
  }

  /** What a former process has kept is looked at once: what does not work of it is learnt from the service. */
  async #takeKept(): Promise<boolean> {
    const kept = this.#keptTaken ? undefined : this.#options.kept?.load()
    this.#keptTaken = true
    if (kept === undefined) return false
    try {
      // Its time is of the past, and this machine's clock the best there is until the service is heard.
      const offer = decode(Offer, kept, { sizeMax: 65_536 })
      const supply = { ...offer.supply, time: BigInt(this.#memory.serviceTime()), tokens: [] }
      await this.#takeOffer(encode(Offer, { ...offer, supply }))
    } catch {
      return false
    }
    return this.#memory.key() !== undefined
  }

  #take(supply: Uint8Array): void {
    const before = this.#memory.key()?.id
    this.#memory.take(decode(Supply, supply))
    if (this.#memory.key()?.id !== before) this.#keep()
  }

  #keep(): void {
    if (!this.#options.kept || !this.#place) return
    const { host, port } = this.#place
    this.#options.kept.save(encode(Offer, { version: VERSION, host, port, supply: this.#memory.supplyToKeep() }))
  }

  /** Nothing is said to a pinned key but hello: what is sealed to it is not forward secret. */
  async #greet({ host, port, publicKey }: PinnedService, signal: AbortSignal): Promise<void> {
    requireKey(publicKey)
    this.#place = { host, port, addresses: await this.#resolve(host) }
    const key = { id: PINNED_KEY_ID, publicKey, useUntil: 0n }
    const question = this.#question(Kind.hello, new Uint8Array(0), true)
    const { connection, frame } = await this.#race(question, key, signal).catch((error: unknown) => {
      throw this.#failure(error, { ...question, early: false })
    })
    connection.close()
    if (frame.type !== FrameType.supply) throw new TransportError("the service gave no keys", { retryable: true })
    this.#memory.take(decode(Supply, frame.content))
  }

  async *#responses(
    { connection, frame: first }: Lead,
    question: Question,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let size = 0
    let parts: Uint8Array[] = []
    try {
      for (let frame: ServerFrame = first; ; frame = await connection.next()) {
        const { type, content } = frame
        if (type === FrameType.end) return
        if (type === FrameType.supply) this.#take(content)
        else if (type === FrameType.again) connection.ask(this.#opening(question, question.body.length), question.body)
        else if (type === FrameType.refused) throw refusalError(content[0])
        else if (type === FrameType.part || type === FrameType.message) {
          size += content.length
          if (size > (this.#options.responseSizeMax ?? 16 * 1024 * 1024)) {
            throw new TransportError("the answer is too long", { retryable: false })
          }
          parts.push(content)
          if (type === FrameType.part) continue
          yield parts.length === 1 ? parts[0]! : Buffer.concat(parts)
          parts = []
          size = 0
        } else throw new DecodeError(`a frame of the unknown type ${type}`, 0)
      }
    } catch (error) {
      if (error instanceof TransportError) throw error
      throw new TransportError("the line to the service broke", { retryable: true, cause: error })
    }
  }
}

function requireKey(publicKey: Uint8Array): void {
  if (publicKey.length !== KEY_SIZE) throw new TypeError("a pinned key has 32 bytes")
}

/** Nothing that was asked can have arrived: another way may be tried. */
class NotReached extends TransportError {
  constructor(message: string, cause: unknown) {
    super(message, { retryable: true, cause })
  }
}

/** Asked once: where the system lacks it, an ordinary connection is all there is to be had. */
function fastOpenSupported(): boolean {
  supported ??= fastOpenSupport().client
  if (!supported) warnOnce("client")
  return supported
}

let supported: boolean | undefined

async function systemAddresses(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address)
}

const unreachedCodes = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
  "ENOTFOUND",
  "EAI_AGAIN",
])

function isUnreached(error: unknown): boolean {
  if (error instanceof UnreachedError) return true
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined
  return cause?.code !== undefined && unreachedCodes.has(cause.code)
}

/** How long the rest of a connection may take, with fresh keys and tokens, when the answer is already there. */
const REST_MILLISECONDS = 2000

async function hearOut(responses: AsyncGenerator<Uint8Array>, close: () => void): Promise<void> {
  const timer = setTimeout(close, REST_MILLISECONDS)
  timer.unref()
  try {
    while (!(await responses.next()).done);
  } catch {
    // The answer was there: how the connection ends is of no interest.
  } finally {
    clearTimeout(timer)
    close()
  }
}

function refusalError(reason: number | undefined): TransportError {
  switch (reason) {
    case Refusal.spent:
      return new TransportError("the request ran before, and its answer is gone", { retryable: false })
    case Refusal.tooLarge:
      return new TransportError("the request is too long for the service", { retryable: false })
    case Refusal.forbidden:
      return new TransportError("the service does not take this kind of request", { retryable: false })
    default:
      return new TransportError("the service failed", { retryable: true })
  }
}
