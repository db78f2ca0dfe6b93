import { ClientError, type ProfileRecords, readProfile } from "@conclave/client/node"
import { ConversationState, Person, Pins, recordKeys, recordKindOf } from "@conclave/client/records"
import { decode } from "@conclave/codec"
import { groupRecordType } from "@conclave/mls/inspect"
import { headOf, isSqlite, seeming } from "../causes/file.js"
import { explain, Failure } from "../failure.js"
import { suppliedKey } from "../profile.js"
import { jsonOf } from "../terminal/json.js"
import { printableLine } from "../terminal/printable.js"
import type { Terminal } from "../terminal/terminal.js"
import { english, words } from "../words/words.js"
import { findProfileFile } from "./profile-file.js"
import { type Recognised, recognise } from "./recognise.js"
import { show } from "./show.js"

interface Inspecting {
  readonly terminal: Terminal
  /** Byte strings whole. */
  readonly full: boolean
  /** The list as one JSON value. */
  readonly json?: boolean
}

/**
 * Lists the records of a profile or, with the key of one, prints it. Nothing is written.
 *
 * @throws {Failure}
 */
export async function inspectProfile(
  given: string,
  key: string,
  { terminal, full, json = false }: Inspecting,
): Promise<void> {
  const file = findProfileFile(given)
  try {
    await using records = await openRecords(file, terminal)
    if (key === "" && json) await terminal.write(`${await listAsJson(records)}\n`)
    else if (key === "") await list(records, { terminal, file })
    else await showRecord(records, key, { terminal, full, file })
  } catch (error) {
    throw readable(error, file)
  }
}

function openRecords(profile: string, { environment }: Terminal): Promise<ProfileRecords> {
  const sealingKey = suppliedKey(environment)
  return readProfile({ profile, ...(sealingKey && { sealingKey }) })
}

/** In words for a person, with the file where the error does not say it. */
function readable(error: unknown, file: string): unknown {
  if (!(error instanceof ClientError)) return error
  const name = printableLine(file)
  if (error.code === "STORE_LOCKED") {
    return new Failure(words().looking.profileOpen(name), { cause: error })
  }
  const head = headOf(file)
  if ((head !== undefined && !isSqlite(head)) || /is not a profile$/.test(error.message)) {
    const seems = seeming(head, { file, command: "inspect --profile", next: words().looking.giveAProfile })
    return new Failure(words().looking.notAProfile(name, seems), { cause: error })
  }
  const { reason } = explain(error)
  const isKey = /sealing key/.test(explain(error, english).reason)
  return new Failure(words().looking.unreadable(name, reason, isKey), { cause: error })
}

// --- The list ----------------------------------------------------------------------------------------------------------

/** A line of the list. */
interface Row {
  readonly key: string
  /** In bytes. */
  readonly size: number
  readonly type: string
}

/** Records one after another that are of one kind, and of one conversation. */
interface Section {
  readonly title: string
  readonly rows: Row[]
}

