import type { ContinuedConversation } from "../conversation.js"
import { continued, conversation, noConversation, payload, place, someText, text, texts, word } from "./fields.js"
import { type EventReader, people, subject, subjects, theConversation, within } from "./reader.js"
import { eventKind } from "./table.js"

/** Why a device refuses an invitation. */
export const declineReasons = ["declined", "unverified", "limit"] as const

type Compared = Pick<ContinuedConversation, "added" | "removed" | "known"> & {
  readonly conversation: Pick<ContinuedConversation["conversation"], "title">
}

function continuedWords(by: string, { conversation, added, removed, known }: Compared, reader: EventReader) {
  const { title } = conversation
  const differences = [
    ...(added.length > 0 ? [`${subjects(added, reader)} ${areIs(added, reader)} new`] : []),
    ...(removed.length > 0 ? [`${subjects(removed, reader)} ${areIs(removed, reader)} left out`] : []),
  ]
  return [
    `${subject(by, reader)} asks you to go on in a new group${title === "" ? "" : `, instead of ${reader.title(title)}`}`,
    ...(differences.length > 0 ? differences : ["Its members are those that this device knew"]),
    ...(known
      ? []
      : [`What ${reader.person(by)} says of the old members is not what this device knew: ask before you accept`]),
  ]
}

const areIs = (names: readonly string[], reader: EventReader) =>
  names.length > 1 || names[0] === reader.name ? "are" : "is"

/** What people do: messages, members, invitations, names. */
export const conversationEvents = {
  message: eventKind({
    number: 21,
    fields: {
      conversation,
      /** The sender's name. To show it, see `personLabel`. */
      from: text,
      /** The message's place in the conversation, as in `Message.seq`; `undefined` if stored by a version before 0.2. */
      seq: place,
      payload,
    },
    severity: "quiet",
    words: ({ from, ...content }, reader) => [`${subject(from, reader)}${within(reader)}: ${reader.content(content)}`],
  }),

  sent: eventKind({
    number: 22,
    fields: {
      conversation,
      /** As in `MessageEvent.seq`. */
      seq: place,
      payload,
    },
    severity: "quiet",
    words: (content, reader) => [`You${within(reader)}: ${reader.content(content)}`],
  }),

  joined: eventKind({
    number: 3,
    fields: { conversation, members: texts },
    severity: "quiet",
    words: ({ members }, reader) => [`You joined ${theConversation(reader)}`, `Members: ${people(members, reader)}`],
  }),

  title: eventKind({
    number: 4,
    fields: { conversation, from: text, title: text },
    severity: "quiet",
    words: ({ from, title }, reader) => [`${subject(from, reader)} named the conversation ${reader.title(title)}`],
  }),

  members: eventKind({
    number: 5,
    fields: {
      conversation,
      /** The committer, who added those in `added` and removed those in `removed`; may be empty. */
      by: text,
      added: texts,
      removed: texts,
      /** They asked for it themselves; `by` only carried it out. */
      left: texts,
      /** Devices of these members could not follow the conversation, and `by` let them in again. */
      rejoined: texts,
    },
    severity: "quiet",
    words({ by, added, removed, left, rejoined }, reader) {
      const changes = [
        ...(added.length > 0 ? [`added ${people(added, reader)}`] : []),
        ...(removed.length > 0 ? [`removed ${people(removed, reader)}`] : []),
      ]
      return [
        ...(changes.length > 0 ? [`${subject(by, reader)} ${changes.join(" and ")}`] : []),
        ...(left.length > 0 ? [`${subjects(left, reader)} left`] : []),
        ...(rejoined.length > 0
          ? [`${subject(by, reader)} let ${people(rejoined, reader)} back in, who had lost their place`]
          : []),
      ]
    },
  }),

  refreshed: eventKind({
    number: 6,
    fields: { conversation, by: text },
    severity: "quiet",
    words: ({ by }, reader) => [`${subject(by, reader)} renewed ${by === reader.name ? "your" : "their"} keys`],
  }),

  left: eventKind({
    number: 7,
    fields: { conversation, by: text },
    severity: ({ by }, reader) => (by === reader.name ? "notice" : "warning"),
    words: ({ by }, reader) => [
      by === reader.name
        ? `You left ${theConversation(reader)}`
        : `${subject(by, reader)} removed you from ${theConversation(reader)}`,
      "This device destroyed its keys and cannot read what is sent from now on",
    ],
  }),

  invited: eventKind({
    number: 28,
    fields: {
      conversation,
      by: text,
      members: texts,
      /** Where `by` made it to continue a conversation in which this device cannot go on. */
      continues: continued,
    },
    severity: ({ continues }) => (continues?.known === false ? "warning" : "notice"),
    words({ by, members, continues }, reader) {
      if (continues !== undefined) return continuedWords(by, continues, reader)
      const others = members.filter((name) => name !== reader.name && name !== by)
      const whom = others.length === 0 ? "" : ` with ${people(others, reader)}`
      return [`${subject(by, reader)} invites you to a conversation${whom}`]
    },
  }),

  declined: eventKind({
    number: 17,
    fields: {
      conversation,
      name: text,
      /**
       * `declined` by the person or the program; `unverified`: that device does not accept the identity of a member;
       * `limit`: too many invitations by the same person.
       */
      reason: word(declineReasons),
    },
    severity: ({ reason }) => (reason === "unverified" ? "warning" : "notice"),
    words({ name, reason }, reader) {
      const who = subject(name, reader)
      switch (reason) {
        case "declined":
          return [`${who} declined the invitation`]
        case "limit":
          return [`${who} did not see the invitation: there were too many by the same person`]
        case "unverified":
          return [
            `${who} declined the invitation: their device does not accept the identity of a member`,
            `Compare safety codes${reader.how({ type: "compareSafetyCodes" })}`,
          ]
      }
    },
  }),

  displayName: eventKind({
    number: 23,
    fields: { conversation: noConversation, name: text, before: someText, after: someText },
    severity: "notice",
    words({ name, before, after }, reader) {
      const was = reader.personAs(name, before)
      if (after === undefined) return [`${was} no longer has a display name`]
      return [`${was} is now called ${reader.personAs(name, after)}`]
    },
  }),
}
