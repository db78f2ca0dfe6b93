import type { Line } from "@conclave/client/browser"
import { words } from "../words/words.js"

type Trouble = Exclude<Line, { readonly state: "connected" }>

/** What a person has to know of a line that is not as it should be. `origin`: of the page. */
export function lineWords({ state, fault, reason }: Trouble, origin: string): string {
  const { line } = words()
  if (state === "polling") return line.delayed(pollingReason(fault, reason, origin))
  if (fault === "originRefused") return `${line.originRefused(origin)} ${line.kept}`
  return `${fault === "unavailable" ? line.unavailable : line.unreachable} ${line.kept}`
}

function pollingReason(fault: Trouble["fault"], reason: string, origin: string): string {
  const { line } = words()
  if (fault === "upgradeDropped") return line.upgradeDropped
  if (fault === "originRefused") return line.streamRefused(origin)
  return fault === undefined ? line.streamBreaks : line.noStream(reason)
}
