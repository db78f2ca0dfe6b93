import { encode, opaque, varintSize, type Writer, written } from "@conclave/codec"
import { hkdfExpand, type PreparedInfo, type SigningKey } from "@conclave/crypto"
import { type HPKECiphertext, RefHashInput } from "../wire.js"
import type { CipherSuite, Random } from "./suite.js"

const utf8 = new TextEncoder()

/** RFC 9420 §5.1.2. `label` without the "MLS 1.0 " that goes in front of it. */
export function signWithLabel(key: SigningKey, label: string, content: Uint8Array): Uint8Array {
  return signWritten(key, label, (writer) => writer.bytes(content))
}

/** {@link signWithLabel}, of content that `write` writes: there is no copy of it. */
export function signWritten(key: SigningKey, label: string, write: (writer: Writer) => void): Uint8Array {
  return written((writer) => {
    writeSignedMessage(writer, label, write)
    return key.sign(writer.view())
  })
}

/**
 * RFC 9420 §5.1.2: SignContent, what SignWithLabel gives to the signature scheme. By hand: a writer would grow up to it, and that of a tree
 * is megabytes.
 */
export const signedMessage = (label: string, content: Uint8Array): Uint8Array => twoOpaques(mlsLabel(label), content)

/** RFC 9420 §5.1.2: what stands before the content's length in {@link signedMessage}. */
export const labelPrefix = (label: string): Uint8Array => encode(opaque, mlsLabel(label))

/** {@link signedMessage}, of content that `write` writes. */
export function writeSignedMessage(writer: Writer, label: string, write: (writer: Writer) => void): void {
  opaque.write(writer, mlsLabel(label))
  const content = writer.beginVector()
  write(writer)
  writer.endVector(content)
}

/** Who is said to have signed, under which label. */
interface Signed {
  readonly publicKey: Uint8Array
  readonly label: string
  readonly signature: Uint8Array
}

/** RFC 9420 §5.1.2. `false` for whatever does not verify. */
export function verifyWithLabel(suite: CipherSuite, signed: Signed & { content: Uint8Array }): boolean {
  const { publicKey, label, content, signature } = signed
  if (content.length > SHORT_CONTENT_MAX)
    return suite.signature.verify(publicKey, signedMessage(label, content), signature)
  return verifyWritten(suite, signed, (writer) => writer.bytes(content))
}

const SHORT_CONTENT_MAX = 65536

/** {@link verifyWithLabel}, of content that `write` writes: there is no copy of it. */
export function verifyWritten(
  suite: CipherSuite,
  { publicKey, label, signature }: Signed,
  write: (writer: Writer) => void,
): boolean {
  return written((writer) => {
    writeSignedMessage(writer, label, write)
    return suite.signature.verify(publicKey, writer.view(), signature)
  })
}

/** Who is to read something, and what. */
interface Recipient {
  readonly publicKey: Uint8Array
  readonly plaintext: Uint8Array
}

/**
 * RFC 9420 §5.1.3: EncryptWithLabel to many, who all have the same label and context: a list at a time, in its order. The function
 * that this returns throws `RangeError` for a malformed public key. The ciphertexts may be views of one array.
 */
export function encryptorToMany(
  suite: CipherSuite,
  { label, context }: { label: string; context: Uint8Array },
  random: Random,
): (recipients: readonly Recipient[]) => readonly HPKECiphertext[] {
  const { hpke } = suite
  // Most commits and Welcomes are read by one: what is encrypted to it hashes the context itself.
  let mayBeOnly = context.length <= SHORT_CONTENT_MAX
  let prepared: PreparedInfo | undefined
  const preparedInfo = () => {
    prepared ??= withEncryptContext(label, context, (bytes) => hpke.prepareInfo(bytes))
    return prepared
  }
  return (recipients) => {
    const drawn = recipients.map(({ publicKey, plaintext }) => {
      return { publicKey, plaintext, ephemeral: random(hpke.kem.ephemeralSize) }
    })
    try {
      const only = drawn.length === 1 ? drawn[0] : undefined
      if (only === undefined) return hpke.sealAll(drawn, { info: preparedInfo(), authenticatedData: NOTHING })
      const { publicKey, plaintext, ephemeral } = only
      const seal = (info: Uint8Array | PreparedInfo) =>
        hpke.seal(publicKey, { info, authenticatedData: NOTHING, plaintext, ephemeral })
      if (!mayBeOnly) return [seal(preparedInfo())]
      mayBeOnly = false
      return [withEncryptContext(label, context, seal)]
    } finally {
      for (const { ephemeral } of drawn) ephemeral.fill(0)
    }
  }
}

