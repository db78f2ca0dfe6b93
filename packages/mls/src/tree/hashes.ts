import { Writer } from "@conclave/codec"
import type { LeafIndex } from "../indexes.js"
import type { CipherSuite } from "../suite/suite.js"
import type { ParentNode } from "../wire.js"

/** RFC 9420 §7.8: the hash of a TreeHashInput with an encoded LeafNode, as it came. */
export function leafHash(suite: CipherSuite, index: LeafIndex, leaf: Uint8Array | undefined): Uint8Array {
  const head = new Uint8Array(6)
  head[0] = 1
  head[1] = index >>> 24
  head[2] = index >>> 16
  head[3] = index >>> 8
  head[4] = index
  head[5] = leaf === undefined ? 0 : 1
  return leaf === undefined ? suite.hash.digest(head) : suite.hash.digest(head, leaf)
}

/** RFC 9420 §7.8: the hash of a TreeHashInput with an encoded ParentNode. */
export function parentNodeHash(
  suite: CipherSuite,
  parent: Uint8Array | undefined,
  leftHash: Uint8Array,
  rightHash: Uint8Array,
): Uint8Array {
  const [left, right] = [lengthPrefix(leftHash.length), lengthPrefix(rightHash.length)]
  return parent === undefined
    ? suite.hash.digest(BLANK_PARENT, left, leftHash, right, rightHash)
    : suite.hash.digest(FILLED_PARENT, parent, left, leftHash, right, rightHash)
}

const BLANK_PARENT = new Uint8Array([2, 0])
const FILLED_PARENT = new Uint8Array([2, 1])

/** What stands in front of an `opaque<V>`. Hashes and keys have few lengths, and a large tree has many of them. */
export function lengthPrefix(length: number): Uint8Array {
  const known = lengthPrefixes.get(length)
  if (known !== undefined) return known
  const writer = new Writer(4)
  writer.varint(length)
  const prefix = writer.finish()
  if (lengthPrefixes.size < LENGTH_PREFIXES_MAX) lengthPrefixes.set(length, prefix)
  return prefix
}

const lengthPrefixes = new Map<number, Uint8Array>()
const LENGTH_PREFIXES_MAX = 64

/**
 * RFC 9420 §7.9: the parent hash of `parent` with the given copath child. `originalSiblingHash` must be the tree hash
 * of that child as it was when `parent` was set: see `originalTreeHash`.
 */
export function parentHash(suite: CipherSuite, parent: ParentNode, originalSiblingHash: Uint8Array): Uint8Array {
  const { encryptionKey, parentHash } = parent
  return suite.hash.digest(
    lengthPrefix(encryptionKey.length),
    encryptionKey,
    lengthPrefix(parentHash.length),
    parentHash,
    lengthPrefix(originalSiblingHash.length),
    originalSiblingHash,
  )
}
