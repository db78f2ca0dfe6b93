import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  type PrivateKeyInput,
  type PublicKeyInput,
} from "node:crypto"
import { concat, equalBytes, wipe } from "../bytes.js"
import { groupSizes } from "../checked/curves.js"
import { edwardsSizes } from "../checked/edwards.js"
import { base64url, fromBase64url } from "./bytes.js"

export type RawKeyName = "X25519" | "X448" | "Ed25519" | "Ed448"

/** One of the ways to turn the raw keys of RFC 7748 and 8032 into KeyObjects. */
export interface KeyImport {
  privateKey(name: RawKeyName, bytes: Uint8Array): KeyObject
  publicKey(name: RawKeyName, bytes: Uint8Array): KeyObject
}

/**
 * `raw` is the fastest, and the only one that leaves no private key in a string or a second array: Node 24 and later.
 *
 * `jwk` takes a tenth of the time that `der` takes on Node 20 (30 µs against 300), at the price of a short-lived string
 * that holds the private key. The format demands the public key too; OpenSSL computes it anew and ignores what it is
 * given there, until Node 26, which compares.
 *
 * `der` works everywhere.
 */
export const keyImports: Readonly<Record<"raw" | "jwk" | "der", KeyImport>> = {
  raw: {
    privateKey: (name, bytes) => createPrivateKey(rawKey(name, bytes, "raw-private") as unknown as PrivateKeyInput),
    publicKey: (name, bytes) => createPublicKey(rawKey(name, bytes, "raw-public") as unknown as PublicKeyInput),
  },
  jwk: {
    privateKey(name, bytes) {
      const key = { kty: "OKP", crv: name, d: base64url(bytes), x: unknownPublicKeys[name] }
      return createPrivateKey({ key, format: "jwk" })
    },
    publicKey: (name, bytes) => createPublicKey({ key: { kty: "OKP", crv: name, x: base64url(bytes) }, format: "jwk" }),
  },
  der: {
    privateKey(name, bytes) {
      const key = concat(derPrefixes[name].privateKey, bytes)
      try {
        return createPrivateKey({ key: key as Buffer, format: "der", type: "pkcs8" })
      } finally {
        wipe(key)
      }
    },
    publicKey: (name, bytes) =>
      createPublicKey({ key: concat(derPrefixes[name].publicKey, bytes) as Buffer, format: "der", type: "spki" }),
  },
}

export function publicKeyBytes(key: KeyObject): Uint8Array {
  return fromBase64url(key.export({ format: "jwk" }).x!)
}

function rawKey(name: RawKeyName, key: Uint8Array, format: "raw-private" | "raw-public") {
  return { key, format, asymmetricKeyType: name.toLowerCase() }
}

const unknownPublicKeys: Readonly<Record<RawKeyName, string>> = {
  X25519: base64url(new Uint8Array(groupSizes.X25519.publicKeySize)),
  X448: base64url(new Uint8Array(groupSizes.X448.publicKeySize)),
  Ed25519: base64url(new Uint8Array(edwardsSizes.Ed25519.keySize)),
  Ed448: base64url(new Uint8Array(edwardsSizes.Ed448.keySize)),
}

// RFC 8410 §4 and §7: what stands before the key in SubjectPublicKeyInfo and in PrivateKeyInfo.
const derPrefixes: Readonly<Record<RawKeyName, { publicKey: Uint8Array; privateKey: Uint8Array }>> = {
  X25519: prefixes("302a300506032b656e032100", "302e020100300506032b656e04220420"),
  X448: prefixes("3042300506032b656f033900", "3046020100300506032b656f043a0438"),
  Ed25519: prefixes("302a300506032b6570032100", "302e020100300506032b657004220420"),
  Ed448: prefixes("3043300506032b6571033a00", "3047020100300506032b6571043b0439"),
}

function prefixes(publicKey: string, privateKey: string) {
  return { publicKey: Buffer.from(publicKey, "hex"), privateKey: Buffer.from(privateKey, "hex") }
}

/** The fastest way: the first that turns a known private key (RFC 7748 §6.1) into its public key on this runtime. */
export const keyImport: KeyImport = [keyImports.raw, keyImports.jwk].find(isRight) ?? keyImports.der

/** The fastest way that leaves no string behind, for keys that live long and are imported once. */
export const lastingKeyImport: KeyImport = keyImport === keyImports.raw ? keyImports.raw : keyImports.der

function isRight(way: KeyImport): boolean {
  const privateKey = Buffer.from("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", "hex")
  const publicKey = Buffer.from("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", "hex")
  try {
    return equalBytes(publicKeyBytes(createPublicKey(way.privateKey("X25519", privateKey))), publicKey)
  } catch {
    return false
  }
}
