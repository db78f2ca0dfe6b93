import type { Phase, Recovered } from "./run.js"

/** In seconds, by the number of members: the most that is wanted. */
const goalOf = (size: number) => (size <= 50 ? 90 : 180)

/** A table of one size: virtual seconds until everybody has sent and received a message of each other. */
export function report(size: number, all: readonly Recovered[]): string {
  const phases = [0, 1].map((at) => all.map(({ phases: of }) => of[at]!))
  const sum = (of: (it: Recovered) => number) => all.reduce((total, it) => total + of(it), 0)
  return [
    `${size} members, ${all.length} seeds, goal ${goalOf(size)} s`,
    row("when it happens, since the first follower is online", phases[0]!, ({ sinceFollower }) => sinceFollower),
    row("a week later, since the first follower is online", phases[1]!, ({ sinceFollower }) => sinceFollower),
    row("a week later, since the last one is online", phases[1]!, ({ sinceLast }) => sinceLast),
    `  could not follow: ${span(phases[0]!)} at once, ${span(phases[1]!)} a week later`,
    `  ${sum(({ messages }) => messages)} messages, ${sum(({ commits }) => commits)} commits; lost: ${sum(({ lost }) => lost.length)}; sent while the receiver was out: ${sum(({ missed }) => missed)}`,
  ].join("\n")
}

function row(what: string, phases: readonly Phase[], of: (phase: Phase) => number | undefined): string {
  const able = phases.filter(({ followers }) => followers > 0)
  const times = able.flatMap((phase) => of(phase) ?? []).sort((a, b) => a - b)
  const at = (share: number) =>
    ((times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0) / 1000).toFixed(1)
  const never = able.length - times.length
  const nobody = phases.length - able.length
  const rest = `${never > 0 ? `, ${never} NEVER` : ""}${nobody > 0 ? `; nobody who follows was there: ${nobody}` : ""}`
  return `  ${what}: median ${at(0.5)} s, p99 ${at(0.99)} s, worst ${at(1)} s${rest}`
}

function span(phases: readonly Phase[]): string {
  const counts = phases.map(({ stuck }) => stuck).sort((a, b) => a - b)
  return `${counts[0]} to ${counts.at(-1)} of ${phases[0]!.online}`
}
