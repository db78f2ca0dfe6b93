import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as authentication from "@conclave/auth"
import { Client, type ClientOptions, type Store, sqliteStore } from "@conclave/client/node"
import { nodeProvider } from "@conclave/crypto/node"
import * as delivery from "@conclave/delivery"
import { authStore, deliveryStore, openDatabase } from "@conclave/sqlite"
import { directTransport, type Transport } from "@conclave/transport"
import { type ServiceName, Services } from "./services.js"

const provider = nodeProvider()
const sha256 = (...parts: readonly Uint8Array[]) => provider.hashes["SHA-256"]!.digest(...parts)
const free = { perSecond: 1e9, burst: 1e9 }
/** What is measured is the client. */
const limits: Partial<delivery.DeliveryLimits> = {
  appends: free,
  appendsByRequester: free,
  appendsByRequesterInAll: free,
  commits: free,
  creations: free,
  creationsByRequester: free,
  claims: free,
  bytesByRequester: free,
}

/** Both services on one SQLite database in memory. */
export function openServices() {
  const database = openDatabase({ file: ":memory:" })
  const directory = authStore(database)
  return {
    auth: authentication.authenticationService({
      store: directory,
      crypto: provider,
      limits: { registrations: free, registrationsByRequester: free },
    }),
    delivery: delivery.deliveryService({
      store: deliveryStore(database, sha256),
      directory: authentication.directoryOf(directory),
      crypto: provider,
      limits,
    }),
    close: () => database.close(),
  }
}

/** A store that counts what is written. */
export class Counted implements Store {
  transactions = 0
  /** Of keys and values. */
  bytes = 0
  readonly lost: Promise<Error>
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
    this.lost = store.lost
  }

  get: Store["get"] = (key) => this.#store.get(key)
  list: Store["list"] = (prefix, options) => this.#store.list(prefix, options)

  transaction: Store["transaction"] = (changes) => {
    this.transactions++
    for (const [key, value] of changes.put) this.bytes += key.length + value.length
    for (const key of changes.delete) this.bytes += key.length
    return this.#store.transaction(changes)
  };

  [Symbol.asyncDispose](): Promise<void> {
    return this.#store[Symbol.asyncDispose]()
  }
}

export const SEALING_KEY = new Uint8Array(32).fill(7)

/** Clients, their profiles in a folder, and services in this thread or one of their own. */
export class Scene {
  readonly folder = mkdtempSync(join(tmpdir(), "conclave-bench-"))
  readonly #transport: (service: ServiceName) => Transport
  readonly #end: () => Promise<void>
  readonly #clients: Client[] = []

  private constructor(transport: (service: ServiceName) => Transport, end: () => Promise<void>) {
    this.#transport = transport
    this.#end = end
  }

  static here(): Scene {
    const services = openServices()
    return new Scene((service) => directTransport(services[service]), services.close)
  }

  static apart(): Scene {
    const services = new Services()
    return new Scene(
      (service) => services.transport(service),
      () => services.close(),
    )
  }

  file(name: string): string {
    return join(this.folder, `${name}.db`)
  }

  async open(
    name: string,
    options: Partial<ClientOptions> = {},
    profile: Store = sqliteStore(this.file(name)),
  ): Promise<{ client: Client; store: Counted }> {
    const store = new Counted(profile)
    const client = await Client.open({
      name,
      store,
      delivery: this.#transport("delivery"),
      auth: this.#transport("auth"),
      provider,
      sealingKey: SEALING_KEY,
      ...options,
    })
    this.#clients.push(client)
    return { client, store }
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
    await this.#end()
    rmSync(this.folder, { recursive: true })
  }
}
