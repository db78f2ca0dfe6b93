import type { Socket } from "node:net"
import { DecodeError, decode, encode } from "@conclave/codec"
import { type HpkeReceiver, wipe } from "@conclave/crypto"
import type { Requester } from "@conclave/transport"
import { CHUNK_COST, type Holding, readingTime } from "@conclave/transport/parts"
import type { AddressTokens } from "./address-tokens.js"
import type { Admission } from "./admission.js"
import type { Execution, Executions, Listening } from "./execution.js"
import type { RingKey, ServerKeys } from "./key-ring.js"
import { CONTENT_LIMITS, type OpeningFields, OpeningReader, paddedSize } from "./opening.js"
import type { Channel, Suite } from "./session.js"
import { abortSocket, LineBroken, SocketReader } from "./socket-reader.js"
import type { Decision, Strikes } from "./strikes.js"
import {
  FIRST_FRAME_SIZE_MAX,
  FLIGHT_SIZE_MAX,
  FRAME_CONTENT_MAX,
  FRAME_HEAD_SIZE,
  FRAME_SIZE_MAX,
  FrameHead,
  FrameType,
  frameBytes,
  HEADER_SIZE,
  isZero,
  KEY_ID_SIZE,
  Kind,
  padTo,
  Refusal,
  Status,
  Supply,
  TAG_SIZE,
  TOKEN_SIZE,
} from "./wire.js"

/** What connections of one server share. */
export interface ServerParts {
  readonly suite: Suite
  readonly keys: ServerKeys
  readonly tokens: AddressTokens
  readonly strikes: Strikes
  readonly admission: Admission
  readonly executions: Executions
  readonly mayRunEarly: (request: Uint8Array) => boolean
  readonly requestSizeMax: number
  readonly unreadTimeoutMilliseconds: number
  /** Whether one more first flight of the requester may be opened. */
  readonly mayOpen: (requester: Requester | undefined) => boolean
  /** What clients are told of the clock. */
  readonly now: () => number
}

const TOKENS_MAX = 8
const nothing = new Uint8Array(0)

/** What becomes of a first flight's request. */
type Early = Decision | "refused"

/** How long a client may take to hang up when everything is said. */
const LINGER_MILLISECONDS = 2000

interface Served {
  readonly parts: ServerParts
  /** Given back by the caller when the socket is closed. */
  readonly holding: Holding
  /** Is called with the kind when the request is there. */
  readonly asked: (kind: number) => void
}

/** Serves one connection to its end. Whatever the peer sends, it resolves, and the socket is closed. */
export async function serveConnection(socket: Socket, served: Served): Promise<void> {
  try {
    await new ServerConnection(socket, served).serve()
    socket.end()
    const timer = setTimeout(() => socket.destroy(), LINGER_MILLISECONDS)
    socket.once("close", () => clearTimeout(timer))
    socket.resume()
  } catch {
    // A flight that is truncated, altered, sealed to somebody else or not answerable: silence is the answer to all.
    abortSocket(socket)
  }
}

interface FirstFlight {
  readonly token: Buffer
  readonly keyId: Buffer
  readonly kemOutput: Buffer
  readonly frame: Buffer
}

class ServerConnection {
  readonly #socket: Socket
  readonly #reader: SocketReader
  readonly #parts: ServerParts
  readonly #asked: (kind: number) => void
  readonly #holding: Holding
  /** Goes out together with the first frame: one segment where it fits. */
  #hello: Buffer | undefined
  #supplied = false

  constructor(socket: Socket, { parts, holding, asked }: Served) {
    this.#asked = asked
    this.#holding = holding
    this.#socket = socket
    // A request is in memory until its connection has ended.
    this.#reader = new SocketReader(socket, (bytes) => holding.take("received", bytes + CHUNK_COST))
    this.#parts = parts
  }

