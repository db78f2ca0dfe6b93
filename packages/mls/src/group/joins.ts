import type { Sliced } from "../slices.js"
import type { SignatureToVerify } from "../tree/validation.js"
import type { Extension } from "../wire.js"
import type { JoinedEpoch, TreeChecks } from "./join.js"
import type { CredentialClaim, Member, Verdict } from "./types.js"

/** A group that can be entered with a Welcome, once its members have been judged. */
/** Disposing of one that is not accepted overwrites its secrets: it cannot be accepted any more. */
export interface StagedJoinOf<Group> extends Pick<JoinedEpoch, "inviter">, Disposable {
  readonly groupId: Uint8Array
  readonly epoch: bigint
  readonly members: readonly Member[]
  /** Those of the GroupInfo inside the Welcome: what its signer, {@link inviter}, wants newcomers to know. */
  readonly groupInfoExtensions: readonly Extension[]
  /** Every other member of the group, and its external senders. */
  readonly claims: readonly CredentialClaim[]
  /** Which key package opened the Welcome. Unless it is one of last resort, its private keys are to be deleted. */
  readonly keyPackageRef: Uint8Array
  /** @throws RuleError credential-accepted */
  accept(verdicts: readonly Verdict[]): Group
}

/** A Welcome that was opened; its tree is still to be checked. */
export interface PreparedJoinOf<Group> {
  readonly groupId: Uint8Array
  readonly epoch: bigint
  readonly groupInfoExtensions: readonly Extension[]
  /** Members of the group: so many signatures are to be verified. */
  readonly leaves: number
  /**
   * The signature of every leaf, for `verifyBatch` of a provider, which has other threads to do it. Each is put together when its
   * fields are read: another thread is sent the fields.
   */
  readonly signatures: () => readonly SignatureToVerify[]
  /** Checks the tree, once. With `signaturesVerified` the caller has verified all of `signatures`. @throws RuleError */
  readonly stage: (checks?: TreeChecks) => StagedJoinOf<Group>
  /** The same in slices. In the end, and where it throws or is left, what the Welcome told is destroyed: it is staged once. */
  readonly stageInSlices: (checks?: TreeChecks) => Sliced<StagedJoinOf<Group>>
}

/** A Commit by which somebody from outside joins; the group is entered once the service has taken it. */
export interface StagedExternalJoinOf<Group> {
  readonly groupId: Uint8Array
  /** The epoch that the Commit begins. */
  readonly epoch: bigint
  /** MLSMessage with the Commit, as a PublicMessage. */
  readonly message: Uint8Array
  /** MLSMessage with the GroupInfo of the new epoch, without the tree. */
  readonly groupInfo: Uint8Array
  readonly ratchetTree: () => Uint8Array
  /** The old self that the Commit removes. */
  readonly removed: readonly Member[]
  readonly claims: readonly CredentialClaim[]
  /** @throws RuleError credential-accepted */
  accept(verdicts: readonly Verdict[]): Group
}
