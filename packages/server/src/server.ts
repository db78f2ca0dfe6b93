/// <reference lib="esnext.disposable" preserve="true" />
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { MLS_MEDIA_TYPE } from "@conclave/contracts/delivery"
import { nodeProvider } from "@conclave/crypto/node"
import type { DeliveryFigures } from "@conclave/delivery"
import { errorFields, type Logger, refusalLog, Shares } from "@conclave/transport"
import { Endpoint } from "./listener/endpoint.js"
import { Hosts } from "./listener/hosts.js"
import { defaultLimits, type Listener, listenWith, prepare } from "./listener/listen.js"
import type { Common, Place, ServingOptions } from "./listener/serving.js"
import { SOCKET_PATH } from "./listener/socket.js"
import { countingErrors, figuresOf, metered } from "./metrics/metering.js"
import { timedStores } from "./metrics/timed-stores.js"
import { isSlashless, type MountedRequest, mountPath, pathBeneath } from "./mount.js"
import type { FastOpenServer, Refusal, ServerOptions, Services } from "./options.js"
import { startSealed } from "./sealed.js"
import { servicesOn, storesAnswer, sweepingOf } from "./services.js"
import { openStores } from "./stores.js"

/** What Express and Connect give a handler for what is not its own. */
export type Next = (error?: unknown) => void

/** Both services, to be served alone ({@link listen}) or from an application's own HTTP server. */
export interface Conclave extends AsyncDisposable {
  /** Asked without a network, by `directTransport` for one. */
  readonly services: Services
  /** Where `fastOpen` was asked for. */
  readonly fastOpen: FastOpenServer | undefined
  /**
   * Answers a request to a path of Conclave's beneath `mount`, and returns `true`. Otherwise it calls `next`, if there is
   * one, returns `false`, and leaves request and response as they are. With a `page`, every GET and HEAD beneath `mount`
   * may be a file: `true` is returned, and `next` is called later where there is none; without `next` the answer is 404.
   *
   * Reads the request's body: no body parser may have done so before. For servers of HTTP/1.1 (`node:http`,
   * `node:https`). Needs no `this`.
   */
  readonly handler: (request: IncomingMessage & MountedRequest, response: ServerResponse, next?: Next) => boolean
  /**
   * Takes an upgrade to a WebSocket at `socket` beneath `mount`, and returns `true`. Otherwise it returns `false` and does
   * not touch the socket, which somebody has to answer or destroy. Needs no `this`.
   */
  readonly upgrade: (request: IncomingMessage & MountedRequest, socket: Duplex, head: Buffer) => boolean
  /**
   * Serves at an address of its own, at the root whatever `mount` is; more than once if need be. Rejects where the address
   * cannot be taken (the system's error, for example `EADDRINUSE`).
   */
  listen(place?: Place): Promise<Listener>
  /**
   * Hands clients over to other servers of the same database before {@link close}: `/readyz` says 503 at once, no more
   * WebSockets are taken, those that there are are closed one after the other, so that their clients do not come elsewhere all
   * at once, and requests are answered. Resolves when no WebSocket is left, at the latest after `milliseconds`, default
   * 10,000. A quarter of them passes before the first is closed, for proxies to notice. The same promise however often it is
   * called.
   */
  drain(milliseconds?: number): Promise<void>
  /**
   * Refuses what comes from here on, ends streams, finishes requests that are under way (at most
   * `closeTimeoutMilliseconds`), then closes the stores. The same promise however often it is called.
   */
  close(): Promise<void>
}

/**
 * Composes both services. Rejects with `StoreUnavailable` where the file cannot be used, and with the system's error
 * where the port of `fastOpen` cannot be taken.
 *
 * @throws {TypeError} for options that exclude each other or cannot be meant: `file` and `stores`, a `mount` that is no
 *   path, a proxy that is no address, a `page` that is no folder.
 */
export async function createServer(options: ServerOptions): Promise<Conclave> {
  const mount = mountPath(options.mount ?? "/")
  const ending = new AbortController()
  const parts: AsyncDisposable[] = []
  try {
    const composition = await compose(options, { parts, ended: ending.signal })
    const { logger, hosts } = options
    logger?.info({ mount: mount === "" ? "/" : mount, sealed: composition.fastOpen !== undefined }, "composed")
    return new ComposedServer({ ...composition, mount, parts, ending, logger, hosts })
  } catch (error) {
    ending.abort()
    await disposeAll(parts).catch(() => {})
    throw error
  }
}

