import { decode, encode, opaque, struct, uint32, uint64, vector } from "@conclave/codec"
import { wipe } from "@conclave/crypto"
import { StateError } from "../errors.js"
import { type LeafIndex, leafIndex, type NodeIndex, nodeIndex } from "../indexes.js"
import type { Journal } from "../journal.js"
import { Derivations, KEY_AND_NONCE } from "../suite/derivations.js"
import { treeSecretDeriver } from "../suite/labels.js"
import type { CipherSuite } from "../suite/suite.js"
import * as math from "../tree/math.js"
import type { ForwardBudget } from "./forward-budget.js"

/** RFC 9420 §9: each member has a ratchet for proposals and commits and one for application data. */
export type RatchetType = "handshake" | "application"

/** What encrypts one message: a key of `aead.keySize` bytes and a nonce of `aead.nonceSize`. */
export interface MessageKey {
  readonly key: Uint8Array
  readonly nonce: Uint8Array
}

export interface SecretTreeLimits {
  /** How far ahead of the last application message of a sender one may be, in generations. */
  readonly forwardDistanceMax: number
  /** How far ahead of a sender's last proposal or commit the next may be, in generations. */
  readonly handshakeDistanceMax: number
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
 *
 * A message says how far its sender's ratchet has to be turned before anybody can know whether it is authentic. What has
 * been derived for one that was not stays in memory, for a few senders, so that the next one does not cost the same again.
 */
export class SecretTree {
  readonly #suite: CipherSuite
  /** RFC 9420 §9.1: the secret of the next generation. */
  readonly #following: ReturnType<typeof treeSecretDeriver>
  readonly #leafCount: number
  readonly #limits: SecretTreeLimits
  readonly #journal: Journal
  /** In front of the names of this epoch's records. */
  readonly #prefix: string
  readonly #budget: ForwardBudget
  readonly #nodes = new Map<NodeIndex, Uint8Array>()
  /** By {@link ratchetNumber}. */
  readonly #ratchets = new Map<number, Ratchet>()
  /** Ways down to leaves of which no authentic message has come yet, the one that was used last at the end. */
  readonly #growths = new Map<LeafIndex, Growth>()
  /** Ratchets that know secrets of generations to come, the one that was used last at the end. */
  readonly #lookingAhead = new Set<Ratchet>()

