import { decode } from "@conclave/codec"
import { nameFault } from "@conclave/contracts/names"
import { safetyCode } from "@conclave/identity"
import type {
  Conversation,
  ConversationStatus,
  Message,
  PendingMessage,
  TreeNode,
  WishOptions,
} from "../conversation.js"
import { copyBytes } from "../core/bytes.js"
import { recordKeys, StoredMessage, sortable, type Wish } from "../core/records.js"
import { Runner } from "../core/runner.js"
import type { Step } from "../core/steps.js"
import { ClientError } from "../errors.js"
import { hex } from "../store/sealed.js"
import { advance, nextDue } from "./advance.js"
import type { Shared, Work } from "./context.js"
import { acceptInvitation, concludeInvitation, declineInvitation } from "./invitation.js"
import { LocalConversation } from "./local.js"
import { CONTENT_SIZE_MAX, decodePayload, messageOf, type Payload, TITLE_SIZE_MAX } from "./payload.js"
import { addMessage } from "./settle.js"
import { atOnce } from "./wishes.js"

const HISTORY_LIMIT = 100

export interface GroupConversationOptions {
  readonly signal: AbortSignal
  readonly onFault: (error: unknown) => void
  /** The invitation to it was declined: nobody is shown it any more. */
  readonly onDeclined: (conversation: GroupConversation) => void
  /** The invitation to it came to nothing, and nothing is left of it. */
  readonly onForgotten: (conversation: GroupConversation) => void
}

/** A conversation as the application sees it: wishes are stored at once, and carried out by {@link advance}. */
export class GroupConversation implements Conversation {
  readonly work: Work
  readonly runner: Runner
  readonly #onDeclined: (conversation: GroupConversation) => void

  constructor(id: Uint8Array, shared: Shared, options: GroupConversationOptions) {
    const { signal, onFault, onDeclined, onForgotten } = options
    this.#onDeclined = onDeclined
    const local = new LocalConversation(id, {
      store: shared.store,
      identity: shared.identity,
      group: shared.groupOptions,
      invitations: shared.invitations,
    })
    this.work = {
      ...shared,
      local,
      signal,
      incoming: [],
      headSeq: undefined,
      suspect: undefined,
      refusedCommit: undefined,
      stall: undefined,
      missing: undefined,
      deferral: undefined,
      unreached: undefined,
      rejoins: 0,
      stale: undefined,
    }
    const { now, random } = shared
    const job = async () => {
      await advance(this.work)
      if (await concludeInvitation(this.work)) onForgotten(this)
    }
    this.runner = new Runner({
      job,
      signal,
      due: () => nextDue(this.work),
      now,
      random,
      onFault,
    })
  }

  get id(): string {
    return this.work.local.key
  }

  get title(): string {
    return this.work.local.view.title
  }

  get status(): ConversationStatus {
    return this.work.local.view.status
  }

  get members(): readonly string[] {
    return this.work.local.view.names
  }

  get invitedBy(): string | undefined {
    const invitation = this.work.invitations.get(this.id)
    return invitation?.answer === "waiting" ? invitation.by : undefined
  }

  get pending(): readonly PendingMessage[] {
    return this.work.local.view.pending
  }

  get epoch(): bigint {
    return this.work.local.view.outline?.epoch ?? 0n
  }

  get epochAuthenticator(): Uint8Array {
    return this.work.local.view.outline?.epochAuthenticator ?? new Uint8Array()
  }

