/// <reference lib="esnext.disposable" preserve="true" />
import { equalBytes } from "@conclave/crypto"
import { RuleError, rule, StateError } from "../errors.js"
import type { LeafIndex } from "../indexes.js"
import { exportSecret } from "../schedule/key-schedule.js"
import { type Sliced, toEnd } from "../slices.js"
import type { CipherSuite } from "../suite/suite.js"
import * as math from "../tree/math.js"
import { warmingOrder } from "../tree/warming.js"
import type { Extension, Proposal } from "../wire.js"
import { type GroupChanges, proposalOf } from "./changes.js"
import { createState, type NewGroupOptions } from "./create.js"
import { type OutsideOptions, prepareEntry, stageExternalEntry, type WelcomeOptions } from "./enter.js"
import { environmentOf, type GroupOptions, newGroupInfo, requireAccepted } from "./environment.js"
import { memberAt, membersOf } from "./epoch.js"
import { encodeGroupInfoMessage, type GroupInfoOptions, signGroupInfo } from "./group-info.js"
import type { ReceiveOptions } from "./incoming.js"
import type { PreparedJoinOf, StagedExternalJoinOf, StagedJoinOf } from "./joins.js"
import { destroyMade, type Made, makeCommit, outdated, stageIn } from "./making.js"
import * as messages from "./messages.js"
import { destroyOpening, type Opening, openMessage, ownCommit } from "./opening.js"
import type { GroupChange } from "./proposal-kinds.js"
import { validateOwnProposal } from "./proposals.js"
import { type GroupRecordChanges, nodesAmong } from "./records.js"
import { GroupState } from "./state.js"
import { requireBestSuite } from "./suite-choice.js"
import type { NextEpoch } from "./transition.js"
import { type TreeNodeView, viewNodes } from "./tree-view.js"
import type { MadeCommit, Member, OpenedMessage, OutgoingCommit, Received, StagedCommit, Verdict } from "./types.js"

export type { GroupOptions } from "./environment.js"
export type { TreeNodeView } from "./tree-view.js"

/** A group that can be entered with a Welcome, once its members have been judged. */
export type StagedJoin = StagedJoinOf<Group>
/** A Welcome that was opened; its tree is still to be checked. */
export type PreparedJoin = PreparedJoinOf<Group>
/** A Commit by which somebody from outside joins; the group is entered once the service has taken it. */
export type StagedExternalJoin = StagedExternalJoinOf<Group>

/** How to make a group. */
export interface CreateOptions extends NewGroupOptions {
  readonly continues?: { readonly group: Group; readonly as: "reinit" | "branch" }
}

/** How to enter a group by a Welcome. */
export interface JoinOptions extends WelcomeOptions {
  /**
   * The groups that this client is in: a group id must be new, and a reinitialised or branched group is held against
   * the one that it continues.
   */
  readonly otherGroups?: readonly Group[]
}

/** How to enter a group by an external Commit. */
export interface ExternalJoinOptions extends OutsideOptions {
  readonly otherGroups?: readonly Group[]
}

/**
 * One member's view of one group (RFC 9420): a small mutable handle over immutable epochs.
 *
 *     encrypt ──► message            receive ──► application data, proposal, StagedCommit
 *     propose ──► message                                              │ the application judges new credentials
 *     commit ───► OutgoingCommit, pending                              ▼
 *                        └── the service puts it in order ──► apply ── next epoch
 *
 * Nothing but {@link apply} moves the group to another epoch. An operation that throws has changed nothing. Between any
 * two operations {@link takeChanges} says what has to be stored.
 */
export class Group implements Disposable {
  readonly #state: GroupState
  /** What is behind the staged commits that this group has given out. */
  readonly #staged = new WeakMap<StagedCommit, NextEpoch>()
  readonly #made = new WeakMap<MadeCommit, Made>()
  readonly #opened = new WeakMap<OpenedMessage, Opening>()
  #pending: (StagedCommit & { readonly message: Uint8Array }) | undefined

  private constructor(state: GroupState) {
    this.#state = state
  }

  // --- Ways in -------------------------------------------------------------------------------------------------------

