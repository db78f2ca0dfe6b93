/**
 * Every struct of RFC 9420 that crosses the wire, is hashed or is signed, in the order of the RFC. A test prints these
 * declarations and compares them with the RFC's text.
 */
import {
  alias,
  type Codec,
  enumeration,
  fixed,
  opaque,
  optional,
  retained,
  select,
  shared,
  struct,
  type TypeOf,
  uint16,
  uint32,
  uint64,
  union,
  vector,
} from "@conclave/codec"
import type { LeafIndex } from "./indexes.js"

/**
 * The entries that a list may have so that they are read at all. They can be as small as two bytes: a message of 1 MiB
 * would be half a million objects, and reading it take longer than everything else. Rules ask for much less: see
 * docs/decisions/009-bounds.md.
 */
const ENTRIES_MAX = 1024
/** Of a Commit: it may add ten thousand members at once. */
const PROPOSALS_MAX = 0x8000
/** Of an UpdatePath: a tree is not as high. */
const PATH_NODES_MAX = 64

/** A vector of which nothing more is read once it has `countMax` entries. */
function atMost<T>(countMax: number, item: Codec<T>): Codec<readonly T[]> {
  return {
    ...vector(item),
    read(reader) {
      const outer = reader.enter(reader.varint())
      const items: T[] = []
      while (reader.remaining > 0) {
        if (items.length === countMax) throw reader.error(`a list has more than ${countMax} entries`)
        items.push(item.read(reader))
      }
      reader.leave(outer)
      return items
    },
  }
}

/** An `opaque<V>` that nobody makes shorter: lists of it have no more entries than their bytes allow. */
function atLeast(sizeMin: number): Codec<Uint8Array> {
  return {
    ...opaque,
    read(reader) {
      const bytes = opaque.read(reader)
      if (bytes.length < sizeMin) throw reader.error(`${bytes.length} bytes where there are ${sizeMin} at least`)
      return bytes
    },
  }
}

// Open IANA registries stay numbers where unknown values must survive a round trip (RFC 9420 §13).
export const CipherSuiteNumber = alias("CipherSuite", uint16)
export const ExtensionTypeNumber = alias("ExtensionType", uint16)
export const ProposalTypeNumber = alias("ProposalType", uint16)
export const CredentialTypeNumber = alias("CredentialType", uint16)
export const ProtocolVersionNumber = alias("ProtocolVersion", uint16)

const HPKEPublicKey = alias("HPKEPublicKey", opaque)
const SignaturePublicKey = alias("SignaturePublicKey", opaque)
const MAC = alias("MAC", opaque)
const HashReference = alias("HashReference", opaque)
const leafIndexNumber = uint32 as Codec<any> as Codec<LeafIndex>

export const ProtocolVersion = enumeration("ProtocolVersion", 2, { mls10: 1 })

// --- §5 Cryptographic objects ----------------------------------------------------------------------------------------

export const SignContent = struct("SignContent", { label: opaque, content: opaque })
export const EncryptContext = struct("EncryptContext", { label: opaque, context: opaque })
export const RefHashInput = struct("RefHashInput", { label: opaque, value: opaque })

export const CredentialType = enumeration("CredentialType", 2, { basic: 1, x509: 2 })
export const Certificate = struct("Certificate", { certData: opaque })
/** §5.3. Types beyond basic and x509 need their shape in the registries that a group is given. */
export const Credential = union(
  "Credential",
  "credential_type",
  CredentialType,
  { basic: { identity: opaque }, x509: { certificates: atMost(ENTRIES_MAX, Certificate) } },
  "open",
)
export type Credential = TypeOf<typeof Credential>

// --- §7 Ratchet tree -------------------------------------------------------------------------------------------------

export const ParentNode = struct("ParentNode", {
  encryptionKey: HPKEPublicKey,
  parentHash: opaque,
  unmergedLeaves: vector(leafIndexNumber),
})
export type ParentNode = TypeOf<typeof ParentNode>

