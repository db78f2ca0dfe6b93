import { styleText } from "node:util"

/** Colours where somebody sees them, and plain text everywhere else. */
export interface Style {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly cyan: (text: string) => string
}

/** No colours for what is not a terminal or a dumb one, and for those who want none: https://no-color.org. */
export function styleFor(isTerminal: boolean, environment: NodeJS.ProcessEnv): Style {
  const isColoured = isTerminal && !environment.NO_COLOR && environment.TERM !== "dumb"
  const style = (format: "bold" | "dim" | "red" | "green" | "yellow" | "cyan") => (text: string) =>
    isColoured ? styleText(format, text, { validateStream: false }) : text
  return {
    bold: style("bold"),
    dim: style("dim"),
    red: style("red"),
    green: style("green"),
    yellow: style("yellow"),
    cyan: style("cyan"),
  }
}

/** The marks that drawings and lists are made of. */
export interface Glyphs {
  readonly good: string
  readonly bad: string
  readonly note: string
  readonly filled: string
  readonly blank: string
  readonly renewed: string
  readonly upper: string
  readonly lower: string
  readonly vertical: string
  readonly rule: string
  /** Stands for the end of a line within a line. */
  readonly newline: string
  readonly ellipsis: string
  readonly isAscii: boolean
}

const unicode: Glyphs = {
  good: "✓",
  bad: "✗",
  note: "–",
  filled: "●",
  blank: "○",
  renewed: "◆",
  upper: "┌── ",
  lower: "└── ",
  vertical: "│   ",
  rule: "─",
  newline: "↵",
  ellipsis: "…",
  isAscii: false,
}

const ascii: Glyphs = {
  good: "+",
  bad: "x",
  note: "-",
  filled: "*",
  blank: "o",
  renewed: "#",
  upper: ",-- ",
  lower: "`-- ",
  vertical: "|   ",
  rule: "-",
  newline: "\\n",
  ellipsis: "...",
  isAscii: true,
}

/** Plain ASCII where the terminal or the locale does not promise more. */
export function glyphsFor(environment: NodeJS.ProcessEnv, platform: NodeJS.Platform): Glyphs {
  if (environment.TERM === "dumb" || environment.TERM === "linux") return ascii
  if (platform === "win32" || platform === "darwin") return unicode
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || ""
  // Without any locale, as in most containers, output is read as UTF-8 nowadays.
  return locale === "" || /utf-?8/i.test(locale) ? unicode : ascii
}
