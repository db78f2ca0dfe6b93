import { KeyUsageFlags } from "@peculiar/x509"
import { Certificate } from "./certificate.js"
import { children, contentOf, type Element, encodingOf, hex, isDer, sameBytes, single, tags } from "./der.js"
import { demand } from "./faults.js"
import { type DistinguishedName, readName } from "./names.js"
import { type SignatureProvider, signatureFault } from "./signatures.js"

export interface RevocationOptions {
  readonly at: Date
  /** As in `ChainOptions`. */
  readonly provider?: SignatureProvider
  /** Whether certificates of an issuer without a list count as not revoked. By default they are refused. */
  readonly listsOptional?: boolean
}

interface RevocationList {
  readonly issuer: DistinguishedName
  readonly thisUpdate: Date
  readonly nextUpdate: Date
  /** Hexadecimal digits of the serial numbers' contents. */
  readonly revoked: ReadonlySet<string>
  readonly message: Uint8Array
  readonly algorithm: Uint8Array
  readonly signature: Uint8Array
}

const CRL_NUMBER = "551d14"
/** authorityKeyIdentifier, cRLNumber, and of entries reasonCode and invalidityDate: none limits what a list is about. */
const harmless: ReadonlySet<string> = new Set(["551d23", CRL_NUMBER, "551d15", "551d18"])

/**
 * An `isRevoked` for `ChainOptions` from certificate revocation lists (DER), complete ones by the certificates' own
 * issuers (RFC 5280 §6.3.3); delta and indirect lists and those with a distribution point are refused. It rejects, and
 * the chain is `revocation-unknown`, unless some list of the issuer is in its time and signed by its key, which may sign
 * lists.
 *
 * @throws {Refusal} `malformed` where one of `lists` is not such a list.
 */
export function revocationLists(
  lists: readonly Uint8Array[],
  { at, provider, listsOptional = false }: RevocationOptions,
): (certificate: Uint8Array, issuer: Uint8Array) => Promise<boolean> {
  const known = lists.map(readList)
  return async (certificate, issuer) => {
    const subject = new Certificate(certificate)
    const authority = new Certificate(issuer)
    const named = known.filter((it) => it.issuer.key === authority.subject.key)
    if (named.length === 0 && listsOptional) return false
    // §6.3.3 (f)
    demand(authority.mayUse(KeyUsageFlags.cRLSign), "key-usage")
    const current = named.filter((it) => it.thisUpdate <= at && at < it.nextUpdate)
    const faults = await Promise.all(current.map((it) => signatureFault(it, authority, provider)))
    const verified = current.filter((_, i) => faults[i] === undefined)
    demand(verified.length > 0, "revocation-unknown")
    return verified.some((it) => it.revoked.has(hex(subject.serialNumber)))
  }
}

/** RFC 5280 §5.1: CertificateList of version 2. */
function readList(bytes: Uint8Array): RevocationList {
  demand(isDer(bytes), "malformed")
  const der = Uint8Array.from(bytes)
  const [tbs, algorithm, signature, ...more] = children(der, single(der, tags.sequence))
  demand(tbs?.tag === tags.sequence && algorithm?.tag === tags.sequence, "malformed")
  demand(signature?.tag === tags.bitString && der[signature.start] === 0 && more.length === 0, "malformed")
  const [version, inner, issuer, thisUpdate, nextUpdate, ...rest] = children(der, tbs)
  // Version 2 is 1; nextUpdate is demanded by §5.1.2.5.
  demand(version !== undefined && sameBytes(encodingOf(der, version), Uint8Array.of(2, 1, 1)), "malformed")
  demand(inner !== undefined && sameBytes(encodingOf(der, inner), encodingOf(der, algorithm)), "malformed")
  demand(issuer !== undefined && thisUpdate !== undefined && nextUpdate !== undefined, "malformed")
  const entries = rest[0]?.tag === tags.sequence ? rest.shift() : undefined
  const [extensions, ...beyond] = rest
  demand(extensions?.tag === 0xa0 && beyond.length === 0, "malformed")
  const [list] = children(der, extensions)
  demandExtensions(der, list, true)
  return {
    issuer: readName(der, issuer),
    thisUpdate: readTime(der, thisUpdate),
    nextUpdate: readTime(der, nextUpdate),
    revoked: new Set(entries === undefined ? [] : children(der, entries).map((it) => revokedSerial(der, it))),
    message: encodingOf(der, tbs),
    algorithm: encodingOf(der, algorithm),
    signature: contentOf(der, signature).subarray(1),
  }
}

function revokedSerial(der: Uint8Array, entry: Element): string {
  const [serial, date, extensions] = children(der, entry)
  demand(serial?.tag === tags.integer && date !== undefined, "malformed")
  if (extensions !== undefined) demandExtensions(der, extensions, false)
  return hex(contentOf(der, serial))
}

/** RFC 5280 §5.2: unknown ones may not be critical; §5.2.3: a list has a number, which is not critical either. */
function demandExtensions(der: Uint8Array, list: Element | undefined, numbered: boolean): void {
  demand(list?.tag === tags.sequence, "malformed")
  const extensions = children(der, list).map((it) => {
    const [id, ...fields] = children(der, it)
    demand(id?.tag === tags.objectIdentifier, "malformed")
    return { id: hex(contentOf(der, id)), critical: fields[0]?.tag === tags.boolean }
  })
  demand(!extensions.some(({ critical }) => critical), "malformed")
  demand(!numbered || extensions.some(({ id }) => id === CRL_NUMBER), "malformed")
  // An issuing distribution point, a base for a delta or another issuer would change what the list says.
  demand(
    extensions.every(({ id }) => harmless.has(id) || !id.startsWith("551d")),
    "malformed",
  )
}

/** RFC 5280 §4.1.2.5: UTCTime until 2049 (0x17), GeneralizedTime (0x18) after it, in whole seconds of UTC. */
function readTime(der: Uint8Array, time: Element): Date {
  const text = String.fromCharCode(...contentOf(der, time))
  const digits = /^(\d\d)?(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  demand(digits !== null && time.tag === (digits[1] === undefined ? 0x17 : 0x18), "malformed")
  const [century, year, month, day, hour, minute, second] = digits.slice(1).map((it) => it ?? "")
  const full = `${century || (Number(year) < 50 ? "20" : "19")}${year}`
  const date = new Date(`${full}-${month}-${day}T${hour}:${minute}:${second}Z`)
  demand(!Number.isNaN(date.getTime()), "malformed")
  return date
}
