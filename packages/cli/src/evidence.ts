import { createHash } from "node:crypto"
import { writeFileSync } from "node:fs"
import type { ClientEvent } from "@conclave/client/node"
import { getSystemErrorMessage } from "./system-errors.js"
import { words } from "./words/words.js"

/**
 * Keeps the evidence of an event in a file beside the profile, for its owner alone. Returns what to tell of it; `undefined` where there
 * is none. The name follows from the bytes: an event that is seen again makes no other file.
 */
export function keepEvidence(event: ClientEvent, profile: string): string | undefined {
  if (event.type !== "contradicted" || event.evidence.length === 0) return undefined
  const name = createHash("sha256").update(event.evidence).digest("hex").slice(0, 12)
  const file = `${profile}.evidence-${name}`
  try {
    writeFileSync(file, event.evidence, { mode: 0o600 })
  } catch (error) {
    return words().messages.evidenceNotKept(getSystemErrorMessage(error as Error) ?? file)
  }
  return words().messages.evidenceKept(JSON.stringify(file))
}
