/**
 * What a fuzzer has to find to be one: a fault behind three conditions, each met by one byte in 256. Chance alone would
 * need sixteen million inputs; who sees which conditions were met needs some thousands.
 */
export function planted(input: Uint8Array): string {
  if (input.length < 3) return "short"
  if (input[0] !== 0x66) return "other"
  if (input[1] !== 0x75) return "f"
  if (input[2] !== 0x7a) return "fu"
  throw new Error("the planted fault")
}
