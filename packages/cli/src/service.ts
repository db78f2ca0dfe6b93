import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import * as authentication from "@conclave/auth"
import { authRequests } from "@conclave/contracts/auth"
import { deliveryRequests, MLS_MEDIA_TYPE } from "@conclave/contracts/delivery"
import { nodeProvider } from "@conclave/crypto/node"
import * as delivery from "@conclave/delivery"
import { type KeyRing, SealedServer, serveAll } from "@conclave/fast-open"
import { type Listener, listen } from "@conclave/server"
import { authStore, type Database, deliveryStore, openDatabase } from "@conclave/sqlite"
import { Shares } from "@conclave/transport"

import type { Refusal } from "./refusal-log.js"

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
  /** Connections at a time, of both ports together; see `Shares`. */
  readonly connections?: number
  readonly onRefusal?: (refusal: Refusal) => void
  /** The most that the file may take on the disk, in bytes; default no limit. */
  readonly quota?: number
  /** How many days messages are kept, see `retentionOf`. */
  readonly retentionDays?: number
  /** Proxies whose word on the client's address is taken, see `ListenOptions`. */
  readonly trustedProxies?: readonly string[]
  readonly onUntrustedProxy?: () => void
  /** Names that the service is served under, see `ListenOptions`. */
  readonly hosts?: readonly string[]
  /** Answer sealed requests too, and offer that over HTTP. */
  readonly fastOpen?: FastOpenService | undefined
}

export interface FastOpenService {
  /** 0 for any that is free. */
  readonly port: number
  /** `off`: over ordinary connections, without data in the first packet. */
  readonly policy: "private" | "off"
  /** Default: keys of its own, that nobody else has. */
  readonly keys?: KeyRing
}

export interface RunningService extends AsyncDisposable {
  readonly url: URL
  /** What answers sealed requests, and its port. */
  readonly fastOpen: { readonly server: SealedServer; readonly port: number } | undefined
  /** Answers what is under way, then closes the file. */
  close(): Promise<void>
}

/**
 * Both services in this process, on one file, at one address. Throws `StoreUnavailable` where the file cannot be used,
 * and the system's error where the address cannot be taken.
 */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const { file, quota } = options
  const database = openDatabase({ file, ...(quota !== undefined && { sizeMax: quota }) })
  const started: AsyncDisposable[] = [database]
  try {
    const services = servicesOn(database, options)
    const retention = delivery.retentionOf(options.retentionDays)
    started.unshift(delivery.startSweeping({ store: services.store, retention, ...faultsTo(options) }))
    const shares = new Shares({
      ...(options.connections !== undefined && { connectionsMax: options.connections }),
      ...(options.onRefusal && { onRefusal: options.onRefusal }),
    })
    const { host } = options
    const fastOpen = options.fastOpen && (await startSealed(services, { host, shares, ...options.fastOpen }))
    if (fastOpen) started.unshift({ [Symbol.asyncDispose]: () => fastOpen.server.close() })
    const listener = await startListener(services, fastOpen?.server, { ...options, shares })
    started.unshift(listener)
    const close = () => closeAll(started)
    return { url: listener.url, fastOpen, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await closeAll(started)
    throw error
  }
}

type Services = ReturnType<typeof servicesOn>

const faultsTo = ({ onError }: ServiceOptions) => (onError === undefined ? {} : { onError })

function servicesOn(database: Database, options: ServiceOptions) {
  const crypto = nodeProvider()
  const sha256 = (...parts: readonly Uint8Array[]) => crypto.hashes["SHA-256"]!.digest(...parts)
  const onRefusal = (kind: Extract<Refusal["kind"], authentication.RefusalKind | delivery.RefusalKind>) =>
    options.onRefusal?.({ kind } as Refusal)
  const told = { ...faultsTo(options), onRefusal }
  const names = authStore(database)
  const directory = authentication.directoryOf(names)
  const store = deliveryStore(database, sha256)
  const limits = options.quota === undefined ? {} : delivery.limitsForQuota(options.quota, options.retentionDays)
  return {
    store,
    handlers: {
      auth: authentication.authenticationService({ store: names, crypto, ...told }),
      delivery: delivery.deliveryService({ store, crypto, directory, limits, ...told }),
    },
  }
}

/** What HTTP takes, sealed requests take too. */
const REQUEST_SIZE_MAX = 4 * 1024 * 1024

interface Sealing extends FastOpenService {
  readonly host: string
  readonly shares: Shares
}

async function startSealed(services: Services, { host, shares, port, policy, keys }: Sealing) {
  const server = new SealedServer({
    provider: nodeProvider(),
    requestSizeMax: REQUEST_SIZE_MAX,
    shares,
    ...(keys && { keys }),
    ...serveAll({
      auth: {
        handler: services.handlers.auth,
        mayRunEarly: (request) => authRequests.isReplaySafe(request),
      },
      delivery: {
        handler: services.handlers.delivery,
        mayRunEarly: (request) => deliveryRequests.isReplaySafe(request),
      },
    }),
  })
  return { server, port: await server.listen({ host, port, policy }) }
}

function startListener(
  services: Services,
  sealed: SealedServer | undefined,
  { host, port, page, onError, shares, ...options }: ServiceOptions & { readonly shares: Shares },
): Promise<Listener> {
  return listen({
    services: services.handlers,
    host,
    port,
    shares,
    ...(options.trustedProxies && { trustedProxies: options.trustedProxies }),
    ...(options.onUntrustedProxy && { onUntrustedProxy: options.onUntrustedProxy }),
    ...(options.hosts && { hosts: options.hosts }),
    limits: { requestSizeMax: REQUEST_SIZE_MAX },
    mediaTypes: [MLS_MEDIA_TYPE],
    // Under the name by which a client has reached it: an address to listen at need not be one to connect to.
    ...(sealed && { offer: (clientAddress) => sealed.offer({ host: "", clientAddress }) }),
    ...(onError && { onError }),
    ...(page !== undefined && { static: page }),
  })
}

/** What listens first, the file last. */
async function closeAll(started: readonly AsyncDisposable[]): Promise<void> {
  for (const part of started) await part[Symbol.asyncDispose]()
}

/** The folder of the page, if it has been built. */
export function builtPage(): string | undefined {
  const folder = join(dirname(createRequire(import.meta.url).resolve("@conclave/web/package.json")), "dist")
  return existsSync(join(folder, "index.html")) ? folder : undefined
}
