import assert from "node:assert/strict"
import { PassThrough } from "node:stream"
import { describe, it } from "node:test"
import { openScreen, type Screen } from "../src/chat/screen.js"
import { glyphsFor, styleFor } from "../src/terminal/style.js"
import type { Terminal } from "../src/terminal/terminal.js"

const COLUMNS = 40

const ESCAPE = "\x1b"
const sequences = new RegExp(`${ESCAPE}\\[([\\d;]*)([A-Za-z])|[\\s\\S]`, "gu")

/** As much of a terminal as a line editor uses: the cursor, and erasing what is below it. */
class Emulator extends PassThrough {
  readonly isTTY = true
  readonly columns = COLUMNS
  readonly rows: string[][] = [[]]
  row = 0
  column = 0

  constructor() {
    super()
    this.setEncoding("utf8")
    this.on("data", (text: string) => this.#show(text))
  }

  get lines(): readonly string[] {
    return this.rows.map((cells) => cells.join("").trimEnd())
  }

  #show(text: string): void {
    for (const [piece, parameters, command] of text.matchAll(sequences)) {
      if (command === undefined) this.#write(piece)
      else this.#control(command, Number(parameters || 1))
    }
  }

  #write(character: string): void {
    if (character === "\r") this.column = 0
    else if (character === "\n") this.#down()
    else {
      if (this.column === COLUMNS) this.#down()
      this.rows[this.row]![this.column++] = character
    }
  }

  #down(): void {
    this.row++
    this.column = 0
    this.rows[this.row] ??= []
  }

  #control(command: string, count: number): void {
    if (command === "A") this.row = Math.max(0, this.row - count)
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
  type(text: string): Promise<void>
}

function open(): Opened {
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => {} })
  const emulator = new Emulator()
  const entered: string[] = []
  const environment = { TERM: "xterm" }
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
    line: (text) => void entered.push(text),
    end: () => {},
    complete: (typed) => ["/members ", "/remove "].filter((word) => word.startsWith(typed)),
  })
  const type = async (text: string) => {
    input.write(text)
    await settle()
  }
  return { screen, emulator, entered, type, [Symbol.dispose]: () => screen.close() }
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
