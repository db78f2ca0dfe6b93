import { encode, type Writer, written } from "@conclave/codec"
import type { SigningKey } from "@conclave/crypto"
import { AuthenticityError } from "../errors.js"
import { refHash, signWritten, verifyWritten, writeSignedMessage } from "../suite/labels.js"
import type { CipherSuite } from "../suite/suite.js"
import {
  AuthenticatedContent,
  FramedContent,
  type FramedContentAuthData,
  framedContentAuthData,
  ProtocolVersion,
  WireFormat,
} from "../wire.js"

/** How a message with framed content travels. */
export type ContentWireFormat = AuthenticatedContent["wireFormat"]

declare const verified: unique symbol
/** Content whose signature has been verified with its sender's key. Only {@link verifyContent} makes one. */
export type VerifiedContent = AuthenticatedContent & { readonly [verified]: true }

/** What is signed: content on its way, in a group state that members and joining committers know. */
export interface ContentToSign {
  readonly wireFormat: ContentWireFormat
  readonly content: FramedContent
  /** The epoch's GroupContext, encoded. It is part of what members and external committers sign. */
  readonly context: Uint8Array
}

export function signContent(toSign: ContentToSign, key: SigningKey): Uint8Array {
  return signWritten(key, LABEL, (writer) => writeTBS(writer, toSign))
}

/** RFC 9420 §6.1. @throws AuthenticityError */
export function verifyContent(
  suite: CipherSuite,
  authenticated: AuthenticatedContent,
  { publicKey, context }: { readonly publicKey: Uint8Array; readonly context: Uint8Array },
): VerifiedContent {
  const { wireFormat, content, auth } = authenticated
  const signed = { publicKey, label: LABEL, signature: auth.signature }
  if (!verifyWritten(suite, signed, (writer) => writeTBS(writer, { wireFormat, content, context }))) {
    throw new AuthenticityError()
  }
  return authenticated as VerifiedContent
}

const LABEL = "FramedContentTBS"

/** RFC 9420 §5.1.2, §6.1: what the signature scheme is given. It ends with the content and, of members, the context. */
export function writeContentToSign(writer: Writer, toSign: ContentToSign): void {
  writeSignedMessage(writer, LABEL, () => writeTBS(writer, toSign))
}

/** RFC 9420 §5.2: the name by which a Commit refers to a proposal. */
export function proposalRef(suite: CipherSuite, proposal: AuthenticatedContent): Uint8Array {
  return refHash(suite, "MLS 1.0 Proposal Reference", encode(AuthenticatedContent, proposal))
}

/** RFC 9420 §6.2: what the membership tag of a PublicMessage covers. */
export function authenticatedContentTBM(toSign: ContentToSign, auth: FramedContentAuthData): Uint8Array {
  return written((writer) => {
    writeTBS(writer, toSign)
    framedContentAuthData(toSign.content.contentType.type).write(writer, auth)
    return writer.finish()
  })
}

/** RFC 9420 §6.1. */
function writeTBS(writer: Writer, { wireFormat, content, context }: ContentToSign): void {
  ProtocolVersion.write(writer, "mls10")
  WireFormat.write(writer, wireFormat)
  FramedContent.write(writer, content)
  const sender = content.sender.type
  if (sender === "member" || sender === "newMemberCommit") writer.bytes(context)
}
