import { explain } from "../failure.js"

/** `note`: it works without. */
export interface Finding {
  readonly verdict: "good" | "note" | "bad"
  readonly text: string
  /** A command that would change it. */
  readonly remedy?: string | undefined
}

export type Check = () => readonly Finding[] | Promise<readonly Finding[]>

/** What a check finds; that it fails is a finding too. */
export async function attempt(subject: string, check: Check): Promise<readonly Finding[]> {
  try {
    return await check()
  } catch (error) {
    return [{ verdict: "bad", text: `The check of ${subject} failed: ${explain(error).reason}.` }]
  }
}
