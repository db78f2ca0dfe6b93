/** Why a chain was refused. */
export type ChainFault =
  /** Not DER, or not the fields that RFC 5280 §4.1 demands of a certificate of version 3. */
  | "malformed"
  /** No certificate, more than eight, or one of more than 16,384 bytes. */
  | "too-long"
  /** The search for a path would cost more than its bounds: see `path.ts`. */
  | "too-complex"
  /** The leaf's key is not the signature key. */
  | "key-mismatch"
  | "not-yet-valid"
  | "expired"
  /** A critical extension that is not processed here, or policy constraints of either criticality. */
  | "critical-extension"
  /** The certificate contradicts itself or RFC 5280 §4: see `profile.ts`. */
  | "not-conforming"
  | "not-a-ca"
  | "path-too-long"
  | "key-usage"
  /** A name is outside of what an issuer above may certify, or of a form whose constraints are not understood. */
  | "name-constraints"
  /** A signature with MD5, SHA-1 or SHA-224, or a key that is too short. */
  | "weak-algorithm"
  /** An algorithm that neither the crypto provider nor WebCrypto verifies. */
  | "unsupported-algorithm"
  /** No certificate of the credential has the name of the leaf's issuer. */
  | "issuer-mismatch"
  | "bad-signature"
  | "untrusted-root"
  | "revoked"
  /** `isRevoked` rejected. */
  | "revocation-unknown"
  | "no-identity"

/** A certificate or path that is refused. */
export class Refusal extends Error {
  readonly fault: ChainFault

  constructor(fault: ChainFault) {
    super(fault)
    this.fault = fault
  }
}

/** @throws {Refusal} with `fault` unless `condition` holds. */
export function demand(condition: boolean, fault: ChainFault): asserts condition {
  if (!condition) throw new Refusal(fault)
}

/** The fault for which `judge` refuses; `undefined` if it does not. Parsers' errors are `malformed`. */
export function faultOf(judge: () => void): ChainFault | undefined {
  try {
    judge()
    return undefined
  } catch (error) {
    return error instanceof Refusal ? error.fault : "malformed"
  }
}
