import { hkdfExpand, hkdfExtract } from "@conclave/crypto"
import type { CipherSuite } from "@conclave/mls"
import type { LeafSignature } from "./full-tree.js"
import { kdfLabel, none } from "./labels.js"

/**
 * The cryptographic calls that an operation of RFC 9420 cannot avoid, one after the other with inputs of the right
 * size, on the same provider and in the same process as what is measured against them: the least that any
 * implementation on these primitives takes. No encoding, no validation, no bookkeeping; labels are encoded beforehand.
 */
export interface Floor {
  encrypt(): void
  decrypt(): void
  /** A commit with a path that adds one member, and its Welcome with the tree inside. */
  add(): void
  join(): void
  /** A commit with a path and nothing else. */
  commit(): void
  process(): void
}

/** `signatures`: those of the leaves of a group of that size. */
export function floor(suite: CipherSuite, signatures: readonly LeafSignature[]): Floor {
  const calls = new Primitives(suite)
  const size = signatures.length
  const depth = Math.ceil(Math.log2(size))
  const treeSize = size * LEAF_BYTES + (size - 1) * PARENT_BYTES
  const commitSize = 1200 + depth * 150

  const protect = (bytes: number) => {
    // Sender data and content: a key and a nonce each, and the ratchet's next secret.
    calls.expand(5)
    calls.seal(bytes)
    calls.seal(SENDER_DATA_BYTES)
    calls.random(4)
  }
  // The way down the secret tree to the sender's leaf, which nobody has gone in a new epoch, and its two ratchets.
  const growRatchets = () => calls.expand(2 * depth + 2)
  const unprotect = (bytes: number) => {
    calls.expand(5)
    calls.open(bytes)
    calls.open(SENDER_DATA_BYTES)
  }
  // Draws a leaf key pair and derives one for every step of the path; hashes the tree along it, twice, for the parent
  // hashes and for the tree hash; signs the leaf.
  const path = () => {
    calls.random(2 * suite.secretSize)
    calls.deriveKeyPair(1 + depth)
    calls.expand(2 * depth)
    calls.hash(2 * depth + 1, PARENT_BYTES + 70)
    calls.sign(300)
    calls.sealTo(depth, suite.secretSize)
  }
  // Transcript, joiner, welcome, epoch and the nine secrets that follow from it, the first two of the secret tree.
  const schedule = () => {
    calls.hash(2, commitSize)
    calls.extract(2)
    calls.expand(14)
    calls.hmac()
  }
  return {
    encrypt: () => {
      calls.sign(MESSAGE_BYTES + 300)
      protect(MESSAGE_BYTES + 120)
    },
    decrypt: () => {
      unprotect(MESSAGE_BYTES + 120)
      calls.verify(MESSAGE_BYTES + 300)
    },
    add: () => {
      calls.verify(300)
      calls.verify(300)
      path()
      calls.sign(commitSize)
      schedule()
      growRatchets()
      protect(commitSize)
      // The Welcome: GroupInfo, the tree in it, and the secrets for one.
      calls.sign(treeSize + 300)
      calls.expand(2)
      calls.seal(treeSize + 300)
      calls.hash(1, 400)
      calls.hash(1, treeSize + 300)
      calls.sealTo(1, 2 * suite.secretSize)
    },
    join: () => {
      calls.hash(1, treeSize + 300)
      calls.openTo(2 * suite.secretSize)
      calls.extract(1)
      calls.expand(3)
      calls.open(treeSize + 300)
      calls.verify(treeSize + 300)
      for (const { publicKey, message, signature } of signatures) suite.signature.verify(publicKey, message, signature)
      calls.hash(size, LEAF_BYTES)
      // Tree hash and parent hash of every parent.
      calls.hash(2 * (size - 1), PARENT_BYTES + 70)
      calls.deriveKeyPair(depth)
      calls.expand(2 * depth)
      calls.extract(1)
      calls.expand(13)
      calls.hash(1, 100)
      calls.hmac()
    },
    commit: () => {
      path()
      calls.sign(commitSize)
      schedule()
      growRatchets()
      protect(commitSize)
    },
    process: () => {
      growRatchets()
      unprotect(commitSize)
      calls.verify(commitSize)
      calls.verify(300)
      calls.openTo(suite.secretSize)
      // The lowest common ancestor of the contestants is the second step.
      calls.deriveKeyPair(depth - 1)
      calls.expand(2 * (depth - 1))
      calls.hash(2 * depth + 1, PARENT_BYTES + 70)
      schedule()
    },
  }
}