/** {@link encryptorToMany}, for one at a time. */
export function encryptorWithLabel(
  ...how: Parameters<typeof encryptorToMany>
): (publicKey: Uint8Array, plaintext: Uint8Array) => HPKECiphertext {
  const encrypt = encryptorToMany(...how)
  return (publicKey, plaintext) => encrypt([{ publicKey, plaintext }])[0]!
}

/** RFC 9420 §5.1.3: EncryptContext, which is lent: that of a tree by hand for the same reason. */
function withEncryptContext<T>(label: string, context: Uint8Array, use: (bytes: Uint8Array) => T): T {
  const name = mlsLabel(label)
  if (context.length > SHORT_CONTENT_MAX) return use(twoOpaques(name, context))
  return written((writer) => {
    opaque.write(writer, name)
    opaque.write(writer, context)
    return use(writer.view())
  })
}

/** RFC 9420 §5.1.3. `undefined` for whatever is not authentic. */
export function decryptWithLabel(
  suite: CipherSuite,
  receiver: { privateKey: Uint8Array; publicKey?: Uint8Array; label: string; context: Uint8Array },
  { kemOutput, ciphertext }: HPKECiphertext,
): Uint8Array | undefined {
  const { privateKey, publicKey } = receiver
  return withEncryptContext(receiver.label, receiver.context, (info) =>
    suite.hpke.open(privateKey, { kemOutput, ciphertext, info, authenticatedData: NOTHING, publicKey }),
  )
}

