import type { CryptoProvider, SignatureName } from "@conclave/crypto"
import type { Certificate } from "./certificate.js"
import { children, contentOf, element, encodingOf, hex, isMinimalInteger, single, tags } from "./der.js"
import { type ChainFault, demand, Refusal } from "./faults.js"
import { isEcdsaSignature } from "./framing.js"

export type SignatureProvider = Pick<CryptoProvider, "signatures">

type HashName = "SHA-256" | "SHA-384" | "SHA-512"
type CurveName = "P-256" | "P-384" | "P-521"

type SignatureAlgorithm =
  | { readonly kind: "rsa"; readonly name: "RSASSA-PKCS1-v1_5" | "RSA-PSS"; readonly hash: HashName }
  | { readonly kind: "ecdsa"; readonly hash: HashName }
  | { readonly kind: "eddsa"; readonly name: "Ed25519" | "Ed448" }

type PublicKey =
  | { readonly kind: "rsa" }
  | { readonly kind: "ecdsa"; readonly curve: CurveName; readonly point: Uint8Array }
  | { readonly kind: "eddsa"; readonly name: "Ed25519" | "Ed448"; readonly bytes: Uint8Array }

/** Bits of an RSA modulus. The larger bound keeps one verification below a few milliseconds. */
const RSA_BITS_MIN = 2048
const RSA_BITS_MAX = 8192
/** Bytes of an RSA exponent: a larger one would make a verification as costly as a signature. */
const RSA_EXPONENT_SIZE_MAX = 4

/*
 * DER of whole AlgorithmIdentifiers: one spelling each, so nothing is parsed leniently. RFC 4055 §5 has a NULL after
 * RSA's identifiers and lets it be left out; RFC 5758 §3.2 and RFC 8410 §3 have no parameters.
 */
const hashes: Readonly<Record<HashName, string>> = { "SHA-256": "01", "SHA-384": "02", "SHA-512": "03" }
const pkcs1: Readonly<Record<HashName, string>> = { "SHA-256": "0b", "SHA-384": "0c", "SHA-512": "0d" }
const ecdsa: Readonly<Record<HashName, string>> = { "SHA-256": "02", "SHA-384": "03", "SHA-512": "04" }
const hashNames: readonly HashName[] = ["SHA-256", "SHA-384", "SHA-512"]

const algorithms: ReadonlyMap<string, SignatureAlgorithm> = new Map<string, SignatureAlgorithm>([
  ...hashNames.flatMap((hash): [string, SignatureAlgorithm][] => [
    [`300d06092a864886f70d0101${pkcs1[hash]}0500`, { kind: "rsa", name: "RSASSA-PKCS1-v1_5", hash }],
    [`300b06092a864886f70d0101${pkcs1[hash]}`, { kind: "rsa", name: "RSASSA-PKCS1-v1_5", hash }],
    [`300a06082a8648ce3d0403${ecdsa[hash]}`, { kind: "ecdsa", hash }],
  ]),
  ["300506032b6570", { kind: "eddsa", name: "Ed25519" }],
  ["300506032b6571", { kind: "eddsa", name: "Ed448" }],
])

/** RSASSA-PSS-params (RFC 4055 §3.1) before the salt's length, which is the last byte. MGF1 uses the same hash. */
const pssPrefixes: ReadonlyMap<string, HashName> = new Map(
  hashNames.flatMap((hash) => {
    const identifier = `06096086480165030402${hashes[hash]}`
    const withNull = ["34", `a00f300d${identifier}0500a11c301a06092a864886f70d010108300d${identifier}0500`] as const
    const without = ["30", `a00d300b${identifier}a11a301806092a864886f70d010108300b${identifier}`] as const
    return [withNull, without].map(([size, fields]): [string, HashName] => {
      const outer = size === "34" ? "41" : "3d"
      return [`30${outer}06092a864886f70d01010a30${size}${fields}a2030201`, hash]
    })
  }),
)