interface Composing {
  /** What is started is put in front: it ends before what it is built on. */
  readonly parts: AsyncDisposable[]
  readonly ended: AbortSignal
}

async function compose(given: ServerOptions, { parts, ended }: Composing) {
  const { metrics } = given
  const options = metrics === undefined ? given : metered(given, metrics.meter)
  const { crypto = nodeProvider(), logger, wrap = (all) => all } = options
  const limits = { ...defaultLimits, ...options.limits?.listener }
  const told = telling(options, ended)
  const opened = await openStores({ ...options, crypto, logger })
  parts.unshift(opened)
  const stores = metrics === undefined ? opened : timedStores(opened, metrics.meter)
  let delivery: (() => DeliveryFigures) | undefined
  const onFigures = (figures: () => DeliveryFigures) => {
    delivery = figures
  }
  const services = servicesOn(stores, { ...options, crypto, ended, onFigures })
  parts.unshift(sweepingOf(stores, { ...options, onError: told.onErrorOf("sweep") }))
  const { connectionsMax, requestSizeMax, closeTimeoutMilliseconds } = limits
  const shares = options.shares ?? new Shares({ connectionsMax, onRefusal: told.onRefusal })
  const sealing = options.fastOpen && {
    ...{ ...options.fastOpen, crypto, shares, requestSizeMax },
    database: options.database,
  }
  const fastOpen = sealing && (await startSealed({ ...sealing, services: wrap(services, "sealed") }))
  const closeSealed = async () => {
    await fastOpen?.server.close({ timeoutMilliseconds: closeTimeoutMilliseconds })
    await fastOpen?.[Symbol.asyncDispose]()
  }
  parts.unshift({ [Symbol.asyncDispose]: closeSealed })
  // Under the name by which a client has reached it: an address to listen at need not be one to connect to.
  const host = options.fastOpen?.name ?? ""
  const common = await prepare({
    ...passedOn(options),
    services: { ...wrap(services, "http") },
    shares,
    limits,
    onError: told.onErrorOf("listener"),
    // Asked every second: no part of what clients ask for.
    ready: () => storesAnswer(opened),
    mediaTypes: [MLS_MEDIA_TYPE],
    ...(fastOpen && { offer: (clientAddress) => fastOpen.server.offer({ host, clientAddress }) }),
  })
  const phase = { isDraining: false }
  metrics?.watch(() => figuresOf({ shares, stores: opened, phase, delivery }))
  return { common, services, fastOpen, phase }
}

const DRAIN_MILLISECONDS = 10_000
const CLOSED = "the server is closed"
const OTHER_HTTP = "a request of HTTP/2 came to Conclave, which answers HTTP/1.1 alone: use node:http or node:https"

interface Composition {
  readonly common: Common
  readonly services: Services
  readonly fastOpen: FastOpenServer | undefined
  readonly phase: { isDraining: boolean }
  readonly mount: string
  readonly hosts: ServerOptions["hosts"]
  /** In the order in which they end. */
  readonly parts: readonly AsyncDisposable[]
  /** Aborted when everything has ended. */
  readonly ending: AbortController
  readonly logger: Logger | undefined
}

class ComposedServer implements Conclave {
  readonly services: Services
  readonly fastOpen: FastOpenServer | undefined
  readonly #composition: Composition
  readonly #embedded: Endpoint
  readonly #listeners = new Set<Listener>()
  /** Requests and sockets that were taken: a handler that is registered twice sees them twice. */
  readonly #taken = new WeakSet<object>()
  #hasToldOfHttp = false
  #drained: Promise<void> | undefined
  #closed: Promise<void> | undefined

