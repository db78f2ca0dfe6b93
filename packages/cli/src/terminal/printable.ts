/**
 * Text that others wrote, for a terminal: without anything that would move the cursor, change colours or the window's
 * title, or turn the direction of writing, by which a message could pass for something else.
 */
export function printable(text: string): string {
  return text
    .replace(/\r\n?/g, "\n")
    .replace(/\p{Cc}/gu, (character) => (character === "\n" || character === "\t" ? character : pictureOf(character)))
    .replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/g, REPLACEMENT)
}

/** For a place that has one line. */
export const printableLine = (text: string): string => printable(text).replace(/[\n\t]+/g, " ")

const REPLACEMENT = "\ufffd"
const DELETE = 0x7f

/** U+2400 and what follows are pictures of the control characters below U+0020. */
function pictureOf(character: string): string {
  const code = character.charCodeAt(0)
  if (code === DELETE) return "\u2421"
  return code < 0x20 ? String.fromCharCode(0x2400 + code) : REPLACEMENT
}
