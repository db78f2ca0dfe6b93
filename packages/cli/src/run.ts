import { readFileSync } from "node:fs"
import { type Command, isHelpWanted, parseArguments } from "./arguments.js"
import { nearest } from "./closest.js"
import { commandNames, loadCommand } from "./commands.js"
import { exitCodes, explain, Failure, UsageError } from "./failure.js"
import { commandHelp, generalHelp } from "./help.js"
import { printableLine } from "./terminal/printable.js"
import type { Terminal } from "./terminal/terminal.js"

/** Runs one command line and resolves with its exit code. Every failure has been told on the terminal by then. */
export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const [first, ...rest] = words
  let called = first !== undefined && commandNames.includes(first) ? `conclave ${first}` : "conclave"
  try {
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
      return say(terminal, commandHelp(name, command))
    }
    const { name, command, words } = partOf(first, await find(first), rest)
    called = `conclave ${name}`
    if (isHelpWanted(words)) return say(terminal, commandHelp(name, command))
    if (command.parts !== undefined) throw unknownPart(command.parts, words[0])
    const { options, operand } = parseArguments(command, words, terminal.environment)
    return await command.run(options, { terminal, operand })
  } catch (error) {
    return report(error, { name: called, terminal })
  }
}

/** The command that is meant, and the words behind its name. */
function partOf(name: string, command: Command, words: readonly string[]) {
  const [part, ...rest] = words
  const isPart = part !== undefined && command.parts !== undefined && Object.hasOwn(command.parts, part)
  return isPart ? { name: `${name} ${part}`, command: command.parts[part]!, words: rest } : { name, command, words }
}

function unknownPart(parts: NonNullable<Command["parts"]>, word: string | undefined): UsageError {
  const known = Object.keys(parts)
  if (word === undefined) return new UsageError(`one of its commands is missing: ${known.join(", ")}`)
  const like = nearest(word, known)
  return new UsageError(`it has no command ${word}${like === undefined ? "" : `; did you mean ${like}?`}`)
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
  return `cryptography: ${name}${fallback === undefined ? "" : ` (${fallback})`}`
}

function find(name: string): Promise<Command> {
  if (commandNames.includes(name)) return loadCommand(name)
  const like = nearest(name, commandNames)
  const hint = like === undefined ? "" : `; did you mean ${like}?`
  const what = name.startsWith("-") ? `there is no option ${name} without a command` : `there is no command ${name}`
  throw new UsageError(`${what}${hint}`)
}

async function say(terminal: Terminal, text: string): Promise<number> {
  await terminal.write(`${text}\n`)
  return exitCodes.done
}

function report(error: unknown, { name, terminal }: { name: string; terminal: Terminal }): number {
  const { reason, isExpected } = explain(error)
  const usage = error instanceof UsageError
  const hint = usage ? ` (${name} --help)` : isExpected ? "" : " (CONCLAVE_DEBUG=1 tells where)"
  terminal.tell(`${terminal.errorStyle.red(`${name}:`)} ${printableLine(reason)}${hint}`)
  if (terminal.environment.CONCLAVE_DEBUG && error instanceof Error) terminal.tell(error.stack ?? "")
  return usage ? exitCodes.usage : error instanceof Failure ? error.exitCode : exitCodes.failed
}
