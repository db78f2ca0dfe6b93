import { type Answered, type DescribedService, type TraceOptions, tracedService } from "./answered.js"
import { RefusalCounts } from "./refusal-counts.js"
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

interface LoggedService extends DescribedService {
  /** Kinds of requests whose answers come when there is something to say: how long that takes is not logged. */
  readonly streams?: readonly string[]
}

/**
 * The service that `make` makes of its `onError` and `onRefusal`: the caller's, after which errors, refusals by kind,
 * and slow requests are logged. Without a logger these are the caller's own. Answers are told to `onAnswered`.
 */
export function loggedService<Kind extends string>(
  options: LogOptions & TraceOptions & Told<Kind>,
  described: LoggedService,
  make: (told: { readonly onError: (error: unknown) => void; readonly onRefusal: (kind: Kind) => void }) => Handler,
): Handler {
  const { logger, slowMilliseconds = 1_000, ended, onError = () => {}, onRefusal = () => {}, onAnswered } = options
  const { name, streams = [] } = described
  if (logger === undefined) {
    const handler = make({ onError, onRefusal })
    return onAnswered === undefined ? handler : tracedService(handler, described, onAnswered)
  }
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
  const log = ({ kind, isFurther, outcome, ...answered }: Answered) => {
    if (isFurther || outcome === "none" || streams.includes(kind)) return
    const milliseconds = Math.round(answered.milliseconds)
    logger.debug({ service: name, kind, milliseconds }, "answered")
    if (milliseconds >= slowMilliseconds) logger.warn({ service: name, kind, milliseconds }, "slow request")
  }
  return tracedService(handler, described, (answered) => {
    log(answered)
    onAnswered?.(answered)
  })
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
