import { type Element, element, encodingOf, isDer, sameBytes, tags } from "./der.js"

/**
 * Whether bytes are a certificate's one DER encoding around its signed part: SEQUENCE { tbs, algorithm, BIT STRING },
 * no trailing bytes, well-formed elements within, and the same algorithm outside as inside (RFC 5280 §4.1.1.2). Parsers
 * are lenient here, and what the issuer has not signed must not vary.
 */
export function isCertificateFraming(der: Uint8Array): boolean {
  const whole = element(der, 0)
  if (whole?.tag !== tags.sequence || !isDer(der)) return false
  const tbs = element(der, whole.start)
  const algorithm = tbs && element(der, tbs.end)
  const signature = algorithm && element(der, algorithm.end)
  if (tbs?.tag !== tags.sequence || algorithm?.tag !== tags.sequence || signature?.tag !== tags.bitString) return false
  if (signature.end !== der.length || der[signature.start] !== 0) return false
  const inner = signedAlgorithm(der, tbs.start)
  if (inner === undefined || !sameBytes(encodingOf(der, algorithm), inner)) return false
  return !isEcdsa(der, algorithm) || isEcdsaSignature(der.subarray(signature.start + 1))
}

/** RFC 5758 §3.2: 1.2.840.10045.4.3, ecdsa-with-SHA2. */
const ecdsaWithSha2 = Uint8Array.of(0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03)

function isEcdsa(der: Uint8Array, { start }: Element): boolean {
  return sameBytes(der.subarray(start, start + ecdsaWithSha2.length), ecdsaWithSha2)
}

/** RFC 5480 appendix A: Ecdsa-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }, each positive and minimal. */
export function isEcdsaSignature(bytes: Uint8Array): boolean {
  const whole = element(bytes, 0)
  if (whole?.tag !== tags.sequence || whole.end !== bytes.length) return false
  const r = element(bytes, whole.start)
  const s = r && element(bytes, r.end)
  return s?.end === bytes.length && isPositive(bytes, r) && isPositive(bytes, s)
}

function isPositive(bytes: Uint8Array, number: Element | undefined): boolean {
  if (number?.tag !== tags.integer || number.end === number.start) return false
  const [first, second] = [bytes[number.start]!, bytes[number.start + 1] ?? 0]
  return first !== 0 ? first < 0x80 : number.end - number.start > 1 && second >= 0x80
}

/** TBSCertificate ::= SEQUENCE { [0] version, serialNumber, signature, … } */
function signedAlgorithm(der: Uint8Array, start: number): Uint8Array | undefined {
  const version = element(der, start)
  const serial = version && element(der, version.end)
  const algorithm = serial && element(der, serial.end)
  if (version?.tag !== 0xa0 || serial?.tag !== tags.integer) return undefined
  return algorithm && encodingOf(der, algorithm)
}
