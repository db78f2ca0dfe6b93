/// <reference lib="esnext.disposable" preserve="true" />
import type { judgeDisplayName, nameFault, normalizeName, personLabel } from "@conclave/contracts/names"
import type { CryptoProvider, SignatureName } from "@conclave/crypto"
import type { PreparedJoin } from "@conclave/mls"
import type { Transport } from "@conclave/transport"
import type { Blobs } from "./blobs.js"
import type { ContinuedConversation, Conversation } from "./conversation.js"
import type { ClientEvent } from "./events.js"
import type { Line } from "./line.js"
import type { Waiting } from "./service/patience.js"
import type { Store } from "./store/store.js"

export interface ClientOptions {
  /**
   * This person's id: 1 to 128 letters, digits and ASCII signs, see {@link nameFault}; text that a person has typed goes
   * through {@link normalizeName} first. It may contain `/` and other signs that a file name must not. The first opening
   * of a profile registers it, for this profile alone; every later opening must give the same.
   */
  readonly name: string
  /**
   * What this person is called, see {@link judgeDisplayName}. The first opening of a profile publishes it, signed;
   * afterwards {@link Client.setDisplayName} does.
   */
  readonly displayName?: string
  /** The client owns it from here on: it closes the store when it is closed itself. */
  readonly store: Store
  /** Ways to the services; they may be one and the same. The client closes them. */
  readonly delivery: Transport
  readonly auth: Transport
  readonly provider: CryptoProvider
  /** 32 bytes: everything in the store is sealed with it. A profile whose key is lost cannot be opened. Copied. */
  readonly sealingKey: Uint8Array
  /** RFC 9420 §17.1, 1 to 7. Default: 1 (X25519, AES-128-GCM, SHA-256, Ed25519). Fixed by the first opening. */
  readonly suite?: number
  /** Unix time in milliseconds. Default: `Date.now`. */
  readonly now?: () => number
  /** Default: the provider's. */
  readonly random?: (length: number) => Uint8Array
  readonly policy?: Partial<ClientPolicy>
  /**
   * Follow the service's stream from the opening on (default). Otherwise nothing is read or sent but by {@link
   * Client.sync} and by the calls that wait for their own wish.
   */
  readonly live?: boolean
  /** For a further device of a name: gets the content to sign, see {@link Client.endorseDevice}. */
  readonly endorse?: (registration: Uint8Array) => Promise<Uint8Array>
  /**
   * For a new device of a name whose other devices are lost or stolen: its recovery key, see {@link Client.recovery}. Not kept. Every
   * other device is unknown to it then, until the recovery key revokes or keeps it.
   */
  readonly recovery?: string
  /** Verifies the signatures of a large group on other threads when this device joins it. */
  readonly verifyLeaves?: VerifyLeaves
  /**
   * Is told what this client does: pino, `console`, or anything of that form. Nothing that it is told identifies people
   * or contains what they say; see {@link Logger}. Default: none; what {@link Client.debugReport} shows is kept anyway.
   */
  readonly logger?: Logger
  /** Ends the opening, nothing later. */
  readonly signal?: AbortSignal
}

/**
 * Gets one call for each line, fields first, as pino takes them. Fields are numbers, flags and words of closed lists;
 * sizes are rounded up to a power of two. Conversations and people are pseudonyms (`c1`, `p1`), the same as long as the
 * client is open, also in {@link Client.debugReport}. No text of a person or a service is in any of them: no name, title,
 * message, key, group id or address, and of errors the class and the code alone. What a logger throws is passed over. It
 * is called in the middle of a step, and should return at once.
 */
export interface Logger {
  debug(fields: Record<string, unknown>, message: string): void
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
}

/**
 * Resolves with `true` if all signatures of a group's leaves were verified; with `false`, or where it rejects, the client
 * verifies them itself.
 */
export type VerifyLeaves = (
  scheme: SignatureName,
  join: Pick<PreparedJoin, "leaves" | "signatures">,
) => Promise<boolean>

/** Somebody has added this device to a conversation. Everybody in it has been judged, and `by` signed the invitation. */
export interface Invitation {
  readonly by: string
  /** `Conversation.id`. */
  readonly conversation: string
  readonly members: readonly string[]
  /** Where this device has been in the conversation before: what it was called then. */
  readonly title?: string
  /** See {@link Conversation.invitedToContinue}: the person is asked even if the answer is `accept`. */
  readonly continues?: ContinuedConversation
}

export type InvitationAnswer = "accept" | "ask" | "decline"

