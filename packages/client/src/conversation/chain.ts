import { decode, encode } from "@conclave/codec"
import type { ChainLink } from "@conclave/contracts/log-chain"
import { ChainPart, recordKeys } from "../records/records.js"
import type { Changes } from "../store/changes.js"
import type { StoredRecords } from "./question.js"

/** How many entries back, at least, a member's word for what it has read can be compared. */
export const LINKS_KEPT = 256
/** Of proposals and commits before that, whether they hold or not, as many as there are handshakes in `kept.ts`, twice. */
const HANDSHAKE_LINKS_KEPT = 32
/** Each transaction writes the newest part: it is small. */
const PART_LINKS = 32

/**
 * Entries one after the other. Of those before the last ones, it is one proposal or commit, or no entry at all and just the
 * hash.
 */
interface Part {
  /** The first link is that of the entry after this one. */
  readonly after: bigint
  /** The chain's hash at `after`, and after each link: one more than there are links. */
  readonly hashes: Uint8Array[]
  readonly links: ChainLink[]
}

interface Next {
  readonly seq: bigint
  readonly link: ChainLink
  /** The chain's hash before it, and after it. */
  readonly before: Uint8Array
  readonly hash: Uint8Array
}

interface ChainChanges extends Changes {
  deleteUnder(prefix: string): void
}

type Hash = (previous: Uint8Array, at: { readonly seq: bigint; readonly link: ChainLink }) => Uint8Array

/**
 * The last entries that this device has followed, without their bodies: enough to say what the chain's hash was at each, and
 * to show how a later one follows from it. Of what is before them, hashes at distances that grow: enough to find about
 * where another log parts from it. In memory are those that were followed since the opening, and the others once the
 * group is.
 */
export class Chain {
  /** In the order of the log. */
  #parts: Part[] = []
  readonly #changed = new Set<Part>()
  #offered: Next | undefined
  #dropped: bigint[] = []
  #isRestarted = false

  /** Nothing is known of what is before `seq`. */
  start(seq: bigint, hash: Uint8Array): void {
    this.forget()
    this.#isRestarted = true
    if (hash.length > 0) this.#begin({ after: seq, hashes: [hash], links: [] })
  }

