import { decode } from "@conclave/codec"
import type { CryptoProvider } from "@conclave/crypto"
import { DecodeError, keepsRules, RuleError } from "../errors.js"
import { verifyGroupInfo } from "../group/group-info.js"
import { keyPackageRef, verifyKeyPackageSignature } from "../group/key-package.js"
import { type LeafIndex, leafIndex } from "../indexes.js"
import { type CipherSuite, cipherSuite, providedSuites } from "../suite/suite.js"
import { extensionData, extensionTypes, isLeafSignatureValid, requiredCapabilities } from "../tree/leaf.js"
import { RatchetTree } from "../tree/ratchet-tree.js"
import { validateTree } from "../tree/validation.js"
import { type GroupInfo, type KeyPackage, type LeafNode, type Node, RatchetTreeNodes } from "../wire.js"

/** Where a leaf node is, as far as that is known: what a signature of an update or a commit covers (RFC 9420 §7.2). */
export interface Place {
  readonly groupId: Uint8Array | undefined
  readonly leafIndex: number
}

export function keyPackageFacts(keyPackage: KeyPackage, provider: CryptoProvider): string[] {
  const suite = suiteNumbered(keyPackage.cipherSuite, provider)
  if (suite === undefined) return [unsupported(keyPackage.cipherSuite)]
  return [
    `KeyPackageRef (${suite.hashName}): ${hex(keyPackageRef(suite, keyPackage))}`,
    `signature: ${validity(verifyKeyPackageSignature(suite, keyPackage))}`,
  ]
}

export function leafFacts(
  leaf: LeafNode,
  { place, provider, now }: { place: Place | undefined; provider: CryptoProvider; now: bigint },
): string[] {
  const { leafNodeSource: source } = leaf
  const name = place === undefined ? "leaf signature" : `leaf ${place.leafIndex}, signature`
  const suite = suiteOfKeySize(leaf.encryptionKey.length, provider)
  const facts: string[] = []
  if (suite === undefined) facts.push(`${name} not checked: no cipher suite here has keys of such a size`)
  else if (source.type === "keyPackage") {
    facts.push(`${name}: ${validity(isLeafSignatureValid(suite, leaf, { groupId: none, leafIndex: leafIndex(0) }))}`)
  } else if (place?.groupId === undefined) {
    const missing = place === undefined ? "the group_id and the leaf_index, which are" : "the group_id, which is"
    facts.push(`${name} not checked: it covers ${missing} not here`)
  } else {
    const position = { groupId: place.groupId, leafIndex: leafIndex(place.leafIndex) }
    facts.push(`${name}: ${validity(isLeafSignatureValid(suite, leaf, position))}`)
  }
  if (source.type === "keyPackage") facts.push(lifetimeFact(source.lifetime, now))
  return facts
}

export function groupInfoFacts(groupInfo: GroupInfo, provider: CryptoProvider): string[] {
  const { groupContext, extensions } = groupInfo
  const suite = suiteNumbered(groupContext.cipherSuite, provider)
  if (suite === undefined) return [unsupported(groupContext.cipherSuite)]
  const data = extensionData(extensions, extensionTypes.ratchetTree)
  if (data === undefined) return ["signature not checked: the signer's key is in the ratchet tree, which is not here"]
  return treeFault(() => {
    const tree = RatchetTree.decode(suite, data)
    return [
      `signature of leaf ${groupInfo.signer}, and tree_hash: ${outcome(() => verifyGroupInfo(groupInfo, tree))}`,
      `tree (RFC 9420 section 12.4.3.1): ${outcome(() => validateWhole(tree, groupInfo))}`,
    ]
  })
}

/** Facts of a tree alone; `read` throws where its shape is not that of a tree. */
export function treeFacts(read: () => RatchetTree | undefined): string[] {
  return treeFault(() => {
    const tree = read()
    if (tree === undefined) return ["tree hash not computed: no cipher suite here has keys of such a size"]
    return [
      `leaves: ${tree.leafCount}, of which members: ${tree.census.members}`,
      `tree hash (${tree.suite.hashName}): ${hex(tree.treeHash())}`,
    ]
  })
}

