import { decode, encode, opaque, struct, uint64 } from "@conclave/codec"
import { wipe } from "@conclave/crypto"
import { StateError } from "../errors.js"
import { type LeafIndex, type NodeIndex, nodeIndex } from "../indexes.js"
import type { Journal } from "../journal.js"
import { expandWithLabel } from "../suite/labels.js"
import type { CipherSuite } from "../suite/suite.js"
import * as math from "../tree/math.js"

/** RFC 9420 §9: each member has a ratchet for proposals and commits and one for application data. */
export type RatchetType = "handshake" | "application"

/** What encrypts one message: a key of `aead.keySize` bytes and a nonce of `aead.nonceSize`. */
export interface MessageKey {
  readonly key: Uint8Array
  readonly nonce: Uint8Array
}

export interface SecretTreeLimits {
  /** How far ahead of the last message of a sender a message may be, in generations. */
  readonly forwardDistanceMax: number
  /** How many keys of skipped messages are kept for each ratchet. */
  readonly skippedKeysMax: number
}

/**
 * The secret tree of one epoch (RFC 9420 §9) and the ratchets that grow from its leaves.
 *
 *     encryption_secret                 a node's secret is gone as soon as its children's are there
 *        ┌───┴───┐
 *      left    right
 *                │
 *              leaf ── "handshake" ──► ratchet ──► key and nonce 0, 1, 2, …
 *                   └─ "application" ► ratchet ──► key and nonce 0, 1, 2, …
 *
 * This is the deletion schedule of §9.2: whatever has been consumed is overwritten and forgotten, in memory and in the
 * records. Of a skipped message only its own key stays, never a secret from which later ones follow.
 */
export class SecretTree {
  readonly #suite: CipherSuite
  readonly #leafCount: number
  readonly #limits: SecretTreeLimits
  readonly #journal: Journal
  /** In front of the names of this epoch's records. */
  readonly #prefix: string
  readonly #nodes = new Map<NodeIndex, Uint8Array>()
  readonly #ratchets = new Map<string, Ratchet>()

  constructor(
    suite: CipherSuite,
    from: { readonly leafCount: number; readonly encryption?: Uint8Array },
    options: { readonly limits: SecretTreeLimits; readonly journal: Journal; readonly prefix: string },
  ) {
    this.#suite = suite
    this.#leafCount = from.leafCount
    this.#limits = options.limits
    this.#journal = options.journal
    this.#prefix = options.prefix
    if (from.encryption !== undefined) this.#putNode(math.root(from.leafCount), from.encryption)
  }

  get leafCount(): number {
    return this.#leafCount
  }

