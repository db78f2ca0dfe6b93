import { aeads, groups, hashes, type NativeAead, type NativeGroup, type NativeHash, tagSize } from "./algorithms.js"
import type { Binding } from "./binding.js"
import type { KeptMemory } from "./memory.js"

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
   * Each recipient's own plaintext, on every core while the caller waits. `undefined` for a malformed public key among them.
   * What is returned is views of one array.
   */
  sealAll(
    message: {
      readonly info: Uint8Array
      readonly infoIsHash: boolean
      readonly authenticatedData: Uint8Array
      readonly recipients: readonly {
        readonly publicKey: Uint8Array
        readonly plaintext: Uint8Array
        readonly ephemeral: Uint8Array
      }[]
    },
    threads?: number,
  ): readonly { readonly kemOutput: Uint8Array; readonly ciphertext: Uint8Array }[] | undefined
  /** RFC 9180 §7.1.3: the key pair that follows from the material. */
  deriveKeyPair(material: Uint8Array): { readonly privateKey: Uint8Array; readonly publicKey: Uint8Array }
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

/** @throws RangeError where there are not as many labels as steps. */
export function nativeHpke(
  binding: Binding,
  memory: KeptMemory,
  collected: FinalizationRegistry<number>,
  { kem, kemHash, kdf, aead, labels }: NativeHpkeSuite,
): NativeHpke {
  const { number, publicKeySize, secretSize } = groups[kem]
  const suite = {
    number: binding.hpkeSuite(number, hashes[kemHash].number, hashes[kdf].number, aeads[aead], packed(labels)),
  }
  collected.register(suite, suite.number)
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

    sealAll({ info, infoIsHash, authenticatedData, recipients }, threads = 0) {
      const each = recipients.flatMap(({ publicKey, plaintext, ephemeral }) => [publicKey, plaintext, ephemeral])
      const given = packed(each)
      let size = 0
      for (const { plaintext } of recipients) size += publicKeySize + plaintext.length + tagSize
      const sealed = new Uint8Array(size)
      try {
        const outcome = binding.hpkeSealAll(
          suite.number,
          infoIsHash ? 1 : 0,
          threads,
          memory.input(info),
          memory.input(authenticatedData),
          given,
          sealed,
        )
        if (outcome !== 0) return undefined
      } finally {
        given.fill(0)
        memory.wipe()
      }
      let at = 0
      const take = (length: number) => {
        at += length
        return sealed.subarray(at - length, at)
      }
      return recipients.map(({ plaintext }) => ({
        kemOutput: take(publicKeySize),
        ciphertext: take(plaintext.length + tagSize),
      }))
    },

    deriveKeyPair(material) {
      try {
        const [privateKey, publicKey] = [memory.output(secretSize), memory.output(publicKeySize)]
        binding.hpkeKeyPair(suite.number, memory.input(material), privateKey, publicKey)
        return { privateKey: memory.result(privateKey), publicKey: memory.result(publicKey) }
      } finally {
        memory.wipe()
      }
    },
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
