import { decode, encode } from "@conclave/codec"
import type { ChainLink } from "@conclave/contracts/log-chain"
import { ChainPart, recordKeys } from "../records/records.js"
import type { Changes } from "../store/changes.js"
import type { StoredRecords } from "./question.js"

/** How many entries back a member's word for what it has read can be compared. */
export const LINKS_KEPT = 256
/** Each transaction writes the newest part: it is small. */
const PART_LINKS = 32

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
 * to show how a later one follows from it. In memory are those that were followed since the opening, and the others once
 * the group is.
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
    for (const part of this.#parts.splice(count)) {
      this.#changed.delete(part)
      this.#dropped.push(part.after)
    }
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

  #prune(): void {
    const newest = this.#parts.at(-1)
    const oldest = newest === undefined ? 0n : endOf(newest) - BigInt(LINKS_KEPT)
    while (this.#parts.length > 0 && endOf(this.#parts[0]!) < oldest) {
      const part = this.#parts.shift()!
      // A part that is still to be stored may have been stored before, with fewer links.
      this.#changed.delete(part)
      this.#dropped.push(part.after)
    }
  }

  #settle(): void {
    this.#changed.clear()
    this.#dropped = []
    this.#isRestarted = false
  }
}

const endOf = ({ after, links }: Part) => after + BigInt(links.length)
