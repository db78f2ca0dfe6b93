import { clearScreenDown, cursorTo, emitKeypressEvents, type Key, moveCursor } from "node:readline"
import { stripVTControlCharacters } from "node:util"
import type { Terminal } from "../terminal/terminal.js"
import { graphemesOf, widthOf } from "../terminal/width.js"
import { type Cell, Line, placeAfter } from "./line.js"
import type { Screen, ScreenListener } from "./typed-lines.js"

// xterm's "Bracketed Paste Mode": what is pasted comes between ESC[200~ and ESC[201~.
const PASTES_BRACKETED = "\x1b[?2004h"
const PASTES_PLAIN = "\x1b[?2004l"

const HISTORY_MAX = 200
const COLUMNS_DEFAULT = 80
const BELL = "\x07"

/** A line at the bottom of the screen that is edited while others are printed above it. */
export function openLineEditor(terminal: Terminal, listener: ScreenListener): Screen {
  return new LineEditor(terminal, listener)
}

type RawInput = Terminal["input"] & { setRawMode?: (raw: boolean) => unknown }

class LineEditor implements Screen {
  readonly isInteractive = true
  readonly #input: RawInput
  readonly #output: Terminal["output"]
  readonly #listener: ScreenListener
  readonly #line: Line
  #prompt = "> "
  /** What is pasted at the moment; `undefined`: nothing. */
  #pasted: string[] | undefined
  #history: (readonly Cell[])[] = []
  /** Which of them is shown; the length is the line that has not been entered. */
  #historyPlace = 0
  #draft: readonly Cell[] = []
  #killed = ""
  /** Of the cursor, below the beginning of the prompt. */
  #row = 0
  #afterReturn = false
  #isClosed = false

