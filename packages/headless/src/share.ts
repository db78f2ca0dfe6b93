/**
 * `next`, in which every part that says the same as its counterpart in `before` is that very counterpart: what has not
 * changed keeps its identity. Elements of lists are told apart by their `key` or `id`. Objects and lists are frozen; of
 * anything else (bytes, conversations) the identity counts, of dates the time.
 */
export function shared<T>(before: unknown, next: T): T {
  if (Object.is(before, next)) return next
  if (before === undefined && isPlain(next) && whole.has(next)) return next
  if (next instanceof Date) return before instanceof Date && before.getTime() === next.getTime() ? (before as T) : next
  if (Array.isArray(next)) return sharedList(Array.isArray(before) ? before : [], next) as T
  if (!isPlain(next)) return next
  const old = isPlain(before) ? before : {}
  const names = Object.keys(next)
  const parts = names.map((name) => shared(old[name], next[name]))
  const isSame =
    before !== undefined && Object.keys(old).length === names.length && parts.every((it, at) => it === old[names[at]!])
  if (isSame && isPlain(before)) return before as T
  return Object.freeze(Object.fromEntries(names.map((name, at) => [name, parts[at]]))) as T
}

/** What {@link settled} has made. */
const whole = new WeakSet<object>()

/** A frozen copy, which {@link shared} takes as it is where it has no counterpart, without looking into it. */
export function settled<T extends object>(value: T): T {
  const copy = shared(undefined, value)
  whole.add(copy)
  return copy
}

function sharedList(before: readonly unknown[], next: readonly unknown[]): readonly unknown[] {
  const known = new Map(before.flatMap((it) => (idOf(it) === undefined ? [] : [[idOf(it), it] as const])))
  const parts = next.map((it, at) => shared(idOf(it) === undefined ? before[at] : known.get(idOf(it)), it))
  const isSame = Object.isFrozen(before) && parts.length === before.length && parts.every((it, at) => it === before[at])
  return isSame ? before : Object.freeze(parts)
}

function idOf(element: unknown): string | undefined {
  if (!isPlain(element)) return undefined
  const id = element.key ?? element.id
  return typeof id === "string" ? id : undefined
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
