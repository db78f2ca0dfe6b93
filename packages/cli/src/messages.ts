import type { ClientEvent, Content, Conversation } from "@conclave/client/node"
import { personLabel, shownText } from "@conclave/contracts/names"
import { labelOf, TITLE_LENGTH_SHOWN } from "./conversations.js"
import { drawInvitation } from "./invitations.js"
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
  const time = timeOf(sentAt)
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
      return membersChanged(event, reader) === "" ? undefined : style.dim(membersChanged(event, reader))
    case "refreshed":
      return style.dim(event.by === people.name ? "you renewed your keys" : `${who(event.by)} renewed their keys`)
    case "left":
      return style.yellow(
        event.by === people.name
          ? `you left ${named(event.conversation)}`
          : `${who(event.by)} removed you from ${named(event.conversation)}`,
      )
    case "recovered":
      return style.yellow(
        `this device had lost its place in ${named(event.conversation)}, and came back; messages may be missing: ${reasonOf(event)}`,
      )
    case "invited":
      return style.yellow(drawInvitation({ invitedBy: event.by, members: event.members }, people))
    case "declined":
      return style.yellow(`${who(event.name)} ${declinations[event.reason]}`)
    case "throttled":
      return style.yellow(
        `the service is busy until ${timeOf(event.retryAt)}; what is written is kept, and goes out by itself`,
      )
    case "missing":
      return style.yellow(
        `the service does not know ${named(event.conversation)} at present; nothing is lost, it is asked again for a week: ${reasonOf(event)}`,
      )
    case "deferred":
      return style.yellow(
        `the service did not take ${deferred(event.wishes)}, and is asked again at ${timeOf(event.retryAt)}: ${reasonOf(event)}`,
      )
    case "unavailable":
      return style.yellow(
        `the service refuses what it used to do${event.conversation ? ` for ${named(event.conversation)}` : ""}; nothing is given up, it is asked again: ${reasonOf(event)}`,
      )
    case "update":
      return style.red(style.bold(`!! an update is needed: ${reasonOf(event)}`))
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

/** For a person who reads standard error while something else reads the messages; `undefined`: nothing. */
export function drawReport(event: ClientEvent, reader: Reader): string | undefined {
  if (isAlarm(event)) return drawAlarm(event, reader)
  switch (event.type) {
    case "invited":
      return `${drawEvent(event, reader)}: see --accept-invitations, or /accept in conclave chat`
    case "left":
    case "recovered":
    case "throttled":
    case "missing":
    case "unavailable":
    case "update":
      return drawEvent(event, reader)
    default:
      return undefined
  }
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
      return drawRejected(event, style)
  }
}

function drawRejected(event: Extract<ClientEvent, { type: "rejected" }>, style: Style): string {
  const { conversation, code, count } = event
  const reason = reasonOf(event)
  const where = conversation === undefined ? "" : ` in ${named(conversation)}`
  switch (code) {
    case "LATER_EPOCH":
      return style.red(
        style.bold(
          `!! you may not be shown all of ${conversation === undefined ? "a conversation" : named(conversation)}: ${reason}; ask a member, by voice or in person, to remove you and to invite you again`,
        ),
      )
    case "CANNOT_REJOIN":
      return style.red(
        style.bold(
          `!! this device cannot follow ${conversation === undefined ? "a conversation" : named(conversation)}, and waits: ${reason}; ask a member who can still write there to renew their keys (/refresh)`,
        ),
      )
    case "TOO_MANY_INVITATIONS":
      return style.yellow(
        `${count === 1 ? "an invitation was" : `${count} invitations were`} declined unseen: ${reason}`,
      )
    case "PROPOSALS_DROPPED":
      return style.yellow(`what others had asked for${where} was not carried out: ${reason}`)
    default:
      return style.yellow(
        count === 1
          ? `something was refused${where}: ${reason}`
          : `${count} messages were refused${where}; the first: ${reason}`,
      )
  }
}

const declinations: Readonly<Record<Extract<ClientEvent, { type: "declined" }>["reason"], string>> = {
  declined: "declined the invitation",
  limit: "did not see the invitation: too many by the same person",
  unverified: "declined: their device holds somebody here not to be who they say they are; compare /safety",
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
    ...rejoined.map((name) => {
      const whose = name === reader.people.name ? "another device of yours" : `${whoever([name], reader)}'s device`
      return `${whose} had lost its place, and came back`
    }),
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
  if (name === people.name) {
    return endorsed
      ? "!! you have added a device: one of your devices has signed for it; if it was not you, ask members to remove you and to invite you again"
      : `!! a strange device speaks under your name: if it is yours, /approve ${name}; if not, warn the people you talk with, by voice or in person`
  }
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

function deferred(wishes: Extract<ClientEvent, { type: "deferred" }>["wishes"]): string {
  return wishes.length === 0
    ? "a change"
    : `the wish to ${[...new Set(wishes)].map((wish) => wishNames[wish]).join(" and to ")}`
}

export const timeOf = (at: Date) => `${two(at.getHours())}:${two(at.getMinutes())}`
const two = (number: number) => String(number).padStart(2, "0")
const reasonOf = ({ reason }: { readonly reason: string }) => shownText(reason, REASON_LENGTH_SHOWN)
/** The title comes after the joining. */
const named = (conversation: Conversation) =>
  conversation.title === "" || conversation.status === "invited" ? "a conversation" : labelOf(conversation)
