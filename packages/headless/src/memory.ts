/// <reference lib="dom" />
import type { Alert } from "./alerts.js"
import { bytesOf, hexOf } from "./keys.js"
import type { Notice } from "./notice.js"
import { type OldNotice, upgradedNotice } from "./old-notices.js"

/**
 * What the page itself remembers beside the client's profile: notices, what has been read and compared, drafts. It
 * names people, so it lies in the browser's database sealed, under a key that scripts cannot read out.
 */
export interface Memory {
  /** The number of the last event that is in here: one that comes again is passed over. */
  lastEvent: number
  readonly conversations: Map<string, ConversationMemory>
  /** By name: the safety codes that the user has compared and found equal. */
  readonly compared: Map<string, readonly string[]>
  readonly keyAlerts: KeyAlert[]
  readonly alerts: Alert[]
}

export interface ConversationMemory {
  unread: number
  /** The place of the message that was last when the latest notice or message came. */
  lastSeq: number | undefined
  draft: string
  readonly notices: Notice[]
  readonly failed: FailedMessage[]
  renewal: Renewal | undefined
}

/** A message that the service will never take; its text is kept for the user. */
export interface FailedMessage {
  readonly messageId: string
  readonly text: string
  readonly reason: string
  readonly at: number
}

/** What the commit that began `epoch` did to the tree, by node indexes. */
export interface Renewal {
  readonly epoch: string
  /** The path: nodes that got new keys. */
  readonly nodes: readonly number[]
  /** Leaves of newcomers. */
  readonly added: readonly number[]
}

export interface KeyAlert {
  readonly number: number
  readonly conversation: string | undefined
  readonly name: string
  /** Hexadecimal. */
  readonly signatureKey: string
  readonly endorsed: boolean
  readonly accepted: boolean
  /** The user does not want it approved, for now. */
  refused?: boolean
}

/** As text, for {@link readableMemory}. */
export function storableMemory({ conversations, compared, ...rest }: Memory): string {
  return JSON.stringify({ ...rest, conversations: [...conversations], compared: [...compared] }, storable)
}

/** Dates and bytes of events, which JSON does not have. `JSON.stringify` has made text of a date before it asks. */
function storable(this: Readonly<Record<string, unknown>>, name: string, value: unknown): unknown {
  const held = this[name]
  if (held instanceof Date) return { milliseconds: held.getTime() }
  return held instanceof Uint8Array ? { hexadecimal: hexOf(held) } : value
}

function readable(_: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Object.keys(value).length !== 1) return value
  if ("milliseconds" in value && typeof value.milliseconds === "number") return new Date(value.milliseconds)
  return "hexadecimal" in value && typeof value.hexadecimal === "string" ? bytesOf(value.hexadecimal) : value
}

/** What {@link storableMemory} made, or an earlier version that kept objects: names never become properties of one. */
export function readableMemory(text: string): Memory {
  const { lastEvent = 0, conversations, compared, keyAlerts = [], alerts = [] } = JSON.parse(text, readable)
  const complete = ([id, { notices = [], ...memory }]: readonly [string, StoredConversation]) =>
    [id, { ...emptyConversation(), ...memory, notices: notices.flatMap(readNotice) }] as const
  return {
    lastEvent,
    conversations: new Map(entriesOf<StoredConversation>(conversations).map(complete)),
    compared: new Map(entriesOf<readonly string[]>(compared)),
    keyAlerts,
    alerts,
  }
}

type StoredConversation = Omit<ConversationMemory, "notices"> & { readonly notices?: readonly (Notice | OldNotice)[] }

const readNotice = (notice: Notice | OldNotice) => ("event" in notice ? [notice] : upgradedNotice(notice))

function entriesOf<T>(stored: unknown): readonly (readonly [string, T])[] {
  return Array.isArray(stored) ? stored : Object.entries((stored ?? {}) as Record<string, T>)
}

export function conversationMemory(memory: Memory, id: string): ConversationMemory {
  const known = memory.conversations.get(id)
  if (known !== undefined) return known
  const made = emptyConversation()
  memory.conversations.set(id, made)
  return made
}

/** What the page remembers of `before` is remembered of `after`, which takes its place; what had to be seen is over. */
export function continueMemory(memory: Memory, before: string, after: string): void {
  const old = memory.conversations.get(before)
  const isOver = ({ conversation }: { readonly conversation: string | undefined }) => conversation === before
  for (let at = memory.alerts.length - 1; at >= 0; at--) if (isOver(memory.alerts[at]!)) memory.alerts.splice(at, 1)
  if (old === undefined) return
  const now = conversationMemory(memory, after)
  now.notices.unshift(...old.notices)
  now.failed.unshift(...old.failed)
  now.unread += old.unread
  now.lastSeq ??= old.lastSeq
  if (now.draft === "") now.draft = old.draft
}

const emptyConversation = (): ConversationMemory => ({
  unread: 0,
  lastSeq: undefined,
  draft: "",
  notices: [],
  failed: [],
  renewal: undefined,
})

export interface MemoryFile {
  readonly memory: Memory
  /** Resolves when all that was in `memory` at the call is on disk. */
  save(): Promise<void>
}

/** Opens what the page remembers under the name `profile`; what cannot be read is begun anew. */
export async function openMemory(profile: string): Promise<MemoryFile> {
  const database = await openDatabase()
  const key = (await read<CryptoKey>(database, `key/${profile}`)) ?? (await makeKey(database, profile))
  const memory = await readMemory(database, profile, key)
  let saving: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined
  const save = () => {
    // However many ask while one write is under way, one more is enough.
    next ??= saving
      .catch(() => {})
      .then(() => {
        next = undefined
        saving = writeMemory(database, profile, { key, memory })
        return saving
      })
    return next
  }
  return { memory, save }
}

const DATABASE = "conclave-page"
const NONCE_SIZE = 12
const STORE = "page"

function openDatabase(): Promise<IDBDatabase> {
  const opening = indexedDB.open(DATABASE, 1)
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE)
  return outcome(opening)
}

async function makeKey(database: IDBDatabase, profile: string): Promise<CryptoKey> {
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"])
  await write(database, `key/${profile}`, key)
  return key
}

async function readMemory(database: IDBDatabase, profile: string, key: CryptoKey): Promise<Memory> {
  const empty = readableMemory("{}")
  const sealed = await read<Uint8Array<ArrayBuffer>>(database, `memory/${profile}`)
  if (sealed === undefined) return empty
  try {
    const iv = sealed.subarray(0, NONCE_SIZE)
    const opened = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, sealed.subarray(NONCE_SIZE))
    return readableMemory(new TextDecoder().decode(opened))
  } catch {
    return empty
  }
}

async function writeMemory(
  database: IDBDatabase,
  profile: string,
  { key, memory }: { readonly key: CryptoKey; readonly memory: Memory },
): Promise<void> {
  const iv = crypto.getRandomValues(new Uint8Array(NONCE_SIZE))
  const content = new TextEncoder().encode(storableMemory(memory))
  const ciphertext = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, content))
  const sealed = new Uint8Array(NONCE_SIZE + ciphertext.length)
  sealed.set(iv)
  sealed.set(ciphertext, NONCE_SIZE)
  await write(database, `memory/${profile}`, sealed)
}

function read<T>(database: IDBDatabase, key: string): Promise<T | undefined> {
  return outcome<T | undefined>(database.transaction(STORE).objectStore(STORE).get(key))
}

function write(database: IDBDatabase, key: string, value: unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, "readwrite")
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error)
    transaction.objectStore(STORE).put(value, key)
  })
}

function outcome<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}
