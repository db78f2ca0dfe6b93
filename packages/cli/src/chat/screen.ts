import { clearScreenDown, createInterface, cursorTo, type Interface, moveCursor } from "node:readline"
import type { Terminal } from "../terminal/terminal.js"

/** Lines that somebody types, and lines that come in between. */
export interface Screen {
  /** Whether somebody types here: otherwise the lines come from a pipe or a file. */
  readonly isInteractive: boolean
  print(text: string): void
  setPrompt(prompt: string): void
  close(): void
}

export interface ScreenListener {
  /** A line was entered. */
  line(text: string): void
  /** Ctrl-C on an empty line, Ctrl-D, or the end of what was piped in. */
  end(): void
  /** What a Tab may complete, for what has been typed so far. */
  complete(typed: string): readonly string[]
}

export function openScreen(terminal: Terminal, listener: ScreenListener): Screen {
  const { input, output, environment } = terminal
  const isInteractive = input.isTTY === true && output.isTTY === true
  // A dumb terminal edits its own lines, and knows no cursor to move.
  if (isInteractive && environment.TERM !== "dumb") return editingScreen(terminal, listener)
  const lines = createInterface({ input, terminal: false })
  lines.on("line", (text) => listener.line(text))
  lines.on("close", () => listener.end())
  return {
    isInteractive,
    print: (text) => void output.write(`${text}\n`),
    setPrompt: () => {},
    close: () => lines.close(),
  }
}

function editingScreen({ input, output }: Terminal, listener: ScreenListener): Screen {
  const editor = createInterface({
    input,
    output,
    terminal: true,
    historySize: 200,
    removeHistoryDuplicates: true,
    completer: (typed: string) => [listener.complete(typed), typed],
  })
  editor.on("line", (text) => {
    listener.line(text)
    editor.prompt()
  })
  editor.on("SIGINT", () => {
    if (editor.line === "") return editor.close()
    // As a shell does: the line is given up.
    editor.write(null, { ctrl: true, name: "e" })
    editor.write(null, { ctrl: true, name: "u" })
  })
  let isClosed = false
  editor.on("close", () => {
    isClosed = true
    output.write("\n")
    listener.end()
  })
  editor.prompt()
  return {
    isInteractive: true,
    print: (text) => {
      const write = () => void output.write(`${text}\n`)
      if (isClosed) write()
      else redraw(editor, output, write)
    },
    setPrompt(prompt) {
      if (isClosed || editor.getPrompt() === prompt) return
      redraw(editor, output, () => editor.setPrompt(prompt))
    },
    close: () => editor.close(),
  }
}

/** Takes the typed line away, lets `change` print or change the prompt, and puts the line back with its cursor. */
function redraw(editor: Interface, output: NodeJS.WritableStream, change: () => void): void {
  const { rows } = editor.getCursorPos()
  moveCursor(output, 0, -rows)
  cursorTo(output, 0)
  clearScreenDown(output)
  change()
  // How far the editor believes its cursor to be below the prompt: after a paste it is wrong about that, and here it
  // is not below at all.
  Object.assign(editor, { prevRows: 0 })
  editor.prompt(true)
}
