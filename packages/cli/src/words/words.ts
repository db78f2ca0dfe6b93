import { main as english } from "./en/main.js"
import { type CommandWords, type HelpWords, type Language, languages, type Words } from "./form.js"
import { setLocale } from "./locale.js"

export { english }

let inUse: Words = english
let spoken: Language = "en"

/** The catalogue in use. To be asked whenever something is said, never kept. */
export function words(): Words {
  return inUse
}

export function language(): Language {
  return spoken
}

/** What is spoken: a language, and its form for times and numbers, a tag of BCP 47 as `de-AT`. */
export interface Spoken {
  readonly language: Language
  readonly locale: string
}

/** Speaks so from now on. A language's words are loaded when it is spoken first. */
export async function speak({ language, locale }: Spoken): Promise<void> {
  inUse = language === "de" ? (await import("./de/main.js")).main : english
  spoken = language
  setLocale(locale)
}

/** The help, in the language in use or in `of`. */
export async function helpWords(of = spoken): Promise<HelpWords> {
  return of === "de" ? (await import("./de/help.js")).help : (await import("./en/help.js")).help
}

/** Of a command, or of a part as `admin status`. @throws TypeError of one that has no words */
export function commandWords({ people, service, machine }: HelpWords, name: string): CommandWords {
  const all: Readonly<Record<string, CommandWords>> = { ...people, ...service, ...machine }
  const found = all[name]
  if (found === undefined) throw new TypeError(`the command ${name} has no words`)
  return found
}

/** What an option is for. */
export function optionWords(help: HelpWords, { options = {} }: CommandWords, name: string): string {
  const shared: Readonly<Record<string, string>> = help.options
  const found = options[name] ?? shared[name]
  if (found === undefined) throw new TypeError(`the option ${name} has no words`)
  return found
}

export function isLanguage(text: string): text is Language {
  return (languages as readonly string[]).includes(text)
}

/** Of the environment, as POSIX has it: the first of three variables that is not empty. `C`, and what is not known: English. */
export function spokenIn({ LC_ALL, LC_MESSAGES, LANG }: NodeJS.ProcessEnv): Spoken {
  const [, language = "", region] =
    /^([a-z]{2,3})(?:_([A-Z]{2}))?(?:[.@]|$)/.exec(LC_ALL || LC_MESSAGES || LANG || "") ?? []
  if (!isLanguage(language)) return { language: "en", locale: "en" }
  return { language, locale: region === undefined ? language : `${language}-${region}` }
}
