import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type * as authentication from "@conclave/auth"
import { nodeProvider } from "@conclave/crypto/node"
import type * as delivery from "@conclave/delivery"
import { type Conclave, createServer, type Listener } from "@conclave/server"
import { authStore, type Database, deliveryStore, openDatabase } from "@conclave/sqlite"

/** The built page. */
export const builtPage = fileURLToPath(new URL("../../../dist", import.meta.url))

/** What the Authentication Service stores. */
type Written = "register" | "revoke" | "setRecoveryKey"

export interface ServiceOptions {
  readonly limits?: Partial<delivery.DeliveryLimits>
  /** The folder of the page. */
  readonly page?: string
}

/** Both services on one SQLite file and the built page, at a loopback port of their own. */
export class Service implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "conclave-web-"))
  /** What the service could not do, through no fault of a request. */
  readonly faults: unknown[] = []
  readonly #database: Database
  readonly #conclave: Promise<Conclave>
  #listener: Listener | undefined
  #port = 0
  /** The Authentication Service does not store before that, */
  before: ((type: Written) => Promise<void> | undefined) | undefined
  /** and does not say before this what it has stored. */
  after: ((type: Written) => Promise<void> | undefined) | undefined
  readonly #guests: AsyncDisposable[] = []
  #lies = false
  #newer = false

  constructor({ limits = {}, page = builtPage }: ServiceOptions = {}) {
    const crypto = nodeProvider()
    this.#database = openDatabase({ file: join(this.folder, "service.db") })
    const directory = authStore(this.#database)
    const register: authentication.Store["register"] = async (device) => {
      const [first] = await directory.lookup(device.name)
      if (!this.#lies || first === undefined) return directory.register(device)
      return directory.register({ ...device, endorsement: { deviceId: first.deviceId, signature: new Uint8Array(64) } })
    }
    const ordering = deliveryStore(this.#database, (...parts) => crypto.hashes["SHA-256"]!.digest(...parts))
    this.#conclave = createServer({
      stores: {
        delivery: ordering,
        auth: {
          ...directory,
          register: (device) => this.#late("register", () => register(device)),
          revoke: (...given) => this.#late("revoke", () => directory.revoke(...given)),
          setRecoveryKey: (...given) => this.#late("setRecoveryKey", () => directory.setRecoveryKey(...given)),
        },
      },
      page,
      limits: { delivery: limits, listener: { closeTimeoutMilliseconds: 100 } },
      onError: (error) => this.faults.push(error),
      wrap: (services) => ({
        ...services,
        delivery: (request, context) => (this.#newer ? update() : services.delivery(request, context)),
      }),
    })
  }

  get address(): string {
    return `http://localhost:${this.#port}/`
  }

  /** Somebody without a browser, who leaves before the service ends: also where a test ended too early to say goodbye. */
  receive(guest: AsyncDisposable): void {
    this.#guests.push(guest)
  }

  async #late<T>(type: Written, write: () => Promise<T>): Promise<T> {
    await this.before?.(type)
    const written = await write()
    await this.after?.(type)
    return written
  }

  /** From here on the Delivery Service speaks newer versions only. */
  renew(): void {
    this.#newer = true
  }

  /** From here on anybody may register a device under a name that somebody has, with an endorsement that is none. */
  lie(): void {
    this.#lies = true
  }

  /**
   * Forgets the newest entry of the one log that there is, which it has signed; another one may come in its place. Waits until
   * nobody has written for a while, so that everybody has seen what is forgotten.
   */
  async forgetNewest(): Promise<void> {
    for (let before = -1, newest = this.#newest(); newest !== before; newest = this.#newest()) {
      before = newest
      await new Promise((resolve) => setTimeout(resolve, 1_000))
    }
    await this.#database.write((connection) => {
      const newest = "SELECT max(seq) FROM log"
      connection.run(
        `UPDATE mls_group SET next_seq = (${newest}), head_hash = (SELECT chain_hash FROM log WHERE seq = (${newest}) - 1)`,
        [],
      )
      connection.run(`DELETE FROM log WHERE seq = (${newest})`, [])
    })
  }

  #newest(): number {
    return this.#database.read((connection) => Number(connection.get("SELECT max(seq) AS newest FROM log", [])?.newest))
  }

  /** Begins to answer; after {@link stop} again, at the same address. */
  async start(): Promise<void> {
    this.#listener = await (await this.#conclave).listen({ port: this.#port })
    this.#port = Number(this.#listener.url.port)
  }

  /** Does not answer from here on; what it knows stays. */
  async stop(): Promise<void> {
    await this.#listener?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const guest of this.#guests) await guest[Symbol.asyncDispose]()
    await (await this.#conclave).close()
    await this.#database.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** The answer to a request of a version that is not spoken any more: kind 20, and the oldest and newest version. */
async function* update(): AsyncGenerator<Uint8Array> {
  yield Uint8Array.of(20, 200, 201)
}
