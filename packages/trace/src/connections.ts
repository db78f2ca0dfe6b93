import type { Segment } from "./segment.js"
import { parseClientHello, parseNewSessionTickets, type ResumptionOffer } from "./tls.js"

/** One TCP connection, as far as an observer can tell. Times are milliseconds since 1970. */
export interface Connection {
  readonly id: number
  readonly client: string
  readonly clientPort: number
  readonly server: string
  readonly serverPort: number
  readonly start: number
  end: number
  /** Bytes of data that travelled in the SYN, by its IP header: the capture may have fewer. */
  readonly synDataBytes: number
  readonly timestamp: number | undefined
  /** The cookie in the SYN, and the one that the server gave in answer. */
  cookieSent: Buffer | undefined
  cookieGiven: Buffer | undefined
  resumption: ResumptionOffer | undefined
  readonly ticketsGiven: Buffer[]
  /** The SYN was captured without all of its options: a cookie or a timestamp may be missing here. */
  readonly optionsCutOff: boolean
  /** Data was captured in part where a TLS handshake could have been: tickets may be missing here. */
  dataCutOff: boolean
}

const CONNECTIONS_MAX = 200_000
const OPEN_MAX = 20_000
const HANDSHAKE_BYTES_MAX = 32_768
const SERVER_BYTES_MAX = 65_536

interface OpenConnection {
  readonly connection: Connection
  readonly initialSequence: number
  readonly toServer: Beginning
  readonly toClient: Beginning
}

/** Sorts segments into connections. A connection whose SYN was not captured is left out: its client is not known. */
export class Connections {
  readonly all: Connection[] = []
  /** Connections beyond what is kept. */
  dropped = 0
  /** Segments of connections whose SYN was not captured. */
  withoutBeginning = 0
  readonly #open = new Map<string, OpenConnection>()

  add(segment: Segment): void {
    const forth = key(segment.source, segment.sourcePort, segment.destination, segment.destinationPort)
    const back = key(segment.destination, segment.destinationPort, segment.source, segment.sourcePort)
    if (segment.syn && !segment.ack) this.#begin(forth, segment)
    else if (this.#open.has(forth)) this.#follow(this.#open.get(forth)!, segment, "toServer")
    else if (this.#open.has(back)) this.#follow(this.#open.get(back)!, segment, "toClient")
    else this.withoutBeginning++
  }

  #begin(name: string, segment: Segment): void {
    const known = this.#open.get(name)
    // The same sequence number is a repeated SYN; another one is a new connection on the same ports.
    if (known && known.initialSequence === segment.sequence) {
      const { fastOpenCookie: cookie } = segment
      if (cookie && cookie.length > 0) known.connection.cookieSent ??= Buffer.from(cookie)
      return
    }
    if (this.all.length >= CONNECTIONS_MAX) {
      this.dropped++
      return
    }
    if (this.#open.size >= OPEN_MAX) this.#leave(this.#open.keys().next().value!)
    const connection = newConnection(this.all.length, segment)
    const opened: OpenConnection = {
      connection,
      initialSequence: segment.sequence,
      toServer: new Beginning((segment.sequence + 1) >>> 0, HANDSHAKE_BYTES_MAX),
      toClient: new Beginning(undefined, SERVER_BYTES_MAX),
    }
    this.all.push(connection)
    if (known) this.#end(known)
    this.#open.delete(name)
    this.#open.set(name, opened)
    this.#read(opened, "toServer", (segment.sequence + 1) >>> 0, segment)
  }

  /** After the last segment: handshakes of which not all was captured are marked. */
  end(): void {
    for (const opened of this.#open.values()) this.#end(opened)
    this.#open.clear()
  }

  /** There are too many: what comes of it later is not read. */
  #leave(name: string): void {
    const opened = this.#open.get(name)!
    if (opened.toServer.isOpen) opened.connection.dataCutOff = true
    this.#end(opened)
    this.#open.delete(name)
  }

  #end({ connection, toServer, toClient }: OpenConnection): void {
    // A handshake that goes no further has its other part elsewhere, as what comes after a gap has.
    const isWhole = toServer.bytes.length === 0 && !toServer.hasGap && !toClient.hasGap
    if (!isWhole) connection.dataCutOff = true
  }

  #follow(opened: OpenConnection, segment: Segment, direction: "toServer" | "toClient"): void {
    const { connection } = opened
    connection.end = Math.max(connection.end, segment.time)
    if (segment.syn && direction === "toClient") {
      if (segment.fastOpenCookie && segment.fastOpenCookie.length > 0) {
        connection.cookieGiven = Buffer.from(segment.fastOpenCookie)
      }
      opened.toClient.start((segment.sequence + 1) >>> 0)
    }
    this.#read(opened, direction, (segment.sequence + (segment.syn ? 1 : 0)) >>> 0, segment)
  }