/** RFC 9420 §8: `length` bytes, from a secret of `suite.secretSize` bytes. */
export function expandWithLabel(
  suite: CipherSuite,
  secret: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Uint8Array {
  if (length > suite.secretSize) return hkdfExpand(suite.hash, secret, kdfLabel(label, context, length), length)
  if (context.length > KEPT_CONTEXT_MAX) {
    return firstOf(suite.hash.hmac(secret, labelledHead(label, context.length, length), context, FIRST_BLOCK), length)
  }
  const info = keptInfo(label, length, context.length)
  info.set(context, info.length - context.length - 1)
  return expandOnce(suite, secret, info, length)
}

/**
 * RFC 9420 §9: DeriveTreeSecret for one label and any number of generations, which are a uint32 each: `length` bytes, from
 * a secret of `suite.secretSize` bytes. The label is put together once, and a ratchet is turned a fifth faster by it.
 */
export function treeSecretDeriver(
  suite: CipherSuite,
  label: string,
  length: number,
): (secret: Uint8Array, generation: number) => Uint8Array {
  const info = keptInfo(label, length, 4)
  const at = info.length - 5
  return (secret, generation) => {
    info[at] = generation >>> 24
    info[at + 1] = generation >>> 16
    info[at + 2] = generation >>> 8
    info[at + 3] = generation
    return expandOnce(suite, secret, info, length)
  }
}

/** HKDF-Expand of at most one block (RFC 5869 §2.3). `info` ends with the block's number. */
const expandOnce = ({ hash }: CipherSuite, secret: Uint8Array, info: Uint8Array, length: number): Uint8Array =>
  firstOf(hash.hmac(secret, info), length)

function firstOf(block: Uint8Array, length: number): Uint8Array {
  if (length === block.length) return block
  const expanded = block.slice(0, length)
  block.fill(0)
  return expanded
}

/** RFC 9420 §8: a secret of `suite.secretSize` bytes. */
export function deriveSecret(suite: CipherSuite, secret: Uint8Array, label: string): Uint8Array {
  return expandWithLabel(suite, secret, label, NOTHING, suite.secretSize)
}

/** RFC 9420 §5.2: `label` in full, for example "MLS 1.0 KeyPackage Reference". */
export function refHash(suite: CipherSuite, label: string, value: Uint8Array): Uint8Array {
  return written((writer) => {
    RefHashInput.write(writer, { label: encodedOnce(refLabels, label), value })
    return suite.hash.digest(writer.view())
  })
}

/** RFC 9420 §8: KDFLabel. */
const kdfLabel = (label: string, context: Uint8Array, length: number) => labelledInfo(label, context, length, NOTHING)

/** {@link kdfLabel} with the number of HKDF's first block behind it: what HKDF-Expand hashes for as much as a digest is long. */
export const labelledBlock = (label: string, context: Uint8Array, length: number): Uint8Array =>
  labelledInfo(label, context, length, FIRST_BLOCK)

/** By hand, for it is built often. `after`: what stands behind it. */
function labelledInfo(label: string, context: Uint8Array, length: number, after: Uint8Array): Uint8Array {
  const head = labelledHead(label, context.length, length)
  const encoded = new Uint8Array(head.length + context.length + after.length)
  encoded.set(head)
  encoded.set(context, head.length)
  encoded.set(after, head.length + context.length)
  return encoded
}

/** What stands before a context of that size. */
function labelledHead(label: string, contextSize: number, length: number): Uint8Array {
  const name = mlsLabel(label)
  const nameSize = varintSize(name.length)
  const lengthSize = varintSize(contextSize)
  const head = new Uint8Array(2 + nameSize + name.length + lengthSize)
  head[0] = length >> 8
  head[1] = length & 0xff
  putVarint(head, putOpaque(head, 2, name, nameSize), contextSize, lengthSize)
  return head
}

const NOTHING = new Uint8Array(0)
/** RFC 5869 §2.3: the number of HKDF's first block, behind the info. */
const FIRST_BLOCK = Uint8Array.of(1)

/**
 * KDFLabel with room for a context of that size, and the number of HKDF's first block behind it. It is kept: five are needed
 * for every message, and nothing but the context changes. Contexts are no secrets.
 */
function keptInfo(label: string, length: number, contextSize: number): Uint8Array {
  const sizes = length * (KEPT_CONTEXT_MAX + 1) + contextSize
  const known = keptInfos.get(label)?.get(sizes)
  if (known !== undefined) return known
  const info = labelledInfo(label, new Uint8Array(contextSize), length, FIRST_BLOCK)
  // Labels are few and fixed, except for an application's own ones of the exporter; those are not kept.
  if (keptInfos.size < KEPT_LABELS_MAX || keptInfos.has(label)) {
    const ofLabel = keptInfos.get(label) ?? new Map<number, Uint8Array>()
    if (ofLabel.size < KEPT_LABELS_MAX) ofLabel.set(sizes, info)
    keptInfos.set(label, ofLabel)
  }
  return info
}

const keptInfos = new Map<string, Map<number, Uint8Array>>()
const KEPT_LABELS_MAX = 64
/** A hash of 64 bytes fits. */
export const KEPT_CONTEXT_MAX = 64

function putOpaque(target: Uint8Array, at: number, bytes: Uint8Array, lengthSize: number): number {
  putVarint(target, at, bytes.length, lengthSize)
  target.set(bytes, at + lengthSize)
  return at + lengthSize + bytes.length
}

function putVarint(target: Uint8Array, at: number, length: number, size: number): void {
  if (size === 1) target[at] = length
  else if (size === 2) {
    target[at] = (length >> 8) | 0x40
    target[at + 1] = length
  } else new DataView(target.buffer).setUint32(at, (length | 0x8000_0000) >>> 0)
}

/** Two `opaque<V>`, one behind the other. */
function twoOpaques(first: Uint8Array, second: Uint8Array): Uint8Array {
  const [firstSize, secondSize] = [varintSize(first.length), varintSize(second.length)]
  const encoded = new Uint8Array(firstSize + first.length + secondSize + second.length)
  putOpaque(encoded, putOpaque(encoded, 0, first, firstSize), second, secondSize)
  return encoded
}

const labels = new Map<string, Uint8Array>()

function mlsLabel(label: string): Uint8Array {
  return encodedOnce(labels, label, "MLS 1.0 ")
}

const refLabels = new Map<string, Uint8Array>()

function encodedOnce(known: Map<string, Uint8Array>, label: string, prefix = ""): Uint8Array {
  let encoded = known.get(label)
  if (encoded === undefined) {
    encoded = utf8.encode(prefix + label)
    if (known.size < KEPT_LABELS_MAX) known.set(label, encoded)
  }
  return encoded
}
