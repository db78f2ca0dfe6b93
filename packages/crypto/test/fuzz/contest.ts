import type { CryptoProvider } from "../../src/index.js"
import { seeded } from "../support.js"
import { Dice } from "./dice.js"
import { targets } from "./targets.js"

/** One case, the same for the same seed: the kind of the answers, and what was asked and said where they are not one. */
export function contest(
  providers: readonly CryptoProvider[],
  { target, seed }: { readonly target: string; readonly seed: string },
): { readonly kind: string; readonly disagreement?: string } {
  const { of, ask, described } = targets[target]!(new Dice(seeded(seed)))
  const seen = new Set<object>()
  const answers: [string, string][] = []
  for (const provider of providers) {
    // One that has an algorithm of another's is not asked again.
    const part = of(provider)
    if (part === undefined || seen.has(part)) continue
    seen.add(part)
    answers.push([provider.name, said(() => ask(provider))])
  }
  const first = answers[0]![1]
  const kind = kindOf(first)
  if (answers.every(([, answer]) => answer === first)) return { kind }
  const lines = answers.map(([name, answer]) => `  ${name}: ${answer.slice(0, 400)}`)
  return { kind, disagreement: [described, ...lines].join("\n") }
}

/** What a provider answers, errors by their class. */
function said(ask: () => unknown): string {
  try {
    return printed(ask())
  } catch (error) {
    return (error as Error).constructor.name
  }
}

function printed(answer: unknown): string {
  if (answer instanceof Uint8Array) return `bytes ${Buffer.from(answer).toString("hex")}`
  if (Array.isArray(answer)) return answer.map(printed).join("; ")
  return String(answer)
}

/** For the figures: that a target sees refusals and acceptances both. */
function kindOf(answer: string): string {
  return answer
    .split("; ")
    .map((part) => part.split(" ")[0])
    .join("+")
}
