import { BLOB_CHUNK_SIZE, blobHash } from "@conclave/contracts/blobs"
import type { DeliveryRequest, DeliveryResponse } from "@conclave/contracts/delivery"
import { type CryptoProvider, equalBytes } from "@conclave/crypto"
import { type AccessJudge, evidenceOf } from "./access.js"
import type { Admission, Asking } from "./admission.js"
import type { DeliveryLimits } from "./limits.js"
import type { RefusalKind } from "./refusals.js"
import { counted, done, forbidden, invalid, notFound, refused, refusedOf, throttled } from "./responses.js"
import type { BlobStore, BlobUse } from "./store/blob-store.js"
import type { Refusal, Refused, Store } from "./store/store.js"

export interface BlobsOptions {
  readonly store: Store
  /** `undefined`: none are kept. */
  readonly blobs: BlobStore | undefined
  readonly crypto: CryptoProvider
  readonly limits: DeliveryLimits
  readonly admission: Admission
  readonly judge: AccessJudge
  readonly onAccessRefusal: (refusal: Refused, asking: Asking) => void
  readonly onRefusal: (kind: RefusalKind) => void
}

export type BlobRequest = Extract<DeliveryRequest, { type: "createBlob" | "putBlob" | "readBlob" | "deleteBlob" }>
type Request<Type extends BlobRequest["type"]> = Extract<BlobRequest, { type: Type }>

export const isBlobRequest = (request: DeliveryRequest): request is BlobRequest =>
  ["createBlob", "putBlob", "readBlob", "deleteBlob"].includes(request.type)

/**
 * What is asked of blobs. Each request carries one chunk at most, and its answer is what asks for the next: neither side
 * holds more than that of one upload or download.
 */
export class Blobs {
  readonly #options: BlobsOptions

  constructor(options: BlobsOptions) {
    this.#options = options
  }

  async respond(request: BlobRequest, asking: Asking): Promise<DeliveryResponse> {
    const { blobs, admission } = this.#options
    if (blobs === undefined) return forbidden("this service keeps no blobs")
    const wait = admission.denialsWait(asking)
    if (wait !== undefined) return throttled(wait)
    switch (request.type) {
      case "createBlob":
        return this.#create(blobs, request, asking)
      case "putBlob":
        return this.#put(blobs, request, asking)
      case "readBlob":
        return this.#read(blobs, request, asking)
      case "deleteBlob":
        return this.#delete(blobs, request, asking)
    }
  }

