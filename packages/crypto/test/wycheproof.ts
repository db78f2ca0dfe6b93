import assert from "node:assert/strict"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { type AeadName, type CryptoProvider, type HashName, hkdfExpand, hkdfExtract } from "../src/index.js"
import type { KemGroupName, SignatureName } from "../src/provider.js"
import { bytes, hex, providers } from "./support.js"

/*
 * Project Wycheproof (github.com/C2SP/wycheproof, testvectors_v1), the files whose algorithms the providers have; of AES-GCM the
 * cases with nonces of 96 bits and tags of 128.
 */

interface Group extends Readonly<Record<string, unknown>> {
  readonly tests: readonly Case[]
  readonly publicKey?: { readonly pk?: string; readonly uncompressed?: string }
  readonly keySize?: number
  readonly ivSize?: number
  readonly tagSize?: number
}

export interface Case {
  readonly tcId: number
  readonly comment: string
  readonly flags: readonly string[]
  readonly result: "valid" | "invalid" | "acceptable"
  readonly [field: string]: unknown
}

/** What a provider says of a case: the value that it computes, or whether it accepts. `undefined` is a refusal. */
interface Asking {
  /** What of a provider is asked. */
  of(provider: CryptoProvider): object | undefined
  ask(provider: CryptoProvider, test: Case, group: Group): Answer
}
interface Answer {
  readonly isRight: boolean
  /** All that was answered, to be compared between providers. */
  readonly said: string
}

const aead = (nameOf: (group: Group) => AeadName): Asking => ({
  of: ({ aeads }) => aeads,
  ask(provider, test, group) {
    const { key, iv, aad, msg, ct, tag } = fields(test)
    const algorithm = provider.aeads[nameOf(group)]!
    if (bytes(iv).length !== algorithm.nonceSize)
      return refusal(() => algorithm.seal(bytes(key), bytes(iv), bytes(msg), bytes(aad)))
    const opened = algorithm.open(bytes(key), bytes(iv), bytes(ct + tag), bytes(aad))
    const sealed = hex(algorithm.seal(bytes(key), bytes(iv), bytes(msg), bytes(aad)))
    const isAuthentic = hex(opened) === msg && sealed === ct + tag
    return { isRight: test.result === "valid" ? isAuthentic : opened === undefined, said: `${hex(opened)} ${sealed}` }
  },
})

/** A nonce of another size is misuse, and throws. */
function refusal(call: () => unknown): Answer {
  try {
    call()
    return { isRight: false, said: "nothing" }
  } catch (error) {
    return { isRight: error instanceof RangeError, said: (error as Error).name }
  }
}

const agreement = (name: KemGroupName): Asking => ({
  of: ({ groups }) => groups[name],
  ask(provider, test) {
    const { public: peer, private: own, shared } = fields(test)
    const group = provider.groups[name]!
    const privateKey = sized(bytes(own), group.privateKeySize)
    const secret = hex(group.diffieHellman(privateKey, bytes(peer)))
    const isPublicKey = group.isPublicKey(bytes(peer))
    // JavaScript takes long over large curves: `exchange` is asked about some.
    const exchanged = test.tcId % 8 === 0 ? hex(group.exchange!(privateKey, bytes(peer))?.sharedSecret) : secret
    const isConsistent = secret === exchanged && (secret !== undefined) === isPublicKey
    const isRefusedOrRight = secret === undefined || secret === shared
    const isExpected =
      test.result === "valid" ? secret === shared : test.result === "invalid" ? secret === undefined : isRefusedOrRight
    return { isRight: isConsistent && isExpected, said: `${secret} ${isPublicKey}` }
  },
})

const signature = (name: SignatureName): Asking => ({
  of: ({ signatures }) => signatures[name],
  ask(provider, test, { publicKey }) {
    const { msg, sig } = fields(test)
    const key = bytes(publicKey!.pk ?? publicKey!.uncompressed!)
    const isVerified = provider.signatures[name]!.verify(key, bytes(msg), bytes(sig))
    return { isRight: isVerified === (test.result === "valid"), said: String(isVerified) }
  },
})

const mac = (name: HashName): Asking => ({
  of: ({ hashes }) => hashes[name],
  ask(provider, test, { tagSize }) {
    const { key, msg, tag } = fields(test)
    const computed = hex(provider.hashes[name]!.hmac(bytes(key), bytes(msg)))!
    const isSame = computed.slice(0, tagSize! / 4) === tag
    return { isRight: isSame === (test.result === "valid"), said: computed }
  },
})

const derivation = (name: HashName): Asking => ({
  of: ({ hashes }) => hashes[name],
  ask(provider, test) {
    const { ikm, salt, info, okm } = fields(test)
    const hash = provider.hashes[name]!
    try {
      const derived = hkdfExpand(hash, hkdfExtract(hash, bytes(salt), bytes(ikm)), bytes(info), test.size as number)
      return { isRight: test.result === "valid" && hex(derived) === okm, said: hex(derived)! }
    } catch (error) {
      return { isRight: test.result === "invalid" && error instanceof RangeError, said: String(error) }
    }
  },
})

/** Each file, how many of its cases apply, and how a provider is asked. */
type Files = Readonly<Record<string, { readonly cases: number; readonly asking: Asking }>>

/** In a file of its own, for JavaScript takes long. */
export const agreementsOfP521: Files = { ecdh_secp521r1_ecpoint: { cases: 661, asking: agreement("P-521") } }

export const agreements: Files = {
  ecdh_secp256r1_ecpoint: { cases: 355, asking: agreement("P-256") },
  ecdh_secp384r1_ecpoint: { cases: 790, asking: agreement("P-384") },
  x25519: { cases: 518, asking: agreement("X25519") },
  x448: { cases: 510, asking: agreement("X448") },
}

