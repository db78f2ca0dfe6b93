import { type Codec, encode } from "@conclave/codec"
import { chainLinkHash } from "@conclave/contracts/log-chain"
import { includes, type Judgement } from "@conclave/identity/verdicts"
import { Group } from "@conclave/mls"
import { ClientError } from "../errors.js"
import {
  Continuation,
  ConversationState,
  GivenUp,
  type NewEvent,
  OutgoingCommit,
  recordKeys,
  StoredEntrance,
  StoredKnock,
  Unapproved,
  Wish,
} from "../records/records.js"
import type { Chain } from "./chain.js"
import type { Effect, InvitationChange } from "./effects.js"
import type { StoredRecords } from "./question.js"
import { notKnocked } from "./recovery.js"
import { type Facts, type Moment, type Setting, STATE_VERSION, type State, type Why } from "./state.js"
import { describeWish, isAnnouncement } from "./wishes.js"

const GIVEN_UP_KEPT = 16

/** By node index of a leaf: the number of the interval that was in force when it was set. */
type Since = ReadonlyMap<number, number>

/**
 * A step while it is computed: the state that it changes, and what it leads to. Whatever changes something that is
 * stored does so here, in memory and among the effects alike.
 */
export class Turn {
  readonly state: State
  readonly moment: Moment
  readonly #effects: Effect[] = []
  #factsChanged = false
  #groupChanged = false

  constructor(state: State, moment: Moment) {
    this.state = state
    this.moment = moment
  }

  /** Everything that the step leads to. */
  effects(): readonly Effect[] {
    this.flushGroup()
    if (this.#factsChanged) this.#putFacts()
    this.#factsChanged = false
    this.state.chain.flush(this, this.state.key)
    return this.#effects
  }

  // --- Effects ---

  add(effect: Effect): void {
    this.#effects.push(effect)
  }

  put(key: string, record: Uint8Array): void {
    this.add({ type: "put", key, record })
  }

  delete(key: string): void {
    this.add({ type: "delete", key })
  }

  deleteUnder(prefix: string, after?: string): void {
    this.add({ type: "deleteUnder", prefix, ...(after !== undefined && { after }) })
  }

  emit(event: NewEvent): void {
    this.add({ type: "emit", event })
  }

  trust(judgement: Judgement): void {
    this.add({ type: "trust", judgement })
  }

  changeInvitation(change: InvitationChange): void {
    this.add({ type: "invitation", change })
  }

  /** Something that came in was refused and passed over. */
  reject(code: string, reason: string): void {
    this.emit({ type: "rejected", conversation: this.state.id, code, reason })
  }

  // --- Facts and the place in the log ---

  update(changes: Partial<Facts>): void {
    this.state.facts = { ...this.state.facts, ...changes }
    this.#factsChanged = true
  }

  /** The place in the log has changed. */
  moved(): void {
    this.#factsChanged = true
  }

  /** Nothing is left of what was stored. */
  forgetFacts(): void {
    this.#factsChanged = false
    this.delete(recordKeys.state(this.state.key))
  }

  #putFacts(): void {
    const { facts, position, key } = this.state
    this.put(recordKeys.state(key), encode(ConversationState, { version: STATE_VERSION, ...facts, ...position.stored }))
  }

  // --- The group ---

  /** What has changed in the group is to be stored. */
  saveGroup(): void {
    this.#groupChanged = true
  }

  /**
   * Collects what has changed so far: before the group takes in something that this step may not store. `since`: of leaves
   * that were not set in the newest interval.
   */
  flushGroup(since?: Since): void {
    const { group } = this.state
    if (this.#groupChanged && group !== undefined) this.#save(group, "changed", since)
    this.#groupChanged = false
  }

  #save(group: Group, which: "new" | "changed", since?: Since): void {
    const { key, outline } = this.state
    const changes = group.takeChanges()
    const prefix = recordKeys.group(key)
    for (const name of changes.delete) this.delete(prefix + name)
    for (const [name, record] of changes.put) this.put(prefix + name, record)
    const { newestNumber } = this.state.intervals
    outline.save(this, key, group, {
      changed: which === "new" ? undefined : changes.nodes,
      since: (nodeIndex) => since?.get(nodeIndex) ?? newestNumber,
    })
  }

  /**
   * Puts `group`, whose changes are not stored yet, in the place of the one before. `since`: of leaves that were set before
   * the newest interval, as far as this device knows.
   */
  replaceGroup(group: Group, since?: Since): void {
    this.deleteUnder(recordKeys.group(this.state.key))
    this.#disposeGroup()
    this.state.group = group
    // The members have been judged.
    this.putUnapproved([])
    this.#save(group, "new", since)
  }

  /** Destroys every secret of the group, here and in the store. */
  dropGroup(): void {
    this.deleteUnder(recordKeys.group(this.state.key))
    this.#disposeGroup()
    this.state.outline.forget(this, this.state.key)
    this.#forgetLog()
    this.state.visitors.clear()
    this.state.heard.clear()
    this.state.letIn.clear()
    this.state.committers.clear()
    this.putCommit(undefined)
    this.putUnapproved([])
  }

  /** What was followed before is of another membership. */
  forgetHandshakes(): void {
    this.deleteUnder(recordKeys.kept(this.state.key))
    this.state.kept.forget()
    this.putEntrance(undefined)
    this.state.rewinding = undefined
    this.update({ rewoundAt: undefined, epochFloor: undefined })
  }

