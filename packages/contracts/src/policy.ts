import { optional, struct, type TypeOf, uint32, uint64 } from "@conclave/codec"

/**
 * What the members of a group ask for, of the copy that the service keeps of it: that it be kept for less time than the
 * operator says, or that all of it be deleted. Whoever proves the newest key may ask, and nobody else. A policy never makes
 * the service keep anything for longer. Members have time to notice: less time holds only after the operator's `notice`, and
 * so does a retirement, which anything that is appended cancels.
 */

/** In seconds; absent: as long as the operator says. */
export const KeptFor = struct("KeptFor", {
  /** Bodies of application messages. What is left of one is an entry of the kind `expired`. */
  messages: optional(uint32),
  /** Entries of the log, but for the last commit. Not less than messages. */
  handshakes: optional(uint32),
})
export type KeptFor = TypeOf<typeof KeptFor>

/** The operator's figures, in seconds. */
export const OperatorKeeps = struct("OperatorKeeps", {
  messages: uint32,
  handshakes: uint32,
  /** The least that members may ask for. */
  messagesMin: uint32,
  handshakesMin: uint32,
  notice: uint32,
})
export type OperatorKeeps = TypeOf<typeof OperatorKeeps>

export const KeepingPolicy = struct("KeepingPolicy", {
  /** Rises by one with each change; 0 where nobody has asked for anything. */
  version: uint64,
  /** What was asked for last. */
  wanted: KeptFor,
  /** Unix time in milliseconds from which on it holds. */
  holdsAt: uint64,
  /** What holds now. */
  present: KeptFor,
  /** The group is retired: unless something is appended, all of it is deleted at this Unix time in milliseconds. */
  goneAt: optional(uint64),
  operator: OperatorKeeps,
})
export type KeepingPolicy = TypeOf<typeof KeepingPolicy>
