/// <reference lib="esnext.disposable" preserve="true" />
import { once } from "node:events"
import { createServer, type Server, type Socket } from "node:net"
import { encode } from "@conclave/codec"
import type { CryptoProvider } from "@conclave/crypto"
import type { Handler, Requester } from "@conclave/transport"
import { type Rate, RateLimiter, Shares, takeAll } from "@conclave/transport"
import { Holding, requesterAt } from "@conclave/transport/parts"
import { type FastOpenPolicy, listen } from "../sockets/index.js"
import { AddressTokens } from "./address-tokens.js"
import { Admission, type AdmissionLimits, admissionLimits } from "./admission.js"
import { Executions, type ExecutionsLimits, executionLimits } from "./execution.js"
import { KeyRing, type ServerKeys } from "./key-ring.js"
import { type ServerParts, serveConnection } from "./server-connection.js"
import { Suite } from "./session.js"
import { abortSocket } from "./socket-reader.js"
import { MemoryStrikeRegister, type StrikeRegister } from "./strike-register.js"
import { Strikes } from "./strikes.js"
import { Kind, Offer, VERSION } from "./wire.js"

export interface SealedServerOptions {
  readonly provider: CryptoProvider
  readonly handler: Handler
  /** Default: a ring of its own, with which clients of a former process start anew. */
  readonly keys?: ServerKeys
  readonly tokens?: AddressTokens
  /** Default: in the memory of this process, which is enough for keys that no other process has. */
  readonly register?: StrikeRegister
  /** How long a request waits for the register before it is told to ask inside the connection. Default 300. */
  readonly registerTimeoutMilliseconds?: number
  /**
   * Whether a request may run from a first flight, which its client has declared safe to repeat. What may not is asked
   * again inside the connection. Default: whatever the client declares; the handler is told with `context.early`.
   */
  readonly mayRunEarly?: (request: Uint8Array) => boolean
  /** Default 1 MiB. */
  readonly requestSizeMax?: number
  /** Connections at a time, where `shares` is not given. Default 10,000; one network gets a quarter of them. */
  readonly connectionsMax?: number
  /** What a requester, and all, may hold: give that of a listener to share it. Default: its own. */
  readonly shares?: Shares
  /** First flights that are opened for one requester. Default {@link flightRates}. */
  readonly flights?: FlightRates
  /** How long a client may take nothing of an answer; and 1 s more for each 16 KiB of it. Default 30,000. */
  readonly unreadTimeoutMilliseconds?: number
  /** How long a client may take over its request. Default 10,000. */
  readonly requestTimeoutMilliseconds?: number
  readonly admission?: Partial<AdmissionLimits>
  readonly executions?: Partial<ExecutionsLimits>
  readonly now?: () => number
}

export interface FlightRates {
  /** Of one {@link Requester.peer}. */
  readonly peer: Rate
  readonly network: Rate
}

/** Opening a flight takes about a quarter of a millisecond, before anybody knows who it is from. */
export const flightRates: FlightRates = {
  peer: { perSecond: 500, burst: 2_000 },
  network: { perSecond: 1_000, burst: 4_000 },
}

export interface SealedListenOptions {
  readonly port: number
  readonly host?: string
  /** Default `private`; `off` takes sealed requests over ordinary connections alone. */
  readonly policy?: FastOpenPolicy
}

export interface OfferOptions {
  /** The name or address that clients are to connect to. Empty: where they have the offer from. */
  readonly host: string
  readonly clientAddress?: string | undefined
  /** Default 8, which is also the most. */
  readonly tokens?: number
}

/** A subscriber that has vanished without a word is noticed within a minute. */
const KEPT_ALIVE = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 }

/** A service that is reached by sealed requests over TCP, in the first packet where the system can. */
export class SealedServer implements AsyncDisposable {
  readonly #server: Server
  readonly #parts: ServerParts
  /** With the kind of what was asked, as soon as it was. */
  readonly #connections = new Map<Socket, number | undefined>()
  /** Of connections that have ended. */
  #bytesBefore = 0
  readonly #shares: Shares
  readonly #flights: Readonly<Record<keyof FlightRates, RateLimiter>>

