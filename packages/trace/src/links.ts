import { isIPv6 } from "node:net"
import type { Connection } from "./connections.js"
import { Groups } from "./groups.js"

export type LinkKind = "cookie" | "ticket" | "psk" | "session-id" | "ports" | "clock" | "address"

/** Something by which an observer knows that several connections come from one client. */
export interface Link {
  readonly kind: LinkKind
  /** What is repeated, for people: hexadecimal, shortened; a range of ports; an address. */
  readonly identifier: string
  /** All values that the chain went through, the first one first: a cookie and those that replaced it. */
  readonly values: readonly string[]
  /** Ids of the connections, in the order of time. */
  readonly connections: readonly number[]
  /** Addresses from which the client came, in the order of their first appearance. */
  readonly addresses: readonly string[]
  readonly firstSeen: number
  readonly lastSeen: number
  readonly trackingMilliseconds: number
}

/** Every link between two connections or more: identifiers first, then habits, then addresses; longest tracking first. */
export function findLinks(connections: readonly Connection[]): Link[] {
  const byTime = [...connections].sort((a, b) => a.start - b.start)
  const finders = [cookieLinks, resumptionLinks, portLinks, clockLinks, addressLinks]
  return finders.flatMap((find) =>
    find(byTime).sort(
      (a, b) => b.trackingMilliseconds - a.trackingMilliseconds || b.connections.length - a.connections.length,
    ),
  )
}

/** A cookie in a SYN that is answered with another one ties the two together: so a chain survives every rotation. */
function cookieLinks(connections: readonly Connection[]): Link[] {
  const groups = new Groups<string>()
  const cookiesOf = (connection: Connection) =>
    [connection.cookieSent, connection.cookieGiven].flatMap((cookie) => (cookie ? [cookie.toString("hex")] : []))
  for (const connection of connections) {
    const [first, second] = cookiesOf(connection)
    if (first !== undefined) groups.join(first, second ?? first)
  }
  return linksOf("cookie", connections, (connection) =>
    cookiesOf(connection).map((cookie) => ({ group: groups.find(cookie), value: cookie })),
  )
}

function resumptionLinks(connections: readonly Connection[]): Link[] {
  const same = (values: readonly (Buffer | undefined)[]) =>
    values
      .flatMap((value) => (value && value.length > 0 ? [value.toString("hex")] : []))
      .map((value) => ({ group: value, value }))
  return [
    ...linksOf("psk", connections, ({ resumption }) => same(resumption?.pskIdentities ?? [])),
    ...linksOf("ticket", connections, ({ resumption, ticketsGiven }) => same([resumption?.ticket, ...ticketsGiven])),
    ...linksOf("session-id", connections, ({ resumption }) => same([resumption?.sessionId])),
  ]
}

/** Linux steps by 2 to 16 since version 5.18, and others by 1. */
const PORT_STEP_MAX = 16
const PORT_RUN_MIN = 4
const PORT_PAUSE_MILLISECONDS = 120_000
/** What is left when privileged and registered ports are not drawn, at the least. */
const PORT_RANGE = 28_000
const CHANCE_MAX = 0.01

/** Ports that count upwards: the habit of one system, whatever address it appears with. */
function portLinks(connections: readonly Connection[]): Link[] {
  const runOf = new Map<number, number>()
  const lastAt = new Map<number, { run: number; time: number }>()
  let runs = 0
  for (const { id, clientPort, start } of connections) {
    let run: number | undefined
    for (let step = 1; step <= PORT_STEP_MAX && run === undefined; step++) {
      const before = lastAt.get(clientPort - step)
      if (before && start - before.time <= PORT_PAUSE_MILLISECONDS) {
        run = before.run
        lastAt.delete(clientPort - step)
      }
    }
    run ??= runs++
    runOf.set(id, run)
    lastAt.set(clientPort, { run, time: start })
  }
  const shortest = shortestRun(connections)
  return linksOf("ports", connections, ({ id, clientPort }) => [
    { group: String(runOf.get(id)), value: String(clientPort) },
  ])
    .filter((link) => link.connections.length >= shortest)
    .map((link) => ({ ...link, identifier: `${link.values[0]} to ${link.values.at(-1)}` }))
}

