import { createInterface } from "node:readline"
import type { Terminal } from "../terminal/terminal.js"
import { openLineEditor } from "./line-editor.js"

/** Lines that somebody types, and lines that come in between. */
export interface Screen {
  /** Whether somebody types here: otherwise the lines come from a pipe or a file. */
  readonly isInteractive: boolean
  print(text: string): void
  setPrompt(prompt: string): void
  close(): void
}

export interface ScreenListener {
  /** A line was entered. `beginsPasted`: what it begins with was pasted and not typed; it may have several lines then. */
  line(text: string, beginsPasted: boolean): void
  /** Ctrl-C on an empty line, Ctrl-D, or the end of what was piped in. */
  end(): void
  /** What a Tab may complete, for what has been typed so far. */
  complete(typed: string): readonly string[]
}

export function openScreen(terminal: Terminal, listener: ScreenListener): Screen {
  const { input, output, environment } = terminal
  const isInteractive = input.isTTY === true && output.isTTY === true
  // A dumb terminal edits its own lines, and knows no cursor to move.
  if (isInteractive && environment.TERM !== "dumb") return openLineEditor(terminal, listener)
  const lines = createInterface({ input, terminal: false })
  lines.on("line", (text) => listener.line(text, false))
  lines.on("close", () => listener.end())
  return {
    isInteractive,
    print: (text) => void output.write(`${text}\n`),
    setPrompt: () => {},
    close: () => lines.close(),
  }
}
