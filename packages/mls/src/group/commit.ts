import { encode } from "@conclave/codec"
import { wipe } from "@conclave/crypto"
import { type ContentWireFormat, signContent } from "../framing/content.js"
import type { LeafIndex } from "../indexes.js"
import type { EpochSeed } from "../schedule/key-schedule.js"
import { type Psk, pskSecret } from "../schedule/psk.js"
import type { Sliced } from "../slices.js"
import { KEY_AND_NONCE } from "../suite/derivations.js"
import { encryptorToMany } from "../suite/labels.js"
import type { CipherSuite, Random } from "../suite/suite.js"
import { ciphertextsTogether, inParts } from "../suite/together.js"
import { signLeafNode, withSignature } from "../tree/leaf.js"
import * as math from "../tree/math.js"
import { derivePath, encryptPathInSlices, mergePath, type PathSecrets } from "../tree/path.js"
import {
  type AuthenticatedContent,
  type Commit,
  type EncryptedGroupSecrets,
  type FramedContent,
  type FramedContentAuthData,
  GroupInfo,
  GroupSecrets,
  MLSMessage,
  type ProposalOrRef,
  type UnsignedLeafNode,
  type UpdatePath,
  type UpdatePathNode,
} from "../wire.js"
import { type Epoch, encodeContext } from "./epoch.js"
import { type GroupInfoOptions, signGroupInfo } from "./group-info.js"
import { freshKeyPair, keyPackageRef } from "./key-package.js"
import type { GroupPolicy } from "./policy.js"
import { type Presented, requireCommitAllowed } from "./profile.js"
import { type AppliedProposals, applyProposals, isPathRequired, validateProposalList } from "./proposals.js"
import {
  carriedKeys,
  conclude,
  describe,
  findPsks,
  type NextEpoch,
  type OwnKeys,
  type OwnPath,
  provisionalContext,
  type TransitionContext,
  validateNewLeaves,
} from "./transition.js"
import type { SentProposal, Signer, StagedCommit } from "./types.js"

/** What is to be committed, and how. */
export interface CommitRequest {
  readonly proposals: readonly SentProposal[]
  /** The leaf node of the committer in the new tree, but for its keys and signature. */
  readonly leaf: Pick<UnsignedLeafNode, "capabilities" | "extensions">
  /** Signs the new leaf node and speaks for the committer from then on. */
  readonly newSigner: Signer
  /** Whether there is an UpdatePath even if the proposals need none. */
  readonly forcePath: boolean
  readonly authenticatedData: Uint8Array
  readonly wireFormat: ContentWireFormat
  /** Somebody from outside joins by this Commit, with this init secret (RFC 9420 §8.3). */
  readonly externalInit?: Uint8Array
}

export interface CommitContext extends TransitionContext {
  readonly random: Random
  /** Unix seconds: what is sent must be valid now (RFC 9420 §7.3). */
  readonly now: bigint
  readonly own: OwnKeys
}

/** A Commit that is ready to be protected and sent. */
export interface CreatedCommit {
  readonly staged: StagedCommit
  readonly next: NextEpoch & { readonly epoch: Epoch; readonly seed: EpochSeed }
  readonly authenticated: AuthenticatedContent
  readonly pathSecrets: PathSecrets | undefined
  readonly ownPath: OwnPath | undefined
}

/**
 * RFC 9420 §12.4.1: a Commit and the epoch that it begins. The given epoch stays as it is.
 *
 * @throws RuleError
 */
export function* createCommit(epoch: Epoch, request: CommitRequest, context: CommitContext): Sliced<CreatedCommit> {
  const external = request.externalInit !== undefined
  const list = request.proposals
  const { committer, own, applied, psks, leafKeys } = yield* prepareCommit(epoch, request, context)
  const path = leafKeys && (yield* createPath(epoch, { applied, own, leafKeys }, request, context))

  const commit: Commit = { proposals: list.map(proposalOrRef), path: path?.updatePath }
  const content: FramedContent = {
    groupId: epoch.context.groupId,
    epoch: epoch.context.epoch,
    sender: external ? { type: "newMemberCommit" } : { type: "member", leafIndex: own },
    authenticatedData: request.authenticatedData,
    contentType: { type: "commit", commit },
  }
  const { wireFormat } = request
  // A joiner is not in the old tree: the key of its new leaf node speaks for it (RFC 9420 §12.4.3.2).
  const key = external ? request.newSigner.key : epoch.signer.key
  const signature = signContent({ wireFormat, content, context: epoch.contextBytes }, key)

  const { privateKeys, signer } = external
    ? { privateKeys: new Map(), signer: request.newSigner }
    : carriedKeys(epoch, applied, context.own)
  if (path) privateKeys.set(math.toNode(own), path.own.leafPrivateKey)
  const concluded = conclude(epoch, {
    applied,
    content: { wireFormat, content, signature },
    pathSecrets: path?.secrets,
    init: request.externalInit ?? epoch.secrets.init,
    pskSecret: pskSecret(epoch.suite, psks),
    privateKeys,
    signer: path ? request.newSigner : signer,
    ownLeafIndex: own,
  })
  const auth: FramedContentAuthData = { signature, confirmationTag: concluded.epoch.confirmationTag }
  return {
    staged: describe(epoch, applied, { committer, committerLeaf: path && own, content }),
    next: { basis: epoch, applied, epoch: concluded.epoch, seed: concluded.seed },
    authenticated: { wireFormat, content, auth },
    pathSecrets: path?.secrets,
    ownPath: path?.own,
  }
}

