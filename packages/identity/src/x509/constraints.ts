import { children, single, tags } from "./der.js"
import { demand } from "./faults.js"
import { type GeneralName, hostOfUri, isHostName, readGeneralName, readMailbox } from "./names.js"

/** RFC 5280 §4.2.1.10: the subtrees within which an issuer may certify names, and those within which it may not. */
export interface NameConstraints {
  readonly permitted: readonly GeneralName[]
  readonly excluded: readonly GeneralName[]
}

/**
 * The value of a NameConstraints extension. Its criticality is not looked at: RFC 5280 §6.1.4 (g) applies it in either
 * case.
 * @throws {Refusal} `malformed`; `not-conforming` for minimum or maximum, and for bases that are not written as
 *   §4.2.1.10 says.
 */
export function readNameConstraints(der: Uint8Array): NameConstraints {
  const lists = children(der, single(der, tags.sequence))
  // RFC 5280 §4.2.1.10: never an empty sequence; either list has at least one subtree.
  demand(lists.length > 0, "malformed")
  const [permitted, excluded] = [0xa0, 0xa1].map((tag) => {
    const list = lists.filter((it) => it.tag === tag)
    if (list.length === 0) return []
    const subtrees = children(der, list[0]!)
    demand(list.length === 1 && subtrees.length > 0, "malformed")
    return subtrees.map((subtree) => {
      const [base, ...distances] = children(der, subtree)
      demand(subtree.tag === tags.sequence && base !== undefined, "malformed")
      // "minimum MUST be zero", which DER leaves out, "and maximum MUST be absent".
      demand(distances.length === 0, "not-conforming")
      const name = readGeneralName(der, base)
      demand(isBase(name), "not-conforming")
      return name
    })
  })
  demand(
    lists.every(({ tag }, i) => (tag === 0xa0 || tag === 0xa1) && (i === 0 || lists[i - 1]!.tag < tag)),
    "malformed",
  )
  return { permitted: permitted!, excluded: excluded! }
}

/** Empty texts constrain all names of their form: RFC 5280 does not speak of them, and this is how they are used. */
function isBase(base: GeneralName): boolean {
  switch (base.form) {
    case "dns":
      return base.value === "" || isHostName(base.value)
    case "email":
      if (base.value.includes("@")) return readMailbox(base.value) !== undefined
      return base.value === "" || isHostName(withoutPeriod(base.value))
    case "uri":
      return base.value === "" || isHostName(withoutPeriod(base.value))
    case "ip":
      return isAddressRange(base.value)
    default:
      return true
  }
}

const withoutPeriod = (text: string) => (text.startsWith(".") ? text.slice(1) : text)

/** An address and a mask of the same length, whose ones stand before its zeros (RFC 4632 §3.1). */
function isAddressRange(range: Uint8Array): boolean {
  if (range.length !== 8 && range.length !== 32) return false
  let bits = ""
  for (const byte of range.subarray(range.length / 2)) bits += byte.toString(2).padStart(8, "0")
  return /^1*0*$/.test(bits)
}

/**
 * Whether `name` may stand in a certificate below an issuer with these constraints: in no excluded subtree, and in some
 * permitted one if there is any of its form (RFC 5280 §6.1.3 (b) and (c)). A constraint whose form is not understood
 * refuses every name of this form (§4.2.1.10). Calls `spend` before each comparison.
 */
export function admits({ permitted, excluded }: NameConstraints, name: GeneralName, spend: () => void): boolean {
  const sameForm = (base: GeneralName) => {
    spend()
    return base.form === name.form
  }
  if (excluded.filter(sameForm).some((base) => mayOverlap(name, base))) return false
  const within = permitted.filter(sameForm)
  return within.length === 0 || within.some((base) => isWithin(name, base))
}

function isWithin(name: GeneralName, base: GeneralName): boolean {
  if (name.form === "dns" && base.form === "dns") return isBelow(lower(name.value), lower(base.value))
  if (name.form === "email" && base.form === "email") return isMailboxWithin(name.value, base.value)
  if (name.form === "uri" && base.form === "uri") {
    const host = hostOfUri(name.value)
    // RFC 5280 §4.2.1.10: a URI without a host name is refused where URIs are constrained.
    return host !== undefined && isHostWithin(host, lower(base.value))
  }
  if (name.form === "ip" && base.form === "ip") return isAddressWithin(name.value, base.value)
  if (name.form === "directory" && base.form === "directory") {
    return base.value.rdns.every((rdn, i) => rdn === name.value.rdns[i])
  }
  return false
}

/** Whether `name` is in an excluded subtree, or cannot be said not to be. */
function mayOverlap(name: GeneralName, base: GeneralName): boolean {
  switch (name.form) {
    case "dns": {
      if (isWithin(name, base)) return true
      // `*.example.com` also is `host.example.com`.
      const parent = name.value.startsWith("*.") ? lower(name.value.slice(2)) : undefined
      return base.form === "dns" && lower(base.value).replace(/^[^.]*\./, "") === parent
    }
    case "email":
      return readMailbox(name.value) === undefined || isWithin(name, base)
    case "uri":
      return hostOfUri(name.value) === undefined || isWithin(name, base)
    case "ip":
    case "directory":
      return isWithin(name, base)
    default:
      return true
  }
}

const lower = (text: string) => text.toLowerCase()

/** DNS: the base itself, and every name with labels added to its left. */
const isBelow = (name: string, base: string) => base === "" || name === base || name.endsWith(`.${base}`)

/** E-mail hosts and URI: a base with a leading period is all hosts below it, one without is this host alone. */
const isHostWithin = (host: string, base: string) =>
  base === "" || (base.startsWith(".") ? host.endsWith(base) : host === base)

/** The local part is compared exactly, the host without regard to case (RFC 5280 §7.5). */
function isMailboxWithin(text: string, base: string): boolean {
  const mailbox = readMailbox(text)
  if (mailbox === undefined) return false
  if (!base.includes("@")) return isHostWithin(mailbox.domain, lower(base))
  const wanted = readMailbox(base)
  return wanted?.local === mailbox.local && wanted.domain === mailbox.domain
}

function isAddressWithin(address: Uint8Array, range: Uint8Array): boolean {
  const size = address.length
  return range.length === 2 * size && address.every((byte, i) => ((byte ^ range[i]!) & range[size + i]!) === 0)
}
