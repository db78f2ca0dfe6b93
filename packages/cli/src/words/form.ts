/** What commands say, in one language. English has the form: another language has the same keys, and no others. */
export type Words = typeof import("./en/main.js").main

/** The languages that the command line has, as subtags of BCP 47. */
export const languages = ["de", "en"] as const
export type Language = (typeof languages)[number]

/** The help of all commands: a part that is loaded where help is asked for. */
export type HelpWords = typeof import("./en/help.js").help

/** The words of one command's help. Options that it does not name have the words that all share. */
export interface CommandWords {
  readonly summary: string
  /** Paragraphs, each in one line. */
  readonly description?: readonly string[]
  readonly operand?: string
  readonly options?: Readonly<Record<string, string>>
}
