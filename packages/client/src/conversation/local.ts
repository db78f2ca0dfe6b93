import { decode, encode } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import { Group, type GroupOptions, type Member } from "@conclave/mls"
import type { ConversationStatus, PendingMessage } from "../conversation.js"
import type { Invitations } from "../core/invitations.js"
import { ConversationState, OutgoingCommit, recordKeys, Unapproved, Wish } from "../core/records.js"
import type { Reloadable, Step } from "../core/steps.js"
import { ClientError } from "../errors.js"
import type { ClientErrorCode, FailedEvent } from "../events.js"
import type { Identity } from "../identity/identity.js"
import { hex, type SealedStore } from "../store/sealed.js"
import { type GroupOutline, Outline } from "./outline.js"
import { decodePayload, messageOf } from "./payload.js"

/** What a call that made a wish waits for. */
interface Waiter {
  resolve(): void
  reject(error: Error): void
}

export interface LocalOptions {
  readonly store: SealedStore
  readonly identity: Identity
  readonly group: Omit<GroupOptions, "signer" | "suite">
  readonly invitations: Invitations
}

/**
 * One conversation as this device has it: the records and the same in memory. Every change is made within a step, to
 * both; {@link reload} makes them agree again after a step that failed.
 */
export class LocalConversation implements Reloadable {
  readonly id: Uint8Array
  readonly key: string
  state: ConversationState
  /** In memory only from the first {@link wantGroup} on. */
  group: Group | undefined
  commit: OutgoingCommit | undefined
  /** While there are any, nothing is sent that they could read. */
  unapproved: Unapproved = []
  readonly wishes = new Map<number, Wish>()
  readonly waiters = new Map<number, Waiter>()
  /** As of the last completed step. */
  view: ConversationView = emptyView
  /** Kept only where somebody draws the tree: it costs a walk over it for each epoch. */
  #renewals: ReadonlyMap<number, Renewal> | undefined
  readonly #outline = new Outline()
  #isGroupWanted = false
  readonly #options: LocalOptions

  constructor(id: Uint8Array, options: LocalOptions) {
    this.id = id
    this.key = hex(id)
    this.state = emptyState
    this.#options = options
  }

  /** Whether there is a group that has not been restored. */
  get isGroupMissing(): boolean {
    return this.group === undefined && this.#outline.shown !== undefined
  }

  /** From the next {@link reload} on, which has to follow, the group is in memory. */
  wantGroup(): void {
    this.#isGroupWanted = true
  }

  async reload(): Promise<void> {
    const { store } = this.#options
    const state = await store.get(recordKeys.state(this.key))
    await this.#outline.load(store, this.key)
    const unapproved = await store.get(recordKeys.unapproved(this.key))
    const [group, wishes, commit] = [
      this.#isGroupWanted ? await store.list(recordKeys.group(this.key)) : [],
      await store.list(recordKeys.wishes(this.key)),
      await store.get(recordKeys.commit(this.key)),
    ]
    this.#dispose()
    this.state = state === undefined ? emptyState : decode(ConversationState, state)
    this.commit = commit === undefined ? undefined : decode(OutgoingCommit, commit)
    this.unapproved = unapproved === undefined ? [] : decode(Unapproved, unapproved)
    this.wishes.clear()
    for (const [key, wish] of wishes) this.wishes.set(Number(key.slice(key.lastIndexOf("/") + 1)), decode(Wish, wish))
    if (group.length > 0) this.group = this.restore(group, recordKeys.group(this.key))
    // Asked for before there was a group to look at.
    if (this.#renewals?.size === 0) this.#renewals = this.#compareKeys(new Map(), undefined)
  }

  settled(): void {
    const { state, view } = this
    const outline = this.#outline.shown
    if (this.#renewals !== undefined && view.outline?.epoch !== outline?.epoch) {
      this.#renewals = this.#compareKeys(this.#renewals, outline?.epoch)
    }
    const isFollowed = state.status === "active" || state.status === "leaving"
    if (this.#options.invitations.isDeclined(this.key)) {
      this.view = { ...emptyView, title: state.title, isFollowed }
      return
    }
    this.view = {
      outline,
      status: this.#options.invitations.isWaiting(this.key) ? "invited" : this.#shownStatus(),
      title: state.title,
      pending: pendingOf(this.wishes),
      names: this.names,
      isFollowed,
    }
  }

  /** What waits for the user's approval is followed as before. */
  #shownStatus(): ConversationStatus {
    const { status } = this.state
    return status === "active" && this.unapproved.length > 0 ? "halted" : status
  }