  constructor(
    suite: CipherSuite,
    from: { readonly leafCount: number; readonly encryption?: Uint8Array },
    options: {
      readonly limits: SecretTreeLimits
      readonly budget: ForwardBudget
      readonly journal: Journal
      readonly prefix: string
    },
  ) {
    this.#suite = suite
    this.#following = treeSecretDeriver(suite, "secret", suite.secretSize)
    this.#leafCount = from.leafCount
    this.#limits = options.limits
    this.#budget = options.budget
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
    const ratchet = this.#ratchet(leaf, type)
    const { generation, secret } = ratchet
    if (generation > GENERATION_MAX) throw new StateError("GENERATION_SPENT", "the ratchet has no generation left")
    if (ratchet.ahead.length > 0) {
      const messageKey = this.#messageKey(secret, generation)
      this.#advance(ratchet)
      return { ...messageKey, generation }
    }
    const [key, nonce, following] = OF_GENERATION.from(this.#suite, secret, generationContext(generation))
    ratchet.ahead.push(following)
    this.#advance(ratchet)
    return { key, nonce, generation }
  }

  /**
   * The key that {@link next} would give out, for what may never be sent: nothing is spent until `spend` is called.
   *
   * @throws StateError GENERATION_SPENT after 2³² messages
   */
  peekNext(leaf: LeafIndex, type: RatchetType): MessageKey & { readonly generation: number; spend(): void } {
    const ratchet = this.#ratchets.get(ratchetNumber(leaf, type)) ?? this.#growth(leaf).ratchets[type]
    const { generation, secret } = ratchet
    if (generation > GENERATION_MAX) throw new StateError("GENERATION_SPENT", "the ratchet has no generation left")
    return { ...this.#messageKey(secret, generation), generation, spend: () => this.#spend(leaf, type, generation) }
  }

  /** The generation that {@link next} will use. */
  nextGeneration(leaf: LeafIndex, type: RatchetType): number {
    return this.#ratchets.get(ratchetNumber(leaf, type))?.generation ?? 0
  }

  /**
   * The key of a message that was received. Nothing is spent until `spend` is called, which is when the message has
   * been decrypted: a forged message must not destroy the key of the real one.
   *
   * `skippedMax`: how many application messages of its sender the receiver may not have seen, where it knows.
   *
   * @throws StateError GENERATION_SPENT for a key that was used, was dropped, or is too far ahead;
   *   FORWARD_BUDGET_SPENT for application data that skips more than can be skipped at this time
   */
  peek(
    leaf: LeafIndex,
    type: RatchetType,
    generation: number,
    skippedMax = Number.POSITIVE_INFINITY,
  ): MessageKey & { spend(): void } {
    const ratchet = this.#ratchets.get(ratchetNumber(leaf, type)) ?? this.#growth(leaf).ratchets[type]
    if (generation < ratchet.generation) return this.#peekSkipped(leaf, type, generation)
    const distance = generation - ratchet.generation
    const { forwardDistanceMax, handshakeDistanceMax } = this.#limits
    if (distance > (type === "application" ? Math.min(forwardDistanceMax, skippedMax) : handshakeDistanceMax)) {
      throw new StateError("GENERATION_SPENT", "the message is too far ahead of its sender's last one", {
        isAhead: true,
      })
    }
    // Proposals and commits are judged alike by all members, whatever the time (RFC 9420 §14).
    if (type === "application") {
      this.#budget.requireSkips(leaf, distance)
      this.#budget.drawSteps(distance - ratchet.ahead.length)
    }
    this.#lookAhead(ratchet, distance)
    const secret = distance === 0 ? ratchet.secret : ratchet.ahead[distance - 1]!
    const { key, nonce } = this.#messageKey(secret, generation)
    return {
      key,
      nonce,
      spend: () => {
        wipe(key, nonce)
        this.#spend(leaf, type, generation)
      },
    }
  }

  #peekSkipped(leaf: LeafIndex, type: RatchetType, generation: number): MessageKey & { spend(): void } {
    const ratchet = this.#ratchets.get(ratchetNumber(leaf, type))
    const skipped = ratchet?.skipped.get(generation)
    if (ratchet === undefined || skipped === undefined) {
      throw new StateError("GENERATION_SPENT", "the key of this message is spent")
    }
    return {
      ...skipped,
      spend: () => {
        wipe(skipped.key, skipped.nonce)
        if (!ratchet.skipped.delete(generation)) return
        if (type === "application") this.#budget.returnSkip(leaf)
        this.#noteSkipped(ratchet, generation)
      },
    }
  }

  /** The ratchet as it is now: others may have been spent since this one was looked at. */
  #spend(leaf: LeafIndex, type: RatchetType, generation: number): void {
    const ratchet = this.#ratchet(leaf, type)
    if (generation < ratchet.generation) {
      if (ratchet.skipped.has(generation)) this.#peekSkipped(leaf, type, generation).spend()
      return
    }
    const distance = generation - ratchet.generation
    if (type === "application") this.#budget.spendSkips(leaf, distance)
    this.#skipTo(ratchet, generation)
    this.#advance(ratchet)
  }

  /** Overwrites every secret. */
  destroy(): void {
    for (const [node, secret] of this.#nodes) {
      wipe(secret)
      this.#journal.delete(this.#nodeRecord(node))
    }
    for (const ratchet of this.#ratchets.values()) {
      wipe(ratchet.secret, ...ratchet.ahead)
      for (const [generation, { key, nonce }] of ratchet.skipped) {
        wipe(key, nonce)
        this.#journal.delete(this.#skippedRecord(ratchet, generation))
      }
      this.#journal.delete(ratchet.record)
    }
    this.#forgetGrowths()
    this.#lookingAhead.clear()
    this.#nodes.clear()
    this.#ratchets.clear()
  }

