import { encode, type TypeOf } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import { rule, StateError } from "../errors.js"
import { proposalRef, signContent } from "../framing/content.js"
import { type PrivateProtection, protectPrivate, signAndProtect } from "../framing/private-message.js"
import { protectPublic } from "../framing/public-message.js"
import {
  type AuthenticatedContent,
  type ContentBody,
  type FramedContent,
  type FramedContentAuthData,
  MLSMessage,
  type PreSharedKeyID,
  type Proposal,
  type UnsignedLeafNode,
} from "../wire.js"
import type { GroupChanges } from "./changes.js"
import {
  authDataOf,
  currentReader,
  type Opened,
  openPrivate,
  openPublic,
  pastReader,
  type ReceiveOptions,
} from "./incoming.js"
import { ownCapabilities } from "./key-package.js"
import { requireProposalAllowed } from "./profile.js"
import { validateProposal, validateProposedLeaf } from "./proposals.js"
import { type PendingRecord, signerOf } from "./records.js"
import type { GroupState } from "./state.js"
import type { CommitContent, OwnPath } from "./transition.js"
import type { PskLookup, Received, SentProposal } from "./types.js"

// --- Out -------------------------------------------------------------------------------------------------------------

export function encryptApplication(
  state: GroupState,
  message: { readonly plaintext: Uint8Array; readonly authenticatedData: Uint8Array; readonly blockSize: number },
): Uint8Array {
  const { plaintext, authenticatedData, blockSize } = message
  const body: ContentBody = { type: "application", applicationData: plaintext }
  const content = frame(state, body, authenticatedData)
  const paddingSize = blockSize <= 1 ? 0 : (blockSize - (plaintext.length % blockSize)) % blockSize
  const toSign = { content, context: state.epoch.contextBytes }
  return signAndProtect(state.environment.suite, toSign, state.epoch.signer.key, protection(state, paddingSize))
}

export function sendProposal(state: GroupState, proposal: Proposal, authenticatedData: Uint8Array) {
  const { suite, policy } = state.environment
  const wireFormat = policy.handshake === "public" ? "mlsPublicMessage" : "mlsPrivateMessage"
  const content = frame(state, { type: "proposal", proposal }, authenticatedData)
  state.proposals.requireRoom(content.sender)
  const toSign = { wireFormat, content, context: state.epoch.contextBytes } as const
  const auth = { signature: signContent(toSign, state.epoch.signer.key) }
  const message = protect(state, content, auth)
  const authenticated: AuthenticatedContent = { wireFormat, content, auth }
  const ref = proposalRef(suite, authenticated)
  state.proposals.add(ref, proposal, content.sender, authenticated)
  return { message, ref }
}

/** A handshake message in the wire format that the policy names. */
function protect(
  state: GroupState,
  content: FramedContent,
  auth: FramedContentAuthData,
  secretTree: PrivateProtection["keys"]["secretTree"] = state.secretTree,
): Uint8Array {
  const { suite, policy } = state.environment
  if (policy.handshake === "private") return protectPrivate(suite, content, auth, protection(state, 0, secretTree))
  const { membership } = state.epoch.secrets
  const publicMessage = protectPublic(suite, content, auth, { membership, context: state.epoch.contextBytes })
  return encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsPublicMessage", publicMessage } })
}

/** A handshake message that was protected, and changes nothing until its key is spent. */
export interface Protected {
  readonly message: Uint8Array
  /** False where its key has been used for another message since: that one may have been sent. */
  readonly isCurrent: boolean
  spend(): void
}

/** {@link protect}, of what may never be sent. */
export function protectUnspent(
  state: GroupState,
  { content, auth }: Pick<AuthenticatedContent, "content" | "auth">,
): Protected {
  const { secretTree, epoch } = state
  let key: ReturnType<typeof secretTree.peekNext> | undefined
  const next: typeof secretTree.next = (leaf, type) => {
    key = secretTree.peekNext(leaf, type)
    return key
  }
  return {
    message: protect(state, content, auth, { next }),
    get isCurrent() {
      return key === undefined || key.generation === secretTree.nextGeneration(epoch.ownLeafIndex, "handshake")
    },
    spend: () => key?.spend(),
  }
}

function protection(
  state: GroupState,
  paddingSize: number,
  secretTree: PrivateProtection["keys"]["secretTree"] = state.secretTree,
): PrivateProtection {
  const keys = { senderData: state.epoch.secrets.senderData, secretTree }
  return { keys, paddingSize, random: state.environment.random }
}

function frame({ epoch }: GroupState, contentType: ContentBody, authenticatedData: Uint8Array): FramedContent {
  return {
    groupId: epoch.context.groupId,
    epoch: epoch.context.epoch,
    sender: { type: "member", leafIndex: epoch.ownLeafIndex },
    authenticatedData,
    contentType,
  }
}

/** What a commit of ours puts into our new leaf node beside its keys. */
export function ownLeafContent(
  state: GroupState,
  changes: GroupChanges,
): Pick<UnsignedLeafNode, "capabilities" | "extensions"> {
  const before = state.epoch.tree.leaf(state.epoch.ownLeafIndex)!
  const { suite, capabilities, policy, random } = state.environment
  const signer = changes.signer ?? state.epoch.signer
  const grease = policy.grease ? random : undefined
  return {
    capabilities: ownCapabilities(suite, signer, { ...capabilities, ...changes.leafCapabilities }, grease),
    extensions: changes.leafExtensions ?? before.extensions,
  }
}

