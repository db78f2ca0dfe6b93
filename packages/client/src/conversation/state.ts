import type { Entry } from "@conclave/contracts/delivery"
import { equalBytes } from "@conclave/crypto"
import type { Judgement } from "@conclave/identity/verdicts"
import type { Group, GroupOptions, Member, StagedCommit, OutgoingCommit as StagedOwnCommit } from "@conclave/mls"
import type { IntervalKeys } from "../access/interval-keys.js"
import { hex } from "../bytes.js"
import type { Identity } from "../identity/identity.js"
import type { RevokedKeys } from "../identity/revocations.js"
import type { InspectedCommit } from "../inspection.js"
import type {
  Continuation,
  ConversationState,
  OutgoingCommit,
  PinnedService,
  StoredEntrance,
  StoredInvitation,
  StoredKnock,
  Unapproved,
} from "../records/records.js"
import type { Addition, Entering, LetIn, Visitor } from "./admission.js"
import { Chain } from "./chain.js"
import { Disputes } from "./disputes.js"
import { Intervals } from "./intervals.js"
import { Kept } from "./kept.js"
import { Outline } from "./outline.js"
import { Position, type StoredPosition } from "./position.js"
import type { Listed, Question, Why } from "./question.js"
import {
  following,
  type Knocking,
  notKnocked,
  type Obstacle,
  type Pause,
  type Recovery,
  type Rewinding,
  unobstructed,
} from "./recovery.js"
import { noneRevoked, type RevokedFound } from "./revoked-leaves.js"
import { Told } from "./told.js"
import { Wishes } from "./wishes.js"

export type { Why } from "./question.js"

/** What every step of every conversation of a device is given. */
export interface Setting {
  readonly identity: Identity
  readonly groupOptions: Omit<GroupOptions, "signer" | "suite">
  readonly random: (length: number) => Uint8Array
  /** Messages are kept for `Conversation.history`. */
  readonly keepHistory: boolean
  readonly leaveDelayMilliseconds: number
  readonly renewAfterMilliseconds: number
}

/** When a step is taken, and what the device knows besides the conversation. */
export interface Moment extends Setting {
  /** Unix time in milliseconds. */
  readonly now: number
  readonly invitation: StoredInvitation | undefined
  /** By what the service signs; `undefined` before it has been asked. */
  readonly service: PinnedService | undefined
  /** So many conversations may be renewed by age today. */
  readonly renewalsLeft: number
  /** A commit that adds, or reaches, at least so many members is worked on in slices, between steps. */
  readonly slicedFrom: number
  readonly revoked: RevokedKeys
}

/** What is stored of a conversation besides its place in the log. */
export type Facts = Omit<ConversationState, keyof StoredPosition | "version">

export const STATE_VERSION = 4
export const startOfLog: StoredPosition = { cursor: 0n, chainHash: new Uint8Array(), lastCommit: undefined }
export const noFacts: Facts = {
  status: "left",
  title: "",
  reason: "",
  firstEpoch: 0n,
  nextWish: 1n,
  departures: [],
  titleDueSince: undefined,
  missingSince: undefined,
  stuckAt: undefined,
  renewalDue: false,
  leafSince: 0n,
  hasSpoken: false,
  knockLeaves: [],
  unseen: [],
  head: undefined,
  headAt: 0n,
  joinedAt: 0n,
  keptNext: 0,
  rewoundAt: undefined,
  shift: 0n,
  epochFloor: undefined,
}
export const notContinued: Continuation = { continues: undefined, before: undefined, after: undefined }

/** Something staged in the group that waits for a judgement. While it does, the group is not stored. */
export type Staged =
  | ({ readonly type: "entry"; readonly entry: Entry; readonly own: boolean; readonly staged: StagedCommit } & {
      /** That the commit begins, unless it removes this device. */
      readonly interval: IntervalKeys | undefined
    })
  | { readonly type: "commit"; readonly commit: StagedOwnCommit; readonly changes: CommitChanges }
  | { readonly type: "entering"; readonly entering: Entering }

/** What wishes, or knocks, mean for the members as they are at present. */
export interface CommitChanges {
  readonly add: readonly Addition[]
  readonly remove: readonly Member["leafIndex"][]
  /** The wishes that come true with them, and those that have nothing left to do. */
  readonly fulfils: readonly number[]
  readonly done: readonly number[]
  /** What was judged of those who are added. */
  readonly judgements: readonly Judgement[]
  /** The commit renews this device's keys: it begins an interval. One that only adds does without. */
  readonly renew: boolean
}

/** How far the invitation of a wish has got. */
export interface Inviting {
  readonly listed?: ReadonlyMap<string, Listed>
  /** Signature keys of devices for which there is no key package. */
  readonly unreachable: readonly Uint8Array[]
  readonly judgement?: Judgement
  /** Why it cannot come true. */
  readonly why?: Why
}

/** The service's refusal of something as stale: of which request, and how far this device had read then. */
export interface Stale {
  readonly idempotencyId: Uint8Array
  readonly lastCommit: bigint | undefined
}

