import { senderDataKey } from "../../src/framing/private-message.js"
import { leafIndex } from "../../src/indexes.js"
import { Journal } from "../../src/journal.js"
import { ForwardBudget } from "../../src/schedule/forward-budget.js"
import { SecretTree } from "../../src/schedule/secret-tree.js"
import type { CipherSuite } from "../../src/suite/suite.js"
import { assertBytes, bytes, type Hex, type Suites } from "./vector.js"

export interface SecretTreeVector {
  readonly cipher_suite: number
  readonly sender_data: {
    readonly sender_data_secret: Hex
    readonly ciphertext: Hex
    readonly key: Hex
    readonly nonce: Hex
  }
  readonly encryption_secret: Hex
  readonly leaves: readonly (readonly GenerationVector[])[]
}

interface GenerationVector {
  readonly generation: number
  readonly handshake_key: Hex
  readonly handshake_nonce: Hex
  readonly application_key: Hex
  readonly application_nonce: Hex
}

export function verify(vector: SecretTreeVector, suites: Suites): void {
  const suite = suites(vector.cipher_suite)
  const { sender_data: sender } = vector
  const { key, nonce } = senderDataKey(suite, bytes(sender.sender_data_secret), bytes(sender.ciphertext))
  assertBytes(key, sender.key, "sender_data_key")
  assertBytes(nonce, sender.nonce, "sender_data_nonce")

  // Once in the order of sending and once backwards, when all but the last come from the keys of skipped messages.
  verifyLeaves(vector, secretTree(suite, vector), (generations) => generations)
  verifyLeaves(vector, secretTree(suite, vector), (generations) => generations.toReversed())
}

const limits = { forwardDistanceMax: 1000, handshakeDistanceMax: 1000, skippedPerSecond: 0, skippedKeysMax: 1000 }

function verifyLeaves(
  vector: SecretTreeVector,
  tree: SecretTree,
  order: (generations: readonly GenerationVector[]) => readonly GenerationVector[],
): void {
  vector.leaves.forEach((generations, leaf) => {
    for (const expected of order(generations)) {
      const { generation } = expected
      const handshake = tree.peek(leafIndex(leaf), "handshake", generation)
      assertBytes(handshake.key, expected.handshake_key, `handshake key ${generation} of leaf ${leaf}`)
      assertBytes(handshake.nonce, expected.handshake_nonce, `handshake nonce ${generation} of leaf ${leaf}`)
      handshake.spend()
      const application = tree.peek(leafIndex(leaf), "application", generation)
      assertBytes(application.key, expected.application_key, `application key ${generation} of leaf ${leaf}`)
      assertBytes(application.nonce, expected.application_nonce, `application nonce ${generation} of leaf ${leaf}`)
      application.spend()
    }
  })
}

export function secretTree(
  suite: CipherSuite,
  vector: { readonly encryption_secret: Hex; readonly leaves: { readonly length: number } },
): SecretTree {
  return new SecretTree(
    suite,
    { leafCount: vector.leaves.length, encryption: bytes(vector.encryption_secret) },
    { limits, budget: new ForwardBudget(() => 0n, limits), journal: new Journal(false), prefix: "" },
  )
}
