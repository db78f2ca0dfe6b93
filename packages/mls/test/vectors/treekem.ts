import assert from "node:assert/strict"
import { encode } from "@conclave/codec"
import { type LeafIndex, leafIndex, type NodeIndex, nodeIndex } from "../../src/indexes.js"
import { signLeafNode } from "../../src/tree/leaf.js"
import { toNode } from "../../src/tree/math.js"
import { applyUpdatePath, decryptPath, derivePath, encryptPath, mergePath } from "../../src/tree/path.js"
import { RatchetTree } from "../../src/tree/ratchet-tree.js"
import { GroupContext, UpdatePath } from "../../src/wire.js"
import { assertBytes, bytes, decodeExactly, groupContext, type Hex, hex, type Suites } from "./vector.js"

export interface TreeKemVector {
  readonly cipher_suite: number
  readonly group_id: Hex
  readonly epoch: number
  readonly confirmed_transcript_hash: Hex
  readonly ratchet_tree: Hex
  readonly leaves_private: readonly {
    readonly index: number
    readonly encryption_priv: Hex
    readonly signature_priv: Hex
    readonly path_secrets: readonly { readonly node: number; readonly path_secret: Hex }[]
  }[]
  readonly update_paths: readonly {
    readonly sender: number
    readonly update_path: Hex
    readonly path_secrets: readonly (Hex | null)[]
    readonly commit_secret: Hex
    readonly tree_hash_after: Hex
  }[]
}

type PrivateKeys = ReadonlyMap<NodeIndex, Uint8Array>

export function verify(vector: TreeKemVector, suites: Suites): void {
  const tree = RatchetTree.decode(suites(vector.cipher_suite), bytes(vector.ratchet_tree))
  const members = new Map(vector.leaves_private.map((leaf) => [leafIndex(leaf.index), privateKeys(tree, leaf)]))
  for (const expected of vector.update_paths) {
    const sender = leafIndex(expected.sender)
    const updatePath = decodeExactly(UpdatePath, expected.update_path, "UpdatePath")
    const receiver = new Receiver(vector, tree, sender, updatePath)
    assertBytes(receiver.merged.treeHash(), expected.tree_hash_after, "tree hash after")
    for (const [member, keys] of members) {
      if (member === sender) continue
      const { pathSecrets, commitSecret } = receiver.decrypt(member, keys)
      assertBytes([...pathSecrets.values()][0], expected.path_secrets[member]!, `path secret for leaf ${member}`)
      assertBytes(commitSecret, expected.commit_secret, `commit secret for leaf ${member}`)
    }
    verifyOwnPath(vector, tree, sender, members)
  }
}

/** The private keys of a leaf and of the nodes above it, each of which has to fit the tree. */
function privateKeys(tree: RatchetTree, leaf: TreeKemVector["leaves_private"][number]): PrivateKeys {
  const keys = new Map([[toNode(leafIndex(leaf.index)), bytes(leaf.encryption_priv)]])
  for (const { node, path_secret } of leaf.path_secrets) {
    keys.set(nodeIndex(node), derivePath(tree.suite, bytes(path_secret), 1).steps[0]!.privateKey)
  }
  for (const [node, privateKey] of keys) {
    const expected = tree.node(node)?.encryptionKey
    assert(expected, `node ${node} is not blank`)
    assertBytes(tree.suite.hpke.publicKey(privateKey), hex(expected), `public key of node ${node}`)
  }
  using signatureKey = tree.suite.signature.importKey(bytes(leaf.signature_priv))
  assertBytes(signatureKey.publicKey, hex(tree.leaf(leafIndex(leaf.index))!.signatureKey), "signature key")
  return keys
}

/** Somebody who holds an UpdatePath against the tree. */
class Receiver {
  readonly merged: RatchetTree
  readonly #updatePath: UpdatePath
  readonly #steps: ReturnType<typeof applyUpdatePath>
  readonly #context: Uint8Array

  constructor(vector: TreeKemVector, tree: RatchetTree, sender: LeafIndex, updatePath: UpdatePath) {
    this.merged = tree.draft()
    this.#updatePath = updatePath
    this.#steps = applyUpdatePath(this.merged, sender, updatePath, new Set())
    this.#context = contextOf(vector, this.merged)
  }

  decrypt(own: LeafIndex, keys: PrivateKeys) {
    return decryptPath(this.merged, {
      own,
      privateKeys: keys,
      steps: this.#steps,
      nodes: this.#updatePath.nodes,
      added: new Set(),
      context: this.#context,
    })
  }
}

/** A path of our own making, from the same leaf: everybody learns the same commit secret from it. */
function verifyOwnPath(
  vector: TreeKemVector,
  tree: RatchetTree,
  sender: LeafIndex,
  members: ReadonlyMap<LeafIndex, PrivateKeys>,
): void {
  const { suite } = tree
  const draft = tree.draft()
  const steps = draft.filteredDirectPath(sender)
  const { steps: secrets, commitSecret } = derivePath(suite, suite.provider.random(suite.secretSize), steps.length)
  const publicKeys = secrets.map((step) => step.publicKey)
  const parentHash = mergePath(draft, sender, steps, publicKeys)
  const leafKey = suite.hpke.deriveKeyPair(suite.provider.random(suite.secretSize))
  const { signature: _, ...leaf } = draft.leaf(sender)!
  const { signature_priv } = vector.leaves_private.find((it) => it.index === sender)!
  using signatureKey = suite.signature.importKey(bytes(signature_priv))
  const leafNode = signLeafNode(
    { ...leaf, encryptionKey: leafKey.publicKey, leafNodeSource: { type: "commit", parentHash } },
    signatureKey,
    { groupId: bytes(vector.group_id), leafIndex: sender },
  )
  draft.setLeaf(sender, leafNode)
  const context = contextOf(vector, draft)
  const nodes = encryptPath(draft, { steps, secrets, added: new Set(), context }, suite.provider.random)

  const receiver = new Receiver(vector, tree, sender, { leafNode, nodes })
  assertBytes(receiver.merged.treeHash(), hex(draft.treeHash()), "tree hash of our path")
  for (const [member, keys] of members) {
    if (member === sender) continue
    assertBytes(receiver.decrypt(member, keys).commitSecret, hex(commitSecret), `commit secret for leaf ${member}`)
  }
}

function contextOf(vector: TreeKemVector, tree: RatchetTree): Uint8Array {
  return encode(GroupContext, groupContext(tree.suite, { ...vector, tree_hash: hex(tree.treeHash()) }))
}
