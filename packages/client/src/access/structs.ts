import { enumeration, fixed, opaque, optional, struct, type TypeOf, uint8 } from "@conclave/codec"
import { AccessKey } from "@conclave/contracts/access"
import { HeadClaim } from "@conclave/contracts/heads"

/** The authenticated data of what is sealed under a knock key. */
export const KnockContext = struct("KnockContext", {
  of: enumeration("SealedFor", 1, { knock: 1, answer: 2 }),
  groupId: opaque,
  knock: fixed(16),
})

/**
 * The extension of the GroupInfo in a Welcome (RFC 9420 §12.4.3) that tells newcomers what a member knows, by the type
 * {@link NEWCOMER_EXTENSION}: nobody else can read it, and the committer's signature covers it.
 */
export const Newcomer = struct("Newcomer", {
  /** 1. */
  version: uint8,
  /** Of the interval that is in force when the epoch begins: KDF.Nh bytes. */
  intervalSecret: opaque,
  /** What that secret leads to. */
  accessKey: AccessKey,
  /** The newest head that the committer had read. */
  head: optional(HeadClaim),
})
export type Newcomer = TypeOf<typeof Newcomer>
export const NEWCOMER_VERSION = 1
/** Of the range for private use (RFC 9420 §17.3). */
export const NEWCOMER_EXTENSION = 0xf0c1
