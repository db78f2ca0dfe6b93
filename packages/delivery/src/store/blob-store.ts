/// <reference lib="esnext.disposable" preserve="true" />
import type { GroupPage, Refusal, StoreUsage, Swept } from "./store.js"

/**
 * Where blobs are kept, apart from logs and inboxes: a file of its own, tables of its own, or somebody else's service. Whole
 * operations, each done entirely or not at all, and durable before its promise resolves. It holds one chunk in memory for
 * each operation under way, never a blob. Every implementation passes the same suite of tests.
 *
 * Rejects with `StoreUnavailable` when the operation could not be done now and left no trace.
 */
export interface BlobStore extends AsyncDisposable {
  /** One with the same id, group, size and deletion hash is repeated: what there is of it is the answer. */
  create(blob: NewBlob): Promise<StoredBlob | { readonly type: "idReused" } | Refusal>
  /** Adds the chunk that comes next. One that is not next changes nothing. */
  put(
    chunk: NewChunk,
  ): Promise<StoredBlob | NoBlob | { readonly type: "misfit" } | { readonly type: "wrongHash" } | Refusal>
  /** Of a blob that is whole: at most `length` bytes from `offset` on, up to the end of a chunk. */
  read(asked: BlobRange): Promise<BlobPart | NoBlob>
  /** Deletes for good where the hash of the deletion token is right; whole or not. */
  delete(asked: {
    readonly id: Uint8Array
    readonly deletion: Uint8Array
    readonly at: bigint
  }): Promise<{ readonly type: "deleted" } | { readonly type: "wrongToken" } | NoBlob>
  /** Groups that have blobs, in the order of their ids, after `after`. */
  groups(asked: GroupPage): Promise<readonly Uint8Array[]>
  /** Deletes for good all blobs of a group, at most `rowsMax` chunks of them at a time. */
  deleteOfGroup(groupId: Uint8Array, rowsMax: number): Promise<Swept>
  /** Deletes for good what is kept no longer at `at`, at most about `rowsMax` rows of a kind at a time. */
  sweep(due: { readonly at: bigint; readonly rowsMax: number }): Promise<Swept>
  /** How much is stored, about, together with what lies in the same place. */
  usage(): StoreUsage
}

export interface NewBlob {
  /** 32 bytes. */
  readonly id: Uint8Array
  readonly groupId: Uint8Array
  /** In bytes, at least 1. */
  readonly size: bigint
  /** SHA-256 of the deletion token. */
  readonly deletion: Uint8Array
  /** Unix times in milliseconds: now; kept until then; if it is not whole, until `wholeBefore`, which is not later. */
  readonly at: bigint
  readonly until: bigint
  readonly wholeBefore: bigint
  /** Asked when the blob would be created otherwise. Synchronous. */
  admit(group: BlobUse): Refusal | undefined
}

/** What the blobs of a group take of its quota, those that are not whole with all of their size. */
export interface BlobUse {
  readonly bytes: bigint
  readonly blobs: number
}

export interface NewChunk {
  readonly id: Uint8Array
  /** Of another group than this there is no such blob. */
  readonly groupId: Uint8Array
  readonly offset: bigint
  readonly bytes: Uint8Array
  /** SHA-256(bytes). */
  readonly hash: Uint8Array
  readonly at: bigint
  /** If the blob is not whole with it: it is kept until then, or for longer if it was to be before, but not beyond its `until`. */
  readonly wholeBefore: bigint
  /**
   * Asked with the hashes of all chunks when the blob would be whole otherwise; where it is `false`, the blob is deleted. The
   * request had no hash where this is `undefined`: fits every chunk but the last. Synchronous.
   */
  readonly isRight: ((size: bigint, chunkHashes: readonly Uint8Array[]) => boolean) | undefined
  /** Asked when the chunk would be stored otherwise. Synchronous. */
  admit(): Refusal | undefined
}

export interface BlobRange {
  readonly id: Uint8Array
  readonly at: bigint
  readonly offset: bigint
  readonly length: number
}

export interface StoredBlob {
  readonly type: "blob"
  /** A multiple of the chunk size; `size` if and only if the blob is whole. */
  readonly stored: bigint
  readonly size: bigint
  readonly until: bigint
}

export interface BlobPart {
  readonly type: "part"
  readonly size: bigint
  readonly bytes: Uint8Array
}

/** There is none, not for this group, or not any longer. */
export interface NoBlob {
  readonly type: "none"
}

/** Whether a chunk of this length belongs at this offset, with a hash or without. */
export function fits(
  { offset, bytes, isRight }: Pick<NewChunk, "offset" | "bytes" | "isRight">,
  size: bigint,
  chunkSize: number,
): boolean {
  if (offset >= size || offset % BigInt(chunkSize) !== 0n) return false
  const left = size - offset
  const isLast = left <= BigInt(chunkSize)
  return bytes.length === (isLast ? Number(left) : chunkSize) && (isRight !== undefined) === isLast
}

/** What of a range lies in its first chunk: which one, from where in it, and how much. */
export function inChunk({ offset, length }: Pick<BlobRange, "offset" | "length">, size: bigint, chunkSize: number) {
  const start = Number(offset % BigInt(chunkSize))
  const left = size > offset ? size - offset : 0n
  const most = Math.min(length, chunkSize - start)
  return { number: offset / BigInt(chunkSize), start, length: left < BigInt(most) ? Number(left) : most }
}
