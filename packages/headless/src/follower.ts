import { type Client, ClientError, type ClientEvent, type Conversation } from "@conclave/client"
import { alertId, followAlerts } from "./alerts.js"
import type { Told } from "./headless.js"
import type { Kept } from "./kept.js"
import { keyAlertId, keyAlertOf } from "./key-alerts.js"
import { unreadOf } from "./list.js"
import { fromHistory, type ThreadMessage } from "./messages.js"
import type { Notice } from "./notice.js"
import { noticeOf, withNotice } from "./notices.js"
import { type Arrived, noFlags, nothingArrived, nothingRead } from "./records.js"
import { newestOf } from "./restarting.js"
import type { OpenThread } from "./thread.js"

export interface FollowerMeans {
  readonly client: Client
  readonly kept: Kept
  readonly now: () => number
  thread(id: string): OpenThread
  /** Somebody looks at the end of this conversation. */
  isSeen(id: string): boolean
  isShown(id: string): boolean
  changed(): void
  told(told: Told): void
  fault(error: unknown): void
}

type MessageLike = Extract<ClientEvent, { type: "message" | "sent" }>
type Other = Exclude<ClientEvent, MessageLike>

/** So many events are stored in one transaction, at most. */
const BATCH_MAX = 100
/** The last message of somebody who is not blocked is looked for among so many. */
const LOOKED_AT = 50
const NEW_DEVICES_MAX = 200

/** Turns the client's events into what is kept, and acknowledges them after it has been stored. */
export class Follower {
  /** The service speaks newer versions only: what it said. */
  outdated: Extract<ClientEvent, { type: "update" }> | undefined
  /** The client has been closed. */
  isOver = false
  readonly #means: FollowerMeans
  readonly #closing = new AbortController()
  /** The last message of each conversation, as the list shows it. */
  readonly #last = new Map<string, ThreadMessage>()
  #following: Promise<void> = Promise.resolve()
  #storing: Promise<void> | undefined
  #taken = 0
  #acknowledged = 0
  #lastChange = 0

  constructor(means: FollowerMeans) {
    this.#means = means
    const times = [...means.kept.all("arrived").values()].map(({ changedAt = 0 }) => changedAt)
    this.#lastChange = Math.max(0, ...times)
  }

  async start(): Promise<void> {
    await this.#findPlaces()
    this.#following = this.#follow()
    void this.#loadPreviews().catch((error) => this.#means.fault(error))
  }

  last(id: string): ThreadMessage | undefined {
    return this.#last.get(id)
  }

  forget(id: string): void {
    this.#last.delete(id)
  }

