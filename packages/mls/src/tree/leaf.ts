import { decode, encode, varintSize } from "@conclave/codec"
import { concat, type SigningKey } from "@conclave/crypto"
import { rule } from "../errors.js"
import { signWritten, verifyWritten } from "../suite/labels.js"
import type { CipherSuite } from "../suite/suite.js"
import {
  type Capabilities,
  type Credential,
  type Extension,
  LeafNode,
  LeafPosition,
  ProposalType,
  RequiredCapabilities,
  UnsignedLeafNode,
} from "../wire.js"
import { capabilityKinds, countsAlike, credentialTypeNumber } from "./census.js"
import { keyName } from "./key-index.js"
import { isVerifiedOnce } from "./verified.js"

/** RFC 9420 §17.3. */
export const extensionTypes = {
  applicationId: 1,
  ratchetTree: 2,
  requiredCapabilities: 3,
  externalPub: 4,
  externalSenders: 5,
} as const

/** RFC 9420 §7.2: what everybody supports and nobody lists. */
export const isDefaultExtension = (type: number): boolean => type >= 1 && type <= 5
export const isDefaultProposal = (type: number): boolean => type >= 1 && type <= 7
/** RFC 9420 §7.2: types of `wire.ts` that others may lack. Every leaf node of ours lists them. */
export const listedProposals: readonly number[] = Object.values(ProposalType.values).filter(
  (type) => !isDefaultProposal(type),
)

/** RFC 9420 §7.2: signs what an UnsignedLeafNode says, for a place in a group unless it goes into a key package. */
export function signLeafNode(
  unsigned: UnsignedLeafNode,
  key: SigningKey,
  position: LeafPosition | undefined,
): LeafNode {
  const signature = signWritten(key, LEAF_LABEL, (writer) => {
    UnsignedLeafNode.write(writer, unsigned)
    if (position !== undefined) LeafPosition.write(writer, position)
  })
  return withSignature(unsigned, signature)
}

/** Field by field: a copy with `...` takes several times as long. */
export function withSignature(unsigned: UnsignedLeafNode, signature: Uint8Array): LeafNode {
  const { encryptionKey, signatureKey, credential, capabilities, leafNodeSource, extensions } = unsigned
  return { encryptionKey, signatureKey, credential, capabilities, leafNodeSource, extensions, signature }
}

/** RFC 9420 §7.2. */
export const LEAF_LABEL = "LeafNodeTBS"

/** RFC 9420 §7.3: whether the leaf is signed by its own key. */
export function isLeafSignatureValid(suite: CipherSuite, leaf: LeafNode, position: LeafPosition): boolean {
  const { signatureKey: publicKey, signature } = leaf
  return verifyWritten(suite, { publicKey, label: LEAF_LABEL, signature }, (writer) => {
    writer.bytes(withoutSignature(LeafNode.bytesOf(leaf), signature))
    if (hasPlace(leaf)) LeafPosition.write(writer, position)
  })
}

/** RFC 9420 §7.2: LeafNodeTBS ends with the leaf's place if the leaf was made for a group. */
export const hasPlace = ({ leafNodeSource }: LeafNode): boolean => leafNodeSource.type !== "keyPackage"

/**
 * Like {@link isLeafSignatureValid}, for a leaf node that a proposal brings: it is asked about when the proposal comes,
 * and again whenever somebody tries to commit it.
 */
export function isProposedLeafSignatureValid(suite: CipherSuite, leaf: LeafNode, position: LeafPosition): boolean {
  return isVerifiedOnce(leaf, leafPurpose(suite, leaf, position), () => isLeafSignatureValid(suite, leaf, position))
}

/** The leaf of a key package is signed without a place. */
export function leafPurpose(suite: CipherSuite, { leafNodeSource }: LeafNode, position: LeafPosition): string {
  const place = leafNodeSource.type === "keyPackage" ? "" : `${position.leafIndex} ${keyName(position.groupId)}`
  return `${suite.number} ${place}`
}

