import {
  type Advice,
  type Content,
  type Conversation,
  contentWords,
  type EventReader,
  eventWords,
  type ToldEvent,
} from "@conclave/client/node"
import { personLabel, shownText } from "@conclave/contracts/names"
import { labelOf, TITLE_LENGTH_SHOWN } from "./conversations.js"
import { labelOfPerson, labelText, type People } from "./people.js"
import { words } from "./words/words.js"

/** How what happened is read in a terminal; `people` with the reader's own name. */
export function terminalReader(people: People, conversation?: Conversation): EventReader {
  return {
    name: people.name,
    conversation: conversation && named(conversation),
    peopleMax: PEOPLE_SHOWN,
    person: (name) => labelOfPerson(people, name),
    personAs: (name, displayName) => labelText(personLabel(name, displayName)),
    title: (title) => words().messages.title(shownText(title, TITLE_LENGTH_SHOWN)),
    reason: (reason) => shownText(reason, REASON_LENGTH_SHOWN),
    time: timeOf,
    content: contentOf,
    how: (advice) => ` (${commandFor(advice)})`,
  }
}

const PEOPLE_SHOWN = 50
const REASON_LENGTH_SHOWN = 400

/** A text, or a few words about what is none. */
export function contentOf(content: Content): string {
  const said = contentWords(content)
  const { bytes } = content
  return content.text === undefined && bytes !== undefined ? words().messages.notText(bytes.length, said) : said
}

/** What happened, in a line. */
export const eventLine = (event: ToldEvent, reader: EventReader): string =>
  words()
    .messages.event(event, reader, () => eventWords(event, reader))
    .join(". ")

/** The title comes after the joining. */
function named(conversation: Conversation): string {
  return conversation.title === "" || conversation.status === "invited"
    ? words().conversations.aConversation
    : labelOf(conversation)
}

function commandFor(advice: Advice): string {
  switch (advice.type) {
    case "compareSafetyCodes":
      return "/safety"
    case "approveKey":
      return `/approve ${advice.name}`
    case "refresh":
      return "/refresh"
    case "restart":
      return advice.without === "" ? "/restart" : `/restart without ${advice.without}`
  }
}

export const timeOf = (at: Date) => `${two(at.getHours())}:${two(at.getMinutes())}`
const two = (number: number) => String(number).padStart(2, "0")
