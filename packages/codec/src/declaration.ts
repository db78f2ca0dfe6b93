import type { Reader } from "./reader.js"
import type { Writer } from "./writer.js"

/**
 * One wire type of the TLS presentation language (RFC 8446 §3, RFC 9420 §2.1): how it is written, read, and spelled in
 * the RFC's own syntax. One declaration gives all of them and the TypeScript type ({@link TypeOf}), so none can drift
 * from the others.
 */
export interface Codec<T> {
  /** The type as the RFC writes it; `%` is the field's name. */
  readonly syntax: string
  /** The full `struct` or `enum`, for types that have a name. */
  readonly definition?: string
  /** Bytes of every value, for types that have one size. */
  readonly size?: number
  /** What a value consists of, for {@link print}. A codec without it prints as its bytes. */
  readonly shape?: Shape
  write(writer: Writer, value: T): void
  read(reader: Reader): T
}

export type TypeOf<C> = C extends Codec<infer T> ? T : never

export type Fields = Readonly<Record<string, Codec<any>>>

/** What a case of a `select` holds: the fields themselves, or a struct that holds them. */
export type Case = Fields | Codec<object>

/** The parts of a type, from which values are printed. Type names are spelled as in the RFC. */
export type Shape =
  | { readonly kind: "number"; readonly typeName: string }
  | { readonly kind: "bytes"; readonly typeName: string }
  | { readonly kind: "text" }
  | { readonly kind: "boolean" }
  | { readonly kind: "enumeration"; readonly typeName: string; readonly values: Readonly<Record<string, number>> }
  | { readonly kind: "list"; readonly item: Codec<any> }
  | { readonly kind: "optional"; readonly inner: Codec<any> }
  /** `fieldsOf`: the fields of this value, where some are present only beside others (RFC 9420 §6.1, §6.2). */
  | { readonly kind: "struct"; readonly name: string; fieldsOf(value: any): Fields }
  | SelectShape
  | { readonly kind: "union"; readonly name: string; readonly tagName: string; readonly select: SelectShape }

/** The value has the tag as `type`, and beside it the fields of the case. */
export interface SelectShape {
  readonly kind: "select"
  readonly tag: Codec<any>
  readonly cases: Readonly<Record<string, Case>>
}

export const isCodec = (value: Case): value is Codec<object> => typeof value.read === "function"

/** A field's name as the RFC spells it: `leafNode` is `leaf_node`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
