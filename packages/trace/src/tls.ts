/** What the clear part of a TLS handshake tells about who resumes what. */
export interface ResumptionOffer {
  /** RFC 8446 §4.2.11: identities of the pre-shared keys that the client offers. */
  readonly pskIdentities: readonly Buffer[]
  /** RFC 5077 §3.2: a ticket of TLS 1.2. */
  readonly ticket: Buffer | undefined
  /** RFC 5246 §7.4.1.2. In TLS 1.3 it is random and means nothing, unless it occurs twice. */
  readonly sessionId: Buffer
}

const RECORD_HANDSHAKE = 22
const CLIENT_HELLO = 1
const NEW_SESSION_TICKET = 4
const EXTENSION_SESSION_TICKET = 35
const EXTENSION_PRE_SHARED_KEY = 41

/** `"incomplete"` when more of the stream could still make it one, `undefined` when it is no ClientHello. */
export function parseClientHello(given: Buffer): ResumptionOffer | "incomplete" | undefined {
  const stream = withoutProxy(given)
  for (const [type, body] of handshakeMessages(stream)) {
    if (body === "incomplete") return "incomplete"
    return type === CLIENT_HELLO ? readClientHello(new Reader(body)) : undefined
  }
  return stream.length > 0 && stream[0] !== RECORD_HANDSHAKE ? undefined : "incomplete"
}

/** Tickets that a server of TLS 1.2 hands out in the clear (RFC 5077 §3.3). `ended`: no others follow. */
export function parseNewSessionTickets(given: Buffer): { readonly tickets: Buffer[]; readonly ended: boolean } {
  const stream = withoutProxy(given)
  const tickets: Buffer[] = []
  for (const [type, body] of handshakeMessages(stream)) {
    if (body === "incomplete") break
    if (type !== NEW_SESSION_TICKET) continue
    const reader = new Reader(body)
    reader.skip(4)
    const ticket = reader.vector(2)
    if (ticket && ticket.length > 0) tickets.push(ticket)
  }
  return { tickets, ended: handshakeBytes(stream).ended }
}

/** The head of a request to an HTTP proxy (RFC 9110 §9.3.6), or of its answer, with whatever of its end there is. */
const PROXY_HEAD = /^(?:CONNECT |HTTP\/1\.)[\s\S]*?(?:\r\n\r\n|$)/
const PROXY_HEAD_MAX = 8192
/** A proxy that wants a password is asked again. */
const PROXY_HEADS_MAX = 4

/** What goes through an HTTP proxy's tunnel. */
function withoutProxy(stream: Buffer): Buffer {
  let rest = stream
  for (let heads = 0; heads < PROXY_HEADS_MAX; heads++) {
    const head = PROXY_HEAD.exec(rest.toString("latin1", 0, PROXY_HEAD_MAX))?.[0]
    if (head === undefined) break
    rest = rest.subarray(head.length)
  }
  return rest
}

/** Messages of the clear handshake records at the beginning of a stream. */
function* handshakeMessages(stream: Buffer): Generator<[type: number, body: Buffer | "incomplete"]> {
  const { fragments, ended } = handshakeBytes(stream)
  for (let at = 0; at < fragments.length; ) {
    if (at + 4 > fragments.length) return
    const length = fragments.readUIntBE(at + 1, 3)
    if (at + 4 + length > fragments.length) {
      if (!ended) yield [fragments[at]!, "incomplete"]
      return
    }
    yield [fragments[at]!, fragments.subarray(at + 4, at + 4 + length)]
    at += 4 + length
  }
}

function handshakeBytes(stream: Buffer): { fragments: Buffer; ended: boolean } {
  const fragments: Buffer[] = []
  let at = 0
  while (at + 5 <= stream.length && stream[at] === RECORD_HANDSHAKE && stream[at + 1] === 3) {
    const length = stream.readUInt16BE(at + 3)
    fragments.push(stream.subarray(at + 5, at + 5 + length))
    at += 5 + length
  }
  return { fragments: Buffer.concat(fragments), ended: at + 1 <= stream.length && stream[at] !== RECORD_HANDSHAKE }
}

function readClientHello(reader: Reader): ResumptionOffer | undefined {
  reader.skip(2 + 32)
  const sessionId = reader.vector(1)
  reader.vector(2)
  reader.vector(1)
  const extensions = reader.vector(2)
  if (sessionId === undefined) return undefined
  let ticket: Buffer | undefined
  let pskIdentities: Buffer[] = []
  const fields = new Reader(extensions ?? Buffer.alloc(0))
  for (let type = fields.uint16(); type !== undefined; type = fields.uint16()) {
    const value = fields.vector(2)
    if (value === undefined) break
    if (type === EXTENSION_SESSION_TICKET && value.length > 0) ticket = value
    if (type === EXTENSION_PRE_SHARED_KEY) pskIdentities = readIdentities(new Reader(value))
  }
  return { pskIdentities, ticket, sessionId }
}

function readIdentities(reader: Reader): Buffer[] {
  const identities: Buffer[] = []
  const list = new Reader(reader.vector(2) ?? Buffer.alloc(0))
  for (let identity = list.vector(2); identity !== undefined; identity = list.vector(2)) {
    identities.push(identity)
    list.skip(4)
  }
  return identities
}

/** Reads fields of RFC 8446 §3; past the end everything is `undefined`. */
class Reader {
  #rest: Buffer

  constructor(bytes: Buffer) {
    this.#rest = bytes
  }

  skip(length: number): void {
    this.#rest = this.#rest.subarray(length)
  }

  uint16(): number | undefined {
    const bytes = this.#take(2)
    return bytes?.readUInt16BE()
  }

  vector(lengthSize: 1 | 2): Buffer | undefined {
    const length = this.#take(lengthSize)?.readUIntBE(0, lengthSize)
    return length === undefined ? undefined : this.#take(length)
  }

  #take(length: number): Buffer | undefined {
    if (this.#rest.length < length) {
      this.#rest = Buffer.alloc(0)
      return undefined
    }
    const taken = this.#rest.subarray(0, length)
    this.#rest = this.#rest.subarray(length)
    return taken
  }
}
