import { type Extension, Group, type GroupOptions, type RuleId } from "@conclave/mls"
import type { UnsignedLeafNode } from "../../src/wire.js"
import { person } from "../group-fixture.js"
import type { ForgedGroup } from "./forged-group.js"
import { breaks } from "./scene.js"

/** What is done to a leaf node before it is signed. */
export type Change = (right: UnsignedLeafNode) => UnsignedLeafNode

export const withCapabilities =
  (change: Partial<UnsignedLeafNode["capabilities"]>): Change =>
  (right) => ({ ...right, capabilities: { ...right.capabilities, ...change } })
export const extension = (extensionType: number): Extension => ({ extensionType, extensionData: new Uint8Array(3) })
export const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === 7 ? byte ^ 1 : byte))

/** Somebody joins a forged group from outside. */
export function entry(group: ForgedGroup, extra: Partial<GroupOptions> = {}) {
  const { options } = person("eve", 1, extra)
  return Group.stageExternalJoin({ ...options, groupInfo: group.groupInfo() })
}

export function refusesEntry(group: ForgedGroup, id: RuleId, extra: Partial<GroupOptions> = {}): void {
  breaks(id, () => entry(group, extra))
}
