import { decode } from "@conclave/codec"
import { hex } from "../bytes.js"
import { atOnce } from "../conversation/committing.js"
import { inspect } from "../conversation/inspecting.js"
import type { Kept } from "../conversation/invitation.js"
import { CONTENT_SIZE_MAX, decodePayload, messageOf, TITLE_SIZE_MAX } from "../conversation/payload.js"
import type { Input, NewWish } from "../conversation/step.js"
import type {
  ContinuedConversation,
  Conversation,
  ConversationStatus,
  KeepingTimes,
  KeptAtService,
  Message,
  PendingMessage,
  TreeNode,
  WishOptions,
} from "../conversation.js"
import { ClientError } from "../errors.js"
import { safetyCodeOf } from "../identity/codes.js"
import { requireName } from "../identity/names.js"
import type { Inspection } from "../inspection.js"
import { bodyOf, contentSize, type Sendable } from "../kinds/contents.js"
import { recordKeys, StoredMessage, sortable } from "../records/records.js"
import { acceptContinuing, continuedIn } from "./continuations.js"
import type { ServiceCopy } from "./copy.js"
import { Driver, type Fates, type Means, type Wished } from "./driver.js"

const HISTORY_LIMIT = 100

/** The other conversations of the device. */
export interface Neighbours {
  readonly find: (id: string) => ConversationHandle | undefined
  readonly restart: (conversation: ConversationHandle, without: readonly string[]) => Promise<Conversation>
  /** Lists what is stored: where a transaction has failed, nobody knows whether it happened before that is read again. */
  readonly arrange: () => void
}

export interface Surroundings {
  readonly fates: Fates
  readonly neighbours: Neighbours
}

/** Of the places in a conversation's log, what is added with each restart: see `Message.seq`. */
export const PLACES_OF_ONE = 2 ** 40

/** A conversation as the application sees it: wishes are stored at once, and carried out by the {@link Driver}. */
export class ConversationHandle implements Conversation {
  readonly driver: Driver
  readonly #means: Means

  readonly #neighbours: Neighbours

  constructor(id: Uint8Array, means: Means, { fates, neighbours }: Surroundings) {
    this.#means = means
    this.#neighbours = neighbours
    this.driver = new Driver(id, means, fates)
  }

  get id(): string {
    return this.driver.state.key
  }

  get title(): string {
    return this.driver.view.title
  }

  get status(): ConversationStatus {
    return this.driver.view.status
  }

  get missing(): boolean {
    return this.driver.view.isMissing
  }

  get members(): readonly string[] {
    return this.driver.view.names
  }

  get invitedBy(): string | undefined {
    const invitation = this.#means.invitations.get(this.id)
    return invitation?.answer === "waiting" ? invitation.by : undefined
  }

