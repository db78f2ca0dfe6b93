import { optional } from "./arguments.js"
import { postgresUrl } from "./options.js"
import { words } from "./words/words.js"

/** For those who would use a file otherwise. */
export const databaseOption = optional({
  placeholder: "URL",
  read: postgresUrl,
  variable: "DATABASE_URL",
})

/** For messages: without its user and password. */
export function databaseName(url: string): string {
  const { hostname, port, pathname } = new URL(url)
  return words().units.database(hostname, port, pathname.slice(1))
}
