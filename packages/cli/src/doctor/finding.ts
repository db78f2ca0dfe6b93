import { explain } from "../failure.js"
import type { Words } from "../words/form.js"

/** `note`: it works without. */
export interface Finding {
  readonly verdict: "good" | "note" | "bad"
  readonly text: string
  /** A command that would change it. */
  readonly remedy?: string | undefined
}

/** `said`: in whose words. */
export type Check = (said: Words) => readonly Finding[] | Promise<readonly Finding[]>

/** What a check finds; that it fails is a finding too. */
export async function attempt(subject: string, check: Check, said: Words): Promise<readonly Finding[]> {
  try {
    return await check(said)
  } catch (error) {
    return [{ verdict: "bad", text: said.machine.checkFailed(subject, explain(error, said).reason) }]
  }
}
