/** `getRandomValues` fills at most 65,536 bytes at a time. */
const randomBytesMax = 65536

export function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let offset = 0; offset < length; offset += randomBytesMax) {
    globalThis.crypto.getRandomValues(bytes.subarray(offset, offset + randomBytesMax))
  }
  return bytes
}
