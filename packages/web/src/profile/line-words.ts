import type { Line } from "@conclave/client/browser"

type Trouble = Exclude<Line, { readonly state: "connected" }>

const KEPT = "What you write is kept on this device, and is sent as soon as it can be."
/** What a person has to know of a line that is not as it should be. `origin`: of the page. */
export function lineWords({ state, fault, reason }: Trouble, origin: string): string {
  if (state === "polling") return `${pollingReason(fault, reason, origin)}; messages arrive with a delay.`
  if (fault === "originRefused")
    return `The service refuses pages of ${origin}: its operator has to allow that. ${KEPT}`
  if (fault === "unavailable") return `The service is not available at the moment. ${KEPT}`
  return `The service cannot be reached. ${KEPT}`
}

function pollingReason(fault: Trouble["fault"], reason: string, origin: string): string {
  if (fault === "upgradeDropped") return "The proxy does not pass WebSockets"
  if (fault === "originRefused") return `The service allows pages of ${origin} no stream, which its operator can change`
  return fault === undefined ? "No stream to the service stays open" : `No stream to the service opens (${reason})`
}
