/**
 * What stands between the SDK and a view: lists, threads, unread counts, drafts, alerts, settings, search. No words, and
 * nothing of a framework.
 *
 * ```
 * headless.ts thread.ts        what a view sees: snapshots, and what a person can do
 *   open-headless.ts           both together, over one client
 *   follower.ts                events ─► what is kept ─► stored, then acknowledged
 *   list.ts timeline.ts shown-alerts.ts   pure: from what is kept to what is drawn
 *   messages.ts pages.ts       a window on a history, and the way forward in it
 *   drafts.ts search.ts trees.ts members.ts
 *   kept.ts records.ts migrations.ts      what is kept: in memory, as records, and the versions before
 *   keep/                      where records are kept: memory, IndexedDB; and what tells other windows
 * ```
 */
export type { Alert } from "./alerts.js"
export type { Draft } from "./drafts.js"
export type { Headless, HeadlessOptions, HeadlessSnapshot, Told } from "./headless.js"
export type { Channel, Keep } from "./keep/keep.js"
export { MemoryRecords, memoryChannel, memoryKeep } from "./keep/memory.js"
export type { ConversationSummary, InvitationSummary } from "./list.js"
export type { Comparison, MemberDevice } from "./members.js"
export type { ThreadMessage } from "./messages.js"
export { NewerRecordsError } from "./migrations.js"
export type { Notice } from "./notice.js"
export { openHeadless } from "./open.js"
export type { FailedMessage, FailureReason, KeptCommit, Renewal, Setting } from "./records.js"
export type { SearchHit, SearchOptions } from "./search.js"
export type { AlertAction, ShownAlert } from "./shown-alerts.js"
export type { Thread, ThreadSnapshot } from "./thread.js"
export type { TimelineItem } from "./timeline.js"
export type { Timers } from "./timers.js"