async function list(
  records: ProfileRecords,
  { terminal, file }: { readonly terminal: Terminal; readonly file: string },
): Promise<void> {
  const { style } = terminal
  const sizes = await records.sizes()
  const total = sizes.reduce((sum, [, size]) => sum + size, 0)
  await terminal.write(`${style.dim(`// ${printableLine(file)}: ${counted(sizes.length)}, ${total} bytes`)}\n`)
  for (const { title, rows } of sectionsOf(sizes, await titles(records, sizes))) {
    const bytes = rows.reduce((sum, { size }) => sum + size, 0)
    const lines = ["", style.dim(`// ${title}: ${counted(rows.length)}, ${bytes} bytes`)]
    const sizeWidth = Math.max(...rows.map(({ size }) => `${size}`.length))
    const typeWidth = Math.max(...rows.map(({ type }) => type.length))
    for (const { key, size, type } of rows) {
      const about = await aboutOf(records, key, type)
      const end = about === undefined ? "" : style.dim(`  // ${about}`)
      lines.push(`${`${size}`.padStart(sizeWidth)}  ${type.padEnd(typeWidth)}  ${printableLine(key)}${end}`)
    }
    await terminal.write(`${lines.join("\n")}\n`)
  }
}

async function listAsJson(records: ProfileRecords): Promise<string> {
  const sizes = await records.sizes()
  const listed = sizes.map(async ([key, size]) => {
    const type = typeOf(key)
    return { key, size, type, conversation: recordKindOf(key)?.conversation, about: await aboutOf(records, key, type) }
  })
  return jsonOf(await Promise.all(listed))
}

function sectionsOf(
  sizes: readonly (readonly [string, number])[],
  titleOf: ReadonlyMap<string, string>,
): readonly Section[] {
  const sections: Section[] = []
  for (const [key, size] of sizes) {
    const kind = recordKindOf(key)
    const conversation = kind?.conversation
    const suffix = conversation === undefined ? "" : ` of ${titleOf.get(conversation) ?? conversation}`
    const title = `${kind?.words ?? "records of a kind that is not known"}${suffix}`
    const last = sections.at(-1)
    const section = last?.title === title ? last : { title, rows: [] }
    if (section !== last) sections.push(section)
    section.rows.push({ key, size, type: typeOf(key) })
  }
  return sections
}

/** The name of a declaration, or `secret` and what it is, or `?`. */
function typeOf(key: string): string {
  const kind = recordKindOf(key)
  if (kind?.groupKey === undefined) return kind?.type ?? "?"
  const inGroup = groupRecordType(kind.groupKey)
  return inGroup === undefined ? "?" : (inGroup.type ?? `secret (${inGroup.words})`)
}

/** By the ids of the conversations; those without a title have none. */
async function titles(
  records: ProfileRecords,
  sizes: readonly (readonly [string, number])[],
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  for (const [key] of sizes) {
    const kind = recordKindOf(key)
    if (kind?.type !== "ConversationState") continue
    const { title } = decode(ConversationState, (await records.get(key))!)
    if (title !== "") found.set(kind.conversation!, JSON.stringify(printableLine(title)))
  }
  return found
}

/** Whom a record is about whose key hides the name. */
async function aboutOf(records: ProfileRecords, key: string, type: string): Promise<string | undefined> {
  if ((type !== "Pins" && type !== "Person") || key === recordKeys.strangeDevices) return undefined
  const record = (await records.get(key))!
  return printableLine((type === "Pins" ? decode(Pins, record) : decode(Person, record)).name)
}

const counted = (count: number) => (count === 1 ? "1 record" : `${count} records`)

// --- One record --------------------------------------------------------------------------------------------------------

async function showRecord(
  records: ProfileRecords,
  key: string,
  { terminal, full, file }: Inspecting & { readonly file: string },
): Promise<void> {
  const bytes = await records.get(key)
  const name = printableLine(key)
  if (bytes === undefined) {
    throw new Failure(words().looking.noRecord(printableLine(file), name))
  }
  const kind = recordKindOf(key)
  const inGroup = kind?.groupKey === undefined ? undefined : groupRecordType(kind.groupKey)
  const type = kind?.type ?? inGroup?.type
  if (type !== undefined) {
    return show(recogniseRecord(bytes, type, name), { terminal, full, name })
  }
  // What nobody knows might be a secret as well.
  const what = inGroup?.words ?? "of a kind that is not known"
  await terminal.write(`${terminal.style.dim(`// ${name}: ${what}, ${bytes.length} bytes, not shown`)}\n`)
}

function recogniseRecord(bytes: Uint8Array, type: string, name: string): Recognised {
  try {
    return recognise([{ bytes, encoding: "bytes" }], type)
  } catch (error) {
    throw error instanceof Failure ? new Failure(`${name}: ${error.message}`, { cause: error }) : error
  }
}
