import { isName } from "@conclave/contracts/names"
import type { Credential } from "@conclave/mls"

/** The name in a basic credential (RFC 9420 §5.3), or `undefined` for anything that is none. */
export function nameOf(credential: Credential): string | undefined {
  if (credential.type !== "basic") return undefined
  try {
    const name = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(credential.identity)
    return isName(name) ? name : undefined
  } catch {
    return undefined
  }
}
