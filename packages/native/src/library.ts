import {
  aeads,
  groups,
  hashes,
  type NativeAead,
  type NativeGroup,
  type NativeHash,
  type NativeScheme,
  schemes,
  tagSize,
} from "./algorithms.js"
import type { Binding } from "./binding.js"
import { type NativeHpke, type NativeHpkeSuite, nativeHpke } from "./hpke.js"
import { KeptMemory, SMALL_MAX } from "./memory.js"

/** A private key inside the library. */
export interface NativeKey {
  readonly publicKey: Uint8Array
  /** @throws TypeError after `destroy`. */
  sign(message: Uint8Array): Uint8Array
  /** Overwrites the key. It is overwritten when it is collected as garbage, too, and when the environment ends. */
  destroy(): void
}

/** Pieces of two memories, by place and length. Places are counted through `memory`, then `beside`. */
export interface NativeSpans {
  readonly memory: Uint8Array
  readonly beside: Uint8Array
  readonly rows: Uint32Array
}

/** Signatures that are being verified. */
export interface NativeVerification {
  /** Takes part in what is left, and says whether all verify. @throws TypeError the second time, and after `destroy`. */
  finish(): boolean
  /** Ends it without an answer. */
  destroy(): void
}

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

  /**
   * A digest for each row of `rows`, in an array of `count` digests. A row is the place among the digests that it is for, how
   * many pieces are hashed, and where each of them begins and how long it is: see {@link NativeSpans}. Behind `beside` stand
   * the digests, so that one is taken of those of earlier rows.
   *
   * @throws RangeError for a row that does not fit, and for one longer than all that it is made of.
   */
  digestAll(name: NativeHash, { memory, beside, rows }: NativeSpans, count: number): Uint8Array {
    const { number, size } = hashes[name]
    const digests = new Uint8Array(count * size)
    const kept = this.#memory
    try {
      this.#binding.digestAll(number, kept.input(memory), kept.input(beside), bytesOf(rows), digests)
      return digests
    } finally {
      kept.wipe()
    }
  }

  /**
   * The HMAC of each text under one key, cut to each of `lengths`. `texts`: each after its length in four bytes, big endian.
   *
   * @throws RangeError where there are not as many texts as lengths.
   */
  hmacAll(name: NativeHash, key: Uint8Array, texts: Uint8Array, lengths: readonly number[]): Uint8Array[] {
    const { number, size } = hashes[name]
    const memory = this.#memory
    try {
      const outputs = memory.outputs(lengths.length * size)
      this.#binding.hmacAll(number, memory.input(key), memory.input(texts), outputs)
      return lengths.map((length, i) => outputs.slice(i * size, i * size + Math.min(length, size)))
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

  /**
   * Begins to verify on other cores, and returns at once: of all that it is given there is a copy then. A row of `rows` is where
   * the public key begins and how long it is, the same of the signature, how many pieces the message has, and the same of each.
   * `threads` is at most 8, the caller's own among them; 0 means one for each core.
   *
   * @throws RangeError for a row that does not fit.
   */
  beginVerifying(name: NativeScheme, { memory, beside, rows }: NativeSpans, threads = 0): NativeVerification {
    const [binding, kept, collected] = [this.#binding, this.#memory, this.#collected]
    const held = { number: 0 }
    try {
      const scheme = schemes[name].number
      held.number = binding.verifyBegin(scheme, threads, kept.input(memory), kept.input(beside), bytesOf(rows))
    } finally {
      kept.wipe()
    }
    collected.register(held, held.number, held)
    return {
      finish() {
        collected.unregister(held)
        return binding.verifyFinish(held.number)
      },
      destroy() {
        collected.unregister(held)
        binding.destroy(held.number)
      },
    }
  }

  /** @throws RangeError where there are not as many labels as steps. */
  hpke(suite: NativeHpkeSuite): NativeHpke {
    return nativeHpke(this.#binding, this.#memory, this.#collected, suite)
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

  /** How many keys, suites and verifications the library holds. */
  get held(): number {
    return this.#binding.held()
  }
}

const bytesOf = (words: Uint32Array): Uint8Array => new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