/** `undefined` where the provider has no suite for the tree. @throws DecodeError, RuleError */
export function readTree(
  bytes: Uint8Array,
  suiteNumber: number | undefined,
  provider: CryptoProvider,
): RatchetTree | undefined {
  const nodes = decode(RatchetTreeNodes, bytes)
  const first = nodes.find((node) => node !== undefined)
  const key =
    first === undefined ? none : first.type === "leaf" ? first.leafNode.encryptionKey : first.parentNode.encryptionKey
  const suite = suiteNumber === undefined ? suiteOfKeySize(key.length, provider) : suiteNumbered(suiteNumber, provider)
  return suite === undefined ? undefined : RatchetTree.decode(suite, bytes)
}

/** The leaf nodes of a `ratchet_tree`, which alternate with parents (RFC 9420 Appendix C). */
export function* leavesOf(nodes: readonly (Node | undefined)[]): Generator<readonly [LeafIndex, LeafNode]> {
  for (let i = 0; i < nodes.length; i += 2) {
    const node = nodes[i]
    if (node?.type === "leaf") yield [leafIndex(i / 2), node.leafNode]
  }
}

function validateWhole(tree: RatchetTree, { groupContext: { groupId, extensions } }: GroupInfo): void {
  const required = requiredCapabilities(extensions)
  const limits = { lifetimeSecondsMax: 2n ** 64n, now: undefined }
  validateTree(tree, { groupId, requirements: { suite: tree.suite, extensions, required, ...limits } })
}

function outcome(check: () => void): string {
  let fault = ""
  const isValid = keepsRules(() => {
    try {
      check()
    } catch (error) {
      if (error instanceof RuleError) fault = error.message
      throw error
    }
  })
  return isValid ? "valid" : `INVALID: ${fault}`
}

function treeFault(facts: () => string[]): string[] {
  try {
    return facts()
  } catch (error) {
    if (error instanceof RuleError || error instanceof DecodeError) return [`tree: INVALID: ${error.message}`]
    throw error
  }
}

/** The sizes of public keys differ between the groups of the suites; suites with one group share hash and signature. */
function suiteOfKeySize(size: number, provider: CryptoProvider): CipherSuite | undefined {
  return suitesOf(provider).find((suite) => suite.hpke.kem.publicKeySize === size)
}

function suiteNumbered(number: number, provider: CryptoProvider): CipherSuite | undefined {
  return suitesOf(provider).find((suite) => suite.number === number)
}

function suitesOf(provider: CryptoProvider): readonly CipherSuite[] {
  let suites = made.get(provider)
  if (suites === undefined) {
    suites = providedSuites(provider).map((number) => cipherSuite(number, provider))
    made.set(provider, suites)
  }
  return suites
}

const made = new WeakMap<CryptoProvider, readonly CipherSuite[]>()

function lifetimeFact({ notBefore, notAfter }: { notBefore: bigint; notAfter: bigint }, now: bigint): string {
  if (notAfter < notBefore) return "lifetime: ends before it begins"
  if (now < notBefore) return `not valid before ${instant(notBefore)}`
  return now > notAfter ? `expired ${instant(notAfter)}` : `expires ${instant(notAfter)}`
}

/** Milliseconds that a `Date` can hold. */
const DATE_MAX = 8_640_000_000_000_000n

function instant(seconds: bigint): string {
  if (seconds * 1000n > DATE_MAX) return `in the far future (${seconds})`
  return new Date(Number(seconds) * 1000).toISOString().replace(".000Z", "Z")
}

const none = new Uint8Array(0)
const validity = (valid: boolean): string => (valid ? "valid" : "INVALID")
const unsupported = (suite: number): string => `nothing computed: cipher suite ${suite} is not supported here`
const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
