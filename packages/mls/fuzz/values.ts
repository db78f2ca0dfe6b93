import type { Choices } from "./choices.js"

/** What stands where in known messages: by the name of the field, or of the list of which it is an item. */
export type Pool = ReadonlyMap<string, readonly unknown[]>

export function poolOf(values: readonly unknown[]): Pool {
  const pool = new Map<string, unknown[]>()
  for (const value of values) {
    for (const { name, value: found } of placesIn(value)) {
      const known = pool.get(name)
      if (known === undefined) pool.set(name, [found])
      else if (known.length < POOL_MAX) known.push(found)
    }
  }
  return pool
}

const POOL_MAX = 64

/** Every value inside of `values`, themselves included. */
export function valuesIn(values: readonly unknown[]): unknown[] {
  return [...values, ...values.flatMap((value) => placesIn(value).map((place) => place.value))]
}

/**
 * A copy of a decoded value with up to three changes: numbers at their bounds, bytes cut, extended or emptied, items
 * lost, doubled or exchanged, fields taken from other messages. Not every result has an encoding.
 */
export function mutateValue<T>(value: T, choices: Choices, pool: Pool): T {
  let mutated: unknown = value
  for (let changes = 1 + choices.of(3); changes > 0 && !choices.isOver; changes--) {
    const places = placesIn(mutated)
    if (places.length === 0) return mutated as T
    const place = choices.one(places)
    mutated = withChange(mutated, place.path, change(place, choices, pool))
  }
  return mutated as T
}

interface Place {
  readonly path: readonly (string | number)[]
  readonly name: string
  readonly value: unknown
}

function placesIn(value: unknown, path: Place["path"] = [], name = ""): Place[] {
  const own: Place[] = path.length === 0 ? [] : [{ path, name, value }]
  if (value instanceof Uint8Array || typeof value !== "object" || value === null) return own
  const inner = Array.isArray(value)
    ? // The first items of a list are like the others.
      value.slice(0, 24).map((item, i) => placesIn(item, [...path, i], `${name}[]`))
    : Object.entries(value).map(([field, item]) => placesIn(item, [...path, field], field))
  return own.concat(...inner)
}

/** A copy down the path: a decoded value that keeps the bytes from which it was read loses them. */
function withChange(value: any, [first, ...rest]: Place["path"], changed: unknown): unknown {
  if (first === undefined) return changed
  const copy = Array.isArray(value) ? [...value] : { ...value }
  copy[first] = withChange(value[first], rest, changed)
  return copy
}

function change({ name, value }: Place, choices: Choices, pool: Pool): unknown {
  const others = pool.get(name)
  if (others !== undefined && choices.of(3) === 1) return choices.one(others)
  if (value instanceof Uint8Array) return changeBytes(value, choices)
  if (Array.isArray(value)) return changeList(value, name, choices, pool)
  if (typeof value === "number") return choices.one([...numbers, value + 1, Math.max(0, value - 1)])
  if (typeof value === "bigint") return choices.one([...longNumbers, value + 1n, value > 0n ? value - 1n : 0n])
  if (others !== undefined) return choices.one(others)
  return undefined
}

const numbers = [
  ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 63, 64, 254, 255, 256, 0x0a0a, 0xf001, 0xfffe, 0xffff, 0x1_0000, 0x0fff_ffff],
  ...[0x2000_0000, 0x3fff_ffff, 0x4000_0000, 0x7fff_fffe, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff],
]
const longNumbers = [0n, 1n, 2n, 0xffff_ffffn, 2n ** 32n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n]

function changeBytes(bytes: Uint8Array, choices: Choices): Uint8Array {
  const kind = choices.of(10)
  if (kind === 0) return flipped(bytes, choices)
  if (kind === 1) return bytes.slice(0, -1)
  if (kind === 2) return Uint8Array.of(...bytes.subarray(0, 4096), choices.of(256))
  if (kind === 3) return bytes.slice(1)
  if (kind === 4) return new Uint8Array(0)
  if (kind === 5) return new Uint8Array(bytes.length)
  if (kind === 6) return new Uint8Array(bytes.length).fill(255)
  if (kind === 7)
    return new Uint8Array(choices.one([1, 31, 32, 33, 63, 64, 65, 16383, 16384, 16385])).fill(choices.of(256))
  // The least point of low order that is not zero, and half of an array.
  if (kind === 8) return Uint8Array.from(bytes, (_, i) => (i === 0 ? 1 : 0))
  return bytes.slice(0, bytes.length >> 1)
}

function flipped(bytes: Uint8Array, choices: Choices): Uint8Array {
  const copy = bytes.slice()
  if (copy.length > 0) copy[choices.of(copy.length)]! ^= 1 << choices.of(8)
  return copy
}

function changeList(list: readonly unknown[], name: string, choices: Choices, pool: Pool): unknown[] {
  const at = choices.of(Math.max(1, list.length))
  const other = choices.of(Math.max(1, list.length))
  const others = pool.get(`${name}[]`) ?? list
  const taken = others.length === 0 ? [] : [choices.one(others)]
  switch (choices.of(8)) {
    case 0:
      return list.filter((_, i) => i !== at)
    case 1:
      return [...list.slice(0, at), ...list.slice(at, at + 1), ...list.slice(at)]
    case 2:
      return list.map((item, i) => (i === at ? list[other] : i === other ? list[at] : item))
    case 3:
      return []
    case 4:
      return [...list, ...taken]
    case 5:
      return [...taken, ...list]
    case 6:
      return [...list].reverse()
    default:
      return Array.from({ length: choices.one([2, 16, 128, 1024]) }, (_, i) =>
        i < list.length ? list[i] : taken[0],
      ).filter((item) => item !== undefined || list.includes(undefined))
  }
}
