import type { TraceReport } from "./trace.js"
import { counted, ends, gaps, kinds, moment, span, verdict } from "./words.js"

const WIDTH = 80
const REASONS_SHOWN_MAX = 12
const SYNS_SHOWN_MAX = 10

/** The report for a terminal of 80 columns: a verdict, a line for each link, and what was not read. */
export function formatTrace(report: TraceReport): string {
  const paragraphs = [wrap(verdict(report)), linkLines(report), unreadLines(report), gapLines(report), summary(report)]
  return paragraphs
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")
}

function linkLines({ links }: TraceReport): string[] {
  if (links.length === 0) return []
  const header = ["what", "identifier", "connections", "addresses", "tracked for"]
  const rows = links.map((link) => [
    kinds[link.kind].name,
    link.identifier,
    String(link.connections.length),
    String(link.addresses.length),
    span(link.trackingMilliseconds),
  ])
  const [head, ...lines] = align([header, ...rows]) as [string, ...string[]]
  return [
    head,
    ...lines.flatMap((line, n) => {
      const { kind, values } = links[n]!
      const isChain = kind === "cookie" && values.length > 1
      return isChain ? [line, `  and ${counted(values.length - 1, "cookie")} that replaced it`] : [line]
    }),
  ]
}

function unreadLines({ packets, unread, unreadPackets }: TraceReport): string[] {
  if (unread.length === 0) return []
  const shown = unread.slice(0, REASONS_SHOWN_MAX)
  const more = unread.length - shown.length
  const width = String(shown[0]!.packets).length
  return [
    `Not read: ${unreadPackets} of ${counted(packets, "packet")}`,
    ...shown.map(({ reason, packets: count }) => `  ${String(count).padStart(width)}  ${reason}`),
    ...(more > 0 ? [`  and ${counted(more, "more reason")}`] : []),
  ]
}

function gapLines(report: TraceReport): string[] {
  const cut = report.connections.filter(({ optionsCutOff }) => optionsCutOff)
  const shown = cut.slice(0, SYNS_SHOWN_MAX)
  const more = cut.length - shown.length
  return [
    ...gaps(report).flatMap((gap) => wrap(gap)),
    ...shown.map((connection) => `  ${ends(connection)}: SYN, options cut off`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ]
}

function summary({ packets, duplicates, connections, carriers }: TraceReport): string[] {
  if (packets === 0) return []
  const copies = duplicates === 0 ? "" : ` (and ${counted(duplicates, "copy", "copies")})`
  const first = connections.reduce((least, { start }) => Math.min(least, start), Number.POSITIVE_INFINITY)
  const last = connections.reduce((most, { start }) => Math.max(most, start), Number.NEGATIVE_INFINITY)
  const all = `${counted(packets, "packet")}${copies}, ${counted(connections.length, "connection")}`
  if (connections.length === 0) return wrap(`${all}.`)
  return [
    ...wrap(
      `${all}, of which ${carriers.cookies} carry a Fast Open cookie and ${carriers.tickets} a TLS ticket in the clear.`,
    ),
    `From ${moment(first)} to ${moment(last)}, UTC.`,
  ]
}

function align(rows: readonly string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    row
      .map((cell, column) => (isNumber(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join("  ")
      .trimEnd(),
  )
}

/** Columns of numbers are set to the right. */
const isNumber = (column: number) => column === 2 || column === 3

function wrap(paragraph: string): string[] {
  const lines = [""]
  for (const word of paragraph.split(" ")) {
    const line = lines.at(-1)!
    if (line !== "" && line.length + 1 + word.length > WIDTH) lines.push(word)
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`
  }
  return lines
}
