import { enumeration, fixed, opaque, optional, struct, type TypeOf, uint8, utf8, vector } from "@conclave/codec"
import { AccessKey } from "@conclave/contracts/access"
import { HeadClaim } from "@conclave/contracts/heads"

/** The authenticated data of what is sealed under a knock key. */
export const KnockContext = struct("KnockContext", {
  of: enumeration("SealedFor", 1, { knock: 1, answer: 2 }),
  groupId: opaque,
  knock: fixed(16),
})

/** What a group was made to continue: see `Conversation.restart`. No receiver believes it: it is compared. */
export const Continues = struct("Continues", {
  /** Of the conversation that nobody, or its author, could go on in. */
  groupId: opaque,
  /** The names of its members, as the member who says it knew them last: sorted, each once. */
  names: vector(utf8),
})
export type Continues = TypeOf<typeof Continues>

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
  /** The conversation that this group continues; told to those alone who were members of it. */
  continues: optional(Continues),
})
export type Newcomer = TypeOf<typeof Newcomer>
export const NEWCOMER_VERSION = 1
/** Of the range for private use (RFC 9420 §17.3). */
export const NEWCOMER_EXTENSION = 0xf0c1

/**
 * The extension that says which commit a Welcome belongs to, by the type {@link ENTRANCE_EXTENSION}, beside {@link Newcomer}.
 */
export const Entrance = struct("Entrance", {
  /** SHA-256 of the commit's ChainLink: of its bytes, and of what it registers. */
  commit: fixed(32),
})
/** Of the range for private use (RFC 9420 §17.3). */
export const ENTRANCE_EXTENSION = 0xf0c2
