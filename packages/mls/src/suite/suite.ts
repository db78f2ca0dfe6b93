import {
  type Aead,
  type AeadName,
  type CryptoProvider,
  type Hash,
  type HashName,
  type Hpke,
  hasKem,
  hpke,
  type SignatureName,
  type SignatureScheme,
} from "@conclave/crypto"
import { UnsupportedError } from "../errors.js"

/** Fills a new array of `length` bytes from a cryptographic generator. */
export type Random = (length: number) => Uint8Array

/** The algorithms of one cipher suite (RFC 9420 §5.1, §17.1), bound to a provider. */
export interface CipherSuite {
  readonly number: number
  readonly name: CipherSuiteName
  readonly hash: Hash
  readonly hashName: HashName
  readonly aead: Aead
  readonly hpke: Hpke
  readonly signature: SignatureScheme
  readonly signatureName: SignatureName
  /** Bytes of a secret: KDF.Nh. */
  readonly secretSize: number
  readonly provider: CryptoProvider
}

interface SuiteRow {
  readonly number: number
  /** A group, for DHKEM over it, or one of the provider's `kems`. */
  readonly kem: string
  readonly aead: AeadName
  readonly hash: HashName
  readonly signature: SignatureName
}

const suites = {
  MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519: {
    number: 1,
    kem: "X25519",
    aead: "AES-128-GCM",
    hash: "SHA-256",
    signature: "Ed25519",
  },
  MLS_128_DHKEMP256_AES128GCM_SHA256_P256: {
    number: 2,
    kem: "P-256",
    aead: "AES-128-GCM",
    hash: "SHA-256",
    signature: "ECDSA-P-256-SHA-256",
  },
  MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519: {
    number: 3,
    kem: "X25519",
    aead: "ChaCha20-Poly1305",
    hash: "SHA-256",
    signature: "Ed25519",
  },
  MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448: {
    number: 4,
    kem: "X448",
    aead: "AES-256-GCM",
    hash: "SHA-512",
    signature: "Ed448",
  },
  MLS_256_DHKEMP521_AES256GCM_SHA512_P521: {
    number: 5,
    kem: "P-521",
    aead: "AES-256-GCM",
    hash: "SHA-512",
    signature: "ECDSA-P-521-SHA-512",
  },
  MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448: {
    number: 6,
    kem: "X448",
    aead: "ChaCha20-Poly1305",
    hash: "SHA-512",
    signature: "Ed448",
  },
  MLS_256_DHKEMP384_AES256GCM_SHA384_P384: {
    number: 7,
    kem: "P-384",
    aead: "AES-256-GCM",
    hash: "SHA-384",
    signature: "ECDSA-P-384-SHA-384",
  },
} as const satisfies Record<string, SuiteRow>

export type CipherSuiteName = keyof typeof suites

/** The numbers of all suites that this library knows; a provider may lack the algorithms of some. */
export const cipherSuiteNumbers: readonly number[] = Object.values(suites).map((row) => row.number)

/** The names of all suites that this library knows (RFC 9420 §17.1). */
export const cipherSuiteNames: ReadonlyMap<number, CipherSuiteName> = new Map(
  Object.entries(suites).map(([name, row]) => [row.number, name as CipherSuiteName]),
)

/** The numbers of the suites that a provider has all algorithms for. */
export function providedSuites(provider: CryptoProvider): readonly number[] {
  const known = provided.get(provider)
  if (known !== undefined) return known
  const numbers = Object.values<SuiteRow>(suites)
    .filter((row) => hasAlgorithms(provider, row))
    .map((row) => row.number)
  provided.set(provider, numbers)
  return numbers
}

const provided = new WeakMap<CryptoProvider, readonly number[]>()

const hasAlgorithms = (provider: CryptoProvider, row: SuiteRow): boolean =>
  provider.hashes[row.hash] !== undefined &&
  provider.aeads[row.aead] !== undefined &&
  provider.signatures[row.signature] !== undefined &&
  hasKem(provider, row.kem)

/** @throws UnsupportedError for an unknown suite, or one whose algorithms the provider lacks. */
export function cipherSuite(suite: number | CipherSuiteName, provider: CryptoProvider): CipherSuite {
  const entry = Object.entries<SuiteRow>(suites).find(([name, row]) => name === suite || row.number === suite)
  if (entry === undefined) throw new UnsupportedError(`cipher suite ${suite}`)
  const [name, row] = entry
  const hash = provider.hashes[row.hash]
  const aead = provider.aeads[row.aead]
  const signature = provider.signatures[row.signature]
  if (!hash || !aead || !signature || !hasKem(provider, row.kem)) {
    throw new UnsupportedError(`cipher suite ${name} with the provider ${provider.name}`)
  }
  return {
    number: row.number,
    name: name as CipherSuiteName,
    hash,
    hashName: row.hash,
    aead,
    hpke: hpke(provider, { kem: row.kem, kdf: row.hash, aead: row.aead }),
    signature,
    signatureName: row.signature,
    secretSize: hash.size,
    provider,
  }
}
