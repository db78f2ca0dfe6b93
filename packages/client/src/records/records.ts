import {
  boolean,
  enumeration,
  fixed,
  opaque,
  optional,
  struct,
  type TypeOf,
  uint8,
  uint16,
  uint32,
  uint64,
  union,
  utf8,
  vector,
} from "@conclave/codec"

import { Interval } from "@conclave/contracts/access"
import { Device, RecoveryKey, Revocation } from "@conclave/contracts/auth"
import { EntryKind } from "@conclave/contracts/delivery"
import { HeadClaim } from "@conclave/contracts/heads"
import { KnockId } from "@conclave/contracts/knocks"
import { ChainLink } from "@conclave/contracts/log-chain"
import { Continues } from "../access/structs.js"
import { Outgoing } from "../kinds/wishes.js"

export { type NewEvent, StoredEvent, type StoredEventOf } from "../kinds/events.js"
export { type Claimed, Outgoing, Wish, type WishOf } from "../kinds/wishes.js"
export { type RecordKind, recordKindOf } from "./record-kinds.js"

/**
 * Every record that a client keeps, and under which key:
 *
 * ```
 *   profile                    Profile: name, suite, signature key, cursor of the inbox
 *   service                    PinnedService: by what keys the Delivery Service signs
 *   event/<number>             StoredEvent, until acknowledged; of a message in the history, a reference to it
 *   key-package/<ref>          StoredKeyPackage with its private keys, until used
 *   welcomed/<commit>          Welcomed: this device came in by that commit, with a key package of last resort
 *   key-packages-due           KeyPackagesDue, while they are to be replaced: this device has renewed its keys
 *   key-packages-replaced      KeyPackagesReplaced: when that was done last, or begun
 *   pin/<hidden name>          Pins
 *   revoked/<hidden name>      RevokedDevices: statements about devices of the name that hold
 *   recovery/<hidden name>     RecoveryKeys: those of the name that are trusted
 *   strange-devices            Pins: keys under one's own name that no device of one's own endorsed, and that were told of
 *   invitation/<id>            StoredInvitation, for a day or until it is answered
 *   person/<hidden name>       Person: the display name
 *   state/<id>                 ConversationState: cursor, status, title
 *   conversation/<id>/group/…  MLS group state, one record for each part that changes by itself
 *   conversation/<id>/interval/<n>  StoredInterval: the secrets of the intervals that this device has been in
 *   conversation/<id>/chain/<seq>  ChainPart: the last entries that were followed, without their bodies, and some before
 *   conversation/<id>/kept/<slot>  StoredHandshake: the last ones, should the service lose them
 *   conversation/<id>/knock    StoredKnock, while this device cannot follow: with the private keys to come back by
 *   conversation/<id>/outline  OutlineHead, and behind it its nodes: what is shown of the group without restoring it
 *   conversation/<id>/unapproved  Unapproved: keys in the tree that the user has still to judge
 *   conversation/<id>/commit   OutgoingCommit: the bytes that are (being) sent
 *   conversation/<id>/given-up GivenUp: what the service refused for good
 *   conversation/<id>/continuation  Continuation: the conversations before and after it, where it was restarted
 *   conversation/<id>/wish/<n> Wish: what the application asked for and is not done yet
 *   conversation/<id>/message/<seq>  StoredMessage: the history
 * ```
 */
