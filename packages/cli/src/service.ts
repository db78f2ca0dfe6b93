import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import * as authentication from "@conclave/auth"
import { nodeProvider } from "@conclave/crypto/node"
import * as delivery from "@conclave/delivery"
import { listen } from "@conclave/transport/node"

export interface ServiceOptions {
  /** The SQLite file of both services, or `:memory:`. */
  readonly file: string
  readonly host: string
  /** 0 for any that is free. */
  readonly port: number
  /** A folder with the page, see {@link builtPage}. */
  readonly page?: string | undefined
  /** Is told of what is nobody's answer: a full disk, a damaged file. */
  readonly onError?: (error: unknown) => void
}

export interface RunningService extends AsyncDisposable {
  readonly url: URL
  /** Answers what is under way, then closes the file. */
  close(): Promise<void>
}

/**
 * Both services in this process, on one file, at one address. Throws `StoreUnavailable` where the file cannot be used,
 * and the system's error where the address cannot be taken.
 */
export async function startService({ file, host, port, page, onError }: ServiceOptions): Promise<RunningService> {
  const crypto = nodeProvider()
  const sha256 = (...parts: readonly Uint8Array[]) => crypto.hashes["SHA-256"]!.digest(...parts)
  const database = delivery.openDatabase({ file })
  try {
    const told = onError === undefined ? {} : { onError }
    const directory = authentication.sqliteStore(database)
    const store = delivery.sqliteStore(database, sha256)
    const services = {
      auth: authentication.authenticationService({ store: directory, crypto, ...told }),
      delivery: delivery.deliveryService({
        store,
        crypto,
        directory: authentication.directoryOf(directory),
        ...told,
      }),
    }
    const listener = await listen({ services, host, port, ...told, ...(page !== undefined && { static: page }) })
    const close = async () => {
      await listener.close()
      await database.close()
    }
    return { url: listener.url, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await database.close()
    throw error
  }
}

/** The folder of the page, if it has been built. */
export function builtPage(): string | undefined {
  const folder = join(dirname(createRequire(import.meta.url).resolve("@conclave/web/package.json")), "dist")
  return existsSync(join(folder, "index.html")) ? folder : undefined
}
