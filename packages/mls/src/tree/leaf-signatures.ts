import { encode, opaque, varintSize } from "@conclave/codec"
import type { Spans, Verification } from "@conclave/crypto"
import { labelPrefix } from "../suite/labels.js"
import type { CipherSuite } from "../suite/suite.js"
import { type BeginVerifying, isWorthThreads } from "../suite/together.js"
import type { LeafNode } from "../wire.js"
import { lengthPrefix } from "./hashes.js"
import { hasPlace, LEAF_LABEL } from "./leaf.js"
import type { ReadLeaves } from "./ratchet-tree.js"

/**
 * The signatures of the leaves of a tree that is being decoded: other cores verify the first while the last are still to be read.
 * Nothing is known of any before {@link finish} has said yes. Disposing ends it without an answer.
 */
export class LeafSignatures implements Verification, ReadLeaves {
  readonly #begin: BeginVerifying
  readonly #groupId: Uint8Array
  readonly #begun: Verification[] = []
  /** Made when it is needed: a small tree has none. */
  #part: Part | undefined
  /** From {@link end} until somebody has asked: of what was left, or is not begun yet, nobody learns that it verifies. */
  #isWhole = false

  private constructor(begin: BeginVerifying, groupId: Uint8Array) {
    this.#begin = begin
    this.#groupId = groupId
  }

  /** `undefined` where the provider has no call that returns before all is verified, and for long group ids: each part copies it. */
  static of({ signature: { beginVerifying } }: CipherSuite, groupId: Uint8Array): LeafSignatures | undefined {
    if (groupId.length > GROUP_ID_COPIED_MAX) return undefined
    return beginVerifying && new LeafSignatures(beginVerifying, groupId)
  }

  /** The next leaf. */
  take(bytes: Uint8Array, leaf: LeafNode, place: { readonly index: number; readonly start: number }): void {
    this.#part ??= new Part(bytes, this.#groupId)
    this.#part.add(leaf, place)
    if (this.#part.leaves === (this.#begun.length === 0 ? FIRST_LEAVES : PART_LEAVES)) this.#beginPart(this.#part)
  }

  /** There are no more leaves. `undefined` where they are so few that each is better verified alone. */
  end(): this | undefined {
    const leaves = this.#part?.leaves ?? 0
    if (this.#begun.length === 0 && !isWorthThreads(leaves)) return undefined
    if (leaves > 0) this.#beginPart(this.#part!)
    this.#isWhole = true
    return this
  }

  finish(): boolean {
    if (!this.#isWhole) return false
    this.#isWhole = false
    // Other threads begin with the first part, and the caller with the last: they meet in one, and wait for each other once.
    for (let part = this.#begun.pop(); part !== undefined; part = this.#begun.pop()) {
      if (part.finish()) continue
      this[Symbol.dispose]()
      return false
    }
    return true
  }

  [Symbol.dispose](): void {
    this.#isWhole = false
    for (const part of this.#begun.splice(0)) part[Symbol.dispose]()
  }

  #beginPart(part: Part): void {
    this.#begun.push(this.#begin(part.spans))
    part.clear()
  }
}

/** Leaves that stand one after the other in a tree, and what they have signed: RFC 9420 §7.2. */
class Part {
  readonly #bytes: Uint8Array
  /** What does not stand in the tree: the group's id, then for each leaf its place and what goes before what it has signed. */
  readonly #beside: Uint8Array
  readonly #besideView: DataView
  readonly #groupSize: number
  readonly #rows = new Uint32Array(PART_LEAVES * ROW_WORDS)
  #words = 0
  #leaves = 0
  #start = 0
  #end = 0
  /** The last that goes before a content, and for which length: nearly all leaves are as long as the one before. */
  #head = { length: -1, at: 0, size: 0 }

  constructor(bytes: Uint8Array, groupId: Uint8Array) {
    this.#bytes = bytes
    const group = encode(opaque, groupId)
    this.#groupSize = group.length
    this.#beside = new Uint8Array(group.length + PART_LEAVES * BESIDE_SIZE)
    this.#beside.set(group)
    this.#besideView = new DataView(this.#beside.buffer)
  }

  get leaves(): number {
    return this.#leaves
  }

  get spans(): Spans {
    const beside = this.#bytes.subarray(this.#start, this.#end)
    return { memory: this.#beside, beside, rows: this.#rows.subarray(0, this.#words) }
  }

  add(leaf: LeafNode, { index, start }: { readonly index: number; readonly start: number }): void {
    const { signatureKey, signature } = leaf
    if (this.#leaves === 0) this.#start = start
    const slot = this.#groupSize + this.#leaves++ * BESIDE_SIZE
    const signatureAt = signature.byteOffset - this.#bytes.byteOffset
    this.#end = signatureAt + signature.length
    const unsigned = signatureAt - varintSize(signature.length) - start
    const isPlaced = hasPlace(leaf)
    const length = unsigned + (isPlaced ? this.#groupSize + PLACE_SIZE : 0)
    if (length !== this.#head.length) this.#putHead(length, slot + PLACE_SIZE)
    // Places are counted through what stands beside the tree, then the tree.
    const shift = this.#beside.length - this.#start
    const keyAt = signatureKey.byteOffset - this.#bytes.byteOffset
    this.#put(keyAt + shift, signatureKey.length, signatureAt + shift, signature.length, isPlaced ? 4 : 2)
    this.#put(this.#head.at, this.#head.size, start + shift, unsigned)
    if (!isPlaced) return
    this.#besideView.setUint32(slot, index)
    this.#put(0, this.#groupSize, slot, PLACE_SIZE)
  }

  clear(): void {
    this.#words = 0
    this.#leaves = 0
    this.#head.length = -1
  }

  /** RFC 9420 §5.1.2: what stands before a content of so many bytes. */
  #putHead(length: number, at: number): void {
    const prefix = lengthPrefix(length)
    this.#beside.set(LABEL, at)
    this.#beside.set(prefix, at + LABEL.length)
    this.#head = { length, at, size: LABEL.length + prefix.length }
  }

  #put(...words: readonly number[]): void {
    for (const word of words) this.#rows[this.#words++] = word
  }
}

const LABEL = labelPrefix(LEAF_LABEL)
const PLACE_SIZE = 4
const LENGTH_SIZE_MAX = 4
const BESIDE_SIZE = PLACE_SIZE + LABEL.length + LENGTH_SIZE_MAX
/** Nothing is known of the group id yet: it may be as long as the message. */
const GROUP_ID_COPIED_MAX = 1024
/** A key, a signature, and a message of at most four pieces. */
const ROW_WORDS = 13
/** So many are begun in one call: the call takes as long as a quarter of a signature. */
const PART_LEAVES = 128
/** And with the first, for until then the other cores have nothing to do. */
const FIRST_LEAVES = 32