  async serve(): Promise<void> {
    await this.#reader.something()
    const begun = this.#reader.peek(FLIGHT_SIZE_MAX)
    const token = isWholeFlight(begun) ? begun.subarray(0, TOKEN_SIZE) : undefined
    if (!(await this.#parts.admission.admit(this.#socket, token))) throw new LineBroken("not admitted")
    if (!this.#parts.mayOpen(this.#holding.requester)) throw new LineBroken("too many flights")
    const flight = await this.#readFlight()
    const key = this.#parts.keys.find(flight.keyId.readUInt32BE())
    if (key === undefined) {
      await this.#write(Uint8Array.of(Status.unknownKey))
      return
    }
    using sealed = this.#parts.suite.openFlight(key, flight.kemOutput)
    if (sealed === undefined) throw new LineBroken("not authentic")
    const opening = await this.#readOpening(sealed, flight)
    // What may run begins to; the server's key is made meanwhile, where the service or the register has to wait.
    const deciding = opening === "too large" ? opening : this.#decideEarly(opening, key)
    using channel = this.#answer(sealed, flight)
    const early = await deciding
    if (early === "too large" || opening === "too large")
      await this.#send(channel, FrameType.refused, Uint8Array.of(Refusal.tooLarge))
    else await this.#respond(channel, { opening, early })
  }

  async #readFlight(): Promise<FirstFlight> {
    const header = await this.#reader.read(HEADER_SIZE)
    return {
      token: header.subarray(0, TOKEN_SIZE),
      keyId: header.subarray(TOKEN_SIZE, TOKEN_SIZE + KEY_ID_SIZE),
      kemOutput: header.subarray(TOKEN_SIZE + KEY_ID_SIZE),
      frame: await this.#readFrame(FIRST_FRAME_SIZE_MAX),
    }
  }

  async #readFrame(lengthMax: number): Promise<Buffer> {
    const length = (await this.#reader.read(2)).readUInt16BE()
    if (length < TAG_SIZE || length > lengthMax) throw new RangeError("a frame of an impossible length")
    return this.#reader.read(length)
  }

  async #readOpening(sealed: HpkeReceiver, { token, keyId, frame }: FirstFlight): Promise<OpeningReader | "too large"> {
    const first = sealed.open({ ciphertext: frame, authenticatedData: Buffer.concat([token, keyId]) })
    if (first === undefined) throw new LineBroken("not authentic")
    const opening = new OpeningReader(first)
    if (opening.fields.bodyLength > this.#parts.requestSizeMax) return "too large"
    while (!opening.complete) {
      const ciphertext = await this.#readFrame(FRAME_SIZE_MAX)
      const plaintext = sealed.open({ ciphertext, authenticatedData: nothing })
      if (plaintext === undefined) throw new LineBroken("not authentic")
      opening.add(plaintext)
    }
    return opening
  }

  #answer(sealed: HpkeReceiver, { token, keyId, kemOutput, frame }: FirstFlight): Channel {
    const random = this.#parts.suite.provider.random(32)
    const sent = [token, keyId, kemOutput, frameBytes(frame)]
    const answer = this.#parts.suite.answer(sealed, { kemOutput, sent, random })
    wipe(random)
    if (answer === undefined) throw new LineBroken("a key of low order")
    this.#hello = Buffer.concat([Uint8Array.of(Status.accepted), answer.ephemeral])
    return answer.channel
  }

  async #respond(channel: Channel, { opening, early }: { opening: OpeningReader; early: Early }): Promise<void> {
    if (early === "refused") return this.#send(channel, FrameType.refused, Uint8Array.of(Refusal.forbidden))
    if (early !== "again") return this.#stream(channel, opening.fields, early)

    this.#supply(channel, opening.fields)
    await this.#send(channel, FrameType.again)
    const fresh = await this.#readFresh(channel)
    if (fresh === "too large") return this.#send(channel, FrameType.refused, Uint8Array.of(Refusal.tooLarge))
    await this.#stream(channel, fresh.fields, await this.#runFresh(fresh))
  }

  /** RFC 8446 §8 in spirit: a first flight runs where it is surely the first of its kind, and nowhere else. */
  #decideEarly({ fields, body }: OpeningReader, key: RingKey): Early | Promise<Early> {
    if (fields.kind === Kind.hello) return "again"
    if (key.pinned || fields.kind > Kind.subscription) return "refused"
    if (!this.#parts.mayRunEarly(body)) return "again"
    const flown = { requestId: fields.requestId, time: Number(fields.time), key }
    return this.#parts.strikes.early(flown, () => this.#start(fields, body, true))
  }

