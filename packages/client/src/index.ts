/**
 * The SDK: conversations, durable state, events. Independent of the platform; see also `/node` and `/browser`.
 *
 * ```
 *   client.ts conversation.ts events.ts errors.ts blobs.ts   what an application sees
 *   kinds/          one table each of event kinds and content kinds: fields, severity, words
 *   conversation/   a conversation as a state machine: step(state, input, moment) → state and effects
 *   device/         what carries effects out: drivers, inbox, stream, polling, retries; and the client itself
 *   journal/        transactions, and the durable events that they leave
 *   records/        everything that is stored, and the versions before it
 *   identity/       who this device is, who others are: pins, display names, verdicts, key packages
 *   blobs/          large content beside the conversations, sealed in pieces
 *   service/        what both services are asked, and what they answer, typed
 *   store/          where sealed records are kept: memory, SQLite, IndexedDB
 *   diagnostics/    what is logged and reported, of which nothing identifies people
 *
 *   an input ─► step ─► one transaction ─► a question to a service ─► its answer is the next input
 *                                      └─► events, calls that go on
 * ```
 */
export {
  type DisplayNameJudgement,
  hasMixedScripts,
  isName,
  judgeDisplayName,
  judgeName,
  type NameFault,
  type NameFaultCode,
  nameFault,
  normalizeName,
  type PersonLabel,
  personLabel,
  shownText,
} from "@conclave/contracts/names"
export { type Refusal, type RefusalCode, refusalIn } from "@conclave/contracts/refusals"
export type { BlobContent, BlobOptions, BlobReading, BlobReference, Blobs, OwnBlob } from "./blobs.js"
export type {
  ClientOptions,
  ClientPolicy,
  Invitation,
  InvitationAnswer,
  InvitationLimits,
  Logger,
  OwnDevice,
  PersonDevice,
  Recovery,
  Signal,
  VerifyLeaves,
} from "./client.js"
export type {
  ContinuedConversation,
  Conversation,
  ConversationStatus,
  KeepingTimes,
  KeptAtService,
  Message,
  PendingMessage,
  TreeNode,
  WishOptions,
} from "./conversation.js"
export { ClientError } from "./errors.js"
export type {
  ClientErrorCode,
  ClientEvent,
  Content,
  DeclinedEvent,
  DeferredEvent,
  DeviceRevokedEvent,
  DisplayNameEvent,
  ErasedEvent,
  EventOf,
  FailedEvent,
  HaltedEvent,
  InvitedEvent,
  JoinedEvent,
  KeyChangedEvent,
  LeftEvent,
  LostEvent,
  MembersEvent,
  MessageEvent,
  MissingEvent,
  RecoveredEvent,
  RecoveryKeyEvent,
  RefreshedEvent,
  RejectedEvent,
  RetiredEvent,
  ReturnedEvent,
  SentEvent,
  ThrottledEvent,
  TitleEvent,
  UnavailableEvent,
  UpdateEvent,
} from "./events.js"
export { type ProvenContradiction, verifyEvidence } from "./heads/evidence.js"
export type {
  InspectedCommit,
  InspectedHead,
  InspectedInterval,
  InspectedService,
  InspectedWish,
  Inspection,
  LogPosition,
} from "./inspection.js"
export { contentJson, contentWords, type Sendable } from "./kinds/contents.js"
export { eventSeverity, eventWords, type ToldEvent } from "./kinds/events.js"
export type { Advice, EventReader } from "./kinds/reader.js"
export type { Severity } from "./kinds/table.js"
export type { Line, LineFault } from "./line.js"
export { Client } from "./opening.js"
export type { Waiting } from "./service/patience.js"
export { MemoryProfile, memoryStore } from "./store/memory.js"
export type { ListOptions, Store, StoreChanges, StoreRecord } from "./store/store.js"
