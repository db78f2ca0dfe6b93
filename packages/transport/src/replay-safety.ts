import { type Codec, DecodeError, decode, encode } from "@conclave/codec"

declare const replaySafe: unique symbol

/**
 * The bytes of a request whose contract says that a copy, made by somebody in the network, does no harm. There is no
 * other way to this type than {@link RequestContract}: what has it may travel in the first packet.
 */
export type ReplaySafe = Uint8Array & { readonly [replaySafe]: true }

/** Whether a copy of a request does harm, and why it does or not. */
export interface ReplaySafety {
  readonly safe: boolean
  readonly because: string
}

export const safeToRepeat = (because: string) => ({ safe: true, because }) as const
export const notToRepeat = (because: string) => ({ safe: false, because }) as const

type SafeKinds<Table> = {
  [Kind in keyof Table]: Table[Kind] extends { readonly safe: true } ? Kind : never
}[keyof Table]

/** What {@link RequestContract.encode} makes of a request: {@link ReplaySafe} where its kind is, whatever it holds. */
export type Encoded<Kind, Safe> = [Kind] extends [Safe] ? ReplaySafe : Uint8Array

/** The requests of a service: their codec, and by kind what a copy does. */
export class RequestContract<Request extends { readonly type: string }, Safe extends string = string> {
  readonly replaySafety: Readonly<Record<Request["type"], ReplaySafety>>
  readonly #request: Codec<Request>
  readonly #kind: Codec<Request["type"]>

  constructor(parts: {
    readonly request: Codec<Request>
    readonly kind: Codec<Request["type"]>
    readonly replaySafety: Readonly<Record<Request["type"], ReplaySafety>>
  }) {
    this.#request = parts.request
    this.#kind = parts.kind
    this.replaySafety = parts.replaySafety
  }

  encode<const R extends Request>(request: R): Encoded<R["type"], Safe> {
    return encode(this.#request, request) as Encoded<R["type"], Safe>
  }

  /** For bytes that were stored, or came from outside. Looks at their kind alone; what has none is not safe. */
  isReplaySafe(request: Uint8Array): request is ReplaySafe {
    try {
      const kind = decode(this.#kind, request.subarray(0, 1))
      return Object.hasOwn(this.replaySafety, kind) && this.replaySafety[kind].safe
    } catch (error) {
      if (error instanceof DecodeError) return false
      throw error
    }
  }
}

/** Declares what a copy of each kind of request does. `kind` is the codec of the first byte of `request`. */
export function requestContract<
  Request extends { readonly type: string },
  const Table extends Readonly<Record<Request["type"], ReplaySafety>>,
>(parts: { readonly request: Codec<Request>; readonly kind: Codec<Request["type"]>; readonly replaySafety: Table }) {
  return new RequestContract<Request, SafeKinds<Table> & string>(parts)
}