  /**
   * The next unused key of a sender, for encrypting. It is spent by this call.
   *
   * @throws StateError GENERATION_SPENT after 2³² messages
   */
  next(leaf: LeafIndex, type: RatchetType): MessageKey & { readonly generation: number } {
    const name = ratchetName(leaf, type)
    const ratchet = this.#ratchet(leaf, type)
    const { generation } = ratchet
    if (generation > GENERATION_MAX) throw new StateError("GENERATION_SPENT", "the ratchet has no generation left")
    const key = messageKey(this.#suite, ratchet)
    this.#advance(name, ratchet)
    return { ...key, generation }
  }

  /** The generation that {@link next} will use. */
  nextGeneration(leaf: LeafIndex, type: RatchetType): number {
    return this.#ratchets.get(ratchetName(leaf, type))?.generation ?? 0
  }

  /**
   * The key of a message that was received. Nothing is spent until `spend` is called, which is when the message has
   * been decrypted: a forged message must not destroy the key of the real one.
   *
   * @throws StateError GENERATION_SPENT for a key that was used, was dropped, or is too far ahead
   */
  peek(leaf: LeafIndex, type: RatchetType, generation: number): MessageKey & { spend(): void } {
    const name = ratchetName(leaf, type)
    const known = this.#ratchets.get(name)
    const growth = known === undefined ? this.#grow(leaf) : undefined
    const ratchet = known ?? growth!.ratchets[type]
    if (generation < ratchet.generation) {
      const skipped = ratchet.skipped.get(generation)
      if (skipped === undefined) throw new StateError("GENERATION_SPENT", "the key of this message is spent")
      return {
        ...skipped,
        spend: () => {
          wipe(skipped.key, skipped.nonce)
          ratchet.skipped.delete(generation)
          this.#journal.delete(this.#skippedRecord(name, generation))
        },
      }
    }
    if (generation - ratchet.generation > this.#limits.forwardDistanceMax) {
      throw new StateError("GENERATION_SPENT", "the message is too far ahead of its sender's last one")
    }
    const ahead = this.#peekAhead(name, ratchet, generation)
    return {
      ...ahead,
      spend: () => {
        if (growth !== undefined) this.#adopt(leaf, growth)
        ahead.spend()
      },
    }
  }

  /** Overwrites every secret. */
  destroy(): void {
    for (const [node, secret] of this.#nodes) {
      wipe(secret)
      this.#journal.delete(this.#nodeRecord(node))
    }
    for (const [name, ratchet] of this.#ratchets) {
      wipe(ratchet.secret)
      for (const [generation, { key, nonce }] of ratchet.skipped) {
        wipe(key, nonce)
        this.#journal.delete(this.#skippedRecord(name, generation))
      }
      this.#journal.delete(this.#ratchetRecord(name))
    }
    this.#nodes.clear()
    this.#ratchets.clear()
  }

  // --- Records -------------------------------------------------------------------------------------------------------

  *records(): Generator<readonly [string, Uint8Array]> {
    for (const [node, secret] of this.#nodes) yield [this.#nodeRecord(node), secret.slice()]
    for (const [name, ratchet] of this.#ratchets) {
      yield [this.#ratchetRecord(name), encodeRatchet(ratchet)]
      for (const [generation, key] of ratchet.skipped) {
        yield [this.#skippedRecord(name, generation), encode(SkippedRecord, key)]
      }
    }
  }

  /** Takes back one record of {@link records}, named without the prefix. Ratchets come before their skipped keys. */
  restore(record: string, bytes: Uint8Array): void {
    const [kind, ...rest] = record.split("/")
    if (kind === "node") this.#nodes.set(nodeIndex(Number(rest[0])), new Uint8Array(bytes))
    else if (kind === "ratchet") this.#restoredRatchet(`${rest[0]}/${rest[1]}`, decode(RatchetRecord, bytes))
    else this.#restoredRatchet(`${rest[0]}/${rest[1]}`).skipped.set(Number(rest[2]), decode(SkippedRecord, bytes))
  }

  #restoredRatchet(name: string, state?: { generation: bigint; secret: Uint8Array }): Ratchet {
    const ratchet = this.#ratchets.get(name) ?? { generation: 0, secret: new Uint8Array(0), skipped: new Map() }
    if (state !== undefined) {
      ratchet.generation = Number(state.generation)
      ratchet.secret = state.secret
    }
    this.#ratchets.set(name, ratchet)
    return ratchet
  }

  #nodeRecord(node: NodeIndex): string {
    return `${this.#prefix}node/${node}`
  }

  #ratchetRecord(name: string): string {
    return `${this.#prefix}ratchet/${name}`
  }

  #skippedRecord(name: string, generation: number): string {
    return `${this.#prefix}skipped/${name}/${generation}`
  }

  // --- The tree ------------------------------------------------------------------------------------------------------

