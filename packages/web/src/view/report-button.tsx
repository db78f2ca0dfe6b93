import type { Client } from "@conclave/client/browser"
import { useState } from "preact/hooks"
import type { Words } from "../words/form.js"
import { words } from "../words/words.js"

/** Copies what a report of a fault needs; nothing in it identifies people. */
export function ReportButton({ client }: { readonly client: Client }) {
  const [state, setState] = useState<keyof Words["banner"]["report"]>("ready")
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
      {words().banner.report[state]}
    </button>
  )
}
