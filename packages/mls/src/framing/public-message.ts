import { equalBytes } from "@conclave/crypto"
import { AuthenticityError, rule } from "../errors.js"
import type { CipherSuite } from "../suite/suite.js"
import type { AuthenticatedContent, FramedContentAuthData, PublicMessage } from "../wire.js"
import { authenticatedContentTBM, type ContentToSign } from "./content.js"

/** What a PublicMessage by a member is tagged with: keys and context of the epoch. */
export interface MembershipKey {
  /** `suite.secretSize` bytes. */
  readonly membership: Uint8Array
  /** The GroupContext, encoded. */
  readonly context: Uint8Array
}

/**
 * RFC 9420 §6.2. Only members' messages bear a membership tag.
 *
 * @throws RuleError for application data, which must not travel in the clear
 */
export function protectPublic(
  suite: CipherSuite,
  content: AuthenticatedContent["content"],
  auth: FramedContentAuthData,
  key: MembershipKey,
): PublicMessage {
  rule(content.contentType.type !== "application", "framing-application-private")
  if (content.sender.type !== "member") return { content, auth }
  return { content, auth, membershipTag: membershipTag(suite, content, auth, key) }
}

/** RFC 9420 §6.2: checks the membership tag; the signature is still to be verified. @throws AuthenticityError */
export function unprotectPublic(suite: CipherSuite, message: PublicMessage, key: MembershipKey): AuthenticatedContent {
  const { content, auth } = message
  if (content.sender.type === "member") {
    const expected = membershipTag(suite, content, auth, key)
    if (message.membershipTag === undefined || !equalBytes(message.membershipTag, expected)) {
      throw new AuthenticityError()
    }
  }
  return { wireFormat: "mlsPublicMessage", content, auth }
}

function membershipTag(
  suite: CipherSuite,
  content: AuthenticatedContent["content"],
  auth: FramedContentAuthData,
  { membership, context }: MembershipKey,
): Uint8Array {
  const toSign: ContentToSign = { wireFormat: "mlsPublicMessage", content, context }
  return suite.hash.hmac(membership, authenticatedContentTBM(toSign, auth))
}
