/** Colours are told apart by people who see no red or no green (Okabe and Ito), on light and on dark ground. */
export const timelineStyle = `
:root { color-scheme: light dark; --ground: #fbfaf8; --card: #fff; --ink: #1d1c1a; --quiet: #66625c; --rule: #e3dfd8;
  --alarm: #a8330f; --calm: #12664f; --doubt: #7a5200; --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #cc79a7; --c4: #b58900; --c5: #6a51a3 }
@media (prefers-color-scheme: dark) { :root { --ground: #161513; --card: #201f1c; --ink: #efece6; --quiet: #a49f96;
  --rule: #35322d; --alarm: #ff9a70; --calm: #6fd3b0; --doubt: #f0c674; --c0: #56b4e9; --c1: #ff8a3c; --c2: #2fd3a4; --c3: #e79ac6; --c4: #f0c93a; --c5: #b39df0 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }
header { border-left: .35rem solid var(--calm); padding: .2rem 0 .2rem 1rem; margin-bottom: 1.25rem }
header.linked { border-color: var(--alarm) }
header.unclear { border-color: var(--doubt) }
.kicker { margin: 0; color: var(--quiet); font-size: .9rem }
h1 { font-size: clamp(1.35rem, 4.5vw, 2rem); line-height: 1.2; margin: .25rem 0 1rem; text-wrap: balance; color: var(--calm) }
.linked h1 { color: var(--alarm) }
.unclear h1 { color: var(--doubt) }
h2 { font-size: 1.15rem; margin: 1.75rem 0 .6rem }
h3 { font-size: 1rem; font-weight: 600; margin: 0; overflow-wrap: anywhere }
code { font: .85em ui-monospace, monospace; background: var(--ground); border: 1px solid var(--rule); border-radius: .25rem; padding: .05rem .3rem }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem; margin: 0 }
dl div { display: flex; flex-direction: column }
dd { margin: 0; font-size: 1.5rem; font-weight: 650; line-height: 1.15; font-variant-numeric: tabular-nums }
dt, .note, .count, .scale { color: var(--quiet); font-size: .875rem }
.note { margin: 0 }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: .6rem; padding: .8rem 1rem; margin: 0 0 .75rem }
.unread { border-left: .35rem solid var(--doubt) }
.unread h2 { margin: 0 0 .3rem; font-size: 1rem; color: var(--doubt) }
.unread p { margin: 0 0 .3rem; font-size: .9375rem }
.reasons, .syns { list-style: none; margin: .5rem 0; padding: 0; font-size: .9375rem; overflow-wrap: anywhere }
.reasons li { display: grid; grid-template-columns: minmax(1.5rem, max-content) 1fr 25%; gap: .75rem; align-items: center; padding: .2rem 0; border-top: 1px solid var(--rule) }
.reasons b { text-align: right; font-variant-numeric: tabular-nums }
.share { height: .5rem; border-radius: .25rem; background: var(--rule); overflow: hidden }
.share i { display: block; height: 100%; background: var(--doubt) }
.lane { border-top: 1px solid var(--rule); margin-top: .7rem; padding-top: .6rem }
.lane p { margin: 0; font-size: .9375rem; display: flex; flex-wrap: wrap; gap: .1rem .4rem; align-items: baseline }
.count { margin-left: auto }
.count b { color: var(--alarm) }
.legend { list-style: none; padding: .5rem 0 0; margin: 0; display: flex; flex-wrap: wrap; gap: .3rem 1rem; font-size: .875rem }
.legend i { display: inline-block; width: .5rem; height: 1rem; border-radius: .25rem; margin-right: .4rem; background: currentColor; vertical-align: -.15rem }
.track { position: relative; height: 2rem; margin: .1rem .25rem }
.line { position: absolute; top: 50%; height: .3rem; margin-top: -.15rem; border-radius: .15rem; background: var(--quiet); opacity: .4 }
.dot { position: absolute; top: 50%; width: .5rem; height: 1.2rem; margin: -.6rem 0 0 -.25rem; border-radius: .25rem; background: currentColor; box-shadow: 0 0 0 1px var(--card) }
.scale { display: flex; justify-content: space-between; gap: 1rem; margin: 0; font-variant-numeric: tabular-nums }
details { margin-top: 2rem }
summary { cursor: pointer; font-weight: 600; padding: .5rem 0 }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: .875rem; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--rule); white-space: nowrap }
.c0 { color: var(--c0) } .c1 { color: var(--c1) } .c2 { color: var(--c2) } .c3 { color: var(--c3) } .c4 { color: var(--c4) } .c5 { color: var(--c5) }
`
