import type { Connection } from "./connections.js"
import type { Link } from "./links.js"

/**
 * - `linked`: something other than an address links connections.
 * - `unlinked`: nothing does, and the whole capture was read.
 * - `unclear`: nothing was found to, but a part was not read or not captured, and could have it.
 */
export type Conclusion = "linked" | "unlinked" | "unclear"

interface Facts {
  readonly links: readonly Link[]
  readonly connections: readonly Connection[]
  readonly unreadPackets: number
  readonly withoutBeginning: number
  readonly cutOff: string | undefined
  readonly dropped: number
}

export function conclude(facts: Facts): Conclusion {
  if (facts.links.some(({ kind }) => kind !== "address")) return "linked"
  return isWhole(facts) ? "unlinked" : "unclear"
}

function isWhole({ connections, unreadPackets, withoutBeginning, cutOff, dropped }: Facts): boolean {
  return (
    unreadPackets === 0 &&
    cutOff === undefined &&
    dropped === 0 &&
    connections.every(
      ({ optionsCutOff, dataCutOff, unreadTunnel }) => !optionsCutOff && !dataCutOff && unreadTunnel === undefined,
    ) &&
    // The end of a connection that began earlier is no gap, but a capture of nothing else is no capture of beginnings.
    (connections.length > 0 || withoutBeginning === 0)
  )
}
