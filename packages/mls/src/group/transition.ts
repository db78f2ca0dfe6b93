import { encode } from "@conclave/codec"
import { equalBytes, wipe } from "@conclave/crypto"
import { rule, StateError } from "../errors.js"
import type { LeafIndex, NodeIndex } from "../indexes.js"
import { type EpochSeed, nextEpoch, receiveExternalInit } from "../schedule/key-schedule.js"
import { type Psk, pskSecret } from "../schedule/psk.js"
import { confirmedTranscriptHash, interimTranscriptHash } from "../schedule/transcript.js"
import type { Sliced } from "../slices.js"
import { isLeafSignatureValid, isProposedLeafSignatureValid, validateLeafNode } from "../tree/leaf.js"
import * as math from "../tree/math.js"
import { applyUpdatePath, decryptPath, type PathSecrets, pathSecretsFrom } from "../tree/path.js"
import type { PathStep } from "../tree/ratchet-tree.js"
import { validateLeafAmongMembers } from "../tree/validation.js"
import {
  type Commit,
  Credential,
  ExternalSender,
  type FramedContent,
  type GroupContext,
  type PreSharedKeyID,
  type UpdatePath,
} from "../wire.js"
import { claimOf, type Epoch, encodeContext, externalSenders, leafRequirements, memberAt, memberOf } from "./epoch.js"
import type { GroupPolicy } from "./policy.js"
import { type GroupProfile, requireCommitAllowed } from "./profile.js"
import { type AppliedRemoval, requireNewKey } from "./proposal-kinds.js"
import {
  type AppliedProposals,
  applyProposals,
  isPathRequired,
  validateExtensions,
  validateProposalList,
} from "./proposals.js"
import type { Origin } from "./psk-ids.js"
import { hex } from "./records.js"
import type { CredentialClaim, Member, PskLookup, Removal, SentProposal, Signer, StagedCommit } from "./types.js"

/*
 * From one epoch to the next, the same for whoever sends a Commit and for whoever receives it:
 *
 *   Commit ── proposals ──► draft tree, extensions ── UpdatePath ──► tree, path secrets
 *                                                                        │
 *   content, signature ──► transcript hash ──► GroupContext ─────► key schedule ──► confirmation tag
 *
 * Nothing here changes the epoch that it starts from.
 */

/** What a transition needs beyond the epoch and the Commit. */
export interface TransitionContext {
  readonly policy: GroupPolicy
  readonly profile: GroupProfile
  readonly psks: PskLookup
  readonly origin?: Origin | undefined
}

/** The next epoch, before anybody has decided to enter it. */
export interface NextEpoch {
  readonly basis: Epoch
  /** `undefined` where this member is not in it. */
  readonly epoch: Epoch | undefined
  readonly seed: EpochSeed | undefined
  readonly applied: AppliedProposals
}

/** A Commit whose sender is known and whose signature has been verified. */
export interface CommitContent {
  readonly wireFormat: "mlsPublicMessage" | "mlsPrivateMessage"
  readonly content: FramedContent
  readonly commit: Commit
  readonly signature: Uint8Array
  readonly confirmationTag: Uint8Array
  readonly proposals: readonly SentProposal[]
}

/** Private keys that this member has drawn itself and does not learn from the Commit. */
export interface OwnKeys {
  /** Of a leaf node that an Update of ours put into the tree: by its public key. */
  updateKey(encryptionKey: Uint8Array): { readonly privateKey: Uint8Array; readonly signer: Signer } | undefined
  /** Where the Commit is our own. */
  readonly committed?: OwnPath | undefined
}

export interface OwnPath {
  /** Of the path's first step; absent where the path has none. */
  readonly firstPathSecret: Uint8Array
  readonly leafPrivateKey: Uint8Array
  readonly signer: Signer
}

/**
 * RFC 9420 §12.4.2: checks a Commit in full and computes the epoch that it begins. Secrets are made at its very end,
 * after the last interruption.
 *
 * @throws RuleError, AuthenticityError
 */
