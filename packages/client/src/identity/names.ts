import { nameFault } from "@conclave/contracts/names"

/** @throws TypeError where it is not a name: says why, and what a name may be */
export function requireName(name: string): void {
  if (typeof name !== "string") throw new TypeError(`a name must be a string, not ${typeof name}`)
  const fault = nameFault(name)
  if (fault !== undefined) throw new TypeError(`${JSON.stringify(name)} is not a name: ${fault}`)
}

const NAMES_SHOWN_MAX = 5

/** That the directory lists no device of these names. */
export function nobodyIsCalled(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN_MAX)
  const more = names.length - shown.length
  return `nobody is called ${more > 0 ? `${shown.join(", ")}, or any of ${more} other names` : shown.join(" or ")}`
}

/** For openings that make something before they read the options. @throws TypeError where `name` cannot be used */
export function requireOptions(options: { readonly name: string }, wanted: string): void {
  if (typeof options !== "object" || options === null) throw new TypeError(`openClient takes an object with ${wanted}`)
  requireName(options.name)
}
