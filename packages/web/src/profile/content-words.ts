import { type Content, contentWords } from "@conclave/client/browser"

/** A message's text, or a few words about what is not text. */
export function textOf(content: Content): string {
  return content.text ?? `[${contentWords(content)}]`
}
