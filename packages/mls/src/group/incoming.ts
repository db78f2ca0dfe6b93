import type { Registries } from "@conclave/codec"
import { rule, StateError } from "../errors.js"
import { type VerifiedContent, verifyContent } from "../framing/content.js"
import { openSenderData, ratchetOf, unprotectPrivate } from "../framing/private-message.js"
import { unprotectPublic } from "../framing/public-message.js"
import type { LeafIndex } from "../indexes.js"
import type { SecretTree } from "../schedule/secret-tree.js"
import type { AuthenticatedContent, LeafNode, PrivateMessage, Proposal, PublicMessage } from "../wire.js"
import { type Epoch, externalSenders, memberOf, type PastEpoch } from "./epoch.js"
import { kindOf } from "./proposal-kinds.js"
import type { Member } from "./types.js"

/** An authentic message of the group, and who sent it. */
export interface Opened {
  readonly content: VerifiedContent
  /** `undefined` for somebody outside the group. */
  readonly sender: Member | undefined
  /** Spends the message's key; nothing else changes. Called when the message has been understood. */
  spend(): void
}

/** What the receiver knows of a message besides its bytes. */
export interface ReceiveOptions {
  /**
   * How many application messages of its sender, of the same epoch, the receiver has not seen at most: one that claims to
   * be further ahead is refused before anything is derived for it. Where every message passes through one log this is
   * known; elsewhere `GroupPolicy.forwardDistanceMax` is the only bound. Default: not known.
   */
  readonly skippedMax?: number
}

/** RFC 9420 §6.2: the membership tag and the signature of a PublicMessage of the current epoch. */
export function openPublic(epoch: Epoch, message: PublicMessage): Opened {
  const { sender, contentType } = message.content
  rule(contentType.type !== "application", "framing-application-private")
  const { publicKey, member } = publicSigner(epoch, message)
  const { membership } = epoch.secrets
  const authenticated = unprotectPublic(epoch.suite, message, { membership, context: epoch.contextBytes })
  const content = verifyContent(epoch.suite, authenticated, { publicKey, context: epoch.contextBytes })
  if (sender.type === "external") requireExternalProposal(content)
  return { content, sender: member, spend: () => undefined }
}

/** RFC 9420 §6.1: whose key signs, by the kind of sender. */
function publicSigner(
  epoch: Epoch,
  { content }: PublicMessage,
): { readonly publicKey: Uint8Array; readonly member: Member | undefined } {
  const { sender, contentType } = content
  switch (sender.type) {
    case "member": {
      const leaf = epoch.tree.leaf(sender.leafIndex)
      rule(leaf !== undefined, "framing-sender-member")
      return { publicKey: leaf.signatureKey, member: memberOf(sender.leafIndex, leaf) }
    }
    case "external": {
      rule(contentType.type === "proposal", "framing-external-content")
      const listed = externalSenders(epoch.context.extensions)[sender.senderIndex]
      rule(listed !== undefined, "framing-external-sender-listed")
      return { publicKey: listed.signatureKey, member: undefined }
    }
    case "newMemberProposal": {
      const newcomer = contentType.type === "proposal" ? newMemberLeaf(contentType.proposal) : undefined
      rule(newcomer !== undefined, "framing-new-member-proposal")
      return { publicKey: newcomer.signatureKey, member: undefined }
    }
    case "newMemberCommit": {
      rule(contentType.type === "commit", "framing-new-member-commit")
      const { path } = contentType.commit
      rule(path !== undefined, "external-path")
      return { publicKey: path.leafNode.signatureKey, member: undefined }
    }
  }
}

/** RFC 9420 §12.1.8: the leaf node of somebody who proposes to join. */
function newMemberLeaf(proposal: Proposal): LeafNode | undefined {
  const { isByNewMember, leaf } = kindOf(proposal)
  return isByNewMember ? leaf?.(proposal).leafNode : undefined
}

function requireExternalProposal({ content }: VerifiedContent): void {
  const body = content.contentType
  rule(body.type === "proposal" && kindOf(body.proposal).isExternal, "framing-external-proposal-type")
}

/** What opens PrivateMessages of one epoch, the current one or one that is over. */
export interface PrivateReader {
  readonly contextBytes: Uint8Array
  readonly senderData: Uint8Array
  readonly secretTree: SecretTree
  leaf(index: LeafIndex): LeafNode | undefined
}

/**
 * RFC 9420 §6.3. `undefined` for a message in our own name with a key that is spent: it cannot be opened again.
 *
 * Sender and generation are anybody's word until the signature has been verified: every member can write them. So a
 * message of ours that this state has not sent is opened like any other's, and only an authentic one says that the state
 * is an old copy.
 *
 * @throws RuleError, AuthenticityError, DecodeError, StateError
 */
export function openPrivate(
  epoch: Epoch,
  message: PrivateMessage,
  reader: PrivateReader,
  options: { readonly registries: Registries | undefined; readonly skippedMax?: number | undefined },
): Opened | undefined {
  const { suite, ownLeafIndex } = epoch
  const senderData = openSenderData(suite, message, reader.senderData)
  const leaf = reader.leaf(senderData.leafIndex)
  rule(leaf !== undefined, "framing-sender-member", `leaf ${senderData.leafIndex}`)
  const isOwn = senderData.leafIndex === ownLeafIndex
  if (isOwn) {
    const next = reader.secretTree.nextGeneration(ownLeafIndex, ratchetOf(message.contentType))
    if (senderData.generation < next) return undefined
  }
  const { content, spend } = unprotectPrivate(suite, message, senderData, {
    secretTree: reader.secretTree,
    registries: options.registries,
    skippedMax: options.skippedMax,
  })
  const verified = verifyContent(suite, content, { publicKey: leaf.signatureKey, context: reader.contextBytes })
  if (isOwn) throw new StateError("STATE_ROLLED_BACK", "a message of ours that this state has not sent")
  return { content: verified, sender: memberOf(senderData.leafIndex, leaf), spend }
}

export const currentReader = (epoch: Epoch, secretTree: SecretTree): PrivateReader => ({
  contextBytes: epoch.contextBytes,
  senderData: epoch.secrets.senderData,
  secretTree,
  leaf: (index) => epoch.tree.leaf(index),
})

/** A late message belongs to whoever held the leaf in its own epoch. `later`: the epochs since, the oldest first. */
export function pastReader(past: PastEpoch, later: readonly PastEpoch[], current: Epoch): PrivateReader {
  return {
    contextBytes: past.contextBytes,
    senderData: past.senderData,
    secretTree: past.secretTree,
    leaf(index) {
      for (const { replacedLeaves } of [past, ...later]) {
        if (replacedLeaves.has(index)) return replacedLeaves.get(index)
      }
      return current.tree.leaf(index)
    },
  }
}

export function authDataOf({ auth }: AuthenticatedContent): { signature: Uint8Array; confirmationTag: Uint8Array } {
  // RFC 9420 §6.1: whoever decodes a Commit has read its tag.
  if (auth.confirmationTag === undefined) throw new TypeError("a commit without a confirmation tag")
  return { signature: auth.signature, confirmationTag: auth.confirmationTag }
}
