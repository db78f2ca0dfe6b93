import { encode } from "@conclave/codec"
import {
  type CipherSuite,
  defaultPolicy,
  type Group,
  type GroupPolicy,
  type LeafIndex,
  type LeafNode,
  leafIndex,
  type NodeIndex,
  type Proposal,
} from "@conclave/mls"
import { authenticatedContentTBM, signContent } from "../../src/framing/content.js"
import { protectPrivate, ratchetOf, senderDataKey } from "../../src/framing/private-message.js"
import type { Epoch } from "../../src/group/epoch.js"
import { encodeContext } from "../../src/group/epoch.js"
import { freshKeyPair } from "../../src/group/key-package.js"
import { unrestrictedProfile } from "../../src/group/profile.js"
import type { AppliedProposals } from "../../src/group/proposals.js"
import { GroupState } from "../../src/group/state.js"
import { conclude, provisionalContext } from "../../src/group/transition.js"
import type { SentProposal } from "../../src/group/types.js"
import { sendExternalInit } from "../../src/schedule/key-schedule.js"
import { pskSecret } from "../../src/schedule/psk.js"
import { signLeafNode } from "../../src/tree/leaf.js"
import { derivePath, encryptPath, mergePath } from "../../src/tree/path.js"
import {
  type Commit,
  type ContentBody,
  type FramedContent,
  type FramedContentAuthData,
  MLSMessage,
  PrivateContentAAD,
  type ProposalOrRef,
  privateMessageContent,
  type Sender,
  SenderData,
  SenderDataAAD,
  type UnsignedLeafNode,
  type UpdatePathNode,
} from "../../src/wire.js"
import type { Person } from "../group-fixture.js"

type SigningKey = Person["signer"]["key"]

/** How a message is framed and signed where that is not as it should be. */
export interface Framing {
  readonly wireFormat?: "mlsPublicMessage" | "mlsPrivateMessage"
  readonly content?: Partial<FramedContent>
  readonly key?: SigningKey
  readonly signature?: (right: Uint8Array) => Uint8Array
  readonly membershipTag?: (right: Uint8Array) => Uint8Array
  readonly confirmationTag?: (right: Uint8Array) => Uint8Array
}

/** A Commit that is wrong in one place; what follows from that place is computed as if it were right. */
export interface CommitForgery extends Framing {
  /** By value unless they have a `ref`. */
  readonly proposals?: readonly (Proposal | (SentProposal & { readonly ref?: Uint8Array }))[]
  /** Alters the leaf node before it is signed. */
  readonly leaf?: (right: UnsignedLeafNode) => UnsignedLeafNode
  readonly leafKey?: SigningKey
  readonly leafSignature?: (right: Uint8Array) => Uint8Array
  /** Which leaf, in which group, the leaf node is signed for. */
  readonly leafPosition?: { readonly groupId: Uint8Array; readonly leafIndex: LeafIndex } | undefined
  /** Alters the path's public keys before parent hashes are computed. */
  readonly publicKeys?: (right: readonly Uint8Array[], tree: Epoch["tree"]) => readonly Uint8Array[]
  /** Alters the path after everything was computed and encrypted. */
  readonly nodes?: (right: readonly UpdatePathNode[]) => readonly UpdatePathNode[]
  readonly firstPathSecret?: Uint8Array
  readonly path?: boolean
  /** Somebody from outside who joins by this Commit. */
  readonly joins?: Person
  readonly withoutExternalInit?: boolean
  readonly kemOutput?: (right: Uint8Array) => Uint8Array
}

/**
 * A member that does not keep to the rules: it has the secrets of a real member, signs and encrypts whatever it likes,
 * and computes every tag so that nothing but the broken rule gives it away.
 */
export class Insider {
  readonly person: Person
  readonly state: GroupState

  constructor(person: Person, group: Pick<Group, "records">) {
    this.person = person
    const restored = GroupState.restore(environmentOf(person), group.records())
    if (restored.state === undefined) throw new Error(`${person.name} is not in the group`)
    this.state = restored.state
  }

  get suite(): CipherSuite {
    return this.state.environment.suite
  }

  get epoch(): Epoch {
    return this.state.epoch
  }

  get leafIndex(): LeafIndex {
    return this.epoch.ownLeafIndex
  }

  /** A message of any content by any sender. */
  send(contentType: ContentBody, framing: Framing = {}, auth?: Partial<FramedContentAuthData>): Uint8Array {
    const { context, contextBytes } = this.epoch
    const wireFormat = framing.wireFormat ?? "mlsPublicMessage"
    const content: FramedContent = {
      groupId: context.groupId,
      epoch: context.epoch,
      sender: { type: "member", leafIndex: this.leafIndex },
      authenticatedData: new Uint8Array(0),
      contentType,
      ...framing.content,
    }
    const key = framing.key ?? this.epoch.signer.key
    const right = signContent({ wireFormat, content, context: contextBytes }, key)
    const signature = framing.signature?.(right) ?? right
    return this.protect(content, { signature, ...auth }, framing)
  }

