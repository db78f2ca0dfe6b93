import { encode } from "@conclave/codec"
import {
  type CipherSuite,
  decodeKeyPackage,
  type Extension,
  GroupInfo,
  type KeyPackage,
  type KeyPackageBundle,
  type LeafIndex,
  leafIndex,
  type NodeIndex,
  signWithLabel,
} from "@conclave/mls"
import { welcomeKey } from "../../src/group/commit.js"
import { encodeContext } from "../../src/group/epoch.js"
import { freshKeyPair, keyPackageRef } from "../../src/group/key-package.js"
import { nodeIndex } from "../../src/indexes.js"
import { epochOfJoiner, memberSecrets } from "../../src/schedule/key-schedule.js"
import { type Psk, pskSecret } from "../../src/schedule/psk.js"
import { encryptorWithLabel } from "../../src/suite/labels.js"
import { parentHash } from "../../src/tree/hashes.js"
import { signLeafNode } from "../../src/tree/leaf.js"
import * as math from "../../src/tree/math.js"
import { originalTreeHash } from "../../src/tree/parent-hashes.js"
import { derivePath } from "../../src/tree/path.js"
import { RatchetTree } from "../../src/tree/ratchet-tree.js"
import {
  ExternalPub,
  type GroupContext,
  GroupInfoTBS,
  GroupSecrets,
  KeyPackageTBS,
  MLSMessage,
  type Node,
  type ParentNode,
  RatchetTreeNodes,
  type UnsignedLeafNode,
} from "../../src/wire.js"
import { now, type Person, person, provider } from "../group-fixture.js"
import { plainCapabilities } from "./insider.js"

const random = (length: number): Uint8Array => new Uint8Array(provider.random(length))
type UnsignedGroupInfo = Omit<GroupInfo, "signature">

/** A key package that is wrong in one place, signed as if it were right. */
export function forgeKeyPackage(
  who: Person,
  forgery: {
    readonly leaf?: (right: UnsignedLeafNode) => UnsignedLeafNode
    readonly leafKey?: Person["signer"]["key"]
    /** For a leaf node that says it was made in a group. */
    readonly leafPosition?: { readonly groupId: Uint8Array; readonly leafIndex: LeafIndex }
    readonly leafSignature?: (right: Uint8Array) => Uint8Array
    readonly keyPackage?: (right: Omit<KeyPackage, "signature">) => Omit<KeyPackage, "signature">
    readonly key?: Person["signer"]["key"]
  } = {},
): { readonly keyPackage: KeyPackage; readonly bundle: KeyPackageBundle; readonly message: Uint8Array } {
  const { suite } = who.options
  const init = freshKeyPair(suite, random)
  const encryption = freshKeyPair(suite, random)
  const right: UnsignedLeafNode = {
    encryptionKey: encryption.publicKey,
    signatureKey: who.signer.key.publicKey,
    credential: who.signer.credential,
    capabilities: plainCapabilities(suite),
    leafNodeSource: { type: "keyPackage", lifetime: { notBefore: now - 3600n, notAfter: now + 86400n } },
    extensions: [],
  }
  const altered = forgery.leaf?.(right) ?? right
  const position = forgery.leafPosition ?? { groupId: new Uint8Array(0), leafIndex: leafIndex(0) }
  const isPlaced = altered.leafNodeSource.type !== "keyPackage"
  const signed = signLeafNode(altered, forgery.leafKey ?? who.signer.key, isPlaced ? position : undefined)
  const leafNode = forgery.leafSignature ? { ...signed, signature: forgery.leafSignature(signed.signature) } : signed
  const unsigned = {
    version: "mls10",
    cipherSuite: suite.number,
    initKey: init.publicKey,
    leafNode,
    extensions: [],
  } as const
  const tbs = forgery.keyPackage?.(unsigned) ?? unsigned
  const signature = signWithLabel(forgery.key ?? who.signer.key, "KeyPackageTBS", encode(KeyPackageTBS, tbs))
  const keyPackage: KeyPackage = { ...tbs, signature }
  const message = encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsKeyPackage", keyPackage } })
  return {
    keyPackage,
    message,
    bundle: {
      keyPackage: message,
      ref: keyPackageRef(suite, keyPackage),
      initPrivateKey: init.privateKey,
      encryptionPrivateKey: encryption.privateKey,
      lastResort: false,
    },
  }
}

/** What a committer of a forged tree does differently. */
export interface PathForgery {
  readonly keys?: ReadonlyMap<number, Uint8Array>
  readonly unmerged?: ReadonlyMap<number, readonly number[]>
  readonly rootParentHash?: Uint8Array
  readonly parentHash?: (right: Uint8Array) => Uint8Array
  readonly leaf?: (right: UnsignedLeafNode) => UnsignedLeafNode
  readonly firstPathSecret?: Uint8Array
}