  /** What somebody said is not shown as the last message any more; `undefined`: look again, everywhere. */
  forgetLastOf(name: string | undefined): void {
    for (const [id, { from }] of [...this.#last]) if (name === undefined || from === name) this.#last.delete(id)
    void this.#loadPreviews().catch((error) => this.#means.fault(error))
  }

  /** What is kept of a conversation is kept of `after`, which takes its place; what had to be seen is over. */
  goOn(before: string, after: Conversation): void {
    const { kept } = this.#means
    for (const [id, { conversation }] of [...kept.all("alert")])
      if (conversation === before) kept.put("alert", id, undefined)
    const { id } = after
    const [old, now] = [kept.get("arrived", before), kept.get("arrived", id) ?? nothingArrived]
    const [oldRead, read] = [kept.get("read", before), kept.get("read", id) ?? nothingRead]
    if (old !== undefined) {
      const changedAt = Math.max(old.changedAt ?? 0, now.changedAt ?? 0)
      kept.put("arrived", id, {
        count: old.count + now.count,
        lastSeq: now.lastSeq ?? old.lastSeq,
        changedAt: changedAt === 0 ? undefined : changedAt,
      })
    }
    if (oldRead !== undefined) {
      kept.put("read", id, { count: oldRead.count + read.count, upTo: read.upTo ?? oldRead.upTo })
    }
    for (const kind of ["notices", "failed"] as const) {
      const together = [...(kept.get(kind, before) ?? []), ...(kept.get(kind, id) ?? [])]
      if (together.length > 0) kept.put(kind, id, together as never)
    }
    const draft = kept.get("draft", before)
    if (draft !== undefined && kept.get("draft", id) === undefined) kept.put("draft", id, draft)
    kept.put("flags", id, { ...kept.get("flags", before), ...kept.get("flags", id) })
    this.#last.delete(id)
    const thread = this.#means.thread(id)
    if (this.#means.isShown(id) || thread.isLoaded) thread.reload().catch((error) => this.#means.fault(error))
    void this.#loadPreviews().catch((error) => this.#means.fault(error))
  }

  /** Resolves when what has been taken so far is stored. */
  async settled(): Promise<void> {
    while (this.#storing !== undefined) await this.#storing
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#following
    await this.settled()
  }

  /** Looks on, so that many events are stored and acknowledged together. */
  async #follow(): Promise<void> {
    const { client, kept, changed, fault } = this.#means
    try {
      for await (const event of client.events({ peek: true, signal: this.#closing.signal })) {
        if (event.number > (kept.get("lastEvent", "") ?? 0)) {
          // What was written before the user came in stands before what is told of it.
          if (event.type === "joined") await this.#enter(event.conversation)
          this.#take(event)
          kept.put("lastEvent", "", event.number)
          changed()
        }
        this.#taken = event.number
        void this.#store()
        // A burst must not keep others waiting for a turn.
        if (this.#taken - this.#acknowledged >= BATCH_MAX) await this.settled()
      }
      if (this.#closing.signal.aborted) return
      this.isOver = true
      changed()
    } catch (error) {
      fault(error)
    }
  }

  /** One after the other; what is taken meanwhile is stored together. */
  #store(): Promise<void> {
    this.#storing ??= this.#storeTaken().finally(() => {
      this.#storing = undefined
    })
    return this.#storing
  }

  async #storeTaken(): Promise<void> {
    const { client, kept, fault } = this.#means
    try {
      while (this.#acknowledged < this.#taken) {
        const taken = this.#taken
        await kept.flush()
        await client.acknowledge(taken)
        this.#acknowledged = taken
      }
    } catch (error) {
      // Not acknowledged: it comes again at the next opening.
      this.#acknowledged = this.#taken
      if (!(error instanceof ClientError && error.code === "CLOSED")) fault(error)
    }
  }

  #take(event: ClientEvent): void {
    if (event.type === "message" || event.type === "sent") this.#takeMessage(event)
    else this.#takeOther(event)
  }

  #takeOther(event: Other): void {
    if (event.type === "update") this.outdated = event
    this.#takeAlerts(event)
    const { kept, now, told } = this.#means
    const alerted = new Set([...kept.all("keyAlert").values()].map(({ name }) => name))
    let first: Notice | undefined
    for (const id of this.#placesOf(event)) {
      const { lastSeq: after } = kept.get("arrived", id) ?? nothingArrived
      const notices = kept.get("notices", id) ?? []
      const notice = noticeOf(event, { at: now(), after, notices, alerted })
      if (notice === undefined) continue
      kept.put("notices", id, withNotice(notices, notice))
      this.#arrive(id, {})
      first ??= notice
    }
    if (event.type === "joined") this.#comeBack(event.conversation.id)
    told({ event, notice: first, isShown: this.#isShown(event) })
  }

  #takeMessage(event: MessageLike): void {
    const { kept, client, told, isSeen, isShown } = this.#means
    const { id } = newestOf(event.conversation)
    const own = event.type === "sent"
    const from = own ? client.name : event.from
    const message = messageOf(event, from)
    const isBlocked = !own && kept.get("blocked", from) !== undefined
    // What another device of this person sent needs no reading.
    const counts = from !== client.name && !isBlocked
    const thread = this.#means.thread(id)
    const isFirst = unreadOf(kept, id) === 0
    if (counts && !isSeen(id) && isShown(id)) thread.markUnread(isFirst)
    const { count } = kept.get("arrived", id) ?? nothingArrived
    const arrived = { count: count + (counts ? 1 : 0), ...(message !== undefined && { lastSeq: message.seq }) }
    if (isBlocked) kept.put("arrived", id, { ...(kept.get("arrived", id) ?? nothingArrived), ...arrived })
    else this.#arrive(id, arrived)
    if (counts && isSeen(id)) kept.put("read", id, { count: arrived.count, upTo: kept.get("arrived", id)?.lastSeq })
    if (counts) this.#unarchive(id)
    if (message !== undefined && !isBlocked) this.#showLast(id, message)
    thread.received(message)
    if (!isBlocked) told({ event, notice: undefined, isShown: isShown(id) })
  }

  /** Something is told of a conversation: it comes first. */
  #arrive(id: string, arrived: Partial<Arrived>): void {
    const { kept, now } = this.#means
    this.#lastChange = Math.max(this.#lastChange + 1, now())
    kept.put("arrived", id, { ...(kept.get("arrived", id) ?? nothingArrived), ...arrived, changedAt: this.#lastChange })
  }

  #unarchive(id: string): void {
    const { kept } = this.#means
    const flags = kept.get("flags", id) ?? noFlags
    if (flags.isArchived === true && flags.isMuted !== true) kept.put("flags", id, { ...flags, isArchived: false })
  }

  /** Into a conversation that was deleted; what was deleted stays so. */
  #comeBack(id: string): void {
    const { kept } = this.#means
    const flags = kept.get("flags", id)
    if (flags?.isDeleted === true) kept.put("flags", id, { ...flags, isDeleted: false })
  }

  #takeAlerts(event: Other): void {
    const { kept, client } = this.#means
    if (event.type === "keyChanged") {
      const alert = keyAlertOf(event)
      kept.put("keyAlert", keyAlertId(alert), alert)
      this.#keepDevice(keyAlertId(alert))
    }
    const before = [...kept.all("alert").values()].sort((a, b) => a.number - b.number)
    const after = followAlerts(before, event, client.name)
    for (const alert of before) if (!after.includes(alert)) kept.put("alert", alertId(alert), undefined)
    for (const alert of after) if (!before.includes(alert)) kept.put("alert", alertId(alert), alert)
  }

