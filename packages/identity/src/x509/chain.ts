import { Certificate } from "./certificate.js"
import { sameBytes } from "./der.js"
import { type ChainFault, demand, faultOf, Refusal } from "./faults.js"
import { findPath, type PathFault, type Root } from "./path.js"
import { demandIssuer, demandLeaf, type Profile } from "./profile.js"
import { publicKeyBytes, type SignatureProvider } from "./signatures.js"

export type ChainJudgement =
  | { readonly valid: true; readonly identities: readonly string[] }
  | { readonly valid: false; readonly fault: ChainFault }
  /** The path leads to a trusted root that cannot be used: its index in `roots`, and why. */
  | { readonly valid: false; readonly fault: "unusable-root"; readonly root: number; readonly rootFault: ChainFault }

export interface ChainOptions {
  /** DER. A path must end in one of them; it need not be self-signed. */
  readonly roots: readonly Uint8Array[]
  readonly at: Date
  /**
   * Verifies EdDSA, and ECDSA with the hashes of MLS; pass the one that the group uses, so that all members read
   * signatures alike. Without it WebCrypto verifies Ed25519 and ECDSA, and Ed448 is `unsupported-algorithm`. RSA (PKCS #1
   * v1.5 and PSS with SHA-256, SHA-384 or SHA-512) always is WebCrypto's.
   */
  readonly provider?: SignatureProvider
  /** Intermediates that are not self-issued, at most; a credential's limit of eight certificates holds in any case. */
  readonly pathLengthMax?: number
  /**
   * Whether a certificate that breaks what RFC 5280 §4 demands of its issuer is refused also where §6.1 does not check
   * it: key identifiers (§4.2.1.1, §4.2.1.2), critical basic constraints (§4.2.1.9), positive serial numbers of at most
   * 20 bytes (§4.1.2.2). Not by default: many private CAs leave them out.
   */
  readonly conforming?: boolean
  /**
   * Whether a certificate (DER) has been revoked; asked for every certificate of a path but the root, the leaf first. A
   * rejection refuses the path as `revocation-unknown`.
   */
  readonly isRevoked?: (certificate: Uint8Array, issuer: Uint8Array) => Promise<boolean>
}

/** RFC 9420 §5.3: a chain is short. */
const CERTIFICATES_MAX = 8
/** Bytes of a certificate. */
const CERTIFICATE_SIZE_MAX = 16384

/**
 * RFC 9420 §5.3 and RFC 5280 §6.1 for the certificates that an MLS credential holds: the leaf first, the others in any
 * order, the leaf's key the one that signs in MLS. Valid if some path over these certificates leads to some root.
 * Identities are the leaf's subjectAltNames (`email:`, `dns:`, `uri:`) in the order of the certificate.
 *
 * An absent keyUsage restricts nothing (RFC 5280 §4.2.1.3); name constraints hold whatever their criticality (§6.1.4
 * (g)). Host names, extended key usages and policies are not judged: see docs/decisions/011-x509-paths.md.
 *
 * Never throws for what the certificates and roots say.
 */
export async function judgeChain(
  certificates: readonly Uint8Array[],
  signatureKey: Uint8Array,
  options: ChainOptions,
): Promise<ChainJudgement> {
  return judgeChainAt(certificates, signatureKey, options, options.at)
}

/** As `judgeChain`, with the dates left out: for a chain that was judged when it came, and may have expired. */
export async function judgeChainAtAnyTime(
  certificates: readonly Uint8Array[],
  signatureKey: Uint8Array,
  options: Omit<ChainOptions, "at">,
): Promise<ChainJudgement> {
  return judgeChainAt(certificates, signatureKey, options, undefined)
}

/**
 * Why a certificate cannot be a trusted root, or `undefined` if it can: for an application that checks its configuration
 * before it relies on it.
 */
export function judgeRoot(
  root: Uint8Array,
  { at, conforming = false }: Pick<ChainOptions, "at" | "conforming">,
): ChainFault | undefined {
  return faultOf(() => demandIssuer(new Certificate(root), { at, conforming }))
}

async function judgeChainAt(
  certificates: readonly Uint8Array[],
  signatureKey: Uint8Array,
  options: Omit<ChainOptions, "at">,
  at: Date | undefined,
): Promise<ChainJudgement> {
  const profile = { at, conforming: options.conforming ?? false }
  try {
    const [leaf, ...others] = readCredential(certificates, signatureKey, profile)
    const { roots, malformed } = readRoots(options.roots)
    const fault = await findPath(leaf!, others, roots, {
      ...profile,
      provider: options.provider,
      pathLengthMax: options.pathLengthMax ?? Number.POSITIVE_INFINITY,
      isRevoked: options.isRevoked,
    })
    if (fault !== undefined) return refusal(fault, malformed)
    const identities = identitiesOf(leaf!)
    demand(identities.length > 0, "no-identity")
    return { valid: true, identities }
  } catch (error) {
    return { valid: false, fault: error instanceof Refusal ? error.fault : "malformed" }
  }
}

/** The certificates, the leaf judged but for its path. */
function readCredential(
  certificates: readonly Uint8Array[],
  signatureKey: Uint8Array,
  profile: Profile,
): readonly Certificate[] {
  demand(certificates.length > 0 && certificates.length <= CERTIFICATES_MAX, "too-long")
  demand(
    certificates.every((it) => it.length <= CERTIFICATE_SIZE_MAX),
    "too-long",
  )
  const chain = certificates.map((it) => new Certificate(it))
  const key = publicKeyBytes(chain[0]!.publicKeyInfo)
  demand(key !== undefined && sameBytes(key, signatureKey), "key-mismatch")
  demandLeaf(chain[0]!, profile)
  return chain
}

/** The roots that can be read, and the index of the first that cannot. */
function readRoots(encoded: readonly Uint8Array[]): { roots: readonly Root[]; malformed: number | undefined } {
  const roots: Root[] = []
  let malformed: number | undefined
  for (const [index, der] of encoded.entries()) {
    const fault = faultOf(() => roots.push({ certificate: new Certificate(der), index }))
    if (fault !== undefined) malformed ??= index
  }
  return { roots, malformed }
}

/** A root that cannot be read may be the one that is missing. */
function refusal({ fault, root }: PathFault, malformed: number | undefined): ChainJudgement {
  if (root !== undefined) return { valid: false, fault: "unusable-root", root, rootFault: fault }
  if (fault === "untrusted-root" && malformed !== undefined) {
    return { valid: false, fault: "unusable-root", root: malformed, rootFault: "malformed" }
  }
  return { valid: false, fault }
}

function identitiesOf({ alternativeNames }: Certificate): string[] {
  return alternativeNames.flatMap((name) =>
    name.form === "email" || name.form === "dns" || name.form === "uri" ? [`${name.form}:${name.value}`] : [],
  )
}
