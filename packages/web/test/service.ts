import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as authentication from "@conclave/auth"
import { nodeProvider } from "@conclave/crypto/node"
import * as delivery from "@conclave/delivery"
import { type Listener, listen } from "@conclave/transport/node"

const page = fileURLToPath(new URL("../../../dist", import.meta.url))

/** Both services on one SQLite file and the built page, at a loopback port of their own. */
export class Service implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "conclave-web-"))
  /** What the service could not do, through no fault of a request. */
  readonly faults: unknown[] = []
  readonly directory: authentication.Store
  readonly #handlers: Parameters<typeof listen>[0]["services"]
  readonly #database: delivery.Database
  #listener: Listener | undefined
  #port = 0

  constructor() {
    const crypto = nodeProvider()
    this.#database = delivery.openDatabase({ file: join(this.folder, "service.db") })
    const sha256 = (...parts: readonly Uint8Array[]) => crypto.hashes["SHA-256"]!.digest(...parts)
    const onError = (error: unknown) => this.faults.push(error)
    this.directory = authentication.sqliteStore(this.#database)
    this.#handlers = {
      auth: authentication.authenticationService({ store: this.directory, crypto, now: Date.now, onError }),
      delivery: delivery.deliveryService({
        store: delivery.sqliteStore(this.#database, sha256),
        directory: authentication.directoryOf(this.directory),
        crypto,
        now: Date.now,
        onError,
      }),
    }
  }

  get address(): string {
    return `http://localhost:${this.#port}/`
  }

  /** Begins to answer; after {@link stop} again, at the same address. */
  async start(): Promise<void> {
    this.#listener = await listen({
      services: this.#handlers,
      static: page,
      port: this.#port,
      limits: { closeTimeoutMilliseconds: 100 },
      onError: (error) => this.faults.push(error),
    })
    this.#port = Number(this.#listener.url.port)
  }

  /** Does not answer from here on; what it knows stays. */
  async stop(): Promise<void> {
    await this.#listener?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    await this.#database.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