export const LeafNodeSource = enumeration("LeafNodeSource", 1, { keyPackage: 1, update: 2, commit: 3 })
export const Capabilities = struct("Capabilities", {
  versions: shared(atMost(ENTRIES_MAX, ProtocolVersionNumber)),
  cipherSuites: shared(atMost(ENTRIES_MAX, CipherSuiteNumber)),
  extensions: shared(atMost(ENTRIES_MAX, ExtensionTypeNumber)),
  proposals: shared(atMost(ENTRIES_MAX, ProposalTypeNumber)),
  credentials: shared(atMost(ENTRIES_MAX, CredentialTypeNumber)),
})
export type Capabilities = TypeOf<typeof Capabilities>
/** Unix seconds. */
export const Lifetime = struct("Lifetime", { notBefore: uint64, notAfter: uint64 })
export type Lifetime = TypeOf<typeof Lifetime>
export const Extension = struct("Extension", { extensionType: ExtensionTypeNumber, extensionData: opaque })
export type Extension = TypeOf<typeof Extension>

const Extensions = atMost(ENTRIES_MAX, Extension)

const leafNodeFields = {
  encryptionKey: HPKEPublicKey,
  signatureKey: SignaturePublicKey,
  credential: Credential,
  capabilities: Capabilities,
  leafNodeSource: select(LeafNodeSource, {
    keyPackage: { lifetime: Lifetime },
    update: {},
    commit: { parentHash: opaque },
  }),
  extensions: Extensions,
}
/** §7.2. */
export const LeafNode = retained(struct("LeafNode", { ...leafNodeFields, signature: opaque }))
export type LeafNode = TypeOf<typeof LeafNode>
/** LeafNodeTBS without what a leaf in a group adds to it: see `signLeafNode`. */
export const UnsignedLeafNode = struct("LeafNode", leafNodeFields)
export type UnsignedLeafNode = TypeOf<typeof UnsignedLeafNode>
export const LeafPosition = struct("LeafPosition", { groupId: opaque, leafIndex: leafIndexNumber })
export type LeafPosition = TypeOf<typeof LeafPosition>

export const HPKECiphertext = struct("HPKECiphertext", {
  // X25519 has the shortest, and every AEAD a tag.
  kemOutput: atLeast(32),
  ciphertext: atLeast(16),
})
export type HPKECiphertext = TypeOf<typeof HPKECiphertext>
export const UpdatePathNode = struct("UpdatePathNode", {
  encryptionKey: HPKEPublicKey,
  encryptedPathSecret: vector(HPKECiphertext),
})
export type UpdatePathNode = TypeOf<typeof UpdatePathNode>
export const UpdatePath = struct("UpdatePath", { leafNode: LeafNode, nodes: atMost(PATH_NODES_MAX, UpdatePathNode) })
export type UpdatePath = TypeOf<typeof UpdatePath>

export const NodeType = enumeration("NodeType", 1, { leaf: 1, parent: 2 })
export const LeafNodeHashInput = struct("LeafNodeHashInput", { leafIndex: uint32, leafNode: optional(LeafNode) })
export const ParentNodeHashInput = struct("ParentNodeHashInput", {
  parentNode: optional(ParentNode),
  leftHash: opaque,
  rightHash: opaque,
})
export const TreeHashInput = union("TreeHashInput", "node_type", NodeType, {
  leaf: { leafNode: LeafNodeHashInput },
  parent: { parentNode: ParentNodeHashInput },
})
export const ParentHashInput = struct("ParentHashInput", {
  encryptionKey: HPKEPublicKey,
  parentHash: opaque,
  originalSiblingTreeHash: opaque,
})

// --- §8 Key schedule -------------------------------------------------------------------------------------------------

export const KDFLabel = struct("KDFLabel", { length: uint16, label: opaque, context: opaque })
export const GroupContext = struct("GroupContext", {
  version: ProtocolVersion,
  cipherSuite: CipherSuiteNumber,
  groupId: opaque,
  epoch: uint64,
  treeHash: opaque,
  confirmedTranscriptHash: opaque,
  extensions: Extensions,
})
export type GroupContext = TypeOf<typeof GroupContext>
export const InterimTranscriptHashInput = struct("InterimTranscriptHashInput", { confirmationTag: MAC })

