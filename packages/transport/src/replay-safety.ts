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

/** Bytes that hold a request of a version of the contract that is not spoken here. */
export class OtherVersionError extends Error {
  override readonly name = "OtherVersionError"
  readonly code = "OTHER_VERSION"
  /** 1 to 127. Version 1 had no version byte; its requests begin with their kind, which is below 0x80. */
  readonly version: number
  /** Whether the bytes carry no version byte: the answer must be one that version 1 can read. */
  readonly isUnmarked: boolean

  constructor(version: number, isUnmarked: boolean) {
    super(`the request is of version ${version} of the contract`)
    this.version = version
    this.isUnmarked = isUnmarked
  }
}

const VERSION_MARK = 0x80

/**
 * The requests of a service: their codec, the version of the contract, and by kind what a copy does.
 *
 * ```
 *   request = 0x80 | version (1 byte) ‖ the codec's encoding, which begins with the kind
 * ```
 */
export class RequestContract<Request extends { readonly type: string }, Safe extends string = string> {
  /** 2 to 127. */
  readonly version: number
  readonly replaySafety: Readonly<Record<Request["type"], ReplaySafety>>
  readonly #request: Codec<Request>
  readonly #versioned: Pick<Codec<Request>, "write">
  readonly #kind: Codec<Request["type"]>

  constructor(parts: {
    readonly version: number
    readonly request: Codec<Request>
    readonly kind: Codec<Request["type"]>
    readonly replaySafety: Readonly<Record<Request["type"], ReplaySafety>>
  }) {
    this.version = parts.version
    this.#request = parts.request
    this.#versioned = {
      write(writer, request) {
        writer.uint8(VERSION_MARK | parts.version)
        parts.request.write(writer, request)
      },
    }
    this.#kind = parts.kind
    this.replaySafety = parts.replaySafety
  }

  encode<const R extends Request>(request: R): Encoded<R["type"], Safe> {
    return encode(this.#versioned, request) as Encoded<R["type"], Safe>
  }

  /**
   * The request in `bytes`.
   *
   * @throws {OtherVersionError} when it is of another version.
   * @throws {DecodeError} when it is not a request.
   */
  decode(bytes: Uint8Array, options: { readonly sizeMax?: number } = {}): Request {
    const first = bytes[0]
    if (first === undefined) throw new DecodeError("a request has at least one byte", 0)
    if (first < VERSION_MARK) throw new OtherVersionError(1, true)
    const version = first & ~VERSION_MARK
    if (version !== this.version) throw new OtherVersionError(version, false)
    return decode(this.#request, bytes.subarray(1), options)
  }

  /**
   * For bytes that were stored, or came from outside. Looks at version and kind alone; what has none, or another
   * version, is not safe.
   */
  isReplaySafe(request: Uint8Array): request is ReplaySafe {
    const kind = this.kindOf(request)
    return kind !== undefined && Object.hasOwn(this.replaySafety, kind) && this.replaySafety[kind].safe
  }

  /** The kind that `request` begins with, whatever follows; `undefined` where it has none, or another version. */
  kindOf(request: Uint8Array): Request["type"] | undefined {
    if (request[0] !== (VERSION_MARK | this.version)) return undefined
    try {
      return decode(this.#kind, request.subarray(1, 2))
    } catch (error) {
      if (error instanceof DecodeError) return undefined
      throw error
    }
  }
}

/**
 * Declares a service's requests. `version` (2 to 127) is raised when requests or answers change so that an older peer
 * would misread them; `kind` is the codec of the first byte of `request`.
 */
export function requestContract<
  Request extends { readonly type: string },
  const Table extends Readonly<Record<Request["type"], ReplaySafety>>,
>(parts: {
  readonly version: number
  readonly request: Codec<Request>
  readonly kind: Codec<Request["type"]>
  readonly replaySafety: Table
}) {
  return new RequestContract<Request, SafeKinds<Table> & string>(parts)
}