export interface WelcomeForgery {
  /** Before anything is derived from it. */
  readonly context?: (right: GroupContext) => GroupContext
  /** Before it is signed. */
  readonly groupInfo?: (right: UnsignedGroupInfo) => UnsignedGroupInfo
  readonly signature?: (right: Uint8Array) => Uint8Array
  /** After it is encrypted. */
  readonly encryptedGroupInfo?: (right: Uint8Array) => Uint8Array
  readonly groupSecrets?: (right: GroupSecrets) => GroupSecrets
  readonly encryptedGroupSecrets?: (right: Uint8Array) => Uint8Array
  readonly cipherSuite?: number
  readonly newMember?: Uint8Array
  /** Encoded; `undefined` leaves the tree out. */
  readonly ratchetTree?: Uint8Array | undefined
  readonly psks?: readonly Psk[]
}

/**
 * A group that never was: a tree whose leaves and parents are signed and hashed by all their owners, of any shape, and
 * GroupInfos and Welcomes that fit it in everything but the rule that is broken.
 */
export class ForgedGroup {
  readonly suite: CipherSuite
  readonly people: readonly (Person | undefined)[]
  readonly tree: RatchetTree
  readonly groupId: Uint8Array
  readonly extensions: readonly Extension[]
  readonly epoch: bigint
  committer: LeafIndex = leafIndex(0)
  pathSecrets = new Map<NodeIndex, Uint8Array>()

  /** `names` by leaf, blank ones empty; `leaf` alters leaf nodes before they are signed. */
  constructor(
    names: readonly string[],
    options: {
      readonly groupId?: Uint8Array
      readonly epoch?: bigint
      readonly extensions?: readonly Extension[]
      readonly leaf?: (right: UnsignedLeafNode, index: number) => UnsignedLeafNode
      readonly joiner?: { readonly index: number; readonly who: Person; readonly bundle: KeyPackageBundle }
    } = {},
  ) {
    const { joiner } = options
    this.people = names.map((name, i) => (i === joiner?.index ? joiner.who : name === "" ? undefined : person(name)))
    this.suite = this.people.find((who) => who !== undefined)!.options.suite
    this.groupId = options.groupId ?? random(32)
    this.epoch = options.epoch ?? 5n
    this.extensions = options.extensions ?? []
    this.tree = RatchetTree.blank(this.suite, math.fullSize(names.length))
    for (const [i, who] of this.people.entries()) {
      if (who === undefined) continue
      const leafNode =
        i === joiner?.index
          ? decodeKeyPackage(joiner.bundle.keyPackage).leafNode
          : forgeKeyPackage(who, { leaf: (right) => options.leaf?.(right, i) ?? right }).keyPackage.leafNode
      this.tree.setLeaf(leafIndex(i), leafNode)
    }
  }

  /** As if the member had sent a Commit with a path. */
  commitAs(index: number, forgery: PathForgery = {}): this {
    const { suite, tree } = this
    const own = leafIndex(index)
    const who = this.people[index]!
    const steps = tree.filteredDirectPath(own)
    const derived = derivePath(suite, forgery.firstPathSecret ?? random(suite.secretSize), steps.length).steps
    for (const node of math.directPath(math.toNode(own), tree.leafCount)) tree.setParent(node, undefined)
    let above: Uint8Array = forgery.rootParentHash ?? new Uint8Array(0)
    for (let i = steps.length - 1; i >= 0; i--) {
      const { node, copathChild } = steps[i]!
      const unmergedLeaves = (forgery.unmerged?.get(node) ?? []).map(leafIndex)
      const encryptionKey = forgery.keys?.get(node) ?? derived[i]!.publicKey
      const parent = { encryptionKey, parentHash: above, unmergedLeaves }
      tree.setParent(node, parent)
      above = parentHash(suite, parent, originalTreeHash(tree, copathChild, unmergedLeaves))
    }
    const right: UnsignedLeafNode = {
      encryptionKey: freshKeyPair(suite, random).publicKey,
      signatureKey: who.signer.key.publicKey,
      credential: who.signer.credential,
      capabilities: tree.leaf(own)!.capabilities,
      leafNodeSource: { type: "commit", parentHash: forgery.parentHash?.(above) ?? above },
      extensions: [],
    }
    const position = { groupId: this.groupId, leafIndex: own }
    tree.setLeaf(own, signLeafNode(forgery.leaf?.(right) ?? right, who.signer.key, position))
    this.pathSecrets = new Map(steps.map(({ node }, i) => [node, derived[i]!.pathSecret]))
    this.committer = own
    return this
  }