  async send(content: string | Uint8Array, options?: WishOptions): Promise<string> {
    const body: Payload["body"] =
      typeof content === "string" ? { type: "text", text: content } : { type: "bytes", bytes: copyBytes(content) }
    const size = typeof content === "string" ? new TextEncoder().encode(content).length : content.length
    if (size > CONTENT_SIZE_MAX) throw new ClientError("TOO_LARGE", `a message has at most ${CONTENT_SIZE_MAX} bytes`)
    let messageId = ""
    await this.#wish((step) => {
      const { number, payload } = addMessage(this.work, step, body)
      messageId = hex(payload.messageId)
      return number
    }, options)
    return messageId
  }

  async invite(...names: readonly string[]): Promise<void> {
    for (const name of names) requireName(name)
    await Promise.all(atOnce(names).map((some) => this.#add({ type: "invite", names: some, claimed: [] })))
  }

  async remove(...names: readonly string[]): Promise<void> {
    for (const name of names) requireName(name)
    if (names.includes(this.work.identity.name)) throw new TypeError("nobody removes themselves: leave()")
    await Promise.all(atOnce(names).map((some) => this.#add({ type: "remove", names: some })))
  }

  async setTitle(title: string): Promise<void> {
    requireTitle(title)
    await this.#wish((step) => addMessage(this.work, step, { type: "title", title }).number)
  }

  async refresh(): Promise<void> {
    await this.#add({ type: "refresh" })
  }

  async accept(): Promise<void> {
    await acceptInvitation(this.work)
    this.runner.wake()
  }

  async decline(): Promise<void> {
    if (!this.work.invitations.isWaiting(this.id)) throw new TypeError("this is no invitation: leave()")
    const { told } = await declineInvitation(this.work, () => this.#onDeclined(this)).finally(() => this.runner.wake())
    await told.catch((error: unknown) => {
      // Removed by others before they could be asked to.
      if (!(error instanceof ClientError && error.code === "NOT_A_MEMBER")) throw error
    })
  }

  async leave(): Promise<void> {
    if (this.status === "invited") return this.decline()
    if (this.status === "left" || this.status === "leaving") return
    await this.#add({ type: "leave", outgoing: undefined, acceptedSeq: undefined })
  }

  async history(options: { readonly before?: number; readonly limit?: number } = {}): Promise<readonly Message[]> {
    const { local, store } = this.work
    const prefix = recordKeys.messages(local.key)
    const before = options.before === undefined ? {} : { before: prefix + sortable(options.before) }
    const records = await store.list(prefix, { limit: options.limit ?? HISTORY_LIMIT, reverse: true, ...before })
    return records.reverse().flatMap(([key, record]) => {
      const { from, own, payload } = decode(StoredMessage, record)
      const message = messageOf(decodePayload(payload))
      return message === undefined ? [] : [{ ...message, from, own, seq: Number(key.slice(prefix.length)) }]
    })
  }

  safetyCode(name: string): string {
    const { identity, local } = this.work
    const person = (who: string) => {
      const nodes = local.view.outline?.nodes ?? []
      const signatureKeys = nodes.flatMap((node) =>
        node.type === "leaf" && node.name === who ? [node.signatureKey] : [],
      )
      if (signatureKeys.length === 0) throw new ClientError("NOT_A_MEMBER", `${who} is not in this conversation`)
      return { name: who, signatureKeys }
    }
    const sha512 = identity.suite.provider.hashes["SHA-512"]
    if (sha512 === undefined) throw new TypeError("the provider lacks SHA-512")
    return safetyCode(sha512, [person(identity.name), person(name)])
  }

  tree(): readonly TreeNode[] {
    const { local } = this.work
    const { outline } = local.view
    if (outline === undefined) return []
    const renewals = local.renewals()
    return outline.nodes.map((node, nodeIndex) => ({
      nodeIndex,
      // RFC 9420 appendix C: leaves are at even indexes.
      kind: nodeIndex % 2 === 0 ? "leaf" : "parent",
      blank: node.type === "blank",
      renewedInEpoch: renewals.get(nodeIndex)?.epoch,
      name: node.type === "leaf" ? node.name : undefined,
      own: node.type === "leaf" && nodeIndex === 2 * outline.ownLeafIndex,
      unmergedLeaves: node.type === "parent" ? node.unmergedLeaves : [],
    }))
  }

  /** For logs: what is behind a conversation holds secrets, and is nobody's to print. */
  toJSON() {
    const { id, title, status, members } = this
    return { id, title, status, members }
  }

  [Symbol.for("nodejs.util.inspect.custom")]() {
    return this.toJSON()
  }

  #add(wish: Wish): Promise<void> {
    return this.#wish((step) => this.work.local.addWish(step, wish))
  }

  /** Stores a wish, and waits until it has come true or cannot. */
  async #wish(store: (step: Step) => number, { signal }: WishOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    const { local, steps } = this.work
    const stored = steps.run(local, (step) => {
      const refusal = this.#refusal()
      if (refusal === undefined) return { settled: local.expect(step, store(step)) }
      // Not thrown: nothing has failed that a reload would mend.
      return { settled: rejected(refusal) }
    })
    // After a failure too: it may have been stored nevertheless.
    const wish = stored.finally(() => this.runner.wake()).then(({ settled }) => settled)
    wish.catch(() => {})
    await unlessAborted(wish, signal)
  }

  #refusal(): ClientError | undefined {
    const { local, invitations } = this.work
    const { status, reason } = local.state
    if (invitations.isWaiting(local.key)) {
      return new ClientError("NOT_A_MEMBER", "this invitation has not been accepted")
    }
    if (invitations.isDeclined(local.key)) return new ClientError("NOT_A_MEMBER", "this invitation was declined")
    if (status === "left" || status === "leaving") {
      return new ClientError("NOT_A_MEMBER", (status === "left" && reason) || "this conversation was left")
    }
    return status === "lost" ? new ClientError("LOST", reason) : undefined
  }
}

function rejected(error: Error): Promise<never> {
  const promise = Promise.reject(error)
  promise.catch(() => {})
  return promise
}

export function requireName(name: string): void {
  const fault = nameFault(name)
  if (fault !== undefined) throw new TypeError(`${JSON.stringify(name)} is not a name: ${fault}`)
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
