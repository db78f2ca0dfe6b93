import type { Binding } from "./binding.js"
import { KeptMemory, SMALL_MAX } from "./memory.js"

export type NativeHash = "SHA-256" | "SHA-384" | "SHA-512"
export type NativeAead = "AES-128-GCM" | "AES-256-GCM" | "ChaCha20-Poly1305"
export type NativeGroup = "X25519" | "P-256" | "P-384" | "P-521"
export type NativeScheme = "Ed25519" | "ECDSA-P-256-SHA-256" | "ECDSA-P-384-SHA-384" | "ECDSA-P-521-SHA-512"

/** A private key inside the library. */
export interface NativeKey {
  readonly publicKey: Uint8Array
  /** @throws TypeError after `destroy`. */
  sign(message: Uint8Array): Uint8Array
  /** Overwrites the key. It is overwritten when it is collected as garbage, too, and when the environment ends. */
  destroy(): void
}

/** What is constant in a suite of HPKE (RFC 9180). */
export interface NativeHpkeSuite {
  readonly kem: NativeGroup
  readonly kemHash: NativeHash
  readonly kdf: NativeHash
  readonly aead: NativeAead
  /** What stands before the input of each step, in the order of `Label` in `rust/src/hpke.rs`. */
  readonly labels: readonly Uint8Array[]
}

/** HPKE in base mode, one message to a call. `infoIsHash`: whether `info` is its hash already. */
export interface NativeHpke {
  /** `undefined` for a malformed public key. */
  seal(message: {
    readonly publicKey: Uint8Array
    readonly info: Uint8Array
    readonly infoIsHash: boolean
    readonly authenticatedData: Uint8Array
    readonly plaintext: Uint8Array
    readonly ephemeral: Uint8Array
  }): { readonly kemOutput: Uint8Array; readonly ciphertext: Uint8Array } | undefined
  /**
   * `undefined` for what is not authentic. An empty `publicKey` is computed.
   *
   * @throws RangeError for a malformed private key.
   */
  open(message: {
    readonly privateKey: Uint8Array
    readonly publicKey: Uint8Array
    readonly kemOutput: Uint8Array
    readonly info: Uint8Array
    readonly infoIsHash: boolean
    readonly authenticatedData: Uint8Array
    readonly ciphertext: Uint8Array
  }): Uint8Array | undefined
}

// The numbers are those of `rust/src/exports.rs`.
const hashes: Readonly<Record<NativeHash, { readonly number: number; readonly size: number }>> = {
  "SHA-256": { number: 0, size: 32 },
  "SHA-384": { number: 1, size: 48 },
  "SHA-512": { number: 2, size: 64 },
}
const aeads: Readonly<Record<NativeAead, number>> = { "AES-128-GCM": 0, "AES-256-GCM": 1, "ChaCha20-Poly1305": 2 }
const groups: Readonly<
  Record<NativeGroup, { readonly number: number; readonly publicKeySize: number; readonly secretSize: number }>
> = {
  X25519: { number: 0, publicKeySize: 32, secretSize: 32 },
  "P-256": { number: 1, publicKeySize: 65, secretSize: 32 },
  "P-384": { number: 2, publicKeySize: 97, secretSize: 48 },
  "P-521": { number: 3, publicKeySize: 133, secretSize: 66 },
}
/** `signatureSizeMax` of ECDSA: two integers of the order's size and DER's around them. */
const schemes: Readonly<
  Record<NativeScheme, { readonly number: number; readonly publicKeySize: number; readonly signatureSizeMax: number }>
> = {
  Ed25519: { number: 0, publicKeySize: 32, signatureSizeMax: 64 },
  "ECDSA-P-256-SHA-256": { number: 1, publicKeySize: 65, signatureSizeMax: 72 },
  "ECDSA-P-384-SHA-384": { number: 2, publicKeySize: 97, signatureSizeMax: 104 },
  "ECDSA-P-521-SHA-512": { number: 3, publicKeySize: 133, signatureSizeMax: 139 },
}
const tagSize = 16
const mlKem768Sizes = { publicKey: 1184, privateKey: 2400, ciphertext: 1088, secret: 32 }

