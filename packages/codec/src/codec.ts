import { type Case, type Codec, type Fields, isCodec, snakeCase, type TypeOf } from "./declaration.js"
import { DecodeError } from "./errors.js"
import { Reader, type Registries } from "./reader.js"
import { Writer } from "./writer.js"

export interface DecodeOptions {
  /** Longest input that is looked at, in bytes; by default the 2³⁰−1 that a length can say. */
  readonly sizeMax?: number
  /** Shapes of values that an application has added to an open registry. */
  readonly registries?: Registries | undefined
}

/** Throws `RangeError` or `TypeError` for a value that the type cannot hold. */
export function encode<T>(codec: Pick<Codec<T>, "write">, value: T): Uint8Array {
  return written((writer) => {
    codec.write(writer, value)
    return writer.finish()
  })
}

/**
 * Lends a writer: what is written need not be copied to be hashed, signed or encrypted. It is overwritten when `use` returns
 * or throws, so no view of it may be kept.
 */
export function written<T>(use: (writer: Writer) => T): T {
  const writer = lendable.pop() ?? new Writer()
  try {
    return use(writer)
  } finally {
    writer.reset()
    if (writer.capacity <= LENDABLE_CAPACITY_MAX && lendable.length < LENDABLE_MAX) lendable.push(writer)
  }
}

// Encoding is synchronous and short: one writer serves nearly all of it, and one more what is encoded meanwhile.
const lendable: Writer[] = []
const LENDABLE_MAX = 2
const LENDABLE_CAPACITY_MAX = 65536

/** {@link decode} of bytes that are the caller's alone and stay as they are: the value's own bytes are views into them. */
export function decodeOwned<T>(codec: Codec<T>, bytes: Uint8Array, registries?: Registries): T {
  const reader = new Reader(bytes, registries)
  const value = codec.read(reader)
  if (reader.remaining !== 0) throw reader.error(`${reader.remaining} bytes behind the value`)
  return value
}

/**
 * Decodes exactly one value, from a private copy of `bytes` into which the value's own bytes are views. Throws
 * {@link DecodeError} for anything but the one valid encoding; bytes behind the value are an error.
 */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array, options: DecodeOptions = {}): T {
  const sizeMax = options.sizeMax ?? 0x3fff_ffff
  if (bytes.length > sizeMax) throw new DecodeError(`${bytes.length} bytes are more than the ${sizeMax} allowed`, 0)
  // Not `slice`: that of a Buffer is a Buffer, and slices of one share its memory.
  return decodeOwned(codec, new Uint8Array(bytes), options.registries)
}

// --- Numbers and bytes ---------------------------------------------------------------------------------------------

export const uint8: Codec<number> = {
  syntax: "uint8 %",
  shape: { kind: "number", typeName: "uint8" },
  size: 1,
  write: (writer, value) => writer.uint8(value),
  read: (reader) => reader.uint8(),
}

export const uint16: Codec<number> = {
  syntax: "uint16 %",
  shape: { kind: "number", typeName: "uint16" },
  size: 2,
  write: (writer, value) => writer.uint16(value),
  read: (reader) => reader.uint16(),
}

export const uint32: Codec<number> = {
  syntax: "uint32 %",
  shape: { kind: "number", typeName: "uint32" },
  size: 4,
  write: (writer, value) => writer.uint32(value),
  read: (reader) => reader.uint32(),
}

export const uint64: Codec<bigint> = {
  syntax: "uint64 %",
  shape: { kind: "number", typeName: "uint64" },
  size: 8,
  write: (writer, value) => writer.uint64(value),
  read: (reader) => reader.uint64(),
}

/** `opaque %<V>`: bytes behind a length of variable size. */
export const opaque: Codec<Uint8Array> = {
  syntax: "opaque %<V>",
  shape: { kind: "bytes", typeName: "opaque" },
  write(writer, bytes) {
    writer.varint(bytes.length)
    writer.bytes(bytes)
  },
  read: (reader) => reader.bytes(reader.varint()),
}

/** `opaque %[n]`: exactly `size` bytes. */
export function fixed(size: number): Codec<Uint8Array> {
  return {
    syntax: `opaque %[${size}]`,
    shape: { kind: "bytes", typeName: "opaque" },
    write(writer, bytes) {
      if (bytes.length !== size) throw new RangeError(`expected ${size} bytes, got ${bytes.length}`)
      writer.bytes(bytes)
    },
    read: (reader) => reader.bytes(size),
  }
}

