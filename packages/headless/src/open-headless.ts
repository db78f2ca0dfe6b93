import { type Client, type Conversation, type PersonLabel, personLabel, type TreeNode } from "@conclave/client"
import { type Draft, Drafts } from "./drafts.js"
import { Follower } from "./follower.js"
import type { Headless, HeadlessOptions, HeadlessSnapshot, Told } from "./headless.js"
import type { Kept } from "./kept.js"
import { keyAlertId } from "./key-alerts.js"
import { type ConversationSummary, invitationsOf, listOf, unreadOf } from "./list.js"
import type { Comparison, MemberDevice } from "./members.js"
import { bytesOf, hexOf, type KeptCommit, noFlags, nothingArrived, type Renewal, type Setting } from "./records.js"
import { restarted } from "./restarting.js"
import { type SearchHit, type SearchOptions, search } from "./search.js"
import { shared } from "./share.js"
import { type AlertView, outdatedAlert, type ShownAlert, shownAlert, shownKeyAlert } from "./shown-alerts.js"
import { OpenThread, type Thread, type ThreadMeans } from "./thread.js"
import type { Timers } from "./timers.js"
import { Trees } from "./trees.js"

const PAGE_SIZE = 60
const WINDOW_MAX = 300
const DRAFT_DELAY_MILLISECONDS = 150
/** Safety codes that are remembered; each is a hash of a hundred milliseconds. */
const CODES_MAX = 1_000

export interface OpenOptions extends HeadlessOptions {
  readonly timers: Timers
}

export class OpenHeadless implements Headless {
  readonly client: Client
  readonly #kept: Kept
  readonly #drafts: Drafts
  readonly #trees: Trees
  readonly #followsTrees: boolean
  readonly #follower: Follower
  readonly #means: ThreadMeans
  readonly #threads = new Map<string, OpenThread>()
  readonly #listeners = new Set<() => void>()
  readonly #toldListeners = new Set<(told: Told) => void>()
  readonly #labels = new Map<string, { readonly of: string | undefined; readonly label: PersonLabel }>()
  readonly #codes = new Map<string, string>()
  readonly #now: () => number
  #shown: string | undefined
  #isLooking = true
  #fault: string | undefined
  #isFull = false
  #isClosing = false
  /** Invitations of blocked people that are being declined. */
  readonly #declining = new Set<string>()
  #version = 0
  #isNotifying = false
  #snapshot: HeadlessSnapshot | undefined
  #snapshotVersion = -1
  #stopObserving = () => {}