export function* stageCommit(
  epoch: Epoch,
  commit: CommitContent,
  context: TransitionContext,
  own: OwnKeys,
): Sliced<{ readonly staged: StagedCommit; readonly next: NextEpoch }> {
  const { sender } = commit.content
  const committer = sender.type === "member" ? sender.leafIndex : undefined
  const { path } = commit.commit
  // What every member of the epoch sees alike comes first: see `seenBy`.
  if (epoch.context.epoch === EPOCH_MAX) throw new StateError("EPOCHS_SPENT", "no epoch comes after this one")
  const { proposals } = commit
  requireCommitAllowed(context.profile, { proposals, committer, pathLeaf: path?.leafNode }, epoch)
  yield* validateProposalList(commit.proposals, { epoch, committer, origin: context.origin })
  rule(path !== undefined || !isPathRequired(commit.proposals), "commit-path-required")

  const applied = yield* applyProposals(commit.proposals, { epoch, committer })
  const committerLeaf = committer ?? applied.tree.nextLeaf()
  const steps = path && mergeReceivedPath(epoch, applied, { committer, committerLeaf, path })
  yield* validateNewLeaves(epoch, applied, path && committerLeaf, context.policy)
  const init = initSecret(epoch, applied)
  const staged = describe(epoch, applied, { committer, committerLeaf: path && committerLeaf, content: commit.content })
  if (staged.selfRemoved) return { staged, next: { basis: epoch, epoch: undefined, seed: undefined, applied } }

  // From here on it may be this member alone that sees something wrong.
  const keys = carriedKeys(epoch, applied, own)
  const secrets = path && steps && receivedSecrets(epoch, applied, { steps, path, own, privateKeys: keys.privateKeys })
  if (path && own.committed) keys.privateKeys.set(math.toNode(committerLeaf), own.committed.leafPrivateKey)
  const concluded = conclude(epoch, {
    applied,
    content: commit,
    pathSecrets: secrets,
    init,
    pskSecret: pskSecret(epoch.suite, findPsks(applied.psks, context.psks)),
    privateKeys: keys.privateKeys,
    signer: own.committed?.signer ?? keys.signer,
  })
  rule(equalBytes(concluded.epoch.confirmationTag, commit.confirmationTag), "commit-confirmation-tag")
  return { staged, next: { basis: epoch, applied, epoch: concluded.epoch, seed: concluded.seed } }
}

// --- The tree --------------------------------------------------------------------------------------------------------

function mergeReceivedPath(
  epoch: Epoch,
  applied: AppliedProposals,
  { committer, committerLeaf, path }: { committer: LeafIndex | undefined; committerLeaf: LeafIndex; path: UpdatePath },
): PathStep[] {
  const { leafNode } = path
  // RFC 9420 §12.2: a joiner that removes its old self meets the criteria of an Update for it.
  const before = epoch.tree.leaf(committer ?? applied.removed[0] ?? committerLeaf)
  if (committer !== undefined || applied.removed.length > 0) requireNewKey(leafNode, before!)
  const position = { groupId: epoch.context.groupId, leafIndex: committerLeaf }
  rule(isLeafSignatureValid(epoch.suite, leafNode, position), "leaf-signature")
  applied.tree.reserve(committerLeaf)
  return applyUpdatePath(applied.tree, committerLeaf, path, new Set(applied.added.keys()))
}

/**
 * RFC 9420 §7.3 for the leaf nodes that the Commit brings, and §12.1.7 for everybody.
 *
 * `now` is given by whoever sends: a receiver may come late, and must not refuse what all others have accepted.
 */
export function* validateNewLeaves(
  epoch: Epoch,
  applied: AppliedProposals,
  committerLeaf: LeafIndex | undefined,
  policy: GroupPolicy,
  now?: bigint,
): Sliced<void> {
  const { tree, extensions } = applied
  rule(tree.leafCount <= policy.leafCountMax, "tree-size", `${tree.leafCount} leaves`)
  const requirements = leafRequirements(epoch.suite, extensions, policy, now)
  for (const [leafIndex, { leafNode }] of applied.added) {
    yield
    validateLeafNode(leafNode, requirements)
    validateLeafAmongMembers(tree, leafNode)
    const position = { groupId: epoch.context.groupId, leafIndex }
    rule(isProposedLeafSignatureValid(epoch.suite, leafNode, position), "leaf-signature")
  }
  const changed = committerLeaf === undefined ? applied.updated : [...applied.updated, committerLeaf]
  for (const leafIndex of changed) {
    const leafNode = tree.leaf(leafIndex)!
    validateLeafNode(leafNode, requirements)
    validateLeafAmongMembers(tree, leafNode)
  }
  if (extensions !== epoch.context.extensions) validateExtensions(tree, extensions)
}

// --- Secrets ---------------------------------------------------------------------------------------------------------

