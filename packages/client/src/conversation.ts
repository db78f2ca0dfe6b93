import type { Inspection } from "./inspection.js"
import type { Content, Sendable } from "./kinds/contents.js"

/**
 * A conversation as an application sees it: a title, members, messages. Wishes (`invite`, `send`, …) are durable: once
 * the call has stored them they are carried out, also after a crash or without a network for days.
 *
 * Each wish resolves when the service has accepted it and this device has applied it; it rejects with {@link
 * ClientError} if it can never succeed. Without a network it waits. A `signal` ends the waiting, not the wish. Closing the
 * client rejects the calls that still wait with `CLOSED`; their wishes stay for the next opening. Catch the rejection of a
 * call that is not awaited, or Node ends the process.
 *
 * The properties show the state of the last completed step; they change between turns of the event loop only. What a call
 * has asked for is not in them before it has been stored: a message is in `pending` soon after `send`, not at once.
 */
export interface Conversation {
  /** 64 hexadecimal digits: MLS's group_id. */
  readonly id: string
  /** Empty until the title is known. */
  readonly title: string
  readonly status: ConversationStatus
  /** The service does not show it, or not as it should (event `missing`). This device asks again for a week. */
  readonly missing: boolean
  /** Names, sorted, each once, one's own included. Empty where `status` is `left`. */
  readonly members: readonly string[]
  /** While `status` is `invited`: the name of the member who signed the invitation. */
  readonly invitedBy: string | undefined
  /**
   * While `status` is `invited`: the conversation that this one was made to continue, if this device cannot go on there and
   * a member of it says so. {@link accept} then makes one conversation of both.
   */
  readonly invitedToContinue: ContinuedConversation | undefined
  /** The conversation before this one: {@link history} goes back into it, and `client.conversations` does not list it. */
  readonly continues: Conversation | undefined
  /** The conversation that takes the place of this one. */
  readonly continuedBy: Conversation | undefined
  /** Messages of this device that have no place in the conversation yet, oldest first. */
  readonly pending: readonly PendingMessage[]

  /**
   * A text, bytes, or all fields of one kind of content: `{ text }`. At most 64 KiB. Resolves with the message's id.
   *
   * @throws TypeError for fields that no kind has
   */
  send(content: string | Uint8Array | Sendable, options?: WishOptions): Promise<string>
  /**
   * Says something that is worth nothing later (that one types, is there, or calls) to who listens at this moment, by
   * {@link Client.onSignal}: at most 512 bytes, encrypted and signed, and kept nowhere, neither here nor at the service. It is
   * tried once, and may not come. What resolves says that the service has passed it on, not that anybody got it.
   *
   * @throws {ClientError} `TOO_LARGE`, `NOT_A_MEMBER` where the status is not `active`, `REFUSED`, `UNAVAILABLE` where the
   *   service does not answer, or has no time for it
   */
  signal(content: Uint8Array): Promise<void>
  /** Adds every device of each name. A name that is there already is no error. */
  invite(...names: readonly string[]): Promise<void>
  /**
   * Takes every device of each name out and in again, by a new invitation: for a member whose device lost the conversation and
   * cannot come back by itself, such as one whose copy is older than its keys. That device is told that it was not itself
   * who asked (event `copied`, an alarm), if it can follow: only for somebody who has asked for it. A device without a key package is left as it is.
   */
  reinvite(...names: readonly string[]): Promise<void>
  /**
   * Makes a new group in the place of one in which nobody can go on (status `stopped`), which this device cannot follow
   * and nobody has let it in again (`recovering`), or which the service does not show (event `missing`; should it come back,
   * what is said there is followed, unlisted): same title, and all names of the last member list but `without`, who are
   * asked. The returned conversation takes the place of this one in `client.conversations` at once: its history goes back
   * into this one, messages that wait here are sent there, and every other call that waits rejects with `CONTINUED`. Resolves
   * when the service has the new group and the members have been added, as {@link Client.createConversation} does. It is for
   * a person to decide: the client never does it on its own.
   *
   * @throws {ClientError} `REFUSED` where this conversation is none of these, `CONTINUED` where it goes on elsewhere already,
   *   `NOT_A_MEMBER` for a name in `without` that is not in it, `UNKNOWN_NAME` for a member who has no device any more;
   *   nothing has been made then
   */
  restart(options?: { readonly without?: readonly string[] }): Promise<Conversation>
  /** Removes every device of each name. A name that is gone already is no error. Not for one's own name: `leave`. */
  remove(...names: readonly string[]): Promise<void>
  /** At most 256 bytes of UTF-8. Every member may set it. */
  setTitle(title: string): Promise<void>
  /** Renews one's own keys: heals what an attacker who had read this device's state could have followed. */
  refresh(): Promise<void>
  /**
   * Takes an invitation (status `invited`): the event `joined` follows, then the title and the messages that have come
   * while it waited, each in an event. Does nothing for a conversation one is in. Where it continues another one, that
   * becomes `continued`; rejects with `UNAVAILABLE` where this device lost its place there while it was sending, and the
   * service does not show whether it has the message.
   */
  accept(): Promise<void>
  /**
   * Refuses an invitation: it is gone from `client.conversations` at once, and nothing more is read. Resolves when the
   * service has it for the others, who get the event `declined`. Throws `TypeError` where there is no invitation.
   */
  decline(): Promise<void>
  /**
   * Asks to be removed and reads no message from now on; resolves when the service has the request. The others'
   * clients carry it out; the event `left` tells.
   */
  leave(): Promise<void>

