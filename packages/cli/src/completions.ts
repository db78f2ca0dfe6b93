import type { Command, Options } from "./arguments.js"
import type { HelpWords } from "./words/form.js"
import { commandWords, optionWords } from "./words/words.js"

export interface NamedCommand {
  readonly name: string
  readonly command: Pick<Command, "operand" | "options" | "parts">
  /** With the words of all commands. */
  readonly help: HelpWords
}

export const shells = ["bash", "zsh", "fish"] as const
export type Shell = (typeof shells)[number]

/** A script for a shell, made of the commands and options that there are. */
export function completionScript(shell: Shell, commands: readonly NamedCommand[]): string {
  return { bash, zsh, fish }[shell](commands)
}

/** What may follow, as the help calls it: files, folders, a choice of words, or what nobody can foresee. */
type Values = "files" | "folders" | "free" | readonly string[]

const FILES = ["FILE", "PATH", "OUT"]

function valuesOf(placeholder: string): Values {
  if (FILES.includes(placeholder)) return "files"
  if (placeholder === "DIR") return "folders"
  return placeholder.includes("|") ? placeholder.split("|") : "free"
}

/** Of a command with parts, those of all parts: which part it is has been said before. */
function optionsOf({ name, command: { options, parts = {} }, help }: NamedCommand) {
  const ofParts = Object.entries(parts).map(([part, it]) => [`${name} ${part}`, it.options] as const)
  const all = new Map<string, { readonly placeholder: string | undefined; readonly help: string }>()
  for (const [of, declared] of [[name, options] as const, ...ofParts]) {
    const words = commandWords(help, of)
    for (const [option, { placeholder }] of Object.entries(declared as Options)) {
      all.set(option, { placeholder, help: optionWords(help, words, option) })
    }
  }
  return [...all]
}

const summaryOf = ({ name, help }: NamedCommand) => commandWords(help, name).summary

const operandValues = ({ command: { operand, parts } }: NamedCommand): Values =>
  parts !== undefined ? Object.keys(parts) : operand === undefined ? "free" : valuesOf(operand.placeholder)

// --- bash --------------------------------------------------------------------------------------------------------------

function bash(commands: readonly NamedCommand[]): string {
  const names = commands.map(({ name }) => name).join(" ")
  const ofOptions = commands.flatMap((it) =>
    optionsOf(it).flatMap(([option, { placeholder }]) =>
      placeholder === undefined ? [] : [`    "${it.name} --${option}") ${bashValues(valuesOf(placeholder))} ;;`],
    ),
  )
  const ofCommands = commands.map((it) => {
    const options = [...optionsOf(it).map(([option]) => `--${option}`), "--help"].join(" ")
    return `    ${it.name}) if [[ $word == -* ]]; then COMPREPLY=($(compgen -W "${options}" -- "$word")); else ${bashValues(operandValues(it), "true")}; fi ;;`
  })
  return [
    "# bash completion for conclave: source <(conclave completions bash)",
    "_conclave() {",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: bash
    '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" command="${COMP_WORDS[1]}"',
    "  local IFS=$' \\t\\n'",
    "  COMPREPLY=()",
    "  if (( COMP_CWORD == 1 )); then",
    `    COMPREPLY=($(compgen -W "${names} help --help --version" -- "$word"))`,
    "    return",
    "  fi",
    `  if [[ $command == help ]]; then COMPREPLY=($(compgen -W "${names}" -- "$word")); return; fi`,
    '  case "$command $before" in',
    ...ofOptions,
    "  esac",
    '  case "$command" in',
    ...ofCommands,
    "  esac",
    "}",
    "complete -F _conclave conclave",
  ].join("\n")
}

function bashValues(values: Values, end = "return"): string {
  if (values === "free") return end
  const words = values === "files" ? "-f" : values === "folders" ? "-d" : `-W "${values.join(" ")}"`
  // Names of files may have spaces.
  const names = typeof values === "string" ? "compopt -o filenames 2>/dev/null; IFS=$'\\n'; " : ""
  return `${names}COMPREPLY=($(compgen ${words} -- "$word"))${end === "return" ? "; return" : ""}`
}

// --- zsh ---------------------------------------------------------------------------------------------------------------

function zsh(commands: readonly NamedCommand[]): string {
  const listed = commands.map((it) => `    ${quoted(`${it.name}:${summaryOf(it)}`)}`)
  const cases = commands.map((it) => {
    const options = optionsOf(it).map(([option, { placeholder, help }]) => {
      const value =
        placeholder === undefined ? "" : `:${placeholder.replace(/[:|]/g, " ")}:${zshValues(valuesOf(placeholder))}`
      return quoted(`--${option}[${help.replace(/[[\]:\\]/g, "\\$&")}]${value}`)
    })
    const { operand, parts } = it.command
    const placeholder = parts === undefined ? operand?.placeholder : "COMMAND"
    const operands =
      placeholder === undefined
        ? []
        : [quoted(`1:${placeholder.replace(/[:|]/g, " ")}:${zshValues(operandValues(it))}`)]
    return `    ${it.name}) _arguments ${[...options, ...operands, "'--help[how it is used]'"].join(" ")} ;;`
  })
  return [
    "#compdef conclave",
    "# zsh completion for conclave: source <(conclave completions zsh), after compinit",
    "_conclave() {",
    "  local -a commands",
    "  commands=(",
    ...listed,
    "  )",
    "  if (( CURRENT == 2 )); then _describe command commands; return; fi",
    "  shift words; (( CURRENT-- ))",
    '  case "$words[1]" in',
    "    help) _describe command commands ;;",
    ...cases,
    "  esac",
    "}",
    'if [ "$funcstack[1]" = "_conclave" ]; then _conclave "$@"; else compdef _conclave conclave; fi',
  ].join("\n")
}

function zshValues(values: Values): string {
  if (values === "files") return "_files"
  if (values === "folders") return "_files -/"
  return values === "free" ? "" : `(${values.join(" ")})`
}

// --- fish --------------------------------------------------------------------------------------------------------------

function fish(commands: readonly NamedCommand[]): string {
  const first = commands.map(
    (it) => `complete -c conclave -n __fish_use_subcommand -a ${it.name} -d ${quoted(summaryOf(it))}`,
  )
  const rest = commands.flatMap((it) => {
    const where = `complete -c conclave -n '__fish_seen_subcommand_from ${it.name}'`
    const options = optionsOf(it).map(([option, { placeholder, help }]) => {
      const value = placeholder === undefined ? "" : ` ${fishValues(valuesOf(placeholder))}`
      return `${where} -l ${option}${value} -d ${quoted(help)}`
    })
    const values = operandValues(it)
    const operand = values === "free" ? [] : [`${where} ${fishValues(values).replace(/-[rx] /, "")}`]
    return [...options, ...operand]
  })
  return [
    "# fish completion for conclave: conclave completions fish | source",
    "complete -c conclave -f",
    ...first,
    ...rest,
  ].join("\n")
}

function fishValues(values: Values): string {
  if (values === "files") return "-r -F"
  if (values === "folders") return "-x -a '(__fish_complete_directories)'"
  return values === "free" ? "-x" : `-x -a '${values.join(" ")}'`
}

/** In single quotes, which bash, zsh and fish read alike but for what is within. */
const quoted = (text: string) => `'${text.replace(/'/g, "\u2019")}'`
