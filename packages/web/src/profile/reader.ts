import { type EventReader, personLabel } from "@conclave/client/browser"
import { textOf } from "./content-words.js"
import { clockTime } from "./time.js"
import { labelText, type People, quoted, shownReason } from "./words.js"

/** How what happened is read on the page; `conversation`: what it is called in a sentence. */
export function pageReader(people: People, conversation: string | undefined, peopleMax = PEOPLE_SHOWN): EventReader {
  return {
    name: people.name,
    conversation,
    peopleMax,
    person: (name) => people.called(name),
    personAs: (name, displayName) => labelText(personLabel(name, displayName)),
    title: quoted,
    reason: shownReason,
    time: clockTime,
    content: textOf,
    // There are buttons for it.
    how: () => "",
  }
}

/** Names in a sentence; of more, the rest is counted. */
export const PEOPLE_SHOWN = 8

/** Sentences with their full stops. */
export function paragraph(sentences: readonly string[]): string {
  return sentences.map((it) => (/[.!?]$/u.test(it) ? it : `${it}.`)).join(" ")
}