export const PSKType = enumeration("PSKType", 1, { external: 1, resumption: 2 })
export const ResumptionPSKUsage = enumeration("ResumptionPSKUsage", 1, { application: 1, reinit: 2, branch: 3 })
export const PreSharedKeyID = struct("PreSharedKeyID", {
  psktype: select(PSKType, {
    external: { pskId: opaque },
    resumption: { usage: ResumptionPSKUsage, pskGroupId: opaque, pskEpoch: uint64 },
  }),
  pskNonce: opaque,
})
export type PreSharedKeyID = TypeOf<typeof PreSharedKeyID>
export const PSKLabel = struct("PSKLabel", { id: PreSharedKeyID, index: uint16, count: uint16 })

// --- §10 Key packages ------------------------------------------------------------------------------------------------

const keyPackageFields = {
  version: ProtocolVersion,
  cipherSuite: CipherSuiteNumber,
  initKey: HPKEPublicKey,
  leafNode: LeafNode,
  extensions: Extensions,
}
export const KeyPackage = retained(struct("KeyPackage", { ...keyPackageFields, signature: opaque }))
export type KeyPackage = TypeOf<typeof KeyPackage>
export const KeyPackageTBS = struct("KeyPackageTBS", keyPackageFields)

// --- §11, §12 Proposals and commits ----------------------------------------------------------------------------------

export const RequiredCapabilities = struct("RequiredCapabilities", {
  extensionTypes: atMost(ENTRIES_MAX, ExtensionTypeNumber),
  proposalTypes: atMost(ENTRIES_MAX, ProposalTypeNumber),
  credentialTypes: atMost(ENTRIES_MAX, CredentialTypeNumber),
})
export type RequiredCapabilities = TypeOf<typeof RequiredCapabilities>

export const ProposalType = enumeration("ProposalType", 2, {
  add: 1,
  update: 2,
  remove: 3,
  psk: 4,
  reinit: 5,
  externalInit: 6,
  groupContextExtensions: 7,
})
export const Add = struct("Add", { keyPackage: KeyPackage })
export const Update = struct("Update", { leafNode: LeafNode })
export const Remove = struct("Remove", { removed: leafIndexNumber })
export const PreSharedKey = struct("PreSharedKey", { psk: PreSharedKeyID })
export const ReInit = struct("ReInit", {
  groupId: opaque,
  // A number: the version that a group moves to may be newer than this library.
  version: ProtocolVersionNumber,
  cipherSuite: CipherSuiteNumber,
  extensions: Extensions,
})
export type ReInit = TypeOf<typeof ReInit>
export const ExternalInit = struct("ExternalInit", { kemOutput: opaque })
export const GroupContextExtensions = struct("GroupContextExtensions", { extensions: Extensions })
/** §12.1. Types beyond these seven need their shape in the registries that a group is given. */
export const Proposal = union(
  "Proposal",
  "proposal_type",
  ProposalType,
  {
    add: Add,
    update: Update,
    remove: Remove,
    psk: PreSharedKey,
    reinit: ReInit,
    externalInit: ExternalInit,
    groupContextExtensions: GroupContextExtensions,
  },
  "open",
)
export type Proposal = TypeOf<typeof Proposal>

export const ExternalSender = struct("ExternalSender", { signatureKey: SignaturePublicKey, credential: Credential })
export type ExternalSender = TypeOf<typeof ExternalSender>
export const ExternalSenders = atMost(ENTRIES_MAX, ExternalSender)

export const ProposalOrRefType = enumeration("ProposalOrRefType", 1, { proposal: 1, reference: 2 })
export const ProposalOrRef = union("ProposalOrRef", "type", ProposalOrRefType, {
  proposal: { proposal: Proposal },
  reference: { reference: alias("ProposalRef", HashReference) },
})
export type ProposalOrRef = TypeOf<typeof ProposalOrRef>
export const Commit = struct("Commit", { proposals: atMost(PROPOSALS_MAX, ProposalOrRef), path: optional(UpdatePath) })
export type Commit = TypeOf<typeof Commit>

const groupInfoFields = {
  groupContext: GroupContext,
  extensions: Extensions,
  confirmationTag: MAC,
  signer: leafIndexNumber,
}
export const GroupInfo = retained(struct("GroupInfo", { ...groupInfoFields, signature: opaque }))
export type GroupInfo = TypeOf<typeof GroupInfo>
export const GroupInfoTBS = struct("GroupInfoTBS", groupInfoFields)