/** What {@link isLeafSignatureValid} verifies, for those who verify many at a time. */
export function leafSignature(leaf: LeafNode, position: LeafPosition) {
  const unsigned = withoutSignature(LeafNode.bytesOf(leaf), leaf.signature)
  const content = hasPlace(leaf) ? concat(unsigned, encode(LeafPosition, position)) : unsigned
  return { publicKey: leaf.signatureKey, label: LEAF_LABEL, content, signature: leaf.signature }
}

/** The bytes in front of a `signature<V>` that ends a struct: what is signed, for most structs of RFC 9420. */
export function withoutSignature(encoded: Uint8Array, signature: Uint8Array): Uint8Array {
  return encoded.subarray(0, encoded.length - varintSize(signature.length) - signature.length)
}

/** What a leaf node is held against: RFC 9420 §7.3. */
export interface LeafRequirements {
  readonly suite: CipherSuite
  readonly extensions: readonly Extension[]
  readonly required: RequiredCapabilities | undefined
  /** Longest lifetime that is accepted, in seconds. */
  readonly lifetimeSecondsMax: bigint
  /** Whether types that everybody supports may be listed: RFC 9420 §7.2 forbids it. */
  readonly listedDefaultsAllowed?: boolean
  /** Whether the group's cipher suite may be missing from the capabilities. */
  readonly unlistedSuiteAllowed?: boolean
  /** Unix seconds, or `undefined` where an expired leaf node must not be refused: one that is in the tree already. */
  readonly now: bigint | undefined
}

/**
 * RFC 9420 §7.3 without the signature and without what concerns other members. That the signature key is well-formed
 * shows when the signature is verified with it.
 *
 * `like`: a leaf that was found valid by the same requirements and is {@link isAlike}. What holds for its lists is not asked again.
 *
 * @throws RuleError
 */
export function validateLeafNode(leaf: LeafNode, requirements: LeafRequirements, like?: LeafNode): void {
  const { suite, now } = requirements
  const { leafNodeSource: source } = leaf
  if (like === undefined || !isAlike(leaf, like)) validateLists(leaf, requirements)
  rule(!isEmptyChain(leaf.credential), "credential-chain")
  rule(suite.hpke.isPublicKey(leaf.encryptionKey), "key-encryption-valid")
  if (source.type !== "keyPackage") return
  const { notBefore, notAfter } = source.lifetime
  rule(notAfter >= notBefore && notAfter - notBefore <= requirements.lifetimeSecondsMax, "leaf-lifetime-length")
  rule(now === undefined || (notBefore <= now && now <= notAfter), "leaf-lifetime-current")
}

/** Whether nothing has to be asked of the lists of one that is known of those of the other. Of most leaves that are, it says so. */
export const isAlike = (a: LeafNode, b: LeafNode): boolean =>
  countsAlike(a, b) && a.extensions.length === 0 && b.extensions.length === 0

/** What depends on nothing but a leaf's lists and the type of its credential. */
function validateLists(leaf: LeafNode, requirements: LeafRequirements): void {
  const { suite, extensions, required } = requirements
  const { capabilities } = leaf
  // First, for what follows looks at each entry of one list in another.
  rule(
    capabilityKinds.every((kind) => capabilities[kind].length <= LIST_LENGTH_MAX),
    "leaf-capabilities-length",
  )
  validateExtensionList(leaf.extensions, "leafNode")
  const listsSuite = requirements.unlistedSuiteAllowed || capabilities.cipherSuites.includes(suite.number)
  rule(capabilities.versions.includes(1) && listsSuite, "leaf-version-supported")
  rule(requirements.listedDefaultsAllowed || !listsDefaults(capabilities), "leaf-capabilities-default")
  rule(required === undefined || hasRequiredCapabilities(capabilities, required), "leaf-required-capabilities")
  for (const { extensionType } of extensions) {
    rule(supportsExtension(capabilities, extensionType), "leaf-group-extensions", `extension type ${extensionType}`)
  }
  for (const { extensionType } of leaf.extensions) {
    rule(supportsExtension(capabilities, extensionType), "leaf-extensions-listed", `extension type ${extensionType}`)
  }
  rule(capabilities.credentials.includes(credentialTypeNumber(leaf.credential)), "leaf-credential-listed")
}

