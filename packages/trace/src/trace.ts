import { createReadStream } from "node:fs"
import { CaptureError, readCapture } from "./capture-reader.js"
import { type Connection, Connections } from "./connections.js"
import { Groups } from "./groups.js"
import { findLinks, type Link } from "./links.js"
import { parseSegment } from "./segment.js"

export interface TraceReport {
  readonly packets: number
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
 * with the number of connections, not with the length of the file. Throws {@link CaptureError} where nothing could be
 * read; a capture that ends badly is reported as far as it goes, with `cutOff`.
 */
export async function trace(capture: string | AsyncIterable<Uint8Array>): Promise<TraceReport> {
  const source = typeof capture === "string" ? createReadStream(capture) : capture
  const connections = new Connections()
  let packets = 0
  let cutOff: string | undefined
  try {
    for await (const packet of readCapture(source)) {
      packets++
      const segment = parseSegment(packet)
      if (segment) connections.add(segment)
    }
  } catch (error) {
    if (!(error instanceof CaptureError) || packets === 0) throw error
    cutOff = error.message
  }
  return report(connections, { packets, cutOff })
}

function report({ all, dropped }: Connections, read: Pick<TraceReport, "packets" | "cutOff">): TraceReport {
  const links = findLinks(all)
  const count = (carries: (connection: Connection) => boolean) => all.filter(carries).length
  return {
    ...read,
    connections: all,
    links,
    clients: sortByClient(all, links),
    carriers: {
      cookies: count(({ cookieSent, cookieGiven }) => cookieSent !== undefined || cookieGiven !== undefined),
      tickets: count(({ resumption, ticketsGiven }) => offersResumption(resumption) || ticketsGiven.length > 0),
      timestamps: count(({ timestamp }) => timestamp !== undefined),
    },
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