/** The own private keys whose public keys are still in the tree, and the new one of an own Update. */
export function carriedKeys(epoch: Epoch, { tree, updated }: AppliedProposals, own: OwnKeys) {
  const privateKeys = new Map<NodeIndex, Uint8Array>()
  for (const [node, privateKey] of epoch.privateKeys) {
    if (node >= math.nodeCount(tree.leafCount)) continue
    const [before, after] = [epoch.tree.node(node)!, tree.node(node)]
    if (after && equalBytes(after.encryptionKey, before.encryptionKey)) privateKeys.set(node, privateKey)
  }
  let { signer } = epoch
  if (updated.includes(epoch.ownLeafIndex)) {
    const update = own.updateKey(tree.leaf(epoch.ownLeafIndex)!.encryptionKey)
    // Whoever signs with our key and is not us has a copy of our state.
    if (update === undefined)
      throw new StateError("STATE_ROLLED_BACK", "an Update of ours that this state has not sent")
    privateKeys.set(math.toNode(epoch.ownLeafIndex), update.privateKey)
    signer = update.signer
  }
  return { privateKeys, signer }
}

function receivedSecrets(
  epoch: Epoch,
  applied: AppliedProposals,
  path: {
    readonly steps: readonly PathStep[]
    readonly path: UpdatePath
    readonly own: OwnKeys
    readonly privateKeys: ReadonlyMap<NodeIndex, Uint8Array>
  },
): PathSecrets {
  const { tree } = applied
  // A copy: where no node is above the leaf, it is the commit secret, which is overwritten at once.
  if (path.own.committed) return pathSecretsFrom(tree, path.steps, path.own.committed.firstPathSecret.slice())
  return decryptPath(tree, {
    own: epoch.ownLeafIndex,
    privateKeys: path.privateKeys,
    steps: path.steps,
    nodes: path.path.nodes,
    added: new Set(applied.added.keys()),
    context: encodeContext(provisionalContext(epoch, applied)),
  })
}

/** RFC 9420 §12.4.1: the new epoch's context, but with the transcript of the old one. */
export const provisionalContext = (epoch: Epoch, applied: AppliedProposals): GroupContext =>
  contextAfter(epoch, applied, epoch.context.confirmedTranscriptHash)

// Field by field: a copy with `...` takes as long as an HMAC.
function contextAfter(
  { context }: Epoch,
  { tree, extensions }: AppliedProposals,
  confirmedTranscriptHash: Uint8Array,
): GroupContext {
  const { version, cipherSuite, groupId } = context
  // An epoch is a uint64, and whoever writes a GroupInfo may have chosen the last one.
  if (context.epoch === EPOCH_MAX) throw new StateError("EPOCHS_SPENT", "no epoch comes after this one")
  const epoch = context.epoch + 1n
  return { version, cipherSuite, groupId, epoch, treeHash: tree.treeHash(), confirmedTranscriptHash, extensions }
}

const EPOCH_MAX = 0xffff_ffff_ffff_ffffn

/** RFC 9420 §8.3: an external Commit brings an init secret of its own. */
function initSecret(epoch: Epoch, { kemOutput }: AppliedProposals): Uint8Array {
  if (kemOutput === undefined) return epoch.secrets.init
  const init = receiveExternalInit(epoch.suite, epoch.secrets.external, kemOutput)
  rule(init !== undefined, "external-init-decapsulates")
  return init
}

/** @throws RuleError psk-known */
export function findPsks(ids: readonly PreSharedKeyID[], lookup: PskLookup): Psk[] {
  return ids.map((id) => {
    const secret = lookup(id)
    rule(secret !== undefined, "psk-known")
    return { id, secret }
  })
}

/** The end of every transition: transcript, GroupContext, key schedule, confirmation tag. */
export function conclude(
  epoch: Epoch,
  from: {
    readonly applied: AppliedProposals
    readonly content: Pick<CommitContent, "wireFormat" | "content" | "signature">
    readonly pathSecrets: PathSecrets | undefined
    readonly init: Uint8Array
    readonly pskSecret: Uint8Array
    readonly privateKeys: Map<NodeIndex, Uint8Array>
    readonly signer: Signer
    /** Where it is not that of the epoch: somebody joins by the Commit. */
    readonly ownLeafIndex?: LeafIndex
  },
): { readonly epoch: Epoch; readonly seed: EpochSeed } {
  const { suite } = epoch
  const { applied, pathSecrets } = from
  const confirmed = confirmedTranscriptHash(suite, epoch.interimTranscriptHash, from.content)
  const context = contextAfter(epoch, applied, confirmed)
  const contextBytes = encodeContext(context)
  const commitSecret = pathSecrets?.commitSecret ?? new Uint8Array(suite.secretSize)
  const seed = nextEpoch(suite, { init: from.init, commitSecret, pskSecret: from.pskSecret, context: contextBytes })
  wipe(commitSecret, from.pskSecret)
  const confirmationTag = suite.hash.hmac(seed.secrets.confirmation, confirmed)
  const privateKeys = new Map(from.privateKeys)
  for (const [node, privateKey] of pathSecrets?.privateKeys ?? []) privateKeys.set(node, privateKey)
  return {
    seed,
    epoch: {
      suite,
      context,
      contextBytes,
      tree: applied.tree,
      secrets: seed.secrets,
      confirmationTag,
      interimTranscriptHash: interimTranscriptHash(suite, confirmed, confirmationTag),
      ownLeafIndex: from.ownLeafIndex ?? epoch.ownLeafIndex,
      privateKeys,
      signer: from.signer,
    },
  }
}

