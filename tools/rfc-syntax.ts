/** The numbers of RFC 9420 §17, by the wire type that they belong to. */
const registries: Readonly<Record<string, string>> = {
  CipherSuite: "MLS Cipher Suites",
  WireFormat: "MLS Wire Formats",
  ExtensionType: "MLS Extension Types",
  ProposalType: "MLS Proposal Types",
  CredentialType: "MLS Credential Types",
}

/**
 * The definitions of an RFC's Markdown source, one a line and in one spelling: without comments and fixed values, with
 * each case of a `select` written out, and the numbers of the registries as `registry { name(1), … } Type;`.
 */
export function rfcSyntax(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^~~~ tls-presentation\n([\s\S]*?)^~~~/gm)].map((match) => match[1]!)
  const source = blocks
    .join("\n")
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\/\/.*$/gm, "")
  const definitions = [...source.matchAll(/(?:struct|enum) \{[\s\S]*?\n\} [^;]+;|^\S.*;$/gm)].map((match) => match[0])
  return [
    ...definitions.map(oneSpelling),
    ...Object.entries(registries).map(([type, title]) => registry(markdown, type, title)),
  ]
}

function oneSpelling(definition: string): string {
  const spelled = definition
    .replace(/\s+/g, " ")
    .replace(/ = \w+;/g, ";")
    .replace(/select \((?:\w+\.)*(\w+)\)/g, "select ($1)")
    .replaceAll("struct{};", nothing)
  return spelled
    .replace(/((?:case \w+: )+)([^}]*?)(?=case |\})/g, (_, labels: string, body: string) =>
      labels.replace(/case \w+: /g, (label) => label + body),
    )
    .replaceAll(nothing, "struct{};")
}

/** Stands for an empty case while braces are counted. */
const nothing = "NOTHING"

function registry(markdown: string, type: string, title: string): string {
  const section = markdown.split(new RegExp(`^## ${title}$`, "m"))[1]?.split(/^## /m)[0] ?? ""
  const rows = [...section.matchAll(/^\| 0x([0-9A-F]{4}) +\| ([A-Za-z]\w*) /gm)]
  const entries = rows.filter(([, , name]) => name !== "RESERVED" && name !== "GREASE")
  return `registry { ${entries.map(([, number, name]) => `${name}(${Number.parseInt(number!, 16)})`).join(", ")} } ${type};`
}
