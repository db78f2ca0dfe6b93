/** So many hexadecimal digits of a signature key tell it from others on the screen. */
export const KEY_DIGITS_SHOWN = 24

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}

export function bytesOf(hexadecimal: string): Uint8Array {
  return Uint8Array.from(hexadecimal.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

export function grouped(digits: string): string {
  return digits.match(/.{1,4}/g)?.join(" ") ?? ""
}