  /**
   * A group of one, in epoch 0 (RFC 9420 §11). `groupId` should be random, of `suite.secretSize` bytes.
   *
   * With `continues`, its first commit links it to an existing group: a `reinit` takes over that group's members with
   * the parameters that its ReInit named (§11.2), a `branch` takes some of them (§11.3).
   *
   * @throws RuleError
   */
  static create(options: CreateOptions): Group {
    const { continues } = options
    return new Group(createState(options, continues && { parent: continues.group.#state, as: continues.as }))
  }

  /** RFC 9420 §12.4.3.1: {@link prepareJoin} and staging in one step. @throws DecodeError, RuleError */
  static stageJoin(options: JoinOptions): StagedJoin {
    return toEnd(Group.#prepare(options, true)).stage()
  }

  /**
   * Opens a Welcome with one of `keyPackages` (RFC 9420 §12.4.3.1). What takes time in a large group is left to
   * {@link PreparedJoin.stage}, and most of that, the leaves' signatures, can be done elsewhere before.
   *
   * @throws DecodeError, RuleError
   */
  static prepareJoin(options: JoinOptions): PreparedJoin {
    return toEnd(Group.openWelcome(options))
  }

  /** {@link prepareJoin} in slices. @throws DecodeError, RuleError */
  static openWelcome(options: JoinOptions): Sliced<PreparedJoin> {
    return Group.#prepare(options, false)
  }

  static *#prepare(options: JoinOptions, isAtOnce: boolean): Sliced<PreparedJoin> {
    const others = options.otherGroups?.map((group) => group.#state) ?? []
    return yield* prepareEntry(options, others, { isAtOnce, entered: (state) => new Group(state) })
  }

  /**
   * RFC 9420 §12.4.3.2: a Commit that lets this client in, made from a GroupInfo with an `external_pub`. With
   * `replaceSelf`, a member that presents the same credential is removed by it.
   *
   * @throws DecodeError, RuleError
   */
  static stageExternalJoin(options: ExternalJoinOptions): StagedExternalJoin {
    const others = options.otherGroups?.map((group) => group.#state) ?? []
    return stageExternalEntry(options, others, (state) => new Group(state))
  }

  /** A group from the records that {@link takeChanges} gave. @throws TypeError, DecodeError for other records */
  static restore(options: GroupOptions & { readonly records: Iterable<readonly [string, Uint8Array]> }): Group {
    const environment = environmentOf(options)
    const restored = GroupState.restore(environment, options.records)
    if (restored.state === undefined) throw new StateError("NOT_A_MEMBER", "this member has left the group")
    const group = new Group(restored.state)
    if (restored.pending) group.#restorePending(restored.pending)
    return group
  }

  #restorePending(pending: messages.StoredPending): void {
    try {
      this.#stagePending(pending)
    } catch (error) {
      // A profile that has become stricter: no member takes this commit any more.
      if (!(error instanceof RuleError) || error.seenBy === "self") throw error
      this.discardPending()
    }
  }

  #stagePending(pending: messages.StoredPending): void {
    const { message, authenticated } = pending
    const ownPath = messages.ownPathOf(this.#state, pending)
    const { staged, next } = toEnd(stageIn(this.#state, messages.commitContent(this.#state, authenticated), ownPath))
    this.#setPending({ ...staged, message }, { staged, next, message, authenticated, ownPath })
  }

  // --- What there is -------------------------------------------------------------------------------------------------

  get suite(): CipherSuite {
    return this.#state.environment.suite
  }

  get id(): Uint8Array {
    return this.#state.epoch.context.groupId
  }

  get epoch(): bigint {
    return this.#state.epoch.context.epoch
  }

  get extensions(): readonly Extension[] {
    return this.#state.epoch.context.extensions
  }

  get ownLeafIndex(): LeafIndex {
    return this.#state.epoch.ownLeafIndex
  }

  /** Whether this member can still send: not after it was removed, and not after the group was reinitialised. */
  get active(): boolean {
    return this.#state.active && this.#state.reInit === undefined
  }

  /** A new list each time: in a group of 10,000 that takes milliseconds. */
  get members(): readonly Member[] {
    return membersOf(this.#state.epoch)
  }

  get memberCount(): number {
    return this.#state.epoch.tree.census.members
  }

  /** Whether a member signs with this key. */
  hasSignatureKey(signatureKey: Uint8Array): boolean {
    return this.#state.epoch.tree.signatureKeys.count(signatureKey) > 0
  }

  member(index: LeafIndex): Member | undefined {
    return memberAt(this.#state.epoch.tree, index)
  }

  /** RFC 9420 §8.7: members of the same epoch, and nobody else, have the same. `suite.secretSize` bytes. */
  get epochAuthenticator(): Uint8Array {
    this.#state.requireActive()
    return this.#state.epoch.secrets.authenticator.slice()
  }

  /** Our commit that has not been applied. Only one is on its way at a time. */
  get pending(): (StagedCommit & { readonly message: Uint8Array }) | undefined {
    return this.#pending
  }

  /** Proposals of this epoch that a commit may take in. */
  get proposals(): readonly { readonly ref: Uint8Array; readonly proposal: Proposal }[] {
    return this.#state.proposals.all()
  }

  /** RFC 9420 §8.6, for a group that continues this one; `undefined` for an epoch whose secret is no longer kept. */
  resumptionSecret(epoch: bigint): Uint8Array | undefined {
    return this.#state.resumption.get(epoch)?.slice()
  }

  /** RFC 9420 §8.5. @throws RangeError for more than 255 hashes */
  exportSecret(label: string, context: Uint8Array, length: number): Uint8Array {
    this.#state.requireActive()
    return exportSecret(this.suite, this.#state.epoch.secrets.exporter, { label, context, length })
  }

  /**
   * RFC 9420 §8.5, of the epoch that a commit staged in this group would begin.
   *
   * @throws RangeError for more than 255 hashes; StateError WRONG_EPOCH for another group's or epoch's commit,
   * NOT_A_MEMBER where this member is removed by it
   */
  exportSecretAfter(staged: StagedCommit, label: string, context: Uint8Array, length: number): Uint8Array {
    const next = this.#nextOf(staged)
    if (next.epoch === undefined) throw new StateError("NOT_A_MEMBER", "this commit removes this member")
    return exportSecret(this.suite, next.epoch.secrets.exporter, { label, context, length })
  }

  /** The LeafNode of a member as it is in the tree, encoded (RFC 9420 §7.2); `undefined` for a blank leaf. */
  leafNode(index: LeafIndex): Uint8Array | undefined {
    const { tree } = this.#state.epoch
    return index < tree.leafCount ? tree.encodedLeaf(index)?.slice() : undefined
  }

  /** MLSMessage with the GroupInfo of this epoch. */
  groupInfo(options: GroupInfoOptions = {}): Uint8Array {
    this.#state.requireActive()
    const { policy, random } = this.#state.environment
    return encodeGroupInfoMessage(signGroupInfo(this.#state.epoch, options, policy.grease ? random : undefined))
  }

  /** The value of a `ratchet_tree` extension (RFC 9420 §12.4.3.3). */
  ratchetTree(): Uint8Array {
    return this.#state.epoch.tree.encode()
  }

  /**
   * The members whose commits make later ones cheapest, the most useful first, at most `countMax` of them; nobody where
   * the tree is full. After many were added at once, let them commit in this order, each when it is online anyway.
   */
  warmingOrder(countMax: number): readonly LeafIndex[] {
    return warmingOrder(this.#state.epoch.tree, countMax)
  }

  /** How many nodes the tree has, blank ones included: one less than a power of two. */
  get nodeCount(): number {
    return math.nodeCount(this.#state.epoch.tree.leafCount)
  }

  /** Nodes of the tree as a drawing needs them: all in array order, or those that are named and there. */
  treeView(indexes: Iterable<number> = Array(this.nodeCount).keys()): readonly TreeNodeView[] {
    return viewNodes(this.#state.epoch.tree, indexes)
  }

  // --- Sending -------------------------------------------------------------------------------------------------------

  /**
   * MLSMessage with a PrivateMessage (RFC 9420 §15). Its key is spent: store the changes before it is sent.
   *
   * @throws RuleError while proposals wait for a commit (§12.4); StateError NOT_A_MEMBER
   */
  encrypt(
    plaintext: Uint8Array,
    options: { readonly authenticatedData?: Uint8Array; readonly padTo?: number } = {},
  ): Uint8Array {
    this.#requireSending()
    rule(this.#state.proposals.size === 0, "application-after-proposals")
    const authenticatedData = options.authenticatedData ?? new Uint8Array(0)
    const blockSize = options.padTo ?? this.#state.environment.policy.paddingBlockSize
    return messages.encryptApplication(this.#state, { plaintext, authenticatedData, blockSize })
  }

  /**
   * RFC 9420 §12.1: proposes a change that some member's commit takes in.
   *
   * @throws RuleError, StateError NOT_A_MEMBER
   */
  propose(
    change: GroupChange,
    options: { readonly authenticatedData?: Uint8Array } = {},
  ): { readonly message: Uint8Array; readonly ref: Uint8Array } {
    this.#requireSending()
    const proposal = proposalOf(this.#state, change)
    const { epoch, environment } = this.#state
    requireBestSuite(this.#state, [{ proposal }])
    validateOwnProposal(proposal, epoch, environment, environment.now())
    return messages.sendProposal(this.#state, proposal, options.authenticatedData ?? new Uint8Array(0))
  }

  /**
   * Forgets a proposal that the service did not take, so that nobody has it. A Commit that names one which others have
   * cannot be received any more: what is not wanted is for the profile to refuse.
   */
  discardProposal(ref: Uint8Array): void {
    this.#state.proposals.drop(ref)
  }

  /**
   * RFC 9420 §12.4.1: a commit of all proposals received and of `changes`. It stays pending, and the group in its
   * epoch, until it is applied or another commit is.
   *
   * @throws RuleError; StateError COMMIT_PENDING, NOT_A_MEMBER
   */
  commit(changes: GroupChanges = {}): OutgoingCommit {
    this.#requireNoPending()
    return this.#commit(toEnd(makeCommit(this.#state, changes)))
  }

  /**
   * The first part of {@link commit}, which changes nothing: nearly all of its work, in slices.
   *
   * @throws RuleError; StateError COMMIT_PENDING, NOT_A_MEMBER
   */
  *makeCommit(changes: GroupChanges = {}): Sliced<MadeCommit> {
    this.#requireNoPending()
    const made = yield* makeCommit(this.#state, changes)
    const handle: MadeCommit = { [Symbol.dispose]: () => this.#made.delete(handle) && destroyMade(made) }
    this.#made.set(handle, made)
    return handle
  }

  /**
   * The second part of {@link commit}: it becomes our pending commit. `made` is used up, unless this throws.
   *
   * @throws StateError WRONG_EPOCH where the epoch or its proposals are others than when it was made, or another commit was made
   * of them, COMMIT_PENDING, NOT_A_MEMBER
   */
  commitMade(made: MadeCommit): OutgoingCommit {
    this.#requireNoPending()
    const { epoch, proposals } = this.#state
    const commit = this.#made.get(made) ?? outdated()
    const isCurrent = commit.created.next.basis === epoch && commit.proposals === proposals.version
    if (!isCurrent || !commit.protected.isCurrent) outdated()
    this.#made.delete(made)
    return this.#commit(commit)
  }

  #commit({ created, protected: { message, spend }, welcome }: Made): OutgoingCommit {
    const state = this.#state
    spend()
    let groupInfo: Uint8Array | undefined
    const outgoing: OutgoingCommit = {
      ...created.staged,
      message,
      welcome,
      get groupInfo() {
        groupInfo ??= newGroupInfo(created.next.epoch, state.environment)
        return groupInfo
      },
      ratchetTree: () => created.next.epoch.tree.encode(),
    }
    const { staged, next, authenticated, ownPath } = created
    this.#setPending(outgoing, { staged, next, message, authenticated, ownPath })
    return outgoing
  }

  /** Forgets our pending commit: the service has refused it. */
  discardPending(): void {
    this.#state.pending = undefined
    this.#pending = undefined
  }

  // --- Receiving -----------------------------------------------------------------------------------------------------

  /**
   * Takes in one MLSMessage of the group. What is expected is a result; what is wrong is an error, and leaves the group
   * as it was: DecodeError, RuleError (with its sender, if that is proven), AuthenticityError, StateError,
   * UnsupportedError.
   */
  receive(message: Uint8Array, options: ReceiveOptions = {}): Received {
    return this.#take(toEnd(this.#open(message, options)))
  }

  /** The first part of {@link receive}, which spends nothing: nearly all of its work, in slices. It throws the same. */
  *openMessage(message: Uint8Array, options: ReceiveOptions = {}): Sliced<OpenedMessage> {
    const opening = yield* this.#open(message, options)
    const handle: OpenedMessage = { [Symbol.dispose]: () => this.#opened.delete(handle) && destroyOpening(opening) }
    this.#opened.set(handle, opening)
    return handle
  }

  /**
   * The second part of {@link receive}. `opened` is used up.
   *
   * @throws StateError WRONG_EPOCH where the group has moved on since, and what {@link receive} throws
   */
  receiveOpened(opened: OpenedMessage): Received {
    this.#state.requireActive()
    const opening = this.#opened.get(opened) ?? outdated()
    if (opening.basis !== this.#state.epoch) outdated()
    this.#opened.delete(opened)
    return this.#take(opening)
  }

  /**
   * Moves the group to the epoch that a commit begins: nothing else does. Every claim of the commit needs a verdict.
   *
   * @throws RuleError credential-accepted; StateError WRONG_EPOCH for a commit of another epoch or group
   */
  apply(staged: StagedCommit, verdicts: readonly Verdict[]): void {
    const next = this.#nextOf(staged)
    requireAccepted(staged.claims, verdicts)
    this.#pending = undefined
    const { epoch, seed } = next
    if (epoch === undefined || seed === undefined) this.#state.close()
    else this.#state.enter({ ...next, epoch, seed })
  }

  // --- Keeping -------------------------------------------------------------------------------------------------------

  /**
   * The records that have changed since the last call, all of them at the first: to be stored in one transaction with
   * whatever the operations since then have returned, before any of it is sent or shown. They hold secrets.
   */
  takeChanges(): GroupRecordChanges {
    const changes = this.#state.journal.take(() => this.#state.records())
    return { ...changes, nodes: nodesAmong(changes) }
  }

  /** Every record there is, whatever has been taken already. */
  records(): Iterable<readonly [string, Uint8Array]> {
    return this.#state.records()
  }

  /** Overwrites the group's secrets in memory. What is stored stays. */
  [Symbol.dispose](): void {
    this.#state.destroy()
  }

  // --- Inside --------------------------------------------------------------------------------------------------------

  *#open(message: Uint8Array, options: ReceiveOptions): Sliced<Opening> {
    this.#state.requireActive()
    const pending = this.#pending
    if (pending && equalBytes(pending.message, message)) return ownCommit(this.#state, pending)
    return yield* openMessage(this.#state, message, options)
  }

  #take({ take, next }: Opening): Received {
    const received = take()
    if (received.type === "commit" && next !== undefined) this.#staged.set(received.staged, next)
    return received
  }

  /** @throws StateError WRONG_EPOCH, NOT_A_MEMBER */
  #nextOf(staged: StagedCommit): NextEpoch {
    this.#state.requireActive()
    const next = this.#staged.get(staged)
    if (next !== undefined && next.basis === this.#state.epoch) return next
    throw new StateError("WRONG_EPOCH", "this commit was not staged in the group's current epoch")
  }

  #setPending(
    outgoing: StagedCommit & { readonly message: Uint8Array },
    pending: NonNullable<GroupState["pending"]>,
  ): void {
    this.#staged.set(outgoing, pending.next)
    this.#state.pending = pending
    this.#pending = outgoing
  }

  #requireNoPending(): void {
    this.#requireSending()
    if (this.#state.pending) throw new StateError("COMMIT_PENDING", "a commit of this member is on its way")
  }

  #requireSending(): void {
    this.#state.requireActive()
    rule(this.#state.reInit === undefined, "commit-after-reinit")
  }
}
