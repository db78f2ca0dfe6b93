import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as authentication from "@conclave/auth"
import { nodeProvider } from "@conclave/crypto/node"
import * as delivery from "@conclave/delivery"
import { type Conclave, createServer, type ServerOptions, type Stores } from "@conclave/server"
import { authStore, type Database, deliveryStore, openDatabase } from "@conclave/sqlite"
import { directTransport, type Handler, type Transport } from "@conclave/transport"
import {
  Client,
  type ClientEvent,
  type ClientOptions,
  MemoryProfile,
  memoryStore,
  type Store,
} from "../../src/index.js"
import { sqliteStore } from "../../src/store/sqlite.js"

export const provider = nodeProvider()

export interface WorldOptions {
  readonly limits?: Partial<delivery.DeliveryLimits>
  /** Without a disk: services and, unless told otherwise, profiles are in memory. */
  readonly inMemory?: boolean
  /** The services go by the computer's clock, not by the test's. */
  readonly realClock?: boolean
}

/** Both services, real ones, on one SQLite file, and a clock that only the test moves. */
export class World implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "conclave-client-"))
  now = 1_800_000_000_000
  readonly delivery: Handler
  readonly auth: Handler
  readonly #stores: Stores
  readonly #shared: Pick<ServerOptions, "now" | "onError"> & { readonly limits: Partial<delivery.DeliveryLimits> }
  readonly #database: Database | undefined
  readonly #clients: Client[] = []
  /** By name, where they are in memory. */
  readonly #profiles = new Map<string, MemoryProfile>()

  constructor({ limits = {}, inMemory = false, realClock = false }: WorldOptions = {}) {
    const sha256 = (...parts: readonly Uint8Array[]) => provider.hashes["SHA-256"]!.digest(...parts)
    const database = inMemory ? undefined : openDatabase({ file: join(this.folder, "service.db") })
    this.#database = database
    this.#stores =
      database === undefined
        ? { auth: authentication.memoryStore(), delivery: delivery.memoryStore(sha256) }
        : { auth: authStore(database), delivery: deliveryStore(database, sha256) }
    const now = realClock ? Date.now : () => this.now
    const onError = (error: unknown) => this.faults.push(error)
    const pace = { pollMilliseconds: 50, commits: { perSecond: 1e6, burst: 1e6 } }
    this.#shared = { now, onError, limits: { ...pace, ...limits } }
    const shared = { crypto: provider, now, onError }
    this.auth = authentication.authenticationService({ ...shared, store: this.#stores.auth })
    this.delivery = delivery.deliveryService({
      ...shared,
      store: this.#stores.delivery,
      directory: authentication.directoryOf(this.#stores.auth),
      limits: this.#shared.limits,
    })
  }

  /** The services on the same stores, to be served over HTTP. */
  server(options: ServerOptions = {}): Promise<Conclave> {
    const { now, onError, limits } = this.#shared
    return createServer({
      stores: this.#stores,
      ...(now && { now }),
      ...(onError && { onError }),
      limits: { delivery: limits, listener: { closeTimeoutMilliseconds: 100 } },
      ...options,
    })
  }

  /** What the services could not do, through no fault of a request. */
  readonly faults: unknown[] = []

  /** Opens a client that does nothing by itself, on the profile of its name, unless told otherwise. */
  async open(name: string, options: Partial<ClientOptions> = {}): Promise<Client> {
    const client = await Client.open({ ...this.options(name, options.store), ...options })
    this.#clients.push(client)
    return client
  }

  options(name: string, store?: Store): ClientOptions {
    return {
      name,
      store: store ?? this.#openStore(name),
      delivery: this.transport("delivery"),
      auth: this.transport("auth"),
      provider,
      sealingKey: new Uint8Array(32).fill(7),
      now: () => this.now,
      live: false,
      policy: { keyPackages: 4 },
    }
  }

  #openStore(name: string): Store {
    if (this.#database !== undefined) return sqliteStore(join(this.folder, `${name}.db`))
    const profile = this.#profiles.get(name) ?? new MemoryProfile()
    this.#profiles.set(name, profile)
    return memoryStore(profile)
  }

  transport(service: "delivery" | "auth"): Transport {
    return directTransport(this[service])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
    await this.#database?.close()
    rmSync(this.folder, { recursive: true })
  }
}

/** Events that wait; acknowledges them. */
export async function taken(client: Client): Promise<readonly ClientEvent[]> {
  const events: ClientEvent[] = []
  await consume(client, (event) => events.push(event))
  return events
}

/** Shows the events that wait to `see`, and acknowledges each after that. */
export async function consume(client: Client, see: (event: ClientEvent) => void): Promise<void> {
  const last = await lastEvent(client)
  if (last === 0) return
  for await (const event of client.events()) {
    see(event)
    if (event.number < last) continue
    await client.acknowledge(event.number)
    return
  }
}

/** The number of the last event that waits, or 0. */
async function lastEvent(client: Client): Promise<number> {
  const stop = new AbortController()
  let last = 0
  // The stores of these tests answer without leaving the turn of the event loop.
  setImmediate(() => stop.abort())
  for await (const event of client.events({ signal: stop.signal, peek: true })) last = event.number
  return last
}

/** The next event of a type, acknowledged; fails after five seconds. */
export async function next<T extends ClientEvent["type"]>(
  client: Client,
  type: T,
): Promise<Extract<ClientEvent, { type: T }>> {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), 5_000)
  for await (const event of client.events({ signal: late.signal })) {
    if (event.type !== type) continue
    clearTimeout(timer)
    await client.acknowledge(event.number)
    return event as Extract<ClientEvent, { type: T }>
  }
  throw new Error(`no event ${type}`)
}

/** Aborts after a while; unlike `AbortSignal.timeout` it keeps the process waiting for it. */
export function after(milliseconds: number): AbortSignal {
  const controller = new AbortController()
  setTimeout(() => controller.abort(), milliseconds)
  return controller.signal
}

/** Until nobody has anything to read or send any more. */
export async function settle(...clients: readonly Client[]): Promise<void> {
  for (let round = 0; round < 3; round++) for (const client of clients) await client.sync()
}
