import assert from "node:assert/strict"
import { encode } from "@conclave/codec"
import { type ContentWireFormat, signContent, verifyContent } from "../../src/framing/content.js"
import { openSenderData, protectPrivate, unprotectPrivate } from "../../src/framing/private-message.js"
import { protectPublic, unprotectPublic } from "../../src/framing/public-message.js"
import { leafIndex } from "../../src/indexes.js"
import type { CipherSuite } from "../../src/suite/suite.js"
import {
  type AuthenticatedContent,
  Commit,
  type ContentBody,
  type FramedContent,
  type FramedContentAuthData,
  GroupContext,
  MLSMessage,
  type PrivateMessage,
  Proposal,
  type PublicMessage,
} from "../../src/wire.js"
import { secretTree } from "./secret-tree.js"
import { bytes, decodeExactly, groupContext, type Hex, hex, none, privateKey, type Suites } from "./vector.js"

export interface MessageProtectionVector {
  readonly cipher_suite: number
  readonly group_id: Hex
  readonly epoch: number
  readonly tree_hash: Hex
  readonly confirmed_transcript_hash: Hex
  readonly signature_priv: Hex
  readonly signature_pub: Hex
  readonly encryption_secret: Hex
  readonly sender_data_secret: Hex
  readonly membership_key: Hex
  readonly proposal: Hex
  readonly proposal_pub: Hex
  readonly proposal_priv: Hex
  readonly commit: Hex
  readonly commit_pub: Hex
  readonly commit_priv: Hex
  readonly application: Hex
  readonly application_priv: Hex
}

export function verify(vector: MessageProtectionVector, suites: Suites): void {
  const suite = suites(vector.cipher_suite)
  const group = new Group(suite, vector)
  const proposal = decodeExactly(Proposal, vector.proposal, "proposal")
  const commit = decodeExactly(Commit, vector.commit, "commit")

  for (const [body, publicMessage, privateMessage] of [
    [{ type: "proposal", proposal }, vector.proposal_pub, vector.proposal_priv],
    [{ type: "commit", commit }, vector.commit_pub, vector.commit_priv],
  ] as const) {
    const { auth } = group.openPublic(publicMessageOf(publicMessage), body)
    group.openPublic(group.protectPublic(body, auth.confirmationTag), body)
    group.openPrivate(privateMessageOf(privateMessage), body)
    group.openPrivate(group.protectPrivate(body, auth.confirmationTag), body)
  }

  const application = { type: "application", applicationData: bytes(vector.application) } as const
  group.openPrivate(privateMessageOf(vector.application_priv), application)
  group.openPrivate(group.protectPrivate(application), application)
  assert.throws(() => group.protectPublic(application), { code: "RULE_VIOLATED", rule: "framing-application-private" })
}

/** The one epoch of the vector, seen by both its members; leaf 1 sends everything. */
class Group {
  readonly suite: CipherSuite
  readonly vector: MessageProtectionVector
  readonly context: Uint8Array

  constructor(suite: CipherSuite, vector: MessageProtectionVector) {
    this.suite = suite
    this.vector = vector
    this.context = encode(GroupContext, groupContext(suite, vector))
  }

  get membershipKey() {
    return { membership: bytes(this.vector.membership_key), context: this.context }
  }

  secretTree() {
    return secretTree(this.suite, { encryption_secret: this.vector.encryption_secret, leaves: { length: 2 } })
  }

  openPublic(message: PublicMessage, expected: ContentBody): AuthenticatedContent {
    return this.#verified(unprotectPublic(this.suite, message, this.membershipKey), expected)
  }

  openPrivate(message: PrivateMessage, expected: ContentBody): AuthenticatedContent {
    const sender = openSenderData(this.suite, message, bytes(this.vector.sender_data_secret))
    assert.equal(sender.leafIndex, 1)
    const opened = unprotectPrivate(this.suite, message, sender, { secretTree: this.secretTree() })
    return this.#verified(opened.content, expected)
  }

  protectPublic(body: ContentBody, confirmationTag?: Uint8Array): PublicMessage {
    const { content, auth } = this.#signed("mlsPublicMessage", body, confirmationTag)
    return protectPublic(this.suite, content, auth, this.membershipKey)
  }

  protectPrivate(body: ContentBody, confirmationTag?: Uint8Array): PrivateMessage {
    const { content, auth } = this.#signed("mlsPrivateMessage", body, confirmationTag)
    const keys = { senderData: bytes(this.vector.sender_data_secret), secretTree: this.secretTree() }
    const options = { keys, paddingSize: 7, random: this.suite.provider.random }
    return privateMessageOf(hex(protectPrivate(this.suite, content, auth, options)))
  }

  #verified(authenticated: AuthenticatedContent, expected: ContentBody): AuthenticatedContent {
    verifyContent(this.suite, authenticated, { publicKey: bytes(this.vector.signature_pub), context: this.context })
    assert.deepEqual(authenticated.content.contentType, expected)
    assert.equal(hex(authenticated.content.groupId), this.vector.group_id)
    assert.equal(authenticated.content.epoch, BigInt(this.vector.epoch))
    return authenticated
  }

  #signed(
    wireFormat: ContentWireFormat,
    contentType: ContentBody,
    confirmationTag: Uint8Array | undefined,
  ): { content: FramedContent; auth: FramedContentAuthData } {
    const content: FramedContent = {
      groupId: bytes(this.vector.group_id),
      epoch: BigInt(this.vector.epoch),
      sender: { type: "member", leafIndex: leafIndex(1) },
      authenticatedData: none,
      contentType,
    }
    const { signature: scheme } = this.suite
    using key = scheme.importKey(privateKey(this.vector.signature_priv, scheme.privateKeySize))
    const signature = signContent({ wireFormat, content, context: this.context }, key)
    return { content, auth: confirmationTag === undefined ? { signature } : { signature, confirmationTag } }
  }
}

function publicMessageOf(message: Hex): PublicMessage {
  const { wireFormat } = decodeExactly(MLSMessage, message, "MLSMessage")
  assert(wireFormat.type === "mlsPublicMessage")
  return wireFormat.publicMessage
}

function privateMessageOf(message: Hex): PrivateMessage {
  const { wireFormat } = decodeExactly(MLSMessage, message, "MLSMessage")
  assert(wireFormat.type === "mlsPrivateMessage")
  return wireFormat.privateMessage
}
