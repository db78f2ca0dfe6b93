import { wipe } from "@conclave/crypto"
import { leafIndex, nodeIndex } from "../indexes.js"
import { epochSecrets } from "../schedule/key-schedule.js"
import { interimTranscriptHash } from "../schedule/transcript.js"
import { signLeafNode, validateExtensionList, validateLeafNode } from "../tree/leaf.js"
import { RatchetTree } from "../tree/ratchet-tree.js"
import type { Extension, GroupContext, LeafNode } from "../wire.js"
import { capabilitiesOf, environmentOf, type GroupOptions } from "./environment.js"
import { type Epoch, encodeContext, externalSenders, leafRequirements, requireGroupId } from "./epoch.js"
import { freshKeyPair } from "./key-package.js"
import { requireContinuation } from "./lineage.js"
import { requireCredentialAllowed } from "./profile.js"
import { type GroupEnvironment, GroupState, type Lineage } from "./state.js"

export interface NewGroupOptions extends GroupOptions {
  readonly groupId: Uint8Array
  readonly extensions?: readonly Extension[]
  readonly leafExtensions?: readonly Extension[]
}

/** RFC 9420 §11, and §11.2, §11.3 for a group that continues another. @throws RuleError */
export function createState(
  options: NewGroupOptions,
  continues: { readonly parent: GroupState; readonly as: Lineage["origin"] } | undefined,
): GroupState {
  const environment = environmentOf(options)
  const extensions = options.extensions ?? []
  requireGroupId(options.groupId)
  validateExtensionList(extensions, "groupContext")
  externalSenders(extensions)
  requireCredentialAllowed(environment.profile, environment.signer.credential)
  const own = firstLeaf(environment, extensions, options.leafExtensions ?? [])
  const state = firstEpoch(environment, { groupId: options.groupId, extensions }, own)
  if (continues) {
    const { parent, as: origin } = continues
    const { groupId, epoch } = parent.epoch.context
    const lineage = { origin, groupId, epoch }
    requireContinuation(parent, state.epoch, lineage)
    state.lineage = lineage
    state.lineageSecret = parent.resumption.get(epoch)?.slice()
  }
  return state
}

function firstLeaf(
  environment: GroupEnvironment,
  extensions: readonly Extension[],
  leafExtensions: readonly Extension[],
): { readonly leaf: LeafNode; readonly privateKey: Uint8Array } {
  const { suite, signer, random, policy } = environment
  const now = environment.now()
  // A clock that was never set stands at the beginning of time.
  const notBefore = now > HOUR ? now - HOUR : 0n
  const { publicKey, privateKey } = freshKeyPair(suite, random)
  const leaf = signLeafNode(
    {
      encryptionKey: publicKey,
      signatureKey: signer.key.publicKey,
      credential: signer.credential,
      capabilities: capabilitiesOf(environment),
      leafNodeSource: { type: "keyPackage", lifetime: { notBefore, notAfter: now + 90n * DAY } },
      extensions: leafExtensions,
    },
    signer.key,
    undefined,
  )
  validateLeafNode(leaf, leafRequirements(suite, extensions, policy, now))
  return { leaf, privateKey }
}

const HOUR = 3600n
const DAY = 24n * HOUR

/** RFC 9420 §11: the one epoch whose secret is drawn and not derived. */
function firstEpoch(
  environment: GroupEnvironment,
  context: Pick<GroupContext, "groupId" | "extensions">,
  own: { readonly leaf: LeafNode; readonly privateKey: Uint8Array },
): GroupState {
  const { suite, signer, random } = environment
  const tree = RatchetTree.ofOneLeaf(suite, own.leaf)
  tree.settle()
  const confirmedTranscriptHash = new Uint8Array(0)
  const groupContext = {
    version: "mls10" as const,
    cipherSuite: suite.number,
    groupId: new Uint8Array(context.groupId),
    epoch: 0n,
    treeHash: tree.treeHash(),
    confirmedTranscriptHash,
    extensions: context.extensions,
  }
  const epochSecret = random(suite.secretSize)
  const { secrets, encryption } = epochSecrets(suite, epochSecret)
  wipe(epochSecret)
  const confirmationTag = suite.hash.hmac(secrets.confirmation, confirmedTranscriptHash)
  const epoch: Epoch = {
    suite,
    context: groupContext,
    contextBytes: encodeContext(groupContext),
    tree,
    secrets,
    confirmationTag,
    interimTranscriptHash: interimTranscriptHash(suite, confirmedTranscriptHash, confirmationTag),
    ownLeafIndex: leafIndex(0),
    privateKeys: new Map([[nodeIndex(0), own.privateKey]]),
    signer,
  }
  return new GroupState(environment, epoch, encryption)
}
