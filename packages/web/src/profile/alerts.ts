import { type ClientEvent, eventSeverity, type ToldEvent } from "@conclave/client/browser"

/** Something that asks for attention, whatever conversation is in front, until the user has seen it. */
export interface Alert {
  /** Of the latest event that it tells of. */
  readonly number: number
  readonly conversation: string | undefined
  readonly code: string
  /** Of the first event, where there were several. */
  readonly reason: string
  /** How many events, each counted as often as it says. */
  readonly count: number
  /** Who did it, where that is known. */
  readonly by?: string
}

/** Each conversation and code has one at most; what is beyond goes, the oldest first. */
const ALERTS_MAX = 50

/** What an alert tells, as one event. */
export function eventOf({ code, reason, count, by = "" }: Alert): ToldEvent {
  switch (code) {
    case UNAVAILABLE:
      return { type: "unavailable", reason }
    case COPIED:
      return { type: "copied", reason }
    case STOPPED:
      return { type: "stopped", by, reason }
    default:
      return { type: "rejected", code, reason, count }
  }
}

const UNAVAILABLE = "UNAVAILABLE"
const COPIED = "COPIED"
const STOPPED = "STOPPED"

/** Brings `alerts` up to date with an event: the same again is counted, what has been resolved goes. */
export function followAlerts(alerts: Alert[], event: ClientEvent): void {
  const conversation = event.conversation?.id
  switch (event.type) {
    case "rejected":
      if (conversation === undefined || isAlarm(event)) add(alerts, { ...event, conversation })
      return
    case "unavailable":
      if (conversation === undefined) add(alerts, { ...event, conversation, code: UNAVAILABLE, count: 1 })
      return
    case "copied":
      add(alerts, { ...event, conversation, code: COPIED, count: 1 })
      return
    case "stopped":
      add(alerts, { ...event, conversation, code: STOPPED, count: 1 })
      return
    case "joined":
    case "recovered":
    case "lost":
    case "left":
      forget(alerts, (alert) => alert.conversation === conversation)
  }
}

/** A refusal in a conversation that asks for more than a line between the messages. */
function isAlarm(event: ToldEvent): boolean {
  return eventSeverity(event, { name: "", conversation: "" }) === "alarm"
}

function add(alerts: Alert[], { number, conversation, code, reason, count, by }: Alert): void {
  const before = alerts.find((it) => it.conversation === conversation && it.code === code)
  forget(alerts, (it) => it === before)
  const together = { reason: before?.reason ?? reason, count: (before?.count ?? 0) + count }
  alerts.push({ number, conversation, code, ...together, ...(by !== undefined && { by }) })
  if (alerts.length > ALERTS_MAX) alerts.shift()
}

function forget(alerts: Alert[], isOver: (alert: Alert) => boolean): void {
  for (let at = alerts.length - 1; at >= 0; at--) if (isOver(alerts[at]!)) alerts.splice(at, 1)
}
