/** So many questions are under way at a time: few enough for any connection, enough to hide its delay. */
const QUESTIONS_MAX = 8

/** Asks about each of many, and resolves with the answers in the same order; rejects with the first failure. */
export async function concurrently<T, R>(subjects: readonly T[], ask: (subject: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = new Array(subjects.length)
  let next = 0
  const asker = async () => {
    while (next < subjects.length) {
      const at = next++
      answers[at] = await ask(subjects[at]!)
    }
  }
  await Promise.all(Array.from({ length: Math.min(QUESTIONS_MAX, subjects.length) }, asker))
  return answers
}
