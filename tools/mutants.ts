import {
  checkingCall,
  endsSomething,
  isEnding,
  isRefusingCall,
  namesRefusal,
  refusalOf,
  refusesOutright,
} from "./refusals.js"
import { field, functionName, list, type Node, nameOf, parse, walk } from "./syntax.js"

/** Compiled code with one refusal less. */
export interface Mutant {
  /** What is taken out: a condition, a part of one, a statement, a call, one member of a chain. */
  readonly kind: "guard" | "operand" | "statement" | "check" | "ternary" | "chain" | "verdict" | "deadline"
  /** The function in which it stands: `Service.#register`. */
  readonly within: string
  /** The refusal as it is compiled, on one line: `if (a || b) throw new Error("no");`. */
  readonly refusal: string
  /** The part that is replaced, on one line. */
  readonly part: string
  /** What replaces the part. `true` and `false` are the value of a condition that is still computed. */
  readonly by: "true" | "false" | "undefined" | "nothing"
  /** Offsets in the compiled source. */
  readonly start: number
  readonly end: number
  readonly replacement: string
  /** Offsets that a test must execute in order to see a difference. */
  readonly reach: readonly number[]
  /** Rules of RFC 9420 that a call of `rule` names. */
  readonly ids: readonly string[]
}

/**
 * The refusal branches of compiled code, each taken out in one mutant:
 *
 * - guard: the condition of an `if` with a branch that refuses. It is computed and then ignored.
 * - operand: one side of `&&` or `||` in such a condition or in the condition of a ternary; the other side decides.
 * - statement: a `throw`, a refusing `return` or `yield` that is not the branch of an `if`.
 * - check: a statement that calls a function for what it throws: `rule(…)`, `validateTree(…)`.
 * - ternary: a condition that chooses between a value and a refusal.
 * - chain: a call that names a refusal in a chain of `??` or `||`.
 * - verdict: one side of `&&` in what a function returns.
 * - deadline: what ends a connection after a time.
 *
 * What counts as a refusal is said in `refusals.ts`. The helpers that the compiler adds are not looked at.
 */
export function mutantsOf(source: string): Mutant[] {
  const found: Mutant[] = []
  const program = parse(source)
  const helpers = list(program, "body").filter(isCompilerHelper)
  walk(program, (node, ancestors) => {
    if (ancestors.some((it) => helpers.includes(it))) return
    const site = (whole: Node, ending?: Node): Site => siteIn(source, ancestors, whole, ending)
    if (node.type === "IfStatement") found.push(...guardMutants(node, ancestors, site))
    else if (node.type === "ConditionalExpression") found.push(...ternaryMutants(node, site))
    else if (node.type === "LogicalExpression") found.push(...chainMutants(node, ancestors, site))
    else if (isBare(node, ancestors)) found.push(without(site(node), "statement", node))
    else if (checkingCall(node)) found.push(checkMutant(site(node), checkingCall(node)!))
    else if (isDeadline(node, ancestors)) found.push(deadlineMutant(site(ancestors[0]!), node))
    found.push(...verdictMutants(node, ancestors, source))
  })
  return distinct(found).sort((a, b) => a.start - b.start || b.end - a.end)
}

/** What stands for a feature that the target lacks: `var __disposeResources = (this && this.__disposeResources) || …`. */
function isCompilerHelper(statement: Node): boolean {
  const [declared] = statement.type === "VariableDeclaration" ? list(statement, "declarations") : []
  const init = declared && field(declared, "init")
  const imported = init?.type === "LogicalExpression" ? field(init, "left") : undefined
  if (!declared || imported?.type !== "LogicalExpression" || imported.operator !== "&&") return false
  const name = nameOf(field(declared, "id"))
  return (
    name.startsWith("__") &&
    field(imported, "left")?.type === "ThisExpression" &&
    nameOf(field(imported, "right")) === name
  )
}

/** The source with the mutant in it. */
export function applied(source: string, { start, end, replacement }: Mutant): string {
  return source.slice(0, start) + replacement + source.slice(end)
}

interface Site {
  readonly source: string
  readonly within: string
  /** The statement or expression with the refusal. */
  readonly whole: Node
  /** With which statement the branch of an `if` refuses. */
  readonly ending: Node | undefined
}

function siteIn(source: string, ancestors: readonly Node[], whole: Node, ending?: Node): Site {
  return { source, within: functionName(ancestors), whole, ending }
}

type SiteOf = (whole: Node, ending?: Node) => Site

