/** A place in compiled code that refuses something: taking it out must be noticed by a test. */
export interface RuleSite {
  /** Rules that this place throws; none for another error, and for a call of a function that does nothing but check. */
  readonly ids: readonly string[]
  readonly start: number
  readonly line: number
  /** As it stands there, on one line. */
  readonly text: string
  /** The source without the check: its condition is still computed, and nothing is thrown. */
  readonly removed: string
}

/** Calls of `rule(…)`, thrown errors, and statements that call a function which only checks. */
export function ruleSites(source: string): RuleSite[] {
  const sites: RuleSite[] = []
  for (const match of source.matchAll(/(?<![\w.$]|function )rule(?=\()/g)) {
    const { index } = match
    const end = closing(source, index + "rule".length)
    const text = source.slice(index, end)
    const silent = text.replace("rule", "((..._) => {})")
    sites.push(site(source, { start: index, end, ids: idsOf(text) }, silent))
  }
  for (const match of source.matchAll(/\bthrow new (?:Authenticity|State|Decode)Error(?=\()/g)) {
    const { index } = match
    const end = closing(source, index + match[0].length)
    sites.push(site(source, { start: index, end, ids: [] }, "undefined"))
  }
  // What is computed and thrown away is called for its errors.
  for (const match of source.matchAll(
    /^[ \t]*(?:if \([^\n]*\) ?)?\b(?<name>(?:validate|require|verify)[A-Z]\w*|externalSenders|requiredCapabilities)(?=\()/gm,
  )) {
    const open = match.index + match[0].length
    const end = closing(source, open)
    if (source[end] === ";")
      sites.push(site(source, { start: open - match.groups!.name!.length, end, ids: [] }, "undefined"))
  }
  return sites.sort((a, b) => a.start - b.start)
}

interface Place {
  readonly start: number
  readonly end: number
  readonly ids: readonly string[]
}

function site(source: string, { start, end, ids }: Place, instead: string): RuleSite {
  return {
    ids,
    start,
    line: source.slice(0, start).split("\n").length,
    text: source.slice(start, end).replace(/\s+/g, " "),
    removed: source.slice(0, start) + instead + source.slice(end),
  }
}

/** Names of rules have a hyphen; a detail is a template. */
function idsOf(call: string): string[] {
  return [...call.replace(/`[^`]*`/g, "``").matchAll(/"([a-z]+(?:-[a-z]+)+)"/g)].map(([, id]) => id!)
}

/** The place behind the parenthesis that closes the one at `open`. */
function closing(source: string, open: number): number {
  let depth = 0
  for (let at = open; at < source.length; at++) {
    const character = source[at]
    if (character === '"' || character === "'") at = endOfString(source, at)
    else if (character === "(") depth++
    else if (character === ")" && --depth === 0) return at + 1
  }
  throw new Error("a call without an end")
}

function endOfString(source: string, start: number): number {
  let at = start + 1
  while (source[at] !== source[start]) at += source[at] === "\\" ? 2 : 1
  return at
}
