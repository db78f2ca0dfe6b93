/**
 * Whether bytes are a certificate's one DER encoding around its signed part: SEQUENCE { tbs, algorithm, BIT STRING },
 * nothing behind it, and the same algorithm outside as inside (RFC 5280 §4.1.1.2). Parsers are lenient here, and what
 * the issuer has not signed must not vary.
 */
export function isCertificateFraming(der: Uint8Array): boolean {
  const whole = element(der, 0)
  if (whole?.tag !== 0x30 || whole.end !== der.length) return false
  const tbs = element(der, whole.start)
  const algorithm = tbs && element(der, tbs.end)
  const signature = algorithm && element(der, algorithm.end)
  if (tbs?.tag !== 0x30 || algorithm?.tag !== 0x30 || signature?.tag !== 0x03) return false
  if (signature.end !== der.length || der[signature.start] !== 0) return false
  const outer = der.subarray(tbs.end, algorithm.end)
  const inner = signedAlgorithm(der, tbs.start)
  if (inner === undefined || !same(outer, inner)) return false
  return !isEcdsa(der, algorithm) || isEcdsaSignature(der.subarray(signature.start + 1))
}

/** RFC 5758 §3.2: 1.2.840.10045.4.3, ecdsa-with-SHA2. */
const ecdsaWithSha2 = Uint8Array.of(0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03)

function isEcdsa(der: Uint8Array, { start }: Element): boolean {
  return same(der.subarray(start, start + ecdsaWithSha2.length), ecdsaWithSha2)
}

/** RFC 5480 appendix A: Ecdsa-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }, each positive and minimal. */
function isEcdsaSignature(bytes: Uint8Array): boolean {
  const whole = element(bytes, 0)
  if (whole?.tag !== 0x30 || whole.end !== bytes.length) return false
  const r = element(bytes, whole.start)
  const s = r && element(bytes, r.end)
  return s?.end === bytes.length && isPositive(bytes, r) && isPositive(bytes, s)
}

function isPositive(bytes: Uint8Array, number: Element | undefined): boolean {
  if (number?.tag !== 0x02 || number.end === number.start) return false
  const [first, second] = [bytes[number.start]!, bytes[number.start + 1] ?? 0]
  return first !== 0 ? first < 0x80 : number.end - number.start > 1 && second >= 0x80
}

/** TBSCertificate ::= SEQUENCE { [0] version, serialNumber, signature, … } */
function signedAlgorithm(der: Uint8Array, start: number): Uint8Array | undefined {
  const version = element(der, start)
  const serial = version && element(der, version.end)
  const algorithm = serial && element(der, serial.end)
  if (version?.tag !== 0xa0 || serial?.tag !== 0x02 || algorithm?.tag !== 0x30) return undefined
  return der.subarray(serial.end, algorithm.end)
}

interface Element {
  readonly tag: number
  readonly start: number
  readonly end: number
}

/** One element with a definite, minimal length of at most two bytes. */
function element(der: Uint8Array, at: number): Element | undefined {
  const [tag, first] = [der[at], der[at + 1]]
  if (tag === undefined || first === undefined) return undefined
  const lengthBytes = first < 0x80 ? 0 : first - 0x80
  if (lengthBytes > 2 || first === 0x80) return undefined
  let length = lengthBytes === 0 ? first : 0
  for (let i = 0; i < lengthBytes; i++) length = length * 256 + (der[at + 2 + i] ?? 0)
  if (lengthBytes > 0 && length < (lengthBytes === 1 ? 0x80 : 0x100)) return undefined
  const start = at + 2 + lengthBytes
  return start + length <= der.length ? { tag, start, end: start + length } : undefined
}

const same = (a: Uint8Array, b: Uint8Array) => a.length === b.length && a.every((byte, i) => byte === b[i])
