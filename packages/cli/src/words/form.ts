/** What commands say, in one language. English has the form: another language has the same keys, and no others. */
export type Words = typeof import("./en/main.js").main

/** The languages that the command line has, as subtags of BCP 47. */
export const languages = ["de", "en"] as const
export type Language = (typeof languages)[number]