  #disposeGroup(): void {
    this.#groupChanged = false
    this.state.staged = undefined
    this.state.group?.[Symbol.dispose]()
    this.state.group = undefined
  }

  /** This device decrypts nothing more of it, and keeps what is shown of its members. */
  dropKeys(): void {
    this.deleteUnder(recordKeys.group(this.state.key))
    this.#disposeGroup()
    this.#forgetLog()
    this.putCommit(undefined)
    this.putKnock(undefined)
  }

  /** Nothing more is read of it, nor given back. */
  #forgetLog(): void {
    const { intervals, chain, key } = this.state
    intervals.forget(this, key)
    chain.forget()
    this.deleteUnder(recordKeys.chain(key))
    this.forgetHandshakes()
  }

  putContinuation(changes: Partial<Continuation>): void {
    const { state } = this
    state.continuation = { ...state.continuation, ...changes }
    this.put(recordKeys.continuation(state.key), encode(Continuation, state.continuation))
  }

  putUnapproved(unapproved: Unapproved): void {
    const { state } = this
    if (unapproved.length === 0 && state.unapproved.length === 0) return
    state.unapproved = unapproved
    const key = recordKeys.unapproved(state.key)
    if (unapproved.length === 0) this.delete(key)
    else this.put(key, encode(Unapproved, unapproved))
  }

  #putOrDelete<T>(key: string, codec: Codec<T>, value: T | undefined): void {
    if (value === undefined) this.delete(key)
    else this.put(key, encode(codec, value))
  }

  putCommit(commit: OutgoingCommit | undefined): void {
    const { state } = this
    if (commit === undefined && state.commit === undefined) return
    state.commit = commit
    this.#putOrDelete(recordKeys.commit(state.key), OutgoingCommit, commit)
  }

  putEntrance(entrance: StoredEntrance | undefined): void {
    const { state } = this
    if (entrance === undefined && state.entrance === undefined) return
    state.entrance = entrance
    this.#putOrDelete(recordKeys.entrance(state.key), StoredEntrance, entrance)
  }

  /** What this device has left with the service, while it cannot follow; nothing of the one before is of use. */
  putKnock(knock: StoredKnock | undefined): void {
    const { state } = this
    state.knocking = notKnocked
    state.entering = undefined
    if (knock === undefined && state.knock === undefined) return
    state.knock = knock
    this.#putOrDelete(recordKeys.knock(state.key), StoredKnock, knock)
  }

  /**
   * The service refused a commit or a proposal for good, and this device forgets it. A service that placed it
   * nevertheless has all others carry it out: where its bytes turn up in the log, this device is behind.
   */
  giveUp(body: Uint8Array): void {
    const { state } = this
    state.givenUp = [...state.givenUp, this.#hash(body)].slice(-GIVEN_UP_KEPT)
    this.put(recordKeys.givenUp(state.key), encode(GivenUp, state.givenUp))
  }

  isGivenUp(body: Uint8Array): boolean {
    return includes(this.state.givenUp, this.#hash(body))
  }

  #hash(body: Uint8Array): Uint8Array {
    return this.moment.identity.sha256(body)
  }

  // --- Wishes ---

  addWish(wish: Wish): number {
    const number = Number(this.state.facts.nextWish)
    this.update({ nextWish: this.state.facts.nextWish + 1n })
    this.putWish(number, wish)
    return number
  }

  putWish(number: number, wish: Wish): void {
    this.state.wishes.set(number, wish)
    this.put(recordKeys.wish(this.state.key, number), encode(Wish, wish))
  }

  /** A wish has come true. */
  fulfil(number: number): void {
    this.#end(number)
    this.settle(number)
  }

  /** A wish never will. */
  fail(number: number, { code, reason }: Why): void {
    const wish = this.state.wishes.get(number)
    if (wish === undefined) return
    // Nobody has been told the title: it is told when this device is a member again, unless somebody else tells theirs.
    if (isAnnouncement(wish, this.state.facts.title)) this.update({ titleDueSince: 0n })
    this.#end(number)
    this.emit({ type: "failed", conversation: this.state.id, ...describeWish(wish), code, reason })
    this.settle(number, new ClientError(code, reason))
  }

  /** A wish is another conversation's from now on, with the call that waits for it. */
  handOver(number: number): void {
    this.#end(number)
  }

  failAll(why: Why): void {
    for (const [number] of [...this.state.wishes]) this.fail(number, why)
  }

  /** The call that waits for the wish goes on. */
  settle(wish: number, error?: ClientError): void {
    this.add({ type: "settle", wish, error })
  }

  #end(number: number): void {
    this.state.wishes.delete(number)
    this.delete(recordKeys.wish(this.state.key, number))
  }
}

/** The entries before the opening, from their records. */
export function loadChain(chain: Chain, records: StoredRecords, { identity }: Setting): void {
  chain.load(records, (previous, link) => chainLinkHash((...parts) => identity.sha256(...parts), previous, link))
}

/** A group from its records, whose keys begin with `prefix`. */
export function restoreGroup(
  { identity, groupOptions }: Pick<Setting, "identity" | "groupOptions">,
  records: StoredRecords,
  prefix: string,
): Group {
  return Group.restore({
    ...groupOptions,
    suite: identity.suite,
    signer: identity.signer,
    records: records.map(([key, record]) => [key.slice(prefix.length), record] as const),
  })
}
