/// <reference lib="esnext.disposable" preserve="true" />
import { ascii, concat, uint16, wipe } from "./bytes.js"
import { expandParts } from "./hkdf.js"
import { dhKemConstants, kem } from "./kem.js"
import type { Aead, AeadName, CryptoProvider, Hash, HashName, Kem, OneCallHpke } from "./provider.js"

/*
 * RFC 9180 in base mode. Extract and Expand are HKDF with the suite's name and a label in front (§4).
 *
 *   receiver's public key ── Encap(ephemeral) ──► kemOutput                                          §4.1
 *                                 │
 *                            sharedSecret        info ─ Extract ─► infoHash
 *                                 │                                   │
 *                    "" ─► Extract "secret"        mode ‖ pskIdHash ‖ infoHash = context             §5.1
 *                                 │                                   │
 *                 ┌───────────────┼────────────────────┬──────────────┘
 *            Expand "key"   Expand "base_nonce"   Expand "exp"
 *                 │               │ xor sequence       │
 *                 └─ AEAD seal ───┘               exporter secret ── Expand "sec" ──► exported       §5.2, §5.3
 */

export interface HpkeSuite {
  /** A group, for DHKEM over it, or one of the provider's `kems`. */
  readonly kem: string
  readonly kdf: HashName
  readonly aead: AeadName
}

/**
 * The digest of an `info` that several messages share. Every one of them would hash it anew: for a Welcome to n members
 * that is the whole tree n times.
 */
export interface PreparedInfo {
  readonly infoHash: Uint8Array
}

export interface HpkeKeyPair {
  readonly privateKey: Uint8Array
  readonly publicKey: Uint8Array
}

export interface HpkeSealed {
  /** The encapsulated key, of `kem.encSize` bytes. */
  readonly kemOutput: Uint8Array
  /** The plaintext's length and 16 bytes more. */
  readonly ciphertext: Uint8Array
}

/**
 * Hybrid public key encryption (RFC 9180), base mode, of one suite.
 *
 * Randomness is passed in as `ephemeral`: `kem.ephemeralSize` fresh random bytes for every call, from which DHKEM derives
 * the ephemeral key pair. They are left as they are; whoever drew them wipes them.
 */
export interface Hpke {
  readonly kem: Pick<Kem, "id" | "secretSize" | "encSize" | "publicKeySize" | "privateKeySize" | "ephemeralSize">
  /**
   * RFC 9180 §7.1.3: the key pair that belongs to input key material. The material should carry as much entropy as
   * `kem.privateKeySize` bytes.
   */
  deriveKeyPair(inputKeyMaterial: Uint8Array): HpkeKeyPair
  /** @throws RangeError where `privateKey` is no private key of the KEM. */
  publicKey(privateKey: Uint8Array): Uint8Array
  isPublicKey(bytes: Uint8Array): boolean

  /** Whether {@link sealAll} takes less time than {@link seal} for each. */
  readonly sealsTogether: boolean
  /** For many messages or contexts with the same `info`. */
  prepareInfo(info: Uint8Array): PreparedInfo
  /** @throws RangeError for a malformed public key, or an ephemeral of another size. */
  seal(
    publicKey: Uint8Array,
    message: {
      readonly info: Uint8Array | PreparedInfo
      readonly authenticatedData: Uint8Array
      readonly plaintext: Uint8Array
      readonly ephemeral: Uint8Array
    },
  ): HpkeSealed
  /**
   * `seal` to many: each its own plaintext with the same `info`, in the order of the recipients, on every core where the provider
   * can. The ciphertexts may be views of one array. @throws RangeError as `seal` does
   */
  sealAll(
    recipients: readonly {
      readonly publicKey: Uint8Array
      readonly plaintext: Uint8Array
      readonly ephemeral: Uint8Array
    }[],
    shared: { readonly info: Uint8Array | PreparedInfo; readonly authenticatedData: Uint8Array },
  ): readonly HpkeSealed[]
  /**
   * The plaintext, or `undefined` for what is not authentic, a malformed `kemOutput` included. A receiver that knows
   * its own public key passes it and saves a scalar multiplication.
   *
   * @throws RangeError where `privateKey` is no private key of the group.
   */
  open(
    privateKey: Uint8Array,
    message: {
      readonly kemOutput: Uint8Array
      readonly ciphertext: Uint8Array
      readonly info: Uint8Array
      readonly authenticatedData: Uint8Array
      readonly publicKey?: Uint8Array | undefined
    },
  ): Uint8Array | undefined
  /** @throws RangeError as `seal` does, and for a length beyond 255 digests. */
  exportTo(
    publicKey: Uint8Array,
    request: {
      readonly info: Uint8Array
      readonly exporterContext: Uint8Array
      readonly length: number
      readonly ephemeral: Uint8Array
    },
  ): { readonly kemOutput: Uint8Array; readonly exported: Uint8Array }
  /** `undefined` for a malformed `kemOutput`. Nothing authenticates what is exported until it is used. */
  exportFrom(
    privateKey: Uint8Array,
    request: {
      readonly kemOutput: Uint8Array
      readonly info: Uint8Array
      readonly exporterContext: Uint8Array
      readonly length: number
      readonly publicKey?: Uint8Array | undefined
    },
  ): Uint8Array | undefined