  /**
   * Has the service keep its copy of this conversation for so many days, instead of as long as the operator says, which
   * is also the most. What is left out is the operator's again. It is about that copy alone: what members have read
   * stays in their histories. Every member may set it, and the last one holds; less than before holds after a notice of a
   * week, more at once. A member who is away for longer than that never sees the messages in between; one who is away for
   * longer than `handshakes` has to be let in again. Others learn it by {@link keptAtService}: there is no event.
   *
   * @throws {ClientError} `REFUSED` below the least that the service allows, `NOT_A_MEMBER`, `UNAVAILABLE`
   * @throws {TypeError} for what is no number of days
   */
  keepAtService(times: KeepingTimes): Promise<KeptAtService>
  /** What is kept, for how long, as the service says it now. */
  keptAtService(): Promise<KeptAtService>
  /**
   * Has the service delete all of this conversation after a week, unless any member says or does anything in it: the
   * others read what they have not read, and get the event `retired`; whoever wants to keep it sends a message. Then the
   * service does not know it any more (event `missing`); histories stay. A conversation that its last member leaves is
   * retired by that.
   *
   * @throws {ClientError} `REFUSED` where there is something that this device has not read, `NOT_A_MEMBER`, `UNAVAILABLE`
   */
  retireAtService(): Promise<KeptAtService>

  /**
   * Messages in the conversation's order, oldest first: the last `limit` (default 100) before `before`; those of the
   * conversations that it continues come before its own.
   */
  history(options?: { readonly before?: number; readonly limit?: number }): Promise<readonly Message[]>

  /**
   * 60 digits in 12 groups of 5 that this person and `name` compare by voice: the digits match only if there is no man in
   * the middle. Computed from both names and the signature keys with which they are in this very
   * conversation. Throws `ClientError` `NOT_A_MEMBER` where one of them is not.
   */
  safetyCode(name: string): string

  // --- For show: an application never needs these ---

  readonly epoch: bigint
  /** The same bytes at every member of the epoch (RFC 9420 §8.7). Empty where `status` is `left`. */
  readonly epochAuthenticator: Uint8Array
  /** The ratchet tree, node by node (RFC 9420 §4). */
  tree(): readonly TreeNode[]
  /** What this device knows of the conversation's keys, log and service at the moment. It reads nothing and asks nobody. */
  inspect(): Inspection
}

/** One node of the ratchet tree, in the array order of RFC 9420 appendix C: leaves at even indexes, parents at odd ones. */
export interface TreeNode {
  readonly nodeIndex: number
  readonly kind: "leaf" | "parent"
  readonly blank: boolean
  /** The epoch in which this node's key was made, as far as this device has seen it. */
  readonly renewedInEpoch: bigint | undefined
  /** Of a leaf that is filled: whose it is, and whether it is this device's. */
  readonly name: string | undefined
  readonly own: boolean
  /** Of a leaf that is filled: the public signature key of that device. */
  readonly signatureKey: Uint8Array | undefined
  /** Of a parent: leaves that do not know its private key yet. */
  readonly unmergedLeaves: readonly number[]
}

/** In days. */
export interface KeepingTimes {
  /** Messages, encrypted. */
  readonly messages?: number
  /** What a member who was away needs to follow. Not less than messages. */
  readonly handshakes?: number
}

/** What the service keeps of a conversation, in days. */
export interface KeptAtService extends Required<KeepingTimes> {
  /** What was asked for last, which holds from then on. */
  readonly wanted: Required<KeepingTimes> & { readonly from: Date }
  /** The least that may be asked for. */
  readonly least: Required<KeepingTimes>
  /** When all of it is deleted, where a member has retired it and nothing was said since. */
  readonly goneAt: Date | undefined
}

export interface WishOptions {
  readonly signal?: AbortSignal
}

/**
 * `invited`: somebody asks this person in, see `accept` and `decline`; nothing can be sent · `creating`: not at the
 * service yet · `active` · `halted`: somebody is in it whom this device does not accept; nothing is sent before
 * `approveKey`, or before they have been removed · `recovering`: cannot follow, and waits for a
 * member to let it in again · `stopped`: a member has locked the others out · `continued`: another one takes its place · `lost`: has to be invited again · `leaving`:
 * has asked to be removed · `left`: is no member.
 */
export type ConversationStatus =
  | "invited"
  | "creating"
  | "active"
  | "halted"
  | "recovering"
  | "stopped"
  | "continued"
  | "lost"
  | "leaving"
  | "left"

/** What an invitation continues, as this device sees it: nothing of it is believed of the one who invites. */
export interface ContinuedConversation {
  readonly conversation: Conversation
  /** Who made the group that continues it, or invites into it: a member of the old one, with a key that this device knows. */
  readonly by: string
  /** Members of the new one who are not in this device's last list of the old one's. */
  readonly added: readonly string[]
  /** Names of that list who are not in the new one. */
  readonly removed: readonly string[]
  /** Whether the list that `by` gives of the old one's members is the one that this device has. */
  readonly known: boolean
}

export interface PendingMessage extends Content {
  readonly messageId: string
  readonly sentAt: Date
}

export interface Message extends Content {
  readonly messageId: string
  /** The place in the conversation: grows, with gaps; by 2^40 with each restart. */
  readonly seq: number
  readonly from: string
  /** Sent by this device. */
  readonly own: boolean
  readonly sentAt: Date
}
