import type { Content } from "@conclave/client/browser"
import { words } from "../words/words.js"

/** A message's text, or a few words about what is not text. */
export function textOf({ text, bytes }: Content): string {
  return text ?? `[${words().messages.bytes(bytes?.length ?? 0)}]`
}
