/** All words of the page's own script in one language. English has the form: another language has the same keys, and no others. */
export type Words = typeof import("./en/main.js").main
/** All words of the views that are parts of the page. */
export type PartWords = typeof import("./en/parts.js").parts

/** The languages that the page has, as subtags of BCP 47. */
export const languages = ["en", "de"] as const
export type Language = (typeof languages)[number]
