import { type ClientEvent, type Content, eventSeverity, type Severity } from "@conclave/client/node"
import { labelOfPerson, type People } from "./people.js"
import { contentOf, eventLine, terminalReader, timeOf } from "./reader.js"
import { printable } from "./terminal/printable.js"
import type { Style } from "./terminal/style.js"
import { words as said } from "./words/words.js"

export interface Spoken extends Content {
  readonly from: string
  readonly sentAt: Date
}

const LINES_SHOWN = 20
const CHARACTERS_SHOWN = 2_000

/** Text that would fill the screen and more, without the rest of it; `undefined` where it is short enough. */
export function cut({ text }: Content): string | undefined {
  const shown = text?.slice(0, CHARACTERS_SHOWN).split("\n", LINES_SHOWN).join("\n")
  return text === undefined || shown === undefined || shown.length >= text.trimEnd().length ? undefined : shown
}

/** {@link drawMessage}, of a long one only the beginning. */
export function drawMessageCut(message: Spoken, reader: Reader): string {
  const text = cut(message)
  if (text === undefined) return drawMessage(message, reader)
  const left = message.text!.length - text.length
  return `${drawMessage({ ...message, text }, reader)}\n      ${reader.style.dim(said().messages.charactersMore(left))}`
}

/** One message for a person. Its further lines are indented: none can pass for a message of its own. */
export function drawMessage({ from, sentAt, ...content }: Spoken, { style, people }: Reader): string {
  const time = timeOf(sentAt)
  const words = printable(contentOf(content))
  const shown = content.text === undefined ? style.dim(`(${words})`) : words.replace(/\n+$/, "")
  return `${style.dim(time)} ${style.bold(labelOfPerson(people, from))}: ${shown.replace(/\n/g, "\n      ")}`
}

export interface Reader {
  readonly style: Style
  /** With the reader's own name. */
  readonly people: People
}

/** What happened, in a line; `undefined` for messages, and for what nobody has to be told. */
export function drawEvent(event: ClientEvent, { style, people }: Reader): string | undefined {
  if (event.type === "message" || event.type === "sent") return undefined
  const reader = terminalReader(people, event.conversation)
  const line = eventLine(event, reader)
  return line === "" ? undefined : styles[eventSeverity(event, reader)](line, style)
}

const styles: Readonly<Record<Severity, (line: string, style: Style) => string>> = {
  quiet: (line, style) => style.dim(line),
  notice: (line, style) => style.yellow(line),
  warning: (line, style) => style.red(line),
  alarm: (line, style) => style.red(style.bold(`!! ${line}`)),
}

/** Nobody has to do anything about them. */
const newsOfOthers: ReadonlySet<ClientEvent["type"]> = new Set(["declined", "deferred", "displayName"])

/** For a person who reads standard error while something else reads the messages; `undefined`: nothing. */
export function drawReport(event: ClientEvent, reader: Reader): string | undefined {
  const severity = eventSeverity(event, terminalReader(reader.people, event.conversation))
  if (severity === "quiet" || newsOfOthers.has(event.type)) return undefined
  const line = drawEvent(event, reader)
  return event.type === "invited" && line !== undefined ? said().messages.seeInvitations(line) : line
}
