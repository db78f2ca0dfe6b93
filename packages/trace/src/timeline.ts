import type { Connection } from "./connections.js"
import type { Link, LinkKind } from "./links.js"
import { timelineStyle } from "./timeline-style.js"
import type { TraceReport } from "./trace.js"
import { counted, ends, gaps, kinds, moment, span, verdict } from "./words.js"

const LANES_MAX = 200
const DOTS_MAX = 400
const ADDRESS_COLOURS = 6
const REASONS_MAX = 20

/** The report as one HTML page that needs nothing else: no script, no font, no network. */
export function renderTimeline(report: TraceReport, title = "What links these connections"): string {
  const axis = new Axis(report.connections)
  const addresses = [...new Set(report.connections.map(({ client }) => client))]
  const view: View = { report, axis, colourOf: (address) => addresses.indexOf(address) % ADDRESS_COLOURS }
  const identified = report.links.filter((link) => link.kind !== "address")
  // What was found comes first; where nothing was, the page begins with the reason.
  const isLinked = report.conclusion === "linked"
  const addressed = report.links.filter((link) => link.kind === "address")
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${timelineStyle}</style>
</head>
<body>
<main>
<header class="${report.conclusion}">
<p class="kicker">${escapeHtml(title)}</p>
<h1>${escapeHtml(verdict(report))}</h1>
${figures(report, identified)}
</header>
${isLinked ? "" : notRead(report)}
${everyConnection(view, legend(addresses))}
${identified.length > 0 ? "<h2>What ties them together</h2>" : ""}
${cards(identified, view)}
${addressed.length > 0 ? "<h2>What everybody on the path sees anyway</h2>" : ""}
${cards(addressed, view)}
${isLinked ? notRead(report) : ""}
${details(report)}
</main>
</body>
</html>
`
}

interface View {
  readonly report: TraceReport
  readonly axis: Axis
  colourOf(address: string): number
}

class Axis {
  readonly first: number
  readonly last: number

  constructor(connections: readonly Connection[]) {
    this.first = connections.reduce((least, { start }) => Math.min(least, start), Number.POSITIVE_INFINITY)
    this.last = connections.reduce((most, { start }) => Math.max(most, start), this.first)
  }

  /** Percent of the width. */
  place(time: number): string {
    const length = this.last - this.first
    return (length > 0 ? ((time - this.first) / length) * 100 : 50).toFixed(2)
  }
}

function figures(
  { connections, conclusion, packets, unreadPackets }: TraceReport,
  identified: readonly Link[],
): string {
  const longest = identified.reduce((most, link) => Math.max(most, link.trackingMilliseconds), 0)
  const addresses = new Set(connections.map(({ client }) => client)).size
  const tied = new Set(identified.flatMap((link) => link.connections)).size
  if (connections.length === 0) return ""
  const cells: [string, string][] = [
    [String(connections.length), connections.length === 1 ? "connection" : "connections"],
    [String(addresses), addresses === 1 ? "client address" : "client addresses"],
    // A figure of nothing would read as an all-clear.
    ...(conclusion === "unclear"
      ? [[`${unreadPackets} of ${packets}`, "packets not read"] as [string, string]]
      : ([
          [String(tied), "tied to others by more than an address"],
          [longest > 0 ? span(longest) : "none", "longest tracking"],
        ] as [string, string][])),
  ]
  return `<dl>${cells.map(([value, name]) => `<div><dd>${escapeHtml(value)}</dd><dt>${name}</dt></div>`).join("")}</dl>`
}

function notRead(report: TraceReport): string {
  const { packets, unread, unreadPackets, connections } = report
  const shown = unread.slice(0, REASONS_MAX)
  const more = unread.length - shown.length
  const reasons = shown.map(
    ({ reason, packets: count }) =>
      `<li><b>${count}</b><span>${escapeHtml(reason)}</span><i class="share"><i style="width:${((count / packets) * 100).toFixed(2)}%"></i></i></li>`,
  )
  const list =
    reasons.length === 0
      ? ""
      : `<p>${unreadPackets} of ${counted(packets, "packet")} could not be read. A link in them is not on this page.</p>
<ul class="reasons">${reasons.join("")}</ul>${more > 0 ? `<p class="note">and ${counted(more, "more reason")}</p>` : ""}`
  const cut = connections.filter(({ optionsCutOff }) => optionsCutOff)
  const syns = cut.slice(0, REASONS_MAX).map((one) => `<li>${escapeHtml(ends(one))}: SYN, options cut off</li>`)
  const notes = gaps(report).map((gap) => `<p>${escapeHtml(gap)}</p>`)
  if (list === "" && notes.length === 0) return ""
  return `<section class="card unread"><h2>What was not read</h2>
${list}${notes.join("")}${syns.length > 0 ? `<ul class="syns">${syns.join("")}</ul>` : ""}${cut.length > REASONS_MAX ? `<p class="note">and ${cut.length - REASONS_MAX} more</p>` : ""}
</section>`
}

function legend(addresses: readonly string[]): string {
  if (addresses.length === 0) return ""
  const shown = addresses.slice(0, ADDRESS_COLOURS)
  const more = addresses.length - shown.length
  return `<ul class="legend" aria-label="Addresses">${shown
    .map((address, n) => `<li><i class="c${n}"></i>${escapeHtml(address)}</li>`)
    .join("")}${more > 0 ? `<li>and ${more} more</li>` : ""}</ul>`
}

/** One card for each kind of link, one row for each link. */
function cards(links: readonly Link[], view: View): string {
  const present = [...new Set(links.map((link) => link.kind))]
  return present
    .map((kind) =>
      card(
        kind,
        links.filter((link) => link.kind === kind),
        view,
      ),
    )
    .join("\n")
}

function card(kind: LinkKind, links: readonly Link[], view: View): string {
  const shown = links.slice(0, LANES_MAX)
  const more = links.length - shown.length
  return `<article class="card">
<h3>${escapeHtml(kinds[kind].name)}</h3><p class="note">${escapeHtml(kinds[kind].why)}</p>
${shown.map((link) => lane(link, view)).join("\n")}${more > 0 ? `<p class="note">and ${more} more</p>` : ""}
</article>`
}

function lane(link: Link, { report, axis, colourOf }: View): string {
  const from = axis.place(link.firstSeen)
  const to = (100 - Number(axis.place(link.lastSeen))).toFixed(2)
  const replaced = link.values.length - 1
  const chain = link.kind === "cookie" && replaced > 0 ? ` and ${replaced} that replaced it` : ""
  const moved = link.addresses.length > 1 ? `, <b>${link.addresses.length} addresses</b>` : ""
  const dots = link.connections.slice(0, DOTS_MAX).map((id) => dot(report.connections[id]!, axis, colourOf))
  return `<div class="lane"><p><code title="${escapeHtml(link.values.slice(0, 20).join(" → "))}">${escapeHtml(link.identifier)}</code>${chain}
<span class="count">${link.connections.length} connections in ${escapeHtml(span(link.trackingMilliseconds))}${moved}</span></p>
<div class="track"><i class="line" style="left:${from}%;right:${to}%"></i>${dots.join("")}</div></div>`
}

function dot(connection: Connection, axis: Axis, colourOf: (address: string) => number): string {
  const { client, start } = connection
  const words = `${ends(connection)}, ${moment(start)}`
  return `<i class="dot c${colourOf(client)}" style="left:${axis.place(start)}%" title="${escapeHtml(words)}"></i>`
}

function everyConnection({ report, axis, colourOf }: View, key: string): string {
  if (report.connections.length === 0) return ""
  const dots = report.connections.slice(0, DOTS_MAX).map((connection) => dot(connection, axis, colourOf))
  return `<section class="card"><h3>Connections over time</h3><p class="note">Each mark is a connection, in the colour of the address it came from.</p>
<div class="track">${dots.join("")}</div>${scale(axis)}${key}</section>`
}

function scale({ first, last }: Axis): string {
  if (first === last || !Number.isFinite(first)) return ""
  return `<p class="scale"><span>${escapeHtml(moment(first))}</span><span>+ ${escapeHtml(span(last - first))}</span></p>`
}

function details(report: TraceReport): string {
  const rows = report.links
    .slice(0, LANES_MAX)
    .map(
      (link) =>
        `<tr><td>${escapeHtml(kinds[link.kind].name)}</td><td><code>${escapeHtml(link.identifier)}</code></td><td>${link.connections.length}</td><td>${link.addresses.map(escapeHtml).join("<br>")}</td><td>${escapeHtml(moment(link.firstSeen))}</td><td>${escapeHtml(moment(link.lastSeen))}</td><td>${escapeHtml(span(link.trackingMilliseconds))}</td></tr>`,
    )
  const table =
    rows.length === 0
      ? ""
      : `<div class="scroll"><table><thead><tr><th>What</th><th>Identifier</th><th>Connections</th><th>Addresses</th><th>First seen</th><th>Last seen</th><th>Tracked for</th></tr></thead><tbody>${rows.join("")}</tbody></table></div>`
  const copies = report.duplicates === 0 ? "" : ` (and ${counted(report.duplicates, "copy", "copies")})`
  const note = `<p class="note">${counted(report.packets, "packet")}${copies}; ${report.carriers.cookies} connections carry a Fast Open cookie, ${report.carriers.tickets} a TLS ticket, ${report.carriers.timestamps} TCP timestamps. Times are UTC.</p>`
  return table === "" ? note : `<details><summary>All links as a table</summary>${table}${note}</details>`
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }
  return text.replace(/[&<>"]/g, (character) => entities[character]!)
}