  /** Nothing is known of what is after `seq`, whose hash is kept. */
  cut(seq: bigint): void {
    this.#offered = undefined
    const count = this.#parts.filter(({ after }) => after <= seq).length
    for (const part of this.#parts.splice(count)) this.#drop(part)
    const last = this.#parts.at(-1)
    if (last === undefined) return
    last.links.splice(Number(seq - last.after))
    last.hashes.splice(last.links.length + 1)
    this.#changed.add(last)
  }

  /** What is to be followed next. */
  offer(next: Next): void {
    this.#offered = next
  }

  /** The entry `seq`, which was offered, has been followed; of one that was not, the chain's hash is all that is known. */
  follow(seq: bigint, hash: Uint8Array): void {
    if (this.#offered?.seq === seq) this.#add(this.#offered)
    else this.start(seq, hash)
    this.#offered = undefined
  }

  #add({ seq, link, before, hash }: Next): void {
    let part = this.#parts.at(-1)
    if (part === undefined || endOf(part) !== seq - 1n || part.links.length >= PART_LINKS) {
      part = this.#begin({ after: seq - 1n, hashes: [before], links: [] })
      this.#prune()
    }
    part.links.push(link)
    part.hashes.push(hash)
    this.#changed.add(part)
  }

  /** The first entry whose hash is kept, with all after it. */
  get oldest(): bigint | undefined {
    let oldest: bigint | undefined
    for (let at = this.#parts.length - 1; at >= 0; at--) {
      const part = this.#parts[at]!
      if (oldest !== undefined && endOf(part) < oldest) break
      oldest = part.after
    }
    return oldest
  }

  /** All entries whose hash is kept, in the order of the log. */
  get known(): readonly bigint[] {
    return this.#parts.flatMap((part, at) => {
      const next = this.#parts[at + 1]?.after
      const seqs = part.hashes.map((_, n) => part.after + BigInt(n))
      return next === undefined ? seqs : seqs.filter((seq) => seq < next)
    })
  }

  /** Whether a proposal or a commit is among the entries whose links are kept. */
  get hasHandshakes(): boolean {
    return this.#parts.some(({ links }) => links.some(isHandshake))
  }

  /** The chain's hash at `seq`, 32 bytes; `undefined` where it is not kept. */
  hashAt(seq: bigint): Uint8Array | undefined {
    const part = this.#parts.findLast(({ after }) => after <= seq)
    return part?.hashes[Number(seq - part.after)]
  }

  /** The links of the entries after `seq`, up to and including `last`; `undefined` where they are not all kept. */
  linksBetween(seq: bigint, last: bigint): readonly ChainLink[] | undefined {
    const links: ChainLink[] = []
    for (const part of this.#parts) {
      const at = Number(seq + BigInt(links.length) - part.after)
      if (at >= 0 && at < part.links.length) links.push(...part.links.slice(at))
    }
    const count = Number(last - seq)
    return count < 0 || links.length < count ? undefined : links.slice(0, count)
  }

  /** What has changed is to be stored. */
  flush(step: ChainChanges, id: string): void {
    if (this.#isRestarted) step.deleteUnder(recordKeys.chain(id))
    for (const after of this.#dropped) step.delete(recordKeys.chainPart(id, Number(after)))
    for (const { after, hashes, links } of this.#changed) {
      step.put(recordKeys.chainPart(id, Number(after)), encode(ChainPart, { after, hash: hashes[0]!, links }))
    }
    this.#settle()
  }

  /** What is in memory is not what is stored. */
  forget(): void {
    this.#parts = []
    this.#offered = undefined
    this.#settle()
  }

  /** What was stored before the opening, in front of what has been followed since. */
  load(records: StoredRecords, hash: Hash): void {
    const known = new Set(this.#parts.map(({ after }) => after))
    for (const [, record] of records) {
      const { after, hash: first, links } = decode(ChainPart, record)
      if (known.has(after)) continue
      const hashes = [first]
      for (const [at, link] of links.entries()) hashes.push(hash(hashes[at]!, { seq: after + 1n + BigInt(at), link }))
      this.#parts.push({ after, hashes, links: [...links] })
    }
    this.#parts.sort((a, b) => (a.after < b.after ? -1 : 1))
    this.#prune()
  }

  #begin(part: Part): Part {
    this.#parts.push(part)
    this.#changed.add(part)
    return part
  }

  /** Leaves the last entries, and of those before them what is worth it. */
  #prune(): void {
    const newest = this.#parts.at(-1)
    if (newest === undefined) return
    const end = endOf(newest)
    const count = this.#parts.findIndex((part) => endOf(part) >= end - BigInt(LINKS_KEPT))
    const before = this.#parts.splice(0, count).flatMap((part) => this.#split(part))
    this.#parts.unshift(...this.#thin(this.#withoutOldHandshakes(before), { next: this.#parts[0]!.after, end }))
  }

  /** What stays of a part: its first hash, and its handshakes. */
  #split(part: Part): readonly Part[] {
    const { after, hashes, links } = part
    if (links.length === 0 || (links.length === 1 && isHandshake(links[0]!))) return [part]
    const split: Part[] = isHandshake(links[0]!) ? [] : [{ after, hashes: hashes.slice(0, 1), links: [] }]
    for (const [at, link] of links.entries()) {
      if (!isHandshake(link)) continue
      split.push({ after: after + BigInt(at), hashes: hashes.slice(at, at + 2), links: [link] })
    }
    this.#changed.delete(part)
    for (const it of split) this.#changed.add(it)
    return split
  }

  #withoutOldHandshakes(parts: readonly Part[]): readonly Part[] {
    const old = parts.filter(({ links }) => links.length > 0).slice(0, -HANDSHAKE_LINKS_KEPT)
    for (const part of old) {
      part.links.splice(0)
      part.hashes.splice(1)
      this.#changed.add(part)
    }
    return parts
  }

  /**
   * Leaves out hashes where the gap between those beside them is no wider than it is away from `end`: there are about
   * two for each doubling of the distance.
   */
  #thin(parts: readonly Part[], { next, end }: { readonly next: bigint; readonly end: bigint }): readonly Part[] {
    const thin: Part[] = []
    for (const [at, part] of parts.entries()) {
      const [before, behind] = [thin.at(-1)?.after, parts[at + 1]?.after ?? next]
      if (before === undefined || part.links.length > 0 || behind - before > end - behind) thin.push(part)
      else this.#drop(part)
    }
    return thin
  }

  #drop(part: Part): void {
    // A part that is still to be stored may have been stored before, with fewer links.
    this.#changed.delete(part)
    this.#dropped.push(part.after)
  }

  #settle(): void {
    this.#changed.clear()
    this.#dropped = []
    this.#isRestarted = false
  }
}

const isHandshake = ({ kind }: ChainLink) => kind !== "application"
const endOf = ({ after, links }: Part) => after + BigInt(links.length)
