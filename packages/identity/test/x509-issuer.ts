import { constants, generateKeyPairSync, type KeyObject, sign } from "node:crypto"

/** A certificate authority for tests that encodes DER itself, so that it can issue whatever RFC 5280 forbids. */

export const day = 86_400_000
export const at = new Date("2026-11-01T00:00:00Z")

export function tlv(tag: number, ...parts: readonly (Uint8Array | string)[]): Buffer {
  const content = Buffer.concat(parts.map((it) => (typeof it === "string" ? Buffer.from(it) : it)))
  const size = content.length
  const header = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff]
  return Buffer.concat([Uint8Array.of(tag, ...header), content])
}

export const sequence = (...parts: readonly Uint8Array[]) => tlv(0x30, ...parts)
const nothing = Buffer.from("0500", "hex")
const bits = (bytes: Uint8Array) => tlv(3, Uint8Array.of(0), bytes)

export function oid(dotted: string): Buffer {
  const [first, second, ...rest] = dotted.split(".").map(Number)
  const arcs = rest.flatMap((arc) => {
    const bytes = [arc & 0x7f]
    for (let more = arc >>> 7; more > 0; more >>>= 7) bytes.unshift(0x80 | (more & 0x7f))
    return bytes
  })
  return tlv(6, Uint8Array.of(first! * 40 + second!, ...arcs))
}

/** `CN=alice` or `O=Example,CN=alice`, with `E=` for an e-mail address. */
export function distinguishedName(text: string): Buffer {
  const types: Readonly<Record<string, string>> = { CN: "2.5.4.3", O: "2.5.4.10", E: "1.2.840.113549.1.9.1" }
  const attributes = text === "" ? [] : text.split(",").map((it) => it.split("="))
  const rdn = ([type, value]: string[]) =>
    tlv(0x31, sequence(oid(types[type!]!), tlv(type === "E" ? 0x16 : 0x0c, value!)))
  return sequence(...attributes.map(rdn))
}

/** Context tags of GeneralName (RFC 5280 §4.2.1.6). */
export const email = (text: string) => tlv(0x81, text)
export const dns = (text: string) => tlv(0x82, text)
export const uri = (text: string) => tlv(0x86, text)
export const ip = (...bytes: number[]) => tlv(0x87, Uint8Array.from(bytes))
export const directory = (text: string) => tlv(0xa4, distinguishedName(text))
export const otherName = () => tlv(0xa0, oid("1.3.6.1.4.1.311.20.2.3"), tlv(0xa0, tlv(0x0c, "alice")))

export const extension = (id: string, value: Uint8Array, critical = false) =>
  sequence(oid(id), ...(critical ? [tlv(1, Uint8Array.of(0xff))] : []), tlv(4, value))

export interface Subtrees {
  readonly permitted?: readonly Uint8Array[]
  readonly excluded?: readonly Uint8Array[]
}

export function nameConstraints({ permitted, excluded }: Subtrees, critical = false): Buffer {
  const subtrees = (tag: number, bases: readonly Uint8Array[] | undefined) =>
    bases === undefined ? [] : [tlv(tag, ...bases.map((it) => sequence(it)))]
  return extension("2.5.29.30", sequence(...subtrees(0xa0, permitted), ...subtrees(0xa1, excluded)), critical)
}

/** Bits of KeyUsage: 0 digitalSignature, 5 keyCertSign, 6 cRLSign. */
export function keyUsage(...bitNumbers: readonly number[]): Buffer {
  const byte = bitNumbers.reduce((sum, bit) => sum | (0x80 >> bit), 0)
  return extension("2.5.29.15", tlv(3, Uint8Array.of(7 - Math.max(...bitNumbers), byte)), true)
}

export const basicConstraints = (pathLength?: number) =>
  extension(
    "2.5.29.19",
    sequence(tlv(1, Uint8Array.of(0xff)), ...(pathLength === undefined ? [] : [tlv(2, Uint8Array.of(pathLength))])),
    true,
  )

export interface Keys {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

export const keyPairs = {
  p256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  p384: () => generateKeyPairSync("ec", { namedCurve: "P-384" }),
  p521: () => generateKeyPairSync("ec", { namedCurve: "P-521" }),
  p192: () => generateKeyPairSync("ec", { namedCurve: "prime192v1" }),
  secp256k1: () => generateKeyPairSync("ec", { namedCurve: "secp256k1" }),
  rsa: (modulusLength = 2048, publicExponent = 65537) => generateKeyPairSync("rsa", { modulusLength, publicExponent }),
  ed25519: () => generateKeyPairSync("ed25519"),
  ed448: () => generateKeyPairSync("ed448"),
} satisfies Record<string, (...options: number[]) => Keys>

export interface Signature {
  /** DER of the AlgorithmIdentifier. */
  readonly algorithm: Uint8Array
  sign(message: Uint8Array, key: KeyObject): Uint8Array
}

type Hash = "md5" | "sha1" | "sha224" | "sha256" | "sha384" | "sha512"
const pkcs1Arcs = { md5: 4, sha1: 5, sha224: 14, sha256: 11, sha384: 12, sha512: 13 }
const ecdsaArcs: Partial<Record<Hash, string>> = {
  sha1: "1",
  sha224: "3.1",
  sha256: "3.2",
  sha384: "3.3",
  sha512: "3.4",
}
const hashArcs: Partial<Record<Hash, number>> = { sha256: 1, sha384: 2, sha512: 3 }

export const pkcs1 = (hash: Hash): Signature => ({
  algorithm: sequence(oid(`1.2.840.113549.1.1.${pkcs1Arcs[hash]}`), nothing),
  sign: (message, key) => sign(hash, message, key),
})

export function pss(hash: "sha256" | "sha384" | "sha512", saltLength: number, parameters: "null" | "absent" = "null") {
  const hashId = sequence(oid(`2.16.840.1.101.3.4.2.${hashArcs[hash]}`), ...(parameters === "null" ? [nothing] : []))
  const mgf1 = sequence(oid("1.2.840.113549.1.1.8"), hashId)
  const fields = [tlv(0xa0, hashId), tlv(0xa1, mgf1), tlv(0xa2, tlv(2, Uint8Array.of(saltLength)))]
  return {
    algorithm: sequence(oid("1.2.840.113549.1.1.10"), sequence(...fields)),
    sign: (message: Uint8Array, key: KeyObject) =>
      sign(hash, message, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }),
  }
}