  // --- Records -------------------------------------------------------------------------------------------------------

  *records(): Generator<readonly [string, Uint8Array]> {
    for (const [node, secret] of this.#nodes) yield [this.#nodeRecord(node), secret.slice()]
    for (const ratchet of this.#ratchets.values()) {
      yield [ratchet.record, encodeRatchet(ratchet)]
      const pages = new Set(Array.from(ratchet.skipped.keys(), skippedPage))
      for (const page of pages) yield [this.#skippedRecord(ratchet, page * SKIPPED_PAGE), encodeSkipped(ratchet, page)]
    }
  }

  /** Takes back one record of {@link records}, named without the prefix. Ratchets come before their skipped keys. */
  restore(record: string, bytes: Uint8Array): void {
    const [kind, ...rest] = record.split("/")
    if (kind === "node") this.#nodes.set(nodeIndex(Number(rest[0])), new Uint8Array(bytes))
    else if (kind === "ratchet") this.#restoredRatchet(rest, decode(RatchetRecord, bytes))
    else if (kind === "missed") {
      const ratchet = this.#restoredRatchet(rest)
      for (const { generation, key, nonce } of decode(SkippedRecord, bytes)) {
        ratchet.skipped.set(generation, { key: key.slice(), nonce: nonce.slice() })
      }
    }
  }

  /** `of`: a leaf and a type, as they stand in a record's name. */
  #restoredRatchet([leaf, type]: readonly string[], state?: { generation: bigint; secret: Uint8Array }): Ratchet {
    const of = { leaf: leafIndex(Number(leaf)), type: type as RatchetType }
    const number = ratchetNumber(of.leaf, of.type)
    const ratchet = this.#ratchets.get(number) ?? this.#newRatchet(of, new Uint8Array(0))
    if (state !== undefined) {
      ratchet.generation = Number(state.generation)
      ratchet.secret = state.secret
    }
    this.#ratchets.set(number, ratchet)
    return ratchet
  }

  #nodeRecord(node: NodeIndex): string {
    return `${this.#prefix}node/${node}`
  }

  #newRatchet({ leaf, type }: { readonly leaf: LeafIndex; readonly type: RatchetType }, secret: Uint8Array): Ratchet {
    const name = `${leaf}/${type}`
    return { name, record: `${this.#prefix}ratchet/${name}`, generation: 0, secret, ahead: [], skipped: new Map() }
  }