  #read(opened: OpenConnection, direction: "toServer" | "toClient", sequence: number, segment: Segment): void {
    if (segment.dataBytes === 0) return
    const beginning = opened[direction]
    if (segment.payload.length > 0 && beginning.add(sequence, segment.payload)) this.#parse(opened, direction)
    // Only what is still to be read can be missed: after a cut, the order of the rest cannot be restored either.
    if (segment.dataBytes > segment.payload.length && beginning.isOpen) {
      opened.connection.dataCutOff = true
      beginning.close()
    }
  }

  #parse(opened: OpenConnection, direction: "toServer" | "toClient"): void {
    const beginning = opened[direction]
    const { connection } = opened
    if (direction === "toServer") {
      const hello = parseClientHello(beginning.bytes)
      if (hello === "incomplete") return
      connection.resumption = hello && keep(hello)
      // What is no TLS stays unread, whichever way it goes.
      if (hello === undefined) opened.toClient.close()
      beginning.close()
    } else {
      const { tickets, ended } = parseNewSessionTickets(beginning.bytes)
      if (tickets.length > connection.ticketsGiven.length) {
        connection.ticketsGiven.splice(0, Infinity, ...tickets.map((ticket) => Buffer.from(ticket)))
      }
      if (ended) beginning.close()
    }
  }
}

function newConnection(id: number, segment: Segment): Connection {
  const cookie = segment.fastOpenCookie
  return {
    id,
    client: segment.source,
    clientPort: segment.sourcePort,
    server: segment.destination,
    serverPort: segment.destinationPort,
    start: segment.time,
    end: segment.time,
    synDataBytes: segment.dataBytes,
    timestamp: segment.timestamp,
    cookieSent: cookie && cookie.length > 0 ? Buffer.from(cookie) : undefined,
    cookieGiven: undefined,
    resumption: undefined,
    ticketsGiven: [],
    optionsCutOff: segment.optionsCutOff,
    dataCutOff: false,
  }
}

/** Copies, so that the packet's memory can go. */
function keep({ pskIdentities, ticket, sessionId }: ResumptionOffer): ResumptionOffer {
  return {
    pskIdentities: pskIdentities.map((identity) => Buffer.from(identity)),
    ticket: ticket && Buffer.from(ticket),
    sessionId: Buffer.from(sessionId),
  }
}

function key(source: string, sourcePort: number, destination: string, destinationPort: number): string {
  return `${source}|${sourcePort}|${destination}|${destinationPort}`
}

const OUT_OF_ORDER_MAX = 32

/** The first bytes of one direction, put in order by sequence number, up to a limit. */
class Beginning {
  readonly #limit: number
  #next: number | undefined
  #closed = false
  #waiting: { sequence: number; payload: Buffer }[] = []
  #waitingBytes = 0
  /** Something came for which there was no room, or no place. */
  #hasLost = false
  bytes: Buffer = Buffer.alloc(0)

  constructor(next: number | undefined, limit: number) {
    this.#next = next
    this.#limit = limit
  }

  start(next: number): void {
    this.#next ??= next
  }

  get isOpen(): boolean {
    return !this.#closed
  }

  /** Something came that does not follow what was read. */
  get hasGap(): boolean {
    return this.#hasLost || this.#waiting.length > 0
  }

  /** Nothing more is wanted. */
  close(): void {
    this.#closed = true
    this.#hasLost = false
    this.#waiting = []
    this.#waitingBytes = 0
    this.bytes = Buffer.alloc(0)
  }

  /** Whether there is more to read than before. */
  add(sequence: number, payload: Buffer): boolean {
    if (this.#closed) return false
    if (this.#next === undefined || this.bytes.length >= this.#limit) {
      if (this.#next !== undefined) this.close()
      this.#hasLost = true
      return false
    }
    if (this.#waiting.length < OUT_OF_ORDER_MAX && this.#waitingBytes <= this.#limit) {
      this.#waiting.push({ sequence, payload: Buffer.from(payload) })
      this.#waitingBytes += payload.length
    } else this.#hasLost = true
    const before = this.bytes.length
    while (this.#appendNext());
    return this.bytes.length > before
  }

  #appendNext(): boolean {
    const place = this.#waiting.findIndex(({ sequence, payload }) => {
      const ahead = (sequence - this.#next!) | 0
      return ahead <= 0 && ahead + payload.length > 0
    })
    if (place < 0) {
      this.#waiting = this.#waiting.filter(({ sequence }) => ((sequence - this.#next!) | 0) > 0)
      this.#waitingBytes = this.#waiting.reduce((sum, { payload }) => sum + payload.length, 0)
      return false
    }
    const [{ sequence, payload }] = this.#waiting.splice(place, 1) as [{ sequence: number; payload: Buffer }]
    const fresh = payload.subarray(-((sequence - this.#next!) | 0))
    this.bytes = Buffer.concat([this.bytes, fresh])
    this.#next = (this.#next! + fresh.length) >>> 0
    return true
  }
}
