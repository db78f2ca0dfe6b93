import type { Alert } from "./alerts.js"
import { alertId } from "./alerts.js"
import { keyAlertId } from "./key-alerts.js"
import type { Notice } from "./notice.js"
import { type OldNotice, upgradedNotice } from "./old-notices.js"
import {
  type FailedMessage,
  fromText,
  type KeyAlert,
  type RecordKind,
  type RecordValues,
  type Renewal,
  recordKey,
  toText,
} from "./records.js"

/** The version of the records, which is one itself. */
export const FORMAT = "format"
export const FORMAT_VERSION = 2
/** Version 1: everything in one record, as the page of Conclave kept it. */
const MEMORY = "memory"

/** The records are those of a later version. */
export class NewerRecordsError extends Error {
  override readonly name = "NewerRecordsError"
}

/**
 * What has to be written so that the records are of this version; nothing where they are.
 *
 * @throws {NewerRecordsError} where they are of a later one
 */
export function migration(records: ReadonlyMap<string, string>): ReadonlyMap<string, string | undefined> {
  const format = Number(records.get(FORMAT) ?? 0)
  if (format > FORMAT_VERSION) {
    throw new NewerRecordsError(`what is kept here is of version ${format}, and this program reads ${FORMAT_VERSION}`)
  }
  if (format === FORMAT_VERSION) return new Map()
  const changes = new Map<string, string | undefined>([[FORMAT, String(FORMAT_VERSION)]])
  const memory = records.get(MEMORY)
  if (memory === undefined) return changes
  changes.set(MEMORY, undefined)
  for (const [key, value] of fromVersion1(memory)) changes.set(key, value)
  return changes
}

interface Memory1 {
  readonly lastEvent?: number
  readonly conversations?: Stored<Conversation1>
  readonly compared?: Stored<readonly string[]>
  readonly keyAlerts?: readonly KeyAlert[]
  readonly alerts?: readonly Alert[]
}

/** A list of entries; the first version of all kept objects. */
type Stored<T> = readonly (readonly [string, T])[] | Readonly<Record<string, T>>

interface Conversation1 {
  readonly unread?: number
  readonly lastSeq?: number
  readonly draft?: string
  readonly notices?: readonly (Notice | OldNotice)[]
  readonly failed?: readonly { messageId: string; text: string; reason: string; at: number }[]
  readonly renewal?: Renewal
}

function fromVersion1(text: string): readonly (readonly [string, string])[] {
  const written: (readonly [string, string])[] = []
  const put = <K extends RecordKind>(kind: K, id: string, value: RecordValues[K]) =>
    written.push([recordKey(kind, id), toText(value)])
  let memory: Memory1
  try {
    memory = fromText(text) as Memory1
  } catch {
    // What cannot be read is begun again, as it always was.
    return []
  }
  const { lastEvent = 0, conversations, compared, keyAlerts = [], alerts = [] } = memory
  put("lastEvent", "", lastEvent)
  for (const [name, codes] of entriesOf(compared)) put("compared", name, codes)
  for (const alert of keyAlerts) put("keyAlert", keyAlertId(alert), alert)
  for (const alert of alerts) put("alert", alertId(alert), alert)
  for (const [id, conversation] of entriesOf(conversations)) {
    const { unread = 0, lastSeq, draft = "", renewal } = conversation
    const notices = (conversation.notices ?? []).flatMap((it) => ("event" in it ? [it] : upgradedNotice(it)))
    const failed = (conversation.failed ?? []).map(
      ({ messageId, text, reason, at }): FailedMessage => ({
        ...{ messageId, content: { text }, at },
        why: { code: "told", message: reason },
      }),
    )
    put("arrived", id, { count: unread, lastSeq, changedAt: notices.at(-1)?.at })
    if (draft !== "") put("draft", id, { text: draft })
    if (notices.length > 0) put("notices", id, notices)
    if (failed.length > 0) put("failed", id, failed)
    if (renewal !== undefined) put("renewal", id, renewal)
  }
  return written
}

function entriesOf<T>(stored: Stored<T> | undefined): readonly (readonly [string, T])[] {
  return Array.isArray(stored) ? stored : Object.entries((stored ?? {}) as Readonly<Record<string, T>>)
}