/** Content of the object identifiers of MD2, MD4, MD5 and SHA-1 with RSA, SHA-1 and SHA-224 with the others, DSA. */
const weakAlgorithms: ReadonlySet<string> = new Set([
  ...["02", "03", "04", "05", "0e"].map((last) => `2a864886f70d0101${last}`),
  ...["2b0e030202", "2b0e030203", "2b0e030204", "2b0e03020d", "2b0e03021b", "2b0e03021d"],
  ...["2a8648ce3d0401", "2a8648ce3d040301", "2a8648ce380403", "608648016503040301", "608648016503040302"],
])

const RSA_ENCRYPTION = "06092a864886f70d0101010500"
const RSA_PSS_KEY = "2a864886f70d01010a"
const EC_PUBLIC_KEY = "06072a8648ce3d0201"
const DSA_KEY = "2a8648ce380401"
/** DER of the named curves, and bytes of an uncompressed point. */
const curves: Readonly<Record<string, readonly [CurveName, number]>> = {
  "06082a8648ce3d030107": ["P-256", 65],
  "06052b81040022": ["P-384", 97],
  "06052b81040023": ["P-521", 133],
}
/** P-192 and the other curves of X9.62 below 256 bits; secp224r1. */
const weakCurve = /^06(?:082a8648ce3d03010[1-6]|052b81040021)/
const edwards: Readonly<Record<string, readonly ["Ed25519" | "Ed448", number]>> = {
  "06032b6570": ["Ed25519", 32],
  "06032b6571": ["Ed448", 57],
}

/**
 * @throws {Refusal} `weak-algorithm` for RSA below 2,048 bits or of a size or exponent that no sound generator makes,
 *   for DSA and curves below 256 bits; `unsupported-algorithm` for other curves and keys.
 */
export function demandStrongKey(certificate: Certificate): void {
  readPublicKey(certificate.publicKeyInfo)
}

/**
 * Why `signature` is not one of `message` by the issuer's key, or `undefined` if it is: `weak-algorithm` for hashes below
 * SHA-256, `unsupported-algorithm` for what this file does not know, `bad-signature`. The provider verifies what it
 * offers, so that all members of a group read a signature alike; WebCrypto verifies RSA, ECDSA with a hash of another
 * size than the curve, and without a provider ECDSA and Ed25519.
 */
export async function signatureFault(
  { message, algorithm, signature }: { message: Uint8Array; algorithm: Uint8Array; signature: Uint8Array },
  issuer: Certificate,
  provider: SignatureProvider | undefined,
): Promise<ChainFault | undefined> {
  let wanted: SignatureAlgorithm
  let key: PublicKey
  try {
    wanted = algorithmOf(algorithm)
    key = readPublicKey(issuer.publicKeyInfo)
  } catch (error) {
    return error instanceof Refusal ? error.fault : "malformed"
  }
  if (wanted.kind !== key.kind) return "bad-signature"
  if (wanted.kind === "ecdsa" && !isEcdsaSignature(signature)) return "malformed"
  const name = signatureName(wanted, key)
  if (name === undefined && wanted.kind === "eddsa") return "bad-signature"
  const scheme = name === undefined ? undefined : provider?.signatures[name]
  if (scheme !== undefined && key.kind !== "rsa") {
    return verdict(scheme.verify(key.kind === "ecdsa" ? key.point : key.bytes, message, signature))
  }
  return verifyWithWebCrypto({ wanted, key, message, algorithm, signature, publicKeyInfo: issuer.publicKeyInfo })
}

const verdict = (verified: boolean): ChainFault | undefined => (verified ? undefined : "bad-signature")

