import type { Pass } from "@conclave/contracts/access"
import type { Cursor, DeliveryResponse } from "@conclave/contracts/delivery"
import { type AccessJudge, evidenceOfCursor, keyIn, keyOf, provedBefore, textOf } from "./access.js"
import type { Asking } from "./admission.js"
import { entriesOf } from "./groups.js"
import type { Identity } from "./identity.js"
import type { Passes } from "./passes.js"
import { counted, refusedOf, suspended } from "./responses.js"
import { knocksSince } from "./retention.js"
import { type Refused, type Shown, type Standing, type Store, Suspended } from "./store/store.js"
import type { Tails } from "./tails.js"
import { groupTopic, idOf, inboxTopic } from "./topics.js"
import type { Wake } from "./wake.js"

/** What a subscription is told; encoded already where others are told the same. */
export type Answer = DeliveryResponse | Uint8Array

export interface SubscriptionOptions {
  /** What the cursors have shown is looked at once; then this is emptied, for it takes more than all else. */
  readonly cursors: Cursor[]
  readonly positions: Positions
  readonly asking: Asking
  readonly store: Store
  readonly wake: Wake
  /** Shared by all subscriptions of a service. */
  readonly tails: Tails
  readonly identity: Identity
  readonly passes: Passes
  readonly judge: AccessJudge
  /** What waits of signals, if it hears them; `topic` is noted when there is something to take. */
  readonly heard: { readonly topic: string; proved(): void; take(): readonly DeliveryResponse[] }
  readonly page: { readonly limit: number; readonly sizeMax: number }
  readonly signal: AbortSignal
  /** Shared by all subscriptions of a service. */
  readonly turns: Turns
  /** Unix time in milliseconds. */
  readonly now: () => number
  /** Called for each cursor that is dropped, because there is no such group, or because of its key. */
  readonly onDropped: (topic: string) => void
  readonly onAccessRefusal: (refusal: Refused, asking: Asking) => void
}

/** What a subscription follows, by topic: logs, and the `n` up to which an inbox was read. */
export type Positions = Map<string, LogPosition | bigint>

/** How far a log was read, and by which key. Subscriptions have very many of these, and most of them wait. */
export interface LogPosition {
  seq: bigint
  /** The access key, a byte for each character; `undefined` for none. */
  key: string | undefined
  /** The entry that began the key's interval, as far as that is known. */
  keySeq: number | undefined
  /** What was told of what lies beside the log: see `Standing.beside`. */
  knocksUpTo: number
  answeredUpTo: number
}

export function positionsOf(
  cursors: readonly Cursor[],
  inbox: { readonly deviceId: Uint8Array; readonly after: bigint } | undefined,
): Positions {
  const positions: Positions = new Map()
  for (const { groupId, afterSeq, access } of cursors) {
    const key = textOf(keyOf(access))
    const nothing = { knocksUpTo: 0, answeredUpTo: 0 }
    positions.set(groupTopic(groupId), { seq: counted(afterSeq), key, keySeq: undefined, ...nothing })
  }
  if (inbox !== undefined) positions.set(inboxTopic(inbox.deviceId), inbox.after)
  return positions
}

/** Goes on with a later key. Returns whether it is a later one. */
export function extendPosition(position: LogPosition, key: Uint8Array | undefined, { seq }: Standing): boolean {
  if (position.keySeq !== undefined && seq <= position.keySeq) return false
  Object.assign(position, { key: textOf(key), keySeq: Number(seq), answeredUpTo: 0 })
  return true
}

/**
 * Passes for the cursors with a signature, what is behind the cursors and then what comes, until the signal is aborted.
 * Nothing is queued for the reader: it gets the next page of the log when it asks for it, so a slow one costs no more than
 * its cursors. While nothing happens, nothing is read and no timer runs; a cursor costs about 500 bytes then.
 */
export async function* subscription(options: SubscriptionOptions): AsyncGenerator<Answer> {
  const { wake, signal, turns, positions } = options
  const { heard } = options
  const watch = wake.watch([...positions.keys(), heard.topic])
  const drop = (topic: string) => {
    positions.delete(topic)
    watch.drop(topic)
    options.onDropped(topic)
  }
  const reading = { ...options, drop }
  try {
    const topics = [...positions.keys()]
    const { passes, refusals } = await begin(reading)
    heard.proved()
    if (passes.length > 0) yield { type: "passes", passes }
    passes.length = 0
    for (let start = 0; start < topics.length; start += TOPICS_IN_A_TURN) {
      await turns.next()
      const some = topics.slice(start, start + TOPICS_IN_A_TURN)
      const quiet = await quietAmong(some, reading)
      for (const topic of some) {
        const answer = refusals.get(topic) ?? quiet.get(topic)
        if (answer !== undefined) yield answer
        else yield* pages(topic, reading, { atLeastOne: true })
      }
    }
    topics.length = 0
    refusals.clear()
    while (!signal.aborted) {
      for await (const topic of worthReading(await watch.changed({ signal }), reading)) {
        if (topic === heard.topic) yield* heard.take()
        else yield* pages(topic, reading, { atLeastOne: false })
      }
    }
  } catch (error) {
    if (!(error instanceof Suspended)) throw error
    yield suspended(error)
  } finally {
    watch.close()
  }
}

