export function formatIpv4(address: Buffer): string {
  return address.join(".")
}

/** RFC 5952: lower case, no leading zeros, the first longest run of zero groups as `::`. */
export function formatIpv6(address: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, n) => address.readUInt16BE(n * 2).toString(16))
  const runs = [...groups.join(":").matchAll(/(?:^|(?<=:))0(?::0)+(?=:|$)/g)]
  const longest = runs.reduce<RegExpExecArray | undefined>(
    (best, run) => (best === undefined || run[0].length > best[0].length ? run : best),
    undefined,
  )
  if (longest === undefined) return groups.join(":")
  const text = groups.join(":")
  const before = text.slice(0, longest.index).replace(/:$/, "")
  const after = text.slice(longest.index + longest[0].length).replace(/^:/, "")
  return `${before}::${after}`
}
