import type { Attack } from "./attack.js"
import { admitting } from "./attacks/admitting.js"
import { chains } from "./attacks/chains.js"
import { disks } from "./attacks/disks.js"
import { doors } from "./attacks/doors.js"
import { entering } from "./attacks/entering.js"
import { insiders } from "./attacks/insiders.js"
import { knocking } from "./attacks/knocking.js"
import { naming } from "./attacks/naming.js"
import { operators } from "./attacks/operators.js"
import { pages } from "./attacks/pages.js"
import { resources } from "./attacks/resources.js"
import { restoring } from "./attacks/restoring.js"
import { sealed } from "./attacks/sealed.js"
import { siblings } from "./attacks/siblings.js"
import { starving } from "./attacks/starving.js"
import { defences } from "./defences.js"

const all = [
  entering,
  insiders,
  operators,
  resources,
  starving,
  doors,
  naming,
  sealed,
  pages,
  chains,
  disks,
  siblings,
  admitting,
  knocking,
  restoring,
].flat()

/** Every attack, in the order of the ids: the gravest first, as letters and numbers have it. */
export const catalogue: readonly Attack[] = all
  .map((attack) => {
    const defence = defences[attack.id]
    return defence === undefined ? attack : { ...attack, defence }
  })
  .sort((a, b) => rank(a).localeCompare(rank(b)))

/** C1, H1, M1, L1 and then the rest; H2 stands before H11. */
function rank({ id }: Attack): string {
  const [, letter, number, rest] = /^([A-Z])(\d+)(.*)$/.exec(id)!
  return `${"CHMLAFD".indexOf(letter!)}${number!.padStart(2, "0")}${rest}`
}

export function attackOf(id: string): Attack {
  const found = catalogue.find((attack) => attack.id === id)
  if (found === undefined) throw new Error(`there is no attack ${id}`)
  return found
}
