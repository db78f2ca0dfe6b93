import type { Connection } from "./connections.js"
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

/** The sentence that the table and the page begin with. It claims an absence only where the whole capture was read. */
export function verdict(report: TraceReport): string {
  const { connections, clients, links, conclusion } = report
  if (connections.length === 0) return verdictWithoutConnections(report)
  const these = connections.length === 1 ? "this connection" : `these ${connections.length} connections`
  if (conclusion === "unlinked") return `Nothing but addresses links ${these}.`
  if (conclusion === "unclear") {
    return `Nothing but addresses was found to link ${these}, but a part of the capture was not read.`
  }
  const tied = new Set(links.filter(({ kind }) => kind !== "address").flatMap((link) => link.connections)).size
  const groups = clients.filter((client) => client.length > 1)
  const moved = groups.some((group) => new Set(group.map((id) => connections[id]!.client)).size > 1)
  const through = moved ? ", through changes of address" : ""
  return groups.length === 1
    ? `An observer can follow one client over ${tied} of ${connections.length} connections${through}.`
    : `An observer can tie ${tied} of ${connections.length} connections together, in ${groups.length} groups${through}.`
}

function verdictWithoutConnections({ packets, unreadPackets, withoutBeginning, cutOff }: TraceReport): string {
  if (packets === 0) return "There are no packets in this capture."
  if (unreadPackets === packets) {
    return packets === 1
      ? "The only packet of this capture could not be read."
      : `None of the ${packets} packets in this capture could be read.`
  }
  if (unreadPackets > 0) {
    return `No connection was found, but ${unreadPackets} of ${counted(packets, "packet")} could not be read.`
  }
  if (withoutBeginning > 0) {
    return `No SYN is in this capture: ${counted(withoutBeginning, "TCP packet belongs", "TCP packets belong")} to connections whose beginning is missing.`
  }
  if (cutOff !== undefined) return "No connection was found before the capture breaks off."
  return "No TCP connection begins in this capture."
}

/** What the report does not know, a sentence each. The reasons for unread packets are in `unread`. */
export function gaps(report: TraceReport): string[] {
  const { connections, cutOff, dropped, untimed, withoutBeginning } = report
  const withoutOptions = connections.filter(({ optionsCutOff }) => optionsCutOff).length
  const withoutData = connections.filter(({ dataCutOff }) => dataCutOff).length
  return [
    ...(withoutOptions === 0
      ? []
      : [
          `${counted(withoutOptions, "SYN has its", "SYNs have their")} options cut off: cookies and clocks are not seen.`,
        ]),
    ...(withoutData === 0
      ? []
      : [
          `${counted(withoutData, "connection has its", "connections have their")} data cut off: TLS tickets are not seen.`,
        ]),
    ...tunnels(connections),
    ...(withoutBeginning === 0
      ? []
      : [
          `${counted(withoutBeginning, "TCP packet belongs", "TCP packets belong")} to connections whose SYN is not in the capture.`,
        ]),
    ...(cutOff === undefined ? [] : [`The capture was not read to its end: ${cutOff}.`]),
    ...(dropped === 0
      ? []
      : [`${counted(dropped, "further connection was", "further connections were")} not looked at.`]),
    ...(untimed === 0
      ? []
      : [`${counted(untimed, "packet has", "packets have")} no time: spans of time leave them out.`]),
  ]
}

function tunnels(connections: readonly Connection[]): string[] {
  return (["SOCKS", "STARTTLS"] as const).flatMap((kind) => {
    const count = connections.filter(({ unreadTunnel }) => unreadTunnel === kind).length
    const begin = counted(count, "connection begins", "connections begin")
    return count === 0 ? [] : [`${begin} with ${kind}: TLS tickets after that are not seen.`]
  })
}

/** `1 packet`, `2 packets`. */
export function counted(count: number, one: string, several = `${one}s`): string {
  return `${count} ${count === 1 ? one : several}`
}

/** The ends of a connection, and what is missing of its SYN. */
export function ends({ client, clientPort, server, serverPort }: Connection): string {
  return `${client} port ${clientPort} to ${server} port ${serverPort}`
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
