/** What `read` makes of a program's options; where it refuses them, says how the program is used, and exits with 2. */
export function given<T>(read: () => T, usage: string): T {
  try {
    return read()
  } catch (error) {
    // Node's own message, without the place in Node's source.
    if (!(error instanceof TypeError)) throw error
    console.error(`${error.message}\nusage: ${usage}`)
    process.exit(2)
  }
}
