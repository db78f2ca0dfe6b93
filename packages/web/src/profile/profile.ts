import {
  type Client,
  ClientError,
  type ClientEvent,
  type Conversation,
  openClient,
  type PendingMessage,
  type PersonLabel,
  personLabel,
  type TreeNode,
} from "@conclave/client/browser"
import type { Notice } from "@conclave/headless/parts"
import {
  type Alert,
  type ConversationMemory,
  continueMemory,
  conversationMemory,
  emptyThread,
  followAlerts,
  hexOf,
  inOrder,
  isPlaced,
  type KeyAlert,
  type Memory,
  type MemoryFile,
  newestOf,
  noticeOf,
  openMemory,
  renewalOf,
  restarted,
  type Thread,
  type TimelineItem,
  textOf,
  timelineOf,
  withMessages,
  withNotice,
  withPage,
} from "@conclave/headless/parts"
import { announcementOf } from "./notice-words.js"
import { failureOf, isolated, type People, problem } from "./words.js"

const PAGE_SIZE = 60
const SETTLING_MILLISECONDS = 250

/** The open profile: the client, what the page remembers beside it, and what is on the screen of both. */
export class Profile implements People {
  readonly client: Client
  readonly memory: Memory
  /** What a screen reader is to say. */
  announcement = ""
  /** Why the page cannot keep what it is told, or `undefined`. */
  fault: string | undefined
  /** The service speaks newer versions only. */
  outdated = false
  /** The client has let go of the profile: nothing can be done any more but reload. */
  closed = false
  readonly #file: MemoryFile
  readonly #threads = new Map<string, Thread>()
  readonly #pending = new Map<string, ReadonlyMap<string, PendingMessage>>()
  readonly #trees = new Map<string, { readonly epoch: bigint; readonly nodes: readonly TreeNode[] }>()
  readonly #putBacks = new Map<string, number>()
  /** Drawn again and again: judged once for each display name. */
  readonly #labels = new Map<string, { readonly of: string | undefined; readonly label: PersonLabel }>()
  readonly #codes = new Map<string, string>()
  readonly #listeners = new Set<() => void>()
  #visible: string | undefined
  #notifying = false

  private constructor(client: Client, file: MemoryFile) {
    this.client = client
    this.#file = file
    this.memory = file.memory
  }

  /** Registers the name on first use, with a display name if it is not empty; throws what `openClient` throws. */
  static async open(name: string, displayName: string, signal: AbortSignal): Promise<Profile> {
    const named = displayName === "" ? {} : { displayName }
    const client = await openClient({
      name,
      // The page is served from where the services are, a path included.
      service: new URL(".", document.baseURI),
      ...named,
      policy: { invitations: "ask" },
      waitForOtherTab: true,
      signal,
    })
    const profile = new Profile(client, await openMemory(name))
    profile.#start()
    return profile
  }

  get name(): string {
    return this.client.name
  }

  /** How a person is shown. */
  label(name: string): PersonLabel {
    const displayName = this.client.displayName(name)
    const known = this.#labels.get(name)
    if (known !== undefined && known.of === displayName) return known.label
    const label = personLabel(name, displayName)
    this.#labels.set(name, { of: displayName, label })
    return label
  }

  /** How a person is named in a sentence. */
  called(name: string): string {
    return isolated(this.label(name).text)
  }