/** `opaque %<V>` that holds well-formed UTF-8: names and texts of a service's contract. Not a type of RFC 9420. */
export const utf8: Codec<string> = {
  syntax: "opaque %<V>",
  shape: { kind: "text" },
  write(writer, text) {
    if (!isWellFormed(text)) throw new RangeError("text with an unpaired surrogate has no encoding")
    opaque.write(writer, encoder.encode(text))
  },
  read(reader) {
    const bytes = opaque.read(reader)
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
    } catch {
      throw reader.error("text is not UTF-8")
    }
  },
}

const encoder = new TextEncoder()

/** `uint8 %` that is 0 or 1: for a service's contract. Not a type of RFC 9420. */
export const boolean: Codec<boolean> = {
  syntax: "uint8 %",
  shape: { kind: "boolean" },
  write: (writer, value) => writer.uint8(value ? 1 : 0),
  read(reader) {
    const octet = reader.uint8()
    if (octet > 1) throw reader.error(`a boolean of ${octet}`)
    return octet === 1
  },
}

// --- Composition -----------------------------------------------------------------------------------------------------

/** `T %<V>`: items behind a length in bytes. */
export function vector<T>(item: Codec<T>): Codec<readonly T[]> {
  return {
    syntax: item.syntax.replace("%", "%<V>"),
    shape: { kind: "list", item },
    write(writer, items) {
      const start = writer.beginVector()
      for (let i = 0; i < items.length; i++) item.write(writer, items[i]!)
      writer.endVector(start)
    },
    read(reader) {
      const length = reader.varint()
      if (item.size !== undefined) return readSized(reader, item, length, item.size)
      const outer = reader.enter(length)
      const items: T[] = []
      while (reader.remaining > 0) {
        const at = reader.offset
        items.push(item.read(reader))
        // An item of no bytes would be read for ever.
        if (reader.offset === at) throw reader.error("an item of a vector has no bytes")
      }
      reader.leave(outer)
      return items
    },
  }
}

/** Items of one size, in an array that has room for them and no more: a tree holds five such lists for every leaf. */
function readSized<T>(reader: Reader, item: Codec<T>, length: number, size: number): readonly T[] {
  const outer = reader.enter(length)
  const items = new Array<T>(Math.floor(length / size))
  for (let i = 0; i < items.length; i++) items[i] = item.read(reader)
  // What is left over is the beginning of an item: reading it says what it lacks.
  if (reader.remaining > 0) item.read(reader)
  reader.leave(outer)
  return items
}

/** `optional<T> %`: a presence octet of 0 or 1 (RFC 9420 §2.1.1). */
export function optional<T>(inner: Codec<T>): Codec<T | undefined> {
  return {
    syntax: inner.syntax.replace(/^(.*) %$/, "optional<$1> %"),
    shape: { kind: "optional", inner },
    write(writer, value) {
      writer.uint8(value === undefined ? 0 : 1)
      if (value !== undefined) inner.write(writer, value)
    },
    read(reader) {
      const present = reader.uint8()
      if (present > 1) throw reader.error(`presence octet is ${present}`)
      return present === 1 ? inner.read(reader) : undefined
    },
  }
}

/** A wire type with a name of its own in the RFC: `uint16 CipherSuite`, `opaque MAC<V>`. */
export function alias<T>(name: string, codec: Codec<T>): Codec<T> {
  const { shape } = codec
  const named = shape?.kind === "number" || shape?.kind === "bytes" ? { shape: { ...shape, typeName: name } } : {}
  return { ...codec, ...named, syntax: codec.syntax.includes("<V>") ? codec.syntax : `${name} %` }
}

/** The names of an enumeration and their numbers, for codecs of open registries and for tests against the RFC. */
export interface Enumeration<Name extends string> extends Codec<Name> {
  readonly typeName: string
  readonly size: 1 | 2
  readonly values: Readonly<Record<Name, number>>
}

/** An `enum`: string literals in TypeScript, numbers on the wire. Other numbers are malformed. */
export function enumeration<const E extends Readonly<Record<string, number>>>(
  typeName: string,
  size: 1 | 2,
  values: E,
): Enumeration<keyof E & string> {
  const names = new Map(Object.entries(values).map(([name, number]) => [number, name]))
  const list = Object.entries(values).map(([name, number]) => `${snakeCase(name)}(${number})`)
  return {
    typeName,
    size,
    values,
    syntax: `${typeName} %`,
    shape: { kind: "enumeration", typeName, values },
    definition: `enum { reserved(0), ${list.join(", ")}, (${size === 1 ? 255 : 65535}) } ${typeName};`,
    write(writer, name) {
      const number = values[name]
      if (number === undefined) throw new TypeError(`${typeName} has no value ${name}`)
      if (size === 1) writer.uint8(number)
      else writer.uint16(number)
    },
    read(reader) {
      const number = size === 1 ? reader.uint8() : reader.uint16()
      const name = names.get(number)
      if (name === undefined) throw reader.error(`unknown ${typeName} ${number}`)
      return name
    },
  }
}

