import { optional } from "./arguments.js"
import { postgresUrl } from "./options.js"
import { words } from "./words/words.js"

/** For those who would use a file otherwise. */
export const databaseOption = optional({
  placeholder: "URL",
  read: postgresUrl,
  variable: "DATABASE_URL",
})

/** For messages: without its user and password; `said`: in whose words. */
export function databaseName(url: string, said = words()): string {
  const { hostname, port, pathname } = new URL(url)
  return said.units.database(hostname, port, pathname.slice(1))
}
