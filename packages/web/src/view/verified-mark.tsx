import type { Comparison } from "@conclave/headless/browser"
import { words } from "../words/words.js"
import { AlertIcon, ShieldIcon } from "./icons.js"

/** Beside a name: that they are verified, or were. */
export function VerifiedMark({ comparison }: { readonly comparison: Comparison }) {
  if (comparison === "none") return null
  return comparison === "compared" ? (
    <span class="compared">
      <ShieldIcon /> {words().trust.verified}
    </span>
  ) : (
    <span class="compared is-changed">
      <AlertIcon /> {words().trust.changed}
    </span>
  )
}
