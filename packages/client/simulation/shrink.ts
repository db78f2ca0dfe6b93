import type { Violation } from "./invariants.js"
import type { Item, Plan } from "./plan.js"

export interface Shrinking {
  readonly attempt: (plan: Plan) => Promise<Violation | undefined>
  /** Whether there is time for another attempt. */
  readonly goesOn: () => boolean
}

/**
 * A plan as small as it can be made in the time there is, that breaks the same invariant in the same way: without items, in ever smaller
 * parts (Zeller's delta debugging, greedily), without devices, and with shorter faults.
 */
export async function shrink(plan: Plan, { shape }: Violation, { attempt, goesOn }: Shrinking): Promise<Plan> {
  let small = plan
  const takes = async (smaller: Plan) => {
    if ((await attempt(smaller))?.shape !== shape) return false
    small = smaller
    return true
  }
  for (let isSmaller = true; isSmaller && goesOn(); ) {
    isSmaller = false
    for (let part = Math.ceil(small.items.length / 2); part >= 1 && goesOn(); part = part === 1 ? 0 : part >> 1) {
      for (let at = 0; at < small.items.length && goesOn(); ) {
        const items = small.items.filter((_, index) => index < at || index >= at + part)
        if (await takes({ ...small, items })) isSmaller = true
        else at += part
      }
    }
    while (small.devices > 1 && goesOn()) {
      const devices = small.devices - 1
      const items = small.items.filter(({ who }) => who < devices)
      if (!(await takes({ ...small, devices, items }))) break
      isSmaller = true
    }
    while ((small.service?.gateways ?? 1) > 1 && goesOn()) {
      const { store, gateways } = small.service!
      if (!(await takes({ ...small, service: { store, gateways: gateways - 1 } }))) break
      isSmaller = true
    }
    for (let at = 0; at < small.items.length && goesOn(); at++) {
      const item = small.items[at]!
      const amount = Math.trunc(item.amount / 2)
      if (amount === item.amount || Math.abs(amount) < 500) continue
      const items: readonly Item[] = small.items.map((it, index) => (index === at ? { ...it, amount } : it))
      if (await takes({ ...small, items })) isSmaller = true
    }
  }
  return small
}
