import type { People } from "./words.js"

/** What is taken for something else at a glance, in pairs. */
const TAKEN_FOR: Readonly<Record<string, string>> = Object.assign(Object.create(null), {
  ...{ "0": "o", "1": "l", i: "l", "|": "l", "5": "s", "3": "e", "!": "l" },
  ...{ а: "a", в: "b", е: "e", к: "k", м: "m", н: "h", о: "o", р: "p", с: "c", т: "t", у: "y", х: "x" },
  ...{ і: "l", ї: "l", ј: "j", ѕ: "s", ӏ: "l", ԁ: "d", ɡ: "g", ı: "l", ո: "n", օ: "o" },
  ...{ α: "a", ο: "o", ν: "v", ρ: "p", τ: "t", υ: "u", ι: "l", κ: "k", χ: "x", ε: "e" },
})

/** Equal for names that a reader takes for one another. */
function impression(text: string): string {
  const letters = [...text.normalize("NFKD").toLowerCase()].map((it) => TAKEN_FOR[it] ?? it).join("")
  return letters
    .replace(/[\p{M}\p{P}\p{Z}\p{C}_]/gu, "")
    .replace(/rn/gu, "m")
    .replace(/vv/gu, "w")
    .replace(/cl/gu, "d")
}

/** Members who are called so that one may be taken for another: nobody can say here which of them is meant. */
export function alike(members: readonly string[], people: People): ReadonlySet<string> {
  const byImpression = new Map<string, Set<string>>()
  for (const name of members) {
    const { name: shown, displayName } = people.label(name)
    for (const called of [shown, displayName]) {
      const seen = called === undefined ? "" : impression(called)
      if (seen === "") continue
      const together = byImpression.get(seen) ?? new Set<string>()
      byImpression.set(seen, together.add(name))
    }
  }
  return new Set([...byImpression.values()].filter(({ size }) => size > 1).flatMap((names) => [...names]))
}