  constructor(composition: Composition) {
    this.services = composition.services
    this.fastOpen = composition.fastOpen
    this.#composition = composition
    this.#embedded = new Endpoint(
      composition.common,
      new Hosts(undefined, composition.hosts, composition.common.origins.host),
    )
  }

  readonly handler = (request: IncomingMessage & MountedRequest, response: ServerResponse, next?: Next): boolean => {
    if (this.#taken.has(request)) return true
    const path = this.#pathOf(request)
    if (path === undefined || !this.#embedded.knows(request, path)) {
      next?.()
      return false
    }
    this.#taken.add(request)
    const otherwise = next && (() => next())
    const slashless = isSlashless(request, this.#composition.mount) ? this.#composition.mount : undefined
    this.#embedded.answer(request, response, { path, slashless, otherwise })
    return true
  }

  readonly upgrade = (request: IncomingMessage & MountedRequest, socket: Duplex, head: Buffer): boolean => {
    if (this.#taken.has(socket)) return true
    const path = this.#pathOf(request)
    if (path !== SOCKET_PATH) return false
    this.#taken.add(socket)
    this.#embedded.upgrade(request, socket as Socket, head, path)
    return true
  }

  /** `undefined` for a request that is not Conclave's. */
  #pathOf(request: IncomingMessage & MountedRequest): string | undefined {
    const { mount, common } = this.#composition
    const path = pathBeneath(request, mount)
    if (path === undefined || request.httpVersionMajor === 1) return path
    if (!this.#hasToldOfHttp) common.onError(new Error(OTHER_HTTP))
    this.#hasToldOfHttp = true
    return undefined
  }

  async listen(place: Place = {}): Promise<Listener> {
    if (this.#closed !== undefined) throw new Error(CLOSED)
    const { logger, common } = this.#composition
    const listener = await listenWith(common, place)
    this.#listeners.add(listener)
    // Closed while the address was taken.
    if (this.#closed !== undefined) {
      await listener.close()
      throw new Error(CLOSED)
    }
    logger?.info({ port: Number(listener.url.port) }, "listening")
    return listener
  }

  drain(milliseconds = DRAIN_MILLISECONDS): Promise<void> {
    this.#drained ??= this.#drain(milliseconds)
    return this.#drained
  }

  async #drain(milliseconds: number): Promise<void> {
    const { logger, phase } = this.#composition
    const begin = performance.now()
    phase.isDraining = true
    logger?.info({ milliseconds }, "draining")
    await Promise.all([this.#embedded, ...this.#listeners].map((it) => it.drain(milliseconds)))
    logger?.info({ milliseconds: Math.round(performance.now() - begin) }, "drained")
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { parts, ending, logger } = this.#composition
    const begin = performance.now()
    logger?.info({}, "closing")
    await Promise.all([this.#embedded.close(), ...[...this.#listeners].map((listener) => listener.close())])
    try {
      await disposeAll(parts)
    } finally {
      ending.abort()
      logger?.info({ milliseconds: Math.round(performance.now() - begin) }, "closed")
    }
  }
}

/** Errors and refusals of what is no service, to the caller and to the log. */
function telling(options: ServerOptions, ended: AbortSignal) {
  const { onRefusal, logger } = options
  const refusals = logger && refusalLog(logger, { part: "listener" })
  ended.addEventListener("abort", () => refusals?.[Symbol.dispose](), { once: true })
  return {
    onErrorOf(part: "listener" | "sweep") {
      const tell = countingErrors(part, options)
      return (error: unknown) => {
        logger?.error({ part, ...errorFields(error) }, "the server failed")
        tell(error)
      }
    },
    onRefusal(refusal: Refusal) {
      refusals?.add(refusal)
      onRefusal?.(refusal)
    },
  }
}

function passedOn(options: ServerOptions): Partial<ServingOptions> {
  const { trustedProxies, onUntrustedProxy, onTurnedAway, publicUrl, allowedOrigins, page } = options
  return {
    publicUrl,
    allowedOrigins,
    ...(onTurnedAway && { onTurnedAway }),
    ...(trustedProxies && { trustedProxies }),
    ...(onUntrustedProxy && { onUntrustedProxy }),
    ...(page !== undefined && { static: page }),
  }
}

/** What listens first, the stores last; all of them, whatever one of them throws. */
async function disposeAll(parts: readonly AsyncDisposable[]): Promise<void> {
  const faults: unknown[] = []
  for (const part of parts) {
    try {
      await part[Symbol.asyncDispose]()
    } catch (fault) {
      faults.push(fault)
    }
  }
  if (faults.length > 0) throw faults[0]
}