export const PathSecret = struct("PathSecret", { pathSecret: opaque })
export const GroupSecrets = struct("GroupSecrets", {
  joinerSecret: opaque,
  pathSecret: optional(PathSecret),
  psks: atMost(ENTRIES_MAX, PreSharedKeyID),
})
export type GroupSecrets = TypeOf<typeof GroupSecrets>
export type EncryptedGroupSecrets = TypeOf<typeof EncryptedGroupSecrets>
export const EncryptedGroupSecrets = struct("EncryptedGroupSecrets", {
  newMember: alias("KeyPackageRef", HashReference),
  encryptedGroupSecrets: HPKECiphertext,
})
export const Welcome = struct("Welcome", {
  cipherSuite: CipherSuiteNumber,
  secrets: vector(EncryptedGroupSecrets),
  encryptedGroupInfo: opaque,
})
export type Welcome = TypeOf<typeof Welcome>
export const ExternalPub = struct("ExternalPub", { externalPub: HPKEPublicKey })

export const Node = union("Node", "node_type", NodeType, {
  leaf: { leafNode: LeafNode },
  parent: { parentNode: ParentNode },
})
export type Node = TypeOf<typeof Node>
export const OptionalNode = optional(Node)
/** §12.4.3.3: the nodes in array order, trailing blanks left out. */
export const RatchetTreeNodes = vector(OptionalNode)

// --- §6 Message framing ----------------------------------------------------------------------------------------------

export const ContentType = enumeration("ContentType", 1, { application: 1, proposal: 2, commit: 3 })
export type ContentType = TypeOf<typeof ContentType>
export const SenderType = enumeration("SenderType", 1, {
  member: 1,
  external: 2,
  newMemberProposal: 3,
  newMemberCommit: 4,
})
export const Sender = union("Sender", "sender_type", SenderType, {
  member: { leafIndex: leafIndexNumber },
  external: { senderIndex: uint32 },
  newMemberCommit: {},
  newMemberProposal: {},
})
export type Sender = TypeOf<typeof Sender>
export const WireFormat = enumeration("WireFormat", 2, {
  mlsPublicMessage: 1,
  mlsPrivateMessage: 2,
  mlsWelcome: 3,
  mlsGroupInfo: 4,
  mlsKeyPackage: 5,
})

const contentCases = {
  application: { applicationData: opaque },
  proposal: { proposal: Proposal },
  commit: { commit: Commit },
}
export const FramedContent = struct("FramedContent", {
  groupId: opaque,
  epoch: uint64,
  sender: Sender,
  authenticatedData: opaque,
  contentType: select(ContentType, contentCases),
})
export type FramedContent = TypeOf<typeof FramedContent>
export type ContentBody = FramedContent["contentType"]

/** §6.1. The confirmation tag is there if and only if the content is a commit. */
export interface FramedContentAuthData {
  readonly signature: Uint8Array
  readonly confirmationTag?: Uint8Array
}

/** §6.1, by hand: whether a confirmation tag follows depends on the content beside it. */
export function framedContentAuthData(contentType: ContentType): Codec<FramedContentAuthData> {
  return contentType === "commit" ? commitAuthData : plainAuthData
}
const commitAuthData = struct("FramedContentAuthData", { signature: opaque, confirmationTag: MAC })
const plainAuthData: Codec<FramedContentAuthData> = struct("FramedContentAuthData", { signature: opaque })

/** §6: content with its authentication, before any protection. */
export interface AuthenticatedContent {
  readonly wireFormat: "mlsPublicMessage" | "mlsPrivateMessage"
  readonly content: FramedContent
  readonly auth: FramedContentAuthData
}
export const AuthenticatedContent: Codec<AuthenticatedContent> = {
  syntax: "AuthenticatedContent %",
  shape: {
    kind: "struct",
    name: "AuthenticatedContent",
    fieldsOf: ({ content }: AuthenticatedContent) => ({
      wireFormat: WireFormat,
      content: FramedContent,
      auth: framedContentAuthData(content.contentType.type),
    }),
  },
  definition:
    "struct { WireFormat wire_format; FramedContent content; FramedContentAuthData auth; } AuthenticatedContent;",
  write(writer, { wireFormat, content, auth }) {
    WireFormat.write(writer, wireFormat)
    FramedContent.write(writer, content)
    framedContentAuthData(content.contentType.type).write(writer, auth)
  },
  read(reader) {
    const wireFormat = WireFormat.read(reader)
    if (wireFormat !== "mlsPublicMessage" && wireFormat !== "mlsPrivateMessage") {
      throw reader.error(`${wireFormat} is no wire format of framed content`)
    }
    const content = FramedContent.read(reader)
    return { wireFormat, content, auth: framedContentAuthData(content.contentType.type).read(reader) }
  },
}

