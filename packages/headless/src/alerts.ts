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
    case ERASED:
      return { type: "erased", name: reason }
    case REVOKED:
      return { type: "deviceRevoked", name: reason, signatureKey: new Uint8Array(), by }
    case RETURNED:
      return { type: "returned", name: reason, signatureKey: new Uint8Array() }
    case RECOVERY_MADE:
    case RECOVERY_REPLACED:
    case RECOVERY_REFUSED:
      return { type: "recoveryKey", name: reason, change: recoveryChanges[code] }
    default:
      return { type: "rejected", code, reason, count }
  }
}

const UNAVAILABLE = "UNAVAILABLE"
const COPIED = "COPIED"
const STOPPED = "STOPPED"
const ERASED = "ERASED"
const REVOKED = "REVOKED"
const RETURNED = "RETURNED"
const RECOVERY_MADE = "RECOVERY_MADE"
const RECOVERY_REPLACED = "RECOVERY_REPLACED"
const RECOVERY_REFUSED = "RECOVERY_REFUSED"
const recoveryChanges = {
  [RECOVERY_MADE]: "made",
  [RECOVERY_REPLACED]: "replaced",
  [RECOVERY_REFUSED]: "refused",
} as const
const recoveryCodes = { made: RECOVERY_MADE, replaced: RECOVERY_REPLACED, refused: RECOVERY_REFUSED } as const
const CONTRADICTED = "CONTRADICTED"
const RESTORED = "RESTORED"
const REPLACED = "REPLACED"

/** One for each code and conversation. */
export function alertId({ code, conversation }: Pick<Alert, "code" | "conversation">): string {
  return `${code} ${conversation ?? ""}`
}

/**
 * The alerts after an event, in the order of their numbers: the same again is counted, what has been resolved goes. `own`: the
 * name of the user.
 */
export function followAlerts(alerts: readonly Alert[], event: ClientEvent, own: string): readonly Alert[] {
  const conversation = event.conversation?.id
  switch (event.type) {
    case "rejected":
      return conversation === undefined || isAlarm(event) ? added(alerts, { ...event, conversation }) : alerts
    case "unavailable":
      return conversation === undefined
        ? added(alerts, { ...event, conversation, code: UNAVAILABLE, count: 1 })
        : alerts
    case "copied":
      return added(alerts, { ...event, conversation, code: COPIED, count: 1 })
    case "stopped":
      return added(alerts, { ...event, conversation, code: STOPPED, count: 1 })
    case "erased":
      return added(alerts, { ...event, conversation, code: ERASED, reason: event.name, count: 1 })
    case "deviceRevoked":
      // Of others it is no alarm, and where it is taken out of a conversation, a line there.
      return conversation === undefined && event.name === own
        ? added(alerts, { ...event, conversation, code: REVOKED, reason: event.name, count: 1 })
        : alerts
    case "returned":
      // Of others it is a line where it is told.
      return event.name === own
        ? added(alerts, { ...event, conversation: undefined, code: RETURNED, reason: event.name, count: 1 })
        : alerts
    case "recoveryKey":
      return added(alerts, { ...event, conversation, code: recoveryCodes[event.change], reason: event.name, count: 1 })
    case "contradicted":
      return added(alerts, { ...event, conversation, code: CONTRADICTED, count: 1 })
    case "service":
      return added(alerts, {
        ...event,
        conversation,
        code: event.change === "restored" ? RESTORED : REPLACED,
        count: 1,
      })
    case "joined":
    case "recovered":
    case "lost":
    case "left":
      return alerts.filter((alert) => alert.conversation !== conversation)
    default:
      return alerts
  }
}

/** A refusal in a conversation that asks for more than a line between the messages. */
function isAlarm(event: ToldEvent): boolean {
  return eventSeverity(event, { name: "", conversation: "" }) === "alarm"
}

function added(alerts: readonly Alert[], alert: Alert): readonly Alert[] {
  const { number, conversation, code, reason, count, by, accused, evidence } = alert
  const before = alerts.find((it) => it.conversation === conversation && it.code === code)
  const together = { reason: before?.reason ?? reason, count: (before?.count ?? 0) + count }
  // What can be proved is what is said, whoever else contradicts.
  const shown = isProven(before) && !isProven(alert) ? before : { by, accused, evidence }
  const next: Alert = {
    ...{ number, conversation, code, ...together },
    ...(shown?.by !== undefined && { by: shown.by }),
    ...(shown?.accused !== undefined && { accused: shown.accused }),
    ...(shown?.evidence !== undefined && { evidence: shown.evidence }),
  }
  return [...alerts.filter((it) => it !== before), next].slice(-ALERTS_MAX)
}

const isProven = (alert: Alert | undefined) => (alert?.evidence?.length ?? 0) > 0
