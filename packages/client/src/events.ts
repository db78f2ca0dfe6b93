import type { Conversation } from "./conversation.js"

/**
 * What happened, in the order in which it happened, each with a number of its own. Events are durable: an event is
 * written in the same transaction as the change it tells of, and stays until it has been acknowledged: a program that
 * never looks at them lets its profile grow.
 */
export type ClientEvent = ClientEventBody & {
  /** 1, 2, 3, … for the life of the profile; never reused. An application that keeps it can recognise a repetition. */
  readonly number: number
}

export type ClientEventBody =
  | MessageEvent
  | SentEvent
  | JoinedEvent
  | TitleEvent
  | MembersEvent
  | RefreshedEvent
  | LeftEvent
  | KeyChangedEvent
  | FailedEvent
  | RejectedEvent
  | HaltedEvent
  | RecoveredEvent
  | LostEvent
  | MissingEvent
  | DeferredEvent
  | InvitedEvent
  | DeclinedEvent
  | ThrottledEvent
  | UpdateEvent
  | UnavailableEvent
  | DisplayNameEvent

/** The content of a message: exactly one of `text` and `bytes` is there. */
export interface Content {
  readonly text?: string
  readonly bytes?: Uint8Array
}

/** Somebody else's message. */
export interface MessageEvent extends Content {
  readonly type: "message"
  readonly conversation: Conversation
  /**
   * 32 hexadecimal digits, chosen by the sender: a member can repeat the id of another message. Use {@link seq} to tell
   * messages apart.
   */
  readonly messageId: string
  /** The message's place in the conversation, as in `Message.seq`; `undefined` if stored by a version before 0.2. */
  readonly seq: number | undefined
  /** The sender's name. To show it, see `personLabel`. */
  readonly from: string
  /** By the sender's clock: not to be trusted more than the sender. */
  readonly sentAt: Date
}

/** A message of one's own has its place in the conversation. */
export interface SentEvent extends Content {
  readonly type: "sent"
  readonly conversation: Conversation
  readonly messageId: string
  /** As in {@link MessageEvent.seq}. */
  readonly seq: number | undefined
  readonly sentAt: Date
}

/**
 * Somebody has added this device to a conversation, or added it again after `lost`; where that was a request (see
 * `ClientPolicy.invitations`), it has been accepted.
 */
export interface JoinedEvent {
  readonly type: "joined"
  readonly conversation: Conversation
  readonly members: readonly string[]
}

export interface TitleEvent {
  readonly type: "title"
  readonly conversation: Conversation
  readonly from: string
  readonly title: string
}

/**
 * The members have changed. Names, not devices: a further device of a member is not reported here. Each name is in one
 * list, the one that says who really did it.
 */
export interface MembersEvent {
  readonly type: "members"
  readonly conversation: Conversation
  /** Who committed it: whoever is in `added` and `removed` was added and removed by this member. */
  readonly by: string
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** They asked for it themselves; `by` only carried it out. */
  readonly left: readonly string[]
  /** Devices of these members could not follow the conversation and came back by themselves; `by` is one of them. */
  readonly rejoined: readonly string[]
}

/** Somebody renewed keys, and nothing else changed. */
export interface RefreshedEvent {
  readonly type: "refreshed"
  readonly conversation: Conversation
  readonly by: string
}

/** This device is no longer a member: it left (`by` is one's own name), or was removed. It reads nothing from here on. */
export interface LeftEvent {
  readonly type: "left"
  readonly conversation: Conversation
  readonly by: string
}

/**
 * LOUD: show it. A name speaks with a key that was not pinned for it. It is a new device, a new installation, or
 * somebody who pretends to be that person: compare safety codes.
 *
 * `accepted` is true if a key that was pinned before endorsed the new one and the client's policy takes that; the new
 * key is then pinned too. Otherwise nothing was accepted: `client.approveKey(name, signatureKey)` does so, and goes on
 * with what waited for it (a halted conversation; an invitation has to be made again).
 */
export interface KeyChangedEvent {
  readonly type: "keyChanged"
  readonly conversation: Conversation | undefined
  readonly name: string
  readonly signatureKey: Uint8Array
  /** A device that was pinned before has signed for the new one. */
  readonly endorsed: boolean
  readonly accepted: boolean
}

/** A wish has ended without success, for good; the promise of the call rejected too, if it was still awaited. */
export interface FailedEvent {
  readonly type: "failed"
  readonly conversation: Conversation
  readonly wish: "create" | "invite" | "remove" | "send" | "title" | "refresh" | "leave"
  readonly names: readonly string[]
  readonly code: ClientErrorCode
  readonly reason: string
}

