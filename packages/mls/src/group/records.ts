import {
  boolean,
  decode,
  encode,
  enumeration,
  opaque,
  optional,
  type Registries,
  struct,
  type TypeOf,
  uint8,
  uint16,
  uint32,
  uint64,
  vector,
} from "@conclave/codec"
import { type LeafIndex, leafIndex, type NodeIndex, nodeIndex } from "../indexes.js"
import type { RecordChanges } from "../journal.js"
import type { EpochSecrets } from "../schedule/key-schedule.js"
import type { SecretTree } from "../schedule/secret-tree.js"
import type { CipherSuite } from "../suite/suite.js"
import { RatchetTree } from "../tree/ratchet-tree.js"
import { AuthenticatedContent, Credential, GroupContext, LeafNode, ReInit } from "../wire.js"
import type { Epoch, PastEpoch } from "./epoch.js"
import type { Signer } from "./types.js"

/*
 * A group on disk. Every key is short ASCII; numbers are decimal, names of bytes hexadecimal.
 *
 *   group                          suite, own leaf, whether it is over
 *   epoch                          GroupContext, confirmation tag, transcript, the epoch's secrets, size of the tree
 *   signer                         credential and signature key, where they were rotated in the group
 *   tree/<node>                    one node                                   a commit changes one for each level
 *   key/<node>                     a private key of our own path
 *   e/<epoch>/node|ratchet/…       the secret tree of an epoch                a message changes one ratchet
 *   e/<epoch>/missed/…             keys of messages that were skipped, 64 generations in one record
 *   past/<epoch>                   what late messages of an epoch are read with
 *   proposal/<ref>                 a proposal that a commit may refer to
 *   update/<encryption key>        the private key of an Update of our own
 *   resumption/<epoch>             a resumption secret (RFC 9420 §8.6)
 *   pending                        our own commit that is on its way
 */

export const GroupRecord = struct("GroupRecord", {
  /** Of this layout: 1. */
  version: uint8,
  cipherSuite: uint16,
  ownLeafIndex: uint32,
  active: boolean,
  groupId: opaque,
  lastEpoch: uint64,
  /** The ReInit that ended the group. */
  reInit: optional(ReInit),
  /** The group that this one continues (RFC 9420 §11.2, §11.3), while the first Commit is still to come. */
  lineage: optional(
    struct("Lineage", {
      origin: enumeration("Origin", 1, { reinit: 1, branch: 2 }),
      groupId: opaque,
      epoch: uint64,
      /** Its resumption secret. */
      secret: opaque,
    }),
  ),
})

export const EpochRecord = struct("EpochRecord", {
  context: GroupContext,
  confirmationTag: opaque,
  interimTranscriptHash: opaque,
  leafCount: uint32,
  senderData: opaque,
  exporter: opaque,
  external: opaque,
  confirmation: opaque,
  membership: opaque,
  resumption: opaque,
  authenticator: opaque,
  init: opaque,
})

export const SignerRecord = struct("SignerRecord", { credential: Credential, privateKey: opaque })
export type SignerRecord = TypeOf<typeof SignerRecord>

export const PastRecord = struct("PastRecord", {
  context: opaque,
  senderData: opaque,
  leafCount: uint32,
  replacedLeaves: vector(struct("ReplacedLeaf", { leafIndex: uint32, leafNode: optional(LeafNode) })),
})

export const UpdateRecord = struct("UpdateRecord", { privateKey: opaque, signer: optional(SignerRecord) })

export const PendingRecord = struct("PendingRecord", {
  message: opaque,
  authenticated: AuthenticatedContent,
  ownPath: optional(
    struct("OwnPathRecord", { firstPathSecret: opaque, leafPrivateKey: opaque, signer: optional(SignerRecord) }),
  ),
})

/** What is to be written, and which nodes of the tree are among it: what is derived from the tree can follow by that. */
export interface GroupRecordChanges extends RecordChanges {
  readonly nodes: ReadonlySet<number>
}

const TREE = "tree/"

export function nodesAmong(changes: RecordChanges): Set<number> {
  const nodes = new Set<number>()
  for (const keys of [changes.put.keys(), changes.delete]) {
    for (const key of keys) if (key.startsWith(TREE)) nodes.add(Number(key.slice(TREE.length)))
  }
  return nodes
}

export function encodeEpoch(epoch: Epoch): Uint8Array {
  return encode(EpochRecord, {
    context: epoch.context,
    confirmationTag: epoch.confirmationTag,
    interimTranscriptHash: epoch.interimTranscriptHash,
    leafCount: epoch.tree.leafCount,
    ...epoch.secrets,
  })
}

