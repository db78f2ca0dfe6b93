/// <reference lib="esnext.disposable" preserve="true" />
import { decode, encode, opaque, type Registries, struct, uint8 } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import { DecodeError, rule } from "../errors.js"
import { leafIndex } from "../indexes.js"
import { refHash, signWithLabel, verifyWithLabel } from "../suite/labels.js"
import { type CipherSuite, providedSuites, type Random } from "../suite/suite.js"
import { areValidTogether, beginTogether, SIGNATURES_TOGETHER } from "../suite/together.js"
import { credentialTypeNumber } from "../tree/census.js"
import {
  leafPurpose,
  leafSignature,
  listedProposals,
  signLeafNode,
  supportsExtension,
  validateExtensionList,
  validateLeafNode,
  withoutSignature,
} from "../tree/leaf.js"
import { forgetValid, isKnownValid, isVerifiedOnce, rememberValid } from "../tree/verified.js"
import {
  type Capabilities,
  type Extension,
  KeyPackage,
  KeyPackageTBS,
  type LeafNode,
  type Lifetime,
  MLSMessage,
} from "../wire.js"
import type { Signer } from "./types.js"

/** A key package and the private keys behind it: they open one Welcome, or more for one of last resort. */
export interface KeyPackageBundle {
  /** MLSMessage with the KeyPackage: this is what is published. */
  readonly keyPackage: Uint8Array
  /** KeyPackageRef (RFC 9420 §5.2), `suite.secretSize` bytes. */
  readonly ref: Uint8Array
  readonly initPrivateKey: Uint8Array
  readonly encryptionPrivateKey: Uint8Array
  readonly lastResort: boolean
}

export interface KeyPackageOptions {
  readonly suite: CipherSuite
  readonly signer: Signer
  /** Unix seconds. */
  readonly lifetime: Lifetime
  /** May be handed out more than once, when no other is left (RFC 9420 §16.8). */
  readonly lastResort?: boolean
  readonly capabilities?: Partial<Capabilities>
  readonly extensions?: readonly Extension[]
  readonly leafExtensions?: readonly Extension[]
  readonly random?: Random
  /** Whether random values nobody knows are advertised (RFC 9420 §13.5). */
  readonly grease?: boolean
}

/** RFC 9420 §10. @throws RuleError for capabilities, extensions and a lifetime that do not fit together */
export function createKeyPackage(options: KeyPackageOptions): KeyPackageBundle {
  const { suite, signer, lifetime } = options
  const random = options.random ?? suite.provider.random
  const init = freshKeyPair(suite, random)
  const encryption = freshKeyPair(suite, random)
  const grease = options.grease === false ? undefined : random
  const leafNode = signLeafNode(
    {
      encryptionKey: encryption.publicKey,
      signatureKey: signer.key.publicKey,
      credential: signer.credential,
      capabilities: ownCapabilities(suite, signer, options.capabilities, grease),
      leafNodeSource: { type: "keyPackage", lifetime },
      extensions: options.leafExtensions ?? [],
    },
    signer.key,
    undefined,
  )
  const extensions = options.extensions ?? []
  requireOwnKeyPackage(suite, leafNode, extensions)
  const unsigned = {
    version: "mls10" as const,
    cipherSuite: suite.number,
    initKey: init.publicKey,
    leafNode,
    extensions,
  }
  const keyPackage = {
    ...unsigned,
    signature: signWithLabel(signer.key, "KeyPackageTBS", encode(KeyPackageTBS, unsigned)),
  }
  return {
    keyPackage: encode(MLSMessage, { version: "mls10", wireFormat: { type: "mlsKeyPackage", keyPackage } }),
    ref: keyPackageRef(suite, keyPackage),
    initPrivateKey: init.privateKey,
    encryptionPrivateKey: encryption.privateKey,
    lastResort: options.lastResort ?? false,
  }
}

/** What nobody would accept is not published, whatever group it may be for. */
function requireOwnKeyPackage(suite: CipherSuite, leafNode: LeafNode, extensions: readonly Extension[]): void {
  const anyGroup = { suite, extensions: [], required: undefined, lifetimeSecondsMax: 2n ** 64n, now: undefined }
  validateLeafNode(leafNode, anyGroup)
  validateExtensionList(extensions, "keyPackage")
  for (const { extensionType } of extensions) {
    // RFC 9420 §10; others' are not held to it, for unknown extensions are to be ignored.
    rule(supportsExtension(leafNode.capabilities, extensionType), "key-package-extensions-listed")
  }
}

/** The KeyPackage in an MLSMessage. @throws DecodeError */
export function decodeKeyPackage(message: Uint8Array, registries?: Registries): KeyPackage {
  const { wireFormat } = decode(MLSMessage, message, { registries })
  if (wireFormat.type !== "mlsKeyPackage") throw new DecodeError(`expected a key package, not ${wireFormat.type}`, 2)
  return wireFormat.keyPackage
}

export function keyPackageRef(suite: CipherSuite, keyPackage: KeyPackage): Uint8Array {
  return refHash(suite, "MLS 1.0 KeyPackage Reference", KeyPackage.bytesOf(keyPackage))
}

/**
 * RFC 9420 §10.1 without the leaf node.
 *
 * @throws RuleError
 */
export function validateKeyPackage(suite: CipherSuite, keyPackage: KeyPackage): void {
  const { leafNode, initKey } = keyPackage
  rule(keyPackage.cipherSuite === suite.number, "key-package-suite")
  rule(suite.hpke.isPublicKey(initKey), "key-encryption-valid")
  rule(!equalBytes(initKey, leafNode.encryptionKey), "key-package-init-key")
  rule(leafNode.leafNodeSource.type === "keyPackage", "leaf-source-key-package")
  validateExtensionList(keyPackage.extensions, "keyPackage")
  const isSigned = isVerifiedOnce(keyPackage, `${suite.number}`, () => verifyKeyPackageSignature(suite, keyPackage))
  rule(isSigned, "key-package-signature")
}

