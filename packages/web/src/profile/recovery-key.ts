/** Groups of the key that are asked for before it is bound. */
const ASKED = 3

/** The groups of a recovery key as the SDK makes it: four digits and letters each. */
export function groupsOf(text: string): readonly string[] {
  return text.split("-")
}

/**
 * Which groups are asked for, of so many, in the order in which they stand: indexes from 0. `random` returns so many random bytes.
 */
export function askedGroups(count: number, random: (length: number) => Uint8Array): readonly number[] {
  const left = Array.from({ length: count }, (_, at) => at)
  const asked = [...random(Math.min(ASKED, count))].map((byte) => left.splice(byte % left.length, 1)[0]!)
  return asked.sort((a, b) => a - b)
}

/** Whether a group was written down right. What does not matter of a recovery key does not matter here. */
export function isSameGroup(typed: string, group: string): boolean {
  return plain(typed) === plain(group)
}

function plain(text: string): string {
  return text.toUpperCase().replace(/[\s-]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1")
}
