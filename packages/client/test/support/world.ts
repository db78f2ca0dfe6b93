import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as authentication from "@conclave/auth"
import type { Entry } from "@conclave/contracts/delivery"
import { nodeProvider } from "@conclave/crypto/node"
import * as delivery from "@conclave/delivery"
import { type Conclave, createServer, type ServerOptions, type Stores } from "@conclave/server"
import { authStore, type Database, deliveryStore, openDatabase } from "@conclave/sqlite"
import { directTransport, type Handler, type Transport } from "@conclave/transport"
import type { ConversationHandle } from "../../src/device/handle.js"
import {
  Client,
  type ClientEvent,
  type ClientOptions,
  type Conversation,
  MemoryProfile,
  memoryStore,
  type Store,
} from "../../src/index.js"
import { sqliteStore } from "../../src/store/sqlite.js"

export const provider = nodeProvider()
const sha256 = (...parts: readonly Uint8Array[]) => provider.hashes["SHA-256"]!.digest(...parts)

export interface WorldOptions {
  readonly limits?: Partial<delivery.DeliveryLimits>
  /** Without a disk: services and, unless told otherwise, profiles are in memory. */
  readonly inMemory?: boolean
  /** The folder is in memory, where the system has one there: for tests that write thousands of entries. */
  readonly folderInMemory?: boolean
  /** The services go by the computer's clock, not by the test's. */
  readonly realClock?: boolean
  /** One that is there, and stays. */
  readonly folder?: string
}

/** What somebody wants to have in a log; `key`: the newest access key, by which the store finds the head. */
export interface Inserted {
  readonly kind: "application" | "proposal" | "commit"
  readonly epoch: bigint
  readonly body: Uint8Array
  readonly key: Uint8Array
}

/** Both services, real ones, on one SQLite file, and a clock that only the test moves. */
export class World implements AsyncDisposable {
  readonly folder: string
  now = 1_800_000_000_000
  readonly delivery: Handler
  readonly auth: Handler
  readonly #stores: Stores
  readonly #shared: Pick<ServerOptions, "now" | "onError"> & { readonly limits: Partial<delivery.DeliveryLimits> }
  readonly #database: Database | undefined
  readonly #clients: Client[] = []
  readonly #branches: Database[] = []
  #restored = 0
  /** By name, where they are in memory. */
  readonly #profiles = new Map<string, MemoryProfile>()

  readonly #isFolderOwn: boolean

