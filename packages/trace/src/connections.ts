import { asksForTls, beginsWithSocks, type Negotiation } from "./negotiation.js"
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
  /** TLS begins after a negotiation that is not followed: tickets may be missing here. */
  unreadTunnel: Negotiation | undefined
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
    this.#parseRest(opened)
    if (opened.toServer.isOpen) opened.connection.dataCutOff = true
    this.#end(opened)
    this.#open.delete(name)
  }

  #end(opened: OpenConnection): void {
    this.#parseRest(opened)
    const { connection, toServer, toClient } = opened
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
    const { connection } = opened
    if (direction === "toServer" && connection.resumption === undefined && asksForTls(segment.payload)) {
      connection.unreadTunnel = "STARTTLS"
    }
    if (segment.payload.length > 0 && beginning.add(sequence, segment.payload)) this.#parse(opened, direction)
    if (segment.dataBytes > segment.payload.length) this.#parseRest(opened)
    // Only what is still to be read can be missed: after a cut, the order of the rest cannot be restored either.
    if (segment.dataBytes > segment.payload.length && beginning.isOpen) {
      connection.dataCutOff = true
      beginning.close()
    }
  }

  /** What came after the last look at it. */
  #parseRest(opened: OpenConnection): void {
    for (const direction of ["toServer", "toClient"] as const)
      if (opened[direction].isUnread) this.#parse(opened, direction)
  }

  #parse(opened: OpenConnection, direction: "toServer" | "toClient"): void {
    const beginning = opened[direction]
    beginning.noteRead()
    const { connection } = opened
    if (direction === "toServer") {
      const hello = parseClientHello(beginning.bytes)
      if (hello === "incomplete") return
      connection.resumption = hello && keep(hello)
      // What is no TLS stays unread, whichever way it goes.
      if (hello === undefined) {
        opened.toClient.close()
        if (beginsWithSocks(beginning.bytes)) connection.unreadTunnel = "SOCKS"
      }
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
    unreadTunnel: undefined,
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
/** What is there is read again when it has grown by a 16th: segments of one byte each cost no more than large ones. */
const GROWTH = 16

/** The first bytes of one direction, put in order by sequence number, up to a limit. */
class Beginning {
  readonly #limit: number
  #next: number | undefined
  #closed = false
  #waiting: { sequence: number; payload: Buffer }[] = []
  #waitingBytes = 0
  /** Something came for which there was no room, or no place. */
  #hasLost = false
  /** Twice as large as is needed, at most. */
  #room: Buffer = Buffer.alloc(0)
  #length = 0
  /** So much was there when it was read last. */
  #readLength = 0

  constructor(next: number | undefined, limit: number) {
    this.#next = next
    this.#limit = limit
  }

  start(next: number): void {
    this.#next ??= next
  }

  get bytes(): Buffer {
    return this.#room.subarray(0, this.#length)
  }

  /** There is more than was read. */
  get isUnread(): boolean {
    return this.#length > this.#readLength
  }

  /** All that is there is read now. */
  noteRead(): void {
    this.#readLength = this.#length
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
    this.#room = Buffer.alloc(0)
    this.#length = 0
    this.#readLength = 0
  }

  /** Whether there is so much more than was read that it is to be read. */
  add(sequence: number, payload: Buffer): boolean {
    if (this.#closed) return false
    if (this.#next === undefined || this.#length >= this.#limit) {
      if (this.#next !== undefined) this.close()
      this.#hasLost = true
      return false
    }
    if (this.#waiting.length < OUT_OF_ORDER_MAX && this.#waitingBytes <= this.#limit) {
      this.#waiting.push({ sequence, payload: Buffer.from(payload) })
      this.#waitingBytes += payload.length
    } else this.#hasLost = true
    while (this.#appendNext());
    const isFull = this.#length >= this.#limit
    return this.isUnread && (isFull || this.#length >= this.#readLength + this.#readLength / GROWTH)
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
    this.#append(fresh)
    this.#next = (this.#next! + fresh.length) >>> 0
    return true
  }

  #append(fresh: Buffer): void {
    const length = this.#length + fresh.length
    if (length > this.#room.length) this.#room = Buffer.concat([this.bytes, fresh], 2 * length)
    else fresh.copy(this.#room, this.#length)
    this.#length = length
  }
}
