import { locale, words } from "../words/words.js"

const FORMS = {
  clock: { hour: "2-digit", minute: "2-digit" },
  day: { weekday: "long", day: "numeric", month: "long" },
  dayOfYear: { weekday: "long", day: "numeric", month: "long", year: "numeric" },
  date: { day: "numeric", month: "short" },
  dateOfYear: { day: "numeric", month: "short", year: "numeric" },
} satisfies Readonly<Record<string, Intl.DateTimeFormatOptions>>

/** Of the language in use: making one takes a hundred times as long as using it. */
let formats = { locale: "", made: new Map<keyof typeof FORMS, Intl.DateTimeFormat>() }

function format(form: keyof typeof FORMS, at: Date): string {
  const wanted = locale()
  if (formats.locale !== wanted) formats = { locale: wanted, made: new Map() }
  const made = formats.made.get(form) ?? new Intl.DateTimeFormat(wanted, FORMS[form])
  formats.made.set(form, made)
  return made.format(at)
}

export function clockTime(at: Date): string {
  return format("clock", at)
}

/** The time of today, the date of any other day, with the year where it is another one. */
export function shortTime(at: Date, now = new Date()): string {
  if (isSameDay(at, now)) return clockTime(at)
  return format(at.getFullYear() === now.getFullYear() ? "date" : "dateOfYear", at)
}

export function dayName(at: Date, now = new Date()): string {
  if (isSameDay(at, now)) return words().messages.today
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1)
  if (isSameDay(at, yesterday)) return words().messages.yesterday
  return format(at.getFullYear() === now.getFullYear() ? "day" : "dayOfYear", at)
}

export function isSameDay(a: Date, b: Date): boolean {
  return a.toDateString() === b.toDateString()
}
