import type { Attack, Attacker } from "./attack.js"

/** What the page says of each attacker. */
const attackers: Readonly<Record<Attacker, string>> = {
  stranger: "A stranger knows a group's id and has a device of their own. They speak to the service as anybody can.",
  member: "A member has every key that members have, and a client that keeps no rule.",
  "removed member": "A removed member has every key from before the removal, and sometimes the service's help.",
  operator: "The operator has the service, its file and its signing key, and answers as they like.",
  thief: "A thief has a copy of somebody's whole profile.",
  flood: "Somebody at one address sends as much as goes through the line.",
  "web page": "A web page runs in a browser beside the person's own page.",
  accident: "Nobody means harm: a disk is full, a backup is put back, a machine stops.",
}

const intro = `# Attacks we tried

Each row is a program that attacks the real service, SDK and page over sockets, and says whether the attacker got what the row
says. \`npm run attack\` runs them; with \`--undefended\` each runs once more in a copy of the code without its one defence, where
it has to succeed: a row that could not succeed would show nothing.

*First* is what the attack came to when it was written, before it was closed; a dash is an attack on what was built later, and
was tried while it was built. *Now* is what it has to come to for \`npm run attack\` to pass. How loads are
answered is in \`attack/after.json\`; what stays possible is said in [SECURITY.md](../SECURITY.md).
`

/** The page \`docs/attacks.md\`; \`before\` has what succeeded at first. */
export function attacksPage(
  catalogue: readonly Attack[],
  before: Readonly<Record<string, { readonly succeeded: boolean }>>,
): string {
  const sections = Object.entries(attackers).map(([who, words]) => {
    const rows = catalogue.filter((it) => it.who === who).map((it) => rowOf(it, before[it.id]?.succeeded))
    const head = "| id | the attacker … | first | now |\n|---|---|---|---|"
    return `## ${who[0]!.toUpperCase()}${who.slice(1)}\n\n${words}\n\n${head}\n${rows.join("\n")}\n`
  })
  return `${intro}\n${sections.join("\n")}`
}

function rowOf({ id, title, open, defence }: Attack, first: boolean | undefined): string {
  const now = open === undefined ? "fails" : `open: waits for ${open.toLowerCase()}`
  const was = first === undefined ? "–" : first ? "succeeded" : "failed"
  return `| ${id} | ${title} | ${was} | ${now}${defence === undefined && open === undefined ? ", always has" : ""} |`
}