/** Nobody's list is filled by others. What is beyond is declined, without an entry in the list. */
export interface InvitationLimits {
  /** Conversations with the status `invited`, by one person; default 20. */
  readonly unansweredByInviter: number
  /** Invitations by one person in 24 hours, answered or not; default 100. */
  readonly perDayByInviter: number
  /** Conversations with the status `invited`, in all; default 500. */
  readonly unanswered: number
}

export interface ClientPolicy {
  /**
   * What an invitation by somebody else leads to: being in the conversation (`accept`, the default), or a conversation
   * with the status `invited` (`ask`); an invitation to continue a conversation in a new group is always put to the person,
   * and so is an invitation back into a conversation that this device cannot follow, or that was
   * stopped; one into a conversation that it has lost, unless a member whom it knows from there
   * sends it; one into a conversation that it has left, unless somebody sends it whom it has met. A function decides for each; where it throws, or takes longer than ten
   * seconds, the person is asked.
   */
  readonly invitations: "accept" | "ask" | ((invitation: Invitation) => InvitationAnswer | Promise<InvitationAnswer>)
  readonly invitationLimits: Partial<InvitationLimits>
  /** A new key of a known name that one of its pinned keys endorsed: `accept` (loudly, the default) or `ask`. */
  readonly endorsedKey: "accept" | "ask"
  /**
   * Keep messages for {@link Conversation.history} (default). Without, the events are all there is; those of a
   * conversation whose invitation waits are kept until it is answered.
   */
  readonly history: boolean
  /** Single-use key packages held at the service; default 20. */
  readonly keyPackages: number
  /** How long a key package is valid; default 90 days. */
  readonly keyPackageLifetimeSeconds: number
  /** The n-th member in the tree's order waits n times this before it carries out somebody's leaving; default 3,000. */
  readonly leaveDelayMilliseconds: number
  /**
   * A device renews its keys in a conversation when they are so old and it has spoken since, up to a quarter of the age later;
   * otherwise before it speaks next. Whoever had a copy of its state can do nothing more from then on. By default a week.
   */
  readonly renewAfterMilliseconds: number
  /** So many conversations at most are renewed by age in a day, beside those in which something is said. By default 50. */
  readonly renewalsPerDay: number
}

/** One of the devices that speak for a name, as the directory lists it. */
export interface PersonDevice {
  readonly signatureKey: Uint8Array
  readonly registeredAt: Date
  /** It is known by this profile: met, or approved. */
  readonly pinned: boolean
  /**
   * Its key is pinned, or a chain of endorsements leads to it from one that is: from the oldest device of the name,
   * where none is. Any other speaks under this name without the consent of the others.
   */
  readonly endorsed: boolean
}

/** What a member has said to who listens: see {@link Conversation.signal}. */
export interface Signal {
  readonly conversation: Conversation
  /** The name of its sender, whose device has signed it. */
  readonly from: string
  readonly content: Uint8Array
}

/** One of the devices of this client's own name, as the directory lists it. */
export interface OwnDevice extends PersonDevice {
  /** 64 hexadecimal digits: SHA-256 of cipher suite and key. */
  readonly id: string
  /** The id of the device that has signed for it; `undefined` for the first one of the name. */
  readonly endorsedBy: string | undefined
  /** The recovery key has signed for it, which `endorsedBy` names then as it does a device. */
  readonly recovered: boolean
  /** It is the one that this client is. */
  readonly isThisDevice: boolean
  /**
   * `undefined` for one that speaks for the name. `by`: the id of the device that has said so, `undefined` for the recovery
   * key; without it and the time, it fell with the device that had endorsed it.
   */
  readonly revoked: { readonly at: Date | undefined; readonly by: string | undefined } | undefined
}

/**
 * A recovery key: a key of this person's name that no device has. It is written down, revokes any device, the oldest too, brings a
 * new one where all are lost or stolen (`recovery` of the options of the opening), and erases the name. Nobody else can take a
 * name from its owner for good as long as there is one; whoever has it has the name.
 *
 * ```ts
 * const text = client.recovery.make()          // 36 digits and letters: show it, and let the person write it down
 * await client.recovery.set(text)              // only after that
 * ```
 */
