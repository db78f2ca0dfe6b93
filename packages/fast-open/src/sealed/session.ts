/// <reference lib="esnext.disposable" preserve="true" />
import {
  type CryptoProvider,
  concat,
  type Hpke,
  type HpkeReceiver,
  hkdfExpand,
  hkdfExtract,
  hpke,
  wipe,
} from "@conclave/crypto"
import { FRAME_SIZE_MAX, frameBytes, KEY_SIZE } from "./wire.js"

/*
 * Keys of one connection, docs/fast-open.md §4. In the words of the Noise framework this is the pattern NK:
 *
 *   S  the server's key of the day     E  the client's, for this connection     Y  the server's, for this connection
 *
 *   DH(E, S) ── HPKE base mode ──┬─► frames of the first flight
 *                                └─► export ─┐
 *   DH(E, Y) ──────────────────────────── Extract ─► Expand "server …", "client …" over the transcript's hash
 */

const text = (words: string) => new TextEncoder().encode(words)
const INFO = text("conclave sealed 1")
const EXPORT = text("conclave sealed 1 reply")
const labels = {
  serverKey: text("conclave sealed 1 server key"),
  serverNonce: text("conclave sealed 1 server nonce"),
  clientKey: text("conclave sealed 1 client key"),
  clientNonce: text("conclave sealed 1 client nonce"),
}
const empty = new Uint8Array(0)

/** The algorithms of version 1: X25519, HKDF-SHA-256, AES-128-GCM. Throws `TypeError` where the provider lacks one. */
export class Suite {
  readonly provider: CryptoProvider
  readonly hpke: Hpke
  readonly #info
  readonly #hash
  readonly #aead
  readonly #group

  constructor(provider: CryptoProvider) {
    this.provider = provider
    this.hpke = hpke(provider, { kem: "X25519", kdf: "SHA-256", aead: "AES-128-GCM" })
    this.#info = this.hpke.prepareInfo(INFO)
    this.#hash = provider.hashes["SHA-256"]!
    this.#aead = provider.aeads["AES-128-GCM"]!
    this.#group = provider.groups.X25519!
  }