/**
 * Most entries of a list that somebody else may make as long as a message allows, and that all members keep and look
 * through again and again: see docs/decisions/009-bounds.md.
 */
export const LIST_LENGTH_MAX = 256

/** RFC 9420 §5.3: the certificates of an X.509 credential begin with that of the signature key. */
const isEmptyChain = (credential: Credential): boolean =>
  credential.type === "x509" && credential.certificates.length === 0

const listsDefaults = ({ extensions, proposals }: Capabilities): boolean =>
  extensions.some(isDefaultExtension) || proposals.some(isDefaultProposal)

export function supportsExtension(capabilities: Capabilities, type: number): boolean {
  return isDefaultExtension(type) || capabilities.extensions.includes(type)
}

export function hasRequiredCapabilities(capabilities: Capabilities, required: RequiredCapabilities): boolean {
  return (
    required.extensionTypes.every((type) => supportsExtension(capabilities, type)) &&
    required.proposalTypes.every((type) => isDefaultProposal(type) || capabilities.proposals.includes(type)) &&
    required.credentialTypes.every((type) => capabilities.credentials.includes(type))
  )
}

/** RFC 9420 §11.1. @throws RuleError where the extension is malformed. */
export function requiredCapabilities(extensions: readonly Extension[]): RequiredCapabilities | undefined {
  const data = extensionData(extensions, extensionTypes.requiredCapabilities)
  if (data === undefined) return undefined
  const required = decodeExtension(() => decode(RequiredCapabilities, data))
  const { extensionTypes: extensionList, proposalTypes, credentialTypes } = required
  const lengths = [extensionList, proposalTypes, credentialTypes].map((list) => list.length)
  rule(Math.max(...lengths) <= LIST_LENGTH_MAX, "required-capabilities-length")
  return required
}

export function extensionData(extensions: readonly Extension[], type: number): Uint8Array | undefined {
  return extensions.find((extension) => extension.extensionType === type)?.extensionData
}

/** What holds a list of extensions. */
export type ExtensionPlace = "keyPackage" | "leafNode" | "groupContext" | "groupInfo"

/** RFC 9420 §17.3. */
const places: readonly (ExtensionPlace | undefined)[] = [
  undefined,
  "leafNode",
  "groupInfo",
  "groupContext",
  "groupInfo",
  "groupContext",
]

/** RFC 9420 §13.4, §17.3. Unknown extensions may stand anywhere. @throws RuleError */
export function validateExtensionList(extensions: readonly Extension[], place: ExtensionPlace): void {
  rule(extensions.length <= LIST_LENGTH_MAX, "extensions-length")
  // What is in the GroupContext is hashed and signed with every message.
  const size = place === "groupContext" ? extensions.reduce((sum, it) => sum + it.extensionData.length, 0) : 0
  rule(size <= GROUP_EXTENSIONS_SIZE_MAX, "extensions-size", `${size} bytes`)
  rule(new Set(extensions.map((it) => it.extensionType)).size === extensions.length, "extensions-distinct")
  for (const { extensionType } of extensions) {
    rule((places[extensionType] ?? place) === place, "extension-place", `extension type ${extensionType}`)
  }
}

/** Bytes of the GroupContext's extensions, all together. */
export const GROUP_EXTENSIONS_SIZE_MAX = 0x2_0000

export function decodeExtension<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    rule(false, "extension-content", (error as Error).message)
  }
}
