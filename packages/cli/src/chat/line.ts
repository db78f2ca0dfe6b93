import { printableLine } from "../terminal/printable.js"
import { graphemesOf, widthOf } from "../terminal/width.js"
import { words } from "../words/words.js"

/** What the cursor passes in one step: a grapheme, or a pasted block that is too long to be shown. */
export interface Cell {
  readonly text: string
  /** Printable, in one line. */
  readonly shown: string
  readonly width: number
  readonly isPasted: boolean
}

/** What stands for characters that have no place in a line. */
export interface LineGlyphs {
  readonly newline: string
  readonly isAscii: boolean
}

/** Characters of a pasted block that are shown one by one. */
const PASTE_SHOWN_MAX = 200
/** Of a longer one, columns of its first line. */
const PASTE_BEGINNING = 24

/** A line that is edited: its cells, and a cursor between two of them. */
export class Line {
  readonly #glyphs: LineGlyphs
  #cells: readonly Cell[] = []
  /** 0 to the number of cells. */
  cursor = 0

  constructor(glyphs: LineGlyphs) {
    this.#glyphs = glyphs
  }

  get cells(): readonly Cell[] {
    return this.#cells
  }

  get text(): string {
    return textOf(this.#cells)
  }

  get textBeforeCursor(): string {
    return textOf(this.#cells.slice(0, this.cursor))
  }

  /** Whether what the line begins with was pasted: it is no command then, whatever it says. */
  get beginsPasted(): boolean {
    return this.#cells[0]?.isPasted === true
  }

  set(cells: readonly Cell[]): void {
    this.#cells = cells
    this.cursor = cells.length
  }

  /** Marks and joiners go to the grapheme before the cursor. */
  type(text: string): void {
    const before = this.#cells[this.cursor - 1]
    const isJoinable = before !== undefined && before.text === before.shown && !before.isPasted
    const graphemes = graphemesOf((isJoinable ? before.text : "") + text)
    // The cell before stays what it is where nothing joins it.
    const isJoined = isJoinable && graphemes[0] !== before.text
    const cells = (isJoinable && !isJoined ? graphemes.slice(1) : graphemes).map((it) => this.#cell(it, false))
    this.#replace(isJoined ? this.cursor - 1 : this.cursor, this.cursor, cells)
  }

  paste(pasted: string): void {
    const text = pasted.replace(/\r\n?/g, "\n")
    if (text === "") return
    const graphemes = graphemesOf(text)
    const cells =
      graphemes.length > PASTE_SHOWN_MAX
        ? [this.#block(text, graphemes.length)]
        : graphemes.map((grapheme) => this.#cell(grapheme, true))
    this.#replace(this.cursor, this.cursor, cells)
  }

  /** Takes the cells between two places away and gives their text. */
  remove(from: number, to: number): string {
    const removed = textOf(this.#cells.slice(from, to))
    this.#replace(from, to, [])
    return removed
  }

  /** The place before the word that ends at the cursor, or before it. */
  wordBefore(): number {
    let place = this.cursor
    while (place > 0 && !isWord(this.#cells[place - 1]!)) place--
    while (place > 0 && isWord(this.#cells[place - 1]!)) place--
    return place
  }

  wordAfter(): number {
    let place = this.cursor
    while (place < this.#cells.length && !isWord(this.#cells[place]!)) place++
    while (place < this.#cells.length && isWord(this.#cells[place]!)) place++
    return place
  }

  #replace(from: number, to: number, cells: readonly Cell[]): void {
    this.#cells = [...this.#cells.slice(0, from), ...cells, ...this.#cells.slice(to)]
    this.cursor = from + cells.length
  }

  #cell(text: string, isPasted: boolean): Cell {
    const shown = this.#shown(text)
    return { text, shown, width: widthOf(shown), isPasted }
  }

  #shown(text: string): string {
    if (text === "\n") return this.#glyphs.newline
    if (!/^\p{Cc}/u.test(text)) return printableLine(text)
    const code = text.charCodeAt(0)
    if (!this.#glyphs.isAscii && code < 0x80) return code === 0x7f ? "\u2421" : String.fromCharCode(0x2400 + code)
    // ^A to ^_, ^? for delete, and ? for the controls above ASCII.
    return code < 0x80 ? `^${String.fromCharCode(code ^ 0x40)}` : "?"
  }

  #block(text: string, characters: number): Cell {
    const lines = text.replace(/\n+$/, "").split("\n").length
    const beginning = graphemesOf(printableLine(text.trimStart()).slice(0, 10 * PASTE_BEGINNING))
      .slice(0, PASTE_BEGINNING)
      .join("")
    const size = lines === 1 ? words().chat.characters(characters) : words().chat.lines(lines)
    const shown = `[${beginning}${this.#glyphs.isAscii ? "..." : "…"} ${size}]`
    return { text, shown, width: widthOf(shown), isPasted: true }
  }
}

const textOf = (cells: readonly Cell[]) => cells.map(({ text }) => text).join("")
const isWord = ({ text }: Cell) => /[\p{L}\p{N}\p{M}_]/u.test(text)

/** A place on the screen, from where the prompt begins: 0 is the first row, and the first column. */
export interface ScreenPlace {
  readonly row: number
  readonly column: number
}

/** Where a terminal of so many columns has its cursor after those widths, which it wraps: a wide character never in two. */
export function placeAfter(widths: readonly number[], columns: number): ScreenPlace {
  let row = 0
  let column = 0
  for (const width of widths) {
    if (column + width > columns) {
      row++
      column = 0
    }
    column += width
  }
  return column >= columns ? { row: row + Math.floor(column / columns), column: column % columns } : { row, column }
}
