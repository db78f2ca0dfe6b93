import { encode } from "@conclave/codec"
import { concat, hkdfExtract, type SigningKey } from "@conclave/crypto"
import {
  type CipherSuite,
  decodeKeyPackage,
  keyPackageRef,
  type LeafIndex,
  leafIndex,
  signWithLabel,
} from "@conclave/mls"
import {
  GroupContext,
  GroupInfo,
  GroupInfoTBS,
  GroupSecrets,
  type LeafNode,
  LeafPosition,
  MLSMessage,
  type Node,
  ParentHashInput,
  type ParentNode,
  RatchetTreeNodes,
  TreeHashInput,
  UnsignedLeafNode,
} from "@conclave/mls/wire"
import { encryptWithLabel, expandWithLabel, none } from "./labels.js"

/*
 * A group of any size in which no parent is blank, without the thousands of commits that would lead to it. Its tree is
 * the one that is there after every member, from left to right, has committed once:
 *
 *   - every parent holds a key of its own;
 *   - a parent was last set by the rightmost leaf below it, so its parent hash is found in its right child (§7.9);
 *   - what a left child says of its parent is out of date, as it would be: random bytes of a hash's length.
 *
 * Then a last commit, by the member at leaf 1, adds the contestants at leaves 0, 2, 4, … and welcomes them: that one is
 * made exactly as RFC 9420 §12.4.1 says. They join by its Welcome, through their own front door, and check all of it.
 * Parents that have only newcomers below them stay blank until one of these commits.
 */

export interface SyntheticGroup {
  readonly groupId: Uint8Array
  /** MLSMessage with a Welcome for all newcomers, the tree inside. */
  readonly welcome: Uint8Array
  /** The value of a `ratchet_tree` extension. */
  readonly ratchetTree: Uint8Array
}

/** What every member's leaf is signed with and over, for whoever measures signatures. */
export interface LeafSignature {
  readonly publicKey: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

type TreeNode = LeafNode | ParentNode | undefined

export class FullTree {
  readonly suite: CipherSuite
  readonly size: number
  readonly groupId: Uint8Array
  readonly #nodes: TreeNode[]
  readonly #hashes: (Uint8Array | undefined)[]
  readonly #committer: SigningKey

  /** `size`: members, the newcomers included; at least 4. */
  constructor(suite: CipherSuite, size: number) {
    this.suite = suite
    this.size = size
    this.groupId = suite.provider.random(32)
    this.#committer = suite.signature.generate(suite.provider.random)
    const leafCount = 2 ** Math.ceil(Math.log2(size))
    this.#nodes = new Array<TreeNode>(2 * leafCount - 1).fill(undefined)
    this.#hashes = new Array<Uint8Array | undefined>(this.#nodes.length).fill(undefined)
    this.#build(rootOf(leafCount), none)
  }

  /** Lets newcomers in: MLSMessages with their KeyPackages. */
  welcome(keyPackages: readonly Uint8Array[]): SyntheticGroup {
    const decoded = keyPackages.map((bytes) => decodeKeyPackage(bytes))
    const nodes = this.#nodes.slice()
    const hashes = this.#hashes.slice()
    const set = (node: number, value: TreeNode) => {
      nodes[node] = value
      for (const at of [node, ...directPath(node, nodes.length)]) hashes[at] = undefined
    }
    for (const [i, { leafNode }] of decoded.entries()) {
      set(4 * i, leafNode)
      for (const at of directPath(4 * i, nodes.length)) set(at, undefined)
    }
    const steps = directPath(COMMITTER_NODE, nodes.length)
    const secrets = this.#path(nodes, hashes, steps, set)
    const treeHash = nodeHash(this.suite, nodes, hashes, rootOfNodes(nodes))
    const ratchetTree = encodeTree(nodes)
    const newcomers = decoded.map((keyPackage, i) => ({
      keyPackage,
      // The lowest node of the committer's path that is above the newcomer.
      pathSecret: secrets[steps.findIndex((node) => isBelow(4 * i, node))]!,
    }))
    return { groupId: this.groupId, ratchetTree, welcome: this.#welcome(newcomers, treeHash, ratchetTree) }
  }

  /** Of every member, the committer's and the newcomers' old ones included. */
  leafSignatures(): LeafSignature[] {
    return this.#nodes.flatMap((node, i) => {
      if (i % 2 !== 0 || node === undefined) return []
      const { signature, signatureKey: publicKey, ...unsigned } = node as LeafNode
      const message = leafContent(unsigned as UnsignedLeaf, publicKey, { groupId: this.groupId, index: i / 2 })
      return [{ publicKey, message, signature }]
    })
  }

