import { encode, opaque, struct, uint64 } from "@conclave/codec"
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
  const kind = entry.kind === "expired" ? "application" : entry.kind
  const bodyHash = entry.kind === "expired" ? entry.body : sha256(entry.body)
  const begins = entry.begins === undefined ? new Uint8Array() : encode(Interval, entry.begins)
  return sha256(previous, encode(ChainedHeader, { ...entry, kind }), bodyHash, begins)
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
