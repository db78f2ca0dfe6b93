import {
  boolean,
  type Codec,
  enumeration,
  fixed,
  opaque,
  optional,
  retained,
  select,
  struct,
  uint8,
  uint16,
  uint32,
  uint64,
  union,
  utf8,
  vector,
} from "@conclave/codec"
import fc from "fast-check"

/** A codec that was composed at random, and values that it can hold. */
export interface Shape {
  readonly codec: Codec<any>
  readonly values: fc.Arbitrary<any>
}

const Tag = enumeration("Tag", 1, { none: 1, small: 7, nested: 255 })
const WideTag = enumeration("WideTag", 2, { first: 1, last: 0xffff })

export const bytes = (constraints?: fc.IntArrayConstraints) => fc.uint8Array(constraints)

const leaves: readonly Shape[] = [
  { codec: uint8, values: fc.nat(0xff) },
  { codec: uint16, values: fc.nat(0xffff) },
  { codec: uint32, values: fc.nat(0xffff_ffff) },
  { codec: uint64, values: fc.bigInt(0n, 2n ** 64n - 1n) },
  { codec: opaque, values: bytes({ maxLength: 300 }) },
  { codec: fixed(5), values: bytes({ minLength: 5, maxLength: 5 }) },
  { codec: utf8, values: fc.string({ unit: "grapheme", maxLength: 80 }) },
  { codec: boolean, values: fc.boolean() },
  { codec: Tag, values: fc.constantFrom("none", "small", "nested") },
  { codec: WideTag, values: fc.constantFrom("first", "last") },
]

/** Composes codecs at random, at most `depth` of them inside each other. */
export function shapes(depth: number): fc.Arbitrary<Shape> {
  const leaf = fc.constantFrom(...leaves)
  if (depth === 0) return leaf
  const inner = shapes(depth - 1)
  return fc.oneof(
    leaf,
    inner.map(({ codec, values }) => ({ codec: vector(codec), values: fc.array(values, { maxLength: 20 }) })),
    inner.map(({ codec, values }) => ({
      codec: optional(codec),
      values: fc.option(values, { nil: undefined }),
    })),
    structs(inner),
    structs(inner).map(({ codec, values }) => ({ codec: retained(codec), values })),
    fc.tuple(leaf, inner).map(([small, nested]) => ({
      codec: union("Choice", "tag", Tag, { none: {}, small: { small: small.codec }, nested: { nested: nested.codec } }),
      values: choices(small, nested),
    })),
    fc.tuple(leaf, inner, leaf).map(([small, nested, last]) => ({
      codec: struct("Around", {
        choice: select(Tag, { none: {}, small: { small: small.codec }, nested: { nested: nested.codec } }),
        last: last.codec,
      }),
      values: fc.record({ choice: choices(small, nested), last: last.values }),
    })),
  )
}

function structs(inner: fc.Arbitrary<Shape>): fc.Arbitrary<Shape> {
  return fc.array(inner, { minLength: 1, maxLength: 4 }).map((fields) => ({
    codec: struct("Random", Object.fromEntries(fields.map(({ codec }, i) => [`field${i}`, codec]))),
    values: fc.record(Object.fromEntries(fields.map(({ values }, i) => [`field${i}`, values]))),
  }))
}

function choices(small: Shape, nested: Shape): fc.Arbitrary<any> {
  return fc.oneof(
    fc.constant({ type: "none" }),
    small.values.map((value) => ({ type: "small", small: value })),
    nested.values.map((value) => ({ type: "nested", nested: value })),
  )
}