/** Up to so many random bytes come from a block that was drawn before: a call costs more than they do. */
const DRAWN_MAX = 256
const BLOCK_BYTES = 4096

/**
 * The primitives, each answering with new arrays. What may be asked at all is for the caller to check: lengths of keys and
 * nonces, encodings, points of small order.
 */
export class NativeLibrary {
  readonly #binding: Binding
  readonly #memory = new KeptMemory()
  readonly #collected: FinalizationRegistry<number>
  readonly #block = new Uint8Array(BLOCK_BYTES)
  #drawn = BLOCK_BYTES

  constructor(binding: Binding) {
    this.#binding = binding
    this.#collected = new FinalizationRegistry((number) => binding.destroy(number))
  }

  /** Bytes of the library's generator. They are overwritten in the block that they come from. */
  random(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    if (length > DRAWN_MAX) {
      this.#binding.random(bytes)
      return bytes
    }
    if (this.#drawn + length > BLOCK_BYTES) {
      this.#binding.random(this.#block)
      this.#drawn = 0
    }
    const end = this.#drawn + length
    bytes.set(this.#block.subarray(this.#drawn, end))
    this.#block.fill(0, this.#drawn, end)
    this.#drawn = end
    return bytes
  }

  digest(name: NativeHash, parts: readonly Uint8Array[]): Uint8Array {
    const { number, size } = hashes[name]
    const memory = this.#memory
    try {
      const output = memory.output(size)
      this.#binding.digest(number, memory.joined(parts), output)
      return memory.result(output)
    } finally {
      memory.wipe()
    }
  }

  hmac(name: NativeHash, key: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
    const { number, size } = hashes[name]
    const memory = this.#memory
    try {
      const output = memory.output(size)
      this.#binding.hmac(number, memory.input(key), memory.joined(parts), output)
      return memory.result(output)
    } finally {
      memory.wipe()
    }
  }

  seal(
    name: NativeAead,
    key: Uint8Array,
    nonce: Uint8Array,
    plaintext: Uint8Array,
    authenticatedData: Uint8Array,
  ): Uint8Array {
    const memory = this.#memory
    try {
      const ciphertext = memory.output(plaintext.length + tagSize)
      this.#binding.seal(
        aeads[name],
        memory.input(key),
        memory.input(nonce),
        memory.input(plaintext),
        memory.input(authenticatedData),
        ciphertext,
      )
      return memory.result(ciphertext)
    } finally {
      memory.wipe()
    }
  }