/** A Commit that nothing is wrong with; what takes time, its path and its secrets, is still to be made. */
interface PreparedCommit {
  readonly committer: LeafIndex | undefined
  /** The leaf of the committer in the new tree. */
  readonly own: LeafIndex
  /** In its tree the committer's new leaf node is in place, but for its parent hash and its signature. */
  readonly applied: AppliedProposals
  readonly psks: readonly Psk[]
  /** Of the committer's new leaf node, where the Commit has a path. */
  readonly leafKeys: KeyPair | undefined
}

/**
 * RFC 9420 §12.4.1: whether there can be such a Commit. All that the received proposals may have wrong with them shows
 * here, before a path is made: it takes a key pair for each level of the tree and a ciphertext for each node beside it.
 *
 * @throws RuleError
 */
export function* prepareCommit(epoch: Epoch, request: CommitRequest, context: CommitContext): Sliced<PreparedCommit> {
  const external = request.externalInit !== undefined
  const committer = external ? undefined : epoch.ownLeafIndex
  const list = request.proposals
  const withPath = external || request.forcePath || isPathRequired(list)
  const pathLeaf = withPath ? presentedBy(request.newSigner) : undefined
  requireCommitAllowed(context.profile, { proposals: list, committer, pathLeaf }, epoch)
  yield* validateProposalList(list, { epoch, committer, origin: context.origin })
  const applied = yield* applyProposals(list, { epoch, committer })
  const psks = findPsks(applied.psks, context.psks)
  const own = committer ?? applied.tree.nextLeaf()
  const leafKeys = withPath ? freshKeyPair(epoch.suite, context.random) : undefined
  let isValid = false
  try {
    if (leafKeys) {
      const parentHash = new Uint8Array(0)
      applied.tree.setLeaf(own, withSignature(unsignedLeaf(request, leafKeys, parentHash), new Uint8Array(0)))
    }
    yield* validateNewLeaves(epoch, applied, leafKeys && own, context.policy, context.now)
    isValid = true
  } finally {
    if (!isValid && leafKeys) wipe(leafKeys.privateKey)
  }
  return { committer, own, applied, psks, leafKeys }
}

function unsignedLeaf(request: CommitRequest, { publicKey }: KeyPair, parentHash: Uint8Array): UnsignedLeafNode {
  const { leaf, newSigner } = request
  return {
    encryptionKey: publicKey,
    signatureKey: newSigner.key.publicKey,
    credential: newSigner.credential,
    capabilities: leaf.capabilities,
    extensions: leaf.extensions,
    leafNodeSource: { type: "commit", parentHash },
  }
}

type KeyPair = ReturnType<typeof freshKeyPair>

const presentedBy = ({ credential, key }: Signer): Presented => ({ credential, signatureKey: key.publicKey })

const proposalOrRef = ({ proposal, ref }: SentProposal): ProposalOrRef =>
  ref === undefined ? { type: "proposal", proposal } : { type: "reference", reference: ref }

