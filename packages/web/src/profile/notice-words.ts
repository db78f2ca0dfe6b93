import { type ClientEvent, personLabel } from "@conclave/client/browser"
import type { Notice } from "./memory.js"
import { textOf } from "./thread.js"
import { clockTime } from "./time.js"
import { isolated, list, listOf, type People, personOr, sentence, shownReason, shownTitle, titleOf } from "./words.js"

/** A notice as a sentence, from the point of view of the user. */
export function noticeText(notice: Notice, people: People): string {
  const { by = "", names = [] } = notice
  const own = people.name
  const text = shownReason(notice.text ?? "")
  const subject = by === own ? "You" : personOr(by, "Somebody", people)
  switch (notice.type) {
    case "joined":
      return `${notice.accepted === true ? "You accepted" : "You were added"}. Members: ${listOf(names, people)}.`
    case "title":
      return `${subject} named the conversation “${isolated(shownTitle(notice.text ?? ""))}”.`
    case "members":
      return membersText(notice, people)
    case "refreshed":
      return `${subject} renewed ${by === own ? "your" : "their"} keys.`
    case "left":
      if (by === own) return "You left. This device has destroyed its keys of the conversation."
      return `${subject} removed you. This device has destroyed its keys of the conversation, and reads nothing that comes after.`
    case "keyChanged":
      return keyChangedText(notice, people)
    case "failed":
      return failedText(notice, people)
    case "displayName":
      return displayNameText(notice)
    case "rejected":
      return rejectedText(notice)
    case "halted":
      return `You send nothing until you have decided about ${listOf(names, people)}${text === "" ? "" : `: ${text}`}.`
    case "recovered":
      return `This device lost its place, and came back. Messages in between are missing here. The reason: ${text}.`
    case "invited":
      return `${subject} invited you.`
    case "declined":
      return declinedText(notice, people)
    case "missing":
      return `The service does not know this conversation at present. Nothing is lost: this device keeps it, and asks again for a week. (${sentence(text)})`
    case "deferred":
      return deferredText(notice)
    case "unavailable":
      return `The service refuses what it used to do for this conversation: ${text}. Nothing is given up: this device asks again.`
    case "lost":
      return `This device lost the conversation (${text}). Ask a member to remove you and to invite you again.`
    // Earlier versions have kept these here; the page tells them above everything now.
    case "throttled":
      return `The service was busy until ${text}.`
    case "update":
      return sentence(text)
  }
}

function membersText({ by = "", names = [], removed = [], asked, left = [], rejoined = [] }: Notice, people: People) {
  const own = people.name
  const subject = by === own ? "You" : personOr(by, "Somebody", people)
  const added = names.map((name) => (name === own ? "you" : people.called(name)))
  const byCommitter = asked === undefined ? removed : by === own ? removed.filter((name) => asked.includes(name)) : []
  const others = removed.filter((name) => !byCommitter.includes(name))
  const done = [
    ...(added.length > 0 ? [`added ${list(added)}`] : []),
    ...(byCommitter.length > 0 ? [`removed ${listOf(byCommitter, people)}`] : []),
  ]
  const device = by === own ? "your device" : `${personOr(by, "somebody", people)}’s device`
  return [
    ...(done.length > 0 ? [`${subject} ${done.join(" and ")}.`] : []),
    ...(others.length > 0
      ? [`${listOf(others, people)} ${others.length === 1 ? "is" : "are"} out, by a commit of ${device}.`]
      : []),
    ...(left.length > 0 ? [`${listOf(left, people)} left.`] : []),
    ...rejoined.map((name) =>
      name === own
        ? "Another device of yours had lost its place, and came back."
        : `${people.called(name)}’s device had lost its place, and came back.`,
    ),
  ].join(" ")
}

function keyChangedText({ names = [], code }: Notice, people: People): string {
  const isOwn = names.includes(people.name)
  if (code === "accepted") {
    return isOwn
      ? "You added a device; one of your earlier keys vouches for it."
      : `${listOf(names, people)} added a device; one of their earlier keys vouches for it.`
  }
  return isOwn
    ? "A device speaks under your name that none of yours vouches for."
    : `${listOf(names, people)} speaks with a new key that nobody vouches for.`
}

