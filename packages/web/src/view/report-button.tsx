import type { Client } from "@conclave/client/browser"
import { useState } from "preact/hooks"

const words = { ready: "Copy a report", copied: "Report copied", refused: "The browser does not let it be copied" }

/** Copies what a report of a fault needs; nothing in it identifies people. */
export function ReportButton({ client }: { readonly client: Client }) {
  const [state, setState] = useState<keyof typeof words>("ready")
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(await client.debugReport())
      setState("copied")
    } catch {
      setState("refused")
    }
  }
  return (
    <button type="button" class="button" onClick={() => void copy()}>
      {words[state]}
    </button>
  )
}
