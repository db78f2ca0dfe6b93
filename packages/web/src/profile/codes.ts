/** What a code is of: of two people in a conversation, or of one key of a name. */
export type CodeKind = "SAFETY" | "DEVICE"

export type Compared = "match" | "mismatch" | "notACode" | "wrongLength"

/** What the QR code of some digits says: `code` has them in groups, with spaces in between. */
export function scannableText(kind: CodeKind, code: string): string {
  return `${headOf(kind)}${digitsOf(code)}`
}

/** What was scanned, typed or pasted, beside the code that it has to be. */
export function compareCode(
  given: string,
  { kind, code }: { readonly kind: CodeKind; readonly code: string },
): Compared {
  const text = given.trim().toUpperCase()
  const digits = digitsOf(text.startsWith(headOf(kind)) ? text.slice(headOf(kind).length) : text)
  if (!/^\d+$/.test(digits)) return "notACode"
  const own = digitsOf(code)
  if (digits.length !== own.length) return "wrongLength"
  return digits === own ? "match" : "mismatch"
}

const headOf = (kind: CodeKind) => `CONCLAVE:${kind}:1:`
const digitsOf = (text: string) => text.replace(/[\s-]/gu, "")
