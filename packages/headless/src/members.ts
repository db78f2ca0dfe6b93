import type { TreeNode } from "@conclave/client"

/** Whether the user has compared the safety code with somebody: `changed` where that was another code. */
export type Comparison = "none" | "compared" | "changed"

/** One device with which a person is in a conversation. */
export interface MemberDevice {
  readonly signatureKey: Uint8Array
  /** It is this very device. */
  readonly own: boolean
}

/** By name, in the order of the leaves. */
export function devicesIn(nodes: readonly TreeNode[]): ReadonlyMap<string, readonly MemberDevice[]> {
  const devices = new Map<string, MemberDevice[]>()
  for (const { name, signatureKey, own } of nodes) {
    if (name === undefined || signatureKey === undefined) continue
    const known = devices.get(name)
    if (known === undefined) devices.set(name, [{ signatureKey, own }])
    else known.push({ signatureKey, own })
  }
  return devices
}
