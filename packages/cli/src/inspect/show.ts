import { print, snakeCase } from "@conclave/codec"
import { nodeProvider } from "@conclave/crypto/node"
import { inspection } from "@conclave/mls/inspect"
import { printableLine } from "../terminal/printable.js"
import type { Terminal } from "../terminal/terminal.js"
import { words } from "../words/words.js"
import type { Recognised } from "./recognise.js"
import { isSecretField } from "./types.js"

/** Without --full. */
const LINES_MAX = 100_000
const LINES_AT_ONCE = 256
const WIDTH_DEFAULT = 80
const WIDTH_MIN = 40

interface Shown {
  readonly terminal: Terminal
  readonly full: boolean
  readonly name: string
}

/** Prints a value in the presentation syntax, below a line that says what it is. Secrets are not shown. */
export async function show(
  { type, codec, value, reading, others }: Recognised,
  { terminal, full, name }: Shown,
): Promise<void> {
  const { output, environment, style } = terminal
  const options = inspection(type, value, { provider: nodeProvider(), now: BigInt(Math.floor(Date.now() / 1000)) })
  const from = reading.encoding === "bytes" ? "" : `, from ${reading.encoding}`
  const head = `// ${printableLine(name)}: ${type}, ${reading.bytes.length} bytes${from}`
  const lines = print(codec, value, {
    ...options,
    ...(codec.shape?.kind === "list" && { name: snakeCase(type).replace(/^_/, "") }),
    isSecret: (struct, field) => isSecretField(struct, field) || options.isSecret?.(struct, field) === true,
    width: Math.max(WIDTH_MIN, output.columns ?? (Number(environment.COLUMNS) || WIDTH_DEFAULT)),
    full,
    ...(!full && { linesMax: LINES_MAX }),
  })
  let chunk = [style.dim(head)]
  if (others.length > 0) chunk.push(style.yellow(`// ${words().looking.fitsToo(others.join(", "))}`))
  for (const line of lines) {
    chunk.push(coloured(line, terminal))
    if (chunk.length < LINES_AT_ONCE) continue
    await terminal.write(`${chunk.join("\n")}\n`)
    chunk = []
  }
  if (chunk.length > 0) await terminal.write(`${chunk.join("\n")}\n`)
}

function coloured(line: string, { style }: Terminal): string {
  const [, before, comment] = /^(.*[;{] {2}| *)(\/\/ .*)$/.exec(line) ?? []
  if (comment === undefined) return line
  return before + (comment.includes("INVALID") ? style.red(comment) : style.dim(comment))
}