  /** A context for several messages and exports. @throws RangeError as `seal` does. */
  setupSender(
    publicKey: Uint8Array,
    setup: { readonly info: Uint8Array | PreparedInfo; readonly ephemeral: Uint8Array },
  ): HpkeSender
  /** `undefined` for a malformed `kemOutput`. @throws RangeError where `privateKey` is no private key of the group. */
  setupReceiver(
    privateKey: Uint8Array,
    setup: {
      readonly kemOutput: Uint8Array
      readonly info: Uint8Array | PreparedInfo
      readonly publicKey?: Uint8Array | undefined
    },
  ): HpkeReceiver | undefined
}

/** One direction of messages, numbered from 0. Disposing wipes its secrets; later calls throw `TypeError`. */
export interface HpkeSender extends Disposable {
  readonly kemOutput: Uint8Array
  seal(message: { readonly plaintext: Uint8Array; readonly authenticatedData: Uint8Array }): Uint8Array
  export(exporterContext: Uint8Array, length: number): Uint8Array
}

/** Opens messages in the order of their sealing. Disposing wipes its secrets; later calls throw `TypeError`. */
export interface HpkeReceiver extends Disposable {
  /** `undefined` for what is not authentic; the sequence number then stays where it was. */
  open(message: { readonly ciphertext: Uint8Array; readonly authenticatedData: Uint8Array }): Uint8Array | undefined
  export(exporterContext: Uint8Array, length: number): Uint8Array
}

/**
 * HPKE of one suite. The hash inside DHKEM follows from the group: X25519 and P-256 use SHA-256, P-384 SHA-384,
 * X448 and P-521 SHA-512.
 *
 * @throws TypeError where the provider lacks the KEM, one of the hashes or the AEAD.
 */
