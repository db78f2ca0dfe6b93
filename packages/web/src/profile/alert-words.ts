import { eventWords, type ToldEvent } from "@conclave/client/browser"
import type { ShownAlert } from "@conclave/headless/browser"
import { pageReader, paragraph } from "./reader.js"
import { type People, sentence, shownReason } from "./words.js"

export interface AlertWords {
  readonly severity: "danger" | "warning" | "quiet"
  /** What happened. */
  readonly headline: string
  /** What it means, and what to do. */
  readonly text: string
  /** What the client or the service says of it, in their terms; empty where it says nothing more. */
  readonly detail: string
}

/** What the buttons of alerts say. */
export const alertButtons = {
  open: "Open the conversation",
  restart: "Go on in a new group",
  compare: "Compare safety codes",
  devices: "Look at your devices",
  evidence: "Save the evidence",
  seen: "I have seen it",
  detail: "Details",
}

/** Above everything: what concerns the service as a whole. */
export const bannerWords = {
  alerts: "Alerts",
  outdated: "An update is needed.",
  outdatedText:
    "The service speaks newer versions only: nothing is sent or read until you reload this page. What you have stays.",
  reload: "Reload",
  busy: (time: string) => `The service is busy until ${time}. What you write is kept, and goes out by itself.`,
  report: { ready: "Copy a report", copied: "Report copied", refused: "The browser does not let it be copied" },
}

/** Where a conversation cannot go on as it is. */
export const restartWords = {
  title: "Go on in a new group",
  stopped: (by: string) => `${by} has locked the others out: nobody can write here any more.`,
  aMember: "A member",
  missing:
    "The service does not show this conversation as it should. This device keeps it and asks again; if it does not come back, go on in a new group.",
  lost: "This device lost its place here. It waits for a member’s device to let it back in; if none does, go on in a new group.",
  whatItIs:
    "A new group has the same title and members. Each of them is asked, what you have read stays, and what waits to be sent is sent there.",
  without: (by: string) => `Go on without ${by}`,
  withAll: "Go on with everybody",
  making: "Making the new group…",
}

/** The one thing to do about an alert, which stands out; the rest is quiet. */
export type AlertStep = "open" | "restart" | "compare" | "devices" | "evidence" | "report" | "seen"

export function stepOf({ event, conversation }: Pick<ShownAlert, "event" | "conversation">): AlertStep {
  switch (event.type) {
    case "contradicted":
      if (event.evidence.length > 0) return "evidence"
      return event.accused === "member" ? "compare" : "report"
    case "stopped":
      return "restart"
    case "deviceRevoked":
      return "devices"
    case "unavailable":
      return "report"
    case "rejected":
      if (event.code === "FALSE_HEAD" || event.code === "FALSE_ANSWER") return "compare"
      return conversation === undefined ? "seen" : "open"
    case "copied":
      return "open"
    default:
      return "seen"
  }
}

/** `title`: of the conversation that it is about, where there is one still. */
export function alertWords(
  { event, severity, conversation }: Pick<ShownAlert, "event" | "severity" | "conversation">,
  title: string | undefined,
  people: People,
): AlertWords {
  const reader = pageReader(people, conversation === undefined ? undefined : (title ?? "a conversation"))
  const { told, reason } = withoutReason(event)
  const [headline = "", ...rest] = eventWords(told, reader)
  return {
    severity: banners[severity],
    headline: paragraph([headline]),
    text: paragraph(rest),
    detail: reason === "" ? "" : sentence(shownReason(reason)),
  }
}

/** Its terms are not a person's, but for what the service says of why it refuses. */
function withoutReason(event: ToldEvent): { readonly told: ToldEvent; readonly reason: string } {
  if (!("reason" in event) || event.type === "unavailable" || event.type === "declined")
    return { told: event, reason: "" }
  return { told: { ...event, reason: "" }, reason: event.reason }
}

const banners = { alarm: "danger", warning: "warning", notice: "quiet", quiet: "quiet" } as const