/** The provider's name of the pair; `undefined` where it has none. */
function signatureName(wanted: SignatureAlgorithm, key: PublicKey): SignatureName | undefined {
  if (wanted.kind === "eddsa") return key.kind === "eddsa" && key.name === wanted.name ? wanted.name : undefined
  if (wanted.kind !== "ecdsa" || key.kind !== "ecdsa") return undefined
  const pairs: Readonly<Record<string, SignatureName>> = {
    "P-256 SHA-256": "ECDSA-P-256-SHA-256",
    "P-384 SHA-384": "ECDSA-P-384-SHA-384",
    "P-521 SHA-512": "ECDSA-P-521-SHA-512",
  }
  return pairs[`${key.curve} ${wanted.hash}`]
}

interface Question {
  readonly wanted: SignatureAlgorithm
  readonly key: PublicKey
  readonly message: Uint8Array
  readonly algorithm: Uint8Array
  readonly signature: Uint8Array
  readonly publicKeyInfo: Uint8Array
}

async function verifyWithWebCrypto(question: Question): Promise<ChainFault | undefined> {
  const { wanted, key, message, algorithm, signature, publicKeyInfo } = question
  // Ed448 is in no browser, and where it is in Node its rules are not those of the provider.
  if (wanted.kind === "eddsa" && wanted.name === "Ed448") return "unsupported-algorithm"
  const { subtle } = globalThis.crypto ?? {}
  // Browsers have it in secure contexts only.
  if (subtle === undefined) return "unsupported-algorithm"
  const name = wanted.kind === "ecdsa" ? "ECDSA" : wanted.name
  const hash = wanted.kind === "eddsa" ? undefined : wanted.hash
  const imported = {
    name,
    ...(wanted.kind === "rsa" && { hash }),
    ...(key.kind === "ecdsa" && { namedCurve: key.curve }),
  }
  try {
    const publicKey = await subtle.importKey("spki", plain(publicKeyInfo), imported as never, false, ["verify"])
    const verification = { name, ...(wanted.kind === "ecdsa" && { hash }), saltLength: algorithm.at(-1)! }
    const bytes = key.kind === "ecdsa" ? rawSignature(signature, (key.point.length - 1) / 2) : signature
    if (bytes === undefined) return "bad-signature"
    return verdict(await subtle.verify(verification, publicKey, plain(bytes), plain(message)))
  } catch (error) {
    const unsupported = error instanceof Error && error.name === "NotSupportedError"
    return unsupported ? "unsupported-algorithm" : "bad-signature"
  }
}

/** WebCrypto's types ask for arrays of their own buffer. */
const plain = (bytes: Uint8Array) => new Uint8Array(bytes)

function algorithmOf(der: Uint8Array): SignatureAlgorithm {
  const digits = hex(der)
  const known = algorithms.get(digits)
  if (known !== undefined) return known
  const hash = pssPrefixes.get(digits.slice(0, -2))
  if (hash !== undefined && der.at(-1)! < 0x80) return { kind: "rsa", name: "RSA-PSS", hash }
  const [identifier, parameters] = children(der, single(der, tags.sequence))
  demand(identifier?.tag === tags.objectIdentifier, "malformed")
  const id = hex(contentOf(der, identifier))
  demand(!weakAlgorithms.has(id) && !isPssWithSha1(id, der, parameters), "weak-algorithm")
  demand(false, "unsupported-algorithm")
}

/** RFC 4055 §3.1: without a hash among its parameters, RSASSA-PSS uses SHA-1. */
function isPssWithSha1(id: string, der: Uint8Array, parameters: ReturnType<typeof element>): boolean {
  if (id !== RSA_PSS_KEY || parameters?.tag !== tags.sequence) return false
  return element(der, parameters.start, parameters.end)?.tag !== 0xa0
}

