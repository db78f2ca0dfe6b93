import { personLabel, shownText } from "@conclave/auth/names"
import type { ClientEvent, Content, Conversation } from "@conclave/client/node"
import { labelOf, TITLE_LENGTH_SHOWN } from "./conversations.js"
import { labelOfPeople, labelOfPerson, type People } from "./people.js"
import { printable } from "./terminal/printable.js"
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
export function drawMessageCut(message: Spoken, reader: Reader): string {
  const text = cut(message)
  if (text === undefined) return drawMessage(message, reader)
  const left = message.text!.length - text.length
  return `${drawMessage({ ...message, text }, reader)}\n      ${reader.style.dim(`… and ${left} characters more: /whole`)}`
}

/** One message for a person. Its further lines are indented: none can pass for a message of its own. */
export function drawMessage({ from, sentAt, text, bytes }: Spoken, { style, people }: Reader): string {
  const time = `${two(sentAt.getHours())}:${two(sentAt.getMinutes())}`
  const content = text === undefined ? style.dim(`(${bytes?.length ?? 0} bytes)`) : printable(text).replace(/\n+$/, "")
  return `${style.dim(time)} ${style.bold(labelOfPerson(people, from))}: ${content.replace(/\n/g, "\n      ")}`
}

export interface Reader {
  readonly style: Style
  /** With the reader's own name. */
  readonly people: People
}

/** What happened, in a sentence; `undefined` for messages, and for what nobody has to be told. */
export function drawEvent(event: ClientEvent, reader: Reader): string | undefined {
  const { style, people } = reader
  const who = (name: string) => (name === people.name ? "you" : labelOfPerson(people, name))
  switch (event.type) {
    case "message":
    case "sent":
      return undefined
    case "joined":
      return style.dim(`you are in ${named(event.conversation)} now: ${whoever(event.members, reader)}`)
    case "title":
      return style.dim(`${who(event.from)} called it "${shownText(event.title, TITLE_LENGTH_SHOWN)}"`)
    case "members":
      return style.dim(membersChanged(event, reader))
    case "refreshed":
      return style.dim(event.by === people.name ? "you renewed your keys" : `${who(event.by)} renewed their keys`)
    case "left":
      return style.yellow(`you are no longer in ${named(event.conversation)} (by ${who(event.by)})`)
    case "recovered":
      return style.yellow(`${named(event.conversation)} was rejoined, messages may be missing: ${reasonOf(event)}`)
    case "invited":
      return style.yellow(`${who(event.by)} invites you to a conversation with ${whoever(event.members, reader)}`)
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
    case "displayName":
      return style.yellow(displayNameChanged(event))
    default:
      return drawAlarm(event, reader)
  }
}

type Alarm = Extract<ClientEvent, { type: "keyChanged" | "halted" | "lost" | "failed" | "rejected" }>

/** What a person must see and decide about, wherever it is told. */
export function isAlarm(event: ClientEvent): event is Alarm {
  return ["keyChanged", "halted", "lost", "failed", "rejected"].includes(event.type)
}

export function drawAlarm(event: Alarm, { style, people }: Reader): string {
  switch (event.type) {
    case "keyChanged":
      return style.red(style.bold(keyChanged(event, people)))
    case "halted":
      return style.red(
        `${named(event.conversation)} is halted until you decide about ${labelOfPeople(people, event.names) || "nobody"}: ${reasonOf(event)}`,
      )
    case "lost":
      return style.red(
        `${named(event.conversation)} cannot be followed: somebody has to remove and invite you again: ${reasonOf(event)}`,
      )
    case "failed":
      return style.red(
        `could not ${wishNames[event.wish]}${event.names.length > 0 ? ` ${labelOfPeople(people, event.names)}` : ""}: ${reasonOf(event)}`,
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

function membersChanged(event: Extract<ClientEvent, { type: "members" }>, reader: Reader): string {
  const { by, added, removed, left, rejoined } = event
  const changes = [
    ...(added.length > 0 ? [`added ${whoever(added, reader)}`] : []),
    ...(removed.length > 0 ? [`removed ${whoever(removed, reader)}`] : []),
  ]
  return [
    ...(changes.length > 0 ? [`${whoever([by], reader)} ${changes.join(" and ")}`] : []),
    ...(left.length > 0 ? [`${whoever(left, reader)} left`] : []),
    ...(rejoined.length > 0 ? [`${whoever(rejoined, reader)} rejoined`] : []),
  ].join("; ")
}

/** The reader is "you", and comes first. */
function whoever(names: readonly string[], { people }: Reader): string {
  const others = names.filter((name) => name !== people.name)
  const you = others.length < names.length ? ["you"] : []
  return [...you, ...(others.length > 0 ? [labelOfPeople(people, others)] : [])].join(", ") || "nobody"
}

function keyChanged(
  { name, endorsed, accepted }: Extract<ClientEvent, { type: "keyChanged" }>,
  people: People,
): string {
  const who = labelOfPerson(people, name)
  const why = endorsed ? "a device of theirs has signed for it" : "no device of theirs has signed for it"
  const what = accepted ? "it was accepted; compare /safety" : `not accepted: ask ${who}, then /approve ${name}`
  return `!! ${who} speaks with a new key (${why}); ${what}`
}

function displayNameChanged({ name, before, after }: Extract<ClientEvent, { type: "displayName" }>): string {
  const was = before === undefined ? "" : `, until now ${personLabel(name, before).text}`
  return after === undefined
    ? `${personLabel(name).text} has no display name any more${was}`
    : `${personLabel(name).text} is called ${personLabel(name, after).text} from now on${was}`
}

const REASON_LENGTH_SHOWN = 400

const two = (number: number) => String(number).padStart(2, "0")
const reasonOf = ({ reason }: { readonly reason: string }) => shownText(reason, REASON_LENGTH_SHOWN)
/** The title comes after the joining. */
const named = (conversation: Conversation) => (conversation.title === "" ? "a conversation" : labelOf(conversation))
