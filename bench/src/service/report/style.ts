/** Of the page: light and dark, and rows as cards where there is no room for a table. */
export const STYLE = `
:root { color-scheme: light dark; --text: #1c2430; --soft: #5b6675; --ground: #fbfaf8; --card: #fff; --line: #dfe2e6;
  --bar: #3f6fb5; --area: #3f6fb52e; --good: #1b7a43; --bad: #b3451d; --mark: #1c2430; --before: #c2792b; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ee; --soft: #9aa5b4; --ground: #14181e; --card: #1b2129;
  --line: #303845; --bar: #7aa7e8; --area: #7aa7e833; --good: #63c98d; --bad: #f0936b; --mark: #f2f4f7; --before: #e2a356; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
header, main { max-width: 64rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 2rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 0 0 .2rem; }
h2 small { color: var(--soft); font-weight: 400; margin-left: .4rem; }
small { color: var(--soft); font-size: .82em; }
.about, .note { color: var(--soft); font-size: .88rem; margin: .2rem 0 .8rem; }
.note { max-width: 48rem; margin: .7rem 0 0; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem 1.1rem 1.1rem;
  margin: 1rem 0; }
.goals ul { list-style: none; margin: .6rem 0 0; padding: 0; display: grid; gap: .7rem 1.6rem;
  grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); }
.goals li { font-size: .92rem; border-top: 1px solid var(--line); padding-top: .5rem; }
.goals a { color: inherit; font-weight: 600; text-decoration: none; }
.goals a:hover { text-decoration: underline; }
.goals div { display: flex; justify-content: space-between; gap: .8rem; align-items: baseline; }
.goals small { white-space: nowrap; }
.verdict { font-weight: 600; }
.was { color: var(--soft); }
.met .verdict, span.met { color: var(--good); }
.missed .verdict, span.missed { color: var(--bad); }
.ratio { display: block; width: 100%; height: .7rem; margin-top: .3rem; }
.missed .ratio .bar { fill: var(--bad); }
.met .ratio .bar { fill: var(--good); }
table { width: 100%; border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .4rem .5rem; border-bottom: 1px solid var(--line); vertical-align: baseline; }
th[scope=row] { text-align: left; font-weight: 500; padding-left: 0; }
thead th { color: var(--soft); font-weight: 500; font-size: .82rem; }
td:last-child, thead th:last-child { padding-right: 0; }
td small { display: block; }
.charts { display: grid; gap: 1rem 2rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr));
  margin-top: 1.2rem; }
figure { margin: 0; max-width: 34rem; }
figcaption { font-size: .88rem; font-weight: 600; margin-bottom: .2rem; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
svg .strong { fill: var(--text); font-weight: 600; }
svg .bar { fill: var(--bar); }
svg .area { fill: var(--area); }
svg .line { fill: none; stroke: var(--bar); stroke-width: 2; }
svg .before { fill: none; stroke: var(--before); stroke-width: 1.5; stroke-dasharray: 4 3; }
svg .axis { stroke: var(--soft); }
svg .grid { stroke: var(--line); }
svg .mark { stroke: var(--mark); stroke-dasharray: 2 2; }
.ratio .mark { stroke-dasharray: none; stroke-width: 1.2; }
@media (max-width: 40rem) {
  section { padding: .9rem; }
  thead { display: none; }
  tr { display: grid; grid-template-columns: 1fr auto; border-bottom: 1px solid var(--line); padding: .5rem 0; }
  th[scope=row] { padding: 0 0 .1rem; border: 0; font-weight: 600; }
  td { display: contents; }
  td.empty { display: none; }
  td[data-label] { display: block; grid-column: 1 / -1; border: 0; padding: .05rem 0; text-align: right; }
  td[data-label=measured] { grid-column: 2; grid-row: 1; padding-left: .8rem; }
  td[data-label]::before { content: attr(data-label); float: left; color: var(--soft); }
  td[data-label=measured]::before { content: none; }
  td small { display: inline; }
  td[data-label=measured] small { display: block; }
}
`