export interface Recovery {
  /** A new one, at random, in groups of four. Nothing knows it yet, and nothing keeps it: it is not to be had again. */
  make(): string
  /** Whether the name has one. Rejects with `UNAVAILABLE`, or `REFUSED`. */
  isSet(options?: { readonly signal?: AbortSignal }): Promise<boolean>
  /**
   * Makes it the recovery key of this name: on the oldest device while the name has none, after that where `replaces` is the one
   * that it has. All other devices of the name are told, by the event `recoveryKey`. May be repeated. Throws `TypeError` for a text
   * that is none, and rejects with `REFUSED` where the name has another one, or an older device.
   */
  set(text: string, options?: { readonly replaces?: string; readonly signal?: AbortSignal }): Promise<void>
  /**
   * Revokes any device of the name, as {@link Client.revokeDevice} does those that came after this one. This device stays, and
   * what `keep` names: the recovery key endorses them. Rejects with `REFUSED` where it is not the one of the name.
   */
  revokeDevice(
    id: string,
    text: string,
    options?: { readonly keep?: readonly string[]; readonly signal?: AbortSignal },
  ): Promise<readonly OwnDevice[]>
  /** Erases the name as {@link Client.eraseAccount} does, whichever device this is. */
  eraseAccount(text: string): Promise<void>
}

/**
 * One person's device. Opening finishes what an earlier run left half done; one client at a time has a profile.
 *
 * ```ts
 * await using client = await Client.open({ … })
 * const team = await client.createConversation({ title: "team", members: ["bob"] })
 * await team.send("hello")
 * for await (const event of client.events()) if (event.type === "message") console.log(event.from, event.text)
 * ```
 */
export interface Client extends AsyncDisposable {
  readonly name: string
  /**
   * What a person is called, this one or another, as one of their devices has signed: verified with a key that is pinned
   * for the name. Anybody may choose any display name: show it together with the name, see {@link personLabel}.
   * `undefined` where none is known. It is refreshed when the directory is asked about the name for another reason.
   */
  displayName(name: string): string | undefined
  /**
   * Signs and publishes what this person is called; the empty text withdraws it. Throws `TypeError` for text that is not
   * a display name ({@link judgeDisplayName}), `ClientError` `UNAVAILABLE` or `REFUSED`; nothing has changed then.
   */
  setDisplayName(text: string): Promise<void>
  /** By id; those that were left included, because of their history. */
  readonly conversations: ReadonlyMap<string, Conversation>
  /** Whether everything there is to follow is being followed at the moment. Always false without `live`. */
  readonly online: boolean
  /** Why not, where `live` and not {@link online}: what the service or the network said last. */
  readonly offlineReason: string | undefined
  /** How news come, where not at once; {@link observe} says when it has changed. */
  readonly line: Line
  /**
   * Whether somebody looks. Meanwhile pauses between tries have at most ten seconds, and otherwise a minute; whoever begins
   * to look does not wait for one, see {@link reconnect}. In a page, `openClient` follows the page's visibility by itself; in
   * Node nobody looks until this is called.
   */
  attend(isLooking: boolean): void
  /**
   * Tries now what is waiting for its next try, but not what the service has asked to wait for, and looks whether open lines
   * still carry something. For a button, and for the moment after a sleep or a change of the network.
   */
  reconnect(): void
  /** A service has asked for patience: what needs it goes on by itself after that. */
  readonly waiting: Waiting | undefined

  /**
   * Resolves when the conversation exists at the service and the members have been added. Rejects with `UNKNOWN_NAME`
   * before anything has been made; a later failure leaves the conversation in {@link conversations}, without those
   * members.
   */
  createConversation(options: { readonly title?: string; readonly members?: readonly string[] }): Promise<Conversation>

  /**
   * Events from the oldest that is not acknowledged, then those that come, until `signal` ends it or the client is
   * closed. Asking for the next event acknowledges the one before: what a loop's body has completed is not seen again;
   * what it was in the middle of when the process died, or the client was closed, is. After `break` the last event
   * counts as not completed; call {@link acknowledge} first where it was. One such loop at a time (`TypeError`).
   *
   * With `peek`, nothing is acknowledged: any number of onlookers, each from the oldest event still there.
   */
  events(options?: { readonly signal?: AbortSignal; readonly peek?: boolean }): AsyncIterable<ClientEvent>
  /** Up to and including this number: they are deleted. Throws `TypeError` for what is no number of an event. */
  acknowledge(number: number): Promise<void>

  /**
   * Reads everything that the service has for this device and carries out all wishes, once. Rejects with a `ClientError`
   * `UNAVAILABLE` where the service does not answer; state is then as far as it came.
   */
  sync(options?: { readonly signal?: AbortSignal }): Promise<void>

  /**
   * Calls `listener` after each step and each change of {@link line}, to draw again. What it throws is passed over, and
   * logged. Returns a function that stops it.
   */
  observe(listener: () => void): () => void

