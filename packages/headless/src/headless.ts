/// <reference lib="esnext.disposable" preserve="true" />
import type { Client, ClientEvent, Conversation, PersonLabel, TreeNode } from "@conclave/client"
import type { Draft } from "./drafts.js"
import type { Channel, Keep } from "./keep/keep.js"
import type { ConversationSummary, InvitationSummary } from "./list.js"
import type { Comparison, MemberDevice } from "./members.js"
import type { Notice } from "./notice.js"
import type { KeptCommit, Renewal, Setting } from "./records.js"
import type { SearchHit, SearchOptions } from "./search.js"
import type { ShownAlert } from "./shown-alerts.js"
import type { Thread } from "./thread.js"
import type { Timers } from "./timers.js"

export interface HeadlessOptions {
  /** Where what is the view's own is kept. Default: in memory, for as long as the process lives. Closed with the headless. */
  readonly keep?: Keep
  /** Tells other windows with the same {@link keep} what has been changed here. Closed with the headless. */
  readonly channel?: Channel
  /** Messages in a page; default 60. */
  readonly pageSize?: number
  /** Messages of one thread in memory while its end is followed; default 300, and two pages at least. */
  readonly windowMax?: number
  /** A draft is written so long after it was changed; default 150. */
  readonly draftDelayMilliseconds?: number
  /** Keep what each commit does to the ratchet trees, for {@link Headless.renewal}; default false, as it costs. */
  readonly followTrees?: boolean
  /** Unix time in milliseconds. Default: `Date.now`. */
  readonly now?: () => number
  /** Default: the platform's. */
  readonly timers?: Timers
}

/** What there is to draw beside a thread. The object and each of its parts stay the same as long as nothing in them changes. */
export interface HeadlessSnapshot {
  /** Those that are neither archived nor deleted; what was told of last comes first. */
  readonly conversations: readonly ConversationSummary[]
  readonly archived: readonly ConversationSummary[]
  /** Those that wait for an answer, the ones of blocked people left out. */
  readonly invitations: readonly InvitationSummary[]
  /** The oldest first; an update that is needed before all others. */
  readonly alerts: readonly ShownAlert[]
  /** Keys that the user did not want to approve: see {@link Headless.reconsiderKey}. */
  readonly refusedKeys: readonly ShownAlert[]
  /** Messages that the user has not seen, in conversations that are neither muted nor archived. */
  readonly unread: number
  /** Names, in the order in which they were blocked. */
  readonly blocked: readonly string[]
  /** In front, see {@link Headless.show}. */
  readonly shown: string | undefined
  /** Why what is told cannot be kept: what the {@link Keep} or the client said last. `undefined` once it is kept. */
  readonly fault: string | undefined
  /** There is no room left: see {@link fault}. It goes on when there is. */
  readonly isFull: boolean
  /** The service speaks newer versions only. */
  readonly isOutdated: boolean
  /** The client has been closed: nothing comes any more. */
  readonly isClosed: boolean
}

/** An event, when what follows from it is in the snapshots. */
export interface Told {
  readonly event: ClientEvent
  /** What is kept of it between the messages; `undefined` where nothing is. */
  readonly notice: Notice | undefined
  /** Its conversation is in front. */
  readonly isShown: boolean
}

/**
 * What stands between a client and a view: no words, no elements, no framework. Everything that is drawn is in snapshots
 * that do not change; everything that a person does is a method. `useSyncExternalStore(headless.subscribe,
 * headless.getSnapshot)` draws it, and so do signals.
 *
 * It reads the client's events, and acknowledges them when what follows from them has been stored: nothing else may.
 * Others look on with `client.events({ peek: true })`, or {@link listen}.
 */
export interface Headless extends AsyncDisposable {
  readonly client: Client
  /** The user's own name. */
  readonly name: string
  /** Bound: it may be passed on alone. */
  readonly getSnapshot: () => HeadlessSnapshot
  /** Calls `listener` after changes, once for all of one turn. Returns a function that stops it. Bound as well. */
  readonly subscribe: (listener: () => void) => () => void
  /** Calls `listener` with each event, once in the life of the profile. Returns a function that stops it. */
  listen(listener: (told: Told) => void): () => void