  propose(proposal: Proposal, framing: Framing = {}): Uint8Array {
    return this.send({ type: "proposal", proposal }, framing)
  }

  /** Frames content that is signed. */
  protect(content: FramedContent, auth: FramedContentAuthData, framing: Framing): Uint8Array {
    const { suite, epoch } = this
    if (framing.wireFormat === "mlsPrivateMessage") {
      const keys = { senderData: epoch.secrets.senderData, secretTree: this.state.secretTree }
      const { random } = this.state.environment
      return protectPrivate(suite, content, auth, { keys, paddingSize: 0, random })
    }
    const toSign = { wireFormat: "mlsPublicMessage", content, context: epoch.contextBytes } as const
    const right = suite.hash.hmac(epoch.secrets.membership, authenticatedContentTBM(toSign, auth))
    const membershipTag = framing.membershipTag?.(right) ?? right
    const publicMessage = content.sender.type === "member" ? { content, auth, membershipTag } : { content, auth }
    return encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsPublicMessage", publicMessage } })
  }

  /** A PrivateMessage that says what it likes of its sender, which nobody has signed: `ciphertext` is anything. */
  claim(
    leafIndex: LeafIndex,
    generation: number,
    contentType: "application" | "proposal" | "commit" = "application",
    ciphertext: Uint8Array = this.state.environment.random(100),
  ): Uint8Array {
    const { suite, epoch } = this
    const { groupId, epoch: number } = epoch.context
    const { key, nonce } = senderDataKey(suite, epoch.secrets.senderData, ciphertext)
    const senderData = encode(SenderData, { leafIndex, generation, reuseGuard: new Uint8Array(4) })
    const aad = encode(SenderDataAAD, { groupId, epoch: number, contentType })
    const privateMessage = {
      groupId,
      epoch: number,
      contentType,
      authenticatedData: new Uint8Array(0),
      encryptedSenderData: suite.aead.seal(key, nonce, senderData, aad),
      ciphertext,
    }
    return encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsPrivateMessage", privateMessage } })
  }

  /** A PrivateMessage whose content is followed by any padding. */
  sendPadded(contentType: ContentBody, padding: readonly number[]): Uint8Array {
    const { suite, epoch } = this
    const { groupId, epoch: number } = epoch.context
    const type = contentType.type
    const sender = { type: "member", leafIndex: this.leafIndex } as const
    const content: FramedContent = { groupId, epoch: number, sender, authenticatedData: new Uint8Array(0), contentType }
    const signature = signContent(
      { wireFormat: "mlsPrivateMessage", content, context: epoch.contextBytes },
      epoch.signer.key,
    )
    const bare = encode(privateMessageContent(type), { body: contentType, auth: { signature } })
    const { key, nonce, generation } = this.state.secretTree.next(this.leafIndex, ratchetOf(type))
    const aad = encode(PrivateContentAAD, {
      groupId,
      epoch: number,
      contentType: type,
      authenticatedData: new Uint8Array(0),
    })
    // The reuse guard is zero, and leaves the nonce as it is.
    const ciphertext = suite.aead.seal(key, nonce, new Uint8Array([...bare, ...padding]), aad)
    const about = senderDataKey(suite, epoch.secrets.senderData, ciphertext)
    const senderData = encode(SenderData, { leafIndex: this.leafIndex, generation, reuseGuard: new Uint8Array(4) })
    const senderAad = encode(SenderDataAAD, { groupId, epoch: number, contentType: type })
    const privateMessage = {
      groupId,
      epoch: number,
      contentType: type,
      authenticatedData: new Uint8Array(0),
      encryptedSenderData: suite.aead.seal(about.key, about.nonce, senderData, senderAad),
      ciphertext,
    }
    return encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsPrivateMessage", privateMessage } })
  }

  /** A PrivateMessage that names any sender and any generation; `plaintext` is encrypted under a key of nobody. */
  strayPrivate(leafIndex: LeafIndex, generation: number, plaintext = new Uint8Array(100)): Uint8Array {
    const { suite, epoch } = this
    const { groupId, epoch: number } = epoch.context
    const { random } = this.state.environment
    const { aead } = suite
    const sealed = aead.seal(random(aead.keySize), random(aead.nonceSize), plaintext, new Uint8Array(0))
    const { key, nonce } = senderDataKey(suite, epoch.secrets.senderData, sealed)
    const senderData = encode(SenderData, { leafIndex, generation, reuseGuard: random(4) })
    const aad = encode(SenderDataAAD, { groupId, epoch: number, contentType: "application" })
    const privateMessage = {
      groupId,
      epoch: number,
      contentType: "application",
      authenticatedData: new Uint8Array(0),
      encryptedSenderData: aead.seal(key, nonce, senderData, aad),
      ciphertext: sealed,
    } as const
    return encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsPrivateMessage", privateMessage } })
  }

