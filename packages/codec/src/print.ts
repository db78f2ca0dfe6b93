import { encode } from "./codec.js"
import { type Codec, type Fields, isCodec, type SelectShape, snakeCase } from "./declaration.js"
import { varintSize } from "./writer.js"

/** How a value is printed. Names of structs and fields are those of the declarations, spelled as in the RFC. */
export interface PrintOptions {
  /** Columns that a line should have at most; byte strings are cut to fit. 80 by default. */
  readonly width?: number
  /** Byte strings are shown whole, over as many lines as they need. */
  readonly full?: boolean
  /** Lines after which printing stops with a comment. Unlimited by default. */
  readonly linesMax?: number
  /** The name of the value itself, where its type is only known by its syntax: `ratchet_tree`. */
  readonly name?: string
  /** How a number of a named type reads, with a comment after a field of its own: `ratchet_tree(2)`. */
  readonly numberOf?: (typeName: string, number: number) => NumberText | undefined
  /** Fields whose bytes are never shown, not with `full` either: `GroupSecrets`, `joiner_secret`. */
  readonly isSecret?: (struct: string, field: string) => boolean
  /** The value that the bytes of a field hold, where that is known. */
  readonly contentsOf?: (struct: string, field: string, value: any) => Contents | undefined
  /** What can be said of a struct's value, or of a named vector's: lines that are printed below it as comments. */
  readonly factsOf?: (struct: string, value: any) => readonly string[]
}

export interface NumberText {
  readonly text: string
  readonly comment?: string
}

/** A value inside a byte string. */
export interface Contents {
  readonly codec: Codec<any>
  readonly value: unknown
  /** As {@link PrintOptions.name}. */
  readonly name?: string
}

/**
 * A value in the presentation syntax of RFC 8446 §3, a line at a time, without line ends: fields with their types and
 * names, structs indented by four columns, `<n>` with the bytes of a vector. The lines of a value are made as they are
 * asked for: one that is not read to its end costs no more than what was read.
 *
 * @throws {RangeError | TypeError} when the value is not one of the codec
 */
export function* print<T>(codec: Codec<T>, value: T, options: PrintOptions = {}): Generator<string> {
  const { linesMax = Number.POSITIVE_INFINITY } = options
  let lines = 0
  for (const line of new Printer(options).value(codec, value, {
    name: options.name ?? "",
    struct: "",
    depth: 0,
    isSecret: false,
  })) {
    if (lines++ === linesMax) {
      yield `// cut after ${linesMax} lines`
      return
    }
    yield line
  }
}

interface Place {
  /** Empty where the type says everything. */
  readonly name: string
  /** The struct around it. */
  readonly struct: string
  readonly depth: number
  readonly isSecret: boolean
}

const INDENT = 4
const WIDTH = 80
/** Bytes of a cut string that are shown however narrow the line is. */
const SHOWN_MIN = 4
/** Columns of hexadecimal digits in a line of their own, where a string is shown whole. */
const FULL_COLUMNS_MAX = 64
const TEXT_MAX = 64

class Printer {
  readonly #options: PrintOptions
  readonly #width: number

  constructor(options: PrintOptions) {
    this.#options = options
    this.#width = options.width ?? WIDTH
  }

