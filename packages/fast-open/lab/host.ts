/** A process inside a namespace: it imports the module that it is asked for, calls one of its functions and returns the result. */
interface Call {
  readonly id: number
  readonly module: string
  readonly name: string
  readonly words: readonly unknown[]
}

process.on("message", (call: Call) => void answer(call))
process.on("disconnect", () => process.exit())
// Ctrl-C reaches all processes of a terminal; this one ends after the laboratory, and ends what it has started.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {})
process.send!({ ready: true })

async function answer({ id, module, name, words }: Call): Promise<void> {
  try {
    const functions = (await import(module)) as Record<string, (...words: readonly unknown[]) => unknown>
    process.send!({ id, result: await functions[name]!(...words) })
  } catch (error) {
    process.send!({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  }
}
