/** The candidate that differs from `word` by at most two letters, for the question whether that was meant. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const distanceMax = word.length < 3 ? 1 : 2
  const [best] = candidates
    .map((candidate) => ({ candidate, distance: distanceOf(word, candidate) }))
    .filter(({ distance }) => distance <= distanceMax)
    .sort((a, b) => a.distance - b.distance)
  return best?.candidate
}

/** Levenshtein's: how many letters have to be put in, left out or exchanged. */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= Math.min(a.length, 64); i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const exchanged = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(exchanged, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]! + Math.max(0, a.length - 64)
}