  constructor(client: Client, kept: Kept, options: OpenOptions) {
    const { now = Date.now, timers, pageSize = PAGE_SIZE, windowMax = WINDOW_MAX, followTrees = false } = options
    this.client = client
    this.#kept = kept
    this.#now = now
    this.#drafts = new Drafts(kept, {
      now,
      delayMilliseconds: options.draftDelayMilliseconds ?? DRAFT_DELAY_MILLISECONDS,
    })
    this.#trees = new Trees(kept)
    this.#followsTrees = followTrees
    this.#means = {
      ...{ client, kept, drafts: this.#drafts, now, timers, pageSize, windowMax: Math.max(windowMax, 2 * pageSize) },
      version: () => this.#version,
      changed: () => this.changed(),
      subscribe: this.subscribe,
      isBlocked: (name) => kept.get("blocked", name) !== undefined,
      unread: (id) => unreadOf(kept, id),
      seen: (id) => this.#shown === id && this.#isLooking && this.markRead(id),
      fault: (error) => this.fault(error),
    }
    this.#follower = new Follower({
      ...{ client, kept, now },
      thread: (id) => this.#open(id),
      isSeen: (id) => id === this.#shown && this.#isLooking && this.#open(id).isFollowing,
      isShown: (id) => id === this.#shown,
      changed: () => this.changed(),
      told: (told) => this.#tell(told),
      fault: (error) => this.fault(error),
    })
  }

  get name(): string {
    return this.client.name
  }

  async start(): Promise<void> {
    await this.#drafts.recover(this.client)
    this.#stopObserving = this.client.observe(() => this.#follow())
    this.#follow()
    await this.#follower.start()
  }

  // --- Snapshots -----------------------------------------------------------------------------------------------------

  readonly getSnapshot = (): HeadlessSnapshot => {
    if (this.#snapshot !== undefined && this.#snapshotVersion === this.#version) return this.#snapshot
    this.#snapshotVersion = this.#version
    const parts = {
      client: this.client,
      kept: this.#kept,
      lastOf: (id: string) => this.#follower.last(id),
      now: this.#now(),
    }
    const all = listOf(parts)
    const conversations = all.filter(({ isArchived }) => !isArchived)
    const counted = conversations.filter(({ isMuted }) => !isMuted)
    const alerts = this.#alerts(all)
    this.#snapshot = shared<HeadlessSnapshot>(this.#snapshot, {
      conversations,
      archived: all.filter(({ isArchived }) => isArchived),
      invitations: invitationsOf(parts, all),
      ...alerts,
      unread: counted.reduce((sum, { unread }) => sum + unread, 0),
      blocked: [...this.#kept.all("blocked")].sort(([, a], [, b]) => a.at - b.at).map(([name]) => name),
      ...{ shown: this.#shown, fault: this.#fault, isFull: this.#isFull },
      isOutdated: this.#follower.outdated !== undefined,
      isClosed: this.#follower.isOver,
    })
    return this.#snapshot
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    // The same function may be given twice.
    const own = () => listener()
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  listen(listener: (told: Told) => void): () => void {
    const own = (told: Told) => listener(told)
    this.#toldListeners.add(own)
    return () => this.#toldListeners.delete(own)
  }

  #alerts(conversations: readonly ConversationSummary[]): Pick<HeadlessSnapshot, "alerts" | "refusedKeys"> {
    const byId = new Map(conversations.map((it) => [it.id, it]))
    const view: AlertView = {
      name: this.name,
      statusOf: (id) => byId.get(id)?.status,
      isMember: (id, name) => byId.get(id)?.members.includes(name) ?? false,
    }
    const byNumber = (a: { readonly number: number }, b: { readonly number: number }) => a.number - b.number
    const { outdated } = this.#follower
    const keys = [...this.#kept.all("keyAlert").values()].sort(byNumber)
    const shownKeys = (isRefused: boolean): readonly ShownAlert[] =>
      keys.filter(({ refused }) => (refused === true) === isRefused).map((it) => shownKeyAlert(it, view))
    const others = [...this.#kept.all("alert").values()].sort(byNumber)
    return {
      alerts: [
        ...(outdated === undefined ? [] : [outdatedAlert(outdated)]),
        ...shownKeys(false),
        ...others.map((alert) => shownAlert(alert, view)),
      ],
      refusedKeys: shownKeys(true),
    }
  }

  // --- What is in front ----------------------------------------------------------------------------------------------

  thread(id: string): Thread {
    return this.#open(id)
  }

  show(id: string | undefined): void {
    if (this.#shown !== id) {
      this.#shown = id
      this.changed()
      if (id !== undefined) this.#open(id).mark()
    }
    if (id === undefined) return
    this.#open(id).follow(true)
    const isInvitation = this.client.conversations.get(id)?.status === "invited"
    if (!isInvitation)
      this.#open(id)
        .jumpToLatest()
        .catch((error) => this.fault(error))
  }

  attend(isLooking: boolean): void {
    this.#isLooking = isLooking
    const thread = this.#shown === undefined ? undefined : this.#open(this.#shown)
    if (isLooking && thread?.isFollowing === true) this.markRead(thread.id)
  }

  markRead(id: string): void {
    const { count, lastSeq } = this.#kept.get("arrived", id) ?? nothingArrived
    if (unreadOf(this.#kept, id) === 0) return
    this.#kept.put("read", id, { count, upTo: lastSeq })
    this.changed()
  }

  // --- What a person does --------------------------------------------------------------------------------------------

  draft(id: string): Draft {
    return this.#drafts.get(id)
  }

  setDraft(id: string, text: string): void {
    const hadOne = this.draft(id).text !== ""
    this.#drafts.set(id, text)
    if (hadOne !== (text !== "")) this.changed()
  }

  mute(id: string, isMuted: boolean): void {
    this.#flag(id, { isMuted })
  }

  archive(id: string, isArchived: boolean): void {
    this.#flag(id, { isArchived })
  }

  delete(id: string): void {
    const status = this.client.conversations.get(id)?.status
    if (status !== "left" && status !== "lost" && status !== "continued") {
      throw new TypeError("only a conversation that one is no longer in can be deleted: leave it first")
    }
    const { lastSeq } = this.#kept.get("arrived", id) ?? nothingArrived
    const { deletedUpTo = -1 } = this.#kept.get("flags", id) ?? noFlags
    this.#kept.forget(id)
    this.#kept.put("flags", id, { isDeleted: true, deletedUpTo: Math.max(deletedUpTo, lastSeq ?? -1) })
    // The place of what comes next is known from here on, and not looked for in what is gone.
    this.#kept.put("arrived", id, { ...nothingArrived, lastSeq })
    this.#follower.forget(id)
    this.#threads.delete(id)
    this.changed()
  }

  async accept(id: string): Promise<void> {
    await this.#conversation(id).accept()
  }

  async decline(id: string): Promise<void> {
    const conversation = this.#conversation(id)
    const declined = conversation.decline()
    declined.catch(() => {})
    let stop = () => {}
    const gone = new Promise<void>((resolve) => {
      stop = this.client.observe(() => conversation.status !== "invited" && resolve())
    })
    await Promise.race([declined, gone]).finally(stop)
  }

  block(name: string): void {
    if (name === this.name) throw new TypeError("nobody can block themselves")
    if (this.#kept.get("blocked", name) !== undefined) return
    this.#kept.put("blocked", name, { at: this.#now() })
    this.#follower.forgetLastOf(name)
    this.#declineBlocked()
    this.changed()
  }

  unblock(name: string): void {
    this.#kept.put("blocked", name, undefined)
    this.#follower.forgetLastOf(undefined)
    this.changed()
  }

  async approveKey(alert: string): Promise<void> {
    const { name, signatureKey } = this.#kept.get("keyAlert", alert) ?? {}
    if (name === undefined || signatureKey === undefined) throw new TypeError("there is no such alert")
    await this.client.approveKey(name, bytesOf(signatureKey))
    this.#kept.put("newDevice", alert, { at: this.#now(), isApproved: true })
    this.dismiss(alert)
  }

  refuseKey(alert: string): void {
    this.#setRefused(alert, true)
  }

  reconsiderKey(alert: string): void {
    this.#setRefused(alert, false)
  }

  dismiss(alert: string): void {
    this.#kept.put("alert", alert, undefined)
    this.#kept.put("keyAlert", alert, undefined)
    this.changed()
  }

  restart(id: string, { without = [] }: { readonly without?: readonly string[] } = {}): Promise<Conversation> {
    return restarted(this.client, this.#conversation(id), without)
  }

  setting(key: string): Setting | undefined {
    return this.#kept.get("setting", key)
  }

  setSetting(key: string, value: Setting | undefined): void {
    this.#kept.put("setting", key, value)
    this.changed()
  }

  search(words: string, options: SearchOptions = {}): AsyncIterable<SearchHit> {
    const { conversations, archived } = this.getSnapshot()
    const { conversation, signal } = options
    const ids = conversation === undefined ? [...conversations, ...archived].map(({ id }) => id) : [conversation]
    return search({ client: this.client, kept: this.#kept }, words, { ids, signal })
  }

  // --- People and trees ----------------------------------------------------------------------------------------------

  label(name: string): PersonLabel {
    const displayName = this.client.displayName(name)
    const known = this.#labels.get(name)
    if (known !== undefined && known.of === displayName) return known.label
    const label = personLabel(name, displayName)
    this.#labels.set(name, { of: displayName, label })
    return label
  }

  safetyCode(id: string, name: string): string {
    const conversation = this.#conversation(id)
    return this.#coded(`${id}/${conversation.epoch}/${name}`, () => conversation.safetyCode(name))
  }

  #coded(key: string, compute: () => string): string {
    const code = this.#codes.get(key) ?? compute()
    if (this.#codes.size >= CODES_MAX) this.#codes.clear()
    this.#codes.set(key, code)
    return code
  }

  isCompared(id: string, name: string): boolean {
    return this.comparison(id, name) === "compared"
  }

  comparison(id: string, name: string): Comparison {
    const codes = this.#kept.get("compared", name)
    if (codes === undefined) return "none"
    return codes.includes(this.safetyCode(id, name)) ? "compared" : "changed"
  }

  setCompared(id: string, name: string, isCompared: boolean): void {
    const code = this.safetyCode(id, name)
    const others = (this.#kept.get("compared", name) ?? []).filter((it) => it !== code)
    const codes = isCompared ? [...others, code] : others
    this.#kept.put("compared", name, codes.length === 0 ? undefined : codes)
    this.changed()
  }

  keyCode(name: string, signatureKey: Uint8Array): string {
    return this.#coded(`${hexOf(signatureKey)}/${name}`, () => this.client.keyCode(name, signatureKey))
  }

  devices(id: string): ReadonlyMap<string, readonly MemberDevice[]> {
    return this.#trees.devices(this.#conversation(id))
  }

  newDevice(name: string, signatureKey: Uint8Array) {
    return this.#kept.get("newDevice", keyAlertId({ name, signatureKey: hexOf(signatureKey) }))
  }

  isKeyOpen(name: string, signatureKey: Uint8Array): boolean {
    return this.#kept.get("keyAlert", keyAlertId({ name, signatureKey: hexOf(signatureKey) })) !== undefined
  }

  tree(id: string): readonly TreeNode[] {
    return this.#trees.of(this.#conversation(id))
  }

  renewal(id: string): Renewal | undefined {
    return this.#kept.get("renewal", id)
  }

  commits(id: string): readonly KeptCommit[] {
    return this.#kept.get("commits", id) ?? []
  }

  // --- Following -----------------------------------------------------------------------------------------------------

  async flush(): Promise<void> {
    await this.#follower.settled()
    await this.#kept.flush()
  }

  async close(): Promise<void> {
    if (this.#isClosing) return
    this.#isClosing = true
    this.#stopObserving()
    await this.#follower.close()
    await this.#kept.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  changed(): void {
    this.#version++
    if (this.#isNotifying) return
    this.#isNotifying = true
    queueMicrotask(() => {
      this.#isNotifying = false
      for (const listener of [...this.#listeners]) listener()
    })
  }

  fault(error: unknown): void {
    if (this.#isClosing) return
    // Some errors of browsers have a name and no message.
    this.#fault = error instanceof Error ? error.message || error.name : String(error)
    this.#isFull = isFull(error)
    this.changed()
  }

  /** What could not be kept is. */
  stored(): void {
    if (this.#fault === undefined) return
    this.#fault = undefined
    this.#isFull = false
    this.changed()
  }

  #tell(told: Told): void {
    for (const listener of [...this.#toldListeners]) listener(told)
  }

  #open(id: string): OpenThread {
    const known = this.#threads.get(id)
    if (known !== undefined) return known
    const made = new OpenThread(id, this.#means)
    this.#threads.set(id, made)
    return made
  }

  /** After each step of the client. */
  #follow(): void {
    for (const id of this.#kept.conversations()) if (!this.client.conversations.has(id)) this.#leave(id)
    for (const id of this.client.conversations.keys()) this.#open(id).followPending()
    if (this.#followsTrees) this.#trees.follow(this.client)
    this.#declineBlocked()
    this.changed()
  }

  /** Of an invitation that was declined, or withdrawn, nothing is left; of what goes on in a new group, everything. */
  #leave(id: string): void {
    const after = [...this.client.conversations.values()].find(({ continues }) => continues?.id === id)
    if (after !== undefined) this.#follower.goOn(id, after)
    this.#kept.forget(id)
    this.#follower.forget(id)
    this.#threads.delete(id)
  }

  #declineBlocked(): void {
    if (this.#kept.all("blocked").size === 0) return
    for (const conversation of this.client.conversations.values()) {
      const { id, status, invitedBy = "" } = conversation
      if (status !== "invited" || this.#kept.get("blocked", invitedBy) === undefined || this.#declining.has(id))
        continue
      this.#declining.add(id)
      // What fails is tried again at the next step.
      conversation
        .decline()
        .catch(() => {})
        .finally(() => this.#declining.delete(id))
    }
  }

  #flag(id: string, flags: { readonly isMuted?: boolean; readonly isArchived?: boolean }): void {
    this.#kept.put("flags", id, { ...this.#kept.get("flags", id), ...flags })
    this.changed()
  }

  #setRefused(id: string, refused: boolean): void {
    const alert = this.#kept.get("keyAlert", id)
    if (alert !== undefined) this.#kept.put("keyAlert", id, { ...alert, refused })
    this.changed()
  }

  #conversation(id: string): Conversation {
    const conversation = this.client.conversations.get(id)
    if (conversation === undefined) throw new TypeError("there is no such conversation")
    return conversation
  }
}

/** By what browsers and systems call it. */
function isFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return error.name === "QuotaExceededError" || isFull(error.cause)
}