  /** Those that the user is or was in, with the latest news first. */
  get conversations(): readonly Conversation[] {
    return [...this.client.conversations.values()]
      .filter(({ status }) => status !== "invited")
      .sort((a, b) => this.#lastChange(b.id) - this.#lastChange(a.id))
  }

  /** Those that wait for an answer. */
  get invitations(): readonly Conversation[] {
    const waiting = [...this.client.conversations.values()].filter(({ status }) => status === "invited")
    const known = new Set(waiting.length === 0 ? [] : this.conversations.flatMap(({ members }) => members))
    const invitations = waiting.map((conversation) => {
      const by = conversation.invitedBy ?? ""
      return { conversation, by, known: known.has(by), at: this.#lastChange(conversation.id) }
    })
    return inOrder(invitations).map(({ conversation }) => conversation)
  }

  /** Conversations that the user has with somebody already. */
  sharedWith(name: string): readonly Conversation[] {
    return this.conversations.filter(({ members }) => members.includes(name))
  }

  observe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  of(id: string): ConversationMemory {
    return conversationMemory(this.memory, id)
  }

  // --- What is seen --------------------------------------------------------------------------------------------------

  thread(id: string): Thread {
    return this.#threads.get(id) ?? emptyThread
  }

  timeline(conversation: Conversation): readonly TimelineItem[] {
    return timelineOf(this.thread(conversation.id), conversation, this.of(conversation.id))
  }

  /** The tree of the present epoch: walked over once in each. */
  tree(conversation: Conversation): readonly TreeNode[] {
    const known = this.#trees.get(conversation.id)
    if (known !== undefined && known.epoch === conversation.epoch && conversation.status !== "left") return known.nodes
    const nodes = conversation.tree()
    this.#trees.set(conversation.id, { epoch: conversation.epoch, nodes })
    return nodes
  }

  safetyCode(conversation: Conversation, name: string): string {
    const key = `${conversation.id}/${conversation.epoch}/${name}`
    const code = this.#codes.get(key) ?? conversation.safetyCode(name)
    this.#codes.set(key, code)
    return code
  }

  /** Whether the code that this conversation has with `name` was compared. */
  isCompared(conversation: Conversation, name: string): boolean {
    const codes = this.memory.compared.get(name)
    return codes?.includes(this.safetyCode(conversation, name)) ?? false
  }

  /** `undefined`: none is. Its messages count as read while the page is in front. */
  show(id: string | undefined): void {
    this.#visible = id
    if (id === undefined) return
    this.markRead()
    const isInvitation = this.client.conversations.get(id)?.status === "invited"
    if (!isInvitation && !this.thread(id).loaded) void this.#loadLatest(id)
  }

  markRead(): void {
    if (this.#visible === undefined || document.visibilityState !== "visible") return
    const memory = this.of(this.#visible)
    if (memory.unread === 0) return
    memory.unread = 0
    this.#remember()
  }

  async loadEarlier(id: string): Promise<void> {
    const thread = this.thread(id)
    const before = thread.messages[0]?.seq
    const conversation = this.client.conversations.get(id)
    if (conversation === undefined || before === undefined) return
    const page = await conversation.history({ before, limit: PAGE_SIZE })
    this.#threads.set(id, { ...withPage(this.thread(id), page), hasEarlier: page.length === PAGE_SIZE })
    this.#notify()
  }

  // --- What is done --------------------------------------------------------------------------------------------------

  /** The text is kept from here on, whatever happens: it is seen as pending, then as sent or as failed. */
  send(conversation: Conversation, text: string): void {
    const { id } = conversation
    const failedBefore = this.of(id).failed.length
    this.setDraft(id, "")
    conversation.send(text).catch(async (error: unknown) => {
      // What was pending once is settled where it vanishes; this is for what could not even be stored.
      await new Promise((resolve) => setTimeout(resolve, SETTLING_MILLISECONDS))
      const { failed } = this.of(id)
      const isSeen = conversation.pending.some((it) => it.text === text) || failed.length > failedBefore
      if (isSeen || (error instanceof ClientError && error.code === "CLOSED" && this.closed)) return
      failed.push({ messageId: `unstored-${Date.now()}`, text, reason: `Not sent: ${problem(error)}`, at: Date.now() })
      this.#remember()
    })
  }

  /** Resolves when the invitation is gone from the list: the others are told as soon as the service can be reached. */
  async decline(conversation: Conversation): Promise<void> {
    const who = this.called(conversation.invitedBy ?? "")
    const declined = conversation.decline()
    declined.catch(() => {})
    let stop = () => {}
    const gone = new Promise<void>((resolve) => {
      stop = this.client.observe(() => conversation.status !== "invited" && resolve())
    })
    await Promise.race([declined, gone]).finally(stop)
    this.announcement = `You declined the invitation by ${who}.`
    this.#notify()
  }

  /** Resolves when the new group is in the list: the service and the members may hear of it later. */
  async restart(conversation: Conversation, without: readonly string[]): Promise<Conversation> {
    const after = await restarted(this.client, conversation, without)
    this.announcement = "You go on in a new group. The others are asked."
    this.#notify()
    return after
  }

  discardFailed(id: string, messageId: string): string {
    const { failed } = this.of(id)
    const at = failed.findIndex((it) => it.messageId === messageId)
    const [message] = at === -1 ? [] : failed.splice(at, 1)
    this.#remember()
    return message?.text ?? ""
  }

  /** Into the field where one writes, below what stands there. */
  putBack(id: string, messageId: string): void {
    const text = this.discardFailed(id, messageId)
    const { draft } = this.of(id)
    this.setDraft(id, draft === "" ? text : `${draft}\n${text}`)
    this.#putBacks.set(id, this.putBacks(id) + 1)
  }

  /** How often something was put back: the field has to be read anew. */
  putBacks(id: string): number {
    return this.#putBacks.get(id) ?? 0
  }

  /** Draws nothing anew: the field shows it already. */
  setDraft(id: string, draft: string): void {
    this.of(id).draft = draft
    this.#file.save().catch((error: unknown) => this.#fail(error))
  }

  setCompared(name: string, code: string, compared: boolean): void {
    const others = (this.memory.compared.get(name) ?? []).filter((it) => it !== code)
    this.memory.compared.set(name, compared ? [...others, code] : others)
    this.#remember()
  }

  /** Out of sight, until the user asks for it again. */
  refuseKey(alert: KeyAlert, refused = true): void {
    alert.refused = refused
    this.#remember()
  }

  dismissAlert(number: number): void {
    const { keyAlerts } = this.memory
    const at = keyAlerts.findIndex((it) => it.number === number)
    if (at !== -1) keyAlerts.splice(at, 1)
    this.#remember()
  }

  dismiss(alert: Alert): void {
    const { alerts } = this.memory
    if (alerts.includes(alert)) alerts.splice(alerts.indexOf(alert), 1)
    this.#remember()
  }

  // --- Following the client ------------------------------------------------------------------------------------------

  #start(): void {
    for (const conversation of this.conversations) {
      this.#pending.set(conversation.id, pendingOf(conversation))
      this.tree(conversation)
      void this.#loadPreview(conversation)
    }
    this.client.observe(() => this.#follow())
    void this.#takeEvents()
  }

  /** An earlier version of the page has not kept the place of the last message. */
  async #findPlaces(): Promise<void> {
    for (const [id, conversation] of this.client.conversations) {
      const memory = this.of(id)
      memory.lastSeq ??= (await conversation.history({ limit: 1 })).at(-1)?.seq
    }
  }

  async #takeEvents(): Promise<void> {
    try {
      await this.#findPlaces()
      for await (const event of this.client.events()) {
        if (event.number <= this.memory.lastEvent) continue
        // What was written before the user came in stands before what is told of it.
        if (event.type === "joined") await this.#enter(event.conversation)
        this.#take(event)
        this.memory.lastEvent = event.number
        this.#notify()
        // Before the next is asked for, which acknowledges this one.
        await this.#file.save()
      }
      this.closed = true
      this.#notify()
    } catch (error) {
      this.#fail(error)
    }
  }

  #take(event: ClientEvent): void {
    const id = event.conversation && newestOf(event.conversation).id
    const memory = id === undefined ? undefined : this.of(id)
    if (event.type === "message" || event.type === "sent") {
      if (id === undefined || memory === undefined) return
      const own = event.type === "sent"
      const { messageId, sentAt, seq } = event
      const from = own ? this.name : event.from
      if (seq === undefined) void this.#loadLatest(id)
      else {
        memory.lastSeq = seq
        const message = { seq, messageId, from, own, sentAt, text: textOf(event) }
        this.#change(id, (thread) => withMessages(thread, [message]))
      }
      const seen = id === this.#visible && document.visibilityState === "visible"
      if (!own && !seen) memory.unread++
      this.#announce(event, undefined)
      return
    }
    if (event.type === "keyChanged") this.#alert(event)
    if (event.type === "update") this.outdated = true
    followAlerts(this.memory.alerts, event)
    const alerted = new Set(this.memory.keyAlerts.map(({ name }) => name))
    let told: Notice | undefined
    for (const { notices, lastSeq: after } of this.#placesOf(event)) {
      const notice = noticeOf(event, { at: Date.now(), after, notices, alerted })
      if (notice !== undefined) withNotice(notices, notice)
      told ??= notice
    }
    this.#announce(event, told)
  }

  #announce(event: ClientEvent, notice: Notice | undefined): void {
    const visible = event.conversation?.id === this.#visible
    this.announcement = announcementOf(event, { notice, visible, people: this }) ?? this.announcement
  }

