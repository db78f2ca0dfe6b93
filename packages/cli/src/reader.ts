import { type Advice, type Conversation, contentWords, type EventReader } from "@conclave/client/node"
import { personLabel, shownText } from "@conclave/contracts/names"
import { labelOf, TITLE_LENGTH_SHOWN } from "./conversations.js"
import { labelOfPerson, type People } from "./people.js"

/** How what happened is read in a terminal; `people` with the reader's own name. */
export function terminalReader(people: People, conversation?: Conversation): EventReader {
  return {
    name: people.name,
    conversation: conversation && named(conversation),
    peopleMax: PEOPLE_SHOWN,
    person: (name) => labelOfPerson(people, name),
    personAs: (name, displayName) => personLabel(name, displayName).text,
    title: (title) => `"${shownText(title, TITLE_LENGTH_SHOWN)}"`,
    reason: (reason) => shownText(reason, REASON_LENGTH_SHOWN),
    time: timeOf,
    content: contentWords,
    how: (advice) => ` (${commandFor(advice)})`,
  }
}

const PEOPLE_SHOWN = 50
const REASON_LENGTH_SHOWN = 400

/** The title comes after the joining. */
function named(conversation: Conversation): string {
  return conversation.title === "" || conversation.status === "invited" ? "a conversation" : labelOf(conversation)
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
