import { BLOB_CHUNK_SIZE, blobHash } from "@conclave/contracts/blobs"
import type { CryptoProvider } from "@conclave/crypto"
import type { BlobContent, BlobOptions, BlobReading, BlobReference, Blobs, OwnBlob } from "../blobs.js"
import type { Conversation } from "../conversation.js"
import { ClientError } from "../errors.js"
import { branch } from "../service/branch.js"
import { type AnswerOf, type Asking, type Delivery, refusalOf } from "../service/delivery.js"
import type { Timers } from "../timers.js"
import { blobAead, KEY_SIZE, openPiece, PIECE_SIZE, pieceCount, piecesOf, sealedSize, sealPiece } from "./chunks.js"

export interface BlobsOptions {
  readonly delivery: Delivery
  readonly provider: CryptoProvider
  readonly random: (length: number) => Uint8Array
  readonly timers: Timers
  /** Unix time in milliseconds. */
  readonly now: () => number
  /** Ends whatever is under way. */
  readonly signal: AbortSignal
  /** By whose key the group is written to, and its id; `undefined` where this device is in none. */
  readonly groupOf: (conversation: Conversation) => Group | undefined
}

interface Uploading extends BlobContent {
  readonly onProgress: (bytes: number) => void
  readonly signal: AbortSignal
}

interface Group {
  readonly groupId: Uint8Array
  readonly prover: Asking["prover"]
}

/** A service that does not answer is asked again after 1 s, 2 s, 4 s, …: a bit more than two minutes in all. */
const TRIES = 8
const PAUSE_MILLISECONDS = 1_000
/** How long this device may take to read that another interval has begun. */
const DENIED_TRIES = 4
const LIFETIME_SECONDS_MAX = 0xffff_ffff

export class BlobClient implements Blobs {
  readonly #options: BlobsOptions

  constructor(options: BlobsOptions) {
    this.#options = options
  }

  async put(conversation: Conversation, { size, bytes }: BlobContent, options: BlobOptions = {}): Promise<OwnBlob> {
    if (!Number.isSafeInteger(size) || size < 0) throw new RangeError("size: a number of bytes")
    const { random, signal: closing } = this.#options
    const { lifetimeSeconds = LIFETIME_SECONDS_MAX, onProgress = () => {} } = options
    const [id, key, deletionToken] = [random(32), random(KEY_SIZE), random(32)]
    using waiting = branch(options.signal === undefined ? closing : AbortSignal.any([closing, options.signal]))
    const { signal } = waiting
    const total = BigInt(sealedSize(size))
    const blob = { id, size: total, lifetimeSeconds, deletion: this.#sha256(deletionToken) }
    const created = await this.#write(conversation, signal, (group, asking) =>
      this.#options.delivery.createBlob({ ...blob, groupId: group }, asking),
    )
    try {
      const until = await this.#upload(conversation, { id, key, total }, { size, bytes, onProgress, signal })
      return { id, key, size, deletionToken, until: new Date(Number(until ?? created.until)) }
    } catch (error) {
      // The group's quota is free again at once; where the service cannot be reached, an hour after the last piece.
      this.#options.delivery.deleteBlob(id, deletionToken, closing).catch(() => {})
      throw error
    }
  }

