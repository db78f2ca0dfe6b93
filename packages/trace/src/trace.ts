import { createReadStream } from "node:fs"
import { CaptureError } from "./byte-stream.js"
import { readCapture } from "./capture-reader.js"
import { type Conclusion, conclude } from "./conclusion.js"
import { type Connection, Connections } from "./connections.js"
import { Groups } from "./groups.js"
import { findLinks, type Link } from "./links.js"
import { readPacket } from "./segment.js"
import { Tally, type Unread } from "./tally.js"

export interface TraceReport {
  readonly conclusion: Conclusion
  /** Distinct packets: TCP, others, and those that were not read. */
  readonly packets: number
  /** Copies of packets that were captured at more than one interface; they are not counted in `packets`. */
  readonly duplicates: number
  /** Packets that were read and carry no TCP. */
  readonly others: number
  /** Packets that were not read, or not whole, and the reasons, the most frequent first. */
  readonly unreadPackets: number
  readonly unread: readonly Unread[]
  /** TCP packets of connections whose SYN is not in the capture. */
  readonly withoutBeginning: number
  /** Packets without a time of their own: they have that of the packet before. */
  readonly untimed: number
  readonly connections: readonly Connection[]
  readonly links: readonly Link[]
  /**
   * Connections that belong to one client by something other than its address, as an observer would sort them; a
   * connection that nothing links stands alone. In the order of time.
   */
  readonly clients: readonly (readonly number[])[]
  /** Connections that carry an identifier in the clear, whether or not it occurs twice. */
  readonly carriers: { readonly cookies: number; readonly tickets: number; readonly timestamps: number }
  /** Why the capture was not read to its end, if it was not. */
  readonly cutOff: string | undefined
  /** Connections beyond the 200,000 that are kept. */
  readonly dropped: number
}

/**
 * Reads a capture (pcap or pcapng, as a path or a stream) and finds what links connections to one client. Memory grows
 * with the number of connections, not with the length of the file. A capture that is cut off or damaged after its first
 * packet is reported as far as it goes, with `cutOff`.
 *
 * @throws {CaptureError} when nothing could be read.
 */
export async function trace(capture: string | AsyncIterable<Uint8Array>): Promise<TraceReport> {
  const source = typeof capture === "string" ? createReadStream(capture) : capture
  const connections = new Connections()
  const tally = new Tally()
  let cutOff: string | undefined
  try {
    for await (const packet of readCapture(source)) {
      for (const segment of tally.add(readPacket(packet), packet)) connections.add(segment)
    }
  } catch (error) {
    if (!(error instanceof CaptureError) || tally.packets === 0) throw error
    cutOff = error.message
  }
  connections.end()
  return report(connections, tally, cutOff)
}

function report(connections: Connections, tally: Tally, cutOff: string | undefined): TraceReport {
  const { all, dropped, withoutBeginning } = connections
  const { packets, duplicates, others, unreadPackets, unread, untimed } = tally
  const links = findLinks(all)
  const count = (carries: (connection: Connection) => boolean) => all.filter(carries).length
  return {
    conclusion: conclude({ links, connections: all, unreadPackets, withoutBeginning, cutOff, dropped }),
    packets,
    duplicates,
    others,
    unreadPackets,
    unread,
    withoutBeginning,
    untimed,
    connections: all,
    links,
    clients: sortByClient(all, links),
    carriers: {
      cookies: count(({ cookieSent, cookieGiven }) => cookieSent !== undefined || cookieGiven !== undefined),
      tickets: count(({ resumption, ticketsGiven }) => offersResumption(resumption) || ticketsGiven.length > 0),
      timestamps: count(({ timestamp }) => timestamp !== undefined),
    },
    cutOff,
    dropped,
  }
}

function offersResumption(resumption: Connection["resumption"]): boolean {
  return resumption !== undefined && (resumption.ticket !== undefined || resumption.pskIdentities.length > 0)
}

function sortByClient(connections: readonly Connection[], links: readonly Link[]): number[][] {
  const groups = new Groups<number>()
  for (const link of links) {
    if (link.kind === "address") continue
    for (const connection of link.connections) groups.join(link.connections[0]!, connection)
  }
  const clients = new Map<number, number[]>()
  for (const { id } of [...connections].sort((a, b) => a.start - b.start)) {
    const client = clients.get(groups.find(id)) ?? []
    client.push(id)
    clients.set(groups.find(id), client)
  }
  return [...clients.values()]
}
