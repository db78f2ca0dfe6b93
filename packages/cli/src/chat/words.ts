/** What follows a command's name, to the end of the line; quotation marks around the whole are not part of it. */
export function restOf(line: string): string {
  const rest = line.replace(/^\S+\s*/, "").trim()
  return /^"([^"]*)"?$/.exec(rest)?.[1]?.trim() ?? rest
}

/** Words separated by spaces; in quotation marks, one word may hold spaces. */
export function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"?|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "")
}