/** §6.2. The membership tag is there if and only if the sender is a member. */
export interface PublicMessage {
  readonly content: FramedContent
  readonly auth: FramedContentAuthData
  readonly membershipTag?: Uint8Array
}
export const PublicMessage: Codec<PublicMessage> = {
  syntax: "PublicMessage %",
  shape: {
    kind: "struct",
    name: "PublicMessage",
    fieldsOf: ({ content }: PublicMessage) => ({
      content: FramedContent,
      auth: framedContentAuthData(content.contentType.type),
      ...(content.sender.type === "member" && { membershipTag: MAC }),
    }),
  },
  write(writer, { content, auth, membershipTag }) {
    FramedContent.write(writer, content)
    framedContentAuthData(content.contentType.type).write(writer, auth)
    if (content.sender.type === "member") MAC.write(writer, membershipTag!)
  },
  read(reader) {
    const content = FramedContent.read(reader)
    const auth = framedContentAuthData(content.contentType.type).read(reader)
    return content.sender.type === "member" ? { content, auth, membershipTag: MAC.read(reader) } : { content, auth }
  },
}

export const PrivateMessage = struct("PrivateMessage", {
  groupId: opaque,
  epoch: uint64,
  contentType: ContentType,
  authenticatedData: opaque,
  encryptedSenderData: opaque,
  ciphertext: opaque,
})
export type PrivateMessage = TypeOf<typeof PrivateMessage>

/** §6.3.1, by hand: its content type stands in the message around it, and the padding fills what is left. */
export interface PrivateMessageContent {
  readonly body: ContentBody
  readonly auth: FramedContentAuthData
}
export const privateMessageContent = (contentType: ContentType) => privateContents[contentType]
const privateContents = {
  application: privateContent("application", struct("PrivateMessageContent", contentCases.application)),
  proposal: privateContent("proposal", struct("PrivateMessageContent", contentCases.proposal)),
  commit: privateContent("commit", struct("PrivateMessageContent", contentCases.commit)),
}

function privateContent(contentType: ContentType, fields: Codec<any>): Codec<PrivateMessageContent> {
  const authData = framedContentAuthData(contentType)
  return {
    syntax: "PrivateMessageContent %",
    write(writer, { body, auth }) {
      fields.write(writer, body)
      authData.write(writer, auth)
    },
    read(reader) {
      const body = fields.read(reader)
      body.type = contentType
      const auth = authData.read(reader)
      // RFC 9420 §6.3.1: padding that is not all zero makes the message malformed.
      const padding = reader.bytes(reader.remaining)
      for (let i = 0; i < padding.length; i++) if (padding[i] !== 0) throw reader.error("padding is not zero")
      return { body, auth }
    },
  }
}

export const PrivateContentAAD = struct("PrivateContentAAD", {
  groupId: opaque,
  epoch: uint64,
  contentType: ContentType,
  authenticatedData: opaque,
})
export const SenderData = struct("SenderData", {
  leafIndex: leafIndexNumber,
  generation: uint32,
  reuseGuard: fixed(4),
})
export const SenderDataAAD = struct("SenderDataAAD", { groupId: opaque, epoch: uint64, contentType: ContentType })

/** §6: the outermost struct of everything that MLS sends. */
export const MLSMessage = struct("MLSMessage", {
  version: ProtocolVersion,
  wireFormat: select(WireFormat, {
    mlsPublicMessage: { publicMessage: PublicMessage },
    mlsPrivateMessage: { privateMessage: PrivateMessage },
    mlsWelcome: { welcome: Welcome },
    mlsGroupInfo: { groupInfo: GroupInfo },
    mlsKeyPackage: { keyPackage: KeyPackage },
  }),
})
export type MLSMessage = TypeOf<typeof MLSMessage>
