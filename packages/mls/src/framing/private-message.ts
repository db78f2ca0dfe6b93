import type { Registries } from "@conclave/codec"
import { decode, encode } from "@conclave/codec"
import { wipe } from "@conclave/crypto"
import { AuthenticityError } from "../errors.js"
import type { LeafIndex } from "../indexes.js"
import type { MessageKey, RatchetType, SecretTree } from "../schedule/secret-tree.js"
import { expandWithLabel } from "../suite/labels.js"
import type { CipherSuite, Random } from "../suite/suite.js"
import {
  type AuthenticatedContent,
  type ContentType,
  type FramedContent,
  type FramedContentAuthData,
  PrivateContentAAD,
  type PrivateMessage,
  privateMessageContent,
  SenderData,
  SenderDataAAD,
} from "../wire.js"

/** The keys of the epoch that open and close a PrivateMessage. */
export interface PrivateMessageKeys {
  /** `suite.secretSize` bytes. */
  readonly senderData: Uint8Array
  readonly secretTree: SecretTree
}

export const ratchetOf = (contentType: ContentType): RatchetType =>
  contentType === "application" ? "application" : "handshake"

/**
 * RFC 9420 §6.3: encrypts a member's content with the next key of its ratchet, which is spent by it. `paddingSize`
 * zeros hide the content's length.
 */
export function protectPrivate(
  suite: CipherSuite,
  content: FramedContent,
  auth: FramedContentAuthData,
  options: { readonly keys: PrivateMessageKeys; readonly paddingSize: number; readonly random: Random },
): PrivateMessage {
  const { sender, contentType } = content
  // RFC 9420 §6.3.2: the sender data has room for members only.
  if (sender.type !== "member") throw new TypeError("only a member sends PrivateMessages")
  const { groupId, epoch, authenticatedData } = content
  const type = contentType.type
  const plaintext = encode(privateMessageContent(type, options.paddingSize), { body: contentType, auth })

  const { key, nonce, generation } = options.keys.secretTree.next(sender.leafIndex, ratchetOf(type))
  const reuseGuard = options.random(4)
  guardNonce(nonce, reuseGuard)
  const contentAAD = encode(PrivateContentAAD, { groupId, epoch, contentType: type, authenticatedData })
  const ciphertext = suite.aead.seal(key, nonce, plaintext, contentAAD)
  wipe(key, nonce, plaintext)

  const senderKey = senderDataKey(suite, options.keys.senderData, ciphertext)
  const encryptedSenderData = suite.aead.seal(
    senderKey.key,
    senderKey.nonce,
    encode(SenderData, { leafIndex: sender.leafIndex, generation, reuseGuard }),
    encode(SenderDataAAD, { groupId, epoch, contentType: type }),
  )
  wipe(senderKey.key, senderKey.nonce)
  return { groupId, epoch, contentType: type, authenticatedData, encryptedSenderData, ciphertext }
}

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
  const aad = encode(SenderDataAAD, { groupId, epoch, contentType })
  const plaintext = suite.aead.open(key, nonce, message.encryptedSenderData, aad)
  wipe(key, nonce)
  if (plaintext === undefined) throw new AuthenticityError()
  return decode(SenderData, plaintext)
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
  const aad = encode(PrivateContentAAD, { groupId, epoch, contentType, authenticatedData })
  const plaintext = suite.aead.open(messageKey.key, nonce, message.ciphertext, aad)
  if (plaintext === undefined) throw new AuthenticityError()
  const { registries } = options
  const opened = decode(privateMessageContent(contentType), plaintext, { registries })
  wipe(plaintext)
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
  const sample = ciphertext.subarray(0, suite.secretSize)
  return {
    key: expandWithLabel(suite, senderData, "key", sample, suite.aead.keySize),
    nonce: expandWithLabel(suite, senderData, "nonce", sample, suite.aead.nonceSize),
  }
}
