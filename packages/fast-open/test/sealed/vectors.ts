import { createHash } from "node:crypto"
import { encode } from "@conclave/codec"
import { type CryptoProvider, wipe } from "@conclave/crypto"
import { nodeProvider } from "@conclave/crypto/node"
import { sealFlight } from "../../src/sealed/client-connection.js"
import { CONTENT_LIMITS, openingFrames, paddedSize } from "../../src/sealed/opening.js"
import { Suite } from "../../src/sealed/session.js"
import { FRAME_HEAD_SIZE, FrameHead, FrameType, Kind, padTo } from "../../src/sealed/wire.js"

/** One exchange, all of whose random bytes are given. Bytes are in hexadecimal. */
export interface Vector {
  readonly description: string
  readonly serverPrivateKey: string
  readonly serverPublicKey: string
  readonly keyId: number
  readonly token: string
  readonly ephemeralSeed: string
  readonly kind: number
  readonly tokensWanted: number
  readonly requestId: string
  readonly time: number
  readonly body: string
  readonly flight: string
  readonly serverEphemeralPrivateKey: string
  readonly response: string
  /** The status, the server's ephemeral key, and one frame of the type message. */
  readonly reply: string
  /** The same opening and body again, under the connection's own keys. */
  readonly asked: string
}

const base = nodeProvider()
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
export const unhex = (text: string) => new Uint8Array(Buffer.from(text, "hex"))
const derived = (label: string, length: number) =>
  Uint8Array.from(
    { length },
    (_, n) =>
      createHash("sha256")
        .update(`${label} ${n >> 5}`)
        .digest()[n & 31]!,
  )

/** A provider whose random bytes are `bytes`, once. */
export function scripted(bytes: Uint8Array): CryptoProvider {
  return { ...base, random: () => bytes.slice() }
}

export function makeVectors(): Vector[] {
  return [
    makeVector("an empty greeting", Kind.hello, 0),
    makeVector("a request that fits the smallest bucket", Kind.request, 100),
    makeVector("a request that fills the first flight", Kind.request, 1084),
    makeVector("a request that goes on behind the first flight", Kind.request, 1500),
    makeVector("a subscription", Kind.subscription, 40),
  ]
}

function makeVector(description: string, kind: number, length: number): Vector {
  const suite = new Suite(base)
  const serverPrivateKey = derived("server", 32)
  const serverPublicKey = suite.hpke.publicKey(serverPrivateKey)
  const seed = derived(`${description} seed`, 32)
  const keyId = 0x01020304
  const token = derived(`${description} token`, 32)
  const requestId = derived(`${description} id`, 16)
  const body = derived(`${description} body`, length)
  const time = 1_777_636_800_000
  const opening = { kind, tokensWanted: 8, requestId, time: BigInt(time), bodyLength: length }

  const sender = suite.startFlight(serverPublicKey, seed.slice())
  const key = { id: keyId, publicKey: serverPublicKey, useUntil: 0n }
  const { bytes: flight, transcript: sent } = sealFlight(suite, { key, token, opening, body }, sender)

  const serverEphemeralPrivateKey = derived(`${description} server ephemeral`, 32)
  const receiver = suite.openFlight({ privateKey: serverPrivateKey, publicKey: serverPublicKey }, sender.kemOutput)!
  const random = serverEphemeralPrivateKey.slice()
  const answer = suite.answer(receiver, { kemOutput: sender.kemOutput, sent, random })!
  wipe(random)
  const response = derived(`${description} response`, 50)
  const frame = answer.channel.seal(messageFrame(response))
  const channel = suite.accept(suite.prepare(sender, seed), { ephemeral: answer.ephemeral, sent })!
  const asked = [...openingFrames(opening, body, false)].map((plaintext) => channel.seal(plaintext))

  return {
    description,
    serverPrivateKey: hex(serverPrivateKey),
    serverPublicKey: hex(serverPublicKey),
    keyId,
    token: hex(token),
    ephemeralSeed: hex(seed),
    kind,
    tokensWanted: 8,
    requestId: hex(requestId),
    time,
    body: hex(body),
    flight: hex(flight),
    serverEphemeralPrivateKey: hex(serverEphemeralPrivateKey),
    response: hex(response),
    reply: hex(Buffer.concat([Uint8Array.of(0), answer.ephemeral, frame])),
    asked: hex(Buffer.concat(asked)),
  }
}

export function messageFrame(response: Uint8Array): Uint8Array {
  const head = encode(FrameHead, { type: FrameType.message, contentLength: response.length })
  return padTo(paddedSize(FRAME_HEAD_SIZE + response.length, CONTENT_LIMITS), head, response)
}
