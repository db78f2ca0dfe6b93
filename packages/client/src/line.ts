import type { LineFault } from "@conclave/transport"

export { type LineFault, lineFaultOf } from "@conclave/transport"

/**
 * How news come to this client.
 *
 * - `connected`: everything there is to follow is followed; news come at once.
 * - `polling`: no stream is open, but the service answers requests: it is asked for news every few seconds, and what is sent
 *   goes out at once. `fault` says why no stream is open, where that is known: `upgradeDropped` where a proxy does not pass
 *   WebSockets, `originRefused` where the service lets no page of this origin open one.
 * - `offline`: nothing comes; what is sent waits.
 *
 * `reason` is a sentence without its full stop.
 */
export type Line =
  | { readonly state: "connected" }
  | { readonly state: "polling" | "offline"; readonly fault: LineFault | undefined; readonly reason: string }

/** Why there is no stream, in words. */
export const faultWords: Readonly<Record<LineFault, string>> = {
  originRefused: "the service refuses pages of this origin",
  hostRefused: "the service does not answer to the name that it was asked for",
  upgradeDropped: "a proxy in front of the service does not pass WebSockets",
  unavailable: "the service is not available at the moment",
  unknown: "what answers at this address is no Conclave service, or an older one",
  unreachable: "the service does not answer",
}

/** Of a client that is not `live`. */
export const notLive: Line = { state: "offline", fault: undefined, reason: "this client follows nothing by itself" }
