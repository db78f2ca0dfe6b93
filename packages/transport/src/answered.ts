import { type Codec, DecodeError, decode } from "@conclave/codec"
import type { RequestContract } from "./replay-safety.js"
import type { Handler, Way } from "./seam.js"

/** One answer, for traces and metrics: numbers, and words of the code. Nothing says who asked, for what or whom. */
export interface Answered {
  /** `delivery` or `auth`. */
  readonly service: string
  /** Of the request, as its contract names it; `unreadable` where it has none. */
  readonly kind: string
  /** The type of the answer, as its contract names it; `none` where the asker left or the service ended without one. */
  readonly outcome: string
  /** A further answer of a stream, of which the first one was told: {@link milliseconds} and {@link bytesIn} are 0. */
  readonly isFurther: boolean
  /** Until the answer was there. */
  readonly milliseconds: number
  /** Of the request. */
  readonly bytesIn: number
  /** Of the answer. */
  readonly bytesOut: number
  readonly way: Way
  /** The request came in the first flight: see `RequestContext.early`. */
  readonly early: boolean
}

export interface TraceOptions {
  /** Is told of each answer, before it leaves; it must be cheap and not throw. Default: nobody is, and nothing is measured. */
  readonly onAnswered?: ((answered: Answered) => void) | undefined
}

/** What a service is called, and how its requests and answers are. */
export interface DescribedService {
  readonly name: string
  readonly contract: RequestContract<any, any>
  /** The codec of the first byte of an answer. */
  readonly answerKind: Codec<string>
}

/** `handler`, which tells of its answers. */
export function tracedService(
  handler: Handler,
  { name, contract, answerKind }: DescribedService,
  onAnswered: (answered: Answered) => void,
): Handler {
  return async function* (request, context) {
    const begin = performance.now()
    const { early, way = "direct" } = context
    const bytesIn = request.length
    const about = { service: name, kind: contract.kindOf(request) ?? "unreadable", way, early }
    const told = { isFurther: false }
    const tell = (outcome: string, bytesOut: number) => {
      const { isFurther } = told
      told.isFurther = true
      const first = isFurther ? { milliseconds: 0, bytesIn: 0 } : { milliseconds: performance.now() - begin, bytesIn }
      onAnswered({ ...about, ...first, outcome, isFurther, bytesOut })
    }
    try {
      for await (const answer of handler(request, context)) {
        tell(kindIn(answer, answerKind), answer.length)
        yield answer
      }
    } finally {
      if (!told.isFurther) tell("none", 0)
    }
  }
}

function kindIn(answer: Uint8Array, kind: Codec<string>): string {
  try {
    return decode(kind, answer.subarray(0, 1))
  } catch (error) {
    if (error instanceof DecodeError) return "unreadable"
    throw error
  }
}
