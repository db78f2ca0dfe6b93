import assert from "node:assert/strict"
import { PassThrough } from "node:stream"
import { describe, it } from "node:test"
import { openScreen, type Screen } from "../src/chat/screen.js"
import { glyphsFor, styleFor } from "../src/terminal/style.js"
import { align, wrap } from "../src/terminal/table.js"
import type { Terminal } from "../src/terminal/terminal.js"
import { fitted, graphemesOf, widthOf } from "../src/terminal/width.js"

const COLUMNS = 40

const ESCAPE = "\x1b"
const sequences = new RegExp(`${ESCAPE}\\[([\\d;?]*)([A-Za-z])|[^${ESCAPE}]+`, "gu")

/** As much of a terminal as a line editor uses: the cursor, and erasing what is below it. */
class Emulator extends PassThrough {
  readonly isTTY = true
  readonly columns = COLUMNS
  readonly rows: string[][] = [[]]
  row = 0
  column = 0
  /** Private modes that are on: 2004 is that pastes are bracketed. */
  readonly modes = new Set<string>()

  constructor() {
    super()
    this.setEncoding("utf8")
    this.on("data", (text: string) => this.#show(text))
  }

  get lines(): readonly string[] {
    return this.rows.map((cells) =>
      [...cells]
        .map((cell) => cell ?? " ")
        .join("")
        .trimEnd(),
    )
  }

  #show(text: string): void {
    for (const [piece, parameters = "", command] of text.matchAll(sequences)) {
      if (command === undefined) for (const grapheme of graphemesOf(piece)) this.#write(grapheme)
      else if (command === "h") this.modes.add(parameters)
      else if (command === "l") this.modes.delete(parameters)
      else this.#control(command, Number(parameters || 1))
    }
  }

  /** A wide character takes two cells, and is never in two rows. */
  #write(grapheme: string): void {
    if (grapheme === "\r") this.column = 0
    else if (grapheme === "\n" || grapheme === "\r\n") this.#down()
    else {
      const width = widthOf(grapheme)
      if (this.column + width > COLUMNS) this.#down()
      this.rows[this.row]![this.column] = grapheme
      if (width === 2) this.rows[this.row]![this.column + 1] = ""
      this.column += width
    }
  }

  #down(): void {
    this.row++
    this.column = 0
    this.rows[this.row] ??= []
  }

  #control(command: string, count: number): void {
    if (command === "A") this.row = Math.max(0, this.row - count)
    else if (command === "B") this.row += count
    else if (command === "C") this.column += count
    else if (command === "D") this.column = Math.max(0, this.column - count)
    else if (command === "G") this.column = count - 1
    else if (command === "J") {
      this.rows[this.row]!.length = Math.min(this.rows[this.row]!.length, this.column)
      this.rows.length = this.row + 1
    } else if (command === "K") this.rows[this.row]!.length = Math.min(this.rows[this.row]!.length, this.column)
    else assert.fail(`an unknown sequence ${command}`)
  }
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 20))

interface Opened extends Disposable {
  readonly screen: Screen
  readonly emulator: Emulator
  readonly entered: string[]
  /** Of those, which begin with what was pasted. */
  readonly pasted: string[]
  type(text: string): Promise<void>
}

function open(given: NodeJS.ProcessEnv = {}): Opened {
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => {} })
  const emulator = new Emulator()
  const entered: string[] = []
  const pasted: string[] = []
  const environment = { TERM: "xterm", ...given }
  const terminal: Terminal = {
    input,
    output: emulator,
    errors: emulator,
    environment,
    style: styleFor(false, environment),
    errorStyle: styleFor(false, environment),
    glyphs: glyphsFor(environment, "linux"),
    write: async () => {},
    tell: () => {},
  }
  const screen = openScreen(terminal, {
    line: (text, beginsPasted) => {
      entered.push(text)
      if (beginsPasted) pasted.push(text)
    },
    end: () => {},
    complete: (typed) => ["/members ", "/remove "].filter((word) => word.startsWith(typed)),
  })
  const type = async (text: string) => {
    input.write(text)
    await settle()
  }
  return { screen, emulator, entered, pasted, type, [Symbol.dispose]: () => screen.close() }
}

describe("a message that arrives while somebody types", () => {
  it("is printed above, and the typed line stays, with its cursor", async () => {
    using opened = open()
    const { screen, emulator, type, entered } = opened
    await type("hello wrld")
    await type("\x1b[D\x1b[D\x1b[D")
    screen.print("09:05 bob: hi")
    await settle()
    assert.deepEqual(emulator.lines, ["09:05 bob: hi", "> hello wrld"])
    await type("o")
    screen.setPrompt("team> ")
    await settle()
    assert.equal(emulator.lines[1], "team> hello world")
    await type("\r")
    assert.deepEqual(entered, ["hello world"])
  })

  it("does so too when the line is longer than the screen is wide, typed or pasted", async () => {
    for (const isPasted of [false, true]) {
      using opened = open()
      const { screen, emulator, type, entered } = opened
      const line = "a line of so many words that it needs three rows of this narrow screen, at the least"
      for (const part of isPasted ? [line] : line) await type(part)
      await type("\x1b[D\x1b[D")
      for (const text of ["one", "two\nthree"]) screen.print(text)
      await settle()
      assert.deepEqual(emulator.lines.slice(0, 3), ["one", "two", "three"])
      assert.equal(emulator.lines.slice(3).join(" ").replace(/\s+/g, ""), `>${line}`.replace(/\s+/g, ""))
      await type("!")
      await type("\r")
      assert.deepEqual(entered, [`${line.slice(0, -2)}!${line.slice(-2)}`])
    }
  })

  it("leaves completion and giving up a line to the one who types", async () => {
    using opened = open()
    const { emulator, type, entered } = opened
    await type("/mem\t")
    assert.equal(emulator.lines.at(-1), "> /members")
    await type("\x03")
    assert.equal(emulator.lines.at(-1), ">")
    await type("again\r")
    assert.deepEqual(entered, ["again"])
  })
})