// --- In --------------------------------------------------------------------------------------------------------------

type FramedMessage = Extract<
  TypeOf<typeof MLSMessage>["wireFormat"],
  { type: "mlsPublicMessage" } | { type: "mlsPrivateMessage" }
>
type Ignored = Extract<Received, { type: "ignored" }>

/** Finds the epoch of a message and opens it, or says why there is nothing to open. */
export function open(
  state: GroupState,
  message: FramedMessage,
  options: ReceiveOptions,
): Ignored | { readonly type: "opened"; readonly message: Opened } {
  const { groupId, epoch } =
    message.type === "mlsPublicMessage" ? message.publicMessage.content : message.privateMessage
  rule(equalBytes(groupId, state.epoch.context.groupId), "framing-group")
  const current = state.epoch.context.epoch
  if (epoch > current) throw new StateError("WRONG_EPOCH", `a message of epoch ${epoch} in epoch ${current}`)
  // RFC 9420 §12.4.2: nobody sends in the epoch that a ReInit has begun.
  rule(epoch < current || state.reInit === undefined, "commit-after-reinit")
  if (message.type === "mlsPublicMessage") {
    if (epoch < current) return { type: "ignored", reason: "past-epoch" }
    return { type: "opened", message: openPublic(state.epoch, message.publicMessage) }
  }
  const reader = epoch === current ? currentReader(state.epoch, state.secretTree) : lateReader(state, epoch)
  const { contentType } = message.privateMessage
  // RFC 9420 §12.1, §12.4.2: proposals and commits are for the current epoch only.
  if (reader === undefined || (epoch < current && contentType !== "application")) {
    return { type: "ignored", reason: "past-epoch" }
  }
  const opened = openPrivate(state.epoch, message.privateMessage, reader, {
    registries: state.environment.registries,
    skippedMax: options.skippedMax,
  })
  return opened === undefined ? { type: "ignored", reason: "own-message" } : { type: "opened", message: opened }
}

function lateReader(state: GroupState, epoch: bigint) {
  const at = state.past.findIndex((past) => past.epoch === epoch)
  if (at < 0) return undefined
  // The latest stands first: the epochs since are before it, the oldest last.
  return pastReader(state.past[at]!, state.past.slice(0, at).reverse(), state.epoch)
}

/** RFC 9420 §12.1: keeps a proposal for the commit that will refer to it. */
export function receiveProposal(state: GroupState, opened: Opened): Received {
  const { content, sender } = opened
  const body = content.content.contentType
  if (body.type !== "proposal") throw new TypeError("not a proposal")
  const ref = proposalRef(state.environment.suite, content)
  if (state.proposals.has(ref)) return { type: "ignored", reason: "known-proposal" }
  const { proposal } = body
  const { epoch, environment } = state
  state.proposals.requireRoom(content.content.sender)
  requireProposalAllowed(environment.profile, { proposal, sender: content.content.sender }, epoch)
  validateProposal({ proposal, sender: content.content.sender }, { epoch, committer: undefined })
  validateProposedLeaf(proposal, epoch, environment.policy)
  opened.spend()
  state.proposals.add(ref, proposal, content.content.sender, content)
  return { type: "proposal", ref, proposal, authenticatedData: content.content.authenticatedData, sender }
}

/** A commit with the proposals that it names. @throws RuleError, AuthenticityError */
export function commitContent(state: GroupState, authenticated: AuthenticatedContent): CommitContent {
  const { wireFormat, content } = authenticated
  const body = content.contentType
  if (body.type !== "commit") throw new TypeError("not a commit")
  return {
    wireFormat,
    content,
    commit: body.commit,
    ...authDataOf(authenticated),
    proposals: body.commit.proposals.map((it): SentProposal => {
      if (it.type === "proposal") return { proposal: it.proposal, sender: content.sender }
      rule(content.sender.type === "member", "external-by-value")
      const known = state.proposals.get(it.reference)
      rule(known !== undefined, "list-proposal-known")
      return known
    }),
  }
}

// --- Secrets ---------------------------------------------------------------------------------------------------------

/** RFC 9420 §8.4: the application's keys, and the resumption secrets of this group. */
export function pskLookup(state: GroupState): PskLookup {
  return (id: PreSharedKeyID) => {
    const { psktype } = id
    if (psktype.type !== "resumption") return state.environment.psks(id)
    const { lineage, lineageSecret } = state
    // First, for a reinitialised group may have the id of the one that it continues.
    const continues = lineage && psktype.usage === lineage.origin && psktype.pskEpoch === lineage.epoch
    if (continues && lineageSecret && equalBytes(psktype.pskGroupId, lineage.groupId)) return lineageSecret
    if (equalBytes(psktype.pskGroupId, state.epoch.context.groupId)) return state.resumption.get(psktype.pskEpoch)
    return state.environment.psks(id)
  }
}

export type StoredPending = TypeOf<typeof PendingRecord>

export function ownPathOf(state: GroupState, { ownPath }: StoredPending): OwnPath | undefined {
  if (ownPath === undefined) return undefined
  const { signer, firstPathSecret, leafPrivateKey } = ownPath
  return {
    firstPathSecret: firstPathSecret.slice(),
    leafPrivateKey: leafPrivateKey.slice(),
    signer: signer ? signerOf(state.environment.suite, signer) : state.epoch.signer,
  }
}