function guardMutants(node: Node, ancestors: readonly Node[], siteOf: SiteOf): Mutant[] {
  const branches = [
    { branch: field(node, "consequent"), refusing: true },
    { branch: field(node, "alternate"), refusing: false },
  ]
  return branches.flatMap(({ branch, refusing }) => {
    const ending = branch?.type === "IfStatement" ? undefined : refusalOf(branch, [node, ...ancestors])
    if (!branch || !ending) return []
    return conditionMutants(siteOf(node, ending), "guard", field(node, "test")!, { branch, refusing })
  })
}

function ternaryMutants(node: Node, siteOf: SiteOf): Mutant[] {
  const [consequent, alternate] = [field(node, "consequent")!, field(node, "alternate")!]
  const [first, second] = [isChosenRefusal(consequent), isChosenRefusal(alternate)]
  if (first === second) return []
  const branch = first ? consequent : alternate
  return conditionMutants(siteOf(node), "ternary", field(node, "test")!, { branch, refusing: first })
}

/** In a ternary a text or a field with such a name is rather a message than a refusal. */
function isChosenRefusal(node: Node): boolean {
  return node.type !== "Literal" && node.type !== "MemberExpression" && namesRefusal(node)
}

interface Branch {
  readonly branch: Node
  /** The value of the condition with which the branch is taken. */
  readonly refusing: boolean
}

/** A condition that never refuses, and the condition with each of its operands left out. */
function conditionMutants(site: Site, kind: "guard" | "ternary", test: Node, { branch, refusing }: Branch): Mutant[] {
  const whole = valued(site, kind, test, !refusing, [branch.start])
  const parts = operandsOf(test).flatMap(({ operand, operator, negated }) => {
    const value = operator === "&&"
    // Without this operand, either fewer inputs are refused, which only those who are refused notice, or more.
    const fewer = (value !== refusing) !== negated
    return valued(site, "operand", operand, value, fewer ? [operand.start, branch.start] : [operand.start])
  })
  return [...whole, ...parts]
}

interface Operand {
  readonly operand: Node
  readonly operator: string
  /** Whether it stands in the reach of a `!`. */
  readonly negated: boolean
}

function operandsOf(node: Node, negated = false): Operand[] {
  if (node.type === "UnaryExpression" && node.operator === "!") return operandsOf(field(node, "argument")!, !negated)
  const operator = String(node.operator)
  if (node.type !== "LogicalExpression" || operator === "??") return []
  return flatten(node, operator).flatMap((operand) => [{ operand, operator, negated }, ...operandsOf(operand, negated)])
}

/** `a`, `b`, `c` of `a && b && c`. */
function flatten(node: Node, operator: string): Node[] {
  if (node.type !== "LogicalExpression" || node.operator !== operator) return [node]
  return [...flatten(field(node, "left")!, operator), ...flatten(field(node, "right")!, operator)]
}

/** Calls that name a refusal in `a() ?? b() ?? c()`, each as if it found nothing. */
function chainMutants(node: Node, ancestors: readonly Node[], siteOf: SiteOf): Mutant[] {
  const operator = String(node.operator)
  const parent = ancestors[0]
  if (operator === "&&" || (parent?.type === "LogicalExpression" && parent.operator === operator)) return []
  if (isCondition(node, ancestors)) return []
  const by = operator === "??" ? ("undefined" as const) : ("false" as const)
  return flatten(node, operator)
    .filter(isRefusingCall)
    .map((operand) => ({
      ...described(siteOf(node), "chain", operand, by),
      replacement: `((${textOf(siteOf(node), operand)}), ${by})`,
      reach: [operand.start],
    }))
    .map((mutant, i, all) => (i === all.length - 1 && operator === "??" ? { ...mutant, replacement: by } : mutant))
}

/** Whether an expression is, or belongs to, the condition of an `if` or of a ternary. */
function isCondition(node: Node, ancestors: readonly Node[]): boolean {
  let child = node
  for (const parent of ancestors) {
    if (parent.type === "IfStatement" || parent.type === "ConditionalExpression") return field(parent, "test") === child
    if (parent.type !== "LogicalExpression" && parent.type !== "UnaryExpression") return false
    child = parent
  }
  return false
}

/** A refusing statement that is not what an `if` does: it stands in a `case`, in a `catch` or at the end of a function. */
function isBare(node: Node, ancestors: readonly Node[]): boolean {
  if (!refusesOutright(node, ancestors)) return false
  const [parent, grandparent] = ancestors
  if (parent?.type === "IfStatement") return false
  return !(
    parent?.type === "BlockStatement" &&
    grandparent?.type === "IfStatement" &&
    isBranchEnd(parent, node, ancestors)
  )
}