  #skippedRecord({ name }: Ratchet, generation: number): string {
    return `${this.#prefix}missed/${name}/${skippedPage(generation)}`
  }

  // --- The tree ------------------------------------------------------------------------------------------------------

  #ratchet(leaf: LeafIndex, type: RatchetType): Ratchet {
    const known = this.#ratchets.get(ratchetNumber(leaf, type))
    if (known !== undefined) return known
    const growth = this.#growth(leaf)
    this.#adopt(leaf, growth)
    return growth.ratchets[type]
  }

  /** The way down to a leaf from which no authentic message has come, kept for the next one that says it is from there. */
  #growth(leaf: LeafIndex): Growth {
    const growth = this.#growths.get(leaf) ?? this.#grow(leaf)
    this.#growths.delete(leaf)
    this.#growths.set(leaf, growth)
    if (this.#growths.size > LOOKING_AHEAD_MAX) {
      const [oldest, forgotten] = this.#growths.entries().next().value!
      this.#growths.delete(oldest)
      this.#wipeGrowth(forgotten)
    }
    return growth
  }

  #forgetGrowths(): void {
    for (const growth of this.#growths.values()) this.#wipeGrowth(growth)
    this.#growths.clear()
  }

  #wipeGrowth({ beside, ratchets }: Growth): void {
    for (const [, secret] of beside) wipe(secret)
    for (const ratchet of Object.values(ratchets)) {
      wipe(ratchet.secret, ...ratchet.ahead)
      this.#lookingAhead.delete(ratchet)
    }
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
      const [left, right] = OF_NODE.from(this.#suite, secret)
      wipe(secret)
      const isLeft = math.left(node) === path[depth - 1]
      beside.push(isLeft ? [math.right(node), right] : [math.left(node), left])
      secret = isLeft ? left : right
    }
    const [handshake, application] = OF_LEAF.from(this.#suite, secret)
    const ratchets = {
      handshake: this.#newRatchet({ leaf, type: "handshake" }, handshake),
      application: this.#newRatchet({ leaf, type: "application" }, application),
    }
    wipe(secret)
    return { from, beside, ratchets }
  }

  /** Puts what was derived in the place of the secret from which it was: those beside the way, and none on it. */
  #adopt(leaf: LeafIndex, { from, beside, ratchets }: Growth): void {
    this.#growths.delete(leaf)
    wipe(this.#takeNode(from))
    for (const [other, growth] of this.#growths) {
      if (growth.from === from) shorten(growth, beside.find(([node]) => math.isBelow(math.toNode(other), node))![0])
    }
    for (const [node, secret] of beside) this.#putNode(node, secret)
    for (const type of ["handshake", "application"] as const) {
      this.#ratchets.set(ratchetNumber(leaf, type), ratchets[type])
      this.#noteRatchet(ratchets[type])
    }
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

  #messageKey(secret: Uint8Array, generation: number): MessageKey {
    const [key, nonce] = KEY_AND_NONCE.from(this.#suite, secret, generationContext(generation))
    return { key, nonce }
  }

  /** Derives the secrets of the next `distance` generations, as far as they are not known already. */
  #lookAhead(ratchet: Ratchet, distance: number): void {
    const { ahead, generation } = ratchet
    if (distance === 0) return
    while (ahead.length < distance) {
      const last = ahead[ahead.length - 1] ?? ratchet.secret
      ahead.push(this.#following(last, generation + ahead.length))
    }
    this.#lookingAhead.delete(ratchet)
    this.#lookingAhead.add(ratchet)
    if (this.#lookingAhead.size <= LOOKING_AHEAD_MAX) return
    const [oldest] = this.#lookingAhead
    this.#lookingAhead.delete(oldest!)
    wipe(...oldest!.ahead.splice(0))
  }

  /** Keeps the keys of the generations before `generation`, whose secrets are known, and forgets the secrets. */
  #skipTo(ratchet: Ratchet, generation: number): void {
    const keptFrom = generation - this.#limits.skippedKeysMax
    while (ratchet.generation < generation) {
      if (ratchet.generation >= keptFrom) this.#keepSkipped(ratchet)
      this.#turn(ratchet)
    }
  }

  #keepSkipped(ratchet: Ratchet): void {
    const { generation, secret } = ratchet
    ratchet.skipped.set(generation, this.#messageKey(secret, generation))
    this.#noteSkipped(ratchet, generation)
    if (ratchet.skipped.size <= this.#limits.skippedKeysMax) return
    // A Map is in the order of insertion: the first is the oldest.
    const [oldest, oldestKey] = ratchet.skipped.entries().next().value!
    wipe(oldestKey.key, oldestKey.nonce)
    ratchet.skipped.delete(oldest)
    this.#noteSkipped(ratchet, oldest)
  }

  #advance(ratchet: Ratchet): void {
    this.#turn(ratchet)
    this.#noteRatchet(ratchet)
  }

  /** RFC 9420 §9.1: the secret of the next generation takes the place of this one. */
  #turn(ratchet: Ratchet): void {
    const { secret, generation } = ratchet
    ratchet.secret = ratchet.ahead.shift() ?? this.#following(secret, generation)
    ratchet.generation++
    wipe(secret)
  }

  /** A record holds the keys of many generations: a message that skips a thousand of them changes few records. */
  #noteSkipped(ratchet: Ratchet, generation: number): void {
    const page = skippedPage(generation)
    const record = this.#skippedRecord(ratchet, generation)
    const isEmpty = !hasSkipped(ratchet, page)
    if (isEmpty) this.#journal.delete(record)
    else this.#journal.put(record, () => encodeSkipped(ratchet, page))
  }

  #noteRatchet(ratchet: Ratchet): void {
    this.#journal.put(ratchet.record, () => encodeRatchet(ratchet))
  }
}