// --- What the application sees ---------------------------------------------------------------------------------------

export function describe(
  epoch: Epoch,
  applied: AppliedProposals,
  by: {
    readonly committer: LeafIndex | undefined
    /** The committer's new leaf, where the Commit has a path. */
    readonly committerLeaf: LeafIndex | undefined
    readonly content: FramedContent
  },
): StagedCommit {
  const { tree } = applied
  const joins = by.committer === undefined
  const added = [...applied.added.keys()]
  if (joins && by.committerLeaf !== undefined) added.push(by.committerLeaf)
  const updated = [...applied.updated]
  if (!joins && by.committerLeaf !== undefined) updated.push(by.committerLeaf)
  return {
    epoch: epoch.context.epoch + 1n,
    committer: by.committer === undefined ? undefined : memberAt(epoch.tree, by.committer),
    added: added.map((leaf) => memberOf(leaf, tree.leaf(leaf)!)),
    external: joins,
    removed: applied.removed.map((leaf) => memberOf(leaf, epoch.tree.leaf(leaf)!)),
    removals: applied.removals.map((removal) => describeRemoval(epoch, removal)),
    path: by.committerLeaf !== undefined,
    updated: updated.map((leaf) => memberOf(leaf, tree.leaf(leaf)!)),
    claims: claims(epoch, applied, { committerLeaf: by.committerLeaf, joins }),
    selfRemoved: applied.removed.includes(epoch.ownLeafIndex),
    reInit: applied.reInit,
    proposals: applied.list.map(({ proposal }) => proposal),
    registered: applied.list.map(({ proposal }) => proposal).filter((proposal) => proposal.type === "registered"),
    authenticatedData: by.content.authenticatedData,
  }
}

function describeRemoval({ tree }: Epoch, { leafIndex, by }: AppliedRemoval): Removal {
  return {
    member: memberAt(tree, leafIndex)!,
    proposedBy: by.sender.type === "member" ? memberAt(tree, by.sender.leafIndex) : undefined,
    byReference: by.ref !== undefined,
  }
}

function claims(
  epoch: Epoch,
  applied: AppliedProposals,
  { committerLeaf, joins }: { readonly committerLeaf: LeafIndex | undefined; readonly joins: boolean },
): CredentialClaim[] {
  const { tree } = applied
  const found: CredentialClaim[] = []
  for (const leaf of applied.added.keys()) found.push(claimOf("add", memberAt(tree, leaf)!))
  for (const leaf of applied.updated) pushSuccessor(found, "update", memberAt(tree, leaf)!, memberAt(epoch.tree, leaf)!)
  if (committerLeaf !== undefined) {
    const member = memberAt(tree, committerLeaf)!
    const old = applied.removed[0]
    if (!joins) pushSuccessor(found, "commit", member, memberAt(epoch.tree, committerLeaf)!)
    else if (old === undefined) found.push(claimOf("externalJoin", member))
    else found.push({ reason: "externalJoin", ...member, predecessor: memberAt(epoch.tree, old)! })
  }
  if (applied.extensions !== epoch.context.extensions) {
    const nameOf = (sender: ExternalSender) => hex(encode(ExternalSender, sender))
    const known = new Set(externalSenders(epoch.context.extensions).map(nameOf))
    for (const sender of externalSenders(applied.extensions)) {
      // RFC 9420 §5.3.1: an entry that is updated is judged like a new one.
      if (!known.has(nameOf(sender))) {
        found.push({ reason: "externalSender", credential: sender.credential, signatureKey: sender.signatureKey })
      }
    }
  }
  return found
}

/** A leaf node that presents what its member presented before claims nothing new. */
function pushSuccessor(
  found: CredentialClaim[],
  reason: "update" | "commit",
  member: Member,
  predecessor: Member,
): void {
  const same =
    equalBytes(member.signatureKey, predecessor.signatureKey) &&
    (member.credential === predecessor.credential ||
      equalBytes(encode(Credential, member.credential), encode(Credential, predecessor.credential)))
  if (!same) found.push({ reason, ...member, predecessor })
}
