import type { Verification } from "@conclave/crypto"
import { rule } from "../errors.js"
import type { LeafIndex, NodeIndex } from "../indexes.js"
import { type Sliced, toEnd } from "../slices.js"
import { areValidTogether, inParts, SIGNATURES_TOGETHER, signatureToVerify } from "../suite/together.js"
import type { LeafNode, ParentNode } from "../wire.js"
import { credentialTypeNumber } from "./census.js"
import { isAlike, isLeafSignatureValid, type LeafRequirements, leafSignature, validateLeafNode } from "./leaf.js"
import * as math from "./math.js"
import { isParentHashValid, parentHashOf } from "./parent-hashes.js"
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
export function validateTree(tree: RatchetTree, options: TreeValidation): void {
  toEnd(validateTreeInSlices(tree, options))
}

export interface TreeValidation {
  readonly groupId: Uint8Array
  readonly requirements: LeafRequirements
  readonly signaturesVerified?: boolean
  /** Verifies the signatures of all leaves meanwhile: it is asked for the verdict. */
  readonly verification?: Verification | undefined
  /** Each leaf, once nothing is wrong with it but perhaps its signature. */
  readonly onLeaf?: (leafIndex: LeafIndex, leaf: LeafNode) => void
  /** Called now and then. */
  readonly onProgress?: (leavesChecked: number, leaves: number) => void
}

/** {@link validateTree}, interrupted now and then. */
export function* validateTreeInSlices(tree: RatchetTree, options: TreeValidation): Sliced<void> {
  yield* validateParents(tree)
  const { groupId, verification } = options
  const areVerifiedElsewhere = options.signaturesVerified === true || verification !== undefined
  const { signatureKeys, encryptionKeys, census } = tree
  const areKeysDistinct = signatureKeys.areDistinct && encryptionKeys.areDistinct
  let checked = 0
  let last: LeafNode | undefined
  for (const leaves of inParts(tree.leaves(), SIGNATURES_TOGETHER)) {
    const areSigned =
      areVerifiedElsewhere ||
      areValidTogether(tree.suite, leaves.length, () =>
        leaves.map(([leafIndex, leaf]) => leafSignature(leaf, { groupId, leafIndex })),
      )
    for (const [leafIndex, leaf] of leaves) {
      // Verifying one signature takes as long as all else does for many leaves.
      if (!areSigned || checked % LEAVES_IN_SLICE === 0) yield
      if (++checked % LEAVES_BETWEEN_PROGRESS === 0) options.onProgress?.(checked, census.members)
      validateLeafNode(leaf, options.requirements, last)
      if (!areKeysDistinct) requireKeysOnce(tree, leaf)
      if (last === undefined || !isAlike(leaf, last)) requireCredentialsSupported(tree, leaf)
      rule(areSigned || isLeafSignatureValid(tree.suite, leaf, { groupId, leafIndex }), "leaf-signature")
      last = leaf
      options.onLeaf?.(leafIndex, leaf)
    }
  }
  if (verification === undefined || verification.finish()) return
  for (const [leafIndex, leaf] of tree.leaves()) {
    yield
    rule(isLeafSignatureValid(tree.suite, leaf, { groupId, leafIndex }), "leaf-signature")
  }
}

/** Between two interruptions, where their signatures are verified elsewhere. */
const LEAVES_IN_SLICE = 16

/** The signature of every leaf of a tree, each put together when it is looked at. */
export function leafSignatures(tree: RatchetTree, groupId: Uint8Array): SignatureToVerify[] {
  return Array.from(tree.occupiedLeaves(), (index) => new LeafSignature(tree, index, groupId))
}

/** In a tree of 10,000 all of them together would hold up the event loop. */
class LeafSignature implements SignatureToVerify {
  readonly #leaf: () => SignatureToVerify
  #signed: SignatureToVerify | undefined

  constructor(tree: RatchetTree, index: LeafIndex, groupId: Uint8Array) {
    this.#leaf = () =>
      signatureToVerify(leafSignature(tree.node(math.toNode(index)) as LeafNode, { groupId, leafIndex: index }))
  }

