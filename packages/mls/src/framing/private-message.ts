import type { Registries, Writer } from "@conclave/codec"
import { decodeOwned, opaque, varintSize, written } from "@conclave/codec"
import { type SigningKey, sealTo, wipe } from "@conclave/crypto"
import { AuthenticityError } from "../errors.js"
import type { LeafIndex } from "../indexes.js"
import type { MessageKey, RatchetType, SecretTree } from "../schedule/secret-tree.js"
import { KEY_AND_NONCE } from "../suite/derivations.js"
import type { CipherSuite, Random } from "../suite/suite.js"
import {
  type AuthenticatedContent,
  type ContentType,
  type FramedContent,
  type FramedContentAuthData,
  framedContentAuthData,
  PrivateContentAAD,
  type PrivateMessage,
  ProtocolVersion,
  privateMessageContent,
  SenderData,
  SenderDataAAD,
  WireFormat,
} from "../wire.js"
import { type ContentToSign, writeContentToSign } from "./content.js"

/** The keys of the epoch that open and close a PrivateMessage. */
export interface PrivateMessageKeys {
  /** `suite.secretSize` bytes. */
  readonly senderData: Uint8Array
  readonly secretTree: Pick<SecretTree, "next">
}

export const ratchetOf = (contentType: ContentType): RatchetType =>
  contentType === "application" ? "application" : "handshake"

/** How a message is encrypted. */
export interface PrivateProtection {
  readonly keys: PrivateMessageKeys
  /** So many zeros hide the content's length. */
  readonly paddingSize: number
  readonly random: Random
}

/**
 * RFC 9420 §6.3: an MLSMessage with a member's content, encrypted with the next key of its ratchet, which is spent by it.
 */
export function protectPrivate(
  suite: CipherSuite,
  content: FramedContent,
  auth: FramedContentAuthData,
  options: PrivateProtection,
): Uint8Array {
  return written((writer) => {
    privateMessageContent(content.contentType.type).write(writer, { body: content.contentType, auth })
    return sealContent(suite, content, { writer, plaintextAt: 0 }, options)
  })
}

/**
 * {@link protectPrivate}, of application data that is still to be signed. It is written down once: what is signed and what is
 * encrypted begin alike, and the signature takes the place of the context.
 */
export function signAndProtect(
  suite: CipherSuite,
  { content, context }: Omit<ContentToSign, "wireFormat">,
  key: SigningKey,
  options: PrivateProtection,
): Uint8Array {
  const body = content.contentType
  if (body.type !== "application") throw new TypeError("not application data")
  const { length } = body.applicationData
  return written((writer) => {
    writeContentToSign(writer, { wireFormat: "mlsPrivateMessage", content, context })
    const signature = key.sign(writer.view())
    writer.truncate(writer.length - context.length)
    const plaintextAt = writer.length - length - varintSize(length)
    framedContentAuthData(body.type).write(writer, { signature })
    return sealContent(suite, content, { writer, plaintextAt }, options)
  })
}

/** Encrypts what stands in `writer` from `plaintextAt` on: a PrivateMessageContent without its padding. */
function sealContent(
  suite: CipherSuite,
  { sender, contentType, groupId, epoch, authenticatedData }: FramedContent,
  { writer, plaintextAt }: { readonly writer: Writer; readonly plaintextAt: number },
  { keys, paddingSize, random }: PrivateProtection,
): Uint8Array {
  const { aead } = suite
  // RFC 9420 §6.3.2: the sender data has room for members only.
  if (sender.type !== "member") throw new TypeError("only a member sends PrivateMessages")
  const { leafIndex } = sender
  const { type } = contentType
  writer.zeros(paddingSize)

  // What is authenticated with the content is the beginning of the PrivateMessage, and what is authenticated with the
  // sender data the beginning of that (§6.3.1, §6.3.2).
  const messageAt = writer.length
  ProtocolVersion.write(writer, "mls10")
  WireFormat.write(writer, "mlsPrivateMessage")
  const head = writer.length - messageAt
  SenderDataAAD.write(writer, { groupId, epoch, contentType: type })
  const senderDataAADEnd = writer.length - messageAt
  opaque.write(writer, authenticatedData)
  const contentAADEnd = writer.length - messageAt
  writer.varint(SENDER_DATA_SIZE + aead.tagSize)
  const senderDataAt = writer.length - messageAt
  writer.zeros(SENDER_DATA_SIZE + aead.tagSize)
  const ciphertextSize = messageAt - plaintextAt + aead.tagSize
  writer.varint(ciphertextSize)
  const size = writer.length - messageAt
  const message = new Uint8Array(size + ciphertextSize)
  message.set(writer.view(messageAt))

  const { key, nonce, generation } = keys.secretTree.next(leafIndex, ratchetOf(type))
  const reuseGuard = random(4)
  guardNonce(nonce, reuseGuard)
  const ciphertext = message.subarray(size)
  sealTo(aead, { key, nonce }, writer.view(plaintextAt, messageAt), message.subarray(head, contentAADEnd), ciphertext)
  const about = senderDataKey(suite, keys.senderData, ciphertext)
  const senderAt = writer.length
  SenderData.write(writer, { leafIndex, generation, reuseGuard })
  const sealed = aead.seal(about.key, about.nonce, writer.view(senderAt), message.subarray(head, senderDataAADEnd))
  message.set(sealed, senderDataAt)
  wipe(key, nonce, about.key, about.nonce)
  return message
}

