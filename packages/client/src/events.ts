import type { ShownEvent } from "./kinds/events.js"
import type { clientErrorCodes } from "./kinds/trouble-events.js"

export type { Content } from "./kinds/contents.js"

/** The kinds of event are rows of a table: see `kinds/events.ts` for their fields. */
export type ClientEventBody = ShownEvent

/**
 * What happened, in the order in which it happened, each with a number of its own. Events are durable: an event is
 * written in the same transaction as the change it reports, and stays until it has been acknowledged: a program that
 * never reads them lets its profile grow.
 */
export type ClientEvent = ClientEventBody & {
  /** 1, 2, 3, … for the life of the profile; never reused. An application that keeps it can recognise a repetition. */
  readonly number: number
}

/** An event of one kind. */
export type EventOf<K extends ClientEventBody["type"]> = Extract<ClientEventBody, { readonly type: K }>

/** A message of another member, or of another device of this person. */
export type MessageEvent = EventOf<"message">

/** A message of this device is ordered: it has its place in the conversation. */
export type SentEvent = EventOf<"sent">

/**
 * A member added this device to a conversation, or added it again after `lost`. If that was an invitation to answer (see
 * `ClientPolicy.invitations`), it has been accepted.
 */
export type JoinedEvent = EventOf<"joined">

/** A member set the title. */
export type TitleEvent = EventOf<"title">

/**
 * The members changed. Names, not devices: a further device of a member is not reported here. Each name is in one list,
 * the one that says who really did it.
 */
export type MembersEvent = EventOf<"members">

/** A member renewed keys, and nothing else changed. */
export type RefreshedEvent = EventOf<"refreshed">

/** This device is no longer a member: it left (`by` is this person's name), or was removed. It reads nothing after that. */
export type LeftEvent = EventOf<"left">

/**
 * An alarm: show it. A name uses a key that was not pinned for it. It is a new device, a new installation, or an attacker
 * who impersonates that person: compare safety codes.
 *
 * `accepted` is true if a key that was pinned before endorsed the new one and the client's policy accepts that; the
 * new key is then pinned too. Otherwise nothing was accepted: `client.approveKey(name, signatureKey)` does so, and
 * continues what waited for it (a halted conversation; an invitation has to be made again).
 */
export type KeyChangedEvent = EventOf<"keyChanged">

/**
 * A device of `name` was revoked, by a device of the same name. With a conversation: the member `by` has taken it out there. For this person's own name it is an alarm: `signatureKey` says whether it is this very device, which can do nothing
 * more then but show what it has (`REVOKED`).
 */
export type DeviceRevokedEvent = EventOf<"deviceRevoked">

/**
 * A recovery key of a name was made or replaced: of this person's own, on all devices but the one that did it. `refused`: the
 * directory shows another one than this device knows, of whoever's name.
 */
export type RecoveryKeyEvent = EventOf<"recoveryKey">

/** `name` has a new device, for which their recovery key has signed; it is accepted as an endorsed one is. */
export type ReturnedEvent = EventOf<"returned">

/** A wish failed for good; the promise of the call rejected too, if it was still awaited. */
export type FailedEvent = EventOf<"failed">

/**
 * Something that came in was refused and skipped; the conversation goes on.
 *
 * Some codes ask for attention. `FALSE_ANSWER`: somebody answered this device's knock, and the answer does not lead to where
 * it has to: a member tried to lead this device somewhere else, or the service did. This device knocks again. `UNSIGNED`: the
 * service has not signed what it shows. `WITHHELD`: it says that a message has expired, which is younger than a day. `FALSE_HEAD`: the
 * log that it shows a newcomer does not go on from what the inviter had read.
 */
export type RejectedEvent = EventOf<"rejected">

/**
 * A commit added a member whom this client does not accept. The conversation is followed as before, but until
 * `approveKey`, or until that member has been removed, nothing is sent in it, and nothing that the member says is shown.
 * Messages and invitations wait; `remove`, `refresh` and `leave` do not.
 */
export type HaltedEvent = EventOf<"halted">