function isBranchEnd(block: Node, node: Node, ancestors: readonly Node[]): boolean {
  return refusalOf(block, ancestors.slice(1)) === node
}

/** `a`, `b` of `return a && b` and of `() => a && b`, but not the `row && valueOf(row)` that passes on what is absent. */
function verdictMutants(node: Node, ancestors: readonly Node[], source: string): Mutant[] {
  const isArrow = node.type === "ArrowFunctionExpression"
  const value = isArrow ? field(node, "body") : node.type === "ReturnStatement" ? field(node, "argument") : undefined
  if (value?.type !== "LogicalExpression" || value.operator !== "&&") return []
  const operands = flatten(value, "&&")
  const last = operands.at(-1)!
  const passesOn = operands[0]!.type === "Identifier" && operands.length === 2 && names(last, nameOf(operands[0]))
  if (passesOn && !/^(?:Binary|Unary|Logical)/.test(last.type)) return []
  const site = siteIn(source, isArrow ? [node, ...ancestors] : ancestors, isArrow ? value : node)
  return operands.flatMap((operand) => valued(site, "verdict", operand, true, [operand.start]))
}

function names(tree: Node, name: string): boolean {
  let found = false
  walk(tree, (node) => {
    if (node.type === "Identifier" && node.name === name) found = true
  })
  return found
}

/** The function that a timer calls, when it ends something: `setTimeout(() => socket.destroy(), 5_000)`. */
function isDeadline(node: Node, [parent]: readonly Node[]): boolean {
  if (!/^(?:Arrow)?FunctionExpression$/.test(node.type) || parent?.type !== "CallExpression") return false
  const [first] = list(parent, "arguments")
  if (!/timeout/i.test(nameOf(parent)) && first?.value !== "timeout") return false
  const body = field(node, "body")!
  return body.type === "BlockStatement"
    ? list(body, "body").some(endsSomething)
    : isEnding(body) || isRefusingCall(body)
}

function deadlineMutant(site: Site, callback: Node): Mutant {
  const replacement = "(() => { })"
  return { ...described(site, "deadline", callback, "nothing"), replacement, reach: [field(callback, "body")!.start] }
}

function checkMutant(site: Site, call: Node): Mutant {
  const callee = field(call, "callee")!
  const ids = nameOf(call) === "rule" ? idsOf(call) : []
  const replacement = "((..._) => { })"
  const mutant = described(site, "check", call, "nothing")
  return { ...mutant, end: callee.end, replacement, reach: [call.start], ids }
}

/** Names of rules have a hyphen; a detail is a template. */
function idsOf(call: Node): string[] {
  const ids: string[] = []
  walk(call, ({ type, value }) => {
    if (type === "Literal" && typeof value === "string" && /^[a-z]+(?:-[a-z]+)+$/.test(value)) ids.push(value)
  })
  return ids
}

/** A statement that is left out. */
function without(site: Site, kind: "statement", node: Node): Mutant {
  return { ...described(site, kind, node, "nothing"), replacement: ";", reach: [node.start] }
}

/** An expression that is computed and then taken for true or false. */
function valued(site: Site, kind: Mutant["kind"], node: Node, value: boolean, reach: readonly number[]): Mutant[] {
  if (node.type === "Literal") return []
  const by = value ? "true" : "false"
  return [{ ...described(site, kind, node, by), replacement: `((${textOf(site, node)}), ${by})`, reach }]
}

function described(
  site: Site,
  kind: Mutant["kind"],
  part: Node,
  by: Mutant["by"],
): Omit<Mutant, "replacement" | "reach"> {
  const { within, whole, ending } = site
  const test = field(whole, "test")
  const refusal = ending && test ? `if (${line(site, test)}) ${line(site, ending)}` : line(site, whole)
  return { kind, within, refusal, part: line(site, part), by, start: part.start, end: part.end, ids: [] }
}

const textOf = ({ source }: Site, { start, end }: Node) => source.slice(start, end)
const line = (site: Site, node: Node) => textOf(site, node).replace(/\s+/g, " ")

/** One mutant for each change of the text. */
function distinct(mutants: readonly Mutant[]): Mutant[] {
  const byChange = new Map<string, Mutant>()
  for (const mutant of mutants) {
    const change = `${mutant.start} ${mutant.end} ${mutant.replacement}`
    if (!byChange.has(change)) byChange.set(change, mutant)
  }
  return [...byChange.values()]
}
