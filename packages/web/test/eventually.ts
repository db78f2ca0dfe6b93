/** Repeats what a page is to show sooner or later, until it does. */
export async function eventually(check: () => Promise<void>): Promise<void> {
  const until = Date.now() + 25_000
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (Date.now() > until) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
