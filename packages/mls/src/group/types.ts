import type { SigningKey } from "@conclave/crypto"
import type { LeafIndex } from "../indexes.js"
import type { Credential, PreSharedKeyID, Proposal, ReInit, Sender } from "../wire.js"

/** A credential and the key that signs for it. The group does not dispose of the key. */
export interface Signer {
  readonly credential: Credential
  readonly key: SigningKey
}

export interface Member {
  readonly leafIndex: LeafIndex
  readonly credential: Credential
  readonly signatureKey: Uint8Array
}

/** A proposal and whoever made it: for a proposal in a Commit by value, the committer. */
export interface SentProposal {
  readonly proposal: Proposal
  readonly sender: Sender
  /** The name of a proposal that was sent before its Commit. */
  readonly ref?: Uint8Array
}

/**
 * A credential that is new to this member and says that a signature key belongs to somebody. The application, or an
 * Authentication Service, decides whether that is so (RFC 9420 §5.3.1): see {@link Verdict}.
 */
export interface CredentialClaim {
  readonly reason: "add" | "update" | "commit" | "externalJoin" | "tree" | "externalSender"
  readonly credential: Credential
  readonly signatureKey: Uint8Array
  /** Absent for an external sender. */
  readonly leafIndex?: LeafIndex
  /** What the member presented so far: the new credential has to be a legitimate successor (RFC 9420 §5.3.1). */
  readonly predecessor?: Pick<Member, "credential" | "signatureKey">
}

/** The judgement of one claim. Whatever is to be applied needs one for each of its claims. */
export interface Verdict {
  readonly claim: CredentialClaim
  readonly accepted: boolean
}

/** For tests and experiments: nobody is asked who these people are. */
export function dangerouslyAcceptAll(claims: readonly CredentialClaim[]): readonly Verdict[] {
  return claims.map((claim) => ({ claim, accepted: true }))
}

/** Finds the secret of a pre-shared key that the group itself does not hold. */
export type PskLookup = (id: PreSharedKeyID) => Uint8Array | undefined

/**
 * A Commit that was checked in full and not applied: forget it and nothing has happened. Only the group from which it
 * came can apply it, in the epoch in which it was staged.
 */
export interface StagedCommit {
  /** The epoch that it would begin. */
  readonly epoch: bigint
  /** `undefined` for somebody who joins by an external Commit: see `added`. */
  readonly committer: Member | undefined
  /** Somebody joins by this Commit (RFC 9420 §12.4.3.2): it is the last of `added`. */
  readonly external: boolean
  readonly added: readonly Member[]
  readonly removed: readonly Member[]
  /** The members in `removed`, in the same order, and who asked for it. */
  readonly removals: readonly Removal[]
  /** Whether it has an UpdatePath (RFC 9420 §7.5): the committer's leaf, and what is above it, are renewed. */
  readonly path: boolean
  /** Members with a new leaf node, the committer included. */
  readonly updated: readonly Member[]
  readonly claims: readonly CredentialClaim[]
  /** This member is removed: applying it ends the group for it. */
  readonly selfRemoved: boolean
  readonly reInit: ReInit | undefined
  /** All of them, in the order of the Commit. */
  readonly proposals: readonly Proposal[]
  /** Proposals of types that the application has registered. */
  readonly registered: readonly (Proposal & { readonly type: "registered" })[]
  /** The Commit's authenticated_data. */
  readonly authenticatedData: Uint8Array
}

/** Why a member is removed. */
export interface Removal {
  readonly member: Member
  /** Who proposed it, which need not be the committer; `undefined` for somebody outside the group. */
  readonly proposedBy: Member | undefined
  /** Whether it was proposed before, and the Commit only carries it out. */
  readonly byReference: boolean
}

/** A Commit of our own, with everything that others need of it. */
export interface OutgoingCommit extends StagedCommit {
  /** MLSMessage with the Commit. */
  readonly message: Uint8Array
  /** MLSMessage with one Welcome for everybody in `added`, or `undefined` where nobody is. */
  readonly welcome: Uint8Array | undefined
  /** MLSMessage with the GroupInfo of the new epoch, without the tree; signed when it is first asked for. */
  readonly groupInfo: Uint8Array
  /** The tree of the new epoch, as in a `ratchet_tree` extension; encoded when it is asked for. */
  readonly ratchetTree: () => Uint8Array
}

export type Received =
  | {
      readonly type: "application"
      readonly plaintext: Uint8Array
      readonly authenticatedData: Uint8Array
      readonly sender: Member
      readonly epoch: bigint
    }
  | {
      readonly type: "proposal"
      readonly ref: Uint8Array
      readonly proposal: Proposal
      /** `undefined` for somebody outside the group. */
      readonly sender: Member | undefined
      readonly authenticatedData: Uint8Array
    }
  | { readonly type: "commit"; readonly staged: StagedCommit; readonly own: boolean }
  /**
   * `own-message`: it says that this member has sent it with a key that this member has spent. Whether it did cannot be
   * known any more, but by comparing the bytes with what was sent.
   */
  | { readonly type: "ignored"; readonly reason: "own-message" | "past-epoch" | "known-proposal" }

/** A commit that `Group.makeCommit` has made. Disposing of one that is not used up overwrites its secrets. */
export interface MadeCommit extends Disposable {}

/** A message that `Group.openMessage` has opened. Disposing of one that is not used up overwrites its secrets. */
export interface OpenedMessage extends Disposable {}
