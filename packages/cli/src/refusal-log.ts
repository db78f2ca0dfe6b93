import type { Refusal, TurnedAway } from "@conclave/server"
import { REFUSALS_EVERY_MILLISECONDS, RefusalCounts } from "@conclave/transport"

const things: Readonly<Record<Refusal["kind"], string>> = {
  connections: "connections",
  sockets: "WebSockets",
  streams: "streams",
  received: "requests with too many bytes",
  unsent: "answers with too many bytes unread",
  slow: "connections that took too long over a request",
  unread: "connections that did not read their answers",
  idle: "WebSockets without a stream",
  control: "WebSockets with too many pings",
  arrivals: "connections that came too fast",
  flights: "sealed requests",
  host: "requests under a name that is not allowed (--public-url)",
  origin: "WebSockets and requests of pages of another origin",
  health: "questions about the service's health",
  appends: "appends beyond a group's or a requester's rate",
  blobReads: "reads of blobs by clients that read too much lately",
  blobs: "uploads and deletions of blobs",
  bytes: "requests from clients that stored too much lately",
  claims: "claims of key packages",
  commits: "commits that have to wait for their turn",
  creations: "new groups",
  cursors: "subscriptions with too many cursors",
  denials: "requests of somebody who was denied too often",
  denied: "requests without a key of their group",
  accounts: "exports of accounts",
  displayNames: "changes of display names",
  erasures: "erasures of accounts",
  recoveries: "uses of recovery keys",
  groupQuota: "appends to groups that are full",
  knocks: "knocks",
  proposals: "proposals",
  registrations: "registrations",
  pushes: "registrations for pushes",
  pushesDropped: "pushes for which there was no time",
  signals: "signals beyond a group's or a requester's rate",
  signalsDropped: "signals that a subscription had no room for",
  serviceQuota: "requests for which there is no room (--quota)",
  subscriptions: "subscriptions",
  version: "requests of another version",
  welcomes: "invitations of one device by one requester",
  wrongTime: "proofs with a wrong time",
}

const levels = { peer: "of one address", network: "of one network", all: "of all" } as const

/** Lines of the log, which are in English everywhere: operators search for them. Tells what the listeners and the services refuse, without addresses: one line for each kind in ten seconds. */
export class RefusalLog extends RefusalCounts<Refusal> {
  constructor(tell: (line: string) => void) {
    super((refusal, count) => tell(inWords(refusal, count)))
  }
}

function inWords(refusal: Refusal, count: number): string {
  const { level, limit } = { level: undefined, limit: undefined, ...refusal }
  const whose = level === undefined ? "" : ` ${levels[level]}`
  const reached = limit === undefined ? "" : ` (limit ${limit})`
  return `refused ${count} ${things[refusal.kind]}${whose} in ${REFUSALS_EVERY_MILLISECONDS / 1000} s${reached}`
}

/** What was turned away by a setting of the service or of a proxy, and what to do. */
export function turnedAwayInWords({ reason, origin, host }: TurnedAway): string {
  const asked = host === undefined ? "without a Host" : `for ${host}`
  switch (reason) {
    case "origin":
      if (origin === undefined) return `a page without an origin was refused: a file, or a frame in a sandbox`
      return (
        `a page at ${origin} was refused: start with --public-url ${origin}/ (and its path) if that is this service's ` +
        `own page, or with --allow-origin ${origin}`
      )
    case "upgrade":
      return (
        `a WebSocket ${asked} came without its Upgrade header: the proxy in front has to pass Upgrade and Connection on ` +
        "(docs/deploying.md); until then messages arrive with a delay"
      )
    case "host":
      return (
        `a request ${asked} was refused, which is no name of this service: if browsers open it there, start with ` +
        `--public-url https://${host?.replace(/:\d*$/, "") ?? "NAME"}/`
      )
  }
}