  #ratchet(leaf: LeafIndex, type: RatchetType): Ratchet {
    const known = this.#ratchets.get(ratchetName(leaf, type))
    if (known !== undefined) return known
    const growth = this.#grow(leaf)
    this.#adopt(leaf, growth)
    return growth.ratchets[type]
  }

  /** Derives the way down to a leaf. Nothing is taken from the tree: the message that asks for it may be forged. */
  #grow(leaf: LeafIndex): Growth {
    const target = math.toNode(leaf)
    const path = leaf < this.#leafCount ? [target, ...math.directPath(target, this.#leafCount)] : []
    let depth = path.findIndex((node) => this.#nodes.has(node))
    if (depth < 0) throw new StateError("NO_SUCH_KEY", "the sender has no ratchet in this epoch")
    const from = path[depth]!
    let secret: Uint8Array = this.#nodes.get(from)!.slice()
    const beside: [NodeIndex, Uint8Array][] = []
    for (; depth > 0; depth--) {
      const node = path[depth]!
      const [left, right] = [this.#expand(secret, "tree", "left"), this.#expand(secret, "tree", "right")]
      wipe(secret)
      const isLeft = math.left(node) === path[depth - 1]
      beside.push(isLeft ? [math.right(node), right] : [math.left(node), left])
      secret = isLeft ? left : right
    }
    const ratchet = (type: RatchetType) => ({
      generation: 0,
      secret: this.#expand(secret, type, ""),
      skipped: new Map(),
    })
    const ratchets = { handshake: ratchet("handshake"), application: ratchet("application") }
    wipe(secret)
    return { from, beside, ratchets }
  }

  /** Puts what was derived in the place of the secret from which it was: those beside the way, and none on it. */
  #adopt(leaf: LeafIndex, { from, beside, ratchets }: Growth): void {
    wipe(this.#takeNode(from))
    for (const [node, secret] of beside) this.#putNode(node, secret)
    for (const type of ["handshake", "application"] as const) {
      const name = ratchetName(leaf, type)
      this.#ratchets.set(name, ratchets[type])
      this.#noteRatchet(name, ratchets[type])
    }
  }

  #expand(secret: Uint8Array, label: string, context: string): Uint8Array {
    return expandWithLabel(this.#suite, secret, label, utf8.encode(context), this.#suite.secretSize)
  }

  #putNode(node: NodeIndex, secret: Uint8Array): void {
    this.#nodes.set(node, secret)
    this.#journal.put(this.#nodeRecord(node), () => secret.slice())
  }

  #takeNode(node: NodeIndex): Uint8Array {
    const secret = this.#nodes.get(node)!
    this.#nodes.delete(node)
    this.#journal.delete(this.#nodeRecord(node))
    return secret
  }

  // --- The ratchets --------------------------------------------------------------------------------------------------

  #peekAhead(name: string, ratchet: Ratchet, generation: number): MessageKey & { spend(): void } {
    const skipped: [number, MessageKey][] = []
    const ahead: Ratchet = { generation: ratchet.generation, secret: ratchet.secret.slice(), skipped: new Map() }
    while (ahead.generation < generation) {
      skipped.push([ahead.generation, messageKey(this.#suite, ahead)])
      step(this.#suite, ahead)
    }
    const key = messageKey(this.#suite, ahead)
    return {
      ...key,
      spend: () => {
        wipe(ratchet.secret)
        ratchet.generation = ahead.generation
        ratchet.secret = ahead.secret
        for (const [missed, missedKey] of skipped) this.#keepSkipped(name, ratchet, missed, missedKey)
        this.#advance(name, ratchet)
        wipe(key.key, key.nonce)
      },
    }
  }

  #keepSkipped(name: string, ratchet: Ratchet, generation: number, key: MessageKey): void {
    ratchet.skipped.set(generation, key)
    this.#journal.put(this.#skippedRecord(name, generation), () => encode(SkippedRecord, key))
    if (ratchet.skipped.size <= this.#limits.skippedKeysMax) return
    // A Map is in the order of insertion: the first is the oldest.
    const [oldest, oldestKey] = ratchet.skipped.entries().next().value!
    wipe(oldestKey.key, oldestKey.nonce)
    ratchet.skipped.delete(oldest)
    this.#journal.delete(this.#skippedRecord(name, oldest))
  }

  #advance(name: string, ratchet: Ratchet): void {
    step(this.#suite, ratchet)
    this.#noteRatchet(name, ratchet)
  }

  #noteRatchet(name: string, ratchet: Ratchet): void {
    this.#journal.put(this.#ratchetRecord(name), () => encodeRatchet(ratchet))
  }
}

interface Ratchet {
  /** Of the next key; one more than {@link GENERATION_MAX} when the ratchet is at its end. */
  generation: number
  secret: Uint8Array
  readonly skipped: Map<number, MessageKey>
}

/** The way from the secret of a node down to a leaf's ratchets. */
interface Growth {
  readonly from: NodeIndex
  readonly beside: readonly (readonly [NodeIndex, Uint8Array])[]
  readonly ratchets: Readonly<Record<RatchetType, Ratchet>>
}

const GENERATION_MAX = 0xffff_ffff

const RatchetRecord = struct("RatchetRecord", { generation: uint64, secret: opaque })
const SkippedRecord = struct("SkippedRecord", { key: opaque, nonce: opaque })

function encodeRatchet({ generation, secret }: Ratchet): Uint8Array {
  return encode(RatchetRecord, { generation: BigInt(generation), secret })
}

const utf8 = new TextEncoder()
const ratchetName = (leaf: LeafIndex, type: RatchetType): string => `${leaf}/${type}`

/** RFC 9420 §9.1: the key and nonce of the ratchet's generation. */
function messageKey(suite: CipherSuite, { secret, generation }: Ratchet): MessageKey {
  const context = generationContext(generation)
  return {
    key: expandWithLabel(suite, secret, "key", context, suite.aead.keySize),
    nonce: expandWithLabel(suite, secret, "nonce", context, suite.aead.nonceSize),
  }
}

/** RFC 9420 §9.1: the secret of the next generation takes the place of this one. */
function step(suite: CipherSuite, ratchet: Ratchet): void {
  const { secret } = ratchet
  ratchet.secret = expandWithLabel(suite, secret, "secret", generationContext(ratchet.generation), suite.secretSize)
  ratchet.generation++
  wipe(secret)
}

function generationContext(generation: number): Uint8Array {
  const context = new Uint8Array(4)
  new DataView(context.buffer).setUint32(0, generation)
  return context
}
