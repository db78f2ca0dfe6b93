import { decode, decodeOwned, type Registries } from "@conclave/codec"
import { equalBytes, type Verification, wipe } from "@conclave/crypto"
import { DecodeError, rule } from "../errors.js"
import { type LeafIndex, leafIndex, type NodeIndex } from "../indexes.js"
import {
  type EpochSeed,
  epochOfMember,
  memberSecrets,
  sendExternalInit,
  wipeEpochSecrets,
} from "../schedule/key-schedule.js"
import { pskSecret } from "../schedule/psk.js"
import { interimTranscriptHash } from "../schedule/transcript.js"
import { type Sliced, toEnd } from "../slices.js"
import { decryptWithLabel } from "../suite/labels.js"
import type { CipherSuite } from "../suite/suite.js"
import { keyName } from "../tree/key-index.js"
import { isDefaultExtension } from "../tree/leaf.js"
import { LeafSignatures } from "../tree/leaf-signatures.js"
import * as math from "../tree/math.js"
import { pathSecretsFrom } from "../tree/path.js"
import { RatchetTree } from "../tree/ratchet-tree.js"
import { validateTreeInSlices } from "../tree/validation.js"
import {
  type Capabilities,
  GroupContext,
  GroupInfo,
  GroupSecrets,
  type KeyPackage,
  LeafNode,
  MLSMessage,
  type PreSharedKeyID,
  type Welcome,
} from "../wire.js"
import { welcomeKey } from "./commit.js"
import {
  claimOf,
  type Epoch,
  encodeContext,
  externalSenders,
  leafRequirements,
  memberOf,
  requireSignerOf,
} from "./epoch.js"
import { decodeGroupInfo, externalPub, treeBytes, verifyGroupInfo } from "./group-info.js"
import { decodeKeyPackage, type KeyPackageBundle, keyPackageRef } from "./key-package.js"
import type { GroupPolicy } from "./policy.js"
import { type GroupProfile, requireCredentialAllowed } from "./profile.js"
import { type Origin, validatePskList } from "./psk-ids.js"
import { findPsks } from "./transition.js"
import type { CredentialClaim, Member, PskLookup, Signer } from "./types.js"

/** What a group that was reinitialised or branched comes from: RFC 9420 §11.2, §11.3. */
export interface ParentGroup {
  readonly epoch: Epoch
  readonly resumption: Uint8Array
  readonly reInit: { readonly groupId: Uint8Array; readonly cipherSuite: number; readonly version: number } | undefined
  /** Whether the application takes the two credentials for the same client's. */
  isSameClient(a: LeafNode, b: LeafNode): boolean
}

export interface JoinContext {
  readonly suite: CipherSuite
  readonly signer: Signer
  readonly policy: GroupPolicy
  readonly profile: GroupProfile
  readonly now: bigint
  readonly psks: PskLookup
  readonly registries: Registries | undefined
  /** Whether all of the join is done at once: then other cores verify the leaves' signatures from the beginning. */
  readonly isAtOnce?: boolean | undefined
}

/** How the tree of a group is checked before the group is entered. */
export interface TreeChecks {
  /** Whoever calls has verified all of {@link OpenedWelcome.signatures}: on other threads, say. */
  readonly signaturesVerified?: boolean
  /** Called now and then while leaves are checked. */
  readonly onProgress?: (leavesChecked: number, leaves: number) => void
}

/** A group that may be entered once its members' credentials have been judged. */
export interface JoinedEpoch {
  readonly epoch: Epoch
  readonly seed: EpochSeed
  readonly members: readonly Member[]
  /** The member whose signature is on the GroupInfo inside the Welcome. */
  readonly inviter: Member
  readonly claims: readonly CredentialClaim[]
  readonly bundle: KeyPackageBundle
  readonly origin:
    | { readonly kind: Origin["kind"]; readonly parentGroupId: Uint8Array; readonly parentEpoch: bigint }
    | undefined
}

/** A Welcome that could be opened: what it says is the signer's word so far, and its tree has not been checked. */
export interface OpenedWelcome {
  readonly bundle: KeyPackageBundle
  readonly keyPackage: KeyPackage
  readonly secrets: GroupSecrets
  /** What the epoch follows from, and what has opened the GroupInfo. */
  readonly schedule: ReturnType<typeof memberSecrets>
  readonly origin: JoinedEpoch["origin"]
  readonly groupInfo: GroupInfo
  readonly tree: RatchetTree
  readonly verification: Verification | undefined
}

/**
 * RFC 9420 §12.4.3.1, up to the GroupInfo and its signature.
 *
 * @throws DecodeError, RuleError
 */