function rejectedText({ text = "", code, count = 1 }: Notice): string {
  const reason = shownReason(text)
  switch (code) {
    case "LATER_EPOCH":
      return `The others are further than this device is let: ${reason}.`
    case "CANNOT_REJOIN":
      return `This device cannot follow the conversation, and waits for a way back: ${reason}.`
    case "PROPOSALS_DROPPED":
      return `What others had asked for was not carried out: ${reason}.`
    default:
      if (count === 1) return `Something that came in was refused and passed over: ${reason}.`
      return `${count} messages were refused and passed over. The first: ${reason}.`
  }
}

function declinedText({ names = [], code }: Notice, people: People): string {
  const who = listOf(names, people)
  if (code === "limit") return `${who} did not see the invitation: too many by the same person.`
  if (code === "unverified") {
    return `${who}’s device declined: it holds somebody here not to be who they say they are. Compare safety codes.`
  }
  return `${who} declined the invitation.`
}

function deferredText({ text = "", wishes = [], until }: Notice): string {
  const reason = shownReason(text)
  if (until === undefined) return sentence(reason)
  const what = wishes.length === 0 ? "a change" : list([...new Set(wishes)].map((wish) => deferredWishes[wish]))
  return `The service did not take ${what}: ${reason}. It is tried again at ${clockTime(new Date(until))}.`
}

const deferredWishes: Readonly<Record<NonNullable<Notice["wishes"]>[number], string>> = {
  create: "the new conversation",
  invite: "your invitation",
  remove: "a removal",
  send: "a message",
  title: "the new title",
  refresh: "your new keys",
  leave: "your leaving",
}

function failedText({ text, names = [], code, reason = "" }: Notice, people: People): string {
  const who = listOf(names, people) || "Nobody"
  const what = new Map([
    ["create", "The conversation could not be created"],
    ["invite", `${who} could not be added`],
    ["remove", `${who} could not be removed`],
    ["title", "The conversation could not be renamed"],
    ["refresh", "Your keys could not be renewed"],
    ["leave", "Leaving did not work"],
  ])
  return `${what.get(text ?? "") ?? "Something did not work"}: ${reasons.get(code ?? "") ?? (shownReason(reason) || "the service refused")}.`
}

const reasons: ReadonlyMap<string, string> = new Map([
  ["UNKNOWN_NAME", "nobody has that name"],
  ["NO_KEY_PACKAGE", "no key to add them with is left"],
  ["KEY_CHANGED", "there is a new key to look at first"],
  ["NOT_A_MEMBER", "you are no longer a member"],
  ["LOST", "this device has lost the conversation"],
  ["TOO_LARGE", "it is too large"],
])

/** As it was then, not as it is now: what follows may be yet another. */
function displayNameText({ names: [name = ""] = [], text: after = "", code: before = "" }: Notice): string {
  const shown = (displayName: string) => isolated(personLabel(name, displayName || undefined).text)
  if (after === "") return `${shown(before)} has no display name any more.`
  return `${shown(before)} is called ${shown(after)} from now on.`
}

/**
 * What a screen reader says of an event; `undefined`: nothing, or an alert says it. `notice` is what was kept of it, and
 * is said in the same words.
 */
export function announcementOf(
  event: ClientEvent,
  {
    notice,
    visible,
    people,
  }: { readonly notice: Notice | undefined; readonly visible: boolean; readonly people: People },
): string | undefined {
  const { conversation } = event
  const where = conversation === undefined || visible ? undefined : titleOf(conversation, people)
  switch (event.type) {
    case "message":
      return `${people.called(event.from)}${where === undefined ? "" : ` in ${where}`}: ${textOf(event)}`
    case "invited":
      return `${people.called(event.by)} invites you to a conversation.`
    case "sent":
    case "refreshed":
      return undefined
    case "displayName":
    case "keyChanged":
      return notice && `Attention: ${noticeText(notice, people)}`
    default:
      return notice && `${where === undefined ? "" : `${where}: `}${noticeText(notice, people)}`
  }
}
