import { createCipheriv, createHash, createHmac, createPublicKey, verify } from "node:crypto"

/*
 * What docs/conversations.md says, without the code that does it.
 */

export const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
export const unhex = (text: string) => new Uint8Array(Buffer.from(text, "hex"))
export const sha256 = (...parts: readonly Uint8Array[]) => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}

export const none = new Uint8Array()
export const u16 = (n: number) => Uint8Array.of(n >> 8, n & 0xff)
export const u64 = (n: number) => unhex(n.toString(16).padStart(16, "0"))
export const joined = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts))
/** A vector of RFC 9420 §2.1.2. */
export const v = (bytes: Uint8Array) =>
  joined(bytes.length < 64 ? Uint8Array.of(bytes.length) : u16(bytes.length | 0x4000), bytes)
export const text = (it: string) => new TextEncoder().encode(it)
export const hmac = (key: Uint8Array, ...parts: readonly Uint8Array[]) =>
  new Uint8Array(
    createHmac("sha256", key)
      .update(joined(...parts))
      .digest(),
  )

interface Expanded {
  readonly context: Uint8Array
  readonly length: number
}

/** ExpandWithLabel (RFC 9420 §8) of at most 32 bytes. */
export const expanded = (secret: Uint8Array, label: string, { context, length }: Expanded) =>
  hmac(secret, u16(length), v(text(`MLS 1.0 ${label}`)), v(context), Uint8Array.of(1)).slice(0, length)

/** MLS-Exporter (RFC 9420 §8.5). */
export const exported = (exporter: Uint8Array, label: string, { context, length }: Expanded) =>
  expanded(expanded(exporter, label, { context: none, length: 32 }), "exported", { context: sha256(context), length })

/** An Ed25519 signature by SignWithLabel (RFC 9420 §5.1.2). */
export function isSigned(
  publicKey: string,
  label: string,
  { content, signature }: Record<"content" | "signature", Uint8Array>,
) {
  const key = createPublicKey({
    key: Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), unhex(publicKey)]),
    format: "der",
    type: "spki",
  })
  return verify(null, joined(v(text(`MLS 1.0 ${label}`)), v(content)), key, signature)
}

interface Seal {
  readonly key: string
  readonly nonce: string
  readonly plaintext: Uint8Array
  readonly context: Uint8Array
}

export function sealedWith({ key, nonce, plaintext, context }: Seal): string {
  const cipher = createCipheriv("aes-128-gcm", unhex(key), unhex(nonce))
  cipher.setAAD(context)
  return hex(joined(unhex(nonce), cipher.update(plaintext), cipher.final(), cipher.getAuthTag()))
}