export function encodePast(past: PastEpoch): Uint8Array {
  return encode(PastRecord, {
    context: past.contextBytes,
    senderData: past.senderData,
    leafCount: past.secretTree.leafCount,
    replacedLeaves: Array.from(past.replacedLeaves, ([index, leafNode]) => ({ leafIndex: index, leafNode })),
  })
}

export const signerRecord = ({ credential, key }: Signer): SignerRecord => ({
  credential,
  privateKey: key.exportPrivateKey(),
})

export const encodeSigner = (signer: Signer): Uint8Array => encode(SignerRecord, signerRecord(signer))

export const signerOf = (suite: CipherSuite, { credential, privateKey }: SignerRecord): Signer => ({
  credential,
  key: suite.signature.importKey(privateKey),
})

export function restoreSigner(suite: CipherSuite, bytes: Uint8Array, registries: Registries | undefined): Signer {
  return signerOf(suite, decode(SignerRecord, bytes, { registries }))
}

/**
 * The records of a group by the first part of their keys, the rest beside each. Their bytes are copied into plain
 * arrays: databases give Buffers, whose slices share their memory.
 */
export function byKind(records: Iterable<readonly [string, Uint8Array]>): Map<string, [string, Uint8Array][]> {
  const kinds = new Map<string, [string, Uint8Array][]>()
  for (const [key, bytes] of records) {
    const slash = key.indexOf("/")
    const kind = slash < 0 ? key : key.slice(0, slash)
    const rest = slash < 0 ? "" : key.slice(slash + 1)
    const list = kinds.get(kind)
    // The nodes of a large tree are many, and are copied into one array next.
    const own = kind === "tree" ? bytes : new Uint8Array(bytes)
    if (list === undefined) kinds.set(kind, [[rest, own]])
    else list.push([rest, own])
  }
  return kinds
}

export function restoreTree(
  suite: CipherSuite,
  leafCount: number,
  records: readonly [string, Uint8Array][],
  registries: Registries | undefined,
): RatchetTree {
  const nodes = records.map(([index, bytes]) => [Number(index), bytes] as const)
  return RatchetTree.ofEncodedNodes(suite, leafCount, nodes, registries)
}

export function restoreEpoch(
  suite: CipherSuite,
  bytes: Uint8Array,
  parts: {
    readonly tree: (leafCount: number) => RatchetTree
    readonly ownLeafIndex: LeafIndex
    readonly privateKeys: ReadonlyMap<NodeIndex, Uint8Array>
    readonly signer: Signer
  },
): Epoch {
  const record = decode(EpochRecord, bytes)
  const { context, confirmationTag, interimTranscriptHash, leafCount, ...secrets } = record
  return {
    suite,
    context,
    contextBytes: encode(GroupContext, context),
    tree: parts.tree(leafCount),
    secrets: copySecrets(secrets),
    confirmationTag,
    interimTranscriptHash,
    ownLeafIndex: parts.ownLeafIndex,
    privateKeys: parts.privateKeys,
    signer: parts.signer,
  }
}

/** Secrets of their own memory, so that overwriting one leaves the others. */
function copySecrets(secrets: EpochSecrets): EpochSecrets {
  return {
    senderData: secrets.senderData.slice(),
    exporter: secrets.exporter.slice(),
    external: secrets.external.slice(),
    confirmation: secrets.confirmation.slice(),
    membership: secrets.membership.slice(),
    resumption: secrets.resumption.slice(),
    authenticator: secrets.authenticator.slice(),
    init: secrets.init.slice(),
  }
}

export function restorePast(
  epoch: bigint,
  bytes: Uint8Array,
  secretTree: (leafCount: number) => SecretTree,
): PastEpoch {
  const record = decode(PastRecord, bytes)
  return {
    epoch,
    contextBytes: record.context,
    senderData: record.senderData.slice(),
    secretTree: secretTree(record.leafCount),
    replacedLeaves: new Map(record.replacedLeaves.map((it) => [leafIndex(it.leafIndex), it.leafNode])),
  }
}

export function restorePrivateKeys(records: readonly [string, Uint8Array][]): Map<NodeIndex, Uint8Array> {
  return new Map(records.map(([index, bytes]) => [nodeIndex(Number(index)), bytes.slice()]))
}

export function hex(bytes: Uint8Array): string {
  let text = ""
  for (let i = 0; i < bytes.length; i++) text += hexOctets[bytes[i]!]
  return text
}

const hexOctets = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

/** A store that lost a record, or never was one of this layout. */
export function missing(what: string): never {
  throw new TypeError(`the records of the group lack ${what}`)
}
