/** So many hexadecimal digits of a signature key tell it from others on the screen. */
export const KEY_DIGITS_SHOWN = 24

export function grouped(digits: string): string {
  return digits.match(/.{1,4}/g)?.join(" ") ?? ""
}