/** RFC 9420 §10: whether the key package is signed by the key of its leaf. */
export function verifyKeyPackageSignature(suite: CipherSuite, keyPackage: KeyPackage): boolean {
  return verifyWithLabel(suite, keyPackageSignature(keyPackage))
}

function keyPackageSignature(keyPackage: KeyPackage) {
  const { leafNode, signature } = keyPackage
  const content = withoutSignature(KeyPackage.bytesOf(keyPackage), signature)
  return { publicKey: leafNode.signatureKey, label: "KeyPackageTBS", content, signature }
}

/**
 * Verifies the two signatures of each of many key packages together, where that is faster. Valid ones are remembered; of
 * others nothing is said until they are validated.
 */
export function verifyTogether(suite: CipherSuite, keyPackages: readonly KeyPackage[]): void {
  const unknown = unknownAmong(suite, keyPackages)
  if (areValidTogether(suite, 2 * unknown.length, () => signaturesOf(unknown))) rememberAll(suite, unknown)
}

/** Key packages that count as valid while other cores verify them. Disposing takes that back, unless they were found so. */
export interface Assumed extends Disposable {
  /** Whether all are valid: nothing may come of them before. Where not, they have to be validated. To be called once. */
  areValid(): boolean
}

/** Begins what {@link verifyTogether} does, where a provider can, of key packages that nobody else refers to. */
export function assumeTogether(suite: CipherSuite, keyPackages: readonly KeyPackage[]): Assumed | undefined {
  const unknown = unknownAmong(suite, keyPackages)
  const verification = beginTogether(suite, 2 * unknown.length, () => signaturesOf(unknown))
  if (verification === undefined) return undefined
  rememberAll(suite, unknown)
  let areValid = false
  const takeBack = () => {
    if (areValid) return
    for (const keyPackage of unknown) {
      forgetValid(keyPackage)
      forgetValid(keyPackage.leafNode)
    }
  }
  return {
    areValid() {
      areValid = verification.finish()
      takeBack()
      return areValid
    },
    [Symbol.dispose]() {
      verification[Symbol.dispose]()
      takeBack()
    },
  }
}

/** A key package's leaf is signed without a place. */
const nowhere = { groupId: new Uint8Array(0), leafIndex: leafIndex(0) }

const unknownAmong = (suite: CipherSuite, keyPackages: readonly KeyPackage[]) =>
  keyPackages.filter((it) => !isKnownValid(it, `${suite.number}`))

const signaturesOf = (keyPackages: readonly KeyPackage[]) =>
  keyPackages.flatMap((it) => [keyPackageSignature(it), leafSignature(it.leafNode, nowhere)])

function rememberAll(suite: CipherSuite, keyPackages: readonly KeyPackage[]): void {
  for (const keyPackage of keyPackages) {
    rememberValid(keyPackage, `${suite.number}`)
    rememberValid(keyPackage.leafNode, leafPurpose(suite, keyPackage.leafNode, nowhere))
  }
}

/** So many are verified without interruption. */
export const KEY_PACKAGES_TOGETHER = SIGNATURES_TOGETHER / 2

export function freshKeyPair(suite: CipherSuite, random: Random) {
  const inputKeyMaterial = random(suite.secretSize)
  const pair = suite.hpke.deriveKeyPair(inputKeyMaterial)
  inputKeyMaterial.fill(0)
  return pair
}

/** What this library and the application support, with random values that nobody does where `grease` is given. */
export function ownCapabilities(
  suite: CipherSuite,
  signer: Signer,
  wanted: Partial<Capabilities> = {},
  grease?: Random,
): Capabilities {
  const drawn = grease?.(4)
  let used = 0
  const greased = (values: readonly number[]) => (drawn === undefined ? values : [...values, greaseOf(drawn[used++]!)])
  return {
    versions: wanted.versions ?? [1],
    // RFC 9420 §7.2: all that the client supports, for groups of other suites, too.
    cipherSuites: greased(wanted.cipherSuites ?? providedSuites(suite.provider)),
    extensions: greased(wanted.extensions ?? []),
    proposals: greased([...new Set([...listedProposals, ...(wanted.proposals ?? [])])]),
    credentials: greased(wanted.credentials ?? [...new Set([1, 2, credentialTypeNumber(signer.credential)])]),
  }
}

/** RFC 9420 §13.5: 0x0A0A, 0x1A1A, … 0xEAEA. */
export function greaseValue(random: Random): number {
  return greaseOf(random(1)[0]!)
}

const greaseOf = (drawn: number): number => 0x0a0a + 0x1010 * (drawn % 15)

const BundleRecord = struct("BundleRecord", {
  keyPackage: opaque,
  ref: opaque,
  initPrivateKey: opaque,
  encryptionPrivateKey: opaque,
  lastResort: uint8,
})

/** For storage: the bytes hold private keys. */
export function encodeKeyPackageBundle(bundle: KeyPackageBundle): Uint8Array {
  return encode(BundleRecord, { ...bundle, lastResort: bundle.lastResort ? 1 : 0 })
}

/** @throws DecodeError */
export function decodeKeyPackageBundle(bytes: Uint8Array): KeyPackageBundle {
  const bundle = decode(BundleRecord, bytes)
  return { ...bundle, lastResort: bundle.lastResort === 1 }
}
