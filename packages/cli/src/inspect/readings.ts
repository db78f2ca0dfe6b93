/** The bytes that an input may mean. */
export interface Reading {
  readonly bytes: Uint8Array
  readonly encoding: "hex" | "base64" | "bytes"
}

/** What an input may mean, the most likely first: text is taken for hexadecimal digits, then for base64. */
export function readingsOf(input: Uint8Array): readonly Reading[] {
  const raw: Reading = { bytes: input, encoding: "bytes" }
  if (input.length === 0 || !input.every(isTextual)) return [raw]
  const text = new TextDecoder().decode(input).replace(/\s+/g, "")
  const readings: Reading[] = []
  if (text.length % 2 === 0 && /^[0-9a-f]+$/i.test(text)) {
    readings.push({ bytes: new Uint8Array(Buffer.from(text, "hex")), encoding: "hex" })
  }
  // With or without padding, of either alphabet (RFC 4648 §4, §5).
  if (/^[A-Za-z0-9+/_-]+={0,2}$/.test(text) && text.replace(/=+$/, "").length % 4 !== 1) {
    readings.push({ bytes: new Uint8Array(Buffer.from(text, "base64url")), encoding: "base64" })
  }
  return [...readings, raw]
}

const isTextual = (byte: number): boolean =>
  (byte > 0x20 && byte < 0x7f) || (byte >= 0x09 && byte <= 0x0d) || byte === 0x20