export const signatures: Files = {
  ecdsa_secp256r1_sha256: { cases: 484, asking: signature("ECDSA-P-256-SHA-256") },
  ecdsa_secp384r1_sha384: { cases: 504, asking: signature("ECDSA-P-384-SHA-384") },
  ecdsa_secp521r1_sha512: { cases: 542, asking: signature("ECDSA-P-521-SHA-512") },
  ed25519: { cases: 151, asking: signature("Ed25519") },
  ed448: { cases: 87, asking: signature("Ed448") },
}

export const symmetric: Files = {
  aes_gcm: { cases: 133, asking: aead(({ keySize }) => (keySize === 128 ? "AES-128-GCM" : "AES-256-GCM")) },
  chacha20_poly1305: { cases: 325, asking: aead(() => "ChaCha20-Poly1305") },
  hmac_sha256: { cases: 174, asking: mac("SHA-256") },
  hmac_sha384: { cases: 174, asking: mac("SHA-384") },
  hmac_sha512: { cases: 174, asking: mac("SHA-512") },
  hkdf_sha256: { cases: 86, asking: derivation("SHA-256") },
  hkdf_sha384: { cases: 83, asking: derivation("SHA-384") },
  hkdf_sha512: { cases: 83, asking: derivation("SHA-512") },
}

/**
 * JavaScript takes long over large curves: of it `npm test` asks one case in so many, and `npm run test:whole` all. Not a multiple of
 * the cases whose `exchange` is asked.
 */
const shareOf = (name: string) => (process.env.CONCLAVE_WHOLE !== "1" && /ec.*_secp(384|521)r1/.test(name) ? 11 : 1)
const isInJavaScript = ({ name }: CryptoProvider) => name === "web" || name === "portable"

/**
 * Every provider is right about every case of the files, and all say the same. One that has an algorithm of another's is not
 * asked again: the web provider has the portable one's NIST curves.
 */
export function testFiles(files: Files): void {
  for (const [name, { cases, asking }] of Object.entries(files)) {
    const share = shareOf(name)
    const part = share === 1 ? "" : ` (in JavaScript: every ${share}th)`
    const title = `Wycheproof, ${name}: every provider is right about all ${cases} cases${part}, and all say the same`
    test(title, noVectors === undefined ? {} : { skip: noVectors }, () => {
      const wrong: string[] = []
      const all = casesOf(name)
      const asked = providers.filter(
        (provider, i) => !providers.slice(0, i).some((other) => asking.of(other) === asking.of(provider)),
      )
      assert(asked.length >= 3 - (name === "x448" || name === "ed448" ? 1 : 0), "providers share everything")
      for (const [at, { test: it, group }] of all.entries()) {
        const inTurn = asked.filter((provider) => at % share === 0 || !isInJavaScript(provider))
        const answers = inTurn.map((provider) => ({ name: provider.name, ...asking.ask(provider, it, group) }))
        const [first] = answers
        for (const { name, isRight, said } of answers) {
          if (!isRight) wrong.push(`${it.tcId} ${it.result} (${it.comment}): ${name} said ${said}`)
          if (said !== first!.said)
            wrong.push(`${it.tcId} (${it.comment}): ${first!.name} said ${first!.said}, ${name} ${said}`)
        }
      }
      assert.deepEqual(wrong, [])
      assert.equal(all.length, cases)
    })
  }
}

const official = process.env.CONCLAVE_VECTORS
const beside = official === undefined ? undefined : join(dirname(official), "wycheproof")
const nearby = fileURLToPath(new URL("../../../../../shared/vectors/wycheproof", import.meta.url))
const folder =
  process.env.CONCLAVE_WYCHEPROOF ?? [beside, nearby].find((it) => it !== undefined && existsSync(it)) ?? nearby

/** Why the cases cannot be asked, where that is not a failure. */
export const noVectors: string | undefined =
  existsSync(folder) || process.env.CONCLAVE_VECTORS_REQUIRED === "1"
    ? undefined
    : `there is no ${process.env.CONCLAVE_WYCHEPROOF ?? "../shared/vectors/wycheproof"}: take testvectors_v1 from ` +
      "github.com/C2SP/wycheproof and set CONCLAVE_WYCHEPROOF to it"

/** The cases of a file that apply, each with its group. */
export function casesOf(name: string): { test: Case; group: Group }[] {
  const { testGroups } = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as { testGroups: Group[] }
  return testGroups
    .filter(({ keySize, ivSize }) => name !== "aes_gcm" || (keySize !== 192 && ivSize === 96))
    .flatMap((group) => group.tests.map((test) => ({ test, group })))
}

/** Each kind of case has some of them, in hexadecimal. */
type Field =
  | "aad"
  | "ct"
  | "ikm"
  | "info"
  | "iv"
  | "key"
  | "msg"
  | "okm"
  | "private"
  | "public"
  | "salt"
  | "shared"
  | "sig"
  | "tag"

const fields = (test: Case) => test as unknown as Readonly<Record<Field, string>>

/** Wycheproof writes scalars as numbers: with a leading zero byte, or without. */
function sized(scalar: Uint8Array, size: number): Uint8Array {
  const significant = scalar.subarray(
    Math.max(
      0,
      scalar.findIndex((byte) => byte !== 0),
    ),
  )
  if (significant.length > size) return scalar
  const whole = new Uint8Array(size)
  whole.set(scalar.length <= size ? scalar : scalar.subarray(scalar.length - size), Math.max(0, size - scalar.length))
  return whole
}
