import { encode, fixed, opaque, optional, struct, type TypeOf, uint64 } from "@conclave/codec"
import { Interval } from "./access.js"
import { EntryKind, type LogEntryKind } from "./delivery.js"

/**
 * The chain that makes the log of a group one history: each entry's hash covers everything before it. Service and
 * client compute it with this file; `sha256` hashes the concatenation of what it is given.
 *
 * ```
 *   start = SHA-256("Conclave log" ‖ groupId<V>)
 *   hash₁ = SHA-256(start ‖ seq 1 ‖ kind ‖ epoch ‖ SHA-256(body) ‖ begins)
 *   hash₂ = SHA-256(hash₁ ‖ seq 2 ‖ …)
 *
 * where `begins` is the Interval that the entry begins (33 bytes), or nothing.
 * ```
 */
export type Sha256 = (...parts: readonly Uint8Array[]) => Uint8Array

/** What the first entry of a group's log is chained to: 32 bytes. */
export function logChainStart(sha256: Sha256, groupId: Uint8Array): Uint8Array {
  return sha256(startLabel, encode(opaque, groupId))
}

/**
 * The hash of an entry, 32 bytes, from its predecessor's (or from {@link logChainStart}). An entry of the kind `expired`
 * has the hash that it had as an application message: its body is the hash of what the body was.
 */
export function logChainHash(sha256: Sha256, previous: Uint8Array, entry: ChainedEntry): Uint8Array {
  return chainLinkHash(sha256, previous, { seq: entry.seq, link: chainLink(sha256, entry) })
}

/** What the hash of an entry covers, but for its seq and what is before it: the entry without its body. */
export const ChainLink = struct("ChainLink", {
  kind: EntryKind,
  epoch: uint64,
  /** SHA-256(body). */
  bodyHash: fixed(32),
  begins: optional(Interval),
})
export type ChainLink = TypeOf<typeof ChainLink>

/** The link of an entry; throws `RangeError` for an expired one that does not have the hash of its body. */
export function chainLink(sha256: Sha256, { kind, epoch, body, begins }: ChainedEntry): ChainLink {
  if (kind !== "expired") return { kind, epoch, bodyHash: sha256(body), begins }
  if (body.length !== 32) throw new RangeError("an expired entry has 32 bytes")
  return { kind: "application", epoch, bodyHash: body, begins }
}

/** As {@link logChainHash}, without the entry's body. */
export function chainLinkHash(
  sha256: Sha256,
  previous: Uint8Array,
  { seq, link }: { readonly seq: bigint; readonly link: ChainLink },
): Uint8Array {
  const begins = link.begins === undefined ? new Uint8Array() : encode(Interval, link.begins)
  return sha256(previous, encode(ChainedHeader, { ...link, seq }), link.bodyHash, begins)
}

/** What the hash of an entry covers. */
export interface ChainedEntry {
  readonly seq: bigint
  readonly kind: LogEntryKind
  readonly epoch: bigint
  readonly body: Uint8Array
  readonly begins: Interval | undefined
}

const startLabel = new TextEncoder().encode("Conclave log")
const ChainedHeader = struct("ChainedHeader", { seq: uint64, kind: EntryKind, epoch: uint64 })