type Simplify<T> = { [K in keyof T]: T[K] } & {}
type StructOf<F extends Fields> = Simplify<{ readonly [K in keyof F]: TypeOf<F[K]> }>

/** `struct { … } name`: the fields in the order of their declaration. */
export function struct<const F extends Fields>(name: string, fields: F): Codec<StructOf<F>> {
  const names = Object.keys(fields)
  const codecs = Object.values(fields)
  const count = names.length
  return {
    syntax: `${name} %`,
    shape: { kind: "struct", name, fieldsOf: () => fields },
    definition: `struct { ${fieldList(fields)} } ${name};`,
    write(writer, value: any) {
      for (let i = 0; i < count; i++) codecs[i]!.write(writer, value[names[i]!])
    },
    read: (reader) => readFields({}, name, names, codecs, reader),
  }
}

function readFields(value: any, name: string, names: readonly string[], codecs: readonly Codec<any>[], reader: Reader) {
  let i = 0
  try {
    for (; i < names.length; i++) value[names[i]!] = codecs[i]!.read(reader)
  } catch (error) {
    throw error instanceof DecodeError ? error.within(`${name}.${names[i]}`) : error
  }
  return value
}

type Cases<Tag extends string> = { readonly [K in Tag]: Case }
type CaseOf<C> = C extends Codec<infer T> ? T : C extends Fields ? StructOf<C> : never
type UnionOf<C> = { [K in keyof C]: Simplify<{ readonly type: K } & CaseOf<C[K]>> }[keyof C]

/**
 * `select (tag) { case … }`: a tag and then the fields it selects. In TypeScript it is a union discriminated by
 * `type`, and the compiler insists on a case for every tag.
 */
export function select<Tag extends string, const C extends Cases<Tag>>(tag: Codec<Tag>, cases: C): Codec<UnionOf<C>> {
  const tagName = tag.syntax.replace(" %", "")
  const bodies = caseBodies(tagName, cases)
  return {
    syntax: `${tag.syntax}; select (%) { ${caseList(cases)} }`,
    shape: { kind: "select", tag, cases },
    write(writer, value: any) {
      tag.write(writer, value.type)
      bodies[value.type]!.write(writer, value)
    },
    read(reader) {
      return bodies[tag.read(reader)]!.readTagged(reader) as any
    },
  }
}

/** A value whose number only an application's own registry knows; `content` is its body as it stands on the wire. */
export interface Registered {
  readonly type: "registered"
  readonly number: number
  readonly content: Uint8Array
}

/**
 * A struct that is nothing but a {@link select}; the tag's name on the wire is `tagName`. With `open`, numbers that
 * the enumeration does not have are looked up in {@link DecodeOptions.registries} under the enumeration's name and
 * come out as {@link Registered}; where the registry has no shape for them, the bytes cannot be read.
 */
export function union<Tag extends string, const C extends Cases<Tag>>(
  name: string,
  tagName: string,
  tag: Enumeration<Tag>,
  cases: C,
): Codec<UnionOf<C>>
export function union<Tag extends string, const C extends Cases<Tag>>(
  name: string,
  tagName: string,
  tag: Enumeration<Tag>,
  cases: C,
  kind: "open",
): Codec<UnionOf<C> | Registered>
export function union<Tag extends string, const C extends Cases<Tag>>(
  name: string,
  tagName: string,
  tag: Enumeration<Tag>,
  cases: C,
  kind?: "open",
): Codec<any> {
  const closed = select(tag, cases)
  const definition = `struct { ${tag.syntax.replace("%", tagName)}; select (${tagName}) { ${caseList(cases)} }; } ${name};`
  const shape = { kind: "union", name, tagName, select: { kind: "select", tag, cases } } as const
  if (kind === undefined) return { ...closed, syntax: `${name} %`, shape, definition }
  const bodies = caseBodies(tag.typeName, cases)
  const names = new Map(Object.entries<number>(tag.values).map(([type, number]) => [number, type]))
  return {
    syntax: `${name} %`,
    shape,
    definition,
    write(writer, value: any) {
      if (value.type !== "registered") return closed.write(writer, value)
      if (names.has(value.number)) throw new TypeError(`${tag.typeName} ${value.number} is not an application's`)
      if (tag.size === 1) writer.uint8(value.number)
      else writer.uint16(value.number)
      writer.bytes(value.content)
    },
    read(reader) {
      const number = tag.size === 1 ? reader.uint8() : reader.uint16()
      const type = names.get(number)
      if (type !== undefined) return bodies[type]!.readTagged(reader)
      const body = reader.registries[tag.typeName]?.get(number)
      if (body === undefined) throw reader.error(`unknown ${tag.typeName} ${number}`)
      const start = reader.offset
      body.read(reader)
      return { type: "registered", number, content: reader.since(start) }
    },
  }
}

