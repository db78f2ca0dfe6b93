import type { NodeIndex } from "../indexes.js"
import { PAGE_SIZE, Pages, pageCount, pageOf, placeOn } from "./pages.js"

/**
 * The tree hashes of a tree's nodes, as far as they are known, in few pieces of memory: twenty thousand small arrays
 * would take ten times as much.
 */
export class NodeHashes {
  readonly #hashSize: number
  readonly #pages: Pages<HashPage>

  constructor(hashSize: number, nodeCount: number, pages?: Pages<HashPage>) {
    this.#hashSize = hashSize
    this.#pages = pages ?? new Pages(hashPages(hashSize))
    if (pages === undefined) this.resize(nodeCount)
  }

  copy(): NodeHashes {
    return new NodeHashes(this.#hashSize, 0, this.#pages.copy())
  }

  has(node: NodeIndex): boolean {
    return this.#pages.read(pageOf(node))?.known[placeOn(node)] === 1
  }

  /** A view, or `undefined` where the hash is not known. */
  get(node: NodeIndex): Uint8Array | undefined {
    const page = this.#pages.read(pageOf(node))
    if (page?.known[placeOn(node)] !== 1) return undefined
    const at = placeOn(node) * this.#hashSize
    return page.hashes.subarray(at, at + this.#hashSize)
  }

  set(node: NodeIndex, hash: Uint8Array): void {
    const page = this.#pages.write(pageOf(node))
    const place = placeOn(node)
    if (place >= page.known.length) reserve(page, place < FIRST_PLACES ? FIRST_PLACES : PAGE_SIZE, this.#hashSize)
    page.hashes.set(hash, place * this.#hashSize)
    page.known[place] = 1
  }

  /** Of all nodes, one behind the other. What is not known is anything. */
  all(nodeCount: number): Uint8Array {
    const all = new Uint8Array(nodeCount * this.#hashSize)
    const pageSize = PAGE_SIZE * this.#hashSize
    for (let at = 0, page = 0; at < all.length; at += pageSize, page++) {
      all.set(this.#pages.read(page)!.hashes.subarray(0, all.length - at), at)
    }
    return all
  }

  forget(node: NodeIndex): void {
    if (this.has(node)) this.#pages.write(pageOf(node)).known[placeOn(node)] = 0
  }

  /** More nodes at the right, whose hashes are not known, or fewer. */
  resize(nodeCount: number): void {
    this.#pages.resize(pageCount(nodeCount))
    const last = pageCount(nodeCount) - 1
    if (placeOn(nodeCount) !== 0) this.#pages.write(last).known.fill(0, placeOn(nodeCount))
  }
}

/** Both arrays have places for some of the page's nodes: each epoch of a group of two has a page, and copies it. */
interface HashPage {
  hashes: Uint8Array
  /** 1 where the hash is known. */
  known: Uint8Array
}

/** Of the page of a small group, before it has all. */
const FIRST_PLACES = 8

function reserve(page: HashPage, places: number, hashSize: number): void {
  const { hashes, known } = page
  page.hashes = new Uint8Array(places * hashSize)
  page.hashes.set(hashes)
  page.known = new Uint8Array(places)
  page.known.set(known)
}

const hashPages = (hashSize: number) => ({
  empty: (): HashPage => ({ hashes: new Uint8Array(FIRST_PLACES * hashSize), known: new Uint8Array(FIRST_PLACES) }),
  copy: ({ hashes, known }: HashPage): HashPage => ({ hashes: hashes.slice(), known: known.slice() }),
})
