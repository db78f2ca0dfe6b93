import { figure, goalText, isMet, type Measurement, type Outcome, type Run, withUnit } from "../results.js"
import { latencyChart, ratioBar, seriesChart } from "./charts.js"
import { STYLE } from "./style.js"
import { escaped } from "./text.js"

/** One page that holds everything it shows. `before`: an earlier run, to compare with. */
export function reportPage(run: Run, before: Run | undefined): string {
  const sections = run.outcomes.map((outcome) => section(outcome, before))
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Conclave: the service under load</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>The service under load</h1>
<p class="about">${escaped(run.machine)}<br>${escaped(day(run.at))}${run.isQuick ? "; a quick run, whose figures say little" : ""}${
    before === undefined ? "" : `; compared with ${escaped(day(before.at))}, whose lines are dashed`
  }</p>
</header>
<main>
${goals(run, before)}
${sections.join("\n")}
</main>
</body>
</html>
`
}

const day = (at: string) => `${at.slice(0, 10)} ${at.slice(11, 16)} UTC`

/** What of a run is looked for by its words. */
interface Found {
  readonly measurement: Measurement
  readonly earlier: Measurement | undefined
}

function found(outcome: Outcome, before: Run | undefined): Found[] {
  const earlier = earlierOf(outcome, before)?.measurements
  return outcome.measurements.map((measurement) => ({
    measurement,
    earlier: earlier?.find(({ what }) => what === measurement.what),
  }))
}

const earlierOf = (outcome: Outcome, before: Run | undefined) =>
  before?.outcomes.find(({ name }) => name === outcome.name)

/** All goals at a glance. */
function goals(run: Run, before: Run | undefined): string {
  const judged = run.outcomes.flatMap((outcome) =>
    found(outcome, before)
      .filter(({ measurement }) => measurement.goal !== undefined)
      .map((it) => ({ ...it, outcome })),
  )
  if (judged.length === 0) return ""
  const met = judged.filter(({ measurement }) => isMet(measurement)).length
  const items = judged.map(({ measurement, earlier, outcome }) => {
    const { value, unit, ratio, goal } = measurement
    const mark = isMet(measurement) ? "met" : "missed"
    const was = earlier === undefined ? "" : `<span class="was">, was ${judgedText(earlier)}</span>`
    const href = `#${escaped(outcome.name)}`
    const now = `<b>${ratio === undefined ? withUnit(value, unit) : ratio.toFixed(2)}</b>, goal ${goalText(goal!)}`
    return `<li class="${mark}"><div><a href="${href}">${escaped(measurement.what)}</a><span class="verdict">${mark}</span></div>
<div><span>${now}${was}</span><small>${escaped(outcome.name)}</small></div>${ratioBar(measurement)}</li>`
  })
  return `<section class="goals"><h2>Goals <small>${met} of ${judged.length} met</small></h2>
<ul>${items.join("\n")}</ul></section>`
}

const judgedText = ({ ratio, value, unit }: Measurement) =>
  ratio === undefined ? withUnit(value, unit) : ratio.toFixed(2)

function section(outcome: Outcome, before: Run | undefined): string {
  const { name, title, latencies, series, notes, seconds, load } = outcome
  const earlier = earlierOf(outcome, before)
  const charts = [
    ...latencies.map((it) =>
      latencyChart(
        it,
        earlier?.latencies.find(({ what }) => what === it.what),
      ),
    ),
    ...series.map((it) =>
      seriesChart(
        it,
        earlier?.series.find(({ what }) => what === it.what),
      ),
    ),
  ]
  return `<section id="${escaped(name)}">
<h2>${escaped(title)}</h2>
<p class="about">${escaped(name)}, ${seconds.toFixed(0)} s, load of the machine ${load[0].toFixed(1)} to ${load[1].toFixed(1)}</p>
${table(found(outcome, before))}
${charts.length === 0 ? "" : `<div class="charts">${charts.join("\n")}</div>`}
${notes.map((note) => `<p class="note">${escaped(note)}</p>`).join("\n")}
</section>`
}

function table(rows: readonly Found[]): string {
  if (rows.length === 0) return ""
  const isCompared = rows.some(({ measurement }) => measurement.beside !== undefined)
  const hasBefore = rows.some(({ earlier }) => earlier !== undefined)
  const head = [
    "",
    "measured",
    ...(isCompared ? ["beside", "ratio", "goal"] : ["goal"]),
    ...(hasBefore ? ["before"] : []),
  ]
  const body = rows.map(({ measurement, earlier }) => {
    const { what, value, unit, spread, beside, ratio, goal } = measurement
    const met = isMet(measurement)
    const range = spread === undefined || spread[0] === spread[1] ? "" : `${figure(spread[0])} to ${figure(spread[1])}`
    const cells = [
      cell("measured", `<b>${withUnit(value, unit)}</b>${range === "" ? "" : ` <small>${range}</small>`}`),
      ...(isCompared
        ? [
            cell(
              "beside",
              beside === undefined ? "" : `${withUnit(beside.value, unit)} <small>${escaped(beside.what)}</small>`,
            ),
            cell("ratio", ratio === undefined ? "" : ratio.toFixed(2)),
          ]
        : []),
      cell(
        "goal",
        goal === undefined
          ? ""
          : `<span class="${met ? "met" : "missed"}">${goalText(goal)} ${met ? "met" : "missed"}</span>`,
      ),
      ...(hasBefore ? [cell("before", earlier === undefined ? "" : beforeText(measurement, earlier))] : []),
    ]
    return `<tr><th scope="row">${escaped(what)}</th>${cells.join("")}</tr>`
  })
  return `<table><thead><tr>${head.map((it) => `<th scope="col">${it}</th>`).join("")}</tr></thead>
<tbody>${body.join("\n")}</tbody></table>`
}

/** A cell without content is left out where rows are cards. */
const cell = (label: string, content: string) =>
  content === "" ? `<td class="empty"></td>` : `<td data-label="${label}">${content}</td>`

function beforeText(now: Measurement, then: Measurement): string {
  const change = then.value === 0 ? "" : ` <small>${percent(now.value / then.value - 1)}</small>`
  const ratio = then.ratio === undefined ? "" : ` <small>ratio ${then.ratio.toFixed(2)}</small>`
  return `${withUnit(then.value, then.unit)}${change}${ratio}`
}

const percent = (share: number) => `${share < 0 ? "" : "+"}${(100 * share).toFixed(0)} %`