  /**
   * The devices that the directory lists for a name at the moment. Rejects with `UNAVAILABLE`, or `REFUSED`; nobody of
   * that name has none.
   */
  devices(name: string, options?: { readonly signal?: AbortSignal }): Promise<readonly PersonDevice[]>
  /** This device's own public signature key. */
  readonly signatureKey: Uint8Array
  /**
   * 30 digits in 6 groups of 5, by which two people recognise one key of a name: each reads them from a screen of their own.
   * It is the half of `Conversation.safetyCode` that stands for somebody with that key alone.
   */
  keyCode(name: string, signatureKey: Uint8Array): string
  /** The signature keys that are pinned for a name: taken on first use, or approved. */
  pinnedKeys(name: string): Promise<readonly Uint8Array[]>
  /** Pins a further key of a name, after comparing; halted conversations go on. See the event `keyChanged`. */
  approveKey(name: string, signatureKey: Uint8Array): Promise<void>

  /**
   * Signs for a further device of this name, and pins its key; the bytes are what its {@link ClientOptions.endorse} got
   * and has to return. They have to come from that very device: a cable, a code on its screen. Throws `TypeError` for
   * anything but a registration of this name.
   */
  endorseDevice(registration: Uint8Array): Promise<Uint8Array>

  /** All devices of this name, those that were revoked too, the oldest first. Rejects with `UNAVAILABLE`, or `REFUSED`. */
  ownDevices(options?: { readonly signal?: AbortSignal }): Promise<readonly OwnDevice[]>
  /**
   * Revokes a device of this name for good: one that was registered after this one, as where it was lost or stolen, or this one.
   * `id` is that of {@link OwnDevice}. What it has endorsed is revoked with it, and what that has, but for those to `keep`, which
   * this device endorses; a device that revokes itself takes nothing with it. The directory lists them no more, nobody invites
   * them, and members take them out of every conversation: whoever of them is first online and has learned of it. Resolves
   * with all devices of the name that are revoked then. May be repeated. Rejects with `REFUSED` for an older device, one of
   * nobody or of somebody else, `REVOKED` where this one was revoked, or `UNAVAILABLE`; some of the devices may be revoked then.
   */
  revokeDevice(
    id: string,
    options?: { readonly keep?: readonly string[]; readonly signal?: AbortSignal },
  ): Promise<readonly OwnDevice[]>

  /**
   * Calls `listener` for each {@link Conversation.signal} that comes from other devices while this client is `live`: once, and
   * in no journal or history. Of a conversation's members, and not older than a minute. What the listener throws is passed
   * over, and logged. Returns a function that stops it.
   */
  onSignal(listener: (signal: Signal) => void): () => void

  /** The recovery key of this name, which is kept apart from all devices. */
  readonly recovery: Recovery

  /** Large content at the service, beside the conversations. */
  readonly blobs: Blobs

  /**
   * All that the service holds under this name, as JSON: devices, key packages, sizes and times of what waits in inboxes, and in
   * plain words what it cannot know. Rejects with `UNAVAILABLE`, or `REFUSED`.
   */
  exportAccount(): Promise<string>
  /**
   * Erases this name at the service for good, for all of its devices: nobody can register it again. Only the oldest device that
   * speaks for the name can, and where the name has a recovery key only that (`recovery.eraseAccount`): else it is `REFUSED`, and
   * nothing is left. Conversations are left
   * first, as far as that succeeds within ten seconds; in the others the members see somebody who never answers, and can
   * remove them. What other people have read stays with them, and this profile's store is the application's to delete. All
   * devices of the name get the event `erased`. May be repeated. Rejects with `UNAVAILABLE`, or `REFUSED`.
   */
  eraseAccount(): Promise<void>

  /**
   * A text for a report of a fault: at most 64 KiB of ASCII. It says which versions these are, in which state everything
   * is, and what the client did last; what a {@link Logger} is not told is not in it either, and times are relative.
   * It asks no service, and changes nothing. It never rejects, also when the store fails or the client is closed: what
   * cannot be read is said to be so. Reading the store is given up after five seconds.
   */
  debugReport(): Promise<string>

  /**
   * Resolves when the client has been closed: with the reason where it had to close by itself, because its store was
   * taken away (`STORE_LOCKED`, `STORE_FAILED`).
   */
  readonly closed: Promise<Error | undefined>
  /** Stops, completes the step that runs, and closes store and transports. Wishes stay for the next opening. */
  close(): Promise<void>
}