  /** A Commit with everything that follows from it, for Welcomes. */
  commit(forgery: CommitForgery = {}) {
    const { suite, epoch } = this
    const { random } = this.state.environment
    const who = forgery.joins ?? this.person
    const sender: Sender = forgery.joins
      ? { type: "newMemberCommit" }
      : { type: "member", leafIndex: this.leafIndex, ...(forgery.content?.sender as object) }
    const list: (SentProposal & { readonly ref?: Uint8Array })[] = (forgery.proposals ?? []).map((it) =>
      "proposal" in it ? it : { proposal: it, sender },
    )
    let init = epoch.secrets.init
    if (forgery.joins) {
      const { publicKey } = suite.hpke.deriveKeyPair(epoch.secrets.external)
      const external = sendExternalInit(suite, publicKey, random(suite.hpke.kem.ephemeralSize))
      init = external.init
      const kemOutput = forgery.kemOutput?.(external.kemOutput) ?? external.kemOutput
      if (!forgery.withoutExternalInit && !list.some(({ proposal }) => proposal.type === "externalInit")) {
        list.unshift({ proposal: { type: "externalInit", kemOutput }, sender })
      }
    }
    const applied = applyUnchecked(epoch, list)
    const own = forgery.joins ? applied.tree.nextLeaf() : this.leafIndex
    const path = forgery.path === false ? undefined : forgePath(epoch, { applied, own, who, forgery, random })
    const commit: Commit = { proposals: list.map(proposalOrRef), path: path?.updatePath }
    const content: FramedContent = {
      groupId: epoch.context.groupId,
      epoch: epoch.context.epoch,
      sender,
      authenticatedData: new Uint8Array(0),
      contentType: { type: "commit", commit },
      ...forgery.content,
    }
    const wireFormat = forgery.wireFormat ?? "mlsPublicMessage"
    const key = forgery.key ?? (forgery.joins ? who.signer.key : epoch.signer.key)
    const rightSignature = signContent({ wireFormat, content, context: epoch.contextBytes }, key)
    const signature = forgery.signature?.(rightSignature) ?? rightSignature
    const psks = applied.psks.map((id) => ({ id, secret: this.state.environment.psks(id) ?? new Uint8Array(32) }))
    const { epoch: next, seed } = conclude(epoch, {
      applied,
      content: { wireFormat, content, signature },
      pathSecrets: path?.secrets,
      init: init.slice(),
      pskSecret: pskSecret(suite, psks),
      privateKeys: new Map(),
      signer: who.signer,
      ownLeafIndex: own,
    })
    const rightTag = next.confirmationTag
    const confirmationTag = forgery.confirmationTag?.(rightTag) ?? rightTag
    const message = this.protect(content, { signature, confirmationTag }, forgery)
    return { message, next, seed, applied, psks, pathSecrets: path?.secrets.pathSecrets, committer: own }
  }

  /** This member's leaf node with some changes, signed as an Update. */
  updatedLeaf(
    change: (right: UnsignedLeafNode) => UnsignedLeafNode = (right) => right,
    sign: { readonly key?: SigningKey; readonly leafIndex?: LeafIndex } = {},
  ): LeafNode {
    const before = this.epoch.tree.leaf(this.leafIndex)!
    const { publicKey } = freshKeyPair(this.suite, this.state.environment.random)
    const unsigned = change({
      encryptionKey: publicKey,
      signatureKey: before.signatureKey,
      credential: before.credential,
      capabilities: before.capabilities,
      leafNodeSource: { type: "update" },
      extensions: before.extensions,
    })
    const position = { groupId: this.epoch.context.groupId, leafIndex: sign.leafIndex ?? this.leafIndex }
    const isUnplaced = unsigned.leafNodeSource.type === "keyPackage"
    return signLeafNode(unsigned, sign.key ?? this.epoch.signer.key, isUnplaced ? undefined : position)
  }
}

export function environmentOf({ options }: Person) {
  const policy: GroupPolicy = { ...defaultPolicy, ...options.policy }
  return {
    suite: options.suite,
    signer: options.signer,
    now: options.now,
    random: (length: number) => new Uint8Array(options.suite.provider.random(length)),
    policy,
    profile: options.profile ?? unrestrictedProfile,
    psks: options.psks ?? (() => undefined),
    registries: options.registries,
    capabilities: options.capabilities ?? {},
  }
}

