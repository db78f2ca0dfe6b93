import type { NodeIndex } from "../indexes.js"

/**
 * The tree hashes of a tree's nodes, as far as they are known, in one piece of memory: twenty thousand small arrays
 * would take ten times as much.
 */
export class NodeHashes {
  readonly #hashSize: number
  #bytes: Uint8Array
  /** 1 where the hash is known. */
  #known: Uint8Array

  constructor(hashSize: number, nodeCount: number) {
    this.#hashSize = hashSize
    this.#bytes = new Uint8Array(hashSize * nodeCount)
    this.#known = new Uint8Array(nodeCount)
  }

  copy(): NodeHashes {
    const copy = new NodeHashes(this.#hashSize, 0)
    copy.#bytes = this.#bytes.slice()
    copy.#known = this.#known.slice()
    return copy
  }

  has(node: NodeIndex): boolean {
    return this.#known[node] === 1
  }

  /** A view, or `undefined` where the hash is not known. */
  get(node: NodeIndex): Uint8Array | undefined {
    if (this.#known[node] !== 1) return undefined
    const at = node * this.#hashSize
    return this.#bytes.subarray(at, at + this.#hashSize)
  }

  set(node: NodeIndex, hash: Uint8Array): void {
    this.#bytes.set(hash, node * this.#hashSize)
    this.#known[node] = 1
  }

  forget(node: NodeIndex): void {
    this.#known[node] = 0
  }

  /** More nodes at the right, whose hashes are not known, or fewer. */
  resize(nodeCount: number): void {
    this.#bytes = resized(this.#bytes, nodeCount * this.#hashSize)
    this.#known = resized(this.#known, nodeCount)
  }
}

function resized(bytes: Uint8Array, length: number): Uint8Array {
  if (length <= bytes.length) return bytes.slice(0, length)
  const longer = new Uint8Array(length)
  longer.set(bytes)
  return longer
}