export const recordKeys = {
  profile: "profile",
  service: "service",
  events: "event/",
  event: (number: number) => `event/${sortable(number)}`,
  keyPackages: "key-package/",
  keyPackage: (ref: string) => `key-package/${ref}`,
  welcomed: "welcomed/",
  welcomedBy: (commit: string) => `welcomed/${commit}`,
  keyPackagesDue: "key-packages-due",
  keyPackagesReplaced: "key-packages-replaced",
  pins: (hiddenName: string) => `pin/${hiddenName}`,
  revoked: "revoked/",
  revokedOf: (hiddenName: string) => `revoked/${hiddenName}`,
  recovery: "recovery/",
  recoveryOf: (hiddenName: string) => `recovery/${hiddenName}`,
  strangeDevices: "strange-devices",
  invitations: "invitation/",
  invitation: (id: string) => `invitation/${id}`,
  people: "person/",
  person: (hiddenName: string) => `person/${hiddenName}`,
  states: "state/",
  state: (id: string) => `state/${id}`,
  group: (id: string) => `conversation/${id}/group/`,
  outline: (id: string) => `conversation/${id}/outline`,
  outlineNodes: (id: string) => `conversation/${id}/outline/`,
  outlinePart: (id: string, part: number) => `conversation/${id}/outline/${sortable(part)}`,
  intervals: (id: string) => `conversation/${id}/interval/`,
  interval: (id: string, number: number) => `conversation/${id}/interval/${sortable(number)}`,
  chain: (id: string) => `conversation/${id}/chain/`,
  chainPart: (id: string, after: number) => `conversation/${id}/chain/${sortable(after)}`,
  kept: (id: string) => `conversation/${id}/kept/`,
  keptHandshake: (id: string, slot: number) => `conversation/${id}/kept/${sortable(slot)}`,
  entrance: (id: string) => `conversation/${id}/entrance`,
  knock: (id: string) => `conversation/${id}/knock`,
  unapproved: (id: string) => `conversation/${id}/unapproved`,
  commit: (id: string) => `conversation/${id}/commit`,
  givenUp: (id: string) => `conversation/${id}/given-up`,
  continuation: (id: string) => `conversation/${id}/continuation`,
  wishes: (id: string) => `conversation/${id}/wish/`,
  wish: (id: string, number: number) => `conversation/${id}/wish/${sortable(number)}`,
  conversation: (id: string) => `conversation/${id}/`,
  messages: (id: string) => `conversation/${id}/message/`,
  message: (id: string, seq: number) => `conversation/${id}/message/${sortable(seq)}`,
} as const

/** A number in decimal, as wide as the largest safe integer: the order of the keys is the order of the numbers. */
export function sortable(number: number): string {
  return number.toString().padStart(16, "0")
}

export const Profile = struct("Profile", {
  version: uint8,
  name: utf8,
  suite: uint16,
  signaturePrivateKey: opaque,
  signaturePublicKey: opaque,
  /** The Authentication Service has confirmed the name. */
  registered: boolean,
  /** The last inbox entry that has been dealt with. */
  inboxCursor: uint64,
  /** The number of the next event. */
  nextEvent: uint64,
})
export type Profile = TypeOf<typeof Profile>

/** What a device knows of its Delivery Service; see `contracts/heads`. */
export const PinnedService = struct("PinnedService", {
  /** Ed25519 public keys, the newest last: an older one has signed for it. At least one. */
  keys: vector(fixed(32)),
  incarnation: uint64,
  /** When this device heard of the restored backup that began it, Unix time in milliseconds. */
  restoredAt: optional(uint64),
})
export type PinnedService = TypeOf<typeof PinnedService>

export const StoredKeyPackage = struct("StoredKeyPackage", {
  /** As `encodeKeyPackageBundle` makes it. */
  bundle: opaque,
  lastResort: boolean,
  /** The service has confirmed it. */
  published: boolean,
  /** Unix time in seconds. */
  notAfter: uint64,
  /** Of one that others have replaced: until when its private keys are kept, Unix time in seconds. */
  keptUntil: optional(uint64),
})
export type StoredKeyPackage = TypeOf<typeof StoredKeyPackage>

/** Until when the private keys of the key package may be kept, Unix time in seconds: nobody opens the Welcome after that. */
export const Welcomed = struct("Welcomed", { until: uint64 })

/** Since when, Unix time in milliseconds. */
export const KeyPackagesDue = struct("KeyPackagesDue", { since: uint64 })
/** `at`: Unix time in milliseconds. Not `confirmed`: the service may hold the key packages from before. */
export const KeyPackagesReplaced = struct("KeyPackagesReplaced", { at: uint64, confirmed: boolean })
export type KeyPackagesReplaced = TypeOf<typeof KeyPackagesReplaced>

export const Pins = struct("Pins", { name: utf8, signatureKeys: vector(opaque) })

/** Of one name. `since`: when this device learned of it, Unix time in milliseconds; 0 where it has said so itself. */
export const RevokedDevices = struct("RevokedDevices", {
  name: utf8,
  devices: vector(struct("KnownRevocation", { device: Device, revocation: Revocation, since: uint64 })),
})
export type RevokedDevices = TypeOf<typeof RevokedDevices>