  /** The messages of a conversation, one object for each. Reads nothing before `load`, or {@link show}. */
  thread(id: string): Thread
  /** This conversation is in front; `undefined`: none is. Its messages count as read while somebody looks. */
  show(id: string | undefined): void
  /** Whether somebody looks: a page says so by its visibility. Default: true. */
  attend(isLooking: boolean): void
  /** The user has read everything in a conversation. */
  markRead(id: string): void

  draft(id: string): Draft
  /** Tells nobody in this window: the field shows it already. */
  setDraft(id: string, text: string): void

  mute(id: string, isMuted: boolean): void
  /** Out of the list, until a message of somebody else comes; of a muted one, until it is taken out. */
  archive(id: string, isArchived: boolean): void
  /**
   * Out of the lists, with its draft, its notices and what was not sent; what was said so far is shown no more, also if the
   * user is invited again. The client keeps its own records of it.
   *
   * @throws {TypeError} for one that the user is still in: `Conversation.leave` comes first
   */
  delete(id: string): void

  /** Throws what `Conversation.accept` throws. */
  accept(id: string): Promise<void>
  /** Resolves when the invitation is gone from the list; the others are told as soon as the service can be reached. */
  decline(id: string): Promise<void>
  /**
   * What this person says is shown nowhere, also in groups with others, and counts nowhere; their invitations are declined,
   * those that wait included. They are not told.
   */
  block(name: string): void
  unblock(name: string): void

  /** Pins the key of an alert, after comparing. Throws what `Client.approveKey` throws. */
  approveKey(alert: string): Promise<void>
  /** Not now: the alert is out of sight. */
  refuseKey(alert: string): void
  /** The alert is in sight again. */
  reconsiderKey(alert: string): void
  /** The alert has been seen: it does not come again, here or in another window. */
  dismiss(alert: string): void

  /**
   * Goes on in a new group, see `Conversation.restart`. Resolves when it is in the list: the service and the members may
   * hear of it later.
   */
  restart(id: string, options?: { readonly without?: readonly string[] }): Promise<Conversation>

  /** The application's own settings, of any names. */
  setting(key: string): Setting | undefined
  setSetting(key: string, value: Setting | undefined): void

  /** Looks for messages that contain every word, among those that are on this device. Work is done as results are asked for. */
  search(words: string, options?: SearchOptions): AsyncIterable<SearchHit>

  /** How a person is shown. The same object as long as the display name is the same. */
  label(name: string): PersonLabel
  /** See `Conversation.safetyCode`. */
  safetyCode(id: string, name: string): string
  /** Whether the user has compared the code that this conversation has with `name` now. */
  isCompared(id: string, name: string): boolean
  setCompared(id: string, name: string, isCompared: boolean): void
  /** The same, and whether there was another code before, that the user had compared. */
  comparison(id: string, name: string): Comparison
  /** See `Client.keyCode`. */
  keyCode(name: string, signatureKey: Uint8Array): string
  /** The devices with which people are in a conversation, by name. The same object as long as the tree is the same. */
  devices(id: string): ReadonlyMap<string, readonly MemberDevice[]>
  /** What is known of a key that came after the first one of a name; `undefined` for a first one, or after a long time. */
  newDevice(name: string, signatureKey: Uint8Array): { readonly at: number; readonly isApproved: boolean } | undefined
  /** Whether an alert about this key waits for the user, also where they did not want to decide. */
  isKeyOpen(name: string, signatureKey: Uint8Array): boolean
  /** The ratchet tree of the present epoch, and what the commit that began it did. */
  tree(id: string): readonly TreeNode[]
  renewal(id: string): Renewal | undefined
  /** The commits that this device has followed, kept with {@link HeadlessOptions.followTrees}: oldest first, 100 at most. */
  commits(id: string): readonly KeptCommit[]

  /** Resolves when everything so far is stored. */
  flush(): Promise<void>
  /** Stores what is not stored yet, and lets go of the keep. The client stays open. */
  close(): Promise<void>
}
