import "reflect-metadata"
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509Certificate,
} from "@peculiar/x509"
import { isCertificateFraming } from "./framing.js"

/** Why a chain was refused. */
export type ChainFault =
  | "malformed"
  | "too-long"
  | "key-mismatch"
  | "not-yet-valid"
  | "expired"
  | "critical-extension"
  | "not-a-ca"
  | "path-too-long"
  | "key-usage"
  | "issuer-mismatch"
  | "bad-signature"
  | "untrusted-root"
  | "revoked"
  | "no-identity"

export type ChainJudgement =
  | { readonly valid: true; readonly identities: readonly string[] }
  | { readonly valid: false; readonly fault: ChainFault }

export interface ChainOptions {
  /** DER. A chain must end in one of them, or be issued by one. */
  readonly roots: readonly Uint8Array[]
  readonly at: Date
  /** Whether a certificate (DER) has been revoked; asked for every certificate but the root, the leaf first. */
  readonly isRevoked?: (certificate: Uint8Array, issuer: Uint8Array) => Promise<boolean>
}

/** RFC 9420 §5.3: a chain is short. */
const CERTIFICATES_MAX = 8
const CERTIFICATE_SIZE_MAX = 16384

/** Critical extensions that are checked here; any other makes a certificate unusable (RFC 5280 §4.2). */
const understood = new Set(["2.5.29.15", "2.5.29.17", "2.5.29.19"])

/**
 * RFC 9420 §5.3 and RFC 5280 §6.1 for the chains that an MLS credential holds: the leaf first, each certificate issued
 * by the next, the leaf's key the one that signs in MLS. Identities are the leaf's subjectAltNames (`email:`, `dns:`,
 * `uri:`) in the order of the certificate.
 *
 * Never throws for what the certificates say.
 */
export async function judgeChain(
  certificates: readonly Uint8Array[],
  signatureKey: Uint8Array,
  options: ChainOptions,
): Promise<ChainJudgement> {
  try {
    const identities = await validateChain(certificates, signatureKey, options)
    return { valid: true, identities }
  } catch (error) {
    return { valid: false, fault: error instanceof Refusal ? error.fault : "malformed" }
  }
}

/** The first moment at which all of a chain's certificates are valid; `undefined` where one is malformed. */
export function latestNotBefore(certificates: readonly Uint8Array[]): Date | undefined {
  try {
    return new Date(Math.max(...certificates.map((it) => parse(it).notBefore.getTime())))
  } catch {
    return undefined
  }
}

class Refusal extends Error {
  readonly fault: ChainFault
  constructor(fault: ChainFault) {
    super(fault)
    this.fault = fault
  }
}

function demand(condition: boolean, fault: ChainFault): asserts condition {
  if (!condition) throw new Refusal(fault)
}

async function validateChain(
  certificates: readonly Uint8Array[],
  signatureKey: Uint8Array,
  { roots, at, isRevoked }: ChainOptions,
): Promise<readonly string[]> {
  demand(certificates.length > 0 && certificates.length <= CERTIFICATES_MAX, "too-long")
  demand(
    certificates.every((it) => it.length <= CERTIFICATE_SIZE_MAX),
    "too-long",
  )
  const chain = certificates.map(parse)
  const leaf = chain[0]!
  demand(holdsKey(leaf, signatureKey), "key-mismatch")
  demand(mayUse(leaf, KeyUsageFlags.digitalSignature), "key-usage")

  const anchored = anchor(chain, roots.map(parse))
  for (const [depth, certificate] of anchored.entries()) {
    demand(certificate.notBefore <= at, "not-yet-valid")
    demand(at <= certificate.notAfter, "expired")
    const unknown = certificate.extensions.some((it) => it.critical && !understood.has(it.type))
    demand(!unknown, "critical-extension")
    if (depth > 0) validateIssuer(certificate, depth - 1)
    const issuer = anchored[depth + 1]
    if (issuer === undefined) continue
    demand(certificate.issuer === issuer.subject, "issuer-mismatch")
    demand(await certificate.verify({ publicKey: issuer.publicKey, signatureOnly: true }), "bad-signature")
    if (isRevoked) {
      demand(!(await isRevoked(new Uint8Array(certificate.rawData), new Uint8Array(issuer.rawData))), "revoked")
    }
  }
  const identities = identitiesOf(leaf)
  demand(identities.length > 0, "no-identity")
  return identities
}

/** RFC 5280 §6.1.4 (k), (l), (n): whoever issues may issue, and no deeper than it was allowed to. */
function validateIssuer(certificate: X509Certificate, intermediatesBelow: number): void {
  const constraints = certificate.getExtension(BasicConstraintsExtension)
  demand(constraints?.ca === true, "not-a-ca")
  demand(constraints.pathLength === undefined || intermediatesBelow <= constraints.pathLength, "path-too-long")
  demand(mayUse(certificate, KeyUsageFlags.keyCertSign), "key-usage")
}

/** The chain with its trust anchor at the end: the root that it brings along, or the one that issued its last. */
function anchor(chain: readonly X509Certificate[], roots: readonly X509Certificate[]): readonly X509Certificate[] {
  const last = chain.at(-1)!
  if (chain.length > 1 && roots.some((root) => sameBytes(root.rawData, last.rawData))) return chain
  const issuer = roots.find((root) => root.subject === last.issuer)
  demand(issuer !== undefined, "untrusted-root")
  return [...chain, issuer]
}

function parse(der: Uint8Array): X509Certificate {
  demand(isCertificateFraming(der), "malformed")
  return new X509Certificate(der.slice().buffer)
}

/** The subjectPublicKey is the last field of a SubjectPublicKeyInfo: a BIT STRING without unused bits. */
function holdsKey(certificate: X509Certificate, signatureKey: Uint8Array): boolean {
  const info = new Uint8Array(certificate.publicKey.rawData)
  const at = info.length - signatureKey.length
  return at > 2 && info[at - 1] === 0 && sameBytes(info.subarray(at), signatureKey) && bitStringEnds(info, at)
}

function bitStringEnds(info: Uint8Array, at: number): boolean {
  const length = info.length - at + 1
  const header = length < 128 ? [3, length] : [3, 0x81, length]
  return header.every((byte, i) => info[at - 1 - header.length + i] === byte)
}

function mayUse(certificate: X509Certificate, usage: KeyUsageFlags): boolean {
  const extension = certificate.getExtension(KeyUsagesExtension)
  return extension !== null && (extension.usages & usage) !== 0
}

function identitiesOf(certificate: X509Certificate): string[] {
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.items ?? []
  const kinds: Readonly<Record<string, string>> = { email: "email", dns: "dns", url: "uri" }
  return names.flatMap(({ type, value }) => (kinds[type] === undefined ? [] : [`${kinds[type]}:${value}`]))
}

function sameBytes(a: ArrayBuffer | Uint8Array, b: Uint8Array | ArrayBuffer): boolean {
  const [x, y] = [new Uint8Array(a), new Uint8Array(b)]
  return x.length === y.length && x.every((byte, i) => byte === y[i])
}
