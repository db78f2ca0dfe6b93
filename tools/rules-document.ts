export type RuleTable = Readonly<Record<string, { readonly section: string; readonly text: string }>>

const chapters: Readonly<Record<string, string>> = {
  "5": "Cryptographic objects",
  "6": "Message framing",
  "7": "Ratchet tree operations",
  "8": "Key schedule",
  "10": "Key packages",
  "11": "Group creation",
  "12": "Group evolution",
  "13": "Extensibility",
  "17": "Registries",
}

/** The rules by chapter and section of RFC 9420, in its order; within a section as the table has them. */
export function rulesDocument(rules: RuleTable): string {
  const rows = Object.entries(rules).map(([id, rule]) => ({ id, ...rule, chapter: rule.section.split(".")[0]! }))
  const sorted = rows.sort((a, b) => bySection(a.section, b.section))
  const parts = [introduction(rows.length)]
  for (const chapter of new Set(sorted.map((row) => row.chapter))) {
    parts.push(
      `\n## §${chapter} ${title(chapter)}\n\n| rule | section | what has to hold |\n|---|---|---|\n`,
      ...sorted
        .filter((row) => row.chapter === chapter)
        .map(({ id, section, text }) => `| \`${id}\` | ${link(section)} | ${text} |\n`),
    )
  }
  return parts.join("")
}

const introduction = (count: number) => `<!-- Written by \`npm run docs:rules\` from packages/mls/src/rules.ts. -->

# What is checked

These are the ${count} rules of RFC 9420 that a message, a stored object or a wish of our own can break. Whatever breaks one is
refused with a \`RuleError\` that carries the rule's name, and nothing has changed.

Three kinds of refusal are no rules. What cannot be decoded (lengths, presence octets, versions, trailing bytes) is a
\`DecodeError\`. What no key authenticates (signatures and tags of messages, ciphertexts) is an \`AuthenticityError\` that
says no more. What does not fit the state of the group (another epoch, a key that is spent) is a \`StateError\`.

Each rule has a test that is named after it and breaks it (\`packages/mls/test/rules-*.test.ts\`): a member with real
secrets signs, encrypts and hashes what it should not, so that nothing but the rule is in its way. \`npm run mutate:rules\`
takes every single check out of the compiled library, one at a time, and expects these tests to fail.
`

function title(chapter: string): string {
  const known = chapters[chapter]
  if (known === undefined) throw new Error(`chapter ${chapter} of RFC 9420 has no title here`)
  return known
}

const link = (section: string) => `[${section}](https://www.rfc-editor.org/rfc/rfc9420.html#section-${section})`

function bySection(a: string, b: string): number {
  const [left, right] = [a.split(".").map(Number), b.split(".").map(Number)]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? -1) - (right[i] ?? -1)
    if (difference !== 0) return difference
  }
  return 0
}
