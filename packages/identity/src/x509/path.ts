import type { Certificate } from "./certificate.js"
import { admits } from "./constraints.js"
import { sameBytes } from "./der.js"
import { type ChainFault, faultOf, Refusal } from "./faults.js"
import { demandIssuer, type Profile } from "./profile.js"
import { type SignatureProvider, signatureFault } from "./signatures.js"

/*
 * The bounds of one search. Seven intermediates and the trusted roots of their names can be put together in more ways
 * than a receiver may be made to try; what would cost more is refused as `too-complex`.
 */

/** Signatures that are verified. A chain of three whose every name has four candidates takes twelve. */
export const SIGNATURES_MAX = 64
/** Issuers that are tried, each for one path from the leaf up. */
export const STEPS_MAX = 256
/** Names compared with name constraints. */
export const COMPARISONS_MAX = 65_536

export interface PathOptions extends Profile {
  readonly provider: SignatureProvider | undefined
  /** Intermediates that are not self-issued, at most. */
  readonly pathLengthMax: number
  readonly isRevoked: ((certificate: Uint8Array, issuer: Uint8Array) => Promise<boolean>) | undefined
}

/** Why no path was found; a root's fault carries the index of the root among the trusted ones. */
export interface PathFault {
  readonly fault: ChainFault
  readonly root?: number
}

export interface Root {
  readonly certificate: Certificate
  readonly index: number
}

/**
 * Searches a path from the leaf to any trusted root (RFC 5280 §6.1; the building is RFC 4158's, depth first). At every
 * certificate the trusted roots of the issuer's name are tried before the other certificates of the credential, and the
 * search ends at the first root that verifies: what an issuer has been cross-signed by does not matter, nor do other
 * roots of its name that have expired or have another key.
 *
 * Without a path: the fault of the attempt that came nearest to a root.
 * @throws {Refusal} `too-complex` where the search meets one of its bounds.
 */
export async function findPath(
  leaf: Certificate,
  others: readonly Certificate[],
  roots: readonly Root[],
  options: PathOptions,
): Promise<PathFault | undefined> {
  return new Search(others, roots, options).run(leaf)
}

class Search {
  readonly #others: readonly Certificate[]
  readonly #roots: readonly Root[]
  readonly #options: PathOptions
  readonly #issuerFaults = new Map<Certificate, ChainFault | undefined>()
  readonly #signatureFaults = new PairMap<ChainFault | undefined>()
  readonly #revocationFaults = new PairMap<ChainFault | undefined>()
  #best: PathFault & { readonly depth: number } = { depth: 0, fault: "untrusted-root" }
  #signatures = 0
  #steps = 0
  #comparisons = 0

  constructor(others: readonly Certificate[], roots: readonly Root[], options: PathOptions) {
    this.#others = others
    this.#roots = roots
    this.#options = options
  }

