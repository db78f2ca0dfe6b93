import type { Glyphs } from "./style.js"
import { widthOf } from "./width.js"

/** Lines of cells, the columns as wide as their widest cell; colours do not count. */
export function align(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, widthOf(cell))
  }
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : pad(cell, widths[column]!, "left")))
      .join("  ")
      .trimEnd(),
  )
}

/** Of a terminal, unless somebody has made it wider. */
const WIDTH = 80

/** Rows of a term and its explanation, which goes on beneath itself where it does not fit into 80 columns. */
export function alignTerms(rows: readonly (readonly [string, string])[]): string[] {
  const indent = 2 + Math.max(...rows.map(([term]) => widthOf(term)))
  return rows.flatMap(([term, explanation]) =>
    wrap(explanation, WIDTH - indent).map((line, at) =>
      `${pad(at === 0 ? term : "", indent, "left")}${line}`.trimEnd(),
    ),
  )
}

/** A paragraph in lines of at most 80 columns, or `width`. */
export function wrap(paragraph: string, width = WIDTH): string[] {
  const lines = [""]
  for (const word of paragraph.split(" ")) {
    const line = lines.at(-1)!
    if (line !== "" && widthOf(line) + widthOf(word) + 1 > width) lines.push(word)
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`
  }
  return lines
}

export interface Column {
  readonly title: string
  readonly width: number
  readonly align?: "left" | "right"
}

/** A row of a table that is printed while it grows: its widths are known beforehand. */
export function tableRow(columns: readonly Column[], cells: readonly string[]): string {
  return columns
    .map(({ width, align: side = "left" }, at) => pad(cells[at] ?? "", width, side))
    .join("  ")
    .trimEnd()
}

export function tableHead(columns: readonly Column[], { rule }: Pick<Glyphs, "rule">): string[] {
  const titles = columns.map(({ title }) => title)
  return [tableRow(columns, titles), columns.map(({ width }) => rule.repeat(width)).join("  ")]
}

function pad(cell: string, width: number, side: "left" | "right"): string {
  const space = " ".repeat(Math.max(0, width - widthOf(cell)))
  return side === "left" ? cell + space : space + cell
}
