import type { Alert } from "./alerts.js"
import { shownReason } from "./words.js"

export interface AlertWords {
  readonly severity: "danger" | "warning" | "quiet"
  readonly headline: string
  /** Why, and the one thing to do. */
  readonly text: string
}

/** `title`: of the conversation that it is about, where there is one still. */
export function alertWords({ code, reason, count }: Alert, title: string | undefined): AlertWords {
  const where = title ?? "a conversation"
  const why = shownReason(reason)
  const many = count > 1
  switch (code) {
    case "LATER_EPOCH":
      return {
        severity: "danger",
        headline: `You may not be shown all of ${where}.`,
        text: `Another member is further than the service lets this device get: ${why}. Ask a member, by voice or in person, to remove you and to invite you again.`,
      }
    case "CANNOT_REJOIN":
      return {
        severity: "danger",
        headline: `This device cannot follow ${where}.`,
        text: `It waits for a way back (${why}). Ask a member who can still write there to renew their keys.`,
      }
    case "TOO_MANY_INVITATIONS":
      return {
        severity: "quiet",
        headline: many ? `${count} invitations were declined unseen.` : "An invitation was declined unseen.",
        text: `${why}. Answer those that wait, if you want to get more.`,
      }
    case "UNAVAILABLE":
      return {
        severity: "warning",
        headline: "The service refuses what it used to do.",
        text: `${why}. Nothing is given up: it is asked again. If it lasts, tell whoever runs the service.`,
      }
    default:
      return {
        severity: "quiet",
        headline: many
          ? `${count} times, something was refused and passed over.`
          : "Something was refused and passed over.",
        text: `${many ? "The first: " : ""}${why}. If you expect an invitation, ask for it again.`,
      }
  }
}
