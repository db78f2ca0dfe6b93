/** The SDK: conversations, durable state, events. Independent of the platform; see also `/node` and `/browser`. */
export { Client, type ClientOptions, type ClientPolicy } from "./client.js"
export type {
  Conversation,
  ConversationStatus,
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
  FailedEvent,
  HaltedEvent,
  JoinedEvent,
  KeyChangedEvent,
  LeftEvent,
  LostEvent,
  MembersEvent,
  MessageEvent,
  RecoveredEvent,
  RefreshedEvent,
  RejectedEvent,
  SentEvent,
  TitleEvent,
} from "./events.js"
export { MemoryProfile, memoryStore } from "./store/memory.js"
export type { ListOptions, Store, StoreChanges, StoreRecord } from "./store/store.js"