/** SubjectPublicKeyInfo ::= SEQUENCE { AlgorithmIdentifier, BIT STRING } */
function readPublicKey(der: Uint8Array): PublicKey {
  const [algorithm, bitString, ...more] = children(der, single(der, tags.sequence))
  demand(algorithm?.tag === tags.sequence && bitString?.tag === tags.bitString && more.length === 0, "malformed")
  const bytes = publicKeyBytes(der)
  demand(bytes !== undefined, "malformed")
  const content = hex(contentOf(der, algorithm))
  if (content === RSA_ENCRYPTION) {
    demandStrongRsa(bytes)
    return { kind: "rsa" }
  }
  if (content.startsWith(EC_PUBLIC_KEY)) {
    const parameters = content.slice(EC_PUBLIC_KEY.length)
    demand(!weakCurve.test(parameters), "weak-algorithm")
    // RFC 5480 §2.1.1: named curves alone, never explicit parameters.
    const curve = Object.hasOwn(curves, parameters) ? curves[parameters] : undefined
    demand(curve !== undefined, "unsupported-algorithm")
    demand(bytes.length === curve[1] && bytes[0] === 4, "malformed")
    return { kind: "ecdsa", curve: curve[0], point: bytes }
  }
  const edwardsCurve = Object.hasOwn(edwards, content) ? edwards[content] : undefined
  demand(edwardsCurve !== undefined, content.startsWith(`0607${DSA_KEY}`) ? "weak-algorithm" : "unsupported-algorithm")
  demand(bytes.length === edwardsCurve[1], "malformed")
  return { kind: "eddsa", name: edwardsCurve[0], bytes }
}

/** The subjectPublicKey of a SubjectPublicKeyInfo: a BIT STRING without unused bits; `undefined` where it is not. */
export function publicKeyBytes(publicKeyInfo: Uint8Array): Uint8Array | undefined {
  const bitString = children(publicKeyInfo, single(publicKeyInfo, tags.sequence))[1]
  if (bitString?.tag !== tags.bitString || publicKeyInfo[bitString.start] !== 0) return undefined
  return publicKeyInfo.slice(bitString.start + 1, bitString.end)
}

/** RSAPublicKey (RFC 8017 appendix A.1.1) ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER } */
function demandStrongRsa(key: Uint8Array): void {
  const numbers = children(key, single(key, tags.sequence))
  demand(numbers.length === 2 && numbers.every(({ tag }) => tag === tags.integer), "malformed")
  const [modulus, exponent] = numbers.map((number) => contentOf(key, number))
  demand([modulus!, exponent!].every(isMinimalInteger), "malformed")
  demand(modulus![0]! < 0x80 && exponent![0]! < 0x80, "malformed")
  const bits = 8 * modulus!.length - Math.clz32(modulus![0]!) + 24
  const bitsOfModulus = modulus![0] === 0 ? 8 * (modulus!.length - 1) : bits
  // CA/Browser Forum 6.1.5: a multiple of 8. An exponent of 1 makes every message its own signature.
  demand(bitsOfModulus >= RSA_BITS_MIN && bitsOfModulus % 8 === 0, "weak-algorithm")
  demand(exponent!.length > 1 || exponent![0]! >= 3, "weak-algorithm")
  demand((modulus!.at(-1)! & 1) === 1 && (exponent!.at(-1)! & 1) === 1, "weak-algorithm")
  const exponentSize = exponent!.length - (exponent![0] === 0 ? 1 : 0)
  demand(bitsOfModulus <= RSA_BITS_MAX && exponentSize <= RSA_EXPONENT_SIZE_MAX, "unsupported-algorithm")
}

/** Ecdsa-Sig-Value as WebCrypto wants it: r and s of the curve's size, one after the other. */
function rawSignature(signature: Uint8Array, size: number): Uint8Array | undefined {
  const raw = new Uint8Array(2 * size)
  const numbers = children(signature, single(signature, tags.sequence))
  for (const [i, number] of numbers.entries()) {
    const content = encodingOf(signature, number).subarray(number.start - number.from)
    const magnitude = content[0] === 0 ? content.subarray(1) : content
    if (magnitude.length > size) return undefined
    raw.set(magnitude, (i + 1) * size - magnitude.length)
  }
  return raw
}