/** Of many topics, as when hints were missed, those alone that are not quiet: by a look for several, and in turns. */
async function* worthReading(changed: ReadonlySet<string>, reading: Reading): AsyncGenerator<string> {
  if (changed.size <= TOPICS_IN_A_TURN) {
    yield* changed
    return
  }
  const topics = [...changed]
  for (let start = 0; start < topics.length; start += TOPICS_IN_A_TURN) {
    await reading.turns.next()
    const some = topics.slice(start, start + TOPICS_IN_A_TURN)
    const quiet = await quietAmong(some, reading)
    yield* some.filter((topic) => !quiet.has(topic))
  }
}

/** A look into the store takes no time, nor does an answer that the system takes at once: both without a pause. */
const TOPICS_IN_A_TURN = 16

/**
 * Subscriptions that begin take turns, one in each turn of the event loop: many of them, of a thousand cursors each, would
 * keep the process from anything else until all of them were read.
 */
export class Turns {
  readonly #waiting: (() => void)[] = []

  next(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) this.#later()
    })
  }

  #later(): void {
    setImmediate(() => {
      this.#waiting.shift()!()
      if (this.#waiting.length > 0) this.#later()
    })
  }
}

interface Reading extends SubscriptionOptions {
  readonly drop: (topic: string) => void
}

/**
 * Looks at what the cursors show, once: from then on logs are read by their keys. Returns the passes, and by topic what is
 * to be said to the cursors that are refused, which are not watched.
 */
async function begin(reading: Reading) {
  const { cursors } = reading
  const passes: Pass[] = []
  const refusals = new Map<string, DeliveryResponse>()
  for (let start = 0; start < cursors.length; start += TOPICS_IN_A_TURN) {
    await reading.turns.next()
    const some = cursors.slice(start, start + TOPICS_IN_A_TURN)
    for (const [at, found] of (await evidenceFaults(some, reading)).entries()) {
      if (found === undefined) continue
      if ("tag" in found) {
        passes.push(found)
        continue
      }
      const { groupId } = some[at]!
      const topic = groupTopic(groupId)
      refusals.set(topic, refusedOf(groupId, found))
      reading.onAccessRefusal(found, reading.asking)
      reading.drop(topic)
    }
  }
  cursors.length = 0
  return { passes, refusals }
}

/**
 * Of each cursor: a pass for a signature; nothing for a pass, which is looked at together with the log, nor for a MAC:
 * passes are not renewed by passes.
 */
async function evidenceFaults(
  cursors: readonly Cursor[],
  { store, judge, passes, positions, asking }: Reading,
): Promise<readonly (Pass | Refused | undefined)[]> {
  const now = BigInt(asking.now)
  const proving = cursors.filter(({ access }) => "at" in access)
  const standings = await store.standings(proving.map((it) => judge.reading(evidenceOfCursor(it), now)))
  return cursors.map((cursor) => {
    const { groupId, access } = cursor
    if (access.type === "none") return undefined
    if (access.type === "pass") {
      return passes.isGood(groupId, access, now) ? undefined : { type: "denied", reason: "the pass is not good" }
    }
    const standing = standings[proving.indexOf(cursor)]!
    if (standing.type !== "standing") return standing
    const position = positions.get(groupTopic(groupId))
    // It may have been extended already.
    if (typeof position === "object") position.keySeq ??= Number(standing.seq)
    return access.type === "proof" ? passes.give({ groupId, key: access.key }, now) : undefined
  })
}

/**
 * The first answers of logs without anything new, as most are when a device comes back, by one look for all of them.
 * What is appended after the look has been noted by the watch.
 */
async function quietAmong(topics: readonly string[], { store, positions, identity }: Reading) {
  const logs = topics.flatMap((topic) => {
    const position = positions.get(topic)
    return typeof position === "object" ? [{ topic, position, key: position.key, groupId: idOf(topic) }] : []
  })
  const shown = logs.map(({ groupId, key }): Shown => ({ groupId, key: keyIn(key), permit: provedBefore }))
  const standings = await store.standings(shown)
  const quiet = new Map<string, DeliveryResponse>()
  for (const [at, { topic, position, key, groupId }] of logs.entries()) {
    const standing = standings[at]!
    // With another key it is looked at again.
    if (standing.type !== "standing" || position.key !== key || !isQuiet(position, standing)) continue
    position.keySeq = Number(standing.seq)
    quiet.set(topic, entriesOf(groupId, { entries: [], headSeq: standing.headSeq }, identity))
  }
  return quiet
}

