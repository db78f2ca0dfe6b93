/** Messaging Layer Security, RFC 9420: bytes in, bytes out; no network, clock or storage. Start at {@link Group}. */
export { DecodeError } from "@conclave/codec"
export {
  AuthenticityError,
  type MlsError,
  RuleError,
  StateError,
  type StateErrorCode,
  seenBy,
  UnsupportedError,
} from "./errors.js"
export type { Exporter, GroupChanges } from "./group/changes.js"
export { type ProposalTarget, proposeFromOutside, proposeOwnAdd } from "./group/external-proposal.js"
export {
  type CreateOptions,
  type ExternalJoinOptions,
  Group,
  type GroupOptions,
  type JoinOptions,
  type PreparedJoin,
  type StagedExternalJoin,
  type StagedJoin,
  type TreeNodeView,
} from "./group/group.js"
export { decodeGroupInfo, type GroupInfoOptions } from "./group/group-info.js"
export type { ReceiveOptions } from "./group/incoming.js"
export {
  createKeyPackage,
  decodeKeyPackage,
  decodeKeyPackageBundle,
  encodeKeyPackageBundle,
  type KeyPackageBundle,
  type KeyPackageOptions,
  keyPackageRef,
  validateKeyPackage,
} from "./group/key-package.js"
export { defaultPolicy, type GroupPolicy } from "./group/policy.js"
export type { CommittedBy, GroupProfile, Presented } from "./group/profile.js"
export type { GroupChange } from "./group/proposal-kinds.js"
export type { GroupRecordChanges } from "./group/records.js"
export {
  type CredentialClaim,
  dangerouslyAcceptAll,
  type MadeCommit,
  type Member,
  type OpenedMessage,
  type OutgoingCommit,
  type PskLookup,
  type Received,
  type Removal,
  type Signer,
  type StagedCommit,
  type Verdict,
} from "./group/types.js"
export { type LeafIndex, leafIndex, type NodeIndex } from "./indexes.js"
export type { RecordChanges } from "./journal.js"
export { type Rule, type RuleId, rules, type SeenBy } from "./rules.js"
export { type Sliced, toEnd } from "./slices.js"
export { expandWithLabel, signWithLabel, verifyWithLabel } from "./suite/labels.js"
export { type CipherSuite, type CipherSuiteName, cipherSuite, cipherSuiteNumbers, type Random } from "./suite/suite.js"
export { extensionTypes } from "./tree/leaf.js"
export type { SignatureToVerify } from "./tree/validation.js"
export {
  type Capabilities,
  type Credential,
  type Extension,
  GroupInfo,
  KeyPackage,
  type LeafNode,
  type Lifetime,
  MLSMessage,
  type PreSharedKeyID,
  type Proposal,
  type ReInit,
} from "./wire.js"