  *value(codec: Codec<any>, value: any, place: Place): Iterable<string> {
    const { shape } = codec
    if (place.isSecret) return yield line(place, this.#hidden(codec, value, place))
    switch (shape?.kind) {
      case "number":
        return yield* this.#number(codec, shape.typeName, value, place)
      case "enumeration":
        return yield line(place, `${head(codec, place)} = ${snakeCase(value)}(${shape.values[value]});`)
      case "boolean":
        return yield line(place, `${head(codec, place)} = ${value ? 1 : 0};`)
      case "text":
        return yield this.#text(sized(codec, place, lengthOf(encode(codec, value))), value, place)
      case "bytes":
        return yield* this.#bytes(named(sized(codec, place, value.length), shape.typeName), value, place)
      case "optional":
        if (value === undefined) return yield line(place, `${head(codec, place)};  // absent`)
        return yield* this.#present(codec, shape.inner, value, place)
      case "list":
        return yield* this.#list(codec, shape.item, value, place)
      case "struct":
        return yield* this.#braces(
          head(codec, place),
          place,
          this.#fields(shape.name, shape.fieldsOf(value), value, place),
          [shape.name, value],
        )
      case "union":
        return yield* this.#braces(
          head(codec, place),
          place,
          this.#select(shape.select, value, { ...deeper(place, shape.tagName), struct: shape.name }),
          [shape.name, value],
        )
      case "select":
        return yield* this.#select(shape, value, place)
      default: {
        const bytes = encode(codec, value)
        return yield* this.#bytes(sized(codec, place, bytes.length), bytes, place)
      }
    }
  }

  #hidden(codec: Codec<any>, value: any, place: Place): string {
    const size = value instanceof Uint8Array ? value.length : encode(codec, value).length
    return `${head(codec, place).replace("<V>", "")} (${size} bytes, not shown)`
  }

  *#number(codec: Codec<any>, typeName: string, value: number | bigint, place: Place): Iterable<string> {
    const said = typeof value === "number" ? this.#options.numberOf?.(typeName, value) : undefined
    const whole = line(place, `${head(codec, place)} = ${said?.text ?? value};`)
    yield* withComment(whole, said?.comment, this.#width, place)
  }

  *#bytes(declared: string, bytes: Uint8Array, place: Place): Iterable<string> {
    if (bytes.length === 0) return yield line(place, `${declared} = "";`)
    const text = asciiOf(bytes)
    if (line(place, `${declared} = ;`).length + 2 * bytes.length <= this.#width) {
      const whole = line(place, `${declared} = ${hexOf(bytes)};`)
      return yield* withComment(whole, text && quoted(text), this.#width, place)
    }
    if (this.#options.full !== true) {
      const room = this.#width - line(place, `${declared} = ...;`).length
      return yield line(place, `${declared} = ${hexOf(bytes.subarray(0, Math.max(SHOWN_MIN, room >> 1)))}...;`)
    }
    yield line(place, `${declared} =`)
    const room = Math.min(FULL_COLUMNS_MAX, this.#width - (place.depth + 1) * INDENT - 1)
    const size = Math.max(SHOWN_MIN, room >> 1)
    for (let at = 0; at < bytes.length; at += size) {
      const end = at + size < bytes.length ? "" : ";"
      yield line(deeper(place), hexOf(bytes.subarray(at, at + size)) + end)
    }
    if (text !== undefined) yield line(place, `// ${quoted(text)}`)
  }

  #text(declared: string, text: string, place: Place): string {
    const whole = line(place, `${declared} = ${quoted(text)};`)
    if (this.#options.full === true || whole.length <= this.#width) return whole
    const room = Math.max(SHOWN_MIN, this.#width - line(place, `${declared} = ""...;`).length)
    return line(place, `${declared} = ${quoted(Array.from(text).slice(0, room).join(""))}...;`)
  }

  /** `optional<T>` that is present: printed as the value, under the optional type's name. */
  *#present(codec: Codec<any>, inner: Codec<any>, value: any, place: Place): Iterable<string> {
    yield* this.value({ ...inner, syntax: codec.syntax }, value, place)
  }

  *#list(codec: Codec<any>, item: Codec<any>, items: readonly any[], place: Place): Iterable<string> {
    const declared = sized(codec, place, lengthOf(encode(codec, items)))
    const shape = item.shape
    if (items.length === 0) return yield line(place, `${declared} = {};`)
    if (shape?.kind === "number" || shape?.kind === "enumeration") {
      const one = (it: any) =>
        shape.kind === "number"
          ? (this.#options.numberOf?.(shape.typeName, it)?.text ?? String(it))
          : `${snakeCase(it)}(${shape.values[it]})`
      return yield* this.#inline(declared, items.map(one), place)
    }
    yield line(place, `${declared} = {  // ${items.length} ${items.length === 1 ? "entry" : "entries"}`)
    for (let i = 0; i < items.length; i++) {
      if (items[i] !== undefined) {
        yield* this.value({ ...item, syntax: "%" }, items[i], deeper(place, `[${i}]`))
        continue
      }
      const first = i
      while (i + 1 < items.length && items[i + 1] === undefined) i++
      yield line(deeper(place), `[${first === i ? i : `${first}..${i}`}];  // absent`)
    }
    yield line(place, "};")
    // A vector without a struct around it is all that there is.
    if (place.struct === "" && place.name !== "") yield* this.#facts(place.name, items, place)
  }

  /** Short items, as many in a line as fit. */
  *#inline(declared: string, items: readonly string[], place: Place): Iterable<string> {
    const whole = line(place, `${declared} = { ${items.join(", ")} };`)
    if (whole.length <= this.#width) return yield whole
    yield line(place, `${declared} = {`)
    const inner = deeper(place)
    let row = ""
    for (const [i, item] of items.entries()) {
      const next = i + 1 < items.length ? `${item},` : item
      if (row !== "" && line(inner, `${row} ${next}`).length > this.#width) {
        yield line(inner, row)
        row = next
      } else row = row === "" ? next : `${row} ${next}`
    }
    yield line(inner, row)
    yield line(place, "};")
  }

  *#braces(declared: string, place: Place, body: Iterable<string>, [struct, value]: [string, any]): Iterable<string> {
    let isEmpty = true
    for (const one of body) {
      if (isEmpty) yield line(place, `${declared} = {`)
      isEmpty = false
      yield one
    }
    yield line(place, isEmpty ? `${declared} = {};` : "};")
    yield* this.#facts(struct, value, place)
  }

  *#facts(struct: string, value: any, place: Place): Iterable<string> {
    for (const fact of this.#options.factsOf?.(struct, value) ?? []) yield* wrapped(fact, place, this.#width)
  }

  *#fields(struct: string, fields: Fields, value: any, place: Place): Iterable<string> {
    for (const [key, codec] of Object.entries(fields)) {
      const name = snakeCase(key)
      const inner = { ...deeper(place, name), struct, isSecret: this.#options.isSecret?.(struct, name) === true }
      const contents = inner.isSecret ? undefined : this.#options.contentsOf?.(struct, name, value)
      if (contents === undefined) yield* this.value(codec, value[key], inner)
      else yield* this.#contents(sized(codec, inner, lengthOf(encode(codec, value[key]))), contents, inner)
    }
  }

  *#contents(declared: string, { codec, value, name = "" }: Contents, place: Place): Iterable<string> {
    yield line(place, `${declared} = {`)
    yield* this.value(codec, value, deeper(place, name))
    yield line(place, "};")
  }

  *#select({ tag, cases }: SelectShape, value: any, place: Place): Iterable<string> {
    if (value.type === "registered") {
      const said = this.#options.numberOf?.(tag.syntax.replace(" %", ""), value.number)
      yield line(place, `${head(tag, place)} = ${said?.text ?? value.number};`)
      return yield* this.#bytes(`opaque content[${value.content.length}]`, value.content, place)
    }
    yield* this.value(tag, value.type, place)
    const body = cases[value.type]!
    if (isCodec(body)) yield* this.value(body, value, { ...place, name: "" })
    // The fields of a case are beside the tag.
    else yield* this.#fields(place.struct, body, value, { ...place, depth: place.depth - 1 })
  }
}