/** A log that a key reads to the head cannot be below its retention there. */
const isQuiet = (position: LogPosition, standing: Standing) =>
  standing.reach === undefined && position.seq >= standing.headSeq && !isMoreBeside(position, standing)

async function* pages(
  topic: string,
  reading: Reading,
  { atLeastOne }: { readonly atLeastOne: boolean },
): AsyncGenerator<Answer> {
  for (let first = true; !reading.signal.aborted; first = false) {
    const position = reading.positions.get(topic)
    if (position === undefined) return
    const always = first && atLeastOne
    const next =
      typeof position === "bigint"
        ? await inboxPage(topic, position, { ...reading, always })
        : await logPage(topic, position, { ...reading, always, isHinted: !atLeastOne })
    if (next.response !== undefined) yield next.response
    if (next.more) continue
    if (typeof position === "object" && next.standing !== undefined && isMoreBeside(position, next.standing)) {
      yield* beside(topic, { position, standing: next.standing }, reading)
    }
    return
  }
}

interface Next {
  readonly response: Answer | undefined
  readonly more: boolean
  /** Of the key to the log that was read to its end. */
  readonly standing?: Standing
}

interface PageReading extends Reading {
  /** Whether there is an answer even where there is nothing new. */
  readonly always: boolean
}

interface LogReading extends PageReading {
  /** Whether there was a hint: at the beginning there was none after which all is known. */
  readonly isHinted: boolean
}

async function logPage(topic: string, position: LogPosition, reading: LogReading): Promise<Next> {
  const { tails, always, identity, isHinted } = reading
  const groupId = idOf(topic)
  const { key, seq: after } = position
  const from = { key, after, identity }
  const read = await (isHinted ? tails.read(topic, from) : tails.readFromStore(topic, from))
  if (read.type !== "page") {
    reading.onAccessRefusal(read, reading.asking)
    reading.drop(topic)
    return { response: refusedOf(groupId, read), more: false }
  }
  const { entries, headSeq, oldestSeq, standing } = read
  if (position.key === key) position.keySeq = Number(standing.seq)
  if (after + 1n < oldestSeq) {
    position.seq = oldestSeq - 1n
    return { response: { type: "belowRetention", groupId, oldestSeq }, more: true }
  }
  position.seq = entries.at(-1)?.seq ?? after
  const isTold = entries.length > 0 || always
  return { response: isTold ? read.response : undefined, more: entries.length > 0 && position.seq < headSeq, standing }
}

const isMoreBeside = ({ answeredUpTo, knocksUpTo }: LogPosition, { beside, reach }: Standing) =>
  answeredUpTo < beside || (reach === undefined && knocksUpTo < beside)

/** Knocks that wait and come, for a key that reaches the head, and answers to knocks of the key. */
async function* beside(
  topic: string,
  { position, standing }: { readonly position: LogPosition; readonly standing: Standing },
  { store, now }: Reading,
): AsyncGenerator<DeliveryResponse> {
  const groupId = idOf(topic)
  const { key } = position
  const permit = provedBefore
  while (isMoreBeside(position, standing)) {
    const { knocksUpTo, answeredUpTo } = position
    const from = { knocksAfter: BigInt(knocksUpTo), answeredAfter: BigInt(answeredUpTo), limit: BESIDE_AT_A_TIME }
    const found = await store.beside({ groupId, key: keyIn(key), permit, since: knocksSince(now()), ...from })
    // With another key it is looked at again.
    if (found.type !== "beside" || position.key !== key) return
    position.knocksUpTo = Number(found.knocksUpTo)
    position.answeredUpTo = Number(found.answeredUpTo)
    if (found.knocks.length > 0) yield { type: "knocks", groupId, knocks: found.knocks }
    for (const id of found.answered) yield { type: "answered", groupId, id }
    // Somebody was removed in between, and the key reaches the head no longer.
    if (position.knocksUpTo === knocksUpTo && position.answeredUpTo === answeredUpTo) return
  }
}

const BESIDE_AT_A_TIME = 32

async function inboxPage(topic: string, after: bigint, { store, page, positions, always }: PageReading): Promise<Next> {
  const { entries, head } = await store.inbox({ deviceId: idOf(topic), after, ...page })
  const position = entries.at(-1)?.n ?? after
  positions.set(topic, position)
  const response = entries.length > 0 || always ? ({ type: "inboxEntries", entries, head } as const) : undefined
  return { response, more: entries.length > 0 && position < head }
}
