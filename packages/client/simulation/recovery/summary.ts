import type { Phase, Recovered } from "./run.js"
import type { Restarted } from "./stopped.js"

/** In seconds, by the number of members: the most that is wanted. */
const goalOf = (size: number) => (size <= 50 ? 90 : 180)

/** A table of one size: virtual seconds until everybody has sent and received a message of each other. */
export function report(size: number, all: readonly Recovered[]): string {
  const phases = [0, 1].map((at) => all.map(({ phases: of }) => of[at]!))
  const sum = (of: (it: Recovered) => number) => all.reduce((total, it) => total + of(it), 0)
  return [
    head(size, all),
    phaseRow("when it happens, since the first follower is online", phases[0]!, ({ sinceFollower }) => sinceFollower),
    phaseRow("a week later, since the first follower is online", phases[1]!, ({ sinceFollower }) => sinceFollower),
    phaseRow("a week later, since the last one is online", phases[1]!, ({ sinceLast }) => sinceLast),
    `  could not follow: ${span(phases[0]!)} at once, ${span(phases[1]!)} a week later`,
    `  ${sum(({ messages }) => messages)} messages, ${sum(({ commits }) => commits)} commits; lost: ${sum(({ lost }) => lost.length)}; sent while the receiver was out: ${sum(({ missed }) => missed)}`,
  ].join("\n")
}

/** The same where the group was stopped, in the conversation that continues it. */
export function reportStopped(size: number, all: readonly Restarted[]): string {
  const sum = (of: (it: Restarted) => number) => all.reduce((total, it) => total + of(it), 0)
  const { online, back } = all[0]!
  return [
    head(size, all),
    row(
      "when it happens, since the click",
      all.map(({ sinceClick }) => sinceClick),
    ),
    row(
      "a week later, since each who comes back is online",
      all.flatMap(({ sinceBack }) => sinceBack),
    ),
    row(
      "a week later, since the last one is online",
      all.map(({ sinceLast }) => sinceLast),
    ),
    `  stopped: ${online} at once, ${back} a week later`,
    `  ${sum(({ messages }) => messages)} messages, ${sum(({ commits }) => commits)} commits; lost: ${sum(({ lost }) => lost.length)}; wrong: ${sum(({ wrong }) => wrong.length)}`,
  ].join("\n")
}

function head(size: number, all: readonly unknown[]): string {
  return `${size} members, ${all.length} seeds, goal ${goalOf(size)} s`
}

function phaseRow(what: string, phases: readonly Phase[], of: (phase: Phase) => number | undefined): string {
  const able = phases.filter(({ followers }) => followers > 0)
  const nobody = phases.length - able.length
  return row(what, able.map(of)) + (nobody > 0 ? `; nobody who follows was there: ${nobody}` : "")
}

/** `all`: milliseconds, or `undefined` where it did not happen. */
function row(what: string, all: readonly (number | undefined)[]): string {
  const times = all.flatMap((time) => time ?? []).sort((a, b) => a - b)
  const at = (share: number) =>
    ((times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0) / 1000).toFixed(1)
  const never = all.length - times.length
  const rest = never > 0 ? `, ${never} NEVER` : ""
  return `  ${what}: median ${at(0.5)} s, p99 ${at(0.99)} s, worst ${at(1)} s${rest}`
}

function span(phases: readonly Phase[]): string {
  const counts = phases.map(({ stuck }) => stuck).sort((a, b) => a - b)
  return `${counts[0]} to ${counts.at(-1)} of ${phases[0]!.online}`
}
