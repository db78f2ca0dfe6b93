import type { Codec } from "@conclave/codec"
import { EpochRecord, GroupRecord, PastRecord, PendingRecord, SignerRecord, UpdateRecord } from "../group/records.js"
import { AuthenticatedContent, Node } from "../wire.js"

/** What a record of a group holds. Without a codec all of it is secret: a private key, or a part of a secret tree. */
export interface GroupRecordType {
  /** In words, for a person: `node of the ratchet tree`. */
  readonly words: string
  /** A name of `groupRecordTypes`. */
  readonly type?: string
}

/** The records of a stored group that are structs, by the names of their declarations. */
export const groupRecordTypes: Readonly<Record<string, Codec<any>>> = {
  ...{ GroupRecord, EpochRecord, SignerRecord, Node },
  ...{ PastRecord, AuthenticatedContent, UpdateRecord, PendingRecord },
}

/** By the first part of the key. */
const byKind: Readonly<Record<string, GroupRecordType>> = {
  group: { words: "the group", type: "GroupRecord" },
  epoch: { words: "the epoch", type: "EpochRecord" },
  signer: { words: "this member's signature key", type: "SignerRecord" },
  tree: { words: "node of the ratchet tree", type: "Node" },
  key: { words: "private key of a node" },
  e: { words: "part of a secret tree" },
  past: { words: "past epoch", type: "PastRecord" },
  proposal: { words: "proposal", type: "AuthenticatedContent" },
  update: { words: "update of this member's own", type: "UpdateRecord" },
  resumption: { words: "resumption secret" },
  pending: { words: "commit of this member's own", type: "PendingRecord" },
}

/** What the record under `key` of a stored group holds; `undefined` for a key that no group makes. */
export function groupRecordType(key: string): GroupRecordType | undefined {
  const kind = key.split("/", 1)[0]!
  return Object.hasOwn(byKind, kind) ? byKind[kind] : undefined
}

/** Whether a field of a record of a group is a secret although its name does not say so: the epoch's (RFC 9420 §8). */
export function isEpochSecret(struct: string, field: string): boolean {
  if (struct === "PastRecord") return field === "sender_data"
  return struct === "EpochRecord" && epochSecrets.has(field)
}

const epochSecrets: ReadonlySet<string> = new Set([
  ...["sender_data", "exporter", "external", "confirmation"],
  ...["membership", "resumption", "authenticator", "init"],
])