export function* openWelcome(
  message: Uint8Array,
  keyPackages: readonly KeyPackageBundle[],
  ratchetTree: Uint8Array | undefined,
  context: JoinContext,
): Sliced<OpenedWelcome> {
  const { suite } = context
  const welcome = decodeWelcome(message)
  rule(welcome.cipherSuite === suite.number, "welcome-suite")
  const { bundle, keyPackage, secrets } = openSecrets(context, welcome, keyPackages)
  const origin = resumptionOrigin(secrets.psks)
  validatePskList(secrets.psks, suite.secretSize, origin && originSecretSize(secrets.psks, context.psks))
  const psk = pskSecret(suite, findPsks(secrets.psks, context.psks))
  const schedule = memberSecrets(suite, secrets.joinerSecret, psk)
  wipe(psk)
  let isOpened = false
  let verification: Verification | undefined
  try {
    const groupInfo = openGroupInfo(context, welcome, schedule.welcome)
    rule(groupInfo.groupContext.cipherSuite === suite.number, "group-info-suite")
    const { registries, policy } = context
    const encoded = treeBytes(groupInfo, ratchetTree)
    const signatures = context.isAtOnce ? LeafSignatures.of(suite, groupInfo.groupContext.groupId) : undefined
    verification = signatures
    const tree = yield* RatchetTree.decodeInSlices(suite, encoded, registries, policy.leafCountMax, signatures)
    verification = signatures?.end()
    yield* tree.hashInSlices()
    verifyGroupInfo(groupInfo, tree)
    requireSupported(keyPackage.leafNode.capabilities, groupInfo)
    isOpened = true
    return { bundle, keyPackage, secrets, schedule, origin, groupInfo, tree, verification }
  } finally {
    if (!isOpened) destroyOpened({ secrets, schedule, verification })
  }
}

/**
 * RFC 9420 §12.4.3.1, from the tree on: nearly all of a join's time goes into the signatures of its leaves. The secrets of
 * `opened` are overwritten if there is something wrong, or the work is left before its end.
 *
 * @throws RuleError
 */
export function* joinOpened(opened: OpenedWelcome, context: JoinContext, checks: TreeChecks): Sliced<JoinedEpoch> {
  let isChecked = false
  try {
    const members = yield* validateWholeTree(opened, context, checks)
    isChecked = true
    return joinChecked(opened, members, context)
  } finally {
    if (!isChecked) destroyOpened(opened)
  }
}

function joinChecked(opened: OpenedWelcome, members: readonly Member[], context: JoinContext): JoinedEpoch {
  const { suite } = context
  const { bundle, keyPackage, secrets, schedule, origin, groupInfo, tree } = opened
  const { groupContext } = groupInfo
  const own = findLeaf(tree, keyPackage)
  requireSignerOf(keyPackage.leafNode, context.signer)

  const privateKeys = new Map<NodeIndex, Uint8Array>([[math.toNode(own), new Uint8Array(bundle.encryptionPrivateKey)]])
  if (secrets.pathSecret !== undefined) {
    const { pathSecret } = secrets.pathSecret
    for (const [node, key] of privateKeysFrom(tree, own, groupInfo.signer, pathSecret)) privateKeys.set(node, key)
  }
  requirePathKeys(tree, own, privateKeys)
  const contextBytes = encodeContext(groupContext)
  const { member, welcome } = schedule
  const seed = epochOfMember(suite, { member, welcome, joiner: secrets.joinerSecret, context: contextBytes })
  const { confirmedTranscriptHash } = groupContext
  const confirmationTag = suite.hash.hmac(seed.secrets.confirmation, confirmedTranscriptHash)
  rule(equalBytes(confirmationTag, groupInfo.confirmationTag), "group-info-confirmation-tag")
  const epoch: Epoch = {
    suite,
    context: detached(contextBytes),
    contextBytes,
    tree,
    secrets: seed.secrets,
    confirmationTag,
    interimTranscriptHash: interimTranscriptHash(suite, confirmedTranscriptHash, confirmationTag),
    ownLeafIndex: own,
    privateKeys,
    signer: context.signer,
  }
  if (origin !== undefined) rule(groupContext.epoch === 1n, "welcome-epoch-one")
  // Whose signature has been verified is in the tree.
  const inviter = memberOf(groupInfo.signer, tree.leaf(groupInfo.signer)!)
  return { epoch, seed, members, inviter, claims: claimsOf(members, epoch), bundle, origin }
}

/** Overwrites the secrets of an epoch that nobody enters; the key package's own stay. */
export function destroyJoined({ epoch, seed }: Pick<JoinedEpoch, "epoch" | "seed">): void {
  wipeEpochSecrets(epoch.secrets)
  wipe(...epoch.privateKeys.values(), seed.encryption, seed.welcome, seed.joiner)
}