/** How long a run must be so that random ports make one in fewer than a hundredth of captures like this one. */
function shortestRun(connections: readonly Connection[]): number {
  const crowd = mostWithin(connections, PORT_PAUSE_MILLISECONDS)
  const chance = (crowd * PORT_STEP_MAX) / PORT_RANGE
  if (chance >= 1) return Number.POSITIVE_INFINITY
  return Math.max(PORT_RUN_MIN, Math.ceil(1 + Math.log(CHANCE_MAX / connections.length) / Math.log(chance)))
}

function mostWithin(connections: readonly Connection[], milliseconds: number): number {
  let first = 0
  let most = 0
  connections.forEach(({ start }, last) => {
    while (start - connections[first]!.start > milliseconds) first++
    most = Math.max(most, last - first + 1)
  })
  return most
}

/** Clocks of RFC 7323 tick this often in a second, in the systems at large. */
const CLOCK_RATES = [1000, 250, 100]
const CLOCK_TOLERANCE_SECONDS = 0.1
const CLOCK_RANGE = 2 ** 32

/**
 * A timestamp that goes on where the last connection's stood: one clock. Where the offset is drawn for each connection,
 * the chance that two fall together is one in ten million.
 */
function clockLinks(connections: readonly Connection[]): Link[] {
  const stamped = connections.filter((connection) => connection.timestamp !== undefined)
  for (const rate of CLOCK_RATES) {
    const tolerance = CLOCK_TOLERANCE_SECONDS * rate
    const origins = stamped
      .map(({ id, start, timestamp }) => ({ id, origin: modulo(timestamp! - (start / 1000) * rate, CLOCK_RANGE) }))
      .sort((a, b) => a.origin - b.origin)
    const clockOf = new Map<number, number>()
    let clock = 0
    origins.forEach(({ id, origin }, n) => {
      if (n > 0 && origin - origins[n - 1]!.origin > tolerance) clock++
      clockOf.set(id, clock)
    })
    const links = linksOf("clock", stamped, ({ id, timestamp }) => [
      { group: String(clockOf.get(id)), value: String(timestamp) },
    ])
    if (links.length > 0) return links.map((link) => ({ ...link, identifier: `${rate} Hz from ${link.values[0]}` }))
  }
  return []
}

function modulo(value: number, range: number): number {
  return ((value % range) + range) % range
}

function addressLinks(connections: readonly Connection[]): Link[] {
  return linksOf("address", connections, ({ client }) => {
    // What a client of IPv6 keeps for long is its network, the first 64 bits.
    const value = isIPv6(client) ? `${networkOf(client)}/64` : client
    return [{ group: value, value }]
  })
}

function networkOf(address: string): string {
  const [before, after] = address.split("::") as [string, string | undefined]
  const head = before === "" ? [] : before.split(":")
  const tail = after === undefined || after === "" ? [] : after.split(":")
  const groups = after === undefined ? head : [...head, ...Array(8 - head.length - tail.length).fill("0"), ...tail]
  return `${groups.slice(0, 4).join(":")}::`
}

interface Mark {
  readonly group: string
  readonly value: string
}

function linksOf(
  kind: LinkKind,
  connections: readonly Connection[],
  marksOf: (connection: Connection) => Mark[],
): Link[] {
  const members = new Map<string, { connections: Set<Connection>; values: Set<string> }>()
  for (const connection of connections) {
    for (const { group, value } of marksOf(connection)) {
      const member = members.get(group) ?? { connections: new Set(), values: new Set() }
      member.connections.add(connection)
      member.values.add(value)
      members.set(group, member)
    }
  }
  return [...members.values()]
    .filter((member) => member.connections.size > 1)
    .map((member) => linkOf(kind, [...member.connections], [...member.values]))
}

function linkOf(kind: LinkKind, connections: readonly Connection[], values: readonly string[]): Link {
  const firstSeen = connections[0]!.start
  const lastSeen = connections.at(-1)!.start
  return {
    kind,
    identifier: shorten(values[0]!),
    values,
    connections: connections.map((connection) => connection.id),
    addresses: [...new Set(connections.map((connection) => connection.client))],
    firstSeen,
    lastSeen,
    trackingMilliseconds: lastSeen - firstSeen,
  }
}

const SHOWN_MAX = 20

/** The beginning is often the name of the server's ticket key: both ends tell identifiers apart. */
function shorten(value: string): string {
  return value.length <= SHOWN_MAX ? value : `${value.slice(0, SHOWN_MAX / 2)}…${value.slice(-SHOWN_MAX / 2)}`
}
