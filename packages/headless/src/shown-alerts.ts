import { type ConversationStatus, eventSeverity, type Severity, type ToldEvent } from "@conclave/client"
import { type Alert, alertId, eventOf } from "./alerts.js"
import { keyAlertId } from "./key-alerts.js"
import { bytesOf, type KeyAlert } from "./records.js"

/** What a person can do about an alert. */
export type AlertAction =
  /** Go to the conversation. */
  | { readonly type: "open"; readonly conversation: string }
  /** Go on in a new group, without `without` where that is somebody: `Headless.restart`. */
  | { readonly type: "restart"; readonly conversation: string; readonly without: string | undefined }
  /** Take the key as that person's, after comparing: `Headless.approveKey`. */
  | { readonly type: "approveKey" }
  /** Not now: `Headless.refuseKey`. */
  | { readonly type: "refuseKey" }
  /** Keep the proof as a file, see `verifyEvidence`. */
  | { readonly type: "saveEvidence"; readonly evidence: Uint8Array }
  /** Load a newer version of this program. */
  | { readonly type: "update" }
  /** Copy `Client.debugReport`. */
  | { readonly type: "report" }
  /** It has been seen: `Headless.dismiss`. */
  | { readonly type: "dismiss" }

/** Something that asks for attention, whatever conversation is in front, until the user has dealt with it. */
export interface ShownAlert {
  readonly id: string
  /** Of a refusal its code; `UPDATE`, `KEY_CHANGED`, `CONTRADICTED`, `COPIED`, `STOPPED`, `RESTORED`, `REPLACED`, `UNAVAILABLE`. */
  readonly code: string
  readonly conversation: string | undefined
  readonly severity: Severity
  /** Of several that say the same, one that tells of all: `eventWords` has words for it. */
  readonly event: ToldEvent
  readonly actions: readonly AlertAction[]
}

/** Who is looking, and whether they are in a conversation still. */
export interface AlertView {
  readonly name: string
  statusOf(conversation: string): ConversationStatus | undefined
  isMember(conversation: string, name: string): boolean
}

export function shownAlert(alert: Alert, view: AlertView): ShownAlert {
  const { code, conversation, evidence } = alert
  const event = eventOf(alert)
  const status = conversation === undefined ? undefined : view.statusOf(conversation)
  return {
    ...{ id: alertId(alert), code, conversation, event },
    severity: eventSeverity(event, { name: view.name, conversation }),
    actions: [
      ...(conversation !== undefined && status === "stopped" ? [restartOf(alert, conversation, view)] : []),
      ...(conversation !== undefined && status !== undefined ? [{ type: "open", conversation } as const] : []),
      ...(evidence !== undefined && evidence.length > 0 ? [{ type: "saveEvidence", evidence } as const] : []),
      { type: "report" },
      { type: "dismiss" },
    ],
  }
}

function restartOf({ by = "" }: Alert, conversation: string, view: AlertView): AlertAction {
  const canLeaveOut = by !== view.name && view.isMember(conversation, by)
  return { type: "restart", conversation, without: canLeaveOut ? by : undefined }
}

export function shownKeyAlert(alert: KeyAlert, view: AlertView): ShownAlert {
  const { name, endorsed, accepted, conversation } = alert
  const event = { type: "keyChanged", name, endorsed, accepted, signatureKey: bytesOf(alert.signatureKey) } as const
  return {
    ...{ id: keyAlertId(alert), code: "KEY_CHANGED", conversation, event },
    severity: eventSeverity(event, { name: view.name, conversation }),
    // The answer that is safe comes first.
    actions: accepted ? [{ type: "dismiss" }] : [{ type: "refuseKey" }, { type: "approveKey" }],
  }
}

/** The service speaks newer versions only: it stays until the program has been updated. */
export function outdatedAlert(event: Extract<ToldEvent, { type: "update" }>): ShownAlert {
  const severity = eventSeverity(event, { name: "", conversation: undefined })
  return {
    ...{ id: "UPDATE ", code: "UPDATE", conversation: undefined, event, severity },
    actions: [{ type: "report" }, { type: "update" }],
  }
}
