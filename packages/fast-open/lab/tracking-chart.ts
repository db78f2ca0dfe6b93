import type { Link, TraceReport } from "@conclave/trace"
import type { Sighting } from "./tracking.js"

const WIDTH = 720
const MARGIN = 24
const PANEL_HEIGHT = 108
const FIRST_X = 28
const STEP = 104
const TRACK_Y = 52
const ADDRESS_SHAPES = 2

/**
 * A panel for each situation: connections from left to right, in the shape and colour of the address that they came
 * from, with the beginning of the identifier beneath; a line joins what an observer ties together. SVG, light and dark.
 */
export function trackingChart(sightings: readonly Sighting[]): string {
  const height = sightings.length * PANEL_HEIGHT + 8
  const panels = sightings.map((sighting, n) => panel(sighting, n * PANEL_HEIGHT))
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${-MARGIN} ${-MARGIN / 2} ${WIDTH + 2 * MARGIN} ${height + MARGIN}" width="${WIDTH + 2 * MARGIN}" height="${height + MARGIN}" role="img" aria-label="What an observer ties together, in ${sightings.length} situations">
<style>text{font:14px system-ui,sans-serif;fill:#1d1c1a}.name{font-weight:600}.quiet{fill:#66625c;font-size:12px}.id{font:12px ui-monospace,monospace;text-anchor:middle}.says{text-anchor:end}.rule{stroke:#e3dfd8}.tie{stroke:#a8330f;stroke-width:3;stroke-linecap:round}.linked{fill:#a8330f}.a0{fill:#0072b2}.a1{fill:#d55e00}
@media(prefers-color-scheme:dark){text{fill:#efece6}.quiet{fill:#a49f96}.rule{stroke:#35322d}.tie{stroke:#ff9a70}.linked{fill:#ff9a70}.a0{fill:#56b4e9}.a1{fill:#ffb000}}</style>
${panels.join("\n")}
</svg>
`
}

function panel({ situation, report }: Sighting, top: number): string {
  const { connections } = report
  const order = [...connections].sort((a, b) => a.start - b.start)
  const placeOf = new Map(order.map(({ id }, n) => [id, FIRST_X + n * STEP]))
  const addresses = [...new Set(order.map(({ client }) => client))]
  const y = top + TRACK_Y
  const ties = report.links
    .filter(({ kind }) => kind !== "address")
    .map(({ connections: ids }) => {
      const places = ids.map((id) => placeOf.get(id)!)
      return `<line class="tie" x1="${Math.min(...places)}" y1="${y}" x2="${Math.max(...places)}" y2="${y}"/>`
    })
  const marks = order.map((connection) => {
    const x = placeOf.get(connection.id)!
    return `${mark(addresses.indexOf(connection.client), x, y)}<text class="id quiet" x="${x}" y="${y + 26}">${identifierOf(connection)}</text>`
  })
  const rule = top === 0 ? "" : `<line class="rule" x1="0" y1="${top}" x2="${WIDTH}" y2="${top}"/>\n`
  return `${rule}<text class="name" x="0" y="${top + 24}">${situation}</text>
<text class="says ${ties.length > 0 ? "linked" : "quiet"}" x="${WIDTH}" y="${top + 24}">${says(report)}</text>
${ties.join("")}${marks.join("")}
<text class="quiet" x="0" y="${y + 46}">${addresses.map((address, n) => `${n === 0 ? "round" : "square"}: from ${address}`).join("; ")}</text>`
}

function mark(address: number, x: number, y: number): string {
  const shape = address % ADDRESS_SHAPES
  return shape === 0
    ? `<circle class="a0" cx="${x}" cy="${y}" r="8"/>`
    : `<rect class="a1" x="${x - 8}" y="${y - 8}" width="16" height="16"/>`
}

const SHOWN = 8

/** What the client sends in the clear; the first connection only asks for a cookie, and is given one. */
function identifierOf({ cookieSent, cookieGiven, resumption }: TraceReport["connections"][number]): string {
  const psk = resumption?.pskIdentities[0]
  if (psk !== undefined) return `…${psk.toString("hex").slice(-SHOWN)}`
  if (cookieSent !== undefined) return cookieSent.toString("hex").slice(0, SHOWN)
  return cookieGiven === undefined ? "nothing" : "asks"
}

const kindNames: Partial<Record<Link["kind"], string>> = { cookie: "cookies", psk: "TLS tickets", ports: "ports" }

function says({ connections, clients, links }: TraceReport): string {
  const identified = links.filter(({ kind }) => kind !== "address")
  if (identified.length === 0) return "only the address links them"
  const tied = new Set(identified.flatMap(({ connections: ids }) => ids)).size
  const groups = clients.filter(({ length }) => length > 1).length
  const kinds = [...new Set(identified.map(({ kind }) => kindNames[kind] ?? kind))].join(" and ")
  return `${tied} of ${connections.length} tied by ${kinds}${groups > 1 ? `, in ${groups} groups` : ""}`
}
