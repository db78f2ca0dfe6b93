import { BLOB_CHUNK_SIZE } from "@conclave/contracts/blobs"
import { equalBytes } from "@conclave/crypto"
import {
  type BlobPart,
  type BlobRange,
  type BlobStore,
  fits,
  inChunk,
  type NewBlob,
  type NewChunk,
  type NoBlob,
  type StoredBlob,
} from "./blob-store.js"
import { groupsAmong, key } from "./memory-state.js"
import type { GroupPage, Refusal, StoreUsage, Swept } from "./store.js"

/** The reference model of a blob store, for comparing with and for tests that need no disk. */
export function memoryBlobStore(): BlobStore {
  return new MemoryBlobStore()
}

interface Blob extends Pick<NewBlob, "groupId" | "size" | "deletion" | "until"> {
  wholeBefore: bigint
  readonly chunks: Pick<NewChunk, "bytes" | "hash">[]
}

const none: NoBlob = { type: "none" }

class MemoryBlobStore implements BlobStore {
  readonly #blobs = new Map<string, Blob>()

  async create(blob: NewBlob): Promise<StoredBlob | { readonly type: "idReused" } | Refusal> {
    const { id, groupId, size, deletion, until, wholeBefore, at } = blob
    const known = this.#blobs.get(key(id))
    if (known !== undefined) {
      const isSame = equalBytes(known.groupId, groupId) && equalBytes(known.deletion, deletion) && known.size === size
      return isSame && isKept(known, at) ? stateOf(known) : { type: "idReused" }
    }
    const ofGroup = [...this.#blobs.values()].filter((it) => equalBytes(it.groupId, groupId))
    const refusal = blob.admit({ bytes: ofGroup.reduce((sum, it) => sum + it.size, 0n), blobs: ofGroup.length })
    if (refusal !== undefined) return refusal
    const created = { groupId, size, deletion, until, wholeBefore, chunks: [] }
    this.#blobs.set(key(id), created)
    return stateOf(created)
  }

  async put(chunk: NewChunk) {
    const blob = this.#kept(chunk.id, chunk.at)
    if (blob === undefined || !equalBytes(blob.groupId, chunk.groupId)) return none
    if (!fits(chunk, blob.size, BLOB_CHUNK_SIZE)) return { type: "misfit" } as const
    if (chunk.offset !== storedOf(blob)) return stateOf(blob)
    const refusal = chunk.admit()
    if (refusal !== undefined) return refusal
    const hashes = [...blob.chunks.map(({ hash }) => hash), chunk.hash]
    if (chunk.isRight?.(blob.size, hashes) === false) {
      this.#blobs.delete(key(chunk.id))
      return { type: "wrongHash" } as const
    }
    blob.chunks.push({ bytes: chunk.bytes.slice(), hash: chunk.hash })
    blob.wholeBefore = smaller(blob.until, larger(blob.wholeBefore, chunk.wholeBefore))
    return stateOf(blob)
  }

  async read({ id, at, offset, length }: BlobRange): Promise<BlobPart | NoBlob> {
    const blob = this.#kept(id, at)
    if (blob === undefined || !isWhole(blob)) return none
    const { size } = blob
    const asked = inChunk({ offset, length }, size, BLOB_CHUNK_SIZE)
    const bytes = blob.chunks[Number(asked.number)]?.bytes ?? new Uint8Array()
    return { type: "part", size, bytes: bytes.slice(asked.start, asked.start + asked.length) }
  }

  async delete({ id, deletion, at }: { id: Uint8Array; deletion: Uint8Array; at: bigint }) {
    const blob = this.#kept(id, at)
    if (blob === undefined) return none
    if (!equalBytes(blob.deletion, deletion)) return { type: "wrongToken" } as const
    this.#blobs.delete(key(id))
    return { type: "deleted" } as const
  }

  async groups({ after, limit }: GroupPage): Promise<readonly Uint8Array[]> {
    return groupsAmong(this.#blobs.values(), { after, limit })
  }

  async deleteOfGroup(groupId: Uint8Array): Promise<Swept> {
    return this.#deleteWhere((blob) => equalBytes(blob.groupId, groupId))
  }

  async sweep({ at }: { readonly at: bigint }): Promise<Swept> {
    return this.#deleteWhere((blob) => !isKept(blob, at))
  }

  #deleteWhere(isDue: (blob: Blob) => boolean): Swept {
    const due = [...this.#blobs].filter(([, blob]) => isDue(blob))
    for (const [name] of due) this.#blobs.delete(name)
    return { rows: due.length, more: false }
  }

  usage(): StoreUsage {
    const bytes = [...this.#blobs.values()].reduce((sum, blob) => sum + Number(storedOf(blob)), 0)
    return { bytes, sizeMax: Number.POSITIVE_INFINITY }
  }

  #kept(id: Uint8Array, at: bigint): Blob | undefined {
    const blob = this.#blobs.get(key(id))
    return blob !== undefined && isKept(blob, at) ? blob : undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

const smaller = (a: bigint, b: bigint) => (a < b ? a : b)
const larger = (a: bigint, b: bigint) => (a > b ? a : b)
const storedOf = ({ chunks }: Blob) => BigInt(chunks.reduce((sum, { bytes }) => sum + bytes.length, 0))
const isWhole = (blob: Blob) => storedOf(blob) === blob.size
const isKept = (blob: Blob, at: bigint) => at < (isWhole(blob) ? blob.until : blob.wholeBefore)
const stateOf = (blob: Blob): StoredBlob => {
  const { size, until } = blob
  return { type: "blob", stored: storedOf(blob), size, until }
}
