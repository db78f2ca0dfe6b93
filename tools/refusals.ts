import { field, inner, keyOf, list, type Node, nameOf } from "./syntax.js"

/** Words that a function, a variable or a kind of answer has in its name when it refuses. */
const words =
  /fault|error|problem|obstacle|refus|reject|invalid|malform|forbid|throttl|unavailab|unsuit|unauthor|not(?:Found|Allowed|Supported)|unknown|taken|full$|too(?:Many|Large|Long|Old|Small|Deep|Early|Late)|ahead|stale|reused|expired|retention|ignore|broken|fail|denied|deny|lost|halt|gone$|conflict|elsewhere|limit|exceed|declin|missing|mismatch|wrong|bad[A-Z]|^bad$|outdated|update(?:Required|Needed)/i

/** Calls that end a connection, a stream or what waits for it. */
const endings = /^(?:destroy|terminate|close|abort|cancel|reset\w*)$/

/** Calls that are made for what they throw. */
const checks = /^(?:rule|assert|check|demand|require|validate|verify|ensure|expect|limit)(?![a-z])/
const checksInFull = new Set(["externalSenders", "requiredCapabilities"])

/** A function of this name returns a fault, or nothing when there is none. */
const faultFunction = /fault|problem|obstacle|refusal|whyNot|violation/i

/**
 * An expression that names a refusal: a call or a `new` with a refusing name or with an HTTP status of 400 to 599; an
 * object with such a `type`, `fault` or `error`, or with `valid: false`; a variable or a string with a refusing name.
 */
export function namesRefusal(node: Node | undefined): boolean {
  switch (node?.type) {
    case "CallExpression":
    case "NewExpression":
      return words.test(nameOf(node)) || list(node, "arguments").some(isHttpRefusal)
    case "ObjectExpression":
      return list(node, "properties").some(isRefusingProperty)
    case "Identifier":
    case "MemberExpression":
      return words.test(nameOf(node))
    case "Literal":
      return typeof node.value === "string" && words.test(node.value.replace(/ /g, ""))
    case "AwaitExpression":
    case "ChainExpression":
    case "UnaryExpression":
      return namesRefusal(inner(node))
    default:
      return false
  }
}

/** A call that names a refusal: what may stand in a chain of `??` or `||`. */
export function isRefusingCall(node: Node): boolean {
  const call = node.type === "AwaitExpression" || node.type === "ChainExpression" ? inner(node) : node
  return call?.type === "CallExpression" && words.test(nameOf(call))
}

/** The call of a statement that is made for what it throws: `rule(…)`, `await this.#verifyLeaf(…)`. */
export function checkingCall(statement: Node): Node | undefined {
  if (statement.type !== "ExpressionStatement") return undefined
  let call = field(statement, "expression")
  while (call?.type === "AwaitExpression" || call?.type === "ChainExpression") call = inner(call)
  if (call?.type !== "CallExpression") return undefined
  const name = nameOf(call)
  return checks.test(name) || checksInFull.has(name) ? call : undefined
}

/** Whether a statement refuses wherever it stands: it throws, or it returns or yields what names a refusal. */
export function refusesOutright(statement: Node, ancestors: readonly Node[]): boolean {
  if (statement.type === "ThrowStatement") return true
  if (statement.type === "ReturnStatement") {
    const value = field(statement, "argument")
    return value !== undefined && (namesRefusal(value) || (isText(value) && inFaultFunction(ancestors)))
  }
  const expression = statement.type === "ExpressionStatement" ? field(statement, "expression") : undefined
  return expression?.type === "YieldExpression" && namesRefusal(unencoded(inner(expression)))
}

/**
 * The statement with which a branch refuses. Beneath a condition these refuse as well: `continue`, a `return` of
 * nothing (`undefined`, `null`, `false`, `[]`, `""`), and a call that ends something or names a refusal.
 */
export function refusalOf(branch: Node | undefined, ancestors: readonly Node[]): Node | undefined {
  if (!branch) return undefined
  const statements = branch.type === "BlockStatement" ? list(branch, "body") : [branch]
  const last = statements.at(-1)
  if (last && refusesOutright(last, ancestors)) return last
  const spoken = statements.find((it) => refusesOutright(it, ancestors) || endsSomething(it))
  return spoken ?? (last && (last.type === "ContinueStatement" || returnsNothing(last)) ? last : undefined)
}

/** A statement that ends a connection, or calls what refuses: `socket.destroy()`, `reject(error)`. */
export function endsSomething(statement: Node): boolean {
  if (statement.type !== "ExpressionStatement") return false
  const expression = field(statement, "expression")!
  return isEnding(expression) || isRefusingCall(expression)
}

/** `socket.destroy()`, also as `void socket.close()`. */
export function isEnding(expression: Node): boolean {
  if (expression.type === "CallExpression")
    return endings.test(nameOf(expression)) || list(expression, "arguments").some(isHttpRefusal)
  const wraps = ["AwaitExpression", "ChainExpression", "UnaryExpression"].includes(expression.type)
  return wraps && isEnding(inner(expression)!)
}

function returnsNothing(statement: Node): boolean {
  if (statement.type !== "ReturnStatement") return false
  const value = field(statement, "argument")
  if (!value) return true
  if (value.type === "Identifier") return value.name === "undefined"
  if (value.type === "Literal") return [null, false, ""].includes(value.value as null)
  if (value.type === "ArrayExpression") return list(value, "elements").length === 0
  return value.type === "UnaryExpression" && value.operator === "void"
}

function isText(node: Node): boolean {
  return node.type === "TemplateLiteral" || (node.type === "Literal" && typeof node.value === "string")
}

function inFaultFunction(ancestors: readonly Node[]): boolean {
  const named = ancestors.find((it) => it.type === "MethodDefinition" || it.type === "FunctionDeclaration")
  return (
    named !== undefined &&
    faultFunction.test(named.type === "MethodDefinition" ? keyOf(named) : nameOf(field(named, "id")))
  )
}

/** `refused(…)` of `encode(Answer, refused(…))`. */
function unencoded(node: Node | undefined): Node | undefined {
  return node?.type === "CallExpression" && nameOf(node) === "encode" ? list(node, "arguments").at(-1) : node
}

function isHttpRefusal(argument: Node): boolean {
  const { value } = argument as { value?: unknown }
  return argument.type === "Literal" && Number.isInteger(value) && (value as number) >= 400 && (value as number) < 600
}

function isRefusingProperty(property: Node): boolean {
  if (property.type !== "Property") return false
  const value = field(property, "value")!
  const key = keyOf(property)
  if (key === "fault" || key === "error") return value.name !== "undefined"
  if (key === "valid" || key === "ok") return value.value === false
  return key === "type" && value.type === "Literal" && words.test(String(value.value))
}