  async #create(blobs: BlobStore, request: Request<"createBlob">, asking: Asking): Promise<DeliveryResponse> {
    const { limits, admission } = this.#options
    const { groupId, id, size, lifetimeSeconds, deletion } = request
    const { requester, now } = asking
    if (size > BigInt(limits.blobSizeMax)) return { type: "tooLarge", max: Math.min(limits.blobSizeMax, UINT32_MAX) }
    if (size < 1n || lifetimeSeconds < 1) return invalid("size and lifetimeSeconds: at least 1")
    const wait = admission.waiting("blobs", admission.rates.blob(requester, now))
    if (wait !== undefined) return throttled(wait)
    const refusal = await this.#accessRefusal(request, asking)
    if (refusal !== undefined) return refusal
    const lifetime = Math.min(lifetimeSeconds, limits.blobLifetimeSecondsMax) * 1000
    const created = await blobs.create({
      ...{ id, groupId, size, deletion },
      at: BigInt(now),
      until: BigInt(now + lifetime),
      wholeBefore: BigInt(now + Math.min(lifetime, PAUSE_MILLISECONDS)),
      admit: (group) => this.#room(blobs, { size: Number(size), group }, asking),
    })
    if (created.type === "blob") return created
    return created.type === "idReused" ? invalid("id: it was used for another blob") : refused(created)
  }

  async #put(blobs: BlobStore, request: Request<"putBlob">, asking: Asking): Promise<DeliveryResponse> {
    const { groupId, id, offset, bytes, hash } = request
    const { requester, now } = asking
    const { admission } = this.#options
    if (bytes.length > BLOB_CHUNK_SIZE) return { type: "tooLarge", max: BLOB_CHUNK_SIZE }
    // Also of one that came before: it costs the same to look at.
    const wait = admission.waiting("blobs", admission.rates.chunk(requester, now))
    if (wait !== undefined) return throttled(wait)
    const refusal = await this.#accessRefusal(request, asking)
    if (refusal !== undefined) return refusal
    const put = await blobs.put({
      ...{ id, groupId, offset: counted(offset), bytes, hash: this.#sha256(bytes), at: BigInt(now) },
      wholeBefore: BigInt(now + PAUSE_MILLISECONDS),
      isRight: hash && ((size, hashes) => equalBytes(hash, blobHash(this.#sha256, size, hashes))),
      admit: () => this.#serviceRoom(blobs, bytes.length),
    })
    switch (put.type) {
      case "blob":
        return put
      case "none":
        return notFound(groupId)
      case "misfit":
        return invalid(`bytes, hash: a chunk has ${BLOB_CHUNK_SIZE} bytes, and the last one, what is left and a hash`)
      case "wrongHash":
        return invalid("hash: the chunks have another; the blob is gone")
      default:
        return refused(put)
    }
  }

  async #read(blobs: BlobStore, request: Request<"readBlob">, { requester, now }: Asking): Promise<DeliveryResponse> {
    const { admission } = this.#options
    const length = Math.min(request.length, BLOB_CHUNK_SIZE)
    const cost = Math.max(length, READ_COST_MIN)
    const wait = admission.waiting("blobReads", admission.rates.blobRead(cost, requester, now))
    if (wait !== undefined) return throttled(wait)
    const read = await blobs.read({ id: request.id, offset: counted(request.offset), length, at: BigInt(now) })
    return read.type === "none" ? notFound(new Uint8Array()) : { ...read, type: "blobBytes" }
  }

  async #delete(blobs: BlobStore, { id, token }: Request<"deleteBlob">, asking: Asking): Promise<DeliveryResponse> {
    const { admission } = this.#options
    const wait = admission.waiting("blobs", admission.rates.blob(asking.requester, asking.now))
    if (wait !== undefined) return throttled(wait)
    const deleted = await blobs.delete({ id, deletion: this.#sha256(token), at: BigInt(asking.now) })
    if (deleted.type === "deleted") return done
    const groupId = new Uint8Array()
    if (deleted.type === "none") return notFound(groupId)
    const denied = { type: "denied", reason: "another token deletes this blob" } as const
    this.#options.onAccessRefusal(denied, asking)
    return refusedOf(groupId, denied)
  }

  /** A removal between this look and what follows it is no worse than a chunk that came a moment before it. */
  async #accessRefusal(
    request: Request<"createBlob" | "putBlob">,
    asking: Asking,
  ): Promise<DeliveryResponse | undefined> {
    const { store, judge, onAccessRefusal } = this.#options
    const standing = await store.standing(judge.writing(evidenceOf(request), BigInt(asking.now)))
    if (standing.type === "standing") return undefined
    onAccessRefusal(standing, asking)
    return refusedOf(request.groupId, standing)
  }

  /** The whole size is taken of the requester's share when the room is promised: promises alone must not fill a group. */
  #room(
    blobs: BlobStore,
    { size, group }: { readonly size: number; readonly group: BlobUse },
    asking: Asking,
  ): Refusal | undefined {
    const { limits, admission, onRefusal } = this.#options
    if (group.blobs >= limits.blobsPerGroupMax || group.bytes + BigInt(size) > BigInt(limits.blobBytesPerGroupMax)) {
      onRefusal("groupQuota")
      return { type: "quotaExceeded", of: "group" }
    }
    return this.#serviceRoom(blobs, size) ?? admission.blobBytes(size, blobs.usage(), asking)
  }

  #serviceRoom(blobs: BlobStore, size: number): Refusal | undefined {
    const { bytes, sizeMax } = blobs.usage()
    if (bytes + size <= sizeMax * BLOB_ROOM) return undefined
    this.#options.onRefusal("serviceQuota")
    return { type: "quotaExceeded", of: "service" }
  }

  readonly #sha256 = (...parts: readonly Uint8Array[]) => this.#options.crypto.hashes["SHA-256"]!.digest(...parts)
}

const UINT32_MAX = 0xffff_ffff
/** How long an upload may pause: what it has promised itself is free again after that. */
const PAUSE_MILLISECONDS = 3_600_000
/** Of the room: what is left beyond is for messages, where they lie in the same place. */
const BLOB_ROOM = 3 / 4
/** What a look takes at least of what a requester may read, in bytes. */
const READ_COST_MIN = 4_096
