import type { HeadClaim } from "@conclave/contracts/heads"
import type { Knock } from "@conclave/contracts/knocks"
import type { LeafIndex, StagedJoin } from "@conclave/mls"
import type { IntervalKeys } from "../access/interval-keys.js"
import type { Claimed } from "../records/records.js"

/** Somebody has knocked, and nobody has answered yet as far as this device knows. */
export interface Visitor {
  readonly knock: Knock
  /** When this device heard of it, or may answer it, Unix time in milliseconds. */
  readonly since: number
}

/** A leaf that has been let in again: how often in a row, and with which commit last. */
export interface LetIn {
  readonly times: number
  /** Unix time in milliseconds. */
  readonly at: number
  readonly seq: bigint
  /** By the signature key of a committer, in hexadecimal: how often it said that it could not follow a commit of theirs. */
  readonly stuckBy: ReadonlyMap<string, number>
}

/** Somebody to be added: by a Welcome in the device's inbox, or as the answer to a knock. */
export type Addition = Pick<Claimed, "name" | "deviceId" | "keyPackage"> | Answering

/** Whoever left this knock is added as the answer to it. */
export interface Answering {
  /** Where it is a member now. */
  readonly leaf: LeafIndex
  readonly keyPackage: Uint8Array
  /** `keys`: of the knock's interval. */
  readonly answer: { readonly knock: Uint8Array; readonly keys: IntervalKeys }
}

/** The answer to this device's knock, while the log is read up to it. */
export interface Entering {
  readonly join: StagedJoin
  /** Of the interval that the answer begins. */
  readonly keys: IntervalKeys
  /** How far whoever made it had read. */
  readonly head: HeadClaim | undefined
  readonly by: string
  /** Of the commit that answers. */
  readonly seq: bigint
  /** That commit, as the answer names it. */
  readonly commit: Uint8Array
  /** Read so far: nothing of it is judged. */
  cursor: bigint
  chainHash: Uint8Array
}

/** Why a knock lets nobody in. */
export type KnockRefusal =
  | "its interval is not known here"
  | "it cannot be opened"
  | "its leaf is not in the tree"
  | "it is of this very leaf"
  | "its leaf has been replaced"
  | "its signature is not that of its leaf"
  | "its interval is older than its leaf"
  | "its leaf has been heard since"
  | "its key package is somebody else's"
  | "its key package cannot be added"
  | "its key has not been approved"
  | "its device was revoked"