/** Of one name, the last one holds. `toldOf`: the signature of the one that was refused last, and told of; or empty. */
export const RecoveryKeys = struct("RecoveryKeys", { name: utf8, keys: vector(RecoveryKey), toldOf: opaque })
export type RecoveryKeys = TypeOf<typeof RecoveryKeys>

const InvitationAnswer = enumeration("InvitationAnswer", 1, { waiting: 1, accepted: 2, declined: 3, ended: 4 })
export const StoredInvitation = struct("StoredInvitation", {
  /** Whose signature was on the Welcome's GroupInfo. */
  by: utf8,
  /** Unix time in milliseconds. */
  at: uint64,
  /** `declined`: the others have not removed this device yet. `ended`: counted for a day, and nothing else. */
  answer: InvitationAnswer,
  /** How often this person has invited to this conversation, without a day's pause. */
  times: uint32,
  /** Nothing was there before it: the conversation is forgotten with it. */
  fresh: boolean,
  /** The seq of the Welcome's commit: messages behind it are kept, and told when the invitation is accepted. */
  since: uint64,
  /** Who has set the title meanwhile, which is told then; empty where nobody has. */
  titleFrom: utf8,
})
export type StoredInvitation = TypeOf<typeof StoredInvitation>
/** What a name's latest verified statement says: the display name, empty where it was withdrawn, and when it was made. */
export const Person = struct("Person", { name: utf8, text: utf8, at: uint64 })
export type Person = TypeOf<typeof Person>

const Status = enumeration("Status", 1, {
  creating: 1,
  active: 2,
  halted: 3,
  recovering: 4,
  lost: 5,
  leaving: 6,
  left: 7,
  stopped: 8,
  continued: 9,
})

/** A member's request to be removed, of this epoch; `since` is when it was seen, Unix time in milliseconds. */
const Departure = struct("Departure", { leafIndex: uint32, since: uint64 })

export const ConversationState = struct("ConversationState", {
  version: uint8,
  status: Status,
  title: utf8,
  /** Why it is halted, recovering, stopped, lost, or left by no wish of this person; empty otherwise. */
  reason: utf8,
  /** Everything up to this seq has been followed; its chain hash (empty where nothing is known of it). */
  cursor: uint64,
  chainHash: opaque,
  /** The last commit entry up to the cursor, 0 where there is none; absent where that is not known. */
  lastCommit: optional(uint64),
  /** Messages framed before this epoch were never meant for this device. */
  firstEpoch: uint64,
  nextWish: uint64,
  departures: vector(Departure),
  /** In this epoch somebody was added, and nobody is known to have said the title in it or later. */
  titleDueSince: optional(uint64),
  /** Since when the service says that there is no such group, Unix time in milliseconds. */
  missingSince: optional(uint64),
  /** The commit that this device could not follow, while it is recovering because of it. */
  stuckAt: optional(uint64),
  /** This device's leaf is to be renewed: by age before it sends anything, otherwise as soon as may be. */
  renewalDue: boolean,
  /** When this device's leaf was set, Unix time in milliseconds; 0 where that is not known. */
  leafSince: uint64,
  /** This device has sent a message since then. */
  hasSpoken: boolean,
  /** Hashes of the leaf nodes that answers to this device's knocks may have put into the tree, and that it could not use. */
  knockLeaves: vector(opaque),
  /** By epoch: messages in the log whose content this device has not seen. */
  unseen: vector(struct("Unseen", { epoch: uint64, count: uint32 })),
  /** The newest head that this device has read, and whose signature it has verified. */
  head: optional(HeadClaim),
  /** When that was, if it was the end of the log, Unix time in milliseconds; otherwise 0. */
  headAt: uint64,
  /** The seq of the commit by which this device came in: what is before it was never meant for this device. */
  joinedAt: uint64,
  /** The number of the next handshake that is kept. */
  keptNext: uint32,
  /** Since when some of these are lost, because the service was restored from a backup; Unix time in milliseconds. */
  rewoundAt: optional(uint64),
  /** Entries that the service has lost so: the place of a message is its seq and this. */
  shift: uint64,
  /** An answer to this device's knock has to lead beyond this epoch; absent: beyond its own. */
  epochFloor: optional(uint64),
})
export type ConversationState = TypeOf<typeof ConversationState>

