import { isIPv6, type Socket } from "node:net"
import { DecodeError } from "@conclave/codec"
import { type HpkeSender, wipe } from "@conclave/crypto"
import { connect, tcpInfo } from "../sockets/index.js"
import { type OpeningFields, openingFrames } from "./opening.js"
import { readServerFrame } from "./server-connection.js"
import type { Channel, Prepared, Suite } from "./session.js"
import { SocketReader } from "./socket-reader.js"
import { type DayKey, FRAME_SIZE_MAX, frameBytes, KEY_SIZE, Status, TAG_SIZE, TOKEN_SIZE } from "./wire.js"

/** The service does not have the key that the flight was sealed to; said in the clear, so it proves nothing. */
export class UnknownKeyError extends Error {
  override readonly name = "UnknownKeyError"
}

export interface Flight {
  readonly key: DayKey
  readonly token: Uint8Array | undefined
  readonly opening: OpeningFields
  readonly body: Uint8Array
}

export interface Route {
  readonly host: string
  readonly port: number
  /** Whether the flight travels in the SYN. */
  readonly fast: boolean
}

export type ServerFrame = ReturnType<typeof readServerFrame>

/** One connection of a client: it sends its first flight when it is made. */
export class ClientConnection {
  readonly fast: boolean
  readonly #socket: Socket
  readonly #reader: SocketReader
  readonly #suite: Suite
  readonly #sender: HpkeSender
  readonly #seed: Uint8Array
  readonly #sent: readonly Uint8Array[]
  #channel: Channel | undefined
  #heard = false
  #prepared: Prepared | undefined
  #forgotten = false

  constructor(suite: Suite, flight: Flight, { host, port, fast }: Route) {
    this.fast = fast
    this.#suite = suite
    this.#seed = suite.provider.random(suite.hpke.kem.privateKeySize)
    this.#sender = suite.startFlight(flight.key.publicKey, this.#seed)
    const sealed = sealFlight(suite, flight, this.#sender)
    this.#sent = sealed.transcript
    this.#socket = connect({ host, port, ...keptAlive, ...(fast ? {} : ordinary(host)) })
    this.#reader = new SocketReader(this.#socket)
    // A fast connection says that it is connected before anything was heard.
    if (!fast) this.#socket.once("connect", () => this.#connected())
    this.#socket.write(sealed.bytes)
    // When the flight has left, the round trip is long enough for half of what the answer needs.
    this.#socket.once("connect", () => setImmediate(() => this.#prepare()))
  }

  /** The next frame of the server. Rejects where the line breaks, or the server is not the one that has the key. */
  async next(): Promise<ServerFrame> {
    this.#channel ??= await this.#readHello()
    const length = (await this.#reader.read(2)).readUInt16BE()
    if (length < TAG_SIZE || length > FRAME_SIZE_MAX) throw new DecodeError("a frame of an impossible length", 0)
    const plaintext = this.#channel.open(await this.#reader.read(length))
    if (plaintext === undefined) throw new DecodeError("a frame that is not authentic", 0)
    return readServerFrame(plaintext)
  }

  /** Asks inside the connection, under keys that nobody can replay. After the first frame of the server. */
  ask(opening: OpeningFields, body: Uint8Array): void {
    if (this.#channel === undefined) throw new TypeError("the server has not answered yet")
    this.#socket.cork()
    for (const plaintext of openingFrames(opening, body, false)) this.#socket.write(this.#channel.seal(plaintext))
    this.#socket.uncork()
  }

  /** Whether the server's kernel has taken the flight: then waiting is all that is left to do. */
  get arrived(): boolean {
    const info = tcpInfo(this.#socket)
    return info?.state === "established" && (!this.fast || info.synDataAccepted)
  }

  /** Whether the server's system has answered at all. */
  get reached(): boolean {
    const state = tcpInfo(this.#socket)?.state
    return this.#heard || (this.fast && state !== undefined && state !== "syn-sent" && state !== "closed")
  }

  get path(): { readonly roundTripMilliseconds: number; readonly synDataAccepted: boolean } | undefined {
    return tcpInfo(this.#socket)
  }

  close(): void {
    this.#socket.destroy()
    this.#channel?.[Symbol.dispose]()
    this.#forgetFlight()
  }

  #prepare(): Prepared | undefined {
    if (!this.#forgotten) this.#prepared ??= this.#suite.prepare(this.#sender, this.#seed)
    return this.#prepared
  }

  /** With these, the first flight could be read again. */
  #forgetFlight(): void {
    this.#forgotten = true
    this.#sender[Symbol.dispose]()
    wipe(this.#seed, this.#prepared?.privateKey, this.#prepared?.exported)
  }

  #connected(): void {
    this.#heard = true
  }

  async #readHello(): Promise<Channel> {
    const [status] = await this.#reader.read(1)
    if (status === Status.unknownKey) throw new UnknownKeyError("the service does not have this key")
    if (status !== Status.accepted) throw new DecodeError("an unknown status", 0)
    const ephemeral = await this.#reader.read(KEY_SIZE)
    const channel = this.#suite.accept(this.#prepare()!, { ephemeral, sent: this.#sent })
    this.#forgetFlight()
    if (channel === undefined) throw new DecodeError("a key of low order", 0)
    return channel
  }
}

/** A service that has vanished without a word is noticed within half a minute, and no path forgets the connection. */
const keptAlive = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 20_000 }

/** Binding to no address in particular draws a random port, where connecting alone would count upwards. */
function ordinary(host: string) {
  return { policy: "off" as const, localAddress: isIPv6(host) ? "::" : "0.0.0.0" }
}

/** A first flight as it travels, and the parts that both sides hash. */
export function sealFlight(
  suite: Suite,
  { key, token, opening, body }: Flight,
  sender: HpkeSender,
): { readonly bytes: Uint8Array; readonly transcript: readonly Uint8Array[] } {
  const address = token ?? suite.provider.random(TOKEN_SIZE)
  const keyId = new Uint8Array(4)
  new DataView(keyId.buffer).setUint32(0, key.id)
  const frames: Uint8Array[] = []
  for (const plaintext of openingFrames(opening, body, true)) {
    const authenticatedData = frames.length === 0 ? Buffer.concat([address, keyId]) : new Uint8Array(0)
    frames.push(frameBytes(sender.seal({ plaintext, authenticatedData })))
    wipe(plaintext)
  }
  const transcript = [address, keyId, sender.kemOutput, frames[0]!]
  return { bytes: Buffer.concat([...transcript, ...frames.slice(1)]), transcript }
}
