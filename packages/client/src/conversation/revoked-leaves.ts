import type { LeafIndex } from "@conclave/mls"
import type { GroupOutline } from "./outline.js"

/** A leaf whose key this device knows to be revoked. */
export interface RevokedLeaf {
  readonly leafIndex: LeafIndex
  /** When this device learned of it (Unix time in milliseconds). */
  readonly since: number
}

/** What was found in a tree; looked for again when the tree, or what is known, has changed. */
export interface RevokedFound {
  readonly nodes: GroupOutline["nodes"] | undefined
  readonly size: number
  readonly leaves: readonly RevokedLeaf[]
}

export const noneRevoked: RevokedFound = { nodes: undefined, size: 0, leaves: [] }