  get publicKey(): Uint8Array {
    return this.#made.publicKey
  }

  get message(): Uint8Array {
    return this.#made.message
  }

  get signature(): Uint8Array {
    return this.#made.signature
  }

  get #made(): SignatureToVerify {
    this.#signed ??= this.#leaf()
    return this.#signed
  }
}

const LEAVES_BETWEEN_PROGRESS = 256

/**
 * RFC 9420 §7.3: what a leaf node must have in common with the other members, and what not. The leaf is in `tree`.
 *
 * @throws RuleError
 */
export function validateLeafAmongMembers(tree: RatchetTree, leaf: LeafNode): void {
  requireKeysOnce(tree, leaf)
  requireCredentialsSupported(tree, leaf)
}

function requireKeysOnce({ signatureKeys, encryptionKeys }: RatchetTree, leaf: LeafNode): void {
  rule(signatureKeys.count(leaf.signatureKey) === 1, "leaf-signature-key-unique")
  rule(encryptionKeys.count(leaf.encryptionKey) === 1, "leaf-encryption-key-unique")
}

function requireCredentialsSupported({ census }: RatchetTree, leaf: LeafNode): void {
  rule(census.allSupport("credentials", credentialTypeNumber(leaf.credential)), "leaf-credential-supported")
  for (const type of census.credentialsInUse) {
    rule(leaf.capabilities.credentials.includes(type), "leaf-supports-credentials", `credential type ${type}`)
  }
}

function* validateParents(tree: RatchetTree): Sliced<void> {
  // RFC 9420 §7.5: the root, be it the only leaf, has nothing above it.
  rule((parentHashOf(tree, tree.root)?.length ?? 0) === 0, "tree-root-parent-hash")
  const parents = new Map(tree.parents())
  const unmergedAt = unmergedLists(parents)
  const linked = tree.linkedParents()
  const areKeysDistinct = tree.encryptionKeys.areDistinct
  let checked = 0
  for (const [index, parent] of parents) {
    if (linked === undefined || checked++ % PARENTS_IN_SLICE === 0) yield
    const { first, last } = math.leavesBelow(index)
    let previous = -1
    for (const leaf of parent.unmergedLeaves) {
      rule(leaf > previous, "tree-unmerged-sorted")
      previous = leaf
      rule(leaf >= first && leaf <= last && !tree.isBlank(math.toNode(leaf)), "tree-unmerged-below")
    }
    requireUnmergedThroughout(parent.unmergedLeaves, index, unmergedAt)
    rule(tree.suite.hpke.isPublicKey(parent.encryptionKey), "key-encryption-valid")
    rule(areKeysDistinct || tree.encryptionKeys.count(parent.encryptionKey) === 1, "tree-parent-key-unique")
    rule(linked?.[index] === 1 || isParentHashValid(tree, index, parent), "tree-parent-hash", `node ${index}`)
  }
}

const PARENTS_IN_SLICE = 16

type UnmergedLists = ReadonlyMap<NodeIndex, ReadonlySet<LeafIndex>>

function unmergedLists(parents: ReadonlyMap<NodeIndex, ParentNode>): UnmergedLists {
  const lists = new Map<NodeIndex, ReadonlySet<LeafIndex>>()
  for (const [index, { unmergedLeaves }] of parents) {
    lists.set(index, unmergedLeaves.length === 0 ? nobody : new Set(unmergedLeaves))
  }
  return lists
}

const nobody: ReadonlySet<LeafIndex> = new Set()

/**
 * RFC 9420 §12.4.3.1: the parent node next below that is not blank, on the way to an unmerged leaf, lists the leaf too.
 * That one is held to the same, so that all between do.
 */
function requireUnmergedThroughout(unmerged: readonly LeafIndex[], top: NodeIndex, unmergedAt: UnmergedLists): void {
  for (const leaf of unmerged) {
    const node = math.toNode(leaf)
    let at = top
    do {
      at = node < at ? math.left(at) : math.right(at)
    } while (at !== node && !unmergedAt.has(at))
    rule(at === node || unmergedAt.get(at)!.has(leaf), "tree-unmerged-throughout")
  }
}
