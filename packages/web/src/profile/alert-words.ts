import { eventWords } from "@conclave/client/browser"
import type { ShownAlert } from "@conclave/headless/browser"
import { pageReader, paragraph } from "./reader.js"
import type { People } from "./words.js"

export interface AlertWords {
  readonly severity: "danger" | "warning" | "quiet"
  readonly headline: string
  /** Why, and the one thing to do. */
  readonly text: string
}

/** `title`: of the conversation that it is about, where there is one still. */
export function alertWords(
  { event, severity, conversation }: Pick<ShownAlert, "event" | "severity" | "conversation">,
  title: string | undefined,
  people: People,
): AlertWords {
  const reader = pageReader(people, conversation === undefined ? undefined : (title ?? "a conversation"))
  const [headline = "", ...rest] = eventWords(event, reader)
  return { severity: banners[severity], headline: paragraph([headline]), text: paragraph(rest) }
}

const banners = { alarm: "danger", warning: "warning", notice: "quiet", quiet: "quiet" } as const
