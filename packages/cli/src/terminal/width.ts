import stringWidth from "string-width"

/** Columns of a terminal that a text takes; colours take none. See docs/decisions/022-terminal-widths.md. */
export const widthOf = (text: string): number => stringWidth(text)

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" })

/** What a reader takes for one character: a letter with its marks, an emoji with what is joined to it. */
export const graphemesOf = (text: string): string[] => [...segmenter.segment(text)].map(({ segment }) => segment)

/** The text, or its beginning and `…` where it is wider than that many columns. */
export function fitted(text: string, width: number, ellipsis = "…"): string {
  if (widthOf(text) <= width) return text
  let shown = ""
  let columns = widthOf(ellipsis)
  for (const grapheme of graphemesOf(text)) {
    columns += widthOf(grapheme)
    if (columns > width) break
    shown += grapheme
  }
  return shown + ellipsis
}