  /** Links one parent node to a member's leaf, whatever stands on its other side. */
  setAbove(index: number, node: number, parent: ParentNode): this {
    const own = leafIndex(index)
    const at = nodeIndex(node)
    this.tree.setParent(at, parent)
    const sibling = math.isBelow(math.toNode(own), math.left(at)) ? math.right(at) : math.left(at)
    const hash = parentHash(this.suite, parent, this.tree.nodeHash(sibling))
    const { signature: _, ...right } = this.tree.leaf(own)!
    const unsigned = { ...right, leafNodeSource: { type: "commit", parentHash: hash } } as const
    const position = { groupId: this.groupId, leafIndex: own }
    this.tree.setLeaf(own, signLeafNode(unsigned, this.people[index]!.signer.key, position))
    return this
  }

  context(): GroupContext {
    return {
      version: "mls10",
      cipherSuite: this.suite.number,
      groupId: this.groupId,
      epoch: this.epoch,
      treeHash: this.tree.treeHash(),
      confirmedTranscriptHash: random(this.suite.secretSize),
      extensions: this.extensions,
    }
  }

  /** MLSMessage with a GroupInfo that lets somebody in. */
  groupInfo(forgery: WelcomeForgery & { readonly externalPub?: Uint8Array | undefined } = {}): Uint8Array {
    const groupContext = forgery.context?.(this.context()) ?? this.context()
    const externalPub = "externalPub" in forgery ? forgery.externalPub : freshKeyPair(this.suite, random).publicKey
    const extensions = this.#withTree(forgery)
    if (externalPub) extensions.push({ extensionType: 4, extensionData: encode(ExternalPub, { externalPub }) })
    const groupInfo = this.#sign(
      { groupContext, extensions, confirmationTag: random(32), signer: this.committer },
      forgery,
    )
    return encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsGroupInfo", groupInfo } })
  }

  /** MLSMessage with a Welcome for one key package. */
  welcome(bundle: KeyPackageBundle, index: number, forgery: WelcomeForgery = {}): Uint8Array {
    const { suite } = this
    const groupContext = forgery.context?.(this.context()) ?? this.context()
    const joiner = random(suite.secretSize)
    const psks = forgery.psks ?? []
    const secret = pskSecret(suite, psks)
    const seed = epochOfJoiner(suite, { joiner, pskSecret: secret, context: encodeContext(groupContext) })
    const confirmationTag = suite.hash.hmac(seed.secrets.confirmation, groupContext.confirmedTranscriptHash)
    const unsigned = { groupContext, extensions: this.#withTree(forgery), confirmationTag, signer: this.committer }
    const groupInfo = this.#sign(unsigned, forgery)
    const { key, nonce } = welcomeKey(suite, memberSecrets(suite, joiner, secret).welcome)
    const sealed = suite.aead.seal(key, nonce, encode(GroupInfo, groupInfo), new Uint8Array(0))
    const encryptedGroupInfo = forgery.encryptedGroupInfo?.(sealed) ?? sealed
    const ancestor = math.commonAncestor(this.committer, leafIndex(index))
    const pathSecret = this.pathSecrets.get(ancestor)
    const right: GroupSecrets = {
      joinerSecret: joiner,
      pathSecret: pathSecret && { pathSecret },
      psks: psks.map(({ id }) => id),
    }
    const { initKey } = decodeKeyPackage(bundle.keyPackage)
    const encryptTo = encryptorWithLabel(suite, { label: "Welcome", context: encryptedGroupInfo }, random)
    const encrypted = encryptTo(initKey, encode(GroupSecrets, forgery.groupSecrets?.(right) ?? right))
    const ciphertext = forgery.encryptedGroupSecrets?.(encrypted.ciphertext) ?? encrypted.ciphertext
    const welcome = {
      cipherSuite: forgery.cipherSuite ?? suite.number,
      secrets: [{ newMember: forgery.newMember ?? bundle.ref, encryptedGroupSecrets: { ...encrypted, ciphertext } }],
      encryptedGroupInfo,
    }
    return encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsWelcome", welcome } })
  }

  /** The nodes of the tree, for lists that no tree would give. */
  nodes(): (Node | undefined)[] {
    return Array.from({ length: math.nodeCount(this.tree.leafCount) }, (_, i) => this.tree.wireNode(i as NodeIndex))
  }

  #withTree(forgery: WelcomeForgery): Extension[] {
    const ratchetTree = "ratchetTree" in forgery ? forgery.ratchetTree : this.tree.encode()
    return ratchetTree === undefined ? [] : [{ extensionType: 2, extensionData: ratchetTree }]
  }

  #sign(right: UnsignedGroupInfo, forgery: WelcomeForgery): GroupInfo {
    const unsigned = forgery.groupInfo?.(right) ?? right
    const { key } = this.people[this.committer]!.signer
    const signature = signWithLabel(key, "GroupInfoTBS", encode(GroupInfoTBS, unsigned))
    return { ...unsigned, signature: forgery.signature?.(signature) ?? signature }
  }
}

export const encodeNodes = (nodes: readonly (Node | undefined)[]): Uint8Array => encode(RatchetTreeNodes, nodes)