export function hpke(provider: CryptoProvider, suite: HpkeSuite): Hpke {
  const keys = kem(provider, suite.kem)
  const hash = provider.hashes[suite.kdf]
  const aead = provider.aeads[suite.aead]
  if (!hash) throw new TypeError(`provider ${provider.name} has no ${suite.kdf}`)
  if (!aead) throw new TypeError(`provider ${provider.name} has no ${suite.aead}`)
  const schedule = keySchedule(hash, aead, concat(ascii("HPKE"), uint16(keys.id), kdfId[suite.kdf], aeadId[suite.aead]))
  const oneCall = oneCallHpke(provider, suite.kem, { hash, aead, schedule })

  const isRandomness = ({ length }: Uint8Array) => length === keys.ephemeralSize
  const seal: Hpke["seal"] = (publicKey, { info, authenticatedData, plaintext, ephemeral }) => {
    if (oneCall && isRandomness(ephemeral)) {
      const [bytes, infoIsHash] = infoOf(info)
      const sealed = oneCall.seal({ publicKey, info: bytes, infoIsHash, authenticatedData, plaintext, ephemeral })
      if (!sealed) throw new RangeError(`not a public key of ${suite.kem}`)
      return sealed
    }
    const { kemOutput, sharedSecret } = keys.encapsulate(publicKey, ephemeral)
    const secrets = schedule.start(sharedSecret, info)
    const [key, nonce] = [schedule.key(secrets), schedule.baseNonce(secrets)]
    const ciphertext = aead.seal(key, nonce, plaintext, authenticatedData)
    wipe(secrets.secret, key, nonce)
    return { kemOutput, ciphertext }
  }

  return {
    kem: {
      id: keys.id,
      secretSize: keys.secretSize,
      encSize: keys.encSize,
      publicKeySize: keys.publicKeySize,
      privateKeySize: keys.privateKeySize,
      ephemeralSize: keys.ephemeralSize,
    },
    deriveKeyPair: (material) => oneCall?.deriveKeyPair?.(material) ?? keys.deriveKeyPair(material),
    publicKey: (privateKey) => keys.publicKey(privateKey),
    isPublicKey: (bytes) => keys.isPublicKey(bytes),

    prepareInfo: (info) => ({ infoHash: schedule.infoHash(info) }),

    seal,
    sealsTogether: oneCall?.sealAll !== undefined,

    sealAll(recipients, { info, authenticatedData }) {
      if (oneCall?.sealAll && recipients.every(({ ephemeral }) => isRandomness(ephemeral))) {
        const [bytes, infoIsHash] = infoOf(info)
        const sealed = oneCall.sealAll({ info: bytes, infoIsHash, authenticatedData, recipients })
        if (sealed) return sealed
      }
      return recipients.map(({ publicKey, ...message }) => seal(publicKey, { ...message, info, authenticatedData }))
    },

    open(privateKey, { kemOutput, ciphertext, info, authenticatedData, publicKey = empty }) {
      if (oneCall) {
        const [bytes, infoIsHash] = infoOf(info)
        return oneCall.open({
          privateKey,
          publicKey,
          kemOutput,
          info: bytes,
          infoIsHash,
          authenticatedData,
          ciphertext,
        })
      }
      const sharedSecret = keys.decapsulate(privateKey, kemOutput, publicKey.length > 0 ? publicKey : undefined)
      if (!sharedSecret) return undefined
      const secrets = schedule.start(sharedSecret, info)
      const [key, nonce] = [schedule.key(secrets), schedule.baseNonce(secrets)]
      const plaintext = aead.open(key, nonce, ciphertext, authenticatedData)
      wipe(secrets.secret, key, nonce)
      return plaintext
    },

    exportTo(publicKey, { info, exporterContext, length, ephemeral }) {
      const { kemOutput, sharedSecret } = keys.encapsulate(publicKey, ephemeral)
      return { kemOutput, exported: exportOnce(sharedSecret, info, exporterContext, length) }
    },

    exportFrom(privateKey, { kemOutput, info, exporterContext, length, publicKey }) {
      const sharedSecret = keys.decapsulate(privateKey, kemOutput, publicKey)
      return sharedSecret && exportOnce(sharedSecret, info, exporterContext, length)
    },

    setupSender(publicKey, { info, ephemeral }) {
      const { kemOutput, sharedSecret } = keys.encapsulate(publicKey, ephemeral)
      const context = new Context(aead, schedule, sharedSecret, info)
      return {
        kemOutput,
        seal: ({ plaintext, authenticatedData }) => context.seal(plaintext, authenticatedData),
        export: (exporterContext, length) => context.export(exporterContext, length),
        [Symbol.dispose]: () => context.destroy(),
      }
    },

    setupReceiver(privateKey, { kemOutput, info, publicKey }) {
      const sharedSecret = keys.decapsulate(privateKey, kemOutput, publicKey)
      if (!sharedSecret) return undefined
      const context = new Context(aead, schedule, sharedSecret, info)
      return {
        open: ({ ciphertext, authenticatedData }) => context.open(ciphertext, authenticatedData),
        export: (exporterContext, length) => context.export(exporterContext, length),
        [Symbol.dispose]: () => context.destroy(),
      }
    },
  }

  function exportOnce(sharedSecret: Uint8Array, info: Uint8Array, exporterContext: Uint8Array, length: number) {
    const secrets = schedule.start(sharedSecret, info)
    const exporterSecret = schedule.exporterSecret(secrets)
    wipe(secrets.secret)
    try {
      return schedule.export(exporterSecret, exporterContext, length)
    } finally {
      wipe(exporterSecret)
    }
  }
}

/** Where the provider does DHKEM, the key schedule and the AEAD in one call. */
function oneCallHpke(
  provider: CryptoProvider,
  kemName: string,
  { hash, aead, schedule }: { hash: Hash; aead: Aead; schedule: KeySchedule },
): OneCallHpke | undefined {
  const constants = provider.hpke && dhKemConstants(provider, kemName)
  if (!constants) return undefined
  const { group, hash: kemHash, labels } = constants
  return provider.hpke!({ group, kemHash, kdfHash: hash, aead, labels: [...labels, ...schedule.labels] })
}

function infoOf(info: Uint8Array | PreparedInfo): [bytes: Uint8Array, isHash: boolean] {
  return info instanceof Uint8Array ? [info, false] : [info.infoHash, true]
}

class Context {
  readonly #aead: Aead
  readonly #schedule: KeySchedule
  readonly #key: Uint8Array
  readonly #baseNonce: Uint8Array
  readonly #exporterSecret: Uint8Array
  readonly #nonce: Uint8Array
  #sequence = 0
  #destroyed = false

  constructor(aead: Aead, schedule: KeySchedule, sharedSecret: Uint8Array, info: Uint8Array | PreparedInfo) {
    const secrets = schedule.start(sharedSecret, info)
    this.#aead = aead
    this.#schedule = schedule
    this.#key = schedule.key(secrets)
    this.#baseNonce = schedule.baseNonce(secrets)
    this.#exporterSecret = schedule.exporterSecret(secrets)
    this.#nonce = new Uint8Array(aead.nonceSize)
    wipe(secrets.secret)
  }