/** Overwrites what a Welcome has told: nobody enters by it. */
function destroyOpened(opened: Pick<OpenedWelcome, "secrets" | "schedule" | "verification">): void {
  const { secrets, schedule, verification } = opened
  verification?.[Symbol.dispose]()
  wipe(secrets.joinerSecret, secrets.pathSecret?.pathSecret, schedule.member, schedule.welcome)
}

// --- The Welcome -----------------------------------------------------------------------------------------------------

function decodeWelcome(message: Uint8Array): Welcome {
  const { wireFormat } = decode(MLSMessage, message)
  if (wireFormat.type !== "mlsWelcome") throw new DecodeError(`expected a welcome, not ${wireFormat.type}`, 2)
  return wireFormat.welcome
}

function openSecrets({ suite, registries }: JoinContext, welcome: Welcome, bundles: readonly KeyPackageBundle[]) {
  const byRef = new Map(bundles.map((it) => [keyName(it.ref), it]))
  for (const { newMember, encryptedGroupSecrets } of welcome.secrets) {
    const bundle = newMember.length === suite.secretSize ? byRef.get(keyName(newMember)) : undefined
    if (bundle === undefined) continue
    const keyPackage = decodeKeyPackage(bundle.keyPackage, registries)
    rule(keyPackage.cipherSuite === suite.number, "welcome-suite")
    rule(equalBytes(keyPackageRef(suite, keyPackage), newMember), "welcome-for-us")
    const plaintext = decryptWithLabel(
      suite,
      {
        privateKey: bundle.initPrivateKey,
        publicKey: keyPackage.initKey,
        label: "Welcome",
        context: welcome.encryptedGroupInfo,
      },
      encryptedGroupSecrets,
    )
    rule(plaintext !== undefined, "welcome-secrets-decrypt")
    return { bundle, keyPackage, secrets: decodeOwned(GroupSecrets, plaintext) }
  }
  rule(false, "welcome-for-us")
}

function openGroupInfo({ suite, registries }: JoinContext, welcome: Welcome, secret: Uint8Array): GroupInfo {
  const { key, nonce } = welcomeKey(suite, secret)
  const plaintext = suite.aead.open(key, nonce, welcome.encryptedGroupInfo, new Uint8Array(0))
  wipe(key, nonce)
  rule(plaintext !== undefined, "welcome-group-info-decrypts")
  return decodeOwned(GroupInfo, plaintext, registries)
}

/** RFC 9420 §12.4.3.1: at most one resumption key says that the group comes from another. */
function resumptionOrigin(psks: readonly PreSharedKeyID[]): JoinedEpoch["origin"] {
  let origin: JoinedEpoch["origin"]
  for (const { psktype } of psks) {
    if (psktype.type !== "resumption" || psktype.usage === "application") continue
    rule(origin === undefined, "welcome-psk-resumption-once")
    origin = { kind: psktype.usage, parentGroupId: psktype.pskGroupId, parentEpoch: psktype.pskEpoch }
  }
  return origin
}

/** KDF.Nh of the group that is reinitialised: its resumption secret is as long. */
function originSecretSize(psks: readonly PreSharedKeyID[], lookup: PskLookup): number | undefined {
  const link = psks.find(({ psktype }) => psktype.type === "resumption" && psktype.usage === "reinit")
  return link && lookup(link)?.length
}

/** A GroupContext of its own: that of a GroupInfo keeps the whole of it in memory, with the tree that is inside. */
const detached = (contextBytes: Uint8Array): GroupContext => decodeOwned(GroupContext, contextBytes)

// --- The tree --------------------------------------------------------------------------------------------------------

/** The members, in the order of their leaves. */
function* validateWholeTree(
  { tree, groupInfo, verification }: Pick<OpenedWelcome, "tree" | "groupInfo" | "verification">,
  context: JoinContext,
  checks: TreeChecks,
): Sliced<readonly Member[]> {
  const { groupId, extensions } = groupInfo.groupContext
  const now = context.policy.expiredMembersAllowed ? undefined : context.now
  const requirements = leafRequirements(context.suite, extensions, context.policy, now)
  const members: Member[] = []
  const onLeaf = (leafIndex: LeafIndex, leaf: LeafNode) => {
    requireCredentialAllowed(context.profile, leaf.credential)
    members.push(memberOf(leafIndex, leaf))
  }
  const { signaturesVerified = false, onProgress = () => undefined } = checks
  yield* validateTreeInSlices(tree, { groupId, requirements, signaturesVerified, verification, onLeaf, onProgress })
  return members
}