export const ecdsa = (hash: Hash): Signature => ({
  algorithm: sequence(oid(`1.2.840.10045.4.${ecdsaArcs[hash]}`)),
  sign: (message, key) => sign(hash, message, key),
})

export const eddsa = (name: "Ed25519" | "Ed448"): Signature => ({
  algorithm: sequence(oid(name === "Ed25519" ? "1.3.101.112" : "1.3.101.113")),
  sign: (message, key) => sign(null, message, key),
})

export interface Party {
  readonly name: string
  readonly keys: Keys
  readonly signature: Signature
  readonly der: Buffer
}

export interface Wanted {
  readonly name?: string
  readonly keys?: Keys
  /** How this party signs what it issues. */
  readonly signature?: Signature
  readonly issuer?: Pick<Party, "name" | "keys" | "signature">
  readonly names?: readonly Uint8Array[]
  /** All extensions but subjectAltName. */
  readonly extensions?: readonly Uint8Array[]
  /** Days from `at`. */
  readonly from?: number
  readonly to?: number
  readonly serial?: number
  readonly publicKeyInfo?: Uint8Array
  readonly validity?: Uint8Array
}

const spki = ({ publicKey }: Keys) => publicKey.export({ type: "spki", format: "der" })
export const time = (days: number) =>
  tlv(0x17, new Date(at.getTime() + days * day).toISOString().replace(/^..|[-:T]|\.\d+/g, ""))

/** A certificate with `extensions` and subjectAltName; by default an end entity's with P-256, self-signed. */
export function issue(wanted: Wanted): Party {
  const { name = "alice", keys = keyPairs.p256(), signature = ecdsa("sha256"), names = [], extensions = [] } = wanted
  const issuer = wanted.issuer ?? { name, keys, signature }
  const alternatives = names.length === 0 ? [] : [extension("2.5.29.17", sequence(...names), name === "")]
  const all = [...extensions, ...alternatives]
  const tbs = sequence(
    tlv(0xa0, tlv(2, Uint8Array.of(2))),
    tlv(2, Uint8Array.of(wanted.serial ?? 1)),
    issuer.signature.algorithm,
    subjectOf(issuer.name),
    wanted.validity ?? sequence(time(wanted.from ?? -10), time(wanted.to ?? 10)),
    subjectOf(name),
    wanted.publicKeyInfo ?? spki(keys),
    ...(all.length === 0 ? [] : [tlv(0xa3, sequence(...all))]),
  )
  const signed = issuer.signature.sign(tbs, issuer.keys.privateKey)
  return { name, keys, signature, der: sequence(tbs, issuer.signature.algorithm, bits(signed)) }
}

const subjectOf = (name: string) => distinguishedName(name === "" || name.includes("=") ? name : `CN=${name}`)

/** A certificate authority: basic constraints, and keyUsage for certificates and revocation lists. */
export function authority(
  name: string,
  { extensions = [], ...wanted }: Wanted & { readonly pathLength?: number } = {},
): Party {
  return issue({ ...wanted, name, extensions: [basicConstraints(wanted.pathLength), keyUsage(5, 6), ...extensions] })
}

/** The bytes of a party's subjectPublicKey. */
export function rawKey({ keys }: Pick<Party, "keys">): Uint8Array {
  const jwk = keys.publicKey.export({ format: "jwk" })
  const bytes = (text: string | undefined) => Buffer.from(text ?? "", "base64url")
  if (jwk.kty === "EC") return Buffer.concat([Uint8Array.of(4), bytes(jwk.x), bytes(jwk.y)])
  return jwk.kty === "OKP" ? bytes(jwk.x) : keys.publicKey.export({ type: "pkcs1", format: "der" })
}

export interface WantedList {
  readonly issuer: Party
  /** Serial numbers. */
  readonly revoked?: readonly number[]
  /** By default a cRLNumber. */
  readonly extensions?: readonly Uint8Array[]
  readonly from?: number
  readonly to?: number
}

export const crlNumber = (critical = false) => extension("2.5.29.20", tlv(2, Uint8Array.of(1)), critical)

/** A certificate revocation list. */
export function issueList({ issuer, revoked = [], extensions = [crlNumber()], from = -1, to = 1 }: WantedList): Buffer {
  const entries = revoked.map((serial) => sequence(tlv(2, Uint8Array.of(serial)), time(-2)))
  const tbs = sequence(
    tlv(2, Uint8Array.of(1)),
    issuer.signature.algorithm,
    subjectOf(issuer.name),
    time(from),
    time(to),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    tlv(0xa0, sequence(...extensions)),
  )
  const signed = issuer.signature.sign(tbs, issuer.keys.privateKey)
  return sequence(tbs, issuer.signature.algorithm, bits(signed))
}
