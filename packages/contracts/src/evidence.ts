import { fixed, opaque, struct, type TypeOf, uint8, uint64, vector } from "@conclave/codec"
import { HeadClaim } from "./heads.js"
import { ChainLink } from "./log-chain.js"

/**
 * That a service has shown two histories of one group, by its own signatures: anybody can check it who has the bytes and
 * the service's key. No member is named, and nothing of what was said.
 */

/** One history: `links` are those of the entries after {@link Evidence}`.seq`, up to what `head` says of the log. */
export const Branch = struct("Branch", {
  /** Of the entry at {@link Evidence}`.seq`, in this history: 32 bytes. */
  chainHash: fixed(32),
  links: vector(ChainLink),
  head: HeadClaim,
})
export type Branch = TypeOf<typeof Branch>

/**
 * It holds if `chainHash` differs in the two histories, the links of each lead from there to its head, the heads are of one
 * incarnation, and the key has signed both.
 */
export const Evidence = struct("Evidence", {
  /** 1. */
  version: uint8,
  /** The service's, an Ed25519 public key: 32 bytes. */
  serviceKey: fixed(32),
  groupId: opaque,
  seq: uint64,
  one: Branch,
  other: Branch,
})
export type Evidence = TypeOf<typeof Evidence>
export const EVIDENCE_VERSION = 1
