const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" })
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" })
const dayOfYear = new Intl.DateTimeFormat(undefined, {
  weekday: "long",
  day: "numeric",
  month: "long",
  year: "numeric",
})
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" })
const dateOfYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" })

export function clockTime(at: Date): string {
  return clock.format(at)
}

/** The time of today, the date of any other day, with the year where it is another one. */
export function shortTime(at: Date, now = new Date()): string {
  if (isSameDay(at, now)) return clock.format(at)
  return (at.getFullYear() === now.getFullYear() ? date : dateOfYear).format(at)
}

export function dayName(at: Date, now = new Date()): string {
  if (isSameDay(at, now)) return "Today"
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1)
  if (isSameDay(at, yesterday)) return "Yesterday"
  return (at.getFullYear() === now.getFullYear() ? day : dayOfYear).format(at)
}

export function isSameDay(a: Date, b: Date): boolean {
  return a.toDateString() === b.toDateString()
}