/** A leaf index, a generation and a reuse guard. */
const SENDER_DATA_SIZE = 12

/** Who sent a PrivateMessage, and with which key of its ratchet. */
export interface OpenedSenderData {
  readonly leafIndex: LeafIndex
  readonly generation: number
  readonly reuseGuard: Uint8Array
}

/** RFC 9420 §6.3.2. @throws AuthenticityError, DecodeError */
export function openSenderData(suite: CipherSuite, message: PrivateMessage, senderData: Uint8Array): OpenedSenderData {
  const { groupId, epoch, contentType } = message
  const { key, nonce } = senderDataKey(suite, senderData, message.ciphertext)
  const plaintext = written((writer) => {
    SenderDataAAD.write(writer, { groupId, epoch, contentType })
    return suite.aead.open(key, nonce, message.encryptedSenderData, writer.view())
  })
  wipe(key, nonce)
  if (plaintext === undefined) throw new AuthenticityError()
  return decodeOwned(SenderData, plaintext)
}

/**
 * RFC 9420 §6.3.1: the content of a PrivateMessage, whose signature is still to be verified. The message's key is
 * spent if and only if the message was authentic.
 *
 * @throws AuthenticityError, DecodeError, StateError
 */
export function unprotectPrivate(
  suite: CipherSuite,
  message: PrivateMessage,
  sender: OpenedSenderData,
  options: {
    readonly secretTree: SecretTree
    readonly registries?: Registries | undefined
    /** See `SecretTree.peek`. */
    readonly skippedMax?: number | undefined
  },
): { readonly content: AuthenticatedContent; spend(): void } {
  const { groupId, epoch, contentType, authenticatedData } = message
  const { leafIndex, generation } = sender
  const messageKey = options.secretTree.peek(leafIndex, ratchetOf(contentType), generation, options.skippedMax)
  const nonce = messageKey.nonce.slice()
  guardNonce(nonce, sender.reuseGuard)
  const plaintext = written((writer) => {
    PrivateContentAAD.write(writer, { groupId, epoch, contentType, authenticatedData })
    return suite.aead.open(messageKey.key, nonce, message.ciphertext, writer.view())
  })
  if (plaintext === undefined) throw new AuthenticityError()
  // The plaintext is what the application is given: there is no copy of it.
  const opened = decodeOwned(privateMessageContent(contentType), plaintext, options.registries)
  return {
    content: {
      wireFormat: "mlsPrivateMessage",
      content: {
        groupId,
        epoch,
        sender: { type: "member", leafIndex: sender.leafIndex },
        authenticatedData,
        contentType: opened.body,
      },
      auth: opened.auth,
    },
    spend: () => messageKey.spend(),
  }
}

/** RFC 9420 §6.3.1: the reuse guard, 4 bytes, is xored onto the front of the nonce. */
function guardNonce(nonce: Uint8Array, reuseGuard: Uint8Array): void {
  for (let i = 0; i < 4; i++) nonce[i]! ^= reuseGuard[i]!
}

/** RFC 9420 §6.3.2: keyed by a sample of the ciphertext, at most KDF.Nh bytes of it. */
export function senderDataKey(suite: CipherSuite, senderData: Uint8Array, ciphertext: Uint8Array): MessageKey {
  const [key, nonce] = KEY_AND_NONCE.from(suite, senderData, ciphertext.subarray(0, suite.secretSize))
  return { key, nonce }
}
