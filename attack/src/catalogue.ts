import type { Attack } from "./attack.js"
import { entering } from "./attacks/entering.js"
import { insiders } from "./attacks/insiders.js"

import { operators } from "./attacks/operators.js"

import { resources } from "./attacks/resources.js"

export const catalogue: readonly Attack[] = [...entering, ...insiders, ...operators, ...resources]

export function attackOf(id: string): Attack {
  const found = catalogue.find((attack) => attack.id === id)
  if (found === undefined) throw new Error(`there is no attack ${id}`)
  return found
}