export const MESSAGE_BYTES = 1024
const SENDER_DATA_BYTES = 12
/** A leaf of the synthetic groups, and a parent, with a curve of 32 bytes. */
const LEAF_BYTES = 200
const PARENT_BYTES = 72

/** Each primitive with prepared inputs. */
class Primitives {
  readonly #suite: CipherSuite
  readonly #key
  readonly #kem
  readonly #secret
  readonly #label
  readonly #buffers = new Map<number, Uint8Array>()
  readonly #sealed = new Map<number, Uint8Array>()
  readonly #signed = new Map<number, Uint8Array>()
  readonly #sealedTo = new Map<number, { readonly kemOutput: Uint8Array; readonly ciphertext: Uint8Array }>()
  readonly #aeadKey
  readonly #nonce

  constructor(suite: CipherSuite) {
    const { random } = suite.provider
    this.#suite = suite
    this.#key = suite.signature.generate(random)
    this.#kem = suite.hpke.deriveKeyPair(random(suite.secretSize))
    this.#secret = random(suite.secretSize)
    this.#label = kdfLabel("secret", new Uint8Array(4), suite.secretSize)
    this.#aeadKey = random(suite.aead.keySize)
    this.#nonce = random(suite.aead.nonceSize)
  }

  random(length: number): void {
    this.#suite.provider.random(length)
  }

  sign(length: number): void {
    this.#key.sign(this.#bytes(length))
  }

  verify(length: number): void {
    const signature = remembered(this.#signed, length, () => this.#key.sign(this.#bytes(length)))
    this.#suite.signature.verify(this.#key.publicKey, this.#bytes(length), signature)
  }

  expand(times: number): void {
    for (let i = 0; i < times; i++) hkdfExpand(this.#suite.hash, this.#secret, this.#label, this.#suite.secretSize)
  }

  extract(times: number): void {
    for (let i = 0; i < times; i++) hkdfExtract(this.#suite.hash, this.#secret, this.#secret)
  }

  hmac(): void {
    this.#suite.hash.hmac(this.#secret, this.#secret)
  }

  hash(times: number, length: number): void {
    for (let i = 0; i < times; i++) this.#suite.hash.digest(this.#bytes(length))
  }

  seal(length: number): void {
    this.#suite.aead.seal(this.#aeadKey, this.#nonce, this.#bytes(length), this.#bytes(64))
  }

  open(length: number): void {
    const { aead } = this.#suite
    const seal = () => aead.seal(this.#aeadKey, this.#nonce, this.#bytes(length), this.#bytes(64))
    aead.open(this.#aeadKey, this.#nonce, remembered(this.#sealed, length, seal), this.#bytes(64))
  }

  deriveKeyPair(times: number): void {
    for (let i = 0; i < times; i++) this.#suite.hpke.deriveKeyPair(this.#secret)
  }

  sealTo(times: number, length: number): void {
    const info = this.#suite.hpke.prepareInfo(this.#bytes(150))
    for (let i = 0; i < times; i++) {
      const ephemeral = this.#suite.provider.random(this.#suite.hpke.kem.privateKeySize)
      const plaintext = this.#bytes(length)
      this.#suite.hpke.seal(this.#kem.publicKey, { info, authenticatedData: none, plaintext, ephemeral })
    }
  }

  openTo(length: number): void {
    const { hpke, provider } = this.#suite
    const [info, authenticatedData] = [this.#bytes(150), none]
    const sealed = remembered(this.#sealedTo, length, () => {
      const ephemeral = provider.random(hpke.kem.privateKeySize)
      return hpke.seal(this.#kem.publicKey, { info, authenticatedData, plaintext: this.#bytes(length), ephemeral })
    })
    hpke.open(this.#kem.privateKey, { ...sealed, info, authenticatedData, publicKey: this.#kem.publicKey })
  }

  #bytes(length: number): Uint8Array {
    return remembered(this.#buffers, length, () => this.#suite.provider.random(length))
  }
}

function remembered<K, V>(known: Map<K, V>, key: K, make: () => V): V {
  let value = known.get(key)
  if (value === undefined) {
    value = make()
    known.set(key, value)
  }
  return value
}