function deeper({ depth }: Place, name = ""): Place {
  return { name, struct: "", depth: depth + 1, isSecret: false }
}

function line({ depth }: Place, text: string): string {
  return " ".repeat(depth * INDENT) + text
}

/** The declaration of a field: its type and its name. */
function head({ syntax }: Codec<any>, { name }: Place): string {
  return syntax.replace("%", name).replace(/ (?=$|<V>$)/, "")
}

/** An `opaque` that has a name of its own is declared by it. */
function named(declared: string, typeName: string): string {
  return declared.replace(/^opaque\b/, typeName)
}

/** The declaration of something whose value has this many bytes: `opaque group_id<16>`; `reuse_guard[4]` stays. */
function sized(codec: Codec<any>, place: Place, size: number): string {
  const declared = head(codec, place)
  if (declared.includes("<V>")) return declared.replace("<V>", `<${size}>`)
  return codec.syntax.includes("%[") ? declared : `${declared}<${size}>`
}

/** Bytes of a vector's contents, from its encoding. */
function lengthOf(encoded: Uint8Array): number {
  for (const size of [1, 2, 4]) {
    if (encoded.length >= size && varintSize(encoded.length - size) === size) return encoded.length - size
  }
  return encoded.length
}

const hexDigits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

function hexOf(bytes: Uint8Array): string {
  let text = ""
  for (const byte of bytes) text += hexDigits[byte]
  return text
}

/** The text that bytes are, if it is short and plain. */
function asciiOf(bytes: Uint8Array): string | undefined {
  if (bytes.length < 2 || bytes.length > TEXT_MAX) return undefined
  return bytes.every((byte) => byte >= 0x20 && byte < 0x7f) ? String.fromCharCode(...bytes) : undefined
}

/** Text that moves no cursor and does not turn the direction of writing: whatever is not plain is escaped. */
function quoted(text: string): string {
  const plain = text.replace(/["\\]/g, "\\$&")
  return `"${plain.replace(/[^\P{C}]|[^\P{Z} ]/gu, (it) => `\\u{${it.codePointAt(0)!.toString(16)}}`)}"`
}

function* withComment(whole: string, text: string | undefined, width: number, place: Place): Iterable<string> {
  if (text === undefined) return yield whole
  const comment = `// ${text}`
  if (whole.length + 2 + comment.length <= width) return yield `${whole}  ${comment}`
  yield whole
  yield line(place, comment)
}

/** A comment, after whose colon a new line begins where it is too long. */
function* wrapped(fact: string, place: Place, width: number): Iterable<string> {
  const whole = line(place, `// ${fact}`)
  const colon = fact.indexOf(": ")
  if (whole.length <= width || colon < 0) return yield whole
  yield line(place, `// ${fact.slice(0, colon + 1)}`)
  yield line(place, `//   ${fact.slice(colon + 2)}`)
}