const paste = (text: string) => `\x1b[200~${text}\x1b[201~`

describe("what is pasted", () => {
  it("is one line until it is entered, whatever lines and commands it has", async () => {
    using opened = open()
    const { emulator, type, entered, pasted } = opened
    await type(paste("one\r/remove bob\r\nthree\n"))
    assert.equal(emulator.lines.at(-1), "> one↵/remove bob↵three↵")
    assert.deepEqual(entered, [])
    await type("\r")
    assert.deepEqual(entered, ["one\n/remove bob\nthree\n"])
    assert.deepEqual(pasted, entered)
  })

  it("is no command by itself, and the rest of one that was typed", async () => {
    using opened = open()
    const { type, entered, pasted } = opened
    await type(`${paste("/leave")}\r`)
    await type("/title ")
    await type(`${paste("our team")}\r`)
    assert.deepEqual(entered, ["/leave", "/title our team"])
    assert.deepEqual(pasted, ["/leave"])
    await type("\x1b[A\x1b[A\r")
    assert.deepEqual(pasted, ["/leave", "/leave"], "neither when it comes out of the history")
  })

  it("shows control characters as pictures, and cannot move the cursor", async () => {
    using opened = open()
    const { emulator, type, entered } = opened
    await type(paste("a\x1b[2Jb\x07\tc\x03\u202ed"))
    assert.equal(emulator.lines.at(-1), "> a␛[2Jb␇␉c␃\ufffdd")
    await type("\r")
    assert.deepEqual(entered, ["a\x1b[2Jb\x07\tc\x03\u202ed"])
    using plain = open({ LANG: "C" })
    await plain.type(paste("a\n\x1bb"))
    assert.equal(plain.emulator.lines.at(-1), "> a\\n^[b")
  })

  it("is folded where it is long, and deleted as a whole", async () => {
    using opened = open()
    const { emulator, type, entered } = opened
    const block = Array.from({ length: 300 }, (_, at) => `line ${at}`).join("\n")
    await type("see ")
    await type(paste(block))
    assert.equal(emulator.lines.slice(-2).join(""), "> see [line 0 line 1 line 2 lin… 300 lines]")
    await type("!\r")
    assert.deepEqual(entered, [`see ${block}!`])
    await type(paste(block))
    await type("\x7fx\r")
    assert.deepEqual(entered.slice(1), ["x"])
  })

  it("comes in brackets as long as the line is edited", async () => {
    const { screen, emulator } = open()
    await settle()
    assert.deepEqual([...emulator.modes], ["?2004"])
    screen.close()
    await settle()
    assert.deepEqual([...emulator.modes], [])
  })
})

describe("characters of other widths than one", () => {
  it("are passed and deleted as a reader sees them", async () => {
    using opened = open()
    const { emulator, type, entered } = opened
    const family = "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}"
    await type(`日本${family}e\u0301x`)
    assert.equal(emulator.column, 2 + 2 + 2 + 2 + 1 + 1)
    for (const column of [9, 8, 6, 4, 2, 2]) {
      await type("\x1b[D")
      assert.equal(emulator.column, column)
    }
    await type("\x1b[C!")
    assert.equal(emulator.lines.at(-1), `> 日!本${family}e\u0301x`)
    await type("\x05\x7f\x7f\x7f")
    assert.equal(emulator.lines.at(-1), "> 日!本")
    await type("\r")
    assert.deepEqual(entered, ["日!本"])
  })

  it("are never in two rows, and the cursor knows", async () => {
    using opened = open()
    const { screen, emulator, type, entered } = opened
    const line = `a${"語".repeat(40)}`
    await type(line)
    // 3 + 18 * 2 columns, 20 * 2 columns, and 2 * 2.
    assert.deepEqual([emulator.row, emulator.column], [2, 4])
    screen.print("one")
    await settle()
    assert.deepEqual(emulator.lines, ["one", `> a${"語".repeat(18)}`, "語".repeat(20), "語語"])
    await type("\x01b\x05\x7f")
    assert.deepEqual(emulator.lines, ["one", `> ba${"語".repeat(18)}`, "語".repeat(20), "語"])
    await type("\r")
    assert.deepEqual(entered, [`b${line.slice(0, -1)}`])
  })

  it("are aligned in tables", () => {
    const rows = align([
      ["日本", "|"],
      ["\u{1f468}\u200d\u{1f469}\u200d\u{1f467}", "|"],
      ["e\u0301a", "|"],
      [styleFor(true, {}).red("abcd"), "|"],
    ])
    for (const row of rows) assert.equal(widthOf(row.slice(0, row.indexOf("|"))), 6, row)
    assert.equal(fitted("日本語です", 7), "日本語…")
    assert.equal(fitted("short", 5), "short")
    assert.deepEqual(wrap("日本 語で す", 6), ["日本", "語で", "す"])
  })
})
