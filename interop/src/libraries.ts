import type { Neighbour } from "./neighbours/neighbour.js"
import { openMls } from "./neighbours/openmls.js"
import { conclave } from "./neighbours/ours.js"
import { tsMls } from "./neighbours/ts-mls.js"
import { tsMlsNext } from "./neighbours/ts-mls-next.js"

/** Ourselves first. */
export const libraries: readonly Neighbour[] = [conclave(), tsMls, tsMlsNext, openMls]

export function libraryNamed(name: string): Neighbour | undefined {
  return libraries.find((library) => library.name === name)
}
