const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" })
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" })
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" })

export function clockTime(at: Date): string {
  return clock.format(at)
}

/** The time of today, the date of any other day. */
export function shortTime(at: Date): string {
  return isSameDay(at, new Date()) ? clock.format(at) : date.format(at)
}

export function dayName(at: Date): string {
  const now = new Date()
  if (isSameDay(at, now)) return "Today"
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1)
  return isSameDay(at, yesterday) ? "Yesterday" : day.format(at)
}

export function isSameDay(a: Date, b: Date): boolean {
  return a.toDateString() === b.toDateString()
}
