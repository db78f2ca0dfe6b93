import { decode, encode } from "@conclave/codec"
import { type CipherSuite, Group, type GroupOptions } from "@conclave/mls"
import { openSenderData, ratchetOf } from "../../src/framing/private-message.js"
import { type LeafIndex, leafIndex } from "../../src/indexes.js"
import { Journal } from "../../src/journal.js"
import { ForwardBudget } from "../../src/schedule/forward-budget.js"
import { epochSecrets } from "../../src/schedule/key-schedule.js"
import { SecretTree } from "../../src/schedule/secret-tree.js"
import { decryptWithLabel, expandWithLabel } from "../../src/suite/labels.js"
import * as math from "../../src/tree/math.js"
import { type HPKECiphertext, MLSMessage, PrivateContentAAD, type PrivateMessage } from "../../src/wire.js"

/**
 * Somebody who has got hold of everything a member stores at one moment, and who has recorded all ciphertexts.
 *
 * It knows nothing of how the records are laid out, and needs not: every run of bytes that is as long as a secret is
 * tried in every role that a secret has in the protocol.
 */
export class Adversary {
  readonly #suite: CipherSuite
  readonly #loot: Uint8Array[]

  constructor(suite: CipherSuite, records: Iterable<readonly [string, Uint8Array]>) {
    this.#suite = suite
    this.#loot = Array.from(records, ([, bytes]) => bytes)
  }

  /** Whether anything in the loot opens an application message, whose sender and reuse guard are given away. */
  opens(recorded: RecordedMessage): boolean {
    const { secretSize, aead } = this.#suite
    if (this.#runs(aead.keySize).some((key) => this.#opensWithKey(recorded, key))) return true
    return this.#runs(secretSize).some((secret) => this.#opensWithSecret(recorded, secret))
  }

  /** Whether any run of bytes is the private key of an HPKE ciphertext. */
  decrypts(ciphertext: HPKECiphertext, label: string, context: Uint8Array): boolean {
    return this.#runs(this.#suite.hpke.kem.privateKeySize).some(
      (privateKey) => decryptWithLabel(this.#suite, { privateKey, label, context }, ciphertext) !== undefined,
    )
  }

  /** As the key itself, with the nonce from anywhere behind it. */
  #opensWithKey(recorded: RecordedMessage, key: Uint8Array): boolean {
    const { nonceSize } = this.#suite.aead
    const from = key.byteOffset + key.length
    const rest = Math.min(key.buffer.byteLength - from, nonceSize + 2)
    for (let skip = 0; skip + nonceSize <= rest; skip++) {
      if (opens(this.#suite, recorded, key, new Uint8Array(key.buffer, from + skip, nonceSize))) return true
    }
    return false
  }

  /** As the secret of a ratchet, of a node of the secret tree, or of the epoch. */
  #opensWithSecret(recorded: RecordedMessage, secret: Uint8Array): boolean {
    if (this.#opensAsRatchet(recorded, secret)) return true
    const leaf = math.toNode(recorded.leafIndex)
    for (const node of [leaf, ...math.directPath(leaf, recorded.leafCount)]) {
      const { first, last } = math.leavesBelow(node)
      // The subtree below a node is a secret tree of its own.
      const below = leafIndex(recorded.leafIndex - first)
      if (this.#opensAsTree(recorded, secret, last - first + 1, below)) return true
    }
    const { encryption } = epochSecrets(this.#suite, secret)
    return this.#opensAsTree(recorded, encryption, recorded.leafCount, recorded.leafIndex)
  }

  #opensAsRatchet(recorded: RecordedMessage, start: Uint8Array): boolean {
    const suite = this.#suite
    for (let at = recorded.generation; at >= Math.max(0, recorded.generation - 2); at--) {
      let secret = start
      for (let generation = at; generation < recorded.generation; generation++) {
        secret = expandWithLabel(suite, secret, "secret", uint32(generation), suite.secretSize)
      }
      const key = expandWithLabel(suite, secret, "key", uint32(recorded.generation), suite.aead.keySize)
      const nonce = expandWithLabel(suite, secret, "nonce", uint32(recorded.generation), suite.aead.nonceSize)
      if (opens(suite, recorded, key, nonce)) return true
    }
    return false
  }

  #opensAsTree(recorded: RecordedMessage, secret: Uint8Array, leafCount: number, leaf: LeafIndex): boolean {
    const limits = { forwardDistanceMax: 1000, handshakeDistanceMax: 1000, skippedPerSecond: 0, skippedKeysMax: 1000 }
    const options = { limits, budget: new ForwardBudget(() => 0n, limits), journal: new Journal(false), prefix: "" }
    const tree = new SecretTree(this.#suite, { leafCount, encryption: secret.slice() }, options)
    const { key, nonce } = tree.peek(leaf, ratchetOf(recorded.message.contentType), recorded.generation)
    return opens(this.#suite, recorded, key, nonce)
  }

  /** Every run of so many bytes, once, with what follows it; text and padding are not worth trying. */
  #runs(size: number): Uint8Array[] {
    const runs = new Map<string, Uint8Array>()
    for (const bytes of this.#loot) {
      for (let at = 0; at + size <= bytes.length; at++) {
        const run = bytes.slice(at, at + size + 16).subarray(0, size)
        if (new Set(run).size >= size * 0.6) runs.set(run.join(), run)
      }
    }
    return [...runs.values()]
  }
}

/** A ciphertext and what its receivers learn of its sender. */
export interface RecordedMessage {
  readonly message: PrivateMessage
  readonly leafIndex: LeafIndex
  readonly generation: number
  readonly reuseGuard: Uint8Array
  readonly leafCount: number
}

/** Records a message, reading its sender data with the secret of a member that is in the epoch. */
export function record(bytes: Uint8Array, member: Group): RecordedMessage {
  const { wireFormat } = decode(MLSMessage, bytes)
  if (wireFormat.type !== "mlsPrivateMessage") throw new TypeError("not a private message")
  const { privateMessage } = wireFormat
  const epoch = new Map(member.records()).get("epoch")
  if (epoch === undefined) throw new TypeError("no epoch")
  const leafCount = (member.treeView().length + 1) / 2
  for (let at = 0; at + member.suite.secretSize <= epoch.length; at++) {
    try {
      const secret = epoch.subarray(at, at + member.suite.secretSize)
      return { message: privateMessage, leafCount, ...openSenderData(member.suite, privateMessage, secret) }
    } catch {
      // Not the sender data secret.
    }
  }
  throw new TypeError("the member is not in the message's epoch")
}

/** The same member, brought to life by somebody who stole its records. */
export function clone(group: Group, options: GroupOptions): Group {
  return Group.restore({ ...options, records: [...group.records()].map(([key, it]) => [key, it.slice()] as const) })
}

function opens(suite: CipherSuite, recorded: RecordedMessage, key: Uint8Array, nonce: Uint8Array): boolean {
  const { message, reuseGuard } = recorded
  const guarded = nonce.slice()
  for (let i = 0; i < 4; i++) guarded[i]! ^= reuseGuard[i]!
  return suite.aead.open(key, guarded, message.ciphertext, encode(PrivateContentAAD, message)) !== undefined
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}