const proposalOrRef = ({ proposal, ref }: SentProposal & { readonly ref?: Uint8Array }): ProposalOrRef =>
  ref === undefined ? { type: "proposal", proposal } : { type: "reference", reference: ref }

/** What a receiver makes of a list of proposals if it does not look at it closely. */
function applyUnchecked(epoch: Epoch, list: readonly SentProposal[]): AppliedProposals {
  const tree = epoch.tree.draft()
  const updated: LeafIndex[] = []
  const removed: LeafIndex[] = []
  const added = new Map<LeafIndex, (Proposal & { type: "add" })["keyPackage"]>()
  for (const { proposal, sender } of list) {
    // A tree with a leaf at any index that a forged sender may have does not fit into memory.
    if (proposal.type !== "update" || sender.type !== "member" || !tree.leaf(sender.leafIndex)) continue
    tree.updateLeaf(sender.leafIndex, proposal.leafNode)
    updated.push(sender.leafIndex)
  }
  for (const { proposal } of list) {
    if (proposal.type !== "remove") continue
    removed.push(proposal.removed)
    if (tree.leaf(proposal.removed)) tree.removeLeaf(proposal.removed)
  }
  tree.truncate()
  for (const { proposal } of list) {
    if (proposal.type === "add") added.set(tree.addLeaf(proposal.keyPackage.leafNode), proposal.keyPackage)
  }
  const proposals = list.map(({ proposal }) => proposal)
  const of = <T extends Proposal["type"]>(type: T) =>
    proposals.filter((it): it is Extract<Proposal, { type: T }> => it.type === type)
  return {
    tree,
    extensions: of("groupContextExtensions")[0]?.extensions ?? epoch.context.extensions,
    added,
    updated,
    removed,
    removals: [],
    psks: of("psk").map(({ psk }) => psk),
    kemOutput: of("externalInit")[0]?.kemOutput,
    reInit: of("reinit")[0],
    list,
  }
}

function forgePath(
  epoch: Epoch,
  by: {
    readonly applied: AppliedProposals
    readonly own: LeafIndex
    readonly who: Person
    readonly forgery: CommitForgery
    readonly random: (length: number) => Uint8Array
  },
) {
  const { applied, own, who, forgery, random } = by
  const { suite } = epoch
  const { tree } = applied
  const before = tree.leaf(own)
  tree.reserve(own)
  const steps = tree.filteredDirectPath(own)
  const derived = derivePath(suite, forgery.firstPathSecret ?? random(suite.secretSize), steps.length)
  const right = derived.steps.map((step) => step.publicKey)
  const publicKeys = forgery.publicKeys?.(right, tree) ?? right
  const parentHash = mergePath(tree, own, steps, publicKeys)
  const { publicKey } = freshKeyPair(suite, random)
  const unsigned: UnsignedLeafNode = {
    encryptionKey: publicKey,
    signatureKey: who.signer.key.publicKey,
    credential: who.signer.credential,
    capabilities: before?.capabilities ?? plainCapabilities(suite),
    leafNodeSource: { type: "commit", parentHash },
    extensions: before?.extensions ?? [],
  }
  const altered = forgery.leaf?.(unsigned) ?? unsigned
  const position = { groupId: epoch.context.groupId, leafIndex: own, ...forgery.leafPosition }
  const isUnplaced = altered.leafNodeSource.type === "keyPackage"
  const signed = signLeafNode(altered, forgery.leafKey ?? who.signer.key, isUnplaced ? undefined : position)
  const leafNode = forgery.leafSignature ? { ...signed, signature: forgery.leafSignature(signed.signature) } : signed
  tree.setLeaf(own, leafNode)
  const nodes = encryptPath(
    tree,
    {
      steps,
      secrets: derived.steps.map((step, i) => ({ ...step, publicKey: publicKeys[i]! })),
      added: new Set(applied.added.keys()),
      context: encodeContext(provisionalContext(epoch, applied)),
    },
    random,
  )
  return {
    updatePath: { leafNode, nodes: forgery.nodes?.(nodes) ?? nodes },
    secrets: {
      privateKeys: new Map<NodeIndex, Uint8Array>(),
      pathSecrets: new Map(steps.map(({ node }, i) => [node, derived.steps[i]!.pathSecret.slice()])),
      commitSecret: derived.commitSecret,
    },
  }
}

export const plainCapabilities = (suite: CipherSuite) => ({
  versions: [1],
  cipherSuites: [suite.number],
  extensions: [] as number[],
  proposals: [] as number[],
  credentials: [1, 2],
})

/** A leaf index of the group's own making. */
export const leaf = (index: number): LeafIndex => leafIndex(index)
