/**
 * Whether `signature` is ECDSA-Sig-Value (RFC 3279 §2.2.3) in DER: two positive integers of at most `scalarSize` bytes,
 * lengths and integers in their shortest form, nothing behind. Libraries differ in what else they let pass, and members
 * of a group must agree.
 */
export function isEcdsaSignature(signature: Uint8Array, scalarSize: number): boolean {
  const body = elementAt(signature, 0, 0x30)
  if (body?.end !== signature.length) return false
  const r = elementAt(signature, body.start, 0x02)
  if (!r || !isPositiveInteger(signature, r, scalarSize)) return false
  const s = elementAt(signature, r.end, 0x02)
  return s?.end === signature.length && isPositiveInteger(signature, s, scalarSize)
}

interface Span {
  readonly start: number
  readonly end: number
}

/** Where the element's content lies by its own account, which may be beyond the bytes' end. */
function elementAt(bytes: Uint8Array, offset: number, tag: number): Span | undefined {
  if (bytes[offset] !== tag) return undefined
  const first = bytes[offset + 1]
  if (first === undefined) return undefined
  // X.690 §10.1: the short form below 128, then one octet of length, which carries every signature here.
  if (first < 0x80) return { start: offset + 2, end: offset + 2 + first }
  const length = bytes[offset + 2]
  if (first !== 0x81 || length === undefined || length < 0x80) return undefined
  return { start: offset + 3, end: offset + 3 + length }
}

function isPositiveInteger(bytes: Uint8Array, { start, end }: Span, scalarSize: number): boolean {
  const first = bytes[start]
  if (start === end || first === undefined || first >= 0x80) return false
  // X.690 §8.3.2: a leading zero octet only where the next has its highest bit set. Zero itself is no r and no s.
  if (first === 0 && (end - start < 2 || bytes[start + 1]! < 0x80)) return false
  return end - start - (first === 0 ? 1 : 0) <= scalarSize
}
