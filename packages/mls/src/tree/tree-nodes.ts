import { DecodeError, encode, Reader, type Registries, Writer, written } from "@conclave/codec"
import { type Sliced, toEnd } from "../slices.js"
import { LeafNode, Node, OptionalNode, ParentNode } from "../wire.js"
import { PagedArray } from "./pages.js"

export type TreeNode = LeafNode | ParentNode

/**
 * The nodes of a tree by their index. Those that came over the wire or out of a store stay as they came, and are read
 * again whenever one is asked for: ten thousand leaves as objects take seven times the memory of their bytes, most
 * operations touch a dozen of them, and hashing and sending a tree need nothing but the bytes.
 */
export class TreeNodes {
  readonly #nodes: PagedArray<TreeNode | typeof PACKED>
  readonly #packed: PackedNodes | undefined

  private constructor(nodes: PagedArray<TreeNode | typeof PACKED>, packed: PackedNodes | undefined) {
    this.#nodes = nodes
    this.#packed = packed
  }

  /** `packed` may end before `count`: what is not there is blank. `read`: those that are not to be read again. */
  static of(packed: PackedNodes, count: number, read: readonly (TreeNode | undefined)[] = []): TreeNodes {
    const nodes: (TreeNode | typeof PACKED | undefined)[] = []
    for (let i = 0; i < count; i++) nodes.push(packed.has(i) ? (read[i] ?? PACKED) : undefined)
    return new TreeNodes(PagedArray.of(nodes), packed)
  }

  static blank(count: number): TreeNodes {
    return new TreeNodes(PagedArray.of(new Array(count).fill(undefined)), undefined)
  }