  update(step: Step, changes: Partial<ConversationState>): void {
    this.state = { ...this.state, ...changes }
    step.put(recordKeys.state(this.key), encode(ConversationState, this.state))
  }

  /** The user has decided about what halted it. */
  resume(step: Step): void {
    const asked = [...this.wishes.values()].some((wish) => wish.type === "leave" && wish.acceptedSeq !== undefined)
    this.update(step, { status: asked ? "leaving" : "active", reason: "" })
  }

  /** Writes what has changed in the group since it was saved last. */
  saveGroup(step: Step): void {
    if (this.group !== undefined) this.#save(step, this.group, "changed")
  }

  #save(step: Step, group: Group, which: "new" | "changed"): void {
    const changes = group.takeChanges()
    const prefix = recordKeys.group(this.key)
    for (const key of changes.delete) step.delete(prefix + key)
    for (const [key, record] of changes.put) step.put(prefix + key, record)
    this.#outline.save(step, this.key, group, which === "new" ? undefined : changes.nodes)
  }

  /** Puts `group`, whose changes are not stored yet, in the place of the one before. `oldKeys`: what is stored of that. */
  replaceGroup(step: Step, group: Group, oldKeys: Iterable<string>): void {
    for (const key of oldKeys) step.delete(key)
    this.#dispose()
    this.group = group
    this.#isGroupWanted = true
    // Whoever is in it has been judged.
    this.putUnapproved(step, [])
    this.#save(step, group, "new")
  }

  /** Destroys every secret of the group, here and in the store. */
  dropGroup(step: Step, oldKeys: Iterable<string>): void {
    for (const key of oldKeys) step.delete(key)
    this.#dispose()
    this.#outline.forget(step, this.key)
    this.putCommit(step, undefined)
    this.putUnapproved(step, [])
  }

  putUnapproved(step: Step, unapproved: Unapproved): void {
    if (unapproved.length === 0 && this.unapproved.length === 0) return
    this.unapproved = unapproved
    if (unapproved.length === 0) step.delete(recordKeys.unapproved(this.key))
    else step.put(recordKeys.unapproved(this.key), encode(Unapproved, unapproved))
  }

  putCommit(step: Step, commit: OutgoingCommit | undefined): void {
    if (commit === undefined && this.commit === undefined) return
    this.commit = commit
    if (commit === undefined) step.delete(recordKeys.commit(this.key))
    else step.put(recordKeys.commit(this.key), encode(OutgoingCommit, commit))
  }

  addWish(step: Step, wish: Wish): number {
    const number = Number(this.state.nextWish)
    this.update(step, { nextWish: this.state.nextWish + 1n })
    this.putWish(step, number, wish)
    return number
  }

  putWish(step: Step, number: number, wish: Wish): void {
    this.wishes.set(number, wish)
    step.put(recordKeys.wish(this.key, number), encode(Wish, wish))
  }

  /** Settles with the wish; to be asked for in the step that stores it. */
  expect(step: Step, number: number): Promise<void> {
    const settled = new Promise<void>((resolve, reject) => {
      step.after(() => this.waiters.set(number, { resolve, reject }))
    })
    // Whoever stops waiting is told by the event `failed`.
    settled.catch(() => {})
    return settled
  }

  /** A wish has come true. */
  fulfil(step: Step, number: number): void {
    this.#end(step, number)
    step.after(() => this.settle(number))
  }

  /** A wish never will. */
  fail(step: Step, number: number, { code, reason }: { code: ClientErrorCode; reason: string }): void {
    const wish = this.wishes.get(number)
    if (wish === undefined) return
    this.#end(step, number)
    step.emit({ type: "failed", conversation: this.id, ...describe(wish), code, reason })
    step.after(() => this.settle(number, new ClientError(code, reason)))
  }

  /** What a wish is called by the call that made it. */
  wishName(number: number): FailedEvent["wish"] | undefined {
    const wish = this.wishes.get(number)
    return wish && describe(wish).wish
  }

  failAll(step: Step, why: { code: ClientErrorCode; reason: string }): void {
    for (const number of [...this.wishes.keys()]) this.fail(step, number, why)
  }

  /** In which epoch each filled node got its key, as far as that has been seen since this was asked for first. */
  renewals(): ReadonlyMap<number, Renewal> {
    this.#renewals ??= this.#compareKeys(new Map(), undefined)
    return this.#renewals
  }

  #compareKeys(before: ReadonlyMap<number, Renewal>, epoch: bigint | undefined): ReadonlyMap<number, Renewal> {
    const now = new Map<number, Renewal>()
    for (const { nodeIndex, key } of this.group?.treeView() ?? []) {
      if (key === undefined) continue
      const known = before.get(nodeIndex)
      now.set(nodeIndex, known !== undefined && equalBytes(known.key, key) ? known : { key, epoch })
    }
    return now
  }

  /** Ends the waiting for a wish. */
  settle(number: number, error?: Error): void {
    const waiter = this.waiters.get(number)
    this.waiters.delete(number)
    if (error === undefined) waiter?.resolve()
    else waiter?.reject(error)
  }

  get members(): readonly Member[] {
    return this.group?.members ?? []
  }

  /** Names of members: sorted, each once. The same array while they are the same. */
  get names(): readonly string[] {
    return this.#outline.shown?.names ?? []
  }

  close(): void {
    this.#dispose()
    for (const number of [...this.waiters.keys()])
      this.settle(number, new ClientError("CLOSED", "the client is closed"))
  }

  /** A group from its records, whose keys begin with `prefix`. */
  restore(records: readonly (readonly [string, Uint8Array])[], prefix: string): Group {
    const { identity, group } = this.#options
    return Group.restore({
      ...group,
      suite: identity.suite,
      signer: identity.signer,
      records: records.map(([key, record]) => [key.slice(prefix.length), record] as const),
    })
  }

  #end(step: Step, number: number): void {
    this.wishes.delete(number)
    step.delete(recordKeys.wish(this.key, number))
  }

  #dispose(): void {
    this.group?.[Symbol.dispose]()
    this.group = undefined
  }
}

