/** So many colours tell people apart; each has a tone for light and one for dark in `style/people.css`. */
export const COLOURS = 10

/** Always the same for a name, on every device: FNV-1a over UTF-16 units. */
export function colourOf(name: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193)
  // The low bits of similar names are similar.
  return ((hash ^ (hash >>> 15)) >>> 0) % COLOURS
}

/** One or two letters that stand for a picture. */
export function initialsOf(called: string): string {
  const words = called
    .slice(0, 256)
    .split(/[\s._\-@|/]+/u)
    .flatMap((word) => /[\p{L}\p{N}]\p{M}?/u.exec(word)?.[0] ?? [])
  const [first, ...others] = words
  if (first === undefined) return "?"
  const last = others.at(-1)
  return (last === undefined || !/\s/u.test(called.trim()) ? first : first + last).toUpperCase()
}
