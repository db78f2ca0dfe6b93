declare const kind: unique symbol

/** The number of a leaf, from 0 at the left (RFC 9420 §4.1.2). */
export type LeafIndex = number & { readonly [kind]: "leaf" }
/** The number of a node in the array of the tree: leaves even, parents odd (RFC 9420 Appendix C). */
export type NodeIndex = number & { readonly [kind]: "node" }

export const leafIndex = (index: number): LeafIndex => index as LeafIndex
export const nodeIndex = (index: number): NodeIndex => index as NodeIndex
