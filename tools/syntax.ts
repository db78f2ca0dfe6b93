import { parseSync } from "vite"

/** A node of the ESTree, with the offsets of its text in UTF-16 code units. */
export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

/** The syntax tree of a module. Parentheses are not nodes. @throws {Error} when it does not parse. */
export function parse(source: string, language: "js" | "ts" | "tsx" | "dts" = "js"): Node {
  const types = language === "js" ? {} : ({ lang: language, astType: "ts" } as const)
  const { program, errors } = parseSync("module.js", source, { preserveParens: false, ...types })
  if (errors.length > 0)
    throw new Error(`not ${language === "js" ? "JavaScript" : "TypeScript"}: ${errors[0]!.message}`)
  return program as unknown as Node
}

/** Visits a tree from the root; `ancestors` begins with the parent. */
export function walk(
  node: Node,
  visit: (node: Node, ancestors: readonly Node[]) => void,
  ancestors: readonly Node[] = [],
) {
  visit(node, ancestors)
  const beneath = [node, ...ancestors]
  for (const child of children(node)) walk(child, visit, beneath)
}

/** A field that holds a node, or nothing. */
export function field(node: Node, name: string): Node | undefined {
  const value = node[name]
  return isNode(value) ? value : undefined
}

/** A field that holds a list of nodes. */
export function list(node: Node, name: string): readonly Node[] {
  const value = node[name]
  return Array.isArray(value) ? value.filter(isNode) : []
}

/** `reject` for `reject`, `this.#reject`, `promise?.reject` and a call of one of them. */
export function nameOf(node: Node | undefined): string {
  if (!node) return ""
  if (node.type === "Identifier" || node.type === "PrivateIdentifier") return node.name as string
  if (node.type === "MemberExpression") return node.computed ? "" : nameOf(field(node, "property"))
  if (node.type === "CallExpression" || node.type === "NewExpression") return nameOf(field(node, "callee"))
  if (node.type === "ChainExpression" || node.type === "AwaitExpression") return nameOf(inner(node))
  return ""
}

/** What an await, an optional chain or a `void` is about. */
export function inner(node: Node): Node | undefined {
  return field(node, "argument") ?? field(node, "expression")
}

/** `Service.#register`: the function in which a node stands, without those that have no name. */
export function functionName(ancestors: readonly Node[]): string {
  const names: string[] = []
  ancestors.forEach((node, i) => {
    if (/^(Class|Function)(Declaration|Expression)$/.test(node.type) && field(node, "id"))
      names.push(nameOf(field(node, "id")))
    else if (/^(MethodDefinition|PropertyDefinition)$/.test(node.type)) names.push(keyOf(node))
    else if (/Function/.test(node.type)) {
      const parent = ancestors[i + 1]
      if (parent?.type === "VariableDeclarator") names.push(nameOf(field(parent, "id")))
      if (parent?.type === "Property") names.push(keyOf(parent))
    }
  })
  return names.filter(Boolean).reverse().join(".")
}

export function keyOf(property: Node): string {
  const key = field(property, "key")
  if (key?.type === "PrivateIdentifier") return `#${nameOf(key)}`
  return key?.type === "Literal" ? String(key.value) : nameOf(key)
}

function* children(node: Node): Generator<Node> {
  for (const value of Object.values(node)) {
    if (isNode(value)) yield value
    else if (Array.isArray(value)) yield* value.filter(isNode)
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string"
}
