import "reflect-metadata"
import { BasicConstraintsExtension, type KeyUsageFlags, KeyUsagesExtension, X509Certificate } from "@peculiar/x509"
import { type NameConstraints, readNameConstraints } from "./constraints.js"
import { children, contentOf, type Element, encodingOf, hex, isMinimalInteger, sameBytes, single, tags } from "./der.js"
import { demand } from "./faults.js"
import { isCertificateFraming } from "./framing.js"
import { type DistinguishedName, type GeneralName, readGeneralNames, readName } from "./names.js"

/** Extensions of RFC 5280 §4.2 that are read here, by the hexadecimal digits of their object identifiers. */
export const extensionIds = {
  subjectKeyIdentifier: "551d0e",
  keyUsage: "551d0f",
  subjectAltName: "551d11",
  basicConstraints: "551d13",
  nameConstraints: "551d1e",
  authorityKeyIdentifier: "551d23",
  policyConstraints: "551d24",
  extendedKeyUsage: "551d25",
} as const

export interface Extension {
  /** Hexadecimal digits of the object identifier's content. */
  readonly id: string
  readonly critical: boolean
  /** DER of what the extnValue holds. */
  readonly value: Uint8Array
}

/**
 * A certificate of version 3. Its fields are read from the strict encoding when it is made; what its extensions and
 * dates say when it is asked for, by `@peculiar/x509` where that parser is strict.
 */
export class Certificate {
  /** A copy in a plain array: a slice of a Node Buffer would share the memory of others. */
  readonly der: Uint8Array
  /** What is signed. */
  readonly tbs: Uint8Array
  /** Content of the INTEGER. */
  readonly serialNumber: Uint8Array
  /** DER of the AlgorithmIdentifier. */
  readonly signatureAlgorithm: Uint8Array
  readonly signature: Uint8Array
  readonly issuer: DistinguishedName
  readonly subject: DistinguishedName
  /** DER of the SubjectPublicKeyInfo. */
  readonly publicKeyInfo: Uint8Array
  readonly extensions: readonly Extension[]
  #parsed: X509Certificate | undefined
  #nameConstraints: NameConstraints | null | undefined
  #alternativeNames: readonly GeneralName[] | undefined

  /** @throws {Refusal} `malformed` unless the bytes are the DER encoding of a certificate of version 3. */
  constructor(bytes: Uint8Array) {
    demand(isCertificateFraming(bytes), "malformed")
    const der = Uint8Array.from(bytes)
    const [tbs, , signature] = children(der, single(der, tags.sequence))
    const [version, serial, algorithm, issuer, validity, subject, publicKeyInfo, ...rest] = children(der, tbs!)
    // RFC 5280 §4.1.2.1: version 3 is 2.
    demand(version !== undefined && sameBytes(contentOf(der, version), Uint8Array.of(2, 1, 2)), "malformed")
    demand(serial !== undefined && isMinimalInteger(contentOf(der, serial)), "malformed")
    demand(
      validity?.tag === tags.sequence && subject !== undefined && publicKeyInfo?.tag === tags.sequence,
      "malformed",
    )
    this.der = der
    this.tbs = encodingOf(der, tbs!)
    this.serialNumber = contentOf(der, serial)
    this.signatureAlgorithm = encodingOf(der, algorithm!)
    this.signature = contentOf(der, signature!).subarray(1)
    this.issuer = readName(der, issuer!)
    this.subject = readName(der, subject)
    this.publicKeyInfo = encodingOf(der, publicKeyInfo)
    this.extensions = readExtensions(der, rest)
  }

  /** RFC 5280 §3.2: a CA's certificate for itself, as on a change of keys; not only a self-signed one. */
  get isSelfIssued(): boolean {
    return this.subject.key === this.issuer.key
  }

  get notBefore(): Date {
    return this.#peculiar.notBefore
  }

  get notAfter(): Date {
    return this.#peculiar.notAfter
  }

  get isAuthority(): boolean {
    return this.#basicConstraints?.ca === true
  }

  /** RFC 5280 §4.2.1.9 pathLenConstraint; infinite where it is absent. */
  get pathLength(): number {
    return this.#basicConstraints?.pathLength ?? Number.POSITIVE_INFINITY
  }

  /** RFC 5280 §4.2.1.3: an absent extension restricts nothing. */
  mayUse(usage: KeyUsageFlags): boolean {
    const extension = this.#peculiar.getExtension(KeyUsagesExtension)
    return extension === null || (extension.usages & usage) !== 0
  }

  /** @throws {Refusal} as `readNameConstraints` does. */
  get nameConstraints(): NameConstraints | undefined {
    if (this.#nameConstraints === undefined) {
      const extension = this.extension("nameConstraints")
      this.#nameConstraints = extension === undefined ? null : readNameConstraints(extension.value)
    }
    return this.#nameConstraints ?? undefined
  }

  /** @throws {Refusal} `malformed` where the extension is not GeneralNames. */
  get alternativeNames(): readonly GeneralName[] {
    if (this.#alternativeNames === undefined) {
      const extension = this.extension("subjectAltName")
      this.#alternativeNames = extension === undefined ? [] : readGeneralNames(extension.value)
    }
    return this.#alternativeNames
  }

  /** RFC 5280 §6.1.3 (b): the subject, the alternative names, and e-mail addresses that stand in the subject. */
  get constrainedNames(): readonly GeneralName[] {
    const { rdns, emails } = this.subject
    return [
      ...(rdns.length > 0 ? [{ form: "directory", value: this.subject } as const] : []),
      ...emails.map((value) => ({ form: "email", value }) as const),
      ...this.alternativeNames,
    ]
  }

  extension(name: keyof typeof extensionIds): Extension | undefined {
    return this.extensions.find(({ id }) => id === extensionIds[name])
  }

  get #basicConstraints(): BasicConstraintsExtension | null {
    return this.#peculiar.getExtension(BasicConstraintsExtension)
  }

  get #peculiar(): X509Certificate {
    this.#parsed ??= new X509Certificate(this.der.slice().buffer)
    return this.#parsed
  }
}

/** RFC 5280 §4.1.2.9: [3] { SEQUENCE OF Extension }, after the unique identifiers, which are not read. */
function readExtensions(der: Uint8Array, rest: readonly Element[]): readonly Extension[] {
  demand(
    rest.every(({ tag }, i) => (tag & 0x1f) <= 3 && tag >= 0x80 && (i === 0 || (rest[i - 1]!.tag & 3) < (tag & 3))),
    "malformed",
  )
  const wrapper = rest.find(({ tag }) => tag === 0xa3)
  if (wrapper === undefined) return []
  const [list, ...more] = children(der, wrapper)
  demand(list?.tag === tags.sequence && list.end > list.start && more.length === 0, "malformed")
  return children(der, list).map((extension) => {
    const fields = children(der, extension)
    const [id, value] = [fields[0], fields.at(-1)]
    const critical = fields.length === 3 ? fields[1] : undefined
    demand(id?.tag === tags.objectIdentifier && value?.tag === tags.octetString && fields.length <= 3, "malformed")
    // DER leaves out the default, FALSE.
    const isTrue = critical?.tag === tags.boolean && sameBytes(contentOf(der, critical), Uint8Array.of(0xff))
    demand(critical === undefined || isTrue, "malformed")
    return { id: hex(contentOf(der, id)), critical: isTrue, value: contentOf(der, value) }
  })
}