/**
 * The log could not be followed, and a member let this device in again: `by`. Messages sent in between are missing. Who is
 * there now and was not before, or the other way round, follows as an event `members`, before anything is sent.
 */
export type RecoveredEvent = EventOf<"recovered">

/**
 * The log cannot be followed (status `recovering`): `reason` names the commit, and its author where that is known. This
 * device asks the members to let it in again, and follows and sends nothing until one of them has. Where none does, a person
 * calls `conversation.restart()`.
 */
export type StuckEvent = EventOf<"stuck">

/**
 * An alarm: show it. The log has something that is signed as this device and that this device did not make, or a member
 * has let a device in as this one, which did not ask for it. An older copy of this device was put back, a member has called
 * `conversation.reinvite` for a device that had not lost the conversation, or somebody has a copy: a thief does what the device can until its keys are renewed by the device itself.
 */
export type CopiedEvent = EventOf<"copied">

/**
 * An alarm: show it. What a member has read of the log is not what this device has read: the service shows different
 * histories, or the member's word is false. `accused` is who the signatures say it is. Where the service has signed both
 * histories, `evidence` proves it to anybody: see `verifyEvidence`. Each member is reported once while the client is open.
 */
export type ContradictedEvent = EventOf<"contradicted">

/**
 * The Delivery Service is not as it was. `restored`: from a backup, as the key that this device knows has signed; `replaced`: by
 * one that this key has not signed for, which is an alarm.
 */
export type ServiceEvent = EventOf<"service">

/**
 * A member has registered a key with the service that no other member can know, so that nobody else can write (status
 * `stopped`). What was said stays readable; to go on, a person calls `conversation.restart({ without: [by] })`.
 */
export type StoppedEvent = EventOf<"stopped">

/**
 * This device is no longer a member and cannot come back on its own, or the service has not known the conversation for a
 * week: a member has to remove and invite this name again. History is kept.
 */
export type LostEvent = EventOf<"lost">

/**
 * A person invites this one to a conversation, whose status is `invited` until `conversation.accept()` or
 * `conversation.decline()`. `by` has signed the invitation. No other event of it follows before it is accepted. `continues`
 * says which conversation it takes the place of, if any, and who is new or left out: show that before the person answers.
 */
export type InvitedEvent = EventOf<"invited">

/**
 * A device of `name` was added and declined: the next commit removes it.
 */
export type DeclinedEvent = EventOf<"declined">

/**
 * A member has asked the service to delete its copy of the conversation, at `goneAt`: any message keeps it. Found out once a day,
 * and reported once for each such time while the client is open.
 */
export type RetiredEvent = EventOf<"retired">

/**
 * This device's name was erased at the service: by another of its devices, or the operator. Nothing works any more there; reported
 * once while the client is open.
 */
export type ErasedEvent = EventOf<"erased">

/** A service is busy; reported once for each time. See `client.waiting`. */
export type ThrottledEvent = EventOf<"throttled">

/** A service supports newer versions only: nothing is sent or read there until this program has been updated. */
export type UpdateEvent = EventOf<"update">

/**
 * The service refuses what it used to do for this device or conversation. Nothing is given up: the client asks
 * again, less and less often, for days. Reported once, until it works again.
 */
export type UnavailableEvent = EventOf<"unavailable">

/**
 * The service says that there is no such conversation, refuses to show it, or shows another log than before. That may be a
 * fault of the service: nothing is destroyed, wishes wait, and this device asks again for a week. Reported once.
 */
export type MissingEvent = EventOf<"missing">

/**
 * The service refused a commit or a message of this device for a reason that may pass, such as a full quota: this device
 * sends it again, less and less often.
 */
export type DeferredEvent = EventOf<"deferred">

/**
 * A person whom this device knows already changed their display name: show it, always with the name. What the directory
 * says at first contact is not an event.
 */
export type DisplayNameEvent = EventOf<"displayName">

/** Why a wish or a call failed. */
export type ClientErrorCode = (typeof clientErrorCodes)[number]