/** That the service has accepted a commit, and how far this device had read the log then. */
export interface AcceptedCommit {
  readonly idempotencyId: Uint8Array
  readonly cursor: bigint
}

/**
 * One conversation as this device has it: what is stored of it, as in the store, and what has been seen since it was
 * opened. A step owns the state that it is given and returns it changed; the one before is not used any more. Where
 * what a step wants to store cannot be stored, the stored part is read again, and the rest stays.
 */
export class State {
  readonly id: Uint8Array
  /** The id in hexadecimal. */
  readonly key: string

  // --- Stored ---
  facts: Facts = noFacts
  readonly position = new Position(startOfLog)
  /** In memory from the first time that it is needed. */
  group: Group | undefined
  readonly outline = new Outline()
  /** The commit that is being sent. */
  commit: OutgoingCommit | undefined
  /** Keys in the tree that the user has not approved: while there are any, nothing is sent that they could read. */
  unapproved: Unapproved = []
  readonly wishes = new Wishes()
  readonly intervals = new Intervals()
  /** The commit by which this device came in; absent where its Welcome did not name it, as before there were keys. */
  entrance: StoredEntrance | undefined
  /** What this device has left with the service, while it cannot follow. */
  knock: StoredKnock | undefined
  /** Of before the opening, known while the group is. */
  readonly chain = new Chain()
  /** The conversations before and after this one. */
  continuation: Continuation = notContinued
  /** Hashes of what the service refused for good; known while the group is. */
  givenUp: readonly Uint8Array[] = []

  // --- Seen since the opening ---
  recovery: Recovery = following
  obstacle: Obstacle = unobstructed
  knocking: Knocking = notKnocked
  /** Answers to this device's knocks that were of no use: the next knock is left later each time. */
  refused: Pause | undefined
  /** The answer to this device's knock, while the log is read up to it. */
  entering: Entering | undefined
  /** The application wants to know now who has knocked; where the log is streamed, the service says so by itself. */
  wantsKnocks = false
  /** By the knock's id in hexadecimal: members who cannot follow. */
  readonly visitors = new Map<string, Visitor>()
  /** By leaf index: the newest entry from that leaf. */
  readonly heard = new Map<number, bigint>()
  /** By signature key in hexadecimal: devices that were let in again. */
  readonly letIn = new Map<string, LetIn>()
  /** By place: the signature key of a commit's author, in hexadecimal. */
  readonly committers = new Map<bigint, string>()
  /** Commits that were followed, oldest first: see `Conversation.inspect`. */
  commits: readonly InspectedCommit[] = []
  /** What this device makes of heads, its own and others'. */
  readonly disputes = new Disputes()
  readonly kept = new Kept()
  readonly told = new Told()
  /** While it is found out what a restored service has lost. */
  rewinding: Rewinding | undefined
  /** The incarnation of a service that was restored, of which this device has said that it cannot go back so far. */
  givenUpFor: bigint | undefined
  /** When what it has lost is appended again. */
  again: Pause | undefined
  /** Leaves in the tree whose devices were revoked. */
  revokedFound: RevokedFound = noneRevoked
  stale: Stale | undefined
  accepted: AcceptedCommit | undefined
  staged: Staged | undefined
  /** What the commit is for that is being made in slices. */
  making: CommitChanges | undefined
  /** By the number of the wish; forgotten when a question is not answered. */
  readonly inviting = new Map<number, Inviting>()
  /** The question that waits for an answer, and the number of the last one. */
  asking: Question | undefined
  asked = 0

  constructor(id: Uint8Array) {
    this.id = id
    this.key = hex(id)
  }

  /** Whether the commit is still to come that this device came in by. */
  get awaitsEntrance(): boolean {
    return this.entrance !== undefined && !this.entrance.isSeen
  }

  /** Whether there is a group that is not in memory. */
  get isGroupMissing(): boolean {
    return this.group === undefined && this.outline.shown !== undefined
  }

  /** Whether the log is brought: also to a device that cannot follow, and waits for the answer to its knock. */
  get isFetching(): boolean {
    return this.isFollowing || (this.facts.status === "recovering" && this.intervals.newest !== undefined)
  }

  /**
   * A key that the service knows: after it was restored, an older one. That before the commit by which this device came in may be
   * none that it knows; the one before the next handshake is.
   */
  get prover(): IntervalKeys | undefined {
    return this.kept.lost.find(({ before }) => before !== undefined)?.before ?? this.intervals.newest
  }

  /** Whether the log is being followed. */
  get isFollowing(): boolean {
    const { status } = this.facts
    return status === "active" || status === "leaving"
  }

  get members(): readonly Member[] {
    return this.group?.members ?? []
  }

  /** Names of members: sorted, each once. The same array while they are the same. */
  get names(): readonly string[] {
    return this.outline.shown?.names ?? []
  }

  /** The epoch that this device has reached. */
  get epoch(): bigint {
    return this.outline.shown?.epoch ?? 0n
  }

  isUnapproved(signatureKey: Uint8Array): boolean {
    return this.unapproved.some((it) => equalBytes(it.signatureKey, signatureKey))
  }
}
