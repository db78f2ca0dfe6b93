/**
 * Why a WebSocket did not open.
 *
 * - `originRefused`: the service lets no page of this origin in.
 * - `hostRefused`: the service does not answer to the name that it was asked for.
 * - `upgradeDropped`: the service answers over HTTP, and something in between does not pass WebSockets.
 * - `unavailable`: the service has no room or is ending, or a proxy finds no service behind it.
 * - `unknown`: what answers is not this service, or an older version of it.
 * - `unreachable`: nothing answers.
 */
export type LineFault = "originRefused" | "hostRefused" | "upgradeDropped" | "unavailable" | "unknown" | "unreachable"