  /** Until when the service keeps it. */
  async #upload(
    conversation: Conversation,
    { id, key, total }: { readonly id: Uint8Array; readonly key: Uint8Array; readonly total: bigint },
    { size, bytes, onProgress, signal }: Uploading,
  ): Promise<bigint | undefined> {
    const aead = blobAead(this.#options.provider)
    const hashes: Uint8Array[] = []
    let until: bigint | undefined
    for await (const { number, isLast, plaintext } of piecesOf(bytes, size)) {
      const sealed = sealPiece(aead, key, plaintext, { number, isLast })
      hashes.push(this.#sha256(sealed))
      const hash = isLast ? blobHash(this.#sha256, total, hashes) : undefined
      const chunk = { id, offset: BigInt(number * BLOB_CHUNK_SIZE), bytes: sealed, hash }
      const stored = await this.#write(conversation, signal, (group, asking) =>
        this.#options.delivery.putBlob({ ...chunk, groupId: group }, asking),
      )
      // It says that it has not stored what comes next to what it had: what it had is gone, and here as well.
      if (stored.stored < chunk.offset + BigInt(sealed.length)) throw refused("the service has lost a part of the blob")
      until = stored.until
      onProgress(number * PIECE_SIZE + plaintext.length)
    }
    return until
  }

  async *get({ id, key, size }: BlobReference, options: BlobReading = {}): AsyncGenerator<Uint8Array> {
    const { offset = 0 } = options
    if (!Number.isSafeInteger(offset) || offset < 0) throw new RangeError("offset: a number of bytes")
    // It may be what a message said.
    if (!Number.isSafeInteger(size) || size < 0) throw refused("size: it is no number of bytes")
    const { provider, signal: closing } = this.#options
    const aead = blobAead(provider)
    using waiting = branch(options.signal === undefined ? closing : AbortSignal.any([closing, options.signal]))
    const last = pieceCount(size) - 1
    // Beyond the end the last piece is looked at all the same: whether there is one is part of what is promised.
    for (let number = Math.min(Math.floor(offset / PIECE_SIZE), last); number <= last; number++) {
      const sealed = await this.#chunk(id, { number, total: sealedSize(size) }, waiting.signal)
      const plaintext = openPiece(aead, key, sealed, { number, isLast: number === last })
      if (plaintext === undefined) throw refused("the blob is not what was uploaded")
      const piece = plaintext.subarray(Math.min(plaintext.length, Math.max(0, offset - number * PIECE_SIZE)))
      if (piece.length > 0) yield piece
    }
  }

  async delete(
    { id, deletionToken }: Pick<OwnBlob, "id" | "deletionToken">,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    const { delivery, signal: closing } = this.#options
    using waiting = branch(options.signal === undefined ? closing : AbortSignal.any([closing, options.signal]))
    const answer = await this.#again(waiting.signal, () => delivery.deleteBlob(id, deletionToken, waiting.signal))
    if (answer.type !== "done" && answer.type !== "notFound") throw refused(`the service said ${refusalOf(answer)}`)
  }

  /** One whole chunk: the service may give less of it at a time. */
  async #chunk(
    id: Uint8Array,
    { number, total }: { readonly number: number; readonly total: number },
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const start = number * BLOB_CHUNK_SIZE
    const chunk = new Uint8Array(Math.min(BLOB_CHUNK_SIZE, total - start))
    for (let filled = 0; filled < chunk.length; ) {
      const asked = { id, offset: BigInt(start + filled), length: chunk.length - filled }
      const answer = await this.#again(signal, () => this.#options.delivery.readBlob(asked, signal))
      if (answer.type !== "blobBytes") throw refused(`the service said ${refusalOf(answer)}`)
      const { bytes, size } = answer
      const isSound = size === BigInt(total) && bytes.length > 0 && bytes.length <= asked.length
      if (!isSound) throw refused("the blob is not what was uploaded")
      chunk.set(bytes, filled)
      filled += bytes.length
    }
    return chunk
  }

  /** With the newest key that this device has at each try: the conversation goes on while it uploads. */
  async #write(
    conversation: Conversation,
    signal: AbortSignal,
    ask: (groupId: Uint8Array, asking: Asking) => ReturnType<Delivery["createBlob"]>,
  ): Promise<AnswerOf<"blob">> {
    for (let denied = 0; ; ) {
      const group = this.#options.groupOf(conversation)
      if (group === undefined) throw new ClientError("NOT_A_MEMBER", "this device is not in the conversation")
      const { groupId, prover } = group
      const answer = await this.#again(signal, () => ask(groupId, { prover, signal }))
      if (answer.type === "blob") return answer
      if (answer.type !== "denied") throw refused(`the service said ${refusalOf(answer)}`)
      if (++denied === DENIED_TRIES) throw new ClientError("NOT_A_MEMBER", `the service said ${refusalOf(answer)}`)
      await this.#pause(PAUSE_MILLISECONDS, signal)
    }
  }

  async #again<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
    for (let tried = 1; ; tried++) {
      signal.throwIfAborted()
      try {
        return await ask()
      } catch (error) {
        const isPassing = error instanceof ClientError && error.code === "UNAVAILABLE"
        if (!isPassing || tried === TRIES) throw error
        const asked = (error.retryAt?.getTime() ?? 0) - this.#options.now()
        await this.#pause(Math.max(asked, PAUSE_MILLISECONDS * 2 ** (tried - 1)), signal)
      }
    }
  }

  #pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = () => {
        cancel()
        reject(signal.reason)
      }
      const cancel = this.#options.timers.after(milliseconds, () => {
        signal.removeEventListener("abort", abort)
        resolve()
      })
      signal.addEventListener("abort", abort, { once: true })
      if (signal.aborted) abort()
    })
  }

  readonly #sha256 = (...parts: readonly Uint8Array[]) => this.#options.provider.hashes["SHA-256"]!.digest(...parts)
}

const refused = (message: string) => new ClientError("REFUSED", message)