/**
 * The same type, but a value that was decoded keeps its bytes: it is written again by copying, and {@link bytesOf}
 * returns them for hashing and for checking signatures. Values must not be changed after decoding; a changed copy
 * (`{ ...value, … }`) is a new value without bytes.
 */
export function retained<T extends object>(codec: Codec<T>): Codec<T> & { bytesOf(value: T): Uint8Array } {
  // A private field on the value itself: copies do not have it, and it costs the garbage collector nothing, which a
  // WeakMap of ten thousand leaves does.
  class Kept extends (Itself as unknown as new (value: object) => object) {
    #bytes: Uint8Array
    constructor(value: T, bytes: Uint8Array) {
      super(value)
      this.#bytes = bytes
    }
    static bytesOf(value: object): Uint8Array | undefined {
      return #bytes in value ? value.#bytes : undefined
    }
  }
  const retaining: Codec<T> & { bytesOf(value: T): Uint8Array } = {
    ...codec,
    write(writer, value) {
      const bytes = Kept.bytesOf(value)
      if (bytes === undefined) codec.write(writer, value)
      else writer.bytes(bytes)
    },
    read(reader) {
      const start = reader.offset
      const value = codec.read(reader)
      new Kept(value, reader.since(start))
      return value
    },
    bytesOf(value) {
      const kept = Kept.bytesOf(value)
      if (kept !== undefined) return kept
      const bytes = encode(codec, value)
      if (Object.isExtensible(value)) new Kept(value, bytes)
      return bytes
    },
  }
  return retaining
}

/**
 * The same type for short lists that recur, as those of capabilities do in every leaf of a tree: equal ones are decoded
 * to one frozen array.
 */
export function shared<T>(list: Codec<readonly T[]>): Codec<readonly T[]> {
  const known = new Map<string | number, { readonly items: readonly T[]; readonly size: number }>()
  return {
    ...list,
    read(reader) {
      const start = reader.offset
      // A number is found in a third of the time of a string, and nothing has to be decoded first.
      const short = reader.nextShortVector()
      const seen = short === undefined ? undefined : known.get(short)
      if (seen !== undefined) {
        reader.skip(seen.size)
        return seen.items
      }
      const items = list.read(reader)
      const bytes = reader.since(start)
      if (bytes.length > SHARED_BYTES_MAX) return items
      const name = short ?? String.fromCharCode.apply(null, bytes as unknown as number[])
      const first = known.get(name)
      if (first !== undefined) return first.items
      // Whoever sends ever new lists does not fill the memory with them.
      if (known.size < SHARED_LISTS_MAX) known.set(name, { items: Object.freeze(items), size: bytes.length })
      return items
    },
  }
}

const SHARED_BYTES_MAX = 32
const SHARED_LISTS_MAX = 256

/** A base class whose constructor returns the object that it is given: fields of a subclass are put on that object. */
function Itself(value: object): object {
  return value
}

/** How the body of a case is written, and read together with its tag. */
interface CaseBody {
  write(writer: Writer, value: any): void
  readTagged(reader: Reader): object
}

function caseBodies(tagName: string, cases: Readonly<Record<string, Case>>): Record<string, CaseBody> {
  return Object.fromEntries(Object.entries(cases).map(([type, body]) => [type, caseBody(tagName, type, body)]))
}

function caseBody(tagName: string, type: string, body: Case): CaseBody {
  if (isCodec(body)) {
    return {
      write: (writer, value) => body.write(writer, value),
      readTagged: (reader) => ({ type, ...body.read(reader) }),
    }
  }
  const name = `${tagName}.${type}`
  const [names, codecs] = [Object.keys(body), Object.values(body)]
  // Into the object that has the tag: copying the fields from another one takes as long as reading them.
  return { write: struct(name, body).write, readTagged: (reader) => readFields({ type }, name, names, codecs, reader) }
}

function caseList(cases: Readonly<Record<string, Case>>): string {
  const body = (it: Case) => (isCodec(it) ? it.syntax.replace(" %", ";") : fieldList(it) || "struct{};")
  return Object.entries(cases)
    .map(([type, it]) => `case ${snakeCase(type)}: ${body(it)}`)
    .join(" ")
}

function fieldList(fields: Fields): string {
  return Object.entries(fields)
    .map(([name, codec]) => `${codec.syntax.replaceAll("%", snakeCase(name))};`)
    .join(" ")
}

// `String.prototype.isWellFormed` is in every runtime we support, but not in the library of ES2022 types.
function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text)
}
