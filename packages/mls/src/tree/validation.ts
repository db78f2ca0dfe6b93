import { rule } from "../errors.js"
import { type LeafIndex, nodeIndex } from "../indexes.js"
import { signedMessage } from "../suite/labels.js"
import type { LeafNode } from "../wire.js"
import { credentialTypeNumber } from "./census.js"
import { isParentHashValid, parentHashOf } from "./hashes.js"
import { isLeafSignatureValid, type LeafRequirements, leafSignature, validateLeafNode } from "./leaf.js"
import * as math from "./math.js"
import type { RatchetTree } from "./ratchet-tree.js"

/** A signature by itself, for whoever verifies many on other threads: `message` is what the scheme signs. */
export interface SignatureToVerify {
  readonly publicKey: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

/**
 * RFC 9420 §12.4.3.1, "verify the integrity of the ratchet tree": everything that can be known of a tree from outside,
 * in time linear in its size. Credentials are left to the application.
 *
 * With `signaturesVerified`, whoever calls has verified {@link leafSignatures} already.
 *
 * @throws RuleError
 */
export function validateTree(
  tree: RatchetTree,
  options: {
    readonly groupId: Uint8Array
    readonly requirements: LeafRequirements
    readonly signaturesVerified?: boolean
    /** Called now and then. */
    readonly onProgress?: (leavesChecked: number, leaves: number) => void
  },
): void {
  validateParents(tree)
  let checked = 0
  for (const [index, leaf] of tree.leaves()) {
    if (++checked % LEAVES_BETWEEN_PROGRESS === 0) options.onProgress?.(checked, tree.census.members)
    validateLeafNode(leaf, options.requirements)
    validateLeafAmongMembers(tree, leaf)
    if (options.signaturesVerified === true) continue
    rule(isLeafSignatureValid(tree.suite, leaf, { groupId: options.groupId, leafIndex: index }), "leaf-signature")
  }
}

/** The signature of every leaf of a tree. */
export function leafSignatures(tree: RatchetTree, groupId: Uint8Array): SignatureToVerify[] {
  return Array.from(tree.leaves(), ([leafIndex, leaf]) => {
    const { publicKey, label, content, signature } = leafSignature(leaf, { groupId, leafIndex })
    return { publicKey, message: signedMessage(label, content), signature }
  })
}

const LEAVES_BETWEEN_PROGRESS = 256

/**
 * RFC 9420 §7.3: what a leaf node must have in common with the other members, and what not. The leaf is in `tree`.
 *
 * @throws RuleError
 */
export function validateLeafAmongMembers(tree: RatchetTree, leaf: LeafNode): void {
  const { census, signatureKeys, encryptionKeys } = tree
  rule(signatureKeys.count(leaf.signatureKey) === 1, "leaf-signature-key-unique")
  rule(encryptionKeys.count(leaf.encryptionKey) === 1, "leaf-encryption-key-unique")
  rule(census.allSupport("credentials", credentialTypeNumber(leaf.credential)), "leaf-credential-supported")
  for (const type of census.credentialsInUse) {
    rule(leaf.capabilities.credentials.includes(type), "leaf-supports-credentials", `credential type ${type}`)
  }
}

function validateParents(tree: RatchetTree): void {
  // RFC 9420 §7.5: the root, be it the only leaf, has nothing above it.
  rule((parentHashOf(tree, tree.root)?.length ?? 0) === 0, "tree-root-parent-hash")
  for (const [index, parent] of tree.parents()) {
    const { first, last } = math.leavesBelow(index)
    let previous = -1
    for (const leaf of parent.unmergedLeaves) {
      rule(leaf > previous, "tree-unmerged-sorted")
      previous = leaf
      rule(leaf >= first && leaf <= last && !tree.isBlank(math.toNode(leaf)), "tree-unmerged-below")
      requireUnmergedThroughout(tree, leaf, index)
    }
    rule(tree.suite.hpke.isPublicKey(parent.encryptionKey), "key-encryption-valid")
    rule(tree.encryptionKeys.count(parent.encryptionKey) === 1, "tree-parent-key-unique")
    rule(isParentHashValid(tree, index, parent), "tree-parent-hash", `node ${index}`)
  }
}

function requireUnmergedThroughout(tree: RatchetTree, leaf: LeafIndex, top: number): void {
  for (let at = math.parent(math.toNode(leaf)); at !== top; at = math.parent(at)) {
    const between = tree.parentNode(nodeIndex(at))
    rule(between === undefined || between.unmergedLeaves.includes(leaf), "tree-unmerged-throughout")
  }
}
