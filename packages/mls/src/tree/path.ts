import { rule, StateError } from "../errors.js"
import type { LeafIndex, NodeIndex } from "../indexes.js"
import { type Sliced, toEnd } from "../slices.js"
import { Derivations } from "../suite/derivations.js"
import { decryptWithLabel, encryptorToMany } from "../suite/labels.js"
import type { CipherSuite, Random } from "../suite/suite.js"
import { ciphertextsTogether, inParts } from "../suite/together.js"
import type { HPKECiphertext, UpdatePath, UpdatePathNode } from "../wire.js"
import { parentHash } from "./hashes.js"
import { keyName } from "./key-index.js"
import * as math from "./math.js"
import type { PathStep, RatchetTree } from "./ratchet-tree.js"

/*
 * RFC 9420 §7.4-7.6. The committer draws a path secret for the first step of its filtered direct path; everything above
 * follows from it:
 *
 *   path_secret[0] ── "path" ──► path_secret[1] ── "path" ──► … ── "path" ──► commit_secret
 *         │ "node"                      │ "node"
 *    node_secret[0]                node_secret[1]
 *         │ DeriveKeyPair               │
 *     key pair of step 0            key pair of step 1
 */

/** A path secret and the key pair that follows from it. */
interface DerivedStep {
  readonly pathSecret: Uint8Array
  readonly privateKey: Uint8Array
  readonly publicKey: Uint8Array
}

/** The private keys that a member learns from an UpdatePath, and what goes into the key schedule. */
export interface PathSecrets {
  /** By node, with the path secret of each (which a Welcome may pass on). */
  readonly privateKeys: ReadonlyMap<NodeIndex, Uint8Array>
  readonly pathSecrets: ReadonlyMap<NodeIndex, Uint8Array>
  readonly commitSecret: Uint8Array
}

/** Derives the steps from `firstSecret` upwards, one for each node. */
export function derivePath(suite: CipherSuite, firstSecret: Uint8Array, count: number) {
  const steps: DerivedStep[] = []
  let pathSecret = firstSecret
  for (let i = 0; i < count; i++) {
    const [nodeSecret, next] = OF_PATH.from(suite, pathSecret)
    const { privateKey, publicKey } = suite.hpke.deriveKeyPair(nodeSecret)
    nodeSecret.fill(0)
    steps.push({ pathSecret, privateKey, publicKey })
    pathSecret = next
  }
  return { steps, commitSecret: pathSecret }
}

const OF_PATH = new Derivations(["node", "secret"], ["path", "secret"])

/**
 * Sets new public keys along a filtered direct path and blanks the rest of the direct path (RFC 9420 §7.5). Returns the
 * parent hash that belongs into the committer's leaf. `tree` is a draft to which the proposals have been applied.
 */
export function mergePath(
  tree: RatchetTree,
  committer: LeafIndex,
  steps: readonly PathStep[],
  publicKeys: readonly Uint8Array[],
): Uint8Array {
  for (const node of math.directPath(math.toNode(committer), tree.leafCount)) tree.setParent(node, undefined)
  // From the root down: each hash takes in all of the path that is above.
  let above: Uint8Array = new Uint8Array(0)
  for (let i = steps.length - 1; i >= 0; i--) {
    const { node, copathChild } = steps[i]!
    const parent = { encryptionKey: publicKeys[i]!, parentHash: above, unmergedLeaves: [] }
    tree.setParent(node, parent)
    above = parentHash(tree.suite, parent, tree.nodeHash(copathChild))
  }
  return above
}

/** RFC 9420 §7.6: to whom the path secret of a step goes. Members that the same commit adds get it by their Welcome. */
export function pathReceivers(tree: RatchetTree, step: PathStep, added: ReadonlySet<LeafIndex>): NodeIndex[] {
  const resolution = tree.resolution(step.copathChild)
  if (added.size === 0) return resolution
  return resolution.filter((node) => !math.isLeaf(node) || !added.has(math.toLeaf(node)))
}

/** RFC 9420 §7.5: encrypts each path secret to the resolution of the step's copath child. */
export function encryptPath(tree: RatchetTree, path: PathToEncrypt, random: Random): UpdatePathNode[] {
  return toEnd(encryptPathInSlices(tree, path, random))
}

export interface PathToEncrypt {
  readonly steps: readonly PathStep[]
  readonly secrets: readonly { readonly pathSecret: Uint8Array; readonly publicKey: Uint8Array }[]
  readonly added: ReadonlySet<LeafIndex>
  /** The provisional GroupContext, encoded. */
  readonly context: Uint8Array
}

/** {@link encryptPath}, interrupted now and then. The secrets belong to the caller. */
export function* encryptPathInSlices(tree: RatchetTree, path: PathToEncrypt, random: Random): Sliced<UpdatePathNode[]> {
  const encryptTo = encryptorToMany(tree.suite, { label: "UpdatePathNode", context: path.context }, random)
  const together = ciphertextsTogether(tree.suite)
  const nodes: UpdatePathNode[] = []
  for (const [i, step] of path.steps.entries()) {
    const { pathSecret: plaintext, publicKey } = path.secrets[i]!
    const encryptedPathSecret: HPKECiphertext[] = []
    for (const receivers of inParts(pathReceivers(tree, step, path.added), together)) {
      const recipients = receivers.map((node) => ({ publicKey: tree.node(node)!.encryptionKey, plaintext }))
      encryptedPathSecret.push(...encryptTo(recipients))
      yield
    }
    nodes.push({ encryptionKey: publicKey, encryptedPathSecret })
  }
  return nodes
}

