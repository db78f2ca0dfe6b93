import { Api, type Declaration, type Entry, keyOf } from "./api.js"

/** Where the reports are, from the root. */
export const reportFolder = "api"

/** The report of each entry, by the name of its file. */
export function apiReports(entries: readonly Entry[], api = new Api(entries)): Map<string, string> {
  return new Map(entries.map((entry) => [`${entry.slug}.md`, report(entry, api)]))
}

function report({ specifier, file }: Entry, api: Api): string {
  const exported = api.exportsOf(file)
  const beside = mentionedBeside([...exported.values()], api)
  return [
    `# ${specifier}`,
    "",
    `${exported.size} names. Written by \`npm run docs:api\`; a test compares it with the code.`,
    "",
    ...block([...exported].map(([name, declaration]) => textsOf(name, declaration))),
    ...(beside.length === 0
      ? []
      : [
          "",
          "Types that these mention and that have no name here:",
          "",
          ...block(beside.map((it) => textsOf(it.name, it))),
        ]),
    "",
  ].join("\n")
}

function block(texts: readonly string[]): string[] {
  return ["```ts", texts.join("\n\n"), "```"]
}

function textsOf(name: string, { name: declared, texts }: Declaration): string {
  const text = texts.map((it) => it.replace(/^ {4,}/gm, (indent) => " ".repeat(indent.length / 2))).join("\n")
  return name === declared ? text : `// ${name} is\n${text}`
}

/** What is mentioned, and mentioned by that, in the same package, without being exported; in the order of the names. */
function mentionedBeside(exported: readonly Declaration[], api: Api): Declaration[] {
  const known = new Set(exported.map(keyOf))
  const packages = new Set(exported.map(packageFolder))
  const found: Declaration[] = []
  const queue = [...exported]
  for (const declaration of queue) {
    for (const mentioned of api.mentionedBy(declaration)) {
      if (known.has(keyOf(mentioned)) || !packages.has(packageFolder(mentioned))) continue
      known.add(keyOf(mentioned))
      found.push(mentioned)
      queue.push(mentioned)
    }
  }
  return found.sort((a, b) => (keyOfName(a) < keyOfName(b) ? -1 : 1))
}

const keyOfName = (declaration: Declaration): string => `${declaration.name} ${declaration.file}`
const packageFolder = ({ file }: Declaration): string => file.split("/").slice(0, 2).join("/")
