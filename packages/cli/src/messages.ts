import type { ClientEvent, Content, Conversation } from "@conclave/client/node"
import { labelOf } from "./conversations.js"
import { printable, printableLine } from "./terminal/printable.js"
import type { Style } from "./terminal/style.js"

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
export function drawMessageCut(message: Spoken, style: Style): string {
  const text = cut(message)
  if (text === undefined) return drawMessage(message, style)
  const left = message.text!.length - text.length
  return `${drawMessage({ ...message, text }, style)}\n      ${style.dim(`… and ${left} characters more: /whole`)}`
}

/** One message for a person. Its further lines are indented: none can pass for a message of its own. */
export function drawMessage({ from, sentAt, text, bytes }: Spoken, style: Style): string {
  const time = `${two(sentAt.getHours())}:${two(sentAt.getMinutes())}`
  const content = text === undefined ? style.dim(`(${bytes?.length ?? 0} bytes)`) : printable(text).replace(/\n+$/, "")
  return `${style.dim(time)} ${style.bold(printableLine(from))}: ${content.replace(/\n/g, "\n      ")}`
}

export interface Reader {
  readonly style: Style
  /** The reader's own name. */
  readonly self: string
}

/** What happened, in a sentence; `undefined` for messages, and for what nobody has to be told. */
export function drawEvent(event: ClientEvent, { style, self }: Reader): string | undefined {
  const who = (name: string) => (name === self ? "you" : printableLine(name))
  switch (event.type) {
    case "message":
    case "sent":
      return undefined
    case "joined":
      return style.dim(`you are in ${named(event.conversation)} now: ${list(event.members.map(who))}`)
    case "title":
      return style.dim(`${who(event.from)} called it "${printableLine(event.title)}"`)
    case "members":
      return style.dim(membersChanged(event, who))
    case "refreshed":
      return style.dim(event.by === self ? "you renewed your keys" : `${who(event.by)} renewed their keys`)
    case "left":
      return style.yellow(`you are no longer in ${named(event.conversation)} (by ${who(event.by)})`)
    case "recovered":
      return style.yellow(`${named(event.conversation)} was rejoined, messages may be missing: ${reasonOf(event)}`)
    case "invited":
      return style.yellow(`${who(event.by)} invites you to a conversation with ${list(event.members.map(who))}`)
    case "declined":
      return style.yellow(`${who(event.name)} does not come into ${named(event.conversation)} (${event.reason})`)
    case "throttled":
      return style.yellow(`the service asks for patience until ${event.retryAt.toLocaleTimeString()}`)
    case "missing":
    case "deferred":
      return style.yellow(reasonOf(event))
    case "update":
    case "unavailable":
      return style.red(reasonOf(event))
    default:
      return drawAlarm(event, style)
  }
}

type Alarm = Extract<ClientEvent, { type: "keyChanged" | "halted" | "lost" | "failed" | "rejected" }>

/** What a person must see and decide about, wherever it is told. */
export function isAlarm(event: ClientEvent): event is Alarm {
  return ["keyChanged", "halted", "lost", "failed", "rejected"].includes(event.type)
}

export function drawAlarm(event: Alarm, style: Style): string {
  switch (event.type) {
    case "keyChanged":
      return style.red(style.bold(keyChanged(event)))
    case "halted":
      return style.red(
        `${named(event.conversation)} is halted until you decide about ${list(event.names)}: ${reasonOf(event)}`,
      )
    case "lost":
      return style.red(
        `${named(event.conversation)} cannot be followed: somebody has to remove and invite you again: ${reasonOf(event)}`,
      )
    case "failed":
      return style.red(
        `could not ${wishNames[event.wish]}${event.names.length > 0 ? ` ${list(event.names)}` : ""}: ${reasonOf(event)}`,
      )
    case "rejected":
      return style.yellow(
        `something was refused${event.conversation ? ` in ${named(event.conversation)}` : ""}: ${reasonOf(event)}${event.count > 1 ? ` (${event.count} times)` : ""}`,
      )
  }
}

const wishNames: Readonly<Record<Extract<ClientEvent, { type: "failed" }>["wish"], string>> = {
  create: "create the conversation",
  invite: "invite",
  remove: "remove",
  send: "send a message",
  title: "set the title",
  refresh: "renew the keys",
  leave: "leave",
}

function membersChanged(
  { by, added, removed }: Extract<ClientEvent, { type: "members" }>,
  who: (name: string) => string,
): string {
  const changes = [
    ...(added.length > 0 ? [`added ${list(added.map(who))}`] : []),
    ...(removed.length > 0 ? [`removed ${list(removed.map(who))}`] : []),
  ]
  return `${who(by)} ${changes.join(" and ")}`
}

function keyChanged({ name, endorsed, accepted }: Extract<ClientEvent, { type: "keyChanged" }>): string {
  const who = printableLine(name)
  const why = endorsed ? "a device of theirs has signed for it" : "no device of theirs has signed for it"
  const what = accepted ? "it was accepted; compare /safety" : `not accepted: ask ${who}, then /approve ${who}`
  return `!! ${who} speaks with a new key (${why}); ${what}`
}

const two = (number: number) => String(number).padStart(2, "0")
const list = (names: readonly string[]) => names.map(printableLine).join(", ") || "nobody"
const reasonOf = ({ reason }: { readonly reason: string }) => printableLine(reason)
/** The title comes after the joining. */
const named = (conversation: Conversation) => (conversation.title === "" ? "a conversation" : labelOf(conversation))
