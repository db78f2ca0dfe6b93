import assert from "node:assert/strict"
import { nodeIndex } from "../../src/indexes.js"
import { nodeCount } from "../../src/tree/math.js"
import { RatchetTree } from "../../src/tree/ratchet-tree.js"
import { validateTree } from "../../src/tree/validation.js"
import { assertBytes, bytes, type Hex, type Suites } from "./vector.js"

export interface TreeValidationVector {
  readonly cipher_suite: number
  readonly tree: Hex
  readonly group_id: Hex
  readonly resolutions: readonly (readonly number[])[]
  readonly tree_hashes: readonly Hex[]
}

export function verify(vector: TreeValidationVector, suites: Suites): void {
  const suite = suites(vector.cipher_suite)
  const tree = RatchetTree.decode(suite, bytes(vector.tree))
  assert.equal(nodeCount(tree.leafCount), vector.tree_hashes.length)
  for (let i = 0; i < vector.tree_hashes.length; i++) {
    assert.deepEqual(tree.resolution(nodeIndex(i)), vector.resolutions[i], `resolution of node ${i}`)
    assertBytes(tree.nodeHash(nodeIndex(i)), vector.tree_hashes[i]!, `tree hash of node ${i}`)
  }
  const requirements = { suite, extensions: [], required: undefined, lifetimeSecondsMax: 2n ** 64n, now: undefined }
  validateTree(tree, { groupId: bytes(vector.group_id), requirements })
  assert.throws(
    () => validateTree(tree, { groupId: bytes(`${vector.group_id}00`), requirements }),
    { code: "RULE_VIOLATED", rule: "leaf-signature" },
    "leaves of a commit or an update are signed for their group",
  )
}