  /** {@link seal} into `output`, of the plaintext's length and 16 bytes more, which overlaps no other argument. */
  sealTo(
    name: NativeAead,
    key: Uint8Array,
    nonce: Uint8Array,
    plaintext: Uint8Array,
    authenticatedData: Uint8Array,
    output: Uint8Array,
  ): void {
    const memory = this.#memory
    try {
      const ciphertext = output.length > SMALL_MAX ? output : memory.output(output.length)
      this.#binding.seal(
        aeads[name],
        memory.input(key),
        memory.input(nonce),
        memory.input(plaintext),
        memory.input(authenticatedData),
        ciphertext,
      )
      if (ciphertext !== output) output.set(ciphertext)
    } finally {
      memory.wipe()
    }
  }

  /** `undefined` for what is not authentic. The ciphertext has at least a tag. */
  open(
    name: NativeAead,
    key: Uint8Array,
    nonce: Uint8Array,
    ciphertext: Uint8Array,
    authenticatedData: Uint8Array,
  ): Uint8Array | undefined {
    const memory = this.#memory
    try {
      const plaintext = memory.output(ciphertext.length - tagSize)
      const isAuthentic = this.#binding.open(
        aeads[name],
        memory.input(key),
        memory.input(nonce),
        memory.input(ciphertext),
        memory.input(authenticatedData),
        plaintext,
      )
      return isAuthentic ? memory.result(plaintext) : undefined
    } finally {
      memory.wipe()
    }
  }

  /** `undefined` where the bytes are no private key. */
  publicKey(name: NativeGroup, privateKey: Uint8Array): Uint8Array | undefined {
    const { number, publicKeySize } = groups[name]
    const memory = this.#memory
    try {
      const output = memory.output(publicKeySize)
      return this.#binding.publicKey(number, memory.input(privateKey), output) ? memory.result(output) : undefined
    } finally {
      memory.wipe()
    }
  }

  /** `undefined` where either is no key, and for a peer of low order. */
  multiply(name: NativeGroup, privateKey: Uint8Array, peer: Uint8Array): Uint8Array | undefined {
    const { number, secretSize } = groups[name]
    const memory = this.#memory
    try {
      const output = memory.output(secretSize)
      const isDone = this.#binding.multiply(number, memory.input(privateKey), memory.input(peer), output)
      return isDone ? memory.result(output) : undefined
    } finally {
      memory.wipe()
    }
  }

  /** `multiply` and `publicKey` of one private key. */
  exchange(
    name: NativeGroup,
    privateKey: Uint8Array,
    peer: Uint8Array,
  ): { publicKey: Uint8Array; sharedSecret: Uint8Array } | undefined {
    const { number, publicKeySize, secretSize } = groups[name]
    const memory = this.#memory
    try {
      const publicKey = memory.output(publicKeySize)
      const secret = memory.output(secretSize)
      const [own, other] = [memory.input(privateKey), memory.input(peer)]
      if (!this.#binding.exchange(number, own, other, publicKey, secret)) return undefined
      return { publicKey: memory.result(publicKey), sharedSecret: memory.result(secret) }
    } finally {
      memory.wipe()
    }
  }

  isOnCurve(name: Exclude<NativeGroup, "X25519">, point: Uint8Array): boolean {
    const memory = this.#memory
    try {
      return this.#binding.isOnCurve(groups[name].number, memory.input(point))
    } finally {
      memory.wipe()
    }
  }

  /** @throws RangeError for what is no private key. */
  importKey(name: NativeScheme, privateKey: Uint8Array): NativeKey {
    const { number, publicKeySize, signatureSizeMax } = schemes[name]
    const [binding, memory, collected] = [this.#binding, this.#memory, this.#collected]
    const publicKey = new Uint8Array(publicKeySize)
    // What is registered is what the functions refer to, with or without the object around them.
    const held = { number: 0 }
    try {
      const written = memory.output(publicKeySize)
      held.number = binding.importKey(number, memory.input(privateKey), written)
      publicKey.set(written)
    } finally {
      memory.wipe()
    }
    collected.register(held, held.number, held)
    return {
      publicKey,
      sign(message) {
        try {
          const signature = memory.output(signatureSizeMax)
          const length = binding.sign(held.number, memory.input(message), signature)
          return signature.slice(0, length)
        } finally {
          memory.wipe()
        }
      },
      destroy() {
        binding.destroy(held.number)
        collected.unregister(held)
      },
    }
  }

  verify(name: NativeScheme, publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
    const memory = this.#memory
    try {
      return this.#binding.verify(
        schemes[name].number,
        memory.input(publicKey),
        memory.input(message),
        memory.input(signature),
      )
    } finally {
      memory.wipe()
    }
  }

  /**
   * Whether all signatures verify, on every core, while the caller waits. `packed`: public key, message and signature, each
   * after its length in four bytes, big endian. `threads` is at most 8; 0 means one for each core.
   *
   * @throws RangeError for what ends too early.
   */
  verifyAll(name: NativeScheme, packed: Uint8Array, threads = 0): boolean {
    return this.#binding.verifyAll(schemes[name].number, threads, packed)
  }

  /** `verifyAll` of a copy, on other threads: the event loop goes on. */
  async verifyLater(name: NativeScheme, packed: Uint8Array, threads = 0): Promise<boolean> {
    return await this.#binding.verifyLater(schemes[name].number, threads, packed)
  }

  /** @throws RangeError where there are not as many labels as steps. */
  hpke({ kem, kemHash, kdf, aead, labels }: NativeHpkeSuite): NativeHpke {
    const { number, publicKeySize } = groups[kem]
    const [binding, memory] = [this.#binding, this.#memory]
    const suite = {
      number: binding.hpkeSuite(number, hashes[kemHash].number, hashes[kdf].number, aeads[aead], packed(labels)),
    }
    this.#collected.register(suite, suite.number)
    return {
      seal({ publicKey, info, infoIsHash, authenticatedData, plaintext, ephemeral }) {
        try {
          const kemOutput = memory.output(publicKeySize)
          const ciphertext = memory.output(plaintext.length + tagSize)
          const outcome = binding.hpkeSeal(
            suite.number,
            infoIsHash ? 1 : 0,
            memory.input(publicKey),
            memory.input(info),
            memory.input(authenticatedData),
            memory.input(plaintext),
            memory.input(ephemeral),
            kemOutput,
            ciphertext,
          )
          if (outcome !== 0) return undefined
          return { kemOutput: memory.result(kemOutput), ciphertext: memory.result(ciphertext) }
        } finally {
          memory.wipe()
        }
      },

      open({ privateKey, publicKey, kemOutput, info, infoIsHash, authenticatedData, ciphertext }) {
        try {
          const plaintext = memory.output(Math.max(0, ciphertext.length - tagSize))
          const outcome = binding.hpkeOpen(
            suite.number,
            infoIsHash ? 1 : 0,
            memory.input(privateKey),
            memory.input(publicKey),
            memory.input(kemOutput),
            memory.input(info),
            memory.input(authenticatedData),
            memory.input(ciphertext),
            plaintext,
          )
          if (outcome === 2) throw new RangeError(`not a private key of ${kem}`)
          return outcome === 0 ? memory.result(plaintext) : undefined
        } finally {
          memory.wipe()
        }
      },
    }
  }

  /** FIPS 203's ML-KEM-768, from seeds: `seed` of 64 bytes for a key pair, of 32 to encapsulate. */
  readonly mlKem768 = {
    keyPair: (seed: Uint8Array): { publicKey: Uint8Array; privateKey: Uint8Array } => {
      const publicKey = new Uint8Array(mlKem768Sizes.publicKey)
      const privateKey = new Uint8Array(mlKem768Sizes.privateKey)
      this.#binding.mlKem768KeyPair(seed, publicKey, privateKey)
      return { publicKey, privateKey }
    },

    /** `undefined` for a public key that is not reduced. */
    encapsulate: (
      publicKey: Uint8Array,
      seed: Uint8Array,
    ): { ciphertext: Uint8Array; sharedSecret: Uint8Array } | undefined => {
      const ciphertext = new Uint8Array(mlKem768Sizes.ciphertext)
      const sharedSecret = new Uint8Array(mlKem768Sizes.secret)
      const isDone = this.#binding.mlKem768Encapsulate(publicKey, seed, ciphertext, sharedSecret)
      return isDone ? { ciphertext, sharedSecret } : undefined
    },

    /** `undefined` for a private key that contradicts itself. A ciphertext of others gives a secret that nobody has. */
    decapsulate: (privateKey: Uint8Array, ciphertext: Uint8Array): Uint8Array | undefined => {
      const sharedSecret = new Uint8Array(mlKem768Sizes.secret)
      return this.#binding.mlKem768Decapsulate(privateKey, ciphertext, sharedSecret) ? sharedSecret : undefined
    },
  }

  /** How many keys and suites the library holds. */
  get held(): number {
    return this.#binding.held()
  }
}

/** Each label after its length in four bytes, big endian. */
function packed(labels: readonly Uint8Array[]): Uint8Array {
  let size = 0
  for (const label of labels) size += 4 + label.length
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const label of labels) {
    view.setUint32(at, label.length)
    bytes.set(label, at + 4)
    at += 4 + label.length
  }
  return bytes
}
