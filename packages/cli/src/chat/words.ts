/** Words separated by spaces; in quotation marks, one word may hold spaces. */
export function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"?|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "")
}