  /** Begins a first flight, sealed to `publicKey`. The 32 random bytes of `ephemeral` are the caller's to wipe. */
  startFlight(publicKey: Uint8Array, ephemeral: Uint8Array) {
    return this.hpke.setupSender(publicKey, { info: this.#info, ephemeral })
  }

  /** `undefined` where `kemOutput` is no public key. */
  openFlight(keys: { readonly privateKey: Uint8Array; readonly publicKey: Uint8Array }, kemOutput: Uint8Array) {
    return this.hpke.setupReceiver(keys.privateKey, { info: this.#info, kemOutput, publicKey: keys.publicKey })
  }

  /** The server's side: a fresh ephemeral key, and the channel that it opens. `undefined` for a low-order `kemOutput`. */
  answer(
    flight: HpkeReceiver,
    { kemOutput, sent, random }: { kemOutput: Uint8Array; sent: readonly Uint8Array[]; random: Uint8Array },
  ): { readonly ephemeral: Uint8Array; readonly channel: Channel } | undefined {
    const ephemeral = this.#group.publicKey(random)
    const shared = this.#group.diffieHellman(random, kemOutput)
    if (ephemeral === undefined || shared === undefined) return undefined
    const keys = this.#deriveKeys(flight.export(EXPORT, KEY_SIZE), shared, concat(...sent, ephemeral))
    return { ephemeral, channel: new Channel(this.#aead, { outgoing: keys.server, incoming: keys.client }) }
  }

  /** The client's half of what {@link accept} needs, which can be made while the answer is on its way. */
  prepare(exporter: { export(context: Uint8Array, length: number): Uint8Array }, seed: Uint8Array): Prepared {
    return { privateKey: this.hpke.deriveKeyPair(seed).privateKey, exported: exporter.export(EXPORT, KEY_SIZE) }
  }

  /** The client's side. `undefined` for an `ephemeral` that is no public key. Wipes what was prepared. */
  accept(
    { privateKey, exported }: Prepared,
    { ephemeral, sent }: { readonly ephemeral: Uint8Array; readonly sent: readonly Uint8Array[] },
  ): Channel | undefined {
    const shared = this.#group.diffieHellman(privateKey, ephemeral)
    wipe(privateKey)
    if (shared === undefined) return undefined
    const derived = this.#deriveKeys(exported, shared, concat(...sent, ephemeral))
    return new Channel(this.#aead, { outgoing: derived.client, incoming: derived.server })
  }

  #deriveKeys(exported: Uint8Array, shared: Uint8Array, transcript: Uint8Array) {
    const secret = hkdfExtract(this.#hash, exported, shared)
    const digest = this.#hash.digest(transcript)
    const expand = (label: Uint8Array, length: number) => hkdfExpand(this.#hash, secret, concat(label, digest), length)
    const { keySize, nonceSize } = this.#aead
    const server = { key: expand(labels.serverKey, keySize), nonce: expand(labels.serverNonce, nonceSize) }
    const client = { key: expand(labels.clientKey, keySize), nonce: expand(labels.clientNonce, nonceSize) }
    wipe(exported, shared, secret)
    return { server, client }
  }
}

export interface Prepared {
  readonly privateKey: Uint8Array
  readonly exported: Uint8Array
}

interface DirectionKeys {
  readonly key: Uint8Array
  readonly nonce: Uint8Array
}

type AeadOf = NonNullable<CryptoProvider["aeads"]["AES-128-GCM"]>

/** Frames in both directions under keys that die with the connection. Dispose it, and what was said stays unreadable. */
export class Channel implements Disposable {
  readonly #outgoing: Direction
  readonly #incoming: Direction

  constructor(aead: AeadOf, keys: { readonly outgoing: DirectionKeys; readonly incoming: DirectionKeys }) {
    this.#outgoing = new Direction(aead, keys.outgoing)
    this.#incoming = new Direction(aead, keys.incoming)
  }

  /** The frame's bytes for the wire. */
  seal(plaintext: Uint8Array): Uint8Array {
    return this.#outgoing.seal(plaintext)
  }

  /** `undefined` for what is not authentic, or not the next frame. */
  open(ciphertext: Uint8Array): Uint8Array | undefined {
    return this.#incoming.open(ciphertext)
  }

  [Symbol.dispose](): void {
    this.#outgoing.wipe()
    this.#incoming.wipe()
  }
}

/** Far below the limits of AES-GCM (2³² messages of this size), and more than a connection lives for. */
const FRAMES_MAX = 2 ** 31

class Direction {
  readonly #aead: AeadOf
  readonly #keys: DirectionKeys
  #sequence = 0
  #wiped = false

  constructor(aead: AeadOf, keys: DirectionKeys) {
    this.#aead = aead
    this.#keys = keys
  }

  seal(plaintext: Uint8Array): Uint8Array {
    const ciphertext = this.#aead.seal(this.#keys.key, this.#nextNonce(), plaintext, empty)
    if (ciphertext.length > FRAME_SIZE_MAX) throw new RangeError("a frame is too long")
    return frameBytes(ciphertext)
  }

  open(ciphertext: Uint8Array): Uint8Array | undefined {
    return this.#aead.open(this.#keys.key, this.#nextNonce(), ciphertext, empty)
  }

  wipe(): void {
    this.#wiped = true
    wipe(this.#keys.key, this.#keys.nonce)
  }

  #nextNonce(): Uint8Array {
    if (this.#wiped || this.#sequence >= FRAMES_MAX) throw new TypeError("the channel is closed")
    const nonce = this.#keys.nonce.slice()
    const view = new DataView(nonce.buffer)
    view.setUint32(nonce.length - 4, (view.getUint32(nonce.length - 4) ^ this.#sequence++) >>> 0)
    return nonce
  }
}
