import { KeyUsageFlags } from "@peculiar/x509"
import { type Certificate, extensionIds } from "./certificate.js"
import { children, single, tags } from "./der.js"
import { demand } from "./faults.js"
import { isWellWritten } from "./names.js"
import { demandStrongKey } from "./signatures.js"

/** What a certificate is judged by on its own, before it is part of a path. */
export interface Profile {
  /** The moment of the judgement; `undefined` for "at any time". */
  readonly at: Date | undefined
  /** Whether also what RFC 5280 §4 demands of issuers, and §6.1 does not check, is refused where it is missing. */
  readonly conforming: boolean
}

/** RFC 5280 §4.2: a certificate with any other critical extension is refused. */
const processed: ReadonlySet<string> = new Set([
  extensionIds.keyUsage,
  extensionIds.subjectAltName,
  extensionIds.basicConstraints,
  extensionIds.nameConstraints,
])

/**
 * RFC 5280 §6.1.3 and §6.1.5 for the certificate of a client: valid, its extensions understood, and its key one that
 * signs. Extended key usages are not judged: none is registered for MLS (RFC 9420 §5.3), so only a critical one, which
 * says that the key is for nothing else, is refused.
 * @throws {Refusal}
 */
export function demandLeaf(certificate: Certificate, profile: Profile): void {
  demand(certificate.mayUse(KeyUsageFlags.digitalSignature), "key-usage")
  demandCertificate(certificate, profile)
}

/**
 * RFC 5280 §6.1.4 (k) to (o) for a certificate that issues others, intermediate or trust anchor.
 * @throws {Refusal}
 */
export function demandIssuer(certificate: Certificate, profile: Profile): void {
  demandCertificate(certificate, profile)
  // Its key may sign certificates, then: {@link demandConsistency}.
  demand(certificate.isAuthority, "not-a-ca")
}

function demandCertificate(certificate: Certificate, profile: Profile): void {
  const { at } = profile
  if (at !== undefined) {
    // RFC 5280 §4.1.2.5: whole seconds, both ends included.
    const second = Math.floor(at.getTime() / 1000) * 1000
    demand(certificate.notBefore.getTime() <= second, "not-yet-valid")
    demand(second <= certificate.notAfter.getTime(), "expired")
  }
  demandStrongKey(certificate)
  const { extensions } = certificate
  // RFC 5280 §4.2: never two of the same kind.
  demand(new Set(extensions.map(({ id }) => id)).size === extensions.length, "not-conforming")
  demand(!extensions.some(({ id, critical }) => critical && !processed.has(id)), "critical-extension")
  // RFC 5280 §4.2.1.11: it limits the certificates below, whatever its criticality, and policies are not processed here.
  demand(certificate.extension("policyConstraints") === undefined, "critical-extension")
  demandConsistency(certificate)
  if (profile.conforming) demandConformity(certificate)
}

/** What RFC 5280 §4 rules out, and no issuer does by accident without being wrong about what it certifies. */
function demandConsistency(certificate: Certificate): void {
  const { isAuthority, nameConstraints, alternativeNames, issuer, subject } = certificate
  const hasKeyUsage = certificate.extension("keyUsage") !== undefined
  const maySign = certificate.mayUse(KeyUsageFlags.keyCertSign)
  // §4.1.2.4: so no issuer without a name, either.
  demand(issuer.rdns.length > 0, "not-conforming")
  // §4.2.1.10
  demand(nameConstraints === undefined || isAuthority, "not-conforming")
  // §4.2.1.3, §4.2.1.9: cA and keyCertSign say the same.
  demand(!hasKeyUsage || maySign === isAuthority, isAuthority ? "key-usage" : "not-conforming")
  // §4.2.1.6
  demand(alternativeNames.every(isWellWritten), "not-conforming")
  const alternatives = certificate.extension("subjectAltName")
  demand(subject.rdns.length > 0 || alternatives?.critical === true, "not-conforming")
  // §4.2.1.12: at least one usage.
  const usages = certificate.extension("extendedKeyUsage")?.value
  if (usages !== undefined) demand(children(usages, single(usages, tags.sequence)).length > 0, "malformed")
}

/** RFC 5280 §4.1.2.2, §4.2.1.1, §4.2.1.2 and §4.2.1.9. */
function demandConformity(certificate: Certificate): void {
  const { serialNumber, isAuthority, isSelfIssued } = certificate
  const subjectKey = certificate.extension("subjectKeyIdentifier")?.value
  const isPositive = serialNumber[0]! < 0x80 && serialNumber.some((byte) => byte !== 0)
  demand(isPositive && serialNumber.length <= 20, "not-conforming")
  demand(!isAuthority || certificate.extension("basicConstraints")?.critical === true, "not-conforming")
  demand(!isAuthority || subjectKey !== undefined, "not-conforming")
  const authorityKey = certificate.extension("authorityKeyIdentifier")?.value
  if (authorityKey === undefined) {
    demand(isSelfIssued, "not-conforming")
    return
  }
  const fields = children(authorityKey, single(authorityKey, tags.sequence))
  const has = (tag: number) => fields.some((it) => it.tag === tag)
  // [0] keyIdentifier; [1] authorityCertIssuer and [2] authorityCertSerialNumber both or neither.
  demand(has(0x80) && has(0xa1) === has(0x82), "not-conforming")
}