/**
 * Something that came in was refused and passed over; the conversation goes on.
 *
 * Two codes ask for attention:
 *
 * - `CANNOT_REJOIN`: this device cannot follow a commit that others may be able to follow (the reason names whose it is,
 *   where that is known), and what the service has to rejoin by is not from a member it knew. The conversation waits
 *   (status `recovering`), and tries again by itself: the next commit of a member who could follow helps.
 * - `LATER_EPOCH`: a member has signed for an epoch that this device did not get to by the log that it was shown. Ask
 *   another member, in another way, to remove and invite this name again.
 */
export interface RejectedEvent {
  readonly type: "rejected"
  readonly conversation: Conversation | undefined
  readonly code: string
  /** Of the first one, where there were several. */
  readonly reason: string
  /** How often it has happened since this event was new: the same again, until the event is read, is counted here. */
  readonly count: number
}

/**
 * A commit has brought in somebody whom this client does not accept. The conversation is followed as before, but until
 * `approveKey`, or until they have been removed, nothing is sent in it, and nothing that they say is shown. Messages and
 * invitations wait; `remove`, `refresh` and `leave` do not.
 */
export interface HaltedEvent {
  readonly type: "halted"
  readonly conversation: Conversation
  readonly names: readonly string[]
  readonly reason: string
}

/** The log could not be followed, and this device rejoined by an external commit. Messages in between are missing. */
export interface RecoveredEvent {
  readonly type: "recovered"
  readonly conversation: Conversation
  readonly reason: string
}

/**
 * This device is no longer a member and cannot come back by itself, or the service has not known the conversation for a
 * week: a member has to remove and invite this name again. History is kept.
 */
export interface LostEvent {
  readonly type: "lost"
  readonly conversation: Conversation
  readonly reason: string
}

/**
 * Somebody asks this person into a conversation, whose status is `invited` until `conversation.accept()` or
 * `conversation.decline()`. `by` has signed the invitation. Nothing more is told of it until it is accepted.
 */
export interface InvitedEvent {
  readonly type: "invited"
  readonly conversation: Conversation
  readonly by: string
  readonly members: readonly string[]
}

/**
 * A device of `name` was added, and does not want to be: the next commit removes it. `reason`: `declined` by the person
 * or the program; `unverified`: somebody in the conversation is not who they say they are to that device; `limit`: too
 * many invitations by the same person.
 */
export interface DeclinedEvent {
  readonly type: "declined"
  readonly conversation: Conversation
  readonly name: string
  readonly reason: "declined" | "unverified" | "limit"
}

/** A service is busy; once for each time that it does. See `client.waiting`. */
export interface ThrottledEvent {
  readonly type: "throttled"
  readonly conversation: undefined
  readonly service: "delivery" | "auth"
  readonly retryAt: Date
}

/** A service speaks newer versions only: nothing is sent or read there until this program has been updated. */
export interface UpdateEvent {
  readonly type: "update"
  readonly conversation: undefined
  readonly service: "delivery" | "auth"
  readonly reason: string
}

/**
 * The service refuses what it used to do for this device or conversation. Nothing is given up: it is asked again, less
 * and less often, for days. Told once, until it works again.
 */
export interface UnavailableEvent {
  readonly type: "unavailable"
  readonly conversation: Conversation | undefined
  readonly reason: string
}

/**
 * The service says that there is no such conversation, or refuses to show it. That may be a fault of the service:
 * nothing is destroyed, what is wished waits, and this device asks again for a week. Told once.
 */
export interface MissingEvent {
  readonly type: "missing"
  readonly conversation: Conversation
  readonly reason: string
}

/**
 * The service refused a commit or a message of this device for a reason that may pass, as when there is no room left: it
 * is sent again, less and less often.
 */
export interface DeferredEvent {
  readonly type: "deferred"
  readonly conversation: Conversation
  /** What waits; empty for a commit that only lets members go who asked for it. */
  readonly wishes: readonly FailedEvent["wish"][]
  readonly reason: string
  readonly retryAt: Date
}

/**
 * Somebody whom this device knows already has another display name than before: show it, always with the name. What the
 * directory says at first contact is no event.
 */
export interface DisplayNameEvent {
  readonly type: "displayName"
  readonly conversation: undefined
  readonly name: string
  readonly before: string | undefined
  readonly after: string | undefined
}

/** Why a wish or a call failed. */
export type ClientErrorCode =
  | "UNKNOWN_NAME"
  | "NAME_TAKEN"
  | "NO_KEY_PACKAGE"
  | "KEY_CHANGED"
  | "NOT_A_MEMBER"
  | "TOO_LARGE"
  | "REFUSED"
  | "LOST"
  | "STORE_FAILED"
  | "STORE_LOCKED"
  | "WRONG_PROFILE"
  | "UNAVAILABLE"
  | "UPDATE"
  | "CLOSED"
