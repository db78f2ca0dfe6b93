import { readdirSync } from "node:fs"
import type { Command } from "./arguments.js"

const folder = new URL("./commands/", import.meta.url)

/** The compiled file of a command; `index.js` may be left from the build of an older version. */
const commandFile = /^(?!index\.)([a-z-]+)\.js$/

/**
 * The names of all commands, sorted. Each is a file in `commands`, which exports the command under the file's name, in
 * camel case: there is no list of them to keep.
 */
export const commandNames: readonly string[] = readdirSync(folder)
  .flatMap((file) => commandFile.exec(file)?.[1] ?? [])
  .sort()

/** Only the one that is called is loaded: a service starts without what a chat needs. */
export async function loadCommand(name: string): Promise<Command> {
  const exported: Readonly<Record<string, Command>> = await import(new URL(`${name}.js`, folder).href)
  // A test loads all of them.
  return exported[name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())]!
}
