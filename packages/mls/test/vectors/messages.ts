import assert from "node:assert/strict"
import type { Codec } from "@conclave/codec"
import {
  Add,
  Commit,
  ExternalInit,
  GroupContextExtensions,
  GroupSecrets,
  MLSMessage,
  PreSharedKey,
  RatchetTreeNodes,
  ReInit,
  Remove,
  Update,
} from "../../src/wire.js"
import { decodeExactly, type Hex } from "./vector.js"

export type MessagesVector = Readonly<Record<keyof typeof structs | keyof typeof messages, Hex>>

/** What is in each field of a vector. */
export const structs = {
  ratchet_tree: RatchetTreeNodes,
  group_secrets: GroupSecrets,
  add_proposal: Add,
  update_proposal: Update,
  remove_proposal: Remove,
  pre_shared_key_proposal: PreSharedKey,
  re_init_proposal: ReInit,
  external_init_proposal: ExternalInit,
  group_context_extensions_proposal: GroupContextExtensions,
  commit: Commit,
} as const satisfies Record<string, Codec<any>>

/** The fields with a whole MLSMessage, and what stands in it. */
export const messages = {
  mls_welcome: { wireFormat: "mlsWelcome" },
  mls_group_info: { wireFormat: "mlsGroupInfo" },
  mls_key_package: { wireFormat: "mlsKeyPackage" },
  public_message_application: { wireFormat: "mlsPublicMessage", content: "application" },
  public_message_proposal: { wireFormat: "mlsPublicMessage", content: "proposal" },
  public_message_commit: { wireFormat: "mlsPublicMessage", content: "commit" },
  private_message: { wireFormat: "mlsPrivateMessage" },
} as const

export function verify(vector: MessagesVector): void {
  for (const [field, codec] of Object.entries<Codec<any>>(structs)) {
    decodeExactly(codec, vector[field as keyof MessagesVector], field)
  }
  for (const [field, expected] of Object.entries(messages)) {
    const { wireFormat: message } = decodeExactly(MLSMessage, vector[field as keyof MessagesVector], field)
    assert.equal(message.type, expected.wireFormat, field)
    if ("content" in expected && message.type === "mlsPublicMessage") {
      assert.equal(message.publicMessage.content.contentType.type, expected.content, field)
    }
  }
}
