import { alias, fixed, opaque, optional, struct, type TypeOf, uint64, vector } from "@conclave/codec"
import { AccessKey } from "./access.js"

/**
 * How a device that is a member and cannot follow the log any more comes back: it knocks, and a member answers with a
 * commit that removes and adds it. Knocks lie beside the log, for a day.
 */

/** Random, 16 bytes. */
export const KnockId = alias("KnockId", fixed(16))

/** A knock as it lies beside the log. */
export const Knock = struct("Knock", {
  id: KnockId,
  /** The access key that it was proved with: it names the interval by whose knock key it is sealed. */
  key: AccessKey,
  /** A SignedKnock, sealed (see {@link KnockTBS}): a nonce, and the ciphertext of the suite's AEAD. */
  sealed: opaque,
  /** Unix time in milliseconds, by the service's clock. */
  at: uint64,
})
export type Knock = TypeOf<typeof Knock>

/** The label of a knock's signature: `SignWithLabel(leaf key, "ConclaveKnock", KnockTBS)` (RFC 9420 §5.1.2). */
export const KNOCK_LABEL = "ConclaveKnock"
export const KnockTBS = struct("KnockTBS", {
  id: KnockId,
  groupId: opaque,
  /** The access key of the newest interval that the knocker knows. */
  interval: AccessKey,
  /**
   * The hashes, by the suite's hash function, of the LeafNodes that may be the knocker's: that of the last tree which it
   * has, and those of the key packages of earlier knocks whose answers it could not use.
   */
  leafNodeHashes: vector(opaque),
  /** The newest entry that the knocker has fetched, and its chain hash (32 bytes; empty where that is not known). */
  seen: uint64,
  seenHash: opaque,
  /** The commit that it could not follow, where that is why. */
  stuckAt: optional(uint64),
  /** An MLSMessage with a fresh KeyPackage. */
  keyPackage: opaque,
})
export type KnockTBS = TypeOf<typeof KnockTBS>
export const SignedKnock = struct("SignedKnock", { content: KnockTBS, signature: opaque })
export type SignedKnock = TypeOf<typeof SignedKnock>

/** What a commit answers: the Welcome lies beside the knocks, so that nobody else has it. */
export const Answers = struct("Answers", {
  /** An MLSMessage with one Welcome for all who knocked, sealed by a fresh key. */
  welcome: opaque,
  to: vector(
    struct("AnswerTo", {
      knock: KnockId,
      /** That fresh key, sealed under the knock key of the knock's interval. */
      key: opaque,
    }),
  ),
})
export type Answers = TypeOf<typeof Answers>
