import { createInterface } from "node:readline"
import type { Terminal } from "../terminal/terminal.js"
import { openLineEditor } from "./line-editor.js"
import type { Screen, ScreenListener } from "./typed-lines.js"

export type { Screen, ScreenListener }

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
