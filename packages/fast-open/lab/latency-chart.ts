import type { LatencyRow } from "./latency.js"

const WIDTH = 720
const LABEL_WIDTH = 250
/** Room for labels that a font makes wider than we think. */
const MARGIN = 24
const BAR_HEIGHT = 20
const ROW_HEIGHT = 30
const GROUP_GAP = 46

/** Bars for the time until the reply is back, its first part until the request is at the server: SVG, light and dark. */
export function latencyChart(rows: readonly LatencyRow[]): string {
  const roundTrips = [...new Set(rows.map((row) => row.roundTripMilliseconds))]
  const scale = (WIDTH - LABEL_WIDTH - 60) / Math.max(...rows.map((row) => row.replyMilliseconds))
  let top = 34
  const groups = roundTrips.map((trip) => {
    const members = rows.filter((row) => row.roundTripMilliseconds === trip)
    const group = [
      `<text x="0" y="${top}" class="trip">round trip ${trip} ms</text>`,
      ...members.map((row, n) => bar(row, top + 10 + n * ROW_HEIGHT, scale)),
    ]
    top += members.length * ROW_HEIGHT + GROUP_GAP
    return group.join("\n")
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${-MARGIN} ${-MARGIN} ${WIDTH + 2 * MARGIN} ${top + MARGIN}" width="${WIDTH + 2 * MARGIN}" height="${top + MARGIN}" role="img" aria-label="Milliseconds until a request is at the server and its reply is back">
<style>text{font:14px system-ui,sans-serif;fill:#1d1c1a}.trip{font-weight:600}.way{text-anchor:end}.to{fill:#9db8cc}.back{fill:#5b87a8}.ours .to{fill:#e8a27c}.ours .back{fill:#c9541c}
@media(prefers-color-scheme:dark){text{fill:#efece6}.to{fill:#4f6d82}.back{fill:#7ba7c7}.ours .to{fill:#a8532a}.ours .back{fill:#ff8a4c}}</style>
<text x="${LABEL_WIDTH}" y="14">until the request is at the server, until the reply is back (ms)</text>
${groups.join("\n")}
</svg>
`
}

function bar({ way, requestMilliseconds, replyMilliseconds }: LatencyRow, y: number, scale: number): string {
  const [there, back] = [requestMilliseconds * scale, replyMilliseconds * scale]
  const middle = y + BAR_HEIGHT - 5
  return `<g${way.startsWith("sealed") ? ' class="ours"' : ""}><text x="${LABEL_WIDTH - 8}" y="${middle}" class="way">${way.replace("TCP Fast Open", "Fast Open")}</text>
<rect class="back" x="${LABEL_WIDTH}" y="${y}" width="${back.toFixed(1)}" height="${BAR_HEIGHT}"/><rect class="to" x="${LABEL_WIDTH}" y="${y}" width="${there.toFixed(1)}" height="${BAR_HEIGHT}"/>
<text x="${(LABEL_WIDTH + back + 6).toFixed(1)}" y="${middle}">${replyMilliseconds.toFixed(0)}</text></g>`
}