  /** It was asked under keys of this connection alone, so it is no replay; it may still have run from a first flight. */
  #runFresh({ fields, body }: OpeningReader): Promise<Execution | "spent"> {
    return this.#parts.strikes.fresh(fields.requestId, () => this.#start(fields, body, false))
  }

  #start({ requestId, kind }: OpeningFields, body: Uint8Array, early: boolean): Execution {
    const subscription = kind === Kind.subscription
    return this.#parts.executions.start({ requestId, body, early, subscription, ...this.#holding.requester })
  }

  async #readFresh(channel: Channel): Promise<OpeningReader | "too large"> {
    let opening: OpeningReader | undefined
    while (!opening?.complete) {
      const plaintext = channel.open(await this.#readFrame(FRAME_SIZE_MAX))
      if (plaintext === undefined) throw new LineBroken("not authentic")
      if (opening) opening.add(plaintext)
      else opening = new OpeningReader(plaintext)
      if (opening.fields.bodyLength > this.#parts.requestSizeMax) return "too large"
    }
    const { kind } = opening.fields
    if (kind !== Kind.request && kind !== Kind.subscription) throw new RangeError("nothing was asked")
    return opening
  }

  async #stream(channel: Channel, fields: OpeningFields, execution: Execution | "spent"): Promise<void> {
    this.#asked(fields.kind)
    const listening = execution === "spent" ? undefined : execution.listen(this.#holding.requester?.peer)
    if (listening === undefined) return this.#send(channel, FrameType.refused, Uint8Array.of(Refusal.spent))
    this.#socket.once("close", () => listening.leave())
    // Nothing more may come from the client: reading on is how its leaving is noticed.
    this.#reader.complete()
    // The subscriber hears at once that it was heard.
    if (fields.kind === Kind.subscription) this.#supply(channel, fields)
    try {
      await this.#sendResponses(channel, fields, listening)
    } catch (error) {
      if (error instanceof LineBroken || error instanceof TypeError) throw error
      await this.#send(channel, FrameType.refused, Uint8Array.of(Refusal.failed))
    } finally {
      listening.leave()
    }
  }

  async #sendResponses(channel: Channel, fields: OpeningFields, { responses }: Listening): Promise<void> {
    for await (const response of responses) {
      const cost = response.length + CHUNK_COST
      if (!this.#holding.take("unsent", cost)) throw new LineBroken("too much that is not read")
      this.#socket.cork()
      let at = 0
      for (; response.length - at > FRAME_CONTENT_MAX; at += FRAME_CONTENT_MAX) {
        this.#queue(channel, FrameType.part, response.subarray(at, at + FRAME_CONTENT_MAX))
      }
      this.#queue(channel, FrameType.message, response.subarray(at))
      // The response leaves before what can wait is made.
      this.#socket.uncork()
      this.#socket.cork()
      this.#supply(channel, fields)
      if (fields.kind === Kind.request) this.#queue(channel, FrameType.end)
      this.#socket.uncork()
      await this.#drained()
      this.#holding.give("unsent", cost)
      if (fields.kind === Kind.request) return
    }
    await this.#send(channel, FrameType.end)
  }

  /** Once in each connection, behind what is urgent. */
  #supply(channel: Channel, { tokensWanted }: OpeningFields): void {
    const address = this.#socket.remoteAddress
    if (this.#supplied || address === undefined) return
    this.#supplied = true
    const { keys, tokens, now } = this.#parts
    const count = Math.min(tokensWanted, TOKENS_MAX)
    const content = encode(Supply, {
      time: BigInt(Math.floor(now())),
      keys: keys.publicKeys(),
      tokens: tokens.issueMany(address, count),
    })
    // As long with tokens as without: nobody is to see who has run out of them.
    const lengthMin = content.length + (TOKENS_MAX - count) * TOKEN_SIZE
    this.#queue(channel, FrameType.supply, content, lengthMin)
  }

  async #send(channel: Channel, type: number, content?: Uint8Array): Promise<void> {
    this.#queue(channel, type, content)
    await this.#drained()
  }

  #queue(channel: Channel, type: number, content: Uint8Array = nothing, lengthMin = content.length): void {
    if (this.#socket.destroyed) throw new LineBroken("the client has left")
    const head = encode(FrameHead, { type, contentLength: content.length })
    const frame = channel.seal(padTo(paddedSize(FRAME_HEAD_SIZE + lengthMin, CONTENT_LIMITS), head, content))
    this.#socket.write(this.#hello ? Buffer.concat([this.#hello, frame]) : frame)
    this.#hello = undefined
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#socket.write(bytes)
    await this.#drained()
  }

  /** A client that does not read must not fill the server's memory. Resolves as well when the client has left. */
  #drained(): Promise<void> {
    const socket = this.#socket
    if (!socket.writableNeedDrain) return Promise.resolve()
    return new Promise((resolve) => {
      const patience = readingTime(socket.writableLength, this.#parts.unreadTimeoutMilliseconds)
      const timer = setTimeout(() => {
        this.#holding.refused("unread")
        abortSocket(socket)
      }, patience)
      const done = () => {
        clearTimeout(timer)
        socket.removeListener("drain", done)
        socket.removeListener("close", done)
        resolve()
      }
      socket.once("drain", done)
      socket.once("close", done)
    })
  }
}

/** Whether nothing more has to come before the flight can be opened: only then is a token of use. */
function isWholeFlight(begun: Buffer): boolean {
  return begun.length >= HEADER_SIZE + 2 && begun.length >= HEADER_SIZE + 2 + begun.readUInt16BE(HEADER_SIZE)
}

/**
 * For the client: a server's frame taken apart.
 * @throws {DecodeError} where the content does not fit, or anything but zeros follows it
 */
export function readServerFrame(plaintext: Uint8Array): { readonly type: number; readonly content: Uint8Array } {
  const { type, contentLength } = decode(FrameHead, plaintext.subarray(0, FRAME_HEAD_SIZE))
  const end = FRAME_HEAD_SIZE + contentLength
  if (end > plaintext.length) throw new DecodeError("a content that is longer than its frame", FRAME_HEAD_SIZE)
  if (!isZero(plaintext.subarray(end))) throw new DecodeError("padding that is not zero", end)
  const content = plaintext.subarray(FRAME_HEAD_SIZE, end)
  return { type, content }
}
