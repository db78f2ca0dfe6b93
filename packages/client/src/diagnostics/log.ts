import { hex } from "../bytes.js"
import type { Logger } from "../client.js"
import { platformTimers, type Timers } from "../timers.js"
import { forms, type Level, type LineKind, type Lines, levelOf, type Shown } from "./lines.js"
import { Ring } from "./ring.js"

/** A line as it was written; nothing of it is text yet. */
interface Line {
  /** See {@link Log.elapsed}. */
  readonly at: number
  readonly level: Level
  readonly kind: LineKind
  readonly fields: Readonly<Record<string, unknown>>
}

/** Bytes of a line in memory without its error: an object of up to nine fields, numbers of 64 bits among them. */
const LINE_BYTES = 320
const DEBUG_BYTES_MAX = 96 * 1024
const OTHER_BYTES_MAX = 32 * 1024
const PSEUDONYMS_MAX = 10_000

/**
 * What a client has done lately: up to 128 KiB in memory, in which the lines of `debug` do not push out the others, and
 * each line to the application's logger, where there is one. Without one, no line becomes text before {@link tail} asks.
 */
export class Log {
  readonly #logger: Logger | undefined
  readonly #timers: Timers
  readonly #debug = new Ring<Line>(DEBUG_BYTES_MAX)
  readonly #others = new Ring<Line>(OTHER_BYTES_MAX)
  readonly #conversations = new Pseudonyms("c")
  readonly #people = new Pseudonyms("p")

  constructor(logger?: Logger, timers: Timers = platformTimers) {
    this.#logger = logger
    this.#timers = timers
  }

  /** Milliseconds on a clock that is never set. */
  elapsed(): number {
    return this.#timers.elapsed()
  }

  write<K extends LineKind, const F extends Lines[K]>(kind: K, fields: F & Shown<F>): void {
    const level = levelOf(kind, fields)
    const line: Line = { at: this.elapsed(), level, kind, fields: fields as unknown as Line["fields"] }
    const { error, frames } = fields as { readonly error?: string; readonly frames?: string }
    const bytes = LINE_BYTES + (error?.length ?? 0) + (frames?.length ?? 0)
    if (level === "debug") this.#debug.add(line, bytes)
    else this.#others.add(line, bytes)
    if (this.#logger !== undefined) this.#tell(this.#logger, line)
  }

  /** The same for an id as long as the client is open, unless ten thousand others come between. */
  conversation(id: string): string {
    return this.#conversations.of(id)
  }

  /** The last lines, oldest first, each with its age: of at most `sizeMax` characters with their line feeds. */
  tail(sizeMax: number): readonly string[] {
    const now = this.elapsed()
    const lines = [...this.#debug, ...this.#others].sort((a, b) => b.at - a.at)
    const tail: string[] = []
    let size = 0
    for (const line of lines) {
      const text = this.#text(line, now)
      size += text.length + 1
      if (size > sizeMax) break
      tail.push(text)
    }
    return tail.reverse()
  }

  /** An application's logger that fails is no reason to do anything else. */
  #tell(logger: Logger, { level, kind, fields }: Line): void {
    try {
      const told = logger[level](this.#fieldsOf(fields), forms[kind].message) as unknown
      if (told instanceof Promise) told.catch(() => {})
    } catch {
      // There is nowhere to say so.
    }
  }

  #text({ at, level, kind, fields }: Line, now: number): string {
    const words = Object.entries(this.#fieldsOf(fields)).map(([name, value]) => `${name}=${quoted(value)}`)
    return `-${((now - at) / 1000).toFixed(3)} ${level} ${[kind.replaceAll(" ", "-"), ...words].join(" ")}`
  }

  #fieldsOf(fields: Line["fields"]): Record<string, unknown> {
    const shown: Record<string, unknown> = {}
    for (const [name, value] of Object.entries(fields)) {
      if (value !== undefined) shown[name] = this.#shown(name, value)
    }
    return shown
  }

  #shown(name: string, value: unknown): unknown {
    if (name === "conversation") return this.conversation(value instanceof Uint8Array ? hex(value) : String(value))
    if (name === "person") return this.#people.of(String(value))
    if (name === "size") return powerOfTwo(Number(value))
    if (typeof value === "number") return Math.round(value)
    // Few logs can show one; epochs and seqs beyond 2⁵³ are text.
    if (typeof value === "bigint") return value <= Number.MAX_SAFE_INTEGER ? Number(value) : String(value)
    return value
  }
}

/** Short names in the order of their first use. */
class Pseudonyms {
  readonly #prefix: string
  readonly #known = new Map<string, string>()
  #count = 0

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  of(id: string): string {
    const known = this.#known.get(id)
    if (known !== undefined) return known
    const pseudonym = `${this.#prefix}${++this.#count}`
    this.#known.set(id, pseudonym)
    const [oldest] = this.#known.keys()
    if (this.#known.size > PSEUDONYMS_MAX) this.#known.delete(oldest!)
    return pseudonym
  }
}

/** The smallest power of two that is not below `size`; 0 for 0. */
export function powerOfTwo(size: number): number {
  return size <= 0 ? 0 : 2 ** Math.ceil(Math.log2(size))
}

function quoted(value: unknown): string {
  const text = String(value)
  return text.includes(" ") ? `"${text}"` : text
}
