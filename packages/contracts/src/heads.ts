import { fixed, opaque, struct, type TypeOf, uint64, vector } from "@conclave/codec"

/**
 * The service's word for what a log is. It signs what it accepts and what it shows, with a key that clients remember: two
 * signatures that contradict each other accuse it, to anybody.
 */

/** The label of a signature over a {@link LogHead}: `SignWithLabel(., "ConclaveLogHead", LogHead)` (RFC 9420 §5.1.2). */
export const LOG_HEAD_LABEL = "ConclaveLogHead"
/** That the entry `seq` of the group's log has this hash, and everything before it with it: see `log-chain.ts`. */
export const LogHead = struct("LogHead", {
  groupId: opaque,
  /** Of the service: see {@link ServiceIdentity}. */
  incarnation: uint64,
  seq: uint64,
  /** 32 bytes. */
  chainHash: fixed(32),
})
export type LogHead = TypeOf<typeof LogHead>

/**
 * A head of a group's log that somebody has read, with the service's signature: members tell it to each other, inside the
 * conversation that it is a head of.
 */
export const HeadClaim = struct("HeadClaim", {
  incarnation: uint64,
  seq: uint64,
  chainHash: fixed(32),
  /** Of the service, over the LogHead. */
  signature: opaque,
})
export type HeadClaim = TypeOf<typeof HeadClaim>

/** The label of a handover: `SignWithLabel(., "ConclaveServiceKey", ServiceKeyTBS)` by the older key. */
export const SERVICE_KEY_LABEL = "ConclaveServiceKey"
export const ServiceKeyTBS = struct("ServiceKeyTBS", { key: fixed(32), incarnation: uint64 })
/** An older key has signed for a newer one, or for a later incarnation with the same key. */
export const Handover = struct("Handover", {
  /** Ed25519 public keys: who signs, and what for. */
  by: fixed(32),
  key: fixed(32),
  incarnation: uint64,
  signature: opaque,
})
export type Handover = TypeOf<typeof Handover>

/** By what key a service signs. */
export const ServiceIdentity = struct("ServiceIdentity", {
  /** An Ed25519 public key: 32 bytes. */
  key: fixed(32),
  /**
   * Begins with 1, and is raised when the service was restored from a backup, to the time in seconds: logs may be shorter than
   * they were. Heads of different incarnations do not contradict each other.
   */
  incarnation: uint64,
  /** From the first key on, in order. */
  handovers: vector(Handover),
})
export type ServiceIdentity = TypeOf<typeof ServiceIdentity>
