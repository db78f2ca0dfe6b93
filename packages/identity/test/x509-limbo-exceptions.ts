/*
 * The cases of x509-limbo that are judged otherwise than expected, each with its reason. Reviewed: a case that becomes
 * right has to be taken out, and a new one needs a reason here.
 */

const hostName = "about the name of a host that a client connects to: members have no host names (RFC 9420 §5.3)"
const commonName = "about a host's name in the common name, which is never an identity here"
const address = "its only name is an address, which is no identity of a member: refused as no-identity"
const usage = "about key usages for TLS: none is registered for MLS, so they are judged only where critical"
const publicSuffix = "about wildcards above registered domains, which takes the Public Suffix List: a TLS client's rule"
const webPki = "a rule of the CA/Browser Forum for TLS, beyond RFC 5280"
const noSigner = "the leaf's keyUsage lacks digitalSignature, and the key of a member has to sign"

/** In either mode. */
export const alwaysOtherwise: Readonly<Record<string, string>> = {
  "cve::cve-2024-0567": "ten certificates, and a credential holds at most eight; the cycle in it is no obstacle",
  "pathlen::validation-ignores-pathlen-in-leaf": noSigner,
  "rfc5280::ca-as-leaf": noSigner,
  "rfc5280::eku::ee-wrong-eku": usage,
  "webpki::eku::ee-anyeku": usage,
  "webpki::eku::ee-without-eku": usage,
  "webpki::eku::root-has-eku": usage,
  "rfc5280::nc::permitted-dns-match-noncritical":
    "contradicts webpki::nc::permitted-dns-match-noncritical: name constraints are enforced in either criticality",
  "rfc5280::nc::permitted-ipv4-match": address,
  "rfc5280::nc::permitted-ipv6-match": address,
  "rfc5280::nc::permitted-dn-match": "its only name is a directory name, which is no identity: refused as no-identity",
  "webpki::aki::root-with-aki-all-fields": webPki,
  "webpki::aki::root-with-aki-ski-mismatch": webPki,
  "webpki::cn::punycode-not-in-san": commonName,
  "webpki::cn::utf8-vs-punycode-mismatch": commonName,
  "webpki::cn::not-in-san": commonName,
  "webpki::cn::case-mismatch": commonName,
  "webpki::san::exact-localhost-ip-san": address,
  "webpki::san::mismatch-domain-san": hostName,
  "webpki::san::mismatch-subdomain-san": hostName,
  "webpki::san::mismatch-subdomain-apex-san": hostName,
  "webpki::san::mismatch-apex-subdomain-san": hostName,
  "webpki::san::wildcard-match-across-labels-san": hostName,
  "webpki::san::public-suffix-multi-label-wildcard-san": publicSuffix,
  "webpki::san::public-suffix-private-namespace-wildcard-san": publicSuffix,
  "webpki::san::san-critical-with-nonempty-subject": webPki,
}

const issuers = "RFC 5280 §4 demands it of issuers and §6.1 does not check it: refused with `conforming`"

/** Without `conforming`. */
export const byDefaultOtherwise: Readonly<Record<string, string>> = {
  "rfc5280::aki::leaf-missing-aki": issuers,
  "rfc5280::aki::intermediate-missing-aki": issuers,
  "rfc5280::aki::cross-signed-root-missing-aki": issuers,
  "rfc5280::serial::too-long": issuers,
  "rfc5280::serial::zero": issuers,
  "rfc5280::ski::root-missing-ski": issuers,
  "rfc5280::ski::intermediate-missing-ski": issuers,
  "rfc5280::root-non-critical-basic-constraints": issuers,
  "webpki::aki::root-with-aki-missing-keyidentifier": issuers,
  "webpki::aki::root-with-aki-authoritycertissuer": issuers,
  "webpki::aki::root-with-aki-authoritycertserialnumber": issuers,
}
