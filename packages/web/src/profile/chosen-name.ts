/**
 * The name under which this browser speaks, so that a reload goes on with it. It is kept from the moment it is chosen:
 * whether the service has it already is known only after asking.
 */
export interface ChosenName {
  readonly name: string
  /** The service has confirmed it. */
  readonly registered: boolean
}

const KEY = "conclave.name"

/** As the directory takes names: lower case, no spaces. */
const NAME = /^[\p{Ll}\p{Lo}\p{N}][\p{Ll}\p{Lo}\p{N}._-]{0,63}$/u

export function readChosenName(): ChosenName | undefined {
  try {
    const { name, registered } = JSON.parse(localStorage.getItem(KEY) ?? "null") ?? {}
    return typeof name === "string" && NAME.test(name) ? { name, registered: registered === true } : undefined
  } catch {
    return undefined
  }
}

export function keepChosenName(chosen: ChosenName | undefined): void {
  if (chosen === undefined) localStorage.removeItem(KEY)
  else localStorage.setItem(KEY, JSON.stringify(chosen))
}

/** As it is typed: capitals become small, since names have none. */
export function typedName(text: string): string {
  return text.trim().toLowerCase().normalize("NFC")
}

/** Why a name cannot be one, as a sentence; or `undefined`. */
export function nameProblem(name: string): string | undefined {
  if (name === "") return "A name has at least one character."
  if (/\s/u.test(name)) return "A name has no spaces; a dot or a hyphen is fine."
  if (name.length > 64) return "A name has at most 64 characters."
  if (!NAME.test(name))
    return "A name is made of letters, digits, dots, hyphens and underscores, and begins with a letter or digit."
  return undefined
}

/** Names in a field that takes several, separated by commas or spaces. */
export function typedNames(text: string): readonly string[] {
  return [
    ...new Set(
      text
        .split(/[\s,;]+/u)
        .map(typedName)
        .filter(Boolean),
    ),
  ]
}
