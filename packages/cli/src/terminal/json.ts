/** One line: bytes in hexadecimal, integers beyond 2^53 as decimal text, maps as lists of pairs. */
export function jsonOf(value: unknown): string {
  return JSON.stringify(value, (_, it) => {
    if (typeof it === "bigint") return String(it)
    if (it instanceof Uint8Array) return Buffer.from(it).toString("hex")
    // A Buffer has become `{ type, data }` before it comes here.
    if (it?.type === "Buffer" && Array.isArray(it.data)) return Buffer.from(it.data).toString("hex")
    return it instanceof Map || it instanceof Set ? [...it] : it
  })
}