  #keepDevice(id: string): void {
    const { kept, now } = this.#means
    kept.put("newDevice", id, { at: now(), isApproved: false })
    const devices = [...kept.all("newDevice")].sort(([, a], [, b]) => a.at - b.at)
    for (const [old] of devices.slice(0, -NEW_DEVICES_MAX)) kept.put("newDevice", old, undefined)
  }

  /** Where it is told: a display name wherever its owner is a member. */
  #placesOf(event: Other): readonly string[] {
    if (event.conversation !== undefined) return [newestOf(event.conversation).id]
    if (event.type !== "displayName") return []
    const { conversations } = this.#means.client
    return [...conversations.values()].filter(({ members }) => members.includes(event.name)).map(({ id }) => id)
  }

  #isShown({ conversation }: ClientEvent): boolean {
    return conversation !== undefined && this.#means.isShown(newestOf(conversation).id)
  }

  async #enter(conversation: Conversation): Promise<void> {
    const { kept } = this.#means
    const { id } = conversation
    const [last] = await conversation.history({ limit: 1 })
    if (last !== undefined) {
      this.#showLast(id, fromHistory(last))
      kept.put("arrived", id, { ...(kept.get("arrived", id) ?? nothingArrived), lastSeq: last.seq })
    }
    const thread = this.#means.thread(id)
    if (thread.isLoaded || this.#means.isShown(id)) await thread.reload()
  }

  /** An earlier version has not kept the place of the last message. */
  async #findPlaces(): Promise<void> {
    const { client, kept } = this.#means
    for (const [id, conversation] of client.conversations) {
      const arrived = kept.get("arrived", id)
      if (arrived?.lastSeq !== undefined) continue
      const [last] = await conversation.history({ limit: 1 })
      if (last !== undefined) kept.put("arrived", id, { ...(arrived ?? nothingArrived), lastSeq: last.seq })
    }
  }

  async #loadPreviews(): Promise<void> {
    const { client, kept, changed } = this.#means
    for (const [id, conversation] of [...client.conversations]) {
      if (this.#last.has(id) || conversation.status === "invited") continue
      const isAnyBlocked = kept.all("blocked").size > 0
      const page = await conversation.history({ limit: isAnyBlocked ? LOOKED_AT : 1 })
      const last = page.findLast(({ own, from }) => own || kept.get("blocked", from) === undefined)
      if (last === undefined) continue
      this.#showLast(id, fromHistory(last))
      changed()
    }
  }

  #showLast(id: string, message: ThreadMessage): void {
    const { deletedUpTo = -1 } = this.#means.kept.get("flags", id) ?? noFlags
    const before = this.#last.get(id)?.seq ?? -1
    if (message.seq > deletedUpTo && message.seq >= before) this.#last.set(id, message)
  }
}

/** `undefined` where the place is not known: an early version stored the event. */
function messageOf(event: MessageLike, from: string): ThreadMessage | undefined {
  const { messageId, sentAt, seq, text, bytes } = event
  if (seq === undefined) return undefined
  const content = { ...(text !== undefined && { text }), ...(bytes !== undefined && { bytes }) }
  return { seq, messageId, from, own: event.type === "sent", sentAt, content }
}
