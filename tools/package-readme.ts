/** A program in a README: a block of TypeScript. */
export interface Example {
  readonly code: string
  /** Marked `ts run`: it runs by itself. */
  readonly isRun: boolean
  /** What it prints, line by line, by its own comments `// prints ...`. */
  readonly prints: readonly string[]
}

/** The programs of a README, in order. */
export function examplesIn(markdown: string): Example[] {
  return [...markdown.matchAll(/^```ts( run)?\n([\s\S]*?)^```$/gm)].map(([, run, code]) => ({
    code: code!,
    isRun: run !== undefined,
    prints: [...code!.matchAll(/\/\/ prints (.*)$/gm)].map((match) => match[1]!),
  }))
}

/** The entries that a README lists under their heading, as specifiers. */
export function entriesListed(markdown: string): string[] {
  const [, entries = ""] = markdown.split("\n## Entries\n")
  return [...entries.matchAll(/^\| `(@conclave\/[^`]+)` \|/gm)].map((match) => match[1]!)
}
