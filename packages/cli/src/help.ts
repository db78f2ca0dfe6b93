import { type Command, type Option, shownAs } from "./arguments.js"
import { commandNames } from "./commands.js"
import { alignTerms, wrap } from "./terminal/table.js"
import { commandWords, helpWords, optionWords } from "./words/words.js"

export async function generalHelp(): Promise<string> {
  const help = await helpWords()
  const rows = commandNames.map((name) => [`  ${name}`, commandWords(help, name).summary] as const)
  const { title, generalUsage, after } = help.frame
  return [title, "", generalUsage, "", ...alignTerms(rows), "", ...after].join("\n")
}

/** Between an option and its value while lines are broken. */
const NO_BREAK = "\u00a0"

export async function commandHelp(name: string, { operand, options, parts }: Command): Promise<string> {
  const help = await helpWords()
  const { frame } = help
  const words = commandWords(help, name)
  const { summary, description = [] } = words
  const declared = Object.entries(options as Readonly<Record<string, Option<unknown>>>)
  const usage = declared.map(([option, { placeholder, whenAbsent }]) => {
    const text = placeholder === undefined ? `--${option}` : `--${option} ${shownAs(placeholder)}`
    return (whenAbsent === "fail" ? text : `[${text}]`).replaceAll(" ", NO_BREAK)
  })
  const rows: (readonly [string, string])[] = [
    ...Object.keys(parts ?? {}).map((part) => [`  ${part}`, commandWords(help, `${name} ${part}`).summary] as const),
    ...(operand === undefined ? [] : [[`  ${shownAs(operand.placeholder)}`, words.operand ?? ""] as const]),
    ...declared.map(
      ([option, { placeholder, whenAbsent, variable }]) =>
        [
          `  --${option}${placeholder === undefined ? "" : ` ${shownAs(placeholder)}`}`,
          `${optionWords(help, words, option)}${inBrackets([
            variable === undefined ? "" : frame.or(variable),
            whenAbsent !== "fail" && whenAbsent.text !== undefined ? frame.byDefault(whenAbsent.text) : "",
          ])}`,
        ] as const,
    ),
  ]
  const operands =
    parts === undefined ? (operand === undefined ? [] : [shownAs(operand.placeholder)]) : [shownAs("COMMAND [options]")]
  return [
    ...wrap(`conclave ${name}: ${summary}`),
    "",
    ...wrap([frame.usage, name, ...operands, ...usage].join(" ")).map((line) => line.replaceAll(NO_BREAK, " ")),
    ...(rows.length === 0 ? [] : ["", ...alignTerms(rows)]),
    ...description.flatMap((paragraph) => ["", ...wrap(paragraph)]),
  ].join("\n")
}

function inBrackets(remarks: readonly string[]): string {
  const said = remarks.filter((remark) => remark !== "")
  return said.length === 0 ? "" : ` (${said.join("; ")})`
}
