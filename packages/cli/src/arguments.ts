import { parseArgs } from "node:util"
import { nearest } from "./closest.js"
import { UsageError } from "./failure.js"
import type { Terminal } from "./terminal/terminal.js"
import { words as said } from "./words/words.js"

/** An option of a command. `T` is what the command gets: with `undefined` where it may be left out. */
export interface Option<T> {
  /** Stands for the value in the help, in English: see {@link shownAs}. A flag has none. */
  readonly placeholder: string | undefined
  /** Throws {@link UsageError} that says what is expected. */
  readonly read: (text: string) => T
  readonly whenAbsent: "fail" | { readonly value: T; readonly text?: string }
  /** The variable of the environment that gives the value where the option is left out. */
  readonly variable?: string | undefined
}

export type Options = Readonly<Record<string, Option<any>>>
/** The values of options, by name. */
export type Given<O extends Options> = { readonly [Name in keyof O]: O[Name] extends Option<infer T> ? T : never }

/** What it takes. What its help says is in the catalogue, under its name: see `CommandWords`. */
export interface Command<O extends Options = any> {
  /** The one argument without a name, where the command takes it. Left out, it is an error, or empty. */
  readonly operand?: { readonly placeholder: string; readonly mayBeAbsent?: boolean }
  readonly options: O
  /** Commands of their own, by the word that follows this one's name: it is run by no other. */
  readonly parts?: Readonly<Record<string, Command>>
  /** Resolves with the exit code. */
  run(given: Given<O>, context: CommandContext): Promise<number>
}

export interface CommandContext {
  readonly terminal: Terminal
  /** Empty where the command has no operand, or it was left out. */
  readonly operand: string
}

/** Lets the compiler find the types of the options. */
export const command = <O extends Options>(declared: Command<O>): Command<O> => declared

type Described<T> = Pick<Option<T>, "read" | "variable"> & { readonly placeholder: string }

export const required = <T>(option: Described<T>): Option<T> => ({ ...option, whenAbsent: "fail" })
export const optional = <T>(option: Described<T>): Option<T | undefined> => ({
  ...option,
  whenAbsent: { value: undefined },
})
/** `shown` is how the value would be typed. */
export const withDefault = <T>(
  value: T,
  { shown = String(value), ...option }: Described<T> & { shown?: string },
): Option<T> => ({
  ...option,
  whenAbsent: { value, text: shown },
})
export const flag = (): Option<boolean> => ({
  placeholder: undefined,
  read: () => true,
  whenAbsent: { value: false },
})

export function isHelpWanted(words: readonly string[]): boolean {
  const end = words.indexOf("--")
  return words.slice(0, end < 0 ? undefined : end).some((word) => word === "--help" || word === "-h")
}

/** Throws {@link UsageError} for whatever the command does not declare. */
export function parseArguments<O extends Options>(
  { options, operand }: Command<O>,
  words: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): { readonly options: Given<O>; readonly operand: string } {
  const types = Object.entries(options).map(([name, { placeholder }]) => [
    name,
    { type: placeholder === undefined ? "boolean" : "string" } as const,
  ])
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(types),
    strict: false,
    tokens: true,
    allowPositionals: true,
  })
  const values = new Map<string, unknown>()
  const operands: string[] = []
  for (const token of tokens) {
    if (token.kind === "positional") operands.push(token.value)
    if (token.kind !== "option") continue
    const option = Object.hasOwn(options, token.name) ? options[token.name]! : undefined
    if (option === undefined) throw unknownOption(token.rawName, Object.keys(options))
    if (values.has(token.name)) throw new UsageError(said().commandLine.twice(`--${token.name}`))
    values.set(token.name, valueFrom(option, token))
  }
  const given = Object.entries(options).map(([name, option]) => [name, givenOr(option, { name, values, environment })])
  return { options: Object.fromEntries(given), operand: onlyOperand(operand, operands) }
}

interface OptionToken {
  readonly rawName: string
  readonly value?: string | undefined
  readonly inlineValue?: boolean | undefined
}

function valueFrom(option: Option<unknown>, { rawName, value, inlineValue }: OptionToken): unknown {
  if (option.placeholder === undefined) {
    if (value !== undefined) throw new UsageError(said().commandLine.noValue(rawName))
    return option.read("")
  }
  // An option where a value is expected: the value was forgotten.
  const forgotten = value === undefined || (!inlineValue && /^-./.test(value) && Number.isNaN(Number(value)))
  if (forgotten) throw new UsageError(said().commandLine.valueNeeded(rawName, shownAs(option.placeholder)))
  return read(option, value, rawName)
}

function unknownOption(rawName: string, known: readonly string[]): UsageError {
  const like = nearest(
    rawName,
    known.map((name) => `--${name}`),
  )
  const { noOption, meant } = said().commandLine
  return new UsageError(`${noOption(rawName)}${like === undefined ? "" : meant(like)}`)
}

interface Sources {
  readonly name: string
  readonly values: ReadonlyMap<string, unknown>
  readonly environment: NodeJS.ProcessEnv
}

function givenOr(option: Option<unknown>, { name, values, environment }: Sources): unknown {
  if (values.has(name)) return values.get(name)
  const { variable, placeholder, whenAbsent } = option
  const supplied = variable === undefined ? undefined : environment[variable]
  if (supplied) return read(option, supplied, variable!)
  if (whenAbsent !== "fail") return whenAbsent.value
  const { missing, andNotSet } = said().commandLine
  const hint = variable === undefined ? "" : andNotSet(variable)
  throw new UsageError(`${missing(name, shownAs(placeholder!))}${hint}`)
}

/** `called`: what gives the value, for the error. */
function read(option: Option<unknown>, text: string, called: string): unknown {
  try {
    return option.read(text)
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${called} ${error.message}`)
    throw error
  }
}

function onlyOperand(declared: Command["operand"], operands: readonly string[]): string {
  const surplus = operands[declared === undefined ? 0 : 1]
  if (surplus !== undefined) throw new UsageError(said().commandLine.surplus(surplus))
  if (declared !== undefined && declared.mayBeAbsent !== true && !operands[0])
    throw new UsageError(said().commandLine.operandMissing(shownAs(declared.placeholder)))
  return operands[0] ?? ""
}

/** What stands for a value, in the language in use. */
export function shownAs(placeholder: string): string {
  const shown: Readonly<Partial<Record<string, string>>> = said().placeholders
  return shown[placeholder] ?? placeholder
}
