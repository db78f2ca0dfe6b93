import type { TraceReport } from "./trace.js"
import { kinds, moment, span, verdict } from "./words.js"

/** The report for a terminal: a verdict, and a line for each link. */
export function formatTrace(report: TraceReport): string {
  const header = [
    "what",
    "identifier",
    "connections",
    "addresses",
    "first seen (UTC)",
    "last seen (UTC)",
    "tracked for",
  ]
  const rows = report.links.map((link) => [
    kinds[link.kind].name +
      (link.values.length > 1 && link.kind === "cookie" ? ` (chain of ${link.values.length})` : ""),
    link.identifier,
    String(link.connections.length),
    String(link.addresses.length),
    moment(link.firstSeen),
    moment(link.lastSeen),
    span(link.trackingMilliseconds),
  ])
  return [
    verdict(report),
    ...(rows.length > 0 ? ["", ...align([header, ...rows])] : []),
    "",
    `${report.packets} packets, ${report.connections.length} connections, of which ${report.carriers.cookies} carry a Fast Open cookie and ${report.carriers.tickets} a TLS ticket in the clear.`,
    ...(report.cutOff === undefined ? [] : [`The capture was not read to its end: ${report.cutOff}.`]),
    ...(report.dropped === 0 ? [] : [`${report.dropped} further connections were not looked at.`]),
  ].join("\n")
}

function align(rows: readonly string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  )
}
