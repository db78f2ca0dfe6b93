import type { Readable, Writable } from "node:stream"
import { words } from "../words/words.js"
import { type Glyphs, glyphsFor, type Style, styleFor } from "./style.js"

/** Where a command reads and writes. */
export interface Terminal {
  readonly input: Readable & { readonly isTTY?: boolean }
  readonly output: Writable & { readonly isTTY?: boolean; readonly columns?: number }
  readonly errors: Writable & { readonly isTTY?: boolean; readonly columns?: number }
  readonly environment: NodeJS.ProcessEnv
  readonly style: Style
  readonly errorStyle: Style
  readonly glyphs: Glyphs
  /** Results, to standard output. Resolves when the system has them. */
  write(text: string | Uint8Array): Promise<void>
  /** A line about how it goes, to standard error. */
  tell(line: string): void
}

/** Tells what is worth knowing and no error. */
export function tellNote({ tell, errorStyle }: Pick<Terminal, "tell" | "errorStyle">, text: string): void {
  tell(noteOf(errorStyle, text))
}

export const noteOf = (style: Style, text: string): string => `${style.yellow(words().commandLine.note)} ${text}`

export function systemTerminal(): Terminal {
  const { stdin: input, stdout: output, stderr: errors, env: environment } = process
  // Whoever reads our output may stop reading at any time: `conclave receive | head`.
  for (const stream of [output, errors]) stream.on("error", endQuietly)
  return {
    input,
    output,
    errors,
    environment,
    style: styleFor(output.isTTY === true, environment),
    errorStyle: styleFor(errors.isTTY === true, environment),
    glyphs: glyphsFor(environment, process.platform),
    write: (text) =>
      new Promise((resolve, reject) => {
        output.write(text, (error) => (error ? reject(error) : resolve()))
      }),
    tell: (line) => void errors.write(`${line}\n`),
  }
}

function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit(1)
  process.exitCode = 1
}
