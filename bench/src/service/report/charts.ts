import { figure, type Latencies, type Measurement, type Series, withUnit } from "../results.js"
import { escaped } from "./text.js"

/** Of every chart, in its own units: on a phone one of them is about a pixel. */
const WIDTH = 400
const HEIGHT = 190
const PLOT = { left: 46, right: 8, top: 30, bottom: 26 }
const [INNER_WIDTH, INNER_HEIGHT] = [WIDTH - PLOT.left - PLOT.right, HEIGHT - PLOT.top - PLOT.bottom]
const BINS = 48

/** How many took how long: milliseconds by their logarithm. */
export function latencyChart(latencies: Latencies, before: Latencies | undefined): string {
  const all = [latencies, ...(before === undefined ? [] : [before])]
  const low = Math.min(...all.map(({ buckets }) => Math.max(0.01, buckets[0]?.[0] ?? 0.01)))
  const high = Math.max(low * 1.5, ...all.map(({ max }) => max))
  const placeOf = (milliseconds: number) =>
    Math.log(Math.max(low, Math.min(high, milliseconds)) / low) / Math.log(high / low)
  const x = (milliseconds: number) => PLOT.left + placeOf(milliseconds) * INNER_WIDTH
  const [bins, binsBefore] = [latencies, before].map((it) => it && binned(it, placeOf))
  const top = Math.max(...bins!, ...(binsBefore ?? []))
  const y = (share: number) => PLOT.top + INNER_HEIGHT * (1 - share / top)
  const step = INNER_WIDTH / BINS
  const bars = bins!.map((share, bin) =>
    share === 0
      ? ""
      : `<rect class="bar" x="${at(PLOT.left + bin * step)}" y="${at(y(share))}" width="${at(step - 0.6)}" height="${at(PLOT.top + INNER_HEIGHT - y(share))}"/>`,
  )
  const outline = binsBefore?.flatMap((share, bin) =>
    [0, 1].map((end) => `${at(PLOT.left + (bin + end) * step)},${at(y(share))}`),
  )
  const marks = [
    ["p50", latencies.p50],
    ["p99", latencies.p99],
  ] as const
  const lines = marks.map(([name, milliseconds], index) => {
    const place = x(milliseconds)
    const isRight = place > WIDTH / 2
    return (
      `<line class="mark" x1="${at(place)}" x2="${at(place)}" y1="${PLOT.top - 2}" y2="${PLOT.top + INNER_HEIGHT}"/>` +
      `<text class="strong" x="${at(place + (isRight ? 3 : -3))}" y="${index === 0 ? 11 : 24}" text-anchor="${isRight ? "end" : "start"}">` +
      `${name} ${timeText(milliseconds)}</text>`
    )
  })
  const ticks = decades(low, high).map((milliseconds) => tick(x(milliseconds), timeText(milliseconds)))
  return chart(`Latencies: ${latencies.what}`, [
    axis(),
    ...ticks,
    ...bars,
    outline === undefined ? "" : `<polyline class="before" points="${outline.join(" ")}"/>`,
    ...lines,
    `<text x="${PLOT.left - 4}" y="${PLOT.top + 8}" text-anchor="end">${figure(top * 100)} %</text>`,
  ])
}

const timeText = (milliseconds: number) =>
  milliseconds < 1000 ? withUnit(milliseconds, "ms") : withUnit(milliseconds / 1000, "s")

/** Of each bin its share of all. */
function binned({ buckets, count }: Latencies, placeOf: (milliseconds: number) => number): number[] {
  const bins = new Array<number>(BINS).fill(0)
  for (const [upper, number] of buckets) {
    bins[Math.min(BINS - 1, Math.floor(placeOf(upper) * BINS))]! += number / count
  }
  return bins
}

/** Values of 1, 10, 100; with 2 and 5 between where there is room. */
function decades(low: number, high: number): number[] {
  const steps = high / low > 200 ? [1] : high / low > 20 ? [1, 3] : [1, 2, 5]
  const values: number[] = []
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const step of steps) values.push(Number((step * 10 ** power).toPrecision(1)))
  }
  return values.filter((value) => value >= low && value <= high)
}

/** Throughput over time, second by second. The last second is not a whole one, and is left out. */
export function seriesChart({ what, perSecond }: Series, before: Series | undefined): string {
  const [now, then] = [perSecond, before?.perSecond ?? []].map((values) =>
    values.length > 2 ? values.slice(0, -1) : values,
  )
  const seconds = Math.max(2, now!.length, then!.length)
  const top = niceAbove(Math.max(1, ...now!, ...then!))
  const x = (second: number) => PLOT.left + (second / (seconds - 1)) * INNER_WIDTH
  const y = (value: number) => PLOT.top + INNER_HEIGHT * (1 - value / top)
  const points = (values: readonly number[]) => values.map((value, second) => `${at(x(second))},${at(y(value))}`)
  const floor = PLOT.top + INNER_HEIGHT
  const line = points(now!)
  const area = [`${at(x(0))},${floor}`, ...line, `${at(x(now!.length - 1))},${floor}`]
  const every = Math.max(1, Math.ceil(seconds / 6))
  const ticks = Array.from({ length: seconds }, (_, second) => second).filter((second) => second % every === 0)
  return chart(`Over time: ${what}`, [
    ...[top / 2, top].map(
      (value) =>
        `<line class="grid" x1="${PLOT.left}" x2="${WIDTH - PLOT.right}" y1="${at(y(value))}" y2="${at(y(value))}"/>` +
        `<text x="${PLOT.left - 4}" y="${at(y(value) + 4)}" text-anchor="end">${short(value)}</text>`,
    ),
    axis(),
    ...ticks.map((second) => tick(x(second), `${second} s`)),
    `<polygon class="area" points="${area.join(" ")}"/>`,
    `<polyline class="line" points="${line.join(" ")}"/>`,
    then!.length > 0 ? `<polyline class="before" points="${points(then!).join(" ")}"/>` : "",
  ])
}

/** A ratio and its goal on one scale. */
export function ratioBar({ ratio, goal }: Measurement): string {
  if (ratio === undefined || goal === undefined) return ""
  const wanted = "atLeast" in goal ? goal.atLeast : goal.atMost
  const scale = Math.max(wanted * 1.6, ratio)
  const [length, mark] = [(100 * ratio) / scale, (100 * wanted) / scale]
  return (
    `<svg class="ratio" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">` +
    `<rect class="bar" x="0" y="2.5" width="${at(length)}" height="5"/>` +
    `<line class="mark" x1="${at(mark)}" x2="${at(mark)}" y1="0" y2="10"/></svg>`
  )
}

const at = (value: number) => `${Number(value.toFixed(1))}`
const short = (value: number) => (value >= 10_000 ? `${figure(value / 1000)}k` : figure(value))

function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 4, 5, 8, 10].find((step) => step * power >= value)! * power
}

const axis = () =>
  `<line class="axis" x1="${PLOT.left}" x2="${WIDTH - PLOT.right}" y1="${PLOT.top + INNER_HEIGHT}" y2="${PLOT.top + INNER_HEIGHT}"/>`

function tick(x: number, label: string): string {
  const anchor = x > WIDTH - 30 ? "end" : x < PLOT.left + 10 ? "start" : "middle"
  return `<text x="${at(x)}" y="${HEIGHT - 10}" text-anchor="${anchor}">${escaped(label)}</text>`
}

const chart = (title: string, parts: readonly string[]) =>
  `<figure><figcaption>${escaped(title)}</figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">${parts.join("")}</svg></figure>`