  async run(leaf: Certificate): Promise<PathFault | undefined> {
    if (await this.#reachesRoot([leaf])) return undefined
    const { fault, root } = this.#best
    return root === undefined ? { fault } : { fault, root }
  }

  /** `path` is valid but for its anchor: whether some root, or further certificates and a root, complete it. */
  async #reachesRoot(path: readonly Certificate[]): Promise<boolean> {
    const last = path.at(-1)!
    const anchors = this.#roots.filter(({ certificate }) => certificate.subject.key === last.issuer.key)
    for (const { certificate, index } of anchors) {
      const fault = await this.#stepFault(path, certificate, this.#options.pathLengthMax)
      const revocation = fault === undefined ? await this.#revocationFault([...path, certificate]) : undefined
      if (fault === undefined && revocation === undefined) return true
      // Only what is wrong with the root itself is the root's fault.
      const isRoots = fault !== undefined && this.#issuerFaults.get(certificate) !== undefined
      this.#note(path.length, fault ?? revocation!, isRoots ? index : undefined)
    }
    const intermediates = this.#others.filter((it) => it.subject.key === last.issuer.key && !isLoop(path, it))
    for (const intermediate of intermediates) {
      const fault = await this.#stepFault(path, intermediate)
      if (fault !== undefined) this.#note(path.length, fault)
      else if (await this.#reachesRoot([...path, intermediate])) return true
    }
    if (anchors.length === 0 && intermediates.length === 0) {
      this.#note(path.length, path.length === 1 && this.#others.length > 0 ? "issuer-mismatch" : "untrusted-root")
    }
    return false
  }

  /** Why `issuer` cannot be the next of `path`, the cheap reasons first. */
  async #stepFault(
    path: readonly Certificate[],
    issuer: Certificate,
    pathLengthMax = Number.POSITIVE_INFINITY,
  ): Promise<ChainFault | undefined> {
    if (++this.#steps > STEPS_MAX) throw new Refusal("too-complex")
    const issuerFault = this.#issuerFault(issuer)
    if (issuerFault !== undefined) return issuerFault
    // RFC 5280 §4.2.1.9: intermediates below, self-issued ones and the leaf not counted.
    const intermediates = path.slice(1).filter((it) => !it.isSelfIssued).length
    if (intermediates > Math.min(issuer.pathLength, pathLengthMax)) return "path-too-long"
    if (!this.#admitsNames(path, issuer)) return "name-constraints"
    return this.#signatureFault(path.at(-1)!, issuer)
  }

  #issuerFault(issuer: Certificate): ChainFault | undefined {
    if (!this.#issuerFaults.has(issuer)) {
      this.#issuerFaults.set(
        issuer,
        faultOf(() => demandIssuer(issuer, this.#options)),
      )
    }
    return this.#issuerFaults.get(issuer)
  }

  /**
   * RFC 5280 §6.1.3 (b), (c): the names of all certificates below, except self-issued intermediates. Each issuer's
   * permitted subtrees are applied on their own, which is the intersection of §6.1.4 (g).
   */
  #admitsNames(path: readonly Certificate[], { nameConstraints }: Certificate): boolean {
    if (nameConstraints === undefined) return true
    const spend = () => {
      if (++this.#comparisons > COMPARISONS_MAX) throw new Refusal("too-complex")
    }
    return path
      .filter((it, depth) => depth === 0 || !it.isSelfIssued)
      .every((it) => it.constrainedNames.every((name) => admits(nameConstraints, name, spend)))
  }

  async #signatureFault(certificate: Certificate, issuer: Certificate): Promise<ChainFault | undefined> {
    return this.#signatureFaults.getOrFind(certificate, issuer, () => {
      if (++this.#signatures > SIGNATURES_MAX) throw new Refusal("too-complex")
      const { tbs: message, signatureAlgorithm: algorithm, signature } = certificate
      return signatureFault({ message, algorithm, signature }, issuer, this.#options.provider)
    })
  }

  /** Asks for the certificates of a complete path, from the leaf up to the one below the root. */
  async #revocationFault(path: readonly Certificate[]): Promise<ChainFault | undefined> {
    const { isRevoked } = this.#options
    if (isRevoked === undefined) return undefined
    for (const [depth, certificate] of path.slice(0, -1).entries()) {
      const issuer = path[depth + 1]!
      const fault = await this.#revocationFaults.getOrFind(certificate, issuer, async () => {
        try {
          return (await isRevoked(certificate.der.slice(), issuer.der.slice())) ? "revoked" : undefined
        } catch {
          return "revocation-unknown"
        }
      })
      if (fault !== undefined) return fault
    }
    return undefined
  }

  #note(depth: number, fault: ChainFault, root?: number): void {
    if (depth > this.#best.depth) this.#best = { depth, fault, ...(root !== undefined && { root }) }
  }
}

/** RFC 4158 §2.4.2: a path with the same name and key twice is no more than the one without what lies between. */
function isLoop(path: readonly Certificate[], next: Certificate): boolean {
  return path.some((it) => it.subject.key === next.subject.key && sameBytes(it.publicKeyInfo, next.publicKeyInfo))
}

/** What is known of a certificate and an issuer. */
class PairMap<Value> {
  readonly #values = new Map<Certificate, Map<Certificate, Value>>()

  async getOrFind(certificate: Certificate, issuer: Certificate, find: () => Promise<Value>): Promise<Value> {
    const known = this.#values.get(certificate) ?? new Map<Certificate, Value>()
    this.#values.set(certificate, known)
    if (!known.has(issuer)) known.set(issuer, await find())
    return known.get(issuer)!
  }
}
