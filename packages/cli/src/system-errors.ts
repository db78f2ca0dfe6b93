import { words } from "./words/words.js"

/** What the operating system says no to; `undefined` where the error is not its own. */
export function getSystemErrorMessage(
  error: Error & { code?: unknown; path?: unknown },
  said = words(),
): string | undefined {
  const reasons: Readonly<Partial<Record<string, string>>> = said.system
  const reason = typeof error.code === "string" ? reasons[error.code] : undefined
  if (reason === undefined) return undefined
  return typeof error.path === "string" ? `${error.path}: ${reason}` : reason
}
