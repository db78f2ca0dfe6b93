import type { Hash } from "@conclave/crypto"
import { nodeIndex } from "../indexes.js"
import { lengthPrefix } from "./hashes.js"
import * as math from "./math.js"
import { isLeafNode, type PackedNodes, type TreeNode } from "./tree-nodes.js"

/*
 * A tree that has just come over the wire is verified as a whole. Where its fields stand in the bytes is noted when it is read, so
 * that a provider that can is given all of it at once, and nobody reads a node again for it.
 *
 * What is said here is only said of nodes that are as nearly all are. Others, and those that something is wrong with, are looked
 * at one by one, by the rules.
 */

/** Where the fields of nodes stand, as they are read. */
export class FieldPlaces {
  #words = new Uint32Array(16 * WORDS)

  /** `node`: its byte arrays are views into the array that the places are of. */
  note(index: number, node: TreeNode): void {
    const at = index * WORDS
    if (at + WORDS > this.#words.length) {
      const grown = new Uint32Array(Math.max(at + WORDS, 2 * this.#words.length))
      grown.set(this.#words)
      this.#words = grown
    }
    const words = this.#words
    if (!isLeafNode(node)) {
      words[at + UNMERGED] = node.unmergedLeaves.length
      words[at + PARENT_HASH] = node.parentHash.byteOffset
      words[at + LINK] = FIRST_LENGTH + node.parentHash.length
      return
    }
    const { leafNodeSource: source } = node
    if (source.type !== "commit") return
    words[at + PARENT_HASH] = source.parentHash.byteOffset
    words[at + LINK] = FIRST_LENGTH + source.parentHash.length
  }

  get words(): Uint32Array {
    return this.#words
  }
}

const WORDS = 3
/** For parents. */
const UNMERGED = 0
const PARENT_HASH = 1
/** What the node says of its parent: nothing, or a hash of this length and one. */
const LINK = 2
const FIRST_LENGTH = 1

/** The nodes of a tree as they came, and where their fields are. */
export class ReceivedNodes {
  readonly #packed: PackedNodes
  readonly #words: Uint32Array

  constructor(packed: PackedNodes, places: FieldPlaces) {
    this.#packed = packed
    this.#words = places.words
  }

  /**
   * RFC 9420 §7.9.2: 1 for each parent that was set in one UpdatePath with exactly one of its children, where neither it nor they have
   * unmerged leaves and none of the three is blank. Of others nothing is said. `hashes`: of all nodes, one behind the other.
   */
  linkedParents({ digestAll, size }: Pick<Required<Hash>, "digestAll" | "size">, hashes: Uint8Array): Uint8Array {
    const { bytes } = this.#packed
    const words = this.#words
    const prefix = lengthPrefix(size)
    const beside = new Uint8Array(prefix.length + hashes.length)
    beside.set(prefix)
    beside.set(hashes, prefix.length)
    const hashesAt = bytes.length + prefix.length
    const rows = new Rows(LINK_WORDS * this.#packed.length)
    const asked: number[] = []
    const ask = (child: number, sibling: number, start: number, length: number) => {
      if (words[child * WORDS + LINK]! !== FIRST_LENGTH + size) return
      rows.add(asked.length, 3, start, length, bytes.length, prefix.length, hashesAt + size * sibling, size)
      asked.push(child)
    }
    for (let node = 1; node < this.#packed.length; node += 2) {
      const [left, right] = [math.left(nodeIndex(node)), math.right(nodeIndex(node))]
      if (!this.#isAlone(node) || !this.#isAlone(left) || !this.#isAlone(right)) continue
      // The parent's key and its parent hash, which stand one behind the other.
      const start = this.#packed.contentAt(node)
      const length = words[node * WORDS + PARENT_HASH]! + words[node * WORDS + LINK]! - FIRST_LENGTH - start
      ask(left, right, start, length)
      ask(right, left, start, length)
    }
    const expected = digestAll({ memory: bytes, beside, rows: rows.all }, asked.length)
    const links = new Uint8Array(this.#packed.length)
    for (const [i, child] of asked.entries()) {
      const at = words[child * WORDS + PARENT_HASH]!
      if (isSame(bytes, at, expected, i * size, size)) links[math.parent(nodeIndex(child))]! += 1
    }
    return links
  }

  #isAlone(node: number): boolean {
    return this.#packed.has(node) && (node % 2 === 0 || this.#words[node * WORDS + UNMERGED] === 0)
  }
}

const LINK_WORDS = 8

/** Public values: the first difference decides. */
function isSame(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[aAt + i] !== b[bAt + i]) return false
  return true
}

/** Numbers of 32 bits, as many as there is room for. */
class Rows {
  readonly #words: Uint32Array
  #length = 0

  constructor(room: number) {
    this.#words = new Uint32Array(room)
  }

  add(...words: readonly number[]): void {
    for (const word of words) this.#words[this.#length++] = word
  }

  get all(): Uint32Array {
    return this.#words.subarray(0, this.#length)
  }
}
