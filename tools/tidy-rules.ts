import { withoutComments } from "./imports.js"

/** Something that must not stand in a file, and where. */
export interface TidyRule {
  readonly name: string
  readonly pattern: RegExp
  /** Which files it is about. */
  readonly files: (path: string) => boolean
  /** Whether comments are left out. */
  readonly codeOnly?: boolean
}

const isSource = (path: string) => /\.(ts|tsx|css|html)$/.test(path)
const isText = (path: string) => isSource(path) || /\.(md|json|txt|ya?ml)$/.test(path) || !/\.\w+$/.test(path)
const isTest = (path: string) => /(^|\/)test(ing)?\//.test(path) || /\.test\.tsx?$/.test(path)
const isLibrary = (path: string) =>
  /^packages\/(codec|crypto|mls|identity|contracts|transport|fast-open|trace|delivery|auth|sqlite|server|client|headless)\/src\//.test(
    path,
  )
const isCore = (path: string) => /^packages\/(codec|crypto|mls)\/src\//.test(path)

/** A pattern that does not find itself: `parts` joined. */
const pattern = (flags: string, ...parts: readonly string[]) => new RegExp(parts.join(""), flags)

export const tidyRules: readonly TidyRule[] = [
  {
    // The home of `u` is nobody's.
    name: "a path of one machine",
    pattern: pattern("", "(?<![\\w.])/(?:", "wo", "rk|home|Users|root|tmp", ')/(?!u/|u")[\\w.]'),
    files: isText,
  },
  {
    name: "the host of a package registry",
    pattern: pattern("i", "registry\\.", "npmjs|registry\\.", "yarnpkg|npm\\.", "pkg\\.github"),
    files: isText,
  },
  {
    name: "work that is left undone",
    pattern: pattern("", "\\b(?:TO", "DO|FIX", "ME|XX", "X)\\b|\\bstu", "b\\b|not (?:yet )?imple", "mented"),
    files: isSource,
  },
  {
    name: "a comment about something that only holds a place",
    pattern: pattern("", "(?://|^\\s*/?\\*).*\\bplace", "holder\\b"),
    files: isSource,
  },
  {
    name: "a test that is singled out",
    pattern: pattern("", "\\b(?:test|it|describe|suite)\\.on", "ly\\b|\\bon", "ly: *true"),
    files: isTest,
    codeOnly: true,
  },
  {
    name: "a test that is skipped without a reason",
    pattern: pattern(
      "",
      "\\.sk",
      "ip\\(\\s*\\)|\\b(?:test|it|describe|suite)\\.(?:sk",
      "ip|todo)\\b|\\b(?:skip|todo): *true",
    ),
    files: isTest,
    codeOnly: true,
  },
  {
    name: "a library that writes to the console",
    pattern: /\bconsole\s*\./,
    files: isLibrary,
    codeOnly: true,
  },
  {
    name: "time or randomness that is not passed in",
    pattern: /\bMath\.random\b|\bDate\.now\b|\bnew Date\(\s*\)|\bDate\(\s*\)|\bperformance\.now\b|\bprocess\.hrtime\b/,
    files: isCore,
    codeOnly: true,
  },
  {
    name: "the core waiting, or reaching for the network, timers or globals of a platform",
    pattern: /\bset(?:Timeout|Interval|Immediate)\b|\bfetch\(|\blocalStorage\b|\bprocess\.env\b|\bglobalThis\b/,
    files: (path) => isCore(path) && !/^packages\/crypto\/src\/(node|web|portable)\//.test(path),
    codeOnly: true,
  },
]

/** Where `rule` is broken in a file, as `path:line: text`. */
export function offences(rule: TidyRule, path: string, source: string): string[] {
  if (!rule.files(path)) return []
  const lines = (rule.codeOnly === true ? blankComments(source) : source).split("\n")
  return lines.flatMap((line, i) => (rule.pattern.test(line) ? [`${path}:${i + 1}: ${line.trim().slice(0, 120)}`] : []))
}

/** Comments are replaced by as many empty lines: what is found keeps its line number. */
function blankComments(source: string): string {
  return withoutComments(source, (comment) => comment.replace(/[^\n]/g, ""))
}

export const lengthMax = 500

/** Files that are longer, each one thing that would not be clearer in two. */
export const longFiles: Readonly<Record<string, string>> = {}