  constructor(options: SealedServerOptions) {
    const now = options.now ?? Date.now
    const suite = new Suite(options.provider)
    this.#shares = options.shares ?? new Shares(pick(options))
    const { peer, network } = options.flights ?? flightRates
    this.#flights = { peer: new RateLimiter(peer), network: new RateLimiter(network) }
    const tokens = options.tokens ?? new AddressTokens({ provider: options.provider, now })
    const register: StrikeRegister = options.register ?? new MemoryStrikeRegister({ now })
    const executions = new Executions({
      handler: options.handler,
      now,
      limits: { ...executionLimits, ...options.executions },
    })
    this.#parts = {
      suite,
      tokens,
      executions,
      now: () => register.now?.() ?? now(),
      keys: options.keys ?? new KeyRing({ provider: options.provider, now }),
      strikes: new Strikes({
        register,
        patienceMilliseconds: options.registerTimeoutMilliseconds ?? 300,
        find: (requestId) => executions.find(requestId),
      }),
      admission: new Admission(tokens, { ...admissionLimits, ...options.admission }),
      mayRunEarly: options.mayRunEarly ?? (() => true),
      requestSizeMax: options.requestSizeMax ?? 1024 * 1024,
      unreadTimeoutMilliseconds: options.unreadTimeoutMilliseconds ?? 30_000,
      mayOpen: (requester) => this.#mayOpen(requester),
    }
    const timeout = options.requestTimeoutMilliseconds ?? 10_000
    this.#server = createServer(KEPT_ALIVE, (socket) => this.#accept(socket, timeout))
    this.#server.maxConnections = this.#shares.limits.connections.all
  }

  /** Listens with fast open, or, where the system has none, without. Resolves with the port. */
  async listen({ port, host, policy = "private" }: SealedListenOptions): Promise<number> {
    listen(this.#server, { port, policy, ...(host !== undefined && { host }) })
    await once(this.#server, "listening")
    const address = this.#server.address()
    return typeof address === "object" && address ? address.port : port
  }

  /**
   * What a client needs to begin: to be handed out over a channel that is confidential and authentic. With the client's
   * address, tokens are among it, and its very first request can be answered at once.
   */
  offer({ host, clientAddress, tokens = 8 }: OfferOptions): Uint8Array {
    const address = this.#server.address()
    if (typeof address !== "object" || address === null) throw new TypeError("the server is not listening")
    const supply = {
      time: BigInt(Math.floor(this.#parts.now())),
      keys: this.#parts.keys.publicKeys(),
      tokens: clientAddress === undefined ? [] : this.#parts.tokens.issueMany(clientAddress, Math.min(tokens, 8)),
    }
    return encode(Offer, { version: VERSION, host, port: address.port, supply })
  }

  /** How connections were admitted since the start, and how many wait now. */
  get admissions(): Readonly<Admission["counts"]> & { readonly waiting: number } {
    return { ...this.#parts.admission.counts, waiting: this.#parts.admission.heldCount }
  }

  /** Bytes inside TCP, in both directions, since the start. */
  get bytes(): number {
    const open = [...this.#connections.keys()]
    return open.reduce((sum, socket) => sum + bytesOf(socket), this.#bytesBefore)
  }

  /** Bytes of responses that are kept for copies of their requests. */
  get recordedBytes(): number {
    return this.#parts.executions.bytes
  }

  /** Takes no more connections, ends subscriptions, and waits for requests that are under way. */
  async close({ timeoutMilliseconds = 5_000 }: { timeoutMilliseconds?: number } = {}): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, "close") : undefined
    this.#server.close()
    this.#parts.admission.close()
    for (const [socket, kind] of this.#connections) if (kind !== Kind.request) socket.destroy()
    const timer = setTimeout(() => this.#cut(), timeoutMilliseconds)
    await closed
    clearTimeout(timer)
    this.#cut()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close({ timeoutMilliseconds: 0 })
  }

  #cut(): void {
    this.#parts.strikes.close()
    this.#parts.executions.close()
    for (const socket of this.#connections.keys()) socket.destroy()
  }

  #accept(socket: Socket, timeout: number): void {
    socket.on("error", () => socket.destroy())
    const holding = new Holding(this.#shares, requesterAt(socket.remoteAddress))
    // Nothing can be said before the handshake, and nothing in the clear.
    if (!holding.take("connections")) {
      socket.resetAndDestroy()
      return
    }
    this.#connections.set(socket, undefined)
    const timer = setTimeout(() => {
      holding.refused("slow")
      abortSocket(socket)
    }, timeout)
    socket.once("close", () => {
      clearTimeout(timer)
      holding[Symbol.dispose]()
      this.#connections.delete(socket)
      this.#bytesBefore += bytesOf(socket)
    })
    const asked = (kind: number) => {
      clearTimeout(timer)
      if (this.#connections.has(socket)) this.#connections.set(socket, kind)
    }
    void serveConnection(socket, { parts: this.#parts, holding, asked })
  }

  #mayOpen(requester: Requester | undefined): boolean {
    const { peer, network } = this.#flights
    const levels = [
      { limiter: peer, key: requester?.peer },
      { limiter: network, key: requester?.network },
    ]
    if (takeAll(levels, performance.now()) === undefined) return true
    this.#shares.refused("flights", requester)
    return false
  }
}

const pick = ({ connectionsMax }: SealedServerOptions) => (connectionsMax === undefined ? {} : { connectionsMax })
const bytesOf = ({ bytesRead, bytesWritten }: Socket) => bytesRead + bytesWritten
