import type { LinkKind } from "./links.js"
import type { TraceReport } from "./trace.js"

/** What each kind of link is called and why it links, for people who do not read RFCs. */
export const kinds: Readonly<Record<LinkKind, { readonly name: string; readonly why: string }>> = {
  cookie: {
    name: "Fast Open cookie",
    why: "sent in the clear with every connection, and kept when the address changes",
  },
  psk: { name: "TLS 1.3 ticket", why: "the same pre-shared key is offered more than once" },
  ticket: { name: "TLS 1.2 ticket", why: "handed out and offered in the clear" },
  "session-id": { name: "TLS session id", why: "repeated in the clear" },
  ports: { name: "Counting ports", why: "each connection takes the next port" },
  clock: { name: "TCP clock", why: "timestamps of different connections come from one clock" },
  address: { name: "Address", why: "always visible to those on the path" },
}

/** The one sentence that the table and the page begin with. */
export function verdict({ connections, clients, links }: TraceReport): string {
  const identified = links.filter((link) => link.kind !== "address")
  if (connections.length === 0) return "No TCP connection begins in this capture."
  if (identified.length === 0) {
    return `Nothing but addresses links ${connections.length === 1 ? "this connection" : `these ${connections.length} connections`}.`
  }
  const tied = new Set(identified.flatMap((link) => link.connections)).size
  const groups = clients.filter((client) => client.length > 1)
  const moved = groups.some((group) => new Set(group.map((id) => connections[id]!.client)).size > 1)
  const through = moved ? ", through changes of address" : ""
  return groups.length === 1
    ? `An observer can follow one client over ${tied} of ${connections.length} connections${through}.`
    : `An observer can tie ${tied} of ${connections.length} connections together, in ${groups.length} groups${through}.`
}

/** A time span with one unit: `350 ms`, `12.5 s`, `3.2 min`, `5.1 h`, `12 d`. */
export function span(milliseconds: number): string {
  const units: [number, string][] = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "min"],
    [1000, "s"],
  ]
  const [size, name] = units.find(([length]) => milliseconds >= length) ?? [1, "ms"]
  const value = milliseconds / size
  return `${value >= 100 || size === 1 ? Math.round(value) : Number(value.toFixed(1))} ${name}`
}

/** `2026-05-01 12:00:00.123`, in UTC. */
export function moment(milliseconds: number): string {
  const date = new Date(milliseconds)
  return Number.isNaN(date.getTime()) ? "unknown" : date.toISOString().replace("T", " ").replace("Z", "")
}