  // --- The tree ------------------------------------------------------------------------------------------------------

  /** `linked`: what the node that this commit set last below `node` says of its parent. */
  #build(node: number, linked: Uint8Array): void {
    if (node % 2 === 0) {
      if (node / 2 < this.size) this.#nodes[node] = this.#leaf(leafIndex(node / 2), linked)
      return
    }
    const [left, right] = children(node)
    if (firstLeaf(right) >= this.size) {
      // Nobody on the right: filtered out of every direct path, and blank.
      this.#build(left, linked)
      return
    }
    this.#build(left, this.suite.provider.random(this.suite.hash.size))
    const { publicKey } = this.#freshKeyPair()
    const parent: ParentNode = { encryptionKey: publicKey, parentHash: linked, unmergedLeaves: [] }
    const siblingHash: Uint8Array = nodeHash(this.suite, this.#nodes, this.#hashes, left)
    this.#nodes[node] = parent
    this.#build(right, parentHash(this.suite, parent, siblingHash))
  }

  #leaf(index: LeafIndex, linked: Uint8Array): LeafNode {
    const key = index === 1 ? this.#committer : this.suite.signature.generate(this.suite.provider.random)
    return this.#signedLeaf(index, linked, key)
  }

  #signedLeaf(index: LeafIndex, parentHash: Uint8Array, key: SigningKey): LeafNode {
    const unsigned = {
      encryptionKey: this.#freshKeyPair().publicKey,
      credential: { type: "basic" as const, identity: utf8.encode(`member ${index}`) },
      // What every contestant supports: nobody's capabilities are missing in anybody's leaf.
      capabilities: {
        versions: [1],
        cipherSuites: [this.suite.number],
        extensions: [],
        proposals: [],
        credentials: [1, 2],
      },
      leafNodeSource: { type: "commit" as const, parentHash },
      extensions: [],
    }
    const content = leafContent(unsigned, key.publicKey, { groupId: this.groupId, index })
    return { ...unsigned, signatureKey: key.publicKey, signature: signWithLabel(key, "LeafNodeTBS", content) }
  }

  /** RFC 9420 §7.5, by the committer. Returns the path secrets from the lowest step up. */
  #path(
    nodes: TreeNode[],
    hashes: (Uint8Array | undefined)[],
    steps: readonly number[],
    set: (node: number, value: TreeNode) => void,
  ): Uint8Array[] {
    const { suite } = this
    const secrets: Uint8Array[] = []
    let secret: Uint8Array = suite.provider.random(suite.secretSize)
    for (const _ of steps) {
      secrets.push(secret)
      secret = expandWithLabel(suite, secret, "path")
    }
    let above: Uint8Array = none
    for (let i = steps.length - 1; i >= 0; i--) {
      const { publicKey } = suite.hpke.deriveKeyPair(expandWithLabel(suite, secrets[i]!, "node"))
      const parent = { encryptionKey: publicKey, parentHash: above, unmergedLeaves: [] }
      set(steps[i]!, parent)
      const below = i === 0 ? COMMITTER_NODE : steps[i - 1]!
      const copath = children(steps[i]!).find((child) => child !== below)!
      above = parentHash(suite, parent, nodeHash(suite, nodes, hashes, copath))
    }
    set(COMMITTER_NODE, this.#signedLeaf(leafIndex(1), above, this.#committer))
    return secrets
  }

  #freshKeyPair() {
    return this.suite.hpke.deriveKeyPair(this.suite.provider.random(this.suite.secretSize))
  }

  // --- The Welcome ---------------------------------------------------------------------------------------------------

  /** RFC 9420 §12.4.3.1, with an init secret and a transcript that nobody else has to know. */
  #welcome(
    newcomers: readonly { readonly keyPackage: ReturnType<typeof decodeKeyPackage>; readonly pathSecret: Uint8Array }[],
    treeHash: Uint8Array,
    ratchetTree: Uint8Array,
  ): Uint8Array {
    const { suite } = this
    const { random } = suite.provider
    const joinerSecret = random(suite.secretSize)
    const confirmedTranscriptHash = random(suite.hash.size)
    const { number: cipherSuite } = suite
    const head = { version: "mls10" as const, cipherSuite, groupId: this.groupId, epoch: 1n }
    const groupContext = { ...head, treeHash, confirmedTranscriptHash, extensions: [] }
    const member = hkdfExtract(suite.hash, joinerSecret, new Uint8Array(suite.secretSize))
    const epochSecret = expandWithLabel(suite, member, "epoch", encode(GroupContext, groupContext))
    const confirmationKey = expandWithLabel(suite, epochSecret, "confirm")
    const unsigned = {
      groupContext,
      extensions: [{ extensionType: 2, extensionData: ratchetTree }],
      confirmationTag: suite.hash.hmac(confirmationKey, confirmedTranscriptHash),
      signer: leafIndex(1),
    }
    const signature = signWithLabel(this.#committer, "GroupInfoTBS", encode(GroupInfoTBS, unsigned))
    const welcomeSecret = expandWithLabel(suite, member, "welcome")
    const encryptedGroupInfo = suite.aead.seal(
      expandWithLabel(suite, welcomeSecret, "key", none, suite.aead.keySize),
      expandWithLabel(suite, welcomeSecret, "nonce", none, suite.aead.nonceSize),
      encode(GroupInfo, { ...unsigned, signature }),
      none,
    )
    const secrets = newcomers.map(({ keyPackage, pathSecret }) => {
      const to = { publicKey: keyPackage.initKey, label: "Welcome", context: encryptedGroupInfo }
      const groupSecrets = encode(GroupSecrets, { joinerSecret, pathSecret: { pathSecret }, psks: [] })
      return {
        newMember: keyPackageRef(suite, keyPackage),
        encryptedGroupSecrets: encryptWithLabel(suite, to, groupSecrets),
      }
    })
    const welcome = { cipherSuite, secrets, encryptedGroupInfo }
    return encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsWelcome", welcome } })
  }
}