  /** Both go on as if they were alone. */
  copy(): TreeNodes {
    return new TreeNodes(this.#nodes.copy(), this.#packed)
  }

  get length(): number {
    return this.#nodes.length
  }

  /** Whatever is added is blank. */
  resize(count: number): void {
    this.#nodes.resize(count)
  }

  has(index: number): boolean {
    return this.#nodes.get(index) !== undefined
  }

  get(index: number): TreeNode | undefined {
    const node = this.#nodes.get(index)
    return node === PACKED ? this.#packed!.read(index) : node
  }

  /** Like {@link get}, for a node that will be asked for again: it is read only once. */
  keep(index: number): TreeNode | undefined {
    const node = this.#nodes.get(index)
    if (node !== PACKED) return node
    const read = this.#packed!.read(index)
    this.#nodes.replaceEverywhere(index, read)
    return read
  }

  set(index: number, node: TreeNode | undefined): void {
    this.#nodes.set(index, node)
  }

  /** The encoding of the LeafNode or ParentNode; a view, perhaps. */
  encoding(index: number): Uint8Array | undefined {
    const node = this.#nodes.get(index)
    if (node === PACKED) return this.#packed!.content(index)
    if (node === undefined) return undefined
    return isLeafNode(node) ? LeafNode.bytesOf(node) : encode(ParentNode, node)
  }

  /** The encoding of the Node. */
  encodedNode(index: number): Uint8Array | undefined {
    const node = this.#nodes.get(index)
    if (node === PACKED) return this.#packed!.node(index).slice()
    return node && encode(Node, wireNode(node)!)
  }

  /** The value of a `ratchet_tree` extension (RFC 9420 §12.4.3.3). */
  encode(): Uint8Array {
    const size = this.#packed?.size ?? 0
    if (size > LENT_SIZE_MAX) return this.#written(new Writer(size + 1024))
    return written((writer) => this.#written(writer))
  }

  #written(writer: Writer): Uint8Array {
    let end = this.length
    while (end > 0 && !this.has(end - 1)) end--
    const start = writer.beginVector()
    for (let i = 0; i < end; i++) {
      const first = i
      while (i < end && this.#isAsPacked(i)) i++
      if (i > first) writer.bytes(this.#packed!.range(first, i))
      if (i < end) OptionalNode.write(writer, wireNode(this.#nodes.get(i) as TreeNode | undefined))
    }
    writer.endVector(start)
    return writer.finish()
  }

  #isAsPacked(index: number): boolean {
    const node = this.#nodes.get(index)
    return node === PACKED || (node === undefined && this.#packed?.isBlank(index) === true)
  }
}

/** Longer trees are written into memory of their own. */
const LENT_SIZE_MAX = 16384

/** Stands for a node that is in the {@link PackedNodes}. */
const PACKED = Symbol("packed")

/** Nodes in the encoding of the wire, one behind another, every one of which has been found well-formed. */
export class PackedNodes {
  readonly #bytes: Uint8Array
  /** Where each node's presence octet is, and the end. */
  readonly #starts: Uint32Array
  readonly #reader: Reader
  /** The first node, if any, that is a leaf at a parent's index or the other way round. */
  readonly misplaced: number | undefined
  /** Leaves that are not blank. */
  readonly members: number

  private constructor(bytes: Uint8Array, reader: Reader, found: FoundNodes) {
    this.#bytes = bytes
    this.#reader = reader
    this.#starts = found.starts
    this.misplaced = found.misplaced
    this.members = found.members
  }

  /**
   * Of the value of a `ratchet_tree` extension (RFC 9420 §12.4.3.3), whose bytes are kept. `onNode`: each node, when it is read, and
   * where the LeafNode or ParentNode begins; its byte arrays are views into `bytes`.
   *
   * @throws DecodeError
   */
  static *decode(bytes: Uint8Array, registries: Registries | undefined, onNode: OnNode): Sliced<PackedNodes> {
    const reader = new Reader(bytes, registries)
    const outer = reader.enter(reader.varint())
    const found = yield* findNodes(bytes, reader, onNode)
    reader.leave(outer)
    if (reader.remaining !== 0) throw reader.error(`${reader.remaining} bytes behind the tree`)
    return new PackedNodes(bytes, reader, found)
  }

  /** Of Nodes (RFC 9420 §12.4.3.3) with their indexes, in no particular order. @throws DecodeError */
  static collect(
    encodings: Iterable<readonly [number, Uint8Array]>,
    count: number,
    registries: Registries | undefined,
  ): PackedNodes {
    const byIndex = new Array<Uint8Array | undefined>(count).fill(undefined)
    for (const [index, encoding] of encodings) {
      if (!(index in byIndex)) throw new DecodeError(`the tree has no node ${index}`, 0)
      byIndex[index] = encoding
    }
    const writer = new Writer()
    const sizes = byIndex.map((encoding) => {
      writer.uint8(encoding === undefined ? 0 : 1)
      if (encoding !== undefined) writer.bytes(encoding)
      return 1 + (encoding?.length ?? 0)
    })
    const bytes = writer.finish()
    const reader = new Reader(bytes, registries)
    const nodes = new PackedNodes(bytes, reader, toEnd(findNodes(bytes, reader)))
    // One that is too long or too short would be read together with its neighbour.
    const isWhole = (size: number, i: number) => nodes.#starts[i + 1]! - nodes.#starts[i]! === size
    if (nodes.length !== count || !sizes.every(isWhole) || nodes.misplaced !== undefined) {
      throw new DecodeError("a record is not one node of the tree", 0)
    }
    return nodes
  }

  get length(): number {
    return this.#starts.length - 1
  }

  /** All of them, as they came. */
  get bytes(): Uint8Array {
    return this.#bytes
  }

  /** In bytes. */
  get size(): number {
    return this.#bytes.length
  }

  has(index: number): boolean {
    return index < this.length && !this.isBlank(index)
  }

  isBlank(index: number): boolean {
    return index < this.length && this.#bytes[this.#starts[index]!] === 0
  }

  read(index: number): TreeNode {
    this.#reader.seek(this.#starts[index]! + 1)
    const node = Node.read(this.#reader)
    return node.type === "leaf" ? node.leafNode : node.parentNode
  }

  node(index: number): Uint8Array {
    return this.#bytes.subarray(this.#starts[index]! + 1, this.#starts[index + 1]!)
  }

  /** The LeafNode or ParentNode behind the presence octet and the node type. */
  content(index: number): Uint8Array {
    return this.#bytes.subarray(this.contentAt(index), this.#starts[index + 1]!)
  }

  /** Where {@link content} begins. */
  contentAt(index: number): number {
    return this.#starts[index]! + CONTENT
  }

  /** How long {@link content} is. */
  contentSize(index: number): number {
    return this.#starts[index + 1]! - this.contentAt(index)
  }

  /** Nodes as they stand in a vector, `end` not included. */
  range(start: number, end: number): Uint8Array {
    return this.#bytes.subarray(this.#starts[start]!, this.#starts[end]!)
  }
}

type OnNode = (node: TreeNode, index: number, start: number) => void

interface FoundNodes {
  /** Where each node's presence octet is, and the end. */
  readonly starts: Uint32Array
  readonly misplaced: number | undefined
  readonly members: number
}

/** Reads the nodes up to `end`, interrupted now and then. @throws DecodeError */
function* findNodes(bytes: Uint8Array, reader: Reader, onNode?: OnNode): Sliced<FoundNodes> {
  const end = reader.offset + reader.remaining
  const starts = new Offsets()
  let members = 0
  let misplaced: number | undefined
  let work = 0
  while (reader.offset < end) {
    const blank = starts.addBlank(bytes, reader.offset, Math.min(end, reader.offset + SLICE))
    reader.skip(blank)
    work += blank
    if (reader.offset < end && bytes[reader.offset] !== BLANK) {
      const start = reader.offset
      const index = starts.add(start)
      const node = OptionalNode.read(reader)!
      if (node.type === "leaf") members++
      if ((node.type === "leaf") !== (index % 2 === 0)) misplaced ??= index
      onNode?.(node.type === "leaf" ? node.leafNode : node.parentNode, index, start + CONTENT)
      work += BLANKS_FOR_NODE
    }
    if (work < SLICE) continue
    work = 0
    yield
  }
  starts.add(end)
  return { starts: starts.all, misplaced, members }
}

/** Where nodes begin: a million blank ones are passed over before it is known that they are too many. */
class Offsets {
  #all = new Uint32Array(STARTS_AT_FIRST)
  #length = 0

  get all(): Uint32Array {
    return this.#all.slice(0, this.#length)
  }

  add(offset: number): number {
    if (this.#length === this.#all.length) this.#reserve(this.#length + 1)
    this.#all[this.#length] = offset
    return this.#length++
  }

  /** The blank nodes that `bytes` has one after the other from `from` on; how many they are. */
  addBlank(bytes: Uint8Array, from: number, end: number): number {
    let at = from
    while (at < end && bytes[at] === BLANK) at++
    const all = this.#reserve(this.#length + at - from)
    let length = this.#length
    for (let offset = from; offset < at; offset++) all[length++] = offset
    this.#length = length
    return at - from
  }

  #reserve(length: number): Uint32Array {
    if (length > this.#all.length) {
      const before = this.#all
      this.#all = new Uint32Array(Math.max(length, 2 * before.length))
      this.#all.set(before)
    }
    return this.#all
  }
}

const STARTS_AT_FIRST = 16
/** The presence octet of an optional node that is absent (RFC 9420 §2.1.1). */
const BLANK = 0
/** After the presence octet and the node type. */
const CONTENT = 2
/** A blank node is one byte, and costs as much less than another to read. */
const BLANKS_FOR_NODE = 64
const SLICE = 128 * BLANKS_FOR_NODE

export function isLeafNode(node: TreeNode): node is LeafNode {
  return "signatureKey" in node
}

export function wireNode(node: TreeNode | undefined): Node | undefined {
  if (node === undefined) return undefined
  return isLeafNode(node) ? { type: "leaf", leafNode: node } : { type: "parent", parentNode: node }
}
