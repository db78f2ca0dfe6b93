import type { Client } from "@conclave/client/node"
import { judgeName, normalizeName, personLabel, shownText } from "@conclave/contracts/names"
import { Failure } from "./failure.js"
import { words } from "./words/words.js"

/** Who knows what people are called. */
export type People = Pick<Client, "name" | "displayName">

/** A person in a terminal: `Alice (alice)`, or the name alone where no display name differs from it. */
export function labelOfPerson(people: Pick<People, "displayName">, name: string): string {
  // Where it is not known who did something.
  if (name === "") return words().people.somebody
  return labelText(personLabel(name, people.displayName(name)))
}

/** A label with its warning, if it has one, in the language in use. */
export function labelText({ text, mark }: ReturnType<typeof personLabel>): string {
  return mark === undefined ? text : `${text.slice(0, text.lastIndexOf("["))}[${words().people.marks[mark]}]`
}

/** Several, separated by commas; of many the first. */
export function labelOfPeople(people: Pick<People, "displayName">, names: readonly string[]): string {
  const shown = names.slice(0, PEOPLE_SHOWN).map((name) => labelOfPerson(people, name))
  const others = names.length - shown.length
  return [...shown, ...(others > 0 ? [words().people.more(others)] : [])].join(", ")
}

/** A name as it was typed or pasted, in the form in which names are compared. Throws {@link Failure}. */
export function typedName(text: string): string {
  const name = normalizeName(text)
  const fault = judgeName(name)
  if (fault !== undefined)
    throw new Failure(words().people.notAName(shownText(text, 60), words().values.nameFault(fault)))
  return name
}

const PEOPLE_SHOWN = 50
