import { RefusalCounts } from "./refusal-counts.js"
import type { RequestContract } from "./replay-safety.js"
import type { Handler } from "./seam.js"

/**
 * Where log lines go, in the order of pino and its relatives. Fields are numbers, and words of the code: never contents,
 * keys, names, addresses or group ids.
 */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What a service logs, and where. */
export interface LogOptions {
  /** Default: nothing is logged. */
  readonly logger?: Logger | undefined
  /** Requests that take longer than this are logged as warnings; in milliseconds, default 1,000. */
  readonly slowMilliseconds?: number | undefined
  /** When aborted, refusals that are counted and not logged yet are logged. */
  readonly ended?: AbortSignal | undefined
}

interface Told<Kind extends string> {
  readonly onError?: ((error: unknown) => void) | undefined
  readonly onRefusal?: ((kind: Kind) => void) | undefined
}

interface LoggedService {
  readonly name: string
  readonly contract: RequestContract<any, any>
  /** Kinds of requests whose answers come when there is something to say: how long that takes is not logged. */
  readonly streams?: readonly string[]
}

/**
 * The service that `make` makes of its `onError` and `onRefusal`: the caller's, after which errors, refusals by kind,
 * and slow requests are logged. Without a logger these are the caller's own.
 */
export function loggedService<Kind extends string>(
  options: LogOptions & Told<Kind>,
  { name, contract, streams = [] }: LoggedService,
  make: (told: { readonly onError: (error: unknown) => void; readonly onRefusal: (kind: Kind) => void }) => Handler,
): Handler {
  const { logger, slowMilliseconds = 1_000, ended, onError = () => {}, onRefusal = () => {} } = options
  if (logger === undefined) return make({ onError, onRefusal })
  const refusals = refusalLog(logger, { service: name })
  ended?.addEventListener("abort", () => refusals[Symbol.dispose](), { once: true })
  const handler = make({
    onError(error) {
      logger.error({ service: name, ...errorFields(error) }, "the service failed")
      onError(error)
    },
    onRefusal(kind) {
      refusals.add({ kind })
      onRefusal(kind)
    },
  })
  return async function* (request, context) {
    const begin = performance.now()
    const kind = contract.kindOf(request) ?? "unreadable"
    let answers = 0
    for await (const answer of handler(request, context)) {
      if (answers++ === 0 && !streams.includes(kind)) {
        const milliseconds = Math.round(performance.now() - begin)
        logger.debug({ service: name, kind, milliseconds }, "answered")
        if (milliseconds >= slowMilliseconds) logger.warn({ service: name, kind, milliseconds }, "slow request")
      }
      yield answer
    }
  }
}

/** Counts refusals, and logs each kind at most once in ten seconds. */
export function refusalLog(logger: Logger, fields: object): RefusalCounts {
  return new RefusalCounts(({ kind, level }, count) => {
    logger.warn({ ...fields, kind, ...(level !== undefined && { level }), count }, "refused")
  })
}

/**
 * What may be logged of an error: its class, its code and that of its cause, and where it was thrown. Its message may
 * quote what was asked and is left out.
 */
export function errorFields(error: unknown): { readonly error: string; readonly code?: string; readonly at?: string } {
  if (!(error instanceof Error)) return { error: typeof error }
  const code = codeOf(error)
  const cause = codeOf(error.cause)
  const at = /\n\s+at (?:.* \()?([^()\n]+:\d+:\d+)\)?/.exec(error.stack ?? "")?.[1]
  return {
    error: error.constructor.name,
    ...(code !== undefined && { code }),
    ...(cause !== undefined && { cause }),
    ...(at !== undefined && { at: at.replace(/^.*\/(?=[^/]+\/[^/]+$)/, "") }),
  }
}

function codeOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { readonly code?: unknown }
  return typeof code === "string" && /^[A-Z][A-Z0-9_]{0,63}$/.test(code) ? code : undefined
}
