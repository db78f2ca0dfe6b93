import type { Command, Option } from "./arguments.js"
import { commandNames, loadCommand } from "./commands.js"
import { alignTerms, wrap } from "./terminal/table.js"

/** Loads every command, for its summary. */
export async function generalHelp(): Promise<string> {
  const commands = await Promise.all(commandNames.map(loadCommand))
  const rows = commands.map(({ summary }, at) => [`  ${commandNames[at]}`, summary] as const)
  return [
    "conclave: end-to-end encrypted group conversations (MLS, RFC 9420)",
    "",
    "usage: conclave COMMAND [options]",
    "",
    ...alignTerms(rows),
    "",
    "conclave COMMAND --help tells more; --version tells the version.",
    "CONCLAVE_AS and CONCLAVE_SERVER stand in for --as and --server.",
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing arrived in time,",
    "4 (trace) a part could not be read, and nothing was found.",
  ].join("\n")
}

/** Between an option and its value while lines are broken. */
const NO_BREAK = "\u00a0"

export function commandHelp(name: string, { summary, description = [], operand, options, parts }: Command): string {
  const declared = Object.entries(options as Readonly<Record<string, Option<unknown>>>)
  const usage = declared.map(([option, { placeholder, whenAbsent }]) => {
    const text = placeholder === undefined ? `--${option}` : `--${option} ${placeholder}`
    return (whenAbsent === "fail" ? text : `[${text}]`).replaceAll(" ", NO_BREAK)
  })
  const rows: (readonly [string, string])[] = [
    ...Object.entries(parts ?? {}).map(([part, { summary }]) => [`  ${part}`, summary] as const),
    ...(operand === undefined ? [] : [[`  ${operand.placeholder}`, operand.help] as const]),
    ...declared.map(
      ([option, { placeholder, help, whenAbsent, variable }]) =>
        [
          `  --${option}${placeholder === undefined ? "" : ` ${placeholder}`}`,
          `${help}${inBrackets([
            variable === undefined ? "" : `or ${variable}`,
            whenAbsent !== "fail" && whenAbsent.text !== undefined ? `default: ${whenAbsent.text}` : "",
          ])}`,
        ] as const,
    ),
  ]
  const operands = parts === undefined ? (operand === undefined ? [] : [operand.placeholder]) : ["COMMAND [options]"]
  return [
    `conclave ${name}: ${summary}`,
    "",
    ...wrap(["usage: conclave", name, ...operands, ...usage].join(" ")).map((line) => line.replaceAll(NO_BREAK, " ")),
    ...(rows.length === 0 ? [] : ["", ...alignTerms(rows)]),
    ...description.flatMap((paragraph) => ["", ...wrap(paragraph)]),
  ].join("\n")
}

function inBrackets(remarks: readonly string[]): string {
  const said = remarks.filter((remark) => remark !== "")
  return said.length === 0 ? "" : ` (${said.join("; ")})`
}
