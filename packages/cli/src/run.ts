import { readFileSync } from "node:fs"
import { type Command, isHelpWanted, parseArguments } from "./arguments.js"
import { nearest } from "./closest.js"
import { commandNames, loadCommand } from "./commands.js"
import { exitCodes, explain, Failure, UsageError } from "./failure.js"
import { commandHelp, generalHelp } from "./help.js"
import { printableLine } from "./terminal/printable.js"
import type { Terminal } from "./terminal/terminal.js"
import { languages } from "./words/form.js"
import { isLanguage, type Spoken, words as said, speak, spokenIn } from "./words/words.js"

/** Runs one command line and resolves with its exit code. Every failure has been told on the terminal by then. */
export async function run(given: readonly string[], terminal: Terminal): Promise<number> {
  const language = languageIn(given)
  const [first, ...rest] = language.words
  let called = first !== undefined && commandNames.includes(first) ? `conclave ${first}` : "conclave"
  await speak(spokenIn(terminal.environment))
  try {
    if (language.asked !== undefined) await speak(spokenAs(language.asked, terminal.environment))
    if (first === undefined) {
      terminal.tell(await generalHelp())
      return exitCodes.usage
    }
    if (first === "--version" || first === "-v") return say(terminal, `${version()}\n${await cryptography()}`)
    if (first === "--help" || first === "-h" || (first === "help" && rest.length === 0)) {
      return say(terminal, await generalHelp())
    }
    if (first === "help") {
      const { name, command } = partOf(rest[0]!, await find(rest[0]!), rest.slice(1))
      return say(terminal, await commandHelp(name, command))
    }
    const { name, command, words } = partOf(first, await find(first), rest)
    called = `conclave ${name}`
    if (isHelpWanted(words)) return say(terminal, await commandHelp(name, command))
    if (command.parts !== undefined) throw unknownPart(command.parts, words[0])
    const { options, operand } = parseArguments(command, words, terminal.environment)
    return await command.run(options, { terminal, operand })
  } catch (error) {
    return report(error, { name: called, terminal })
  }
}

/** Takes `--language` out of a command line, wherever it stands. */
function languageIn(given: readonly string[]): {
  readonly words: readonly string[]
  readonly asked?: readonly string[]
} {
  const asked: string[] = []
  const words: string[] = []
  const end = given.indexOf("--")
  for (let at = 0; at < given.length; at++) {
    const word = given[at]!
    if (end >= 0 && at >= end) words.push(word)
    else if (word.startsWith(`${LANGUAGE}=`)) asked.push(word.slice(LANGUAGE.length + 1))
    else if (word === LANGUAGE) asked.push(given[++at] ?? "")
    else words.push(word)
  }
  return asked.length === 0 ? { words } : { words, asked }
}

const LANGUAGE = "--language"

/** Of the environment only the region, where it is of this language. Throws {@link UsageError}. */
function spokenAs([asked = "", ...more]: readonly string[], environment: NodeJS.ProcessEnv): Spoken {
  const { twice, valueNeeded, notALanguage } = said().commandLine
  if (more.length > 0) throw new UsageError(twice(LANGUAGE))
  if (asked === "" || /^-./.test(asked)) throw new UsageError(valueNeeded(LANGUAGE, languages.join("|")))
  if (!isLanguage(asked)) throw new UsageError(notALanguage(languages.join("|"), printableLine(asked)))
  const usual = spokenIn(environment)
  return usual.language === asked ? usual : { language: asked, locale: asked }
}

/** The command that is meant, and the words behind its name. */
function partOf(name: string, command: Command, words: readonly string[]) {
  const [part, ...rest] = words
  const isPart = part !== undefined && command.parts !== undefined && Object.hasOwn(command.parts, part)
  return isPart ? { name: `${name} ${part}`, command: command.parts[part]!, words: rest } : { name, command, words }
}

function unknownPart(parts: NonNullable<Command["parts"]>, word: string | undefined): UsageError {
  const known = Object.keys(parts)
  const { partMissing, noPart, meant } = said().commandLine
  if (word === undefined) return new UsageError(partMissing(known.join(", ")))
  const like = nearest(word, known)
  return new UsageError(`${noPart(word)}${like === undefined ? "" : meant(like)}`)
}

/** The package's version. */
export function version(): string {
  return JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version
}

/** The provider of cryptography that every command uses, and why it is not the fastest. */
async function cryptography(): Promise<string> {
  // Loaded here alone: a command that needs none starts without it.
  const { nodeProvider } = await import("@conclave/crypto/node")
  const { name, fallback } = nodeProvider()
  return `${said().commandLine.cryptography(name)}${fallback === undefined ? "" : ` (${said().machine.fallback(fallback)})`}`
}

function find(name: string): Promise<Command> {
  if (commandNames.includes(name)) return loadCommand(name)
  const like = nearest(name, commandNames)
  const { meant, noCommand, noOptionWithoutCommand } = said().commandLine
  const hint = like === undefined ? "" : meant(like)
  const what = name.startsWith("-") ? noOptionWithoutCommand(name) : noCommand(name)
  throw new UsageError(`${what}${hint}`)
}

async function say(terminal: Terminal, text: string): Promise<number> {
  await terminal.write(`${text}\n`)
  return exitCodes.done
}

function report(error: unknown, { name, terminal }: { name: string; terminal: Terminal }): number {
  const { reason, isExpected } = explain(error)
  const usage = error instanceof UsageError
  const { usage: howUsed, debug } = said().commandLine
  const hint = usage ? howUsed(name) : isExpected ? "" : debug
  terminal.tell(`${terminal.errorStyle.red(`${name}:`)} ${printableLine(reason)}${hint}`)
  if (terminal.environment.CONCLAVE_DEBUG && error instanceof Error) terminal.tell(error.stack ?? "")
  return usage ? exitCodes.usage : error instanceof Failure ? error.exitCode : exitCodes.failed
}
