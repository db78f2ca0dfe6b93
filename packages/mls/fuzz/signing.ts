import { encode } from "@conclave/codec"
import type { SigningKey } from "@conclave/crypto"
import { type KeyPackage, type LeafIndex, type LeafNode, signWithLabel } from "@conclave/mls"
import { signLeafNode } from "../src/tree/leaf.js"
import { KeyPackageTBS } from "../src/wire.js"

/** The leaf node, whatever it says, with a signature of `key`. */
export function signLeaf(
  leafNode: LeafNode,
  key: SigningKey,
  position?: { readonly groupId: Uint8Array; readonly leafIndex: LeafIndex },
): LeafNode {
  const { signature: _, ...unsigned } = leafNode
  return signLeafNode(unsigned, key, leafNode.leafNodeSource.type === "keyPackage" ? undefined : position)
}

export function signKeyPackage(keyPackage: KeyPackage, key: SigningKey): KeyPackage {
  const { signature: _, ...unsigned } = keyPackage
  return { ...unsigned, signature: signWithLabel(key, "KeyPackageTBS", encode(KeyPackageTBS, unsigned)) }
}
