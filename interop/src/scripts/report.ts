import type { Neighbour } from "../neighbours/neighbour.js"

export interface Outcome {
  /** One for each suite and kind of handshakes. */
  runs: number
  passed: number
  readonly unable: Set<string>
  readonly failed: Set<string>
}

interface Column {
  readonly title: string
  readonly outcomes: ReadonlyMap<string, Outcome>
}

/** A page with one row for each script, one column for each cast, and what lies behind every cell that is not a yes. */
export function report(columns: readonly Column[], libraries: readonly Neighbour[]): string {
  const names = [...(columns[0]?.outcomes.keys() ?? [])]
  const notes: string[] = []
  const noteOf = (text: string) => {
    if (!notes.includes(text)) notes.push(text)
    return notes.indexOf(text) + 1
  }
  const cell = ({ runs, passed, unable, failed }: Outcome) => {
    if (passed === runs) return runs === 1 ? "yes" : `yes, ${passed} of ${runs}`
    const verdict = failed.size > 0 ? "fails" : "cannot"
    const numbers = [...failed, ...unable].map((text) => noteOf(withoutStep(text)))
    const some = passed > 0 ? `, ${passed} of ${runs} pass` : ""
    return `${verdict}${some} (${[...new Set(numbers)].join(", ")})`
  }
  const rows = names.map((name) => [name, ...columns.map(({ outcomes }) => cell(outcomes.get(name)!))])
  const passed = columns.map(({ outcomes }) => sum([...outcomes.values()].map((it) => it.passed)))
  const runs = columns.map(({ outcomes }) => sum([...outcomes.values()].map((it) => it.runs)))
  const total = ["runs that pass", ...columns.map((_, i) => `${passed[i]} of ${runs[i]}`)]
  return [
    "# What implementations can do with each other",
    "",
    "Written by `npm run interop:scripts -- --write docs/interop.md`: the scenarios of the MLS working group's runner,",
    "played over gRPC. Conclave plays by itself in every cipher suite; a neighbour plays in one, by itself and beside",
    "Conclave. Everything runs with handshakes as PrivateMessages and as PublicMessages. *cannot* means that the",
    "library offers no way, *fails* that somebody refused or did not agree; the numbers say why.",
    "",
    ...libraries.map(({ name, version, suites }) => `- ${name} ${version}, cipher suites ${suites.join(", ")}`),
    "",
    line(["script", ...columns.map(({ title }) => title)]),
    line(["---", ...columns.map(() => "---")]),
    ...[...rows, total].map(line),
    "",
    ...notes.map((note, i) => `${i + 1}. ${note}`),
    "",
    "## Behind it",
    "",
    ...findings.map((finding) => `- ${finding}`),
    "",
  ].join("\n")
}

const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)
/** Without what is another each time. */
const withoutStep = (text: string) =>
  text
    .replace(/^step \d+, /, "")
    .replace(/(RFC 9420 §[\d.]+\)).*$/s, "$1")
    .replace(/\s+/g, " ")

/** What was found out about why, at the versions named above. */
const findings = [
  "ts-mls puts the key of `external_pub` into the extension without its length (RFC 9420 §12.4.3.2 has a struct).",
  "ts-mls reads and writes `external_senders` as one sender (RFC 9420 §12.1.8.1 has a list).",
  "ts-mls makes ECDSA keys with compressed public keys, which it puts on the wire (RFC 9420 §5.1.2 has them uncompressed); here it is given keys in the right form.",
  "ts-mls 1.6.4 forgets the pre-shared keys that its `processMessage` is given where the message is private; here its `processPrivateMessage` is called.",
  "ts-mls 1.6.4 never returns from an external join that replaces an old self whose signature key is not in the tree.",
  "ts-mls 2.0.0-rc.10 commits a single removal or update without an UpdatePath (RFC 9420 §12.4), so that whoever was removed still knows every secret; we refuse it.",
  "ts-mls 2.0.0-rc.10 looks for resumption keys in no group when it commits.",
  "openmls-wasm 0.1.0 exports additions, application messages, exporters and nothing else; its key packages and trees, for which it has no bytes, are read from its memory.",
]
