/** The two integers of an ECDSA signature in DER. */
export function scalarsOf(signature: Uint8Array): { r: bigint; s: bigint } {
  const start = signature[1] === 0x81 ? 3 : 2
  const lengthOfR = signature[start + 1]!
  const r = signature.subarray(start + 2, start + 2 + lengthOfR)
  return { r: unsigned(r), s: unsigned(signature.subarray(start + 4 + lengthOfR)) }
}

export interface Oddities {
  readonly zerosBeforeR?: number
  readonly zerosBeforeS?: number
  readonly lengthOfR?: "short" | "long" | "longest"
  readonly sequence?: "definite" | "indefinite"
  readonly behindS?: readonly number[]
  readonly tagOfR?: number
  readonly tag?: number
}

/** A signature in DER, or with one of the liberties that BER and careless parsers take. */
export function derSignature(r: bigint, s: bigint, odd: Oddities = {}): Uint8Array {
  const first = [...new Array<number>(odd.zerosBeforeR ?? 0).fill(0), ...integer(r)]
  const second = [...new Array<number>(odd.zerosBeforeS ?? 0).fill(0), ...integer(s)]
  const body = [
    ...[odd.tagOfR ?? 0x02, ...lengthOf(first.length, odd.lengthOfR ?? "short"), ...first],
    ...[0x02, ...lengthOf(second.length, "short"), ...second],
    ...(odd.behindS ?? []),
  ]
  const tag = odd.tag ?? 0x30
  return odd.sequence === "indefinite"
    ? Uint8Array.from([tag, 0x80, ...body, 0, 0])
    : Uint8Array.from([tag, ...lengthOf(body.length, "short"), ...body])
}

function lengthOf(length: number, form: "short" | "long" | "longest"): number[] {
  if (form === "longest") return [0x84, 0, 0, 0, length]
  if (form === "long") return [0x81, length]
  if (length < 0x80) return [length]
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
}

/** Two's complement in the fewest octets. */
function integer(value: bigint): number[] {
  let size = 1
  while (value !== BigInt.asIntN(8 * size, value)) size++
  const hex = BigInt.asUintN(8 * size, value)
    .toString(16)
    .padStart(2 * size, "0")
  return [...Buffer.from(hex, "hex")]
}

function unsigned(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString("hex")}`)
}
