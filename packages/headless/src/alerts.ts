import { type ClientEvent, eventSeverity, type ToldEvent } from "@conclave/client"

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
  /** Of two histories, whoever is said to be wrong. */
  readonly accused?: "service" | "member"
  /** What proves it to anybody, where it can be proved. */
  readonly evidence?: Uint8Array
}

/** Each conversation and code has one at most; what is beyond goes, the oldest first. */
const ALERTS_MAX = 50

/** What an alert tells, as one event. */
export function eventOf({ code, reason, count, by = "", accused = "service", evidence }: Alert): ToldEvent {
  switch (code) {
    case CONTRADICTED:
      return { type: "contradicted", by, accused, reason, evidence: evidence ?? new Uint8Array() }
    case RESTORED:
      return { type: "service", change: "restored", reason }
    case REPLACED:
      return { type: "service", change: "replaced", reason }
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
const CONTRADICTED = "CONTRADICTED"
const RESTORED = "RESTORED"
const REPLACED = "REPLACED"

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
    case "contradicted":
      add(alerts, { ...event, conversation, code: CONTRADICTED, count: 1 })
      return
    case "service":
      add(alerts, { ...event, conversation, code: event.change === "restored" ? RESTORED : REPLACED, count: 1 })
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

function add(alerts: Alert[], alert: Alert): void {
  const { number, conversation, code, reason, count, by, accused, evidence } = alert
  const before = alerts.find((it) => it.conversation === conversation && it.code === code)
  forget(alerts, (it) => it === before)
  const together = { reason: before?.reason ?? reason, count: (before?.count ?? 0) + count }
  // What can be proved is what is said, whoever else contradicts.
  const shown = isProven(before) && !isProven(alert) ? before : { by, accused, evidence }
  alerts.push({
    ...{ number, conversation, code, ...together },
    ...(shown?.by !== undefined && { by: shown.by }),
    ...(shown?.accused !== undefined && { accused: shown.accused }),
    ...(shown?.evidence !== undefined && { evidence: shown.evidence }),
  })
  if (alerts.length > ALERTS_MAX) alerts.shift()
}

const isProven = (alert: Alert | undefined) => (alert?.evidence?.length ?? 0) > 0

function forget(alerts: Alert[], isOver: (alert: Alert) => boolean): void {
  for (let at = alerts.length - 1; at >= 0; at--) if (isOver(alerts[at]!)) alerts.splice(at, 1)
}