/** How the groups of one conversation follow each other, each a record of its own: see `Conversation.restart`. */
export const Continuation = struct("Continuation", {
  /** What this group continues: as its Welcome says, or as this device's own Welcomes say. */
  continues: optional(Continues),
  /** The id of the conversation that it continues on this device; absent where the person has not accepted it as that. */
  before: optional(opaque),
  /** The id of the conversation that continues it. */
  after: optional(opaque),
})
export type Continuation = TypeOf<typeof Continuation>

/** Keys in the tree that the user has not approved: while there are any, nothing is sent that they could read. */
export const Unapproved = vector(struct("Unapproved", { name: utf8, signatureKey: opaque }))
export type Unapproved = TypeOf<typeof Unapproved>

export const OutlineHead = struct("OutlineHead", { epoch: uint64, epochAuthenticator: opaque, ownLeafIndex: uint32 })
const OutlineKind = enumeration("OutlineKind", 1, { blank: 1, leaf: 2, parent: 3 })
/** Nodes of the ratchet tree in the order of RFC 9420 appendix C. */
export const OutlineNodes = vector(
  union("OutlineNode", "kind", OutlineKind, {
    blank: {},
    /** `since`: the number of the interval that was in force when the leaf was set; 0 where that is not known. */
    leaf: { name: utf8, signatureKey: opaque, since: uint32 },
    parent: { unmergedLeaves: vector(uint32) },
  }),
)

/** SHA-256 of bodies that the service refused for good, 32 bytes each, the oldest first. */
export const GivenUp = vector(opaque)

export const OutgoingCommit = struct("OutgoingCommit", {
  outgoing: Outgoing,
  /** Numbers of the wishes that it fulfils; none where it lets members go, or lets devices in that have knocked. */
  wishes: vector(uint64),
})
export type OutgoingCommit = TypeOf<typeof OutgoingCommit>

/** `secret` has KDF.Nh bytes; what follows from it, the Ed25519 key, 32. */
export const StoredInterval = struct("StoredInterval", { accessKey: fixed(32), secret: opaque })
export type StoredInterval = TypeOf<typeof StoredInterval>

/**
 * Entries that were followed: the first link is that of the one after `after`, whose chain hash is `hash`. Without links,
 * it is that hash alone.
 */
export const ChainPart = struct("ChainPart", { after: uint64, hash: fixed(32), links: vector(ChainLink) })
export type ChainPart = TypeOf<typeof ChainPart>

/** A handshake that was followed, to be appended again should the service lose it. */
export const StoredHandshake = struct("StoredHandshake", {
  n: uint32,
  /** Absent: it is lost. */
  seq: optional(uint64),
  kind: EntryKind,
  epoch: uint64,
  body: opaque,
  begins: optional(Interval),
  /** The interval that it was appended in. */
  before: optional(StoredInterval),
  /** Hash of this device's leaf node before it, where it sets another; otherwise empty. */
  ownLeaf: opaque,
})
export type StoredHandshake = TypeOf<typeof StoredHandshake>

/** The commit by which this device came in, as its Welcome names it. */
export const StoredEntrance = struct("StoredEntrance", {
  /** See `commitHash`. */
  commit: fixed(32),
  /** It has been seen in the log: handshakes of this device's epochs hold from there on. */
  isSeen: boolean,
  /** Since when the whole log has been read without it, Unix time in milliseconds. */
  missedAt: optional(uint64),
})
export type StoredEntrance = TypeOf<typeof StoredEntrance>

/** By what this device asks to be let in again. */
export const StoredKnock = struct("StoredKnock", {
  id: KnockId,
  /** The access key of the interval that it is proved by. */
  interval: fixed(32),
  sealed: opaque,
  /** As `encodeKeyPackageBundle` makes it. */
  bundle: opaque,
  /** Unix time in milliseconds. */
  at: uint64,
})
export type StoredKnock = TypeOf<typeof StoredKnock>

export const StoredMessage = struct("StoredMessage", { from: utf8, own: boolean, payload: opaque })
export type StoredMessage = TypeOf<typeof StoredMessage>