  get invitedToContinue(): ContinuedConversation | undefined {
    return this.status === "invited" ? continuedIn(this, this.#neighbours.find) : undefined
  }

  get continues(): ConversationHandle | undefined {
    return this.#neighbour(this.driver.view.continuation.before)
  }

  get continuedBy(): ConversationHandle | undefined {
    return this.#neighbour(this.driver.view.continuation.after)
  }

  get pending(): readonly PendingMessage[] {
    return this.driver.view.pending
  }

  /** By which key something is written for the group; `undefined` where this device is in it no longer, or not yet. */
  get group() {
    const { id: groupId, intervals, outline } = this.driver.state
    const isMember = outline.shown !== undefined && this.status !== "invited"
    return isMember ? { groupId, prover: intervals.newest } : undefined
  }

  get epoch(): bigint {
    return this.driver.view.outline?.epoch ?? 0n
  }

  get epochAuthenticator(): Uint8Array {
    return this.driver.view.outline?.epochAuthenticator ?? new Uint8Array()
  }

  async send(content: string | Uint8Array | Sendable, options?: WishOptions): Promise<string> {
    const body = bodyOf(content)
    if (contentSize(body) > CONTENT_SIZE_MAX)
      throw new ClientError("TOO_LARGE", `a message has at most ${CONTENT_SIZE_MAX} bytes`)
    return hex((await this.#wish({ type: "say", body }, options)).messageId!)
  }

  signal(content: Uint8Array): Promise<void> {
    const { status } = this
    if (status !== "active") return Promise.reject(new ClientError("NOT_A_MEMBER", `the conversation is ${status}`))
    return this.#means.signals.send(this.driver.state, content)
  }

  /** What somebody has signalled just now, for the first time; `undefined` for anything else. */
  openSignal(body: Uint8Array) {
    return this.status === "active" ? this.#means.signals.open(this.driver.state, body) : undefined
  }

  async invite(...names: readonly string[]): Promise<void> {
    for (const name of names) requireName(name)
    await Promise.all(atOnce(names).map((some) => this.#wish({ type: "invite", names: some, claimed: [] })))
  }

  async reinvite(...names: readonly string[]): Promise<void> {
    for (const name of names) requireName(name)
    await Promise.all(atOnce(names).map((some) => this.#wish({ type: "reinvite", names: some, claimed: [] })))
  }

  async restart({ without = [] }: { readonly without?: readonly string[] } = {}): Promise<Conversation> {
    return this.#neighbours.restart(this, [...without])
  }

  async remove(...names: readonly string[]): Promise<void> {
    for (const name of names) requireName(name)
    if (names.includes(this.#means.identity.name))
      throw new TypeError("a member cannot remove its own name: call leave()")
    await Promise.all(atOnce(names).map((some) => this.#wish({ type: "remove", names: some })))
  }

  async setTitle(title: string): Promise<void> {
    requireTitle(title)
    await this.#wish({ type: "say", body: { type: "title", title } })
  }

  async refresh(): Promise<void> {
    await this.#wish({ type: "refresh" })
  }

  async accept(): Promise<void> {
    for (let isOver = false; !isOver; ) {
      // Whatever is at or before the cursor of a completed step is in the store.
      const cursor = await this.#means.transactions.run(undefined, () => this.driver.state.position.cursor)
      const kept = await this.#keptMessages()
      const accepted = { type: "accepted", kept, cursor } as const
      const effects = await this.#accept(accepted)
      isOver = !effects.some(({ type }) => type === "again")
    }
    this.driver.runner.wake()
  }

  async decline(): Promise<void> {
    if (this.status !== "invited") throw new TypeError("this is no invitation: leave()")
    const [told] = await this.driver.wish({ type: "declined" })
    await told?.settled.catch((error: unknown) => {
      // Removed by others before they could be asked to.
      if (!(error instanceof ClientError && error.code === "NOT_A_MEMBER")) throw error
    })
  }

  async leave(): Promise<void> {
    await this.leaveBy(undefined)
  }

  /** As {@link leave}; `signal` ends the waiting. */
  async leaveBy(signal: AbortSignal | undefined): Promise<void> {
    if (this.status === "invited") return unlessAborted(this.decline(), signal)
    if (this.status === "left" || this.status === "leaving") return
    await this.#wish({ type: "leave", outgoing: undefined, acceptedSeq: undefined }, signal && { signal })
  }

  async keepAtService(times: KeepingTimes): Promise<KeptAtService> {
    const { keepAtService } = await import("./copy.js")
    return keepAtService(this.#copy(), times)
  }

  async keptAtService(): Promise<KeptAtService> {
    const { keptAtService } = await import("./copy.js")
    return keptAtService(this.#copy())
  }

  async retireAtService(): Promise<KeptAtService> {
    const { retireAtService } = await import("./copy.js")
    return retireAtService(this.#copy())
  }

  #copy(): ServiceCopy {
    const { state } = this.driver
    const prover = state.intervals.newest
    if (prover === undefined || this.status !== "active") {
      throw new ClientError(
        "NOT_A_MEMBER",
        "only a member who follows the conversation has a say in what is kept of it",
      )
    }
    const { delivery, signal } = this.#means
    return { delivery, groupId: state.id, cursor: state.position.cursor, asking: { prover, signal } }
  }

  async history(options: { readonly before?: number; readonly limit?: number } = {}): Promise<readonly Message[]> {
    const { before, limit = HISTORY_LIMIT } = options
    const first = this.firstPlace
    // What was said before it was restarted comes before all that is said in it.
    const own = before === undefined || before > first ? await this.#ownHistory(limit, before) : []
    if (own.length >= limit || this.continues === undefined) return own
    return [...(await this.continues.history({ ...options, limit: limit - own.length })), ...own]
  }

  /** What the places of this conversation's log are added to: 2^40 for each that comes before it. */
  get firstPlace(): number {
    const { continues } = this
    return continues === undefined ? 0 : continues.firstPlace + PLACES_OF_ONE
  }

  async #ownHistory(limit: number, before: number | undefined): Promise<readonly Message[]> {
    const first = this.firstPlace
    const prefix = recordKeys.messages(this.id)
    const until = before === undefined ? {} : { before: prefix + sortable(Math.min(before - first, PLACES_OF_ONE)) }
    const records = await this.#means.store.list(prefix, { limit, reverse: true, ...until })
    return records.reverse().flatMap(([key, record]) => {
      const { from, own, payload } = decode(StoredMessage, record)
      const message = messageOf(decodePayload(payload))
      return message === undefined ? [] : [{ ...message, from, own, seq: first + Number(key.slice(prefix.length)) }]
    })
  }

  safetyCode(name: string): string {
    const { identity } = this.#means
    const nodes = this.driver.view.outline?.nodes ?? []
    const person = (who: string) => {
      const signatureKeys = nodes.flatMap((node) =>
        node.type === "leaf" && node.name === who ? [node.signatureKey] : [],
      )
      if (signatureKeys.length === 0) throw new ClientError("NOT_A_MEMBER", `${who} is not in this conversation`)
      return { name: who, signatureKeys }
    }
    return safetyCodeOf(identity, [person(identity.name), person(name)])
  }

  tree(): readonly TreeNode[] {
    return this.driver.view.tree(this.driver.state)
  }

  inspect(): Inspection {
    const { identity, serviceKeys } = this.#means
    return inspect(this.driver.state, { identity, service: serviceKeys.pinned })
  }

  /** For logs: a conversation holds secrets, which are not to be printed. */
  toJSON() {
    const { id, title, status, members } = this
    return { id, title, status, members }
  }

  [Symbol.for("nodejs.util.inspect.custom")]() {
    return this.toJSON()
  }

  #neighbour(id: Uint8Array | undefined): ConversationHandle | undefined {
    return id && this.#neighbours.find(hex(id))
  }

  /** Where it continues a conversation, that ends in the same transaction. */
  async #accept(accepted: Extract<Input, { readonly type: "accepted" }>) {
    const { find, arrange } = this.#neighbours
    const { groupId } = this.driver.state.continuation.continues ?? {}
    const claimed = this.invitedToContinue && this.#neighbour(groupId)
    if (claimed === undefined) return this.driver.run(accepted)
    try {
      return await acceptContinuing(this, claimed, { find, input: (takes) => ({ ...accepted, takes }) })
    } finally {
      arrange()
    }
  }

  /** Stores a wish, and waits until it has come true or cannot. */
  async #wish(wish: NewWish, { signal }: WishOptions = {}): Promise<Wished> {
    signal?.throwIfAborted()
    const done = this.driver.wish({ type: "wished", wish }).then(async ([wished]) => {
      await wished!.settled
      return wished!
    })
    done.catch(() => {})
    return unlessAborted(done, signal)
  }

  /** The messages after the Welcome's commit, in the order of the log. */
  async #keptMessages(): Promise<readonly Kept[]> {
    const { store, invitations } = this.#means
    const prefix = recordKeys.messages(this.id)
    const first = recordKeys.message(this.id, Number(invitations.get(this.id)?.since ?? 0n))
    const records = await store.list(prefix)
    return records.flatMap(([key, record]) =>
      key > first ? [{ seq: BigInt(key.slice(prefix.length)), message: decode(StoredMessage, record) }] : [],
    )
  }
}

export function requireTitle(title: string): void {
  if (new TextEncoder().encode(title).length > TITLE_SIZE_MAX) {
    throw new ClientError("TOO_LARGE", `a title has at most ${TITLE_SIZE_MAX} bytes`)
  }
}

/** The signal has not been aborted yet. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    signal.addEventListener("abort", abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort))
  })
}
