/**
 * Opaque ciphertext that the service keeps for a while, too large for a log. A client uploads it in chunks, under an access
 * key of a group, whose quota it takes. It is read by whoever knows its id, and deleted by whoever knows its deletion token.
 */

/** Bytes of each chunk but the last, which has 1 to this many. Fixed, so that a blob cannot be made of tiny chunks. */
export const BLOB_CHUNK_SIZE = 262_144

/**
 * The hash that an upload ends with: SHA-256("Conclave blob" || uint64 size || SHA-256(chunk 0) || SHA-256(chunk 1) || ...),
 * 32 bytes. Made of the chunks' hashes, so that neither side has to keep or read again what it has already seen.
 */
export function blobHash(
  sha256: (...parts: readonly Uint8Array[]) => Uint8Array,
  size: bigint,
  chunkHashes: readonly Uint8Array[],
): Uint8Array {
  const length = new Uint8Array(8)
  new DataView(length.buffer).setBigUint64(0, size)
  return sha256(LABEL, length, ...chunkHashes)
}

const LABEL = new TextEncoder().encode("Conclave blob")