  constructor({ input, output, glyphs }: Terminal, listener: ScreenListener) {
    this.#input = input
    this.#output = output
    this.#listener = listener
    this.#line = new Line({ newline: glyphs.newline, isAscii: glyphs.isAscii })
    emitKeypressEvents(input)
    input.on("keypress", this.#press)
    input.on("end", this.#end)
    output.on("resize", this.#resize)
    process.on("SIGCONT", this.#continue)
    // Also when the program ends by a fault.
    process.on("exit", this.#restore)
    this.#takeOver()
    input.resume()
    this.#draw()
  }

  print(text: string): void {
    if (this.#isClosed) return void this.#output.write(`${text}\n`)
    this.#erase()
    this.#output.write(`${text}\n`)
    this.#draw()
  }

  setPrompt(prompt: string): void {
    if (this.#isClosed || prompt === this.#prompt) return
    this.#erase()
    this.#prompt = prompt
    this.#draw()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#moveToEnd()
    this.#output.write("\n")
    this.#restore()
    this.#input.pause()
    this.#input.off("keypress", this.#press)
    this.#input.off("end", this.#end)
    this.#output.off("resize", this.#resize)
    process.off("SIGCONT", this.#continue)
    process.off("exit", this.#restore)
    this.#listener.end()
  }

  readonly #end = () => this.close()
  readonly #takeOver = () => {
    this.#input.setRawMode?.(true)
    this.#output.write(PASTES_BRACKETED)
  }
  readonly #restore = () => {
    this.#output.write(PASTES_PLAIN)
    this.#input.setRawMode?.(false)
  }
  readonly #continue = () => {
    this.#takeOver()
    this.#row = 0
    this.#draw()
  }
  /** A terminal that becomes narrower or wider wraps the line anew. */
  readonly #resize = () => {
    this.#row = this.#placeOf(this.#line.cursor).row
    this.#redraw()
  }

  // --- Keys ------------------------------------------------------------------------------------------------------------

  readonly #press = (typed: string | undefined, key: Key) => {
    if (this.#isClosed) return
    if (this.#pasted !== undefined) return this.#collect(key)
    const { name = "", ctrl = false, meta = false } = key
    const isPair = name === "enter" && this.#afterReturn
    this.#afterReturn = name === "return"
    if (isPair) return
    const action = actions[`${ctrl ? "ctrl-" : ""}${meta ? "meta-" : ""}${name}`]
    if (action !== undefined) return this.#act(action)
    if (name === "paste-start") {
      this.#pasted = []
      return
    }
    // Every other key that is no text does nothing.
    if (typed === undefined || ctrl || meta || /^[\p{Cc}]/u.test(typed)) return
    this.#type(typed)
  }

  #type(typed: string): void {
    const line = this.#line
    const before = line.cells
    line.type(typed)
    const isAppended =
      line.cursor === before.length + 1 && line.cells.length === line.cursor && before.at(-1) === line.cells.at(-2)
    const { row, column } = this.#placeOf(line.cursor)
    // As long as nothing has to be drawn again, a character costs a character.
    if (isAppended && column > 0 && line.cells.at(-1)!.width > 0) {
      this.#output.write(line.cells.at(-1)!.shown)
      this.#row = row
    } else this.#redraw()
  }

  #collect({ name, sequence = "" }: Key): void {
    if (name !== "paste-end") return void this.#pasted!.push(sequence)
    this.#line.paste(this.#pasted!.join(""))
    this.#pasted = undefined
    this.#redraw()
  }

  #act(action: Action): void {
    const line = this.#line
    const end = line.cells.length
    switch (action) {
      case "enter":
        this.#enter()
        return
      case "end":
        if (end === 0) {
          this.close()
          return
        }
        line.remove(line.cursor, Math.min(end, line.cursor + 1))
        break
      case "interrupt":
        // As a shell does: the line is given up.
        if (end === 0) {
          this.close()
          return
        }
        line.set([])
        this.#historyPlace = this.#history.length
        break
      case "suspend":
        this.#suspend()
        return
      case "clear":
        cursorTo(this.#output, 0, 0)
        clearScreenDown(this.#output)
        this.#row = 0
        this.#draw()
        return
      case "complete":
        this.#complete()
        return
      case "left":
        line.cursor = Math.max(0, line.cursor - 1)
        break
      case "right":
        line.cursor = Math.min(end, line.cursor + 1)
        break
      case "home":
        line.cursor = 0
        break
      case "last":
        line.cursor = end
        break
      case "wordLeft":
        line.cursor = line.wordBefore()
        break
      case "wordRight":
        line.cursor = line.wordAfter()
        break
      case "backspace":
        line.remove(Math.max(0, line.cursor - 1), line.cursor)
        break
      case "delete":
        line.remove(line.cursor, Math.min(end, line.cursor + 1))
        break
      case "killBefore":
        this.#killed = line.remove(0, line.cursor)
        break
      case "killAfter":
        this.#killed = line.remove(line.cursor, end)
        break
      case "killWordBefore":
        this.#killed = line.remove(line.wordBefore(), line.cursor)
        break
      case "killWordAfter":
        this.#killed = line.remove(line.cursor, line.wordAfter())
        break
      case "yank":
        line.paste(this.#killed)
        break
      case "older":
        this.#recall(this.#historyPlace - 1)
        break
      case "newer":
        this.#recall(this.#historyPlace + 1)
        break
    }
    this.#redraw()
  }

  #enter(): void {
    const { cells, text, beginsPasted } = this.#line
    this.#moveToEnd()
    this.#output.write("\n")
    if (text.trim() !== "") {
      this.#history = [...this.#history.filter((it) => textOf(it) !== text), cells].slice(-HISTORY_MAX)
    }
    this.#historyPlace = this.#history.length
    this.#line.set([])
    this.#row = 0
    this.#draw()
    this.#listener.line(text, beginsPasted)
  }

  #recall(place: number): void {
    if (place < 0 || place > this.#history.length) return
    if (this.#historyPlace === this.#history.length) this.#draft = this.#line.cells
    this.#historyPlace = place
    this.#line.set(this.#history[place] ?? this.#draft)
  }

  #complete(): void {
    const typed = this.#line.textBeforeCursor
    const candidates = this.#listener.complete(typed)
    const added = commonBeginning(candidates).slice(typed.length)
    if (added !== "") {
      this.#line.type(added)
      this.#redraw()
    } else if (candidates.length > 1) {
      const beginning = typed.lastIndexOf(" ") + 1
      this.print(candidates.map((candidate) => candidate.slice(beginning).trimEnd()).join("  "))
    } else this.#output.write(BELL)
  }

  #suspend(): void {
    if (process.platform === "win32") return
    this.#moveToEnd()
    this.#output.write("\n")
    this.#restore()
    process.kill(process.pid, "SIGTSTP")
  }

  // --- The screen ------------------------------------------------------------------------------------------------------

  get #columns(): number {
    return this.#output.columns || COLUMNS_DEFAULT
  }

  #placeOf(cursor: number) {
    const prompt = graphemesOf(stripVTControlCharacters(this.#prompt)).map(widthOf)
    const cells = this.#line.cells.slice(0, cursor).flatMap(({ shown, width }) => {
      return width <= 2 ? [width] : graphemesOf(shown).map(widthOf)
    })
    return placeAfter([...prompt, ...cells], this.#columns)
  }

  #redraw(): void {
    this.#erase()
    this.#draw()
  }

  #erase(): void {
    moveCursor(this.#output, 0, -this.#row)
    cursorTo(this.#output, 0)
    clearScreenDown(this.#output)
    this.#row = 0
  }

  /** From the beginning of a row that is empty, as is all below it. */
  #draw(): void {
    const { cells, cursor } = this.#line
    const end = this.#placeOf(cells.length)
    const at = this.#placeOf(cursor)
    this.#output.write(this.#prompt + cells.map(({ shown }) => shown).join(""))
    // A full row is left only by the next character.
    if (end.column === 0 && end.row > 0) this.#output.write(" ")
    moveCursor(this.#output, 0, at.row - end.row)
    cursorTo(this.#output, at.column)
    this.#row = at.row
  }

  #moveToEnd(): void {
    const end = this.#placeOf(this.#line.cells.length)
    moveCursor(this.#output, 0, end.row - this.#row)
    cursorTo(this.#output, end.column)
    this.#row = end.row
  }
}

const textOf = (cells: readonly Cell[]) => cells.map(({ text }) => text).join("")

function commonBeginning([first = "", ...others]: readonly string[]): string {
  let length = first.length
  for (const other of others) while (!other.startsWith(first.slice(0, length))) length--
  return first.slice(0, length)
}

type Action =
  | ("enter" | "end" | "interrupt" | "suspend" | "clear" | "complete" | "left" | "right" | "home" | "last")
  | ("wordLeft" | "wordRight" | "backspace" | "delete" | "killBefore" | "killAfter" | "killWordBefore")
  | ("killWordAfter" | "yank" | "older" | "newer")

/** As in readline(3). */
const actions: Readonly<Record<string, Action>> = {
  return: "enter",
  enter: "enter",
  "ctrl-d": "end",
  "ctrl-c": "interrupt",
  "ctrl-z": "suspend",
  "ctrl-l": "clear",
  tab: "complete",
  left: "left",
  "ctrl-b": "left",
  right: "right",
  "ctrl-f": "right",
  home: "home",
  "ctrl-a": "home",
  end: "last",
  "ctrl-e": "last",
  "ctrl-left": "wordLeft",
  "meta-left": "wordLeft",
  "meta-b": "wordLeft",
  "ctrl-right": "wordRight",
  "meta-right": "wordRight",
  "meta-f": "wordRight",
  backspace: "backspace",
  "ctrl-h": "backspace",
  delete: "delete",
  "ctrl-u": "killBefore",
  "ctrl-k": "killAfter",
  "ctrl-w": "killWordBefore",
  "meta-backspace": "killWordBefore",
  "meta-d": "killWordAfter",
  "ctrl-y": "yank",
  up: "older",
  "ctrl-p": "older",
  down: "newer",
  "ctrl-n": "newer",
}
