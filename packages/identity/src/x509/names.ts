import { children, contentOf, type Element, hex, single, tags } from "./der.js"
import { demand } from "./faults.js"

/** A distinguished name, prepared for the comparison of RFC 5280 §7.1. */
export interface DistinguishedName {
  /** One text for each RelativeDistinguishedName; equal if and only if the RDNs match. */
  readonly rdns: readonly string[]
  /** One text for the whole name. */
  readonly key: string
  /** The values of its `emailAddress` attributes (RFC 5280 §4.1.2.6). */
  readonly emails: readonly string[]
}

/** RFC 5280 §4.2.1.6: the forms that are read here; names of the others are told apart by form alone. */
export type GeneralName =
  | { readonly form: "email" | "dns" | "uri"; readonly value: string }
  | { readonly form: "ip"; readonly value: Uint8Array }
  | { readonly form: "directory"; readonly value: DistinguishedName }
  | { readonly form: "otherName" | "x400" | "ediParty" | "registeredId" }

/** RFC 2985 §5.2.1: 1.2.840.113549.1.9.1. */
const EMAIL_ADDRESS = "2a864886f70d010901"

/** @throws {Refusal} `malformed` unless the element is a Name (RFC 5280 §4.1.2.4). */
export function readName(der: Uint8Array, name: Element): DistinguishedName {
  demand(name.tag === tags.sequence, "malformed")
  const emails: string[] = []
  const rdns = children(der, name).map((rdn) => {
    demand(rdn.tag === tags.set && rdn.end > rdn.start, "malformed")
    const attributes = children(der, rdn).map((attribute) => {
      const [type, value, ...more] = children(der, attribute)
      demand(type?.tag === tags.objectIdentifier && value !== undefined && more.length === 0, "malformed")
      const typeDigits = hex(contentOf(der, type))
      const text = readText(value.tag, contentOf(der, value))
      if (typeDigits === EMAIL_ADDRESS && text !== undefined) emails.push(text)
      return [typeDigits, text === undefined ? `#${hex(der.subarray(value.from, value.end))}` : `=${prepare(text)}`]
    })
    return JSON.stringify(attributes.sort(([a, x], [b, y]) => compare(`${a}${x}`, `${b}${y}`)))
  })
  return { rdns, key: rdns.join(), emails }
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

/** RFC 5280 §7.1, RFC 4518: letter case and the amount of white space do not matter, nor does the string's type. */
function prepare(text: string): string {
  return text.normalize("NFKC").toLowerCase().trim().replace(/\s+/g, " ")
}

/** The text of an attribute value; `undefined` for types that are not strings. */
function readText(tag: number, content: Uint8Array): string | undefined {
  switch (tag) {
    case 0x0c: // UTF8String
      return decodeUtf8(content)
    case 0x12: // NumericString
    case 0x13: // PrintableString
    case 0x14: // TeletexString, used as Latin-1
    case 0x16: // IA5String
    case 0x1a: // VisibleString
      return String.fromCharCode(...content)
    case 0x1e: // BMPString
      demand(content.length % 2 === 0, "malformed")
      return String.fromCharCode(
        ...Array.from({ length: content.length / 2 }, (_, i) => content[2 * i]! * 256 + content[2 * i + 1]!),
      )
    default:
      return undefined
  }
}

function decodeUtf8(content: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content)
  } catch {
    demand(false, "malformed")
  }
}

/**
 * The names of a SubjectAltName extension's value.
 * @throws {Refusal} `malformed` unless it is GeneralNames, of at least one name (RFC 5280 §4.2.1.6).
 */
export function readGeneralNames(der: Uint8Array): readonly GeneralName[] {
  const names = children(der, single(der, tags.sequence)).map((it) => readGeneralName(der, it))
  demand(names.length > 0, "malformed")
  return names
}

/** @throws {Refusal} `malformed` unless the element is a GeneralName. Whether its text is a valid name is not judged. */
export function readGeneralName(der: Uint8Array, name: Element): GeneralName {
  switch (name.tag) {
    case 0xa0:
      return { form: "otherName" }
    case 0x81:
      return { form: "email", value: readIa5(der, name) }
    case 0x82:
      return { form: "dns", value: readIa5(der, name) }
    case 0xa3:
      return { form: "x400" }
    case 0xa4: {
      const [directory, ...more] = children(der, name)
      demand(directory !== undefined && more.length === 0, "malformed")
      return { form: "directory", value: readName(der, directory) }
    }
    case 0xa5:
      return { form: "ediParty" }
    case 0x86:
      return { form: "uri", value: readIa5(der, name) }
    case 0x87:
      return { form: "ip", value: contentOf(der, name) }
    case 0x88:
      return { form: "registeredId" }
    default:
      demand(false, "malformed")
  }
}

/** IA5String without control characters. */
function readIa5(der: Uint8Array, name: Element): string {
  const content = contentOf(der, name)
  demand(
    content.every((byte) => byte >= 0x20 && byte < 0x7f),
    "malformed",
  )
  return String.fromCharCode(...content)
}

/**
 * RFC 1123 §2.1: labels of letters, digits and hyphens, at most 63 bytes each and 253 together, the last one not of
 * digits alone, which would be an address.
 */
export function isHostName(text: string): boolean {
  const labels = text.split(".")
  return (
    text.length <= 253 &&
    labels.every((label) => /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(label)) &&
    !/^\d+$/.test(labels.at(-1)!)
  )
}

/** A host name, or a wildcard that is its whole first label, above at least two others (RFC 6125 §6.4.3). */
export function isDnsName(text: string): boolean {
  if (!text.startsWith("*.")) return isHostName(text)
  const parent = text.slice(2)
  return parent.includes(".") && isHostName(parent)
}

export interface Mailbox {
  readonly local: string
  /** In lower case. */
  readonly domain: string
}

/** RFC 5280 §4.2.1.6, RFC 2821 §4.1.2: a local part and a host name; `undefined` for address literals too. */
export function readMailbox(text: string): Mailbox | undefined {
  const at = text.lastIndexOf("@")
  const [local, domain] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)]
  const atoms = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
  const quoted = /^"(?:[ !#-[\]-~]|\\[ -~])*"$/
  if (!(atoms.test(local) || quoted.test(local)) || !isHostName(domain)) return undefined
  return { local, domain: domain.toLowerCase() }
}

/** RFC 5280 §4.2.1.6: absolute, in the characters of RFC 3986. */
export function isUri(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]+$/.test(text)
}

/** The host of a URI's authority in lower case; `undefined` where it has none, or one that is not a host name. */
export function hostOfUri(text: string): string | undefined {
  const authority = /^[^:]*:\/\/([^/?#]*)/.exec(text)?.[1]
  const host = authority === undefined ? undefined : /^(?:[^@]*@)?([^@:]*)(?::\d*)?$/.exec(authority)?.[1]
  return host !== undefined && isHostName(host) ? host.toLowerCase() : undefined
}

/** Whether a name of this form is written as RFC 5280 §4.2.1.6 demands. */
export function isWellWritten(name: GeneralName): boolean {
  switch (name.form) {
    case "email":
      return readMailbox(name.value) !== undefined
    case "dns":
      return isDnsName(name.value)
    case "uri":
      return isUri(name.value)
    case "ip":
      return name.value.length === 4 || name.value.length === 16
    default:
      return true
  }
}