  constructor({ limits = {}, inMemory = false, folderInMemory = false, realClock = false, folder }: WorldOptions = {}) {
    const parent = folderInMemory && existsSync("/dev/shm") ? "/dev/shm" : tmpdir()
    this.folder = folder ?? mkdtempSync(join(parent, "conclave-client-"))
    this.#isFolderOwn = folder === undefined
    const database = inMemory ? undefined : openDatabase({ file: join(this.folder, "service.db") })
    this.#database = database
    const blobs = delivery.memoryBlobStore()
    this.#stores =
      database === undefined
        ? { auth: authentication.memoryStore(), delivery: delivery.memoryStore(sha256), blobs }
        : { auth: authStore(database), delivery: deliveryStore(database, sha256), blobs }
    const now = realClock ? Date.now : () => this.now
    const onError = (error: unknown) => this.faults.push(error)
    const pace = { pollMilliseconds: 50, commits: { perSecond: 1e6, burst: 1e6 } }
    this.#shared = { now, onError, limits: { ...pace, ...limits } }
    const shared = { crypto: provider, now, onError }
    this.auth = authentication.authenticationService({ ...shared, store: this.#stores.auth })
    this.delivery = delivery.deliveryService({
      ...shared,
      store: this.#stores.delivery,
      blobs,
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

  /** The same service twice from now on, on a copy of its file: the directory is one, and the key. */
  fork(): Branch {
    const file = join(this.folder, `branch-${this.#branches.length}.db`)
    for (const part of ["", "-wal"]) {
      const from = join(this.folder, `service.db${part}`)
      if (existsSync(from)) copyFileSync(from, `${file}${part}`)
    }
    const database = openDatabase({ file })
    this.#branches.push(database)
    const store = deliveryStore(database, sha256)
    const directory = authentication.directoryOf(this.#stores.auth)
    const handler = delivery.deliveryService({ ...this.#shared, crypto: provider, store, directory })
    return new Branch(store, handler, () => BigInt(this.now))
  }

  /** A copy of the service that has been restored, once or more often, and says so. */
  async restore({ store } = this.fork(), times = 1): Promise<Branch> {
    // Each at another time.
    const now = () => this.now + 1_000 * this.#restored++
    for (let time = 0; time < times; time++) await delivery.raiseIncarnation(store, provider, { now })
    const directory = authentication.directoryOf(this.#stores.auth)
    const handler = delivery.deliveryService({ ...this.#shared, crypto: provider, store, directory })
    return new Branch(store, handler, () => BigInt(this.now))
  }

  /** What the service has, for whoever has the service. */
  get branch(): Branch {
    return new Branch(this.#stores.delivery, this.delivery, () => BigInt(this.now))
  }

  /** The service helps somebody: it puts an entry into the log, whoever has made it. Returns its place. */
  async insert(groupId: Uint8Array, entry: Inserted): Promise<bigint> {
    const shown = { groupId, key: entry.key, permit: () => undefined }
    const head = await this.#stores.delivery.head(shown)
    if (head.type !== "head") throw new Error(`the store said ${head.type}`)
    const appended = await this.#stores.delivery.append({
      ...entry,
      ...shown,
      ...{ idempotencyId: provider.random(16), requestHash: provider.random(32), at: BigInt(this.now) },
      ...{ after: head.lastCommitSeq, pastCommitsMax: 0, commit: undefined, admit: () => undefined },
    })
    if (appended.type !== "accepted") throw new Error(`the store said ${appended.type}`)
    return appended.seq
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
    for (const database of this.#branches) await database.close()
    await this.#database?.close()
    if (this.#isFolderOwn) rmSync(this.folder, { recursive: true })
  }
}

/** The parts of a commit that brings nobody in. */
const NOBODY = {
  ...{ welcome: new Uint8Array(), recipients: [], unserved: [], answers: undefined },
  ...{ knocksSince: 0n, sender: new Uint8Array(8), inboxEntriesPerGroupMax: 0, inboxEntriesMax: 0 },
  mayDeliver: () => false,
} as const

/** A history that the service shows, in the hands of its operator: no proof is asked for. */
export class Branch {
  readonly transport: Transport
  readonly store: delivery.Store
  readonly #now: () => bigint

  constructor(store: delivery.Store, handler: Handler, now: () => bigint) {
    this.store = store
    this.#now = now
    this.transport = directTransport(handler)
  }

  /** The log as a member of this conversation could read it, after the entry `after`. */
  async entries(conversation: Conversation, after = 0n): Promise<readonly Entry[]> {
    const { id: groupId, intervals } = (conversation as ConversationHandle).driver.state
    const asked = { groupId, key: intervals.newest?.accessKey, permit: () => undefined }
    const page = await this.store.read({ ...asked, after, limit: 1_000, sizeMax: 1 << 24 })
    if (page.type !== "page") throw new Error(page.type)
    return page.entries
  }

  /** Puts what was said in another history into this one. */
  async place(conversation: Conversation, { kind, epoch, body, begins }: Entry): Promise<bigint> {
    if (kind === "expired") throw new TypeError("there is nothing left of it")
    const { id: groupId } = (conversation as ConversationHandle).driver.state
    const append = (after: bigint) =>
      this.store.append({
        ...{ groupId, key: undefined, permit: () => undefined, admit: () => undefined },
        ...{ idempotencyId: provider.random(16), requestHash: provider.random(32), kind, epoch, body },
        ...{ at: this.#now(), pastCommitsMax: 1_000, after },
        commit: kind === "commit" ? { ...NOBODY, begins } : undefined,
      })
    const first = await append(0n)
    const appended = first.type === "stale" ? await append(first.lastCommitSeq) : first
    if (appended.type !== "accepted") throw new Error(appended.type)
    return appended.seq
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