const utf8 = new TextEncoder()
/** Leaf 1. */
const COMMITTER_NODE = 2

type UnsignedLeaf = Omit<LeafNode, "signature" | "signatureKey">

function leafContent(unsigned: UnsignedLeaf, signatureKey: Uint8Array, at: { groupId: Uint8Array; index: number }) {
  const position = encode(LeafPosition, { groupId: at.groupId, leafIndex: leafIndex(at.index) })
  return concat(encode(UnsignedLeafNode, { ...unsigned, signatureKey }), position)
}

/** RFC 9420 §7.9. */
function parentHash(suite: CipherSuite, parent: ParentNode, originalSiblingTreeHash: Uint8Array): Uint8Array {
  const { encryptionKey, parentHash } = parent
  return suite.hash.digest(encode(ParentHashInput, { encryptionKey, parentHash, originalSiblingTreeHash }))
}

/** RFC 9420 §7.8. */
function nodeHash(
  suite: CipherSuite,
  nodes: readonly TreeNode[],
  hashes: (Uint8Array | undefined)[],
  node: number,
): Uint8Array {
  const known = hashes[node]
  if (known !== undefined) return known
  const input: Parameters<typeof TreeHashInput.write>[1] =
    node % 2 === 0
      ? { type: "leaf", leafNode: { leafIndex: node / 2, leafNode: nodes[node] as LeafNode | undefined } }
      : {
          type: "parent",
          parentNode: {
            parentNode: nodes[node] as ParentNode | undefined,
            leftHash: nodeHash(suite, nodes, hashes, children(node)[0]),
            rightHash: nodeHash(suite, nodes, hashes, children(node)[1]),
          },
        }
  const hash = suite.hash.digest(encode(TreeHashInput, input))
  hashes[node] = hash
  return hash
}

function encodeTree(nodes: readonly TreeNode[]): Uint8Array {
  const last = nodes.findLastIndex((node) => node !== undefined)
  return encode(
    RatchetTreeNodes,
    nodes.slice(0, last + 1).map((node): Node | undefined => {
      if (node === undefined) return undefined
      return "signature" in node ? { type: "leaf", leafNode: node } : { type: "parent", parentNode: node }
    }),
  )
}

// --- RFC 9420, Appendix C --------------------------------------------------------------------------------------------

const rootOf = (leafCount: number) => leafCount - 1
const rootOfNodes = (nodes: readonly unknown[]) => rootOf((nodes.length + 1) / 2)
/** How far a parent is from its children: 1 at the lowest level. */
const reach = (parent: number) => ((parent + 1) & -(parent + 1)) / 2
const children = (parent: number): [number, number] => [parent - reach(parent), parent + reach(parent)]
const firstLeaf = (node: number) => (node % 2 === 0 ? node : node - 2 * reach(node) + 1) / 2
const isBelow = (leaf: number, node: number) => leaf > node - 2 * reach(node) && leaf < node + 2 * reach(node)

function directPath(node: number, count: number): number[] {
  const path: number[] = []
  for (let at = rootOf((count + 1) / 2); at !== node; ) {
    path.unshift(at)
    const [left, right] = children(at)
    at = node < at ? left : right
  }
  return path
}
