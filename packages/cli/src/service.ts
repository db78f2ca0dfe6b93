import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import type { KeyRing } from "@conclave/fast-open"
import {
  createMetrics,
  createServer,
  type DatabasePlace,
  type FastOpenServer,
  listenForMetrics,
  type Refusal,
  type SharedSealing,
  type TurnedAway,
} from "@conclave/server"

export interface ServiceOptions {
  /** Where both services keep what they have: an SQLite file, or `:memory:`; or a PostgreSQL database that others share. */
  readonly place: { readonly file: string } | { readonly database: DatabasePlace }
  readonly host: string
  /** 0 for any that is free. */
  readonly port: number
  /** A folder with the page, see {@link builtPage}. */
  readonly page?: string | undefined
  readonly onError?: (error: unknown) => void
  /** Connections at a time, of both ports together; see `Shares`. */
  readonly connections?: number
  readonly onRefusal?: (refusal: Refusal) => void
  readonly quota?: number
  readonly retentionDays?: number
  readonly keepsBlobs?: boolean
  readonly trustedProxies?: readonly string[]
  readonly onUntrustedProxy?: () => void
  /** Names that the service is served under, see `Place`. */
  readonly hosts?: readonly string[]
  /** By which browsers reach it, see `OriginOptions`. */
  readonly publicUrl?: URL | undefined
  readonly allowedOrigins?: readonly string[] | undefined
  readonly onTurnedAway?: (turnedAway: TurnedAway) => void
  readonly fastOpen?: FastOpenService | undefined
  /** Where Prometheus asks, if it does. */
  readonly metrics?: { readonly host: string; readonly port: number } | undefined
}

export interface FastOpenService {
  /** 0 for any that is free. */
  readonly port: number
  /** `off`: over ordinary connections, without data in the first packet. */
  readonly policy: "private" | "off"
  /** Default: keys of its own, that nobody else has. */
  readonly keys?: KeyRing
  /** Keys that all processes on the database share, in place of `keys`. */
  readonly shared?: SharedSealing
}

export interface RunningService extends AsyncDisposable {
  readonly url: URL
  readonly fastOpen: FastOpenServer | undefined
  /** Where metrics are. */
  readonly metricsUrl: URL | undefined
  /** See `Conclave.drain`. */
  drain(milliseconds: number): Promise<void>
}

/** Both services in this process, at one address: `createServer` with what the options of `serve` say. */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const { place, host, port, hosts, connections, fastOpen, metrics: metricsPlace, ...given } = options
  const metrics = metricsPlace && (await createMetrics())
  const conclave = await createServer({
    ...place,
    metrics,
    ...given,
    ...(fastOpen && { fastOpen: { ...fastOpen, host } }),
    ...(connections !== undefined && { limits: { listener: { connectionsMax: connections } } }),
  })
  try {
    const listener = metrics && (await listenForMetrics(metrics, metricsPlace))
    try {
      const { url } = await conclave.listen({ host, port, ...(hosts && { hosts }) })
      return {
        ...{ url, fastOpen: conclave.fastOpen, metricsUrl: listener?.url },
        drain: (milliseconds) => conclave.drain(milliseconds),
        async [Symbol.asyncDispose]() {
          await conclave.close()
          await listener?.[Symbol.asyncDispose]()
        },
      }
    } catch (error) {
      await listener?.[Symbol.asyncDispose]()
      throw error
    }
  } catch (error) {
    await conclave.close()
    throw error
  }
}

/** The folder of the page, if it has been built. */
export function builtPage(): string | undefined {
  const folder = join(dirname(createRequire(import.meta.url).resolve("@conclave/web/package.json")), "dist")
  return existsSync(join(folder, "index.html")) ? folder : undefined
}
