import { refusalIn, type ToldEvent } from "@conclave/client/browser"
import type { ShownAlert } from "@conclave/headless/browser"
import { sentence } from "../words/sentence.js"
import { language, words } from "../words/words.js"
import { pageReader, paragraph } from "./reader.js"
import { type People, shownReason } from "./words.js"

export interface AlertWords {
  readonly severity: "danger" | "warning" | "quiet"
  /** What happened. */
  readonly headline: string
  /** What it means, and what to do. */
  readonly text: string
  /** What the client or the service says of it, in their terms; empty where it says nothing more. */
  readonly detail: string
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
    case "returned":
      return "devices"
    case "recoveryKey":
      // One that is refused may be anybody's.
      return event.change === "refused" ? "seen" : "devices"
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
  const reader = pageReader(
    people,
    conversation === undefined ? undefined : (title ?? words().alertButtons.aConversation),
  )
  const { told, reason } = withoutReason(event)
  const [headline = "", ...rest] = words().event(told, reader)
  return {
    severity: banners[severity],
    headline: paragraph([headline]),
    text: paragraph(rest),
    detail: reason === "" ? "" : sentence(shownReason(reason)),
  }
}

/** Its terms are not a person's, but for what the service says of why it refuses; that is in English where it has no code. */
function withoutReason(event: ToldEvent): { readonly told: ToldEvent; readonly reason: string } {
  if (!("reason" in event) || event.type === "declined") return { told: event, reason: "" }
  const isSaid = language() === "en" || refusalIn(event.reason) !== undefined
  if (event.type === "unavailable" && isSaid) return { told: event, reason: "" }
  return { told: { ...event, reason: "" }, reason: event.reason }
}

const banners = { alarm: "danger", warning: "warning", notice: "quiet", quiet: "quiet" } as const
