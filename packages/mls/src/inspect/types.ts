import type { Codec } from "@conclave/codec"
import * as wire from "../wire.js"

/** Parts of a struct of the RFC that are no struct of it. */
const parts: readonly string[] = ["UnsignedLeafNode", "LeafPosition"]

const structs = Object.entries(wire as Record<string, unknown>).filter(
  (entry): entry is [string, Codec<any>] =>
    !parts.includes(entry[0]) && ["struct", "union"].includes((entry[1] as Codec<any>).shape?.kind ?? ""),
)

/** Every struct of RFC 9420 by its name in the RFC, and two vectors by the names of their fields. */
export const inspectableTypes: Readonly<Record<string, Codec<any>>> = {
  ...Object.fromEntries(structs),
  ratchet_tree: wire.RatchetTreeNodes,
  external_senders: wire.ExternalSenders,
}

/** The types that are sent or stored on their own, the most likely first. */
export const outermostTypes = [
  ...["MLSMessage", "KeyPackage", "GroupInfo", "ratchet_tree", "Welcome", "PublicMessage", "PrivateMessage"],
  ...["GroupContext", "LeafNode", "Commit", "Proposal"],
] as const
