import { wipe } from "../bytes.js"
import type { SignatureName, SignatureScheme, SigningKey } from "../provider.js"
import { drawScalar, groupSizes, isScalar, isUncompressed, type NistCurveName } from "./curves.js"
import { isEcdsaSignature } from "./der.js"
import { type EdwardsName, edwardsSizes, isEdwardsPublicKey, isVerifiable } from "./edwards.js"

/** A library's signatures. Sizes, ranges and encodings are checked before it is asked. */
export interface SignatureLibrary {
  importKey(privateKey: Uint8Array): ImportedKey
  /** May throw for what does not verify. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean
}

export interface ImportedKey {
  readonly publicKey: Uint8Array
  /** Is passed the private key, which lives until the key is disposed. */
  sign(message: Uint8Array, privateKey: Uint8Array): Uint8Array
  /** Overwrites what the library made of the private key. */
  forget?(): void
}

/** EdDSA with one meaning in every provider: see `edwards.ts`. */
export function edwardsScheme(name: EdwardsName, library: SignatureLibrary): SignatureScheme {
  const { keySize } = edwardsSizes[name]
  return checkedScheme(name, library, {
    privateKeySize: keySize,
    publicKeySize: keySize,
    isPrivateKey: (bytes) => bytes.length === keySize,
    drawPrivateKey: (random) => random(keySize),
    isPublicKey: (bytes) => isEdwardsPublicKey(name, bytes),
    isVerifiable: (publicKey, signature) => isVerifiable(name, publicKey, signature),
  })
}

/** ECDSA with signatures in DER and uncompressed points alone. Both halves of s verify: RFC 8446 rules out neither. */
export function ecdsaScheme(
  curve: NistCurveName,
  library: SignatureLibrary & { isOnCurve(point: Uint8Array): boolean },
): SignatureScheme {
  const { privateKeySize, publicKeySize } = groupSizes[curve]
  return checkedScheme(`ECDSA over ${curve}`, library, {
    privateKeySize,
    publicKeySize,
    isPrivateKey: (bytes) => isScalar(curve, bytes),
    drawPrivateKey: (random) => drawScalar(curve, random),
    isPublicKey: (bytes) => isUncompressed(curve, bytes) && library.isOnCurve(bytes),
    isVerifiable: (publicKey, signature) =>
      isUncompressed(curve, publicKey) && isEcdsaSignature(signature, privateKeySize),
  })
}

/** Whether a library may be asked about a signature: what `verify` of a scheme looks at first. */
export function isVerifiableIn(name: SignatureName, publicKey: Uint8Array, signature: Uint8Array): boolean {
  if (name === "Ed25519" || name === "Ed448") return isVerifiable(name, publicKey, signature)
  const curve = ecdsaCurves[name]
  return isUncompressed(curve, publicKey) && isEcdsaSignature(signature, groupSizes[curve].privateKeySize)
}

const ecdsaCurves: Readonly<Record<Exclude<SignatureName, EdwardsName>, NistCurveName>> = {
  "ECDSA-P-256-SHA-256": "P-256",
  "ECDSA-P-384-SHA-384": "P-384",
  "ECDSA-P-521-SHA-512": "P-521",
}

interface Rules {
  readonly privateKeySize: number
  readonly publicKeySize: number
  isPrivateKey(bytes: Uint8Array): boolean
  drawPrivateKey(random: (length: number) => Uint8Array): Uint8Array
  isPublicKey(bytes: Uint8Array): boolean
  isVerifiable(publicKey: Uint8Array, signature: Uint8Array): boolean
}

function checkedScheme(name: string, library: SignatureLibrary, rules: Rules): SignatureScheme {
  const { privateKeySize, publicKeySize, isPublicKey } = rules
  return { privateKeySize, publicKeySize, isPublicKey, generate, importKey, verify }

  function generate(random: (length: number) => Uint8Array): SigningKey {
    const privateKey = rules.drawPrivateKey(random)
    const key = importKey(privateKey)
    wipe(privateKey)
    return key
  }

  function importKey(privateKey: Uint8Array): SigningKey {
    if (!rules.isPrivateKey(privateKey)) throw new RangeError(`not a private key of ${name}`)
    return new CheckedSigningKey(new Uint8Array(privateKey), library)
  }

  function verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
    if (!rules.isVerifiable(publicKey, signature)) return false
    try {
      return library.verify(publicKey, message, signature)
    } catch {
      return false
    }
  }
}

class CheckedSigningKey implements SigningKey {
  readonly publicKey: Uint8Array
  readonly #privateKey: Uint8Array
  #imported: ImportedKey | undefined

  constructor(privateKey: Uint8Array, library: SignatureLibrary) {
    this.#privateKey = privateKey
    this.#imported = library.importKey(privateKey)
    this.publicKey = this.#imported.publicKey
  }

  sign(message: Uint8Array): Uint8Array {
    return this.#live().sign(message, this.#privateKey)
  }

  exportPrivateKey(): Uint8Array {
    this.#live()
    return new Uint8Array(this.#privateKey)
  }

  [Symbol.dispose](): void {
    this.#imported?.forget?.()
    this.#imported = undefined
    wipe(this.#privateKey)
  }

  #live(): ImportedKey {
    if (!this.#imported) throw new TypeError("the signing key is disposed")
    return this.#imported
  }
}
