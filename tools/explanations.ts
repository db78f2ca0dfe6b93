import { existsSync, readFileSync } from "node:fs"
import type { PlacedMutant } from "./mutation-scope.js"

/** Why nothing can notice that a refusal is missing. It applies to the mutants that read like this. */
export interface Explanation {
  readonly file: string
  readonly within: string
  readonly refusal: string
  readonly part: string
  readonly by: string
  readonly why: string
}

const fields = ["file", "within", "refusal", "part", "by", "why"] as const

/** @throws {Error} when the file does not hold a list of explanations, each with a reason. */
export function readExplanations(path: string): Explanation[] {
  if (!existsSync(path)) return []
  const list: unknown = JSON.parse(readFileSync(path, "utf8"))
  if (!Array.isArray(list)) throw new Error(`${path} is not a list`)
  for (const it of list) {
    const isComplete = Object.keys(it).length === fields.length && fields.every((name) => typeof it[name] === "string")
    if (!isComplete) throw new Error(`an explanation has ${fields.join(", ")}: ${JSON.stringify(it)}`)
    if (it.why.trim() === "") throw new Error(`an explanation gives no reason: ${JSON.stringify(it)}`)
  }
  return list
}

export function explains(explanation: Explanation, mutant: PlacedMutant): boolean {
  return fields.every((name) => name === "why" || explanation[name] === mutant[name])
}

/** An explanation of a mutant to which somebody must add the reason. */
export function unexplained({ file, within, refusal, part, by }: PlacedMutant): Explanation {
  return { file, within, refusal, part, by, why: "" }
}