  /** Where it is told: a display name wherever its owner is a member. */
  #placesOf(event: ClientEvent): readonly ConversationMemory[] {
    if (event.conversation !== undefined) return [this.of(newestOf(event.conversation).id)]
    if (event.type !== "displayName") return []
    const shared = [...this.client.conversations.values()].filter(({ members }) => members.includes(event.name))
    return shared.map(({ id }) => this.of(id))
  }

  #alert(event: ClientEvent & { type: "keyChanged" }): void {
    const { number, conversation, name, endorsed, accepted } = event
    const signatureKey = hexOf(event.signatureKey)
    const { keyAlerts } = this.memory
    const same = keyAlerts.findIndex((it) => it.signatureKey === signatureKey && it.name === name)
    if (same !== -1) keyAlerts.splice(same, 1)
    keyAlerts.push({ number, conversation: conversation?.id, name, signatureKey, endorsed, accepted })
  }

  /** After each step of the client: what is pending no more, and which nodes of the tree are new. */
  #follow(): void {
    for (const id of [...this.memory.conversations.keys()]) if (!this.client.conversations.has(id)) this.#leave(id)
    for (const conversation of this.conversations) {
      this.#followPending(conversation)
      this.#followTree(conversation)
    }
    this.#notify()
  }

  /** Of an invitation that was declined, or withdrawn, nothing is left; of what goes on in a new group, everything. */
  #leave(id: string): void {
    const after = this.conversations.find(({ continues }) => continues?.id === id)
    if (after !== undefined) {
      continueMemory(this.memory, id, after.id)
      this.#threads.delete(after.id)
      if (after.id === this.#visible) void this.#loadLatest(after.id)
      else void this.#loadPreview(after)
    }
    this.memory.conversations.delete(id)
  }

  #followPending(conversation: Conversation): void {
    const { id } = conversation
    const before = this.#pending.get(id) ?? new Map<string, PendingMessage>()
    const now = pendingOf(conversation)
    this.#pending.set(id, now)
    const settled = [...before.values()].filter(({ messageId }) => !now.has(messageId))
    if (settled.length === 0) return
    this.#change(id, (thread) => ({
      ...thread,
      settling: new Map([...thread.settling, ...settled.map((it) => [it.messageId, it] as const)]),
    }))
    void this.#settle(conversation, settled)
  }

  /** The history decides whether a message that is no longer pending was sent. */
  async #settle(conversation: Conversation, settled: readonly PendingMessage[]): Promise<void> {
    const { id } = conversation
    const page = await conversation.history({ limit: PAGE_SIZE })
    this.#change(id, (thread) => {
      const settling = new Map(thread.settling)
      for (const { messageId } of settled) settling.delete(messageId)
      return { ...withPage(thread, page), settling }
    })
    const failed = settled.filter(({ messageId }) => !isPlaced(this.thread(id), messageId))
    for (const message of failed) {
      const reason = failureOf(conversation)
      this.of(id).failed.push({ messageId: message.messageId, text: textOf(message), reason, at: Date.now() })
    }
    if (failed.length > 0) this.#remember()
    this.#notify()
  }

  #followTree(conversation: Conversation): void {
    const { id, epoch, status } = conversation
    if (this.#trees.get(id)?.epoch === epoch && status !== "left") return
    const before = this.#trees.get(id)?.nodes ?? []
    this.of(id).renewal = renewalOf(before, this.tree(conversation), epoch)
    this.#remember()
  }

  async #loadPreview(conversation: Conversation): Promise<void> {
    const page = await conversation.history({ limit: 1 })
    this.#change(conversation.id, (thread) => withPage(thread, page))
    this.#notify()
  }

  async #enter(conversation: Conversation): Promise<void> {
    const { id } = conversation
    await this.#loadLatest(id)
    const memory = this.of(id)
    memory.lastSeq = this.thread(id).messages.at(-1)?.seq ?? memory.lastSeq
  }

  async #loadLatest(id: string): Promise<void> {
    const page = (await this.client.conversations.get(id)?.history({ limit: PAGE_SIZE })) ?? []
    const hasEarlier = page.length === PAGE_SIZE
    this.#change(id, (thread) => ({ ...withPage(thread, page), loaded: true, hasEarlier }))
    this.#notify()
  }

  #change(id: string, change: (thread: Thread) => Thread): void {
    this.#threads.set(id, change(this.thread(id)))
  }

  #lastChange(id: string): number {
    const message = this.thread(id).messages.at(-1)?.sentAt.getTime() ?? 0
    return Math.max(message, this.of(id).notices.at(-1)?.at ?? 0)
  }

  #remember(): void {
    this.#notify()
    this.#file.save().catch((error: unknown) => this.#fail(error))
  }

  #fail(error: unknown): void {
    this.fault = error instanceof Error ? error.message : String(error)
    this.#notify()
  }

  #notify(): void {
    if (this.#notifying) return
    this.#notifying = true
    queueMicrotask(() => {
      this.#notifying = false
      for (const listener of [...this.#listeners]) listener()
    })
  }
}

function pendingOf({ pending }: Conversation): ReadonlyMap<string, PendingMessage> {
  return new Map(pending.map((it) => [it.messageId, it]))
}