/** RFC 9420 §7.5: new keys from the committer's leaf to the root, and their secrets for everybody else. */
function* createPath(
  epoch: Epoch,
  by: { readonly applied: AppliedProposals; readonly own: LeafIndex; readonly leafKeys: KeyPair },
  request: CommitRequest,
  { random }: CommitContext,
): Sliced<{ readonly updatePath: UpdatePath; readonly secrets: PathSecrets; readonly own: OwnPath }> {
  const { suite } = epoch
  const { applied, own, leafKeys } = by
  const { tree } = applied
  const steps = tree.filteredDirectPath(own)
  const firstPathSecret = random(suite.secretSize)
  const derived = derivePath(suite, firstPathSecret, steps.length)
  const publicKeys = derived.steps.map((step) => step.publicKey)
  const parentHash = mergePath(tree, own, steps, publicKeys)

  const position = { groupId: epoch.context.groupId, leafIndex: own }
  const leafNode = signLeafNode(unsignedLeaf(request, leafKeys, parentHash), request.newSigner.key, position)
  tree.setLeaf(own, leafNode)
  let nodes: UpdatePathNode[] | undefined
  try {
    nodes = yield* encryptPathInSlices(
      tree,
      {
        steps,
        secrets: derived.steps,
        added: new Set(applied.added.keys()),
        context: encodeContext(provisionalContext(epoch, applied)),
      },
      random,
    )
  } finally {
    if (nodes === undefined) {
      wipe(leafKeys.privateKey, derived.commitSecret)
      for (const { pathSecret, privateKey } of derived.steps) wipe(pathSecret, privateKey)
    }
  }
  return {
    updatePath: { leafNode, nodes },
    secrets: {
      privateKeys: new Map(steps.map(({ node }, i) => [node, derived.steps[i]!.privateKey])),
      pathSecrets: new Map(steps.map(({ node }, i) => [node, derived.steps[i]!.pathSecret])),
      commitSecret: derived.commitSecret,
    },
    own: {
      firstPathSecret: firstPathSecret.slice(),
      leafPrivateKey: leafKeys.privateKey,
      signer: request.newSigner,
    },
  }
}

/** The Welcome to a Commit of ours, signed in the epoch that it begins. */
export function* welcomeFor(
  created: CreatedCommit,
  options: Pick<GroupInfoOptions, "withRatchetTree" | "extensions">,
  { policy, random }: { readonly policy: GroupPolicy; readonly random: Random },
): Sliced<Uint8Array> {
  const groupInfo = signGroupInfo(created.next.epoch, options, policy.grease ? random : undefined)
  return yield* createWelcome(created, groupInfo, random)
}

/** RFC 9420 §12.4.3.1: one Welcome for everybody whom the Commit adds. */
function* createWelcome(created: CreatedCommit, groupInfo: GroupInfo, random: Random): Sliced<Uint8Array> {
  const { epoch, seed, applied } = created.next
  const { suite } = epoch
  const encryptedGroupInfo = sealGroupInfo(suite, seed.welcome, encode(GroupInfo, groupInfo))
  const encryptTo = encryptorToMany(suite, { label: "Welcome", context: encryptedGroupInfo }, random)
  const secretsOf = newcomerSecrets(created)
  const secrets: EncryptedGroupSecrets[] = []
  try {
    for (const part of inParts(applied.added, ciphertextsTogether(suite))) {
      const recipients = part.map(([leaf, { initKey }]) => ({ publicKey: initKey, plaintext: secretsOf.at(leaf) }))
      const encrypted = encryptTo(recipients)
      for (const [i, [, keyPackage]] of part.entries()) {
        secrets.push({ newMember: keyPackageRef(suite, keyPackage), encryptedGroupSecrets: encrypted[i]! })
      }
      yield
    }
  } finally {
    secretsOf.destroy()
  }
  const welcome = { cipherSuite: suite.number, secrets, encryptedGroupInfo }
  return encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsWelcome", welcome } })
}

/** What each newcomer is told: the same for all who stand below the same node of the path, or where there is none. */
function newcomerSecrets({ next, pathSecrets }: CreatedCommit) {
  const encoded = new Map<Uint8Array | undefined, Uint8Array>()
  const { joiner: joinerSecret } = next.seed
  const { psks } = next.applied
  return {
    at(leaf: LeafIndex): Uint8Array {
      const pathSecret = pathSecrets?.pathSecrets.get(math.commonAncestor(next.epoch.ownLeafIndex, leaf))
      const known = encoded.get(pathSecret)
      if (known !== undefined) return known
      const secrets = encode(GroupSecrets, { joinerSecret, pathSecret: pathSecret && { pathSecret }, psks })
      encoded.set(pathSecret, secrets)
      return secrets
    },
    destroy: () => wipe(...encoded.values()),
  }
}

function sealGroupInfo(suite: CipherSuite, welcomeSecret: Uint8Array, groupInfo: Uint8Array): Uint8Array {
  const { key, nonce } = welcomeKey(suite, welcomeSecret)
  const sealed = suite.aead.seal(key, nonce, groupInfo, new Uint8Array(0))
  wipe(key, nonce)
  return sealed
}

/** RFC 9420 §12.4.3.1. */
export function welcomeKey(suite: CipherSuite, welcomeSecret: Uint8Array) {
  const [key, nonce] = KEY_AND_NONCE.from(suite, welcomeSecret)
  return { key, nonce }
}