  seal(plaintext: Uint8Array, authenticatedData: Uint8Array): Uint8Array {
    const ciphertext = this.#aead.seal(this.#key, this.#nextNonce(), plaintext, authenticatedData)
    this.#sequence++
    return ciphertext
  }

  open(ciphertext: Uint8Array, authenticatedData: Uint8Array): Uint8Array | undefined {
    const plaintext = this.#aead.open(this.#key, this.#nextNonce(), ciphertext, authenticatedData)
    if (plaintext) this.#sequence++
    return plaintext
  }

  export(exporterContext: Uint8Array, length: number): Uint8Array {
    this.#refuseDestroyed()
    return this.#schedule.export(this.#exporterSecret, exporterContext, length)
  }

  destroy(): void {
    this.#destroyed = true
    wipe(this.#key, this.#baseNonce, this.#exporterSecret, this.#nonce)
  }

  /** RFC 9180 §5.2: the sequence number, in big endian and as long as the nonce, exclusive-or the base nonce. */
  #nextNonce(): Uint8Array {
    this.#refuseDestroyed()
    // The RFC's limit of 2⁹⁶ is beyond what a number counts.
    if (this.#sequence >= Number.MAX_SAFE_INTEGER) throw new RangeError("message limit of the HPKE context reached")
    const nonce = this.#nonce
    nonce.set(this.#baseNonce)
    for (let rest = this.#sequence, i = nonce.length - 1; rest > 0; rest = Math.floor(rest / 256), i--) {
      nonce[i] = nonce[i]! ^ (rest % 256)
    }
    return nonce
  }

  #refuseDestroyed(): void {
    if (this.#destroyed) throw new TypeError("the HPKE context is disposed")
  }
}

interface Secrets {
  readonly secret: Uint8Array
  readonly infoHash: Uint8Array
}

type KeySchedule = ReturnType<typeof keySchedule>

/** RFC 9180 §5.1 of one suite: every constant is spelled out once. */
function keySchedule(hash: Hash, aead: Aead, suiteId: Uint8Array) {
  const extractLabel = (label: string) => concat(ascii("HPKE-v1"), suiteId, ascii(label))
  const expandLabel = (label: string, length: number) => concat(uint16(length), extractLabel(label))
  const infoLabel = extractLabel("info_hash")
  const secretLabel = extractLabel("secret")
  const keyLabel = expandLabel("key", aead.keySize)
  const nonceLabel = expandLabel("base_nonce", aead.nonceSize)
  const exporterLabel = expandLabel("exp", hash.size)
  const exportLabel = extractLabel("sec")
  const modeBase = Uint8Array.of(0)
  const contextHead = concat(modeBase, hash.hmac(new Uint8Array(0), extractLabel("psk_id_hash")))

  const infoHashOf = (info: Uint8Array) => hash.hmac(empty, infoLabel, info)

  return {
    labels: [infoLabel, secretLabel, keyLabel, nonceLabel, contextHead],
    infoHash: infoHashOf,
    /** Consumes the shared secret: it is wiped. */
    start(sharedSecret: Uint8Array, info: Uint8Array | PreparedInfo): Secrets {
      const infoHash = info instanceof Uint8Array ? infoHashOf(info) : info.infoHash
      const secret = hash.hmac(sharedSecret, secretLabel)
      wipe(sharedSecret)
      return { secret, infoHash }
    },
    key: ({ secret, infoHash }: Secrets) => expandParts(hash, secret, aead.keySize, keyLabel, contextHead, infoHash),
    baseNonce: ({ secret, infoHash }: Secrets) =>
      expandParts(hash, secret, aead.nonceSize, nonceLabel, contextHead, infoHash),
    exporterSecret: ({ secret, infoHash }: Secrets) =>
      expandParts(hash, secret, hash.size, exporterLabel, contextHead, infoHash),
    export: (exporterSecret: Uint8Array, exporterContext: Uint8Array, length: number) =>
      expandParts(hash, exporterSecret, length, uint16(length), exportLabel, exporterContext),
  }
}

const empty = new Uint8Array(0)

// RFC 9180 §7.2 and §7.3.
const kdfId: Record<HashName, Uint8Array> = {
  "SHA-256": uint16(0x0001),
  "SHA-384": uint16(0x0002),
  "SHA-512": uint16(0x0003),
}
const aeadId: Record<AeadName, Uint8Array> = {
  "AES-128-GCM": uint16(0x0001),
  "AES-256-GCM": uint16(0x0002),
  "ChaCha20-Poly1305": uint16(0x0003),
}
