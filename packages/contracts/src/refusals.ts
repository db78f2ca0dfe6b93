/**
 * Refusals of the services about which a person can do something. The contracts carry a reason as text, which clients of every version
 * show as it is; these texts stay the same, so that a client can know them, and say them in another language. Pure functions without
 * dependencies.
 */

/**
 * `suspended`: the operator has suspended the name, for the reason in {@link Refusal.detail} · `clock`: what was signed is dated ahead
 * of the service's clock · `devices`: the name has as many devices as it may have, {@link Refusal.detail} · `devicesToday`: it gets no
 * other device today · `outdated`: the client is too old for the service.
 */
export type RefusalCode = "suspended" | "clock" | "devices" | "devicesToday" | "outdated"

export interface Refusal {
  readonly code: RefusalCode
  /** The service's own words or number; may be empty. */
  readonly detail: string
}

interface Form {
  readonly before: string
  /** Absent where the detail goes on to the end of the text. */
  readonly after?: string
}

const forms: Readonly<Record<RefusalCode, Form>> = {
  suspended: { before: "the operator has suspended this name: " },
  clock: { before: "at: it is in the future", after: "" },
  devices: { before: "name: it has ", after: " devices already" },
  devicesToday: { before: "name: it has had many devices, and gets one more a day", after: "" },
  outdated: { before: "this client is too old for the service: update it", after: "" },
}

/** The text of a refusal, as a service answers it. */
export function refusalText(code: RefusalCode, detail: string | number = ""): string {
  const { before, after = "" } = forms[code]
  return `${before}${detail}${after}`
}

/** The refusal that a text says, which may stand in a sentence of the client; `undefined` for any other text. */
export function refusalIn(text: string): Refusal | undefined {
  for (const [code, { before, after }] of Object.entries(forms) as [RefusalCode, Form][]) {
    const from = text.indexOf(before)
    if (from === -1) continue
    const rest = text.slice(from + before.length)
    const end = after === undefined ? rest.length : rest.indexOf(after)
    if (end !== -1) return { code, detail: rest.slice(0, end) }
  }
  return undefined
}