/**
 * RFC 9420 §12.4.2: holds an UpdatePath against the tree to which the proposals have been applied, merges it, and sets
 * the committer's leaf.
 *
 * @throws RuleError
 */
export function applyUpdatePath(
  tree: RatchetTree,
  committer: LeafIndex,
  updatePath: UpdatePath,
  added: ReadonlySet<LeafIndex>,
): PathStep[] {
  const steps = tree.filteredDirectPath(committer)
  const { leafNode, nodes } = updatePath
  rule(nodes.length === steps.length, "path-length", `${nodes.length} nodes for ${steps.length} steps`)
  for (let i = 0; i < steps.length; i++) {
    const receivers = pathReceivers(tree, steps[i]!, added).length
    rule(nodes[i]!.encryptedPathSecret.length === receivers, "path-ciphertexts")
    rule(tree.suite.hpke.isPublicKey(nodes[i]!.encryptionKey), "key-encryption-valid")
  }
  requireNewKeys(tree, updatePath)
  rule(leafNode.leafNodeSource.type === "commit", "leaf-source-commit")
  const publicKeys = nodes.map((node) => node.encryptionKey)
  const expected = mergePath(tree, committer, steps, publicKeys)
  const actual = leafNode.leafNodeSource.parentHash
  rule(actual.length === expected.length && actual.every((byte, i) => byte === expected[i]), "path-parent-hash")
  tree.setLeaf(committer, leafNode)
  return steps
}

/** RFC 9420 §12.4.2: none of the path's keys is anywhere in the tree, and none is in the path twice. */
function requireNewKeys(tree: RatchetTree, { leafNode, nodes }: UpdatePath): void {
  const seen = new Set<string>()
  for (const { encryptionKey } of [leafNode, ...nodes]) {
    rule(tree.encryptionKeys.count(encryptionKey) === 0, "path-keys-new")
    seen.add(keyName(encryptionKey))
  }
  rule(seen.size === nodes.length + 1, "path-keys-new")
}

/**
 * RFC 9420 §7.5: the path secrets that reach `own` from an UpdatePath that has been merged into `tree`, checked against
 * its public keys.
 *
 * @throws RuleError
 */
export function decryptPath(
  tree: RatchetTree,
  path: {
    readonly own: LeafIndex
    readonly privateKeys: ReadonlyMap<NodeIndex, Uint8Array>
    readonly steps: readonly PathStep[]
    readonly nodes: readonly UpdatePathNode[]
    readonly added: ReadonlySet<LeafIndex>
    readonly context: Uint8Array
  },
): PathSecrets {
  const at = path.steps.findIndex((step) => math.isBelow(math.toNode(path.own), step.copathChild))
  // Whoever is in the tree is below exactly one copath child, but for the committer.
  if (at < 0) throw new StateError("STATE_ROLLED_BACK", "a commit of ours that this state has not sent")
  const receivers = pathReceivers(tree, path.steps[at]!, path.added)
  const which = receivers.findIndex((node) => path.privateKeys.has(node))
  const receiver = receivers[which]
  const pathSecret =
    receiver === undefined
      ? undefined
      : decryptWithLabel(
          tree.suite,
          {
            privateKey: path.privateKeys.get(receiver)!,
            publicKey: tree.node(receiver)!.encryptionKey,
            label: "UpdatePathNode",
            context: path.context,
          },
          path.nodes[at]!.encryptedPathSecret[which]!,
        )
  rule(pathSecret !== undefined && pathSecret.length === tree.suite.secretSize, "path-secret-decrypts")
  return pathSecretsFrom(tree, path.steps.slice(at), pathSecret)
}

/**
 * The private keys of `steps`, whose public keys are in `tree`, from the path secret of the first.
 *
 * @throws RuleError where they do not fit: RFC 9420 §7.5, step 6.
 */
export function pathSecretsFrom(tree: RatchetTree, steps: readonly PathStep[], firstSecret: Uint8Array): PathSecrets {
  const derived = derivePath(tree.suite, firstSecret, steps.length)
  const privateKeys = new Map<NodeIndex, Uint8Array>()
  const pathSecrets = new Map<NodeIndex, Uint8Array>()
  for (let i = 0; i < steps.length; i++) {
    const { node } = steps[i]!
    const { privateKey, publicKey, pathSecret } = derived.steps[i]!
    const expected = tree.node(node)?.encryptionKey
    rule(
      expected?.length === publicKey.length && expected.every((byte, k) => byte === publicKey[k]),
      "path-keys-derived",
    )
    privateKeys.set(node, privateKey)
    pathSecrets.set(node, pathSecret)
  }
  return { privateKeys, pathSecrets, commitSecret: derived.commitSecret }
}