interface Renewal {
  readonly key: Uint8Array
  readonly epoch: bigint | undefined
}

/** What an application is shown. */
export interface ConversationView {
  /** `undefined` where this device is no member. */
  readonly outline: GroupOutline | undefined
  readonly status: ConversationStatus
  readonly title: string
  readonly pending: readonly PendingMessage[]
  readonly names: readonly string[]
  /** Whether there is a log to follow. */
  readonly isFollowed: boolean
}

const emptyView: ConversationView = {
  outline: undefined,
  status: "left",
  title: "",
  pending: [],
  names: [],
  isFollowed: false,
}

function pendingOf(wishes: ReadonlyMap<number, Wish>): readonly PendingMessage[] {
  return [...wishes]
    .sort(([a], [b]) => a - b)
    .flatMap(([, wish]) => (wish.type === "message" ? (messageOf(decodePayload(wish.payload)) ?? []) : []))
}

export const STATE_VERSION = 2
export const emptyState: ConversationState = {
  version: STATE_VERSION,
  status: "left",
  title: "",
  reason: "",
  cursor: 0n,
  chainHash: new Uint8Array(),
  lastCommit: undefined,
  firstEpoch: 0n,
  nextWish: 1n,
  departures: [],
  titleDueSince: undefined,
  missingSince: undefined,
  laterEpoch: undefined,
}

function describe(wish: Wish): { wish: FailedEvent["wish"]; names: readonly string[] } {
  if (wish.type === "invite" || wish.type === "remove") return { wish: wish.type, names: wish.names }
  if (wish.type !== "message") return { wish: wish.type, names: [] }
  return { wish: decodePayload(wish.payload).body.type === "title" ? "title" : "send", names: [] }
}