/** RFC 9420 §13.4. */
function requireSupported(capabilities: Capabilities, { groupContext }: GroupInfo): void {
  for (const { extensionType: type } of groupContext.extensions) {
    rule(isDefaultExtension(type) || capabilities.extensions.includes(type), "group-info-extensions-supported")
  }
}

function findLeaf(tree: RatchetTree, { leafNode }: KeyPackage): LeafIndex {
  const bytes = LeafNode.bytesOf(leafNode)
  for (const leaf of tree.occupiedLeaves()) if (equalBytes(tree.encodedLeaf(leaf)!, bytes)) return leaf
  rule(false, "welcome-leaf")
}

function privateKeysFrom(tree: RatchetTree, own: LeafIndex, signer: LeafIndex, pathSecret: Uint8Array) {
  rule(pathSecret.length === tree.suite.secretSize, "welcome-path-secret")
  const ancestor = math.commonAncestor(own, signer)
  const steps = tree.filteredDirectPath(signer)
  const from = steps.findIndex(({ node }) => node === ancestor)
  rule(from >= 0, "welcome-path-secret")
  return pathSecretsFrom(tree, steps.slice(from), pathSecret).privateKeys
}

/** RFC 9420 §7.5, §12.4.3.1: whoever stands below a parent node and is not unmerged there has its private key. */
function requirePathKeys(tree: RatchetTree, own: LeafIndex, privateKeys: ReadonlyMap<NodeIndex, Uint8Array>): void {
  for (const node of math.directPath(math.toNode(own), tree.leafCount)) {
    const merged = tree.parentNode(node)?.unmergedLeaves.includes(own) === false
    rule(!merged || privateKeys.has(node), "welcome-path-secret", `node ${node}`)
  }
}

function claimsOf(members: readonly Member[], { context, ownLeafIndex }: Epoch): CredentialClaim[] {
  const found: CredentialClaim[] = []
  for (const member of members) if (member.leafIndex !== ownLeafIndex) found.push(claimOf("tree", member))
  for (const { credential, signatureKey } of externalSenders(context.extensions)) {
    found.push({ reason: "externalSender", credential, signatureKey })
  }
  return found
}

// --- External joins --------------------------------------------------------------------------------------------------

/** A group as somebody sees it who is not in it. `secrets` are empty: nothing can be read with this epoch. */
export interface OutsideView {
  readonly epoch: Epoch
  readonly claims: readonly CredentialClaim[]
  readonly init: Uint8Array
  readonly kemOutput: Uint8Array
}

/**
 * RFC 9420 §12.4.3.2: checks a GroupInfo and its tree as a joiner by Welcome would, and draws the external init secret.
 *
 * @throws DecodeError, RuleError
 */
export function viewFromOutside(
  message: Uint8Array,
  ratchetTree: Uint8Array | undefined,
  context: JoinContext & { readonly ephemeral: Uint8Array; readonly capabilities: Capabilities },
): OutsideView {
  const { suite } = context
  const groupInfo = decodeGroupInfo(message, context.registries)
  const { groupContext } = groupInfo
  rule(groupContext.cipherSuite === suite.number, "group-info-suite")
  using signatures = LeafSignatures.of(suite, groupContext.groupId)
  const tree = RatchetTree.decode(
    suite,
    treeBytes(groupInfo, ratchetTree),
    context.registries,
    context.policy.leafCountMax,
    signatures,
  )
  const verification = signatures?.end()
  toEnd(tree.hashInSlices())
  verifyGroupInfo(groupInfo, tree)
  requireSupported(context.capabilities, groupInfo)
  const members = toEnd(validateWholeTree({ tree, groupInfo, verification }, context, {}))
  const publicKey = externalPub(groupInfo)
  rule(suite.hpke.isPublicKey(publicKey), "key-encryption-valid")
  const { kemOutput, init } = sendExternalInit(suite, publicKey, context.ephemeral)
  const none = new Uint8Array(0)
  const contextBytes = encodeContext(groupContext)
  const epoch: Epoch = {
    suite,
    context: detached(contextBytes),
    contextBytes,
    tree,
    secrets: {
      senderData: none,
      exporter: none,
      external: none,
      confirmation: none,
      membership: none,
      resumption: none,
      authenticator: none,
      init: none,
    },
    confirmationTag: groupInfo.confirmationTag,
    interimTranscriptHash: interimTranscriptHash(
      suite,
      groupContext.confirmedTranscriptHash,
      groupInfo.confirmationTag,
    ),
    // Not in the tree: no leaf has this index.
    ownLeafIndex: leafIndex(0xffff_ffff),
    privateKeys: new Map(),
    signer: context.signer,
  }
  return { epoch, claims: claimsOf(members, epoch), init, kemOutput }
}