interface Ratchet {
  /** Its leaf and type, as they stand in the names of records. */
  readonly name: string
  readonly record: string
  /** Of the next key; one more than {@link GENERATION_MAX} when the ratchet is at its end. */
  generation: number
  secret: Uint8Array
  /** The secrets of the generations that follow, as far as they have been derived. Never in a record. */
  readonly ahead: Uint8Array[]
  readonly skipped: Map<number, MessageKey>
}

/** For so many senders what was derived for messages that were not authentic is kept, in each epoch. */
const LOOKING_AHEAD_MAX = 32

/** Generations whose keys are in one record. */
const SKIPPED_PAGE = 64
const skippedPage = (generation: number): number => Math.floor(generation / SKIPPED_PAGE)

/** The way from the secret of a node down to a leaf's ratchets. */
interface Growth {
  from: NodeIndex
  beside: readonly (readonly [NodeIndex, Uint8Array])[]
  readonly ratchets: Readonly<Record<RatchetType, Ratchet>>
}

/** Another way has been gone from the same node, as far as `from`: what is left begins there. */
function shorten(growth: Growth, from: NodeIndex): void {
  for (const [node, secret] of growth.beside) if (!math.isBelow(node, from)) wipe(secret)
  growth.beside = growth.beside.filter(([node]) => math.isBelow(node, from))
  growth.from = from
}

const GENERATION_MAX = 0xffff_ffff

const RatchetRecord = struct("RatchetRecord", { generation: uint64, secret: opaque })
const SkippedRecord = vector(struct("SkippedKey", { generation: uint32, key: opaque, nonce: opaque }))

function* skippedOn({ skipped }: Ratchet, page: number): Generator<{ generation: number } & MessageKey> {
  for (let generation = page * SKIPPED_PAGE; generation < (page + 1) * SKIPPED_PAGE; generation++) {
    const key = skipped.get(generation)
    if (key !== undefined) yield { generation, ...key }
  }
}

const hasSkipped = (ratchet: Ratchet, page: number): boolean => !skippedOn(ratchet, page).next().done
const encodeSkipped = (ratchet: Ratchet, page: number): Uint8Array =>
  encode(SkippedRecord, [...skippedOn(ratchet, page)])

function encodeRatchet({ generation, secret }: Ratchet): Uint8Array {
  return encode(RatchetRecord, { generation: BigInt(generation), secret })
}

// RFC 9420 §9, §9.1.
const utf8 = new TextEncoder()
const OF_NODE = new Derivations(["tree", "secret", utf8.encode("left")], ["tree", "secret", utf8.encode("right")])
const OF_LEAF = new Derivations(["handshake", "secret"], ["application", "secret"])
const OF_GENERATION = new Derivations(["key", "key"], ["nonce", "nonce"], ["secret", "secret"])

/** A uint32, in memory that is written anew each time. */
function generationContext(generation: number): Uint8Array {
  generationView.setUint32(0, generation)
  return generationBytes
}

const generationBytes = new Uint8Array(4)
const generationView = new DataView(generationBytes.buffer)

/** Trees have less than 2³⁰ leaves. */
const ratchetNumber = (leaf: LeafIndex, type: RatchetType): number => 2 * leaf + (type === "application" ? 1 : 0)
