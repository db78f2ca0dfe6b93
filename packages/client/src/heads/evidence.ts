import { DecodeError, decode, encode } from "@conclave/codec"
import { type Branch, EVIDENCE_VERSION, Evidence } from "@conclave/contracts/evidence"
import { chainLinkHash } from "@conclave/contracts/log-chain"
import { type CryptoProvider, equalBytes } from "@conclave/crypto"
import { serviceSuite, signerOf } from "./service-key.js"

/** What evidence proves: a service has signed two histories of one group, which differ from this entry on. */
export interface ProvenContradiction {
  /** An Ed25519 public key, 32 bytes: compare it with the one that your own client knows. */
  readonly serviceKey: Uint8Array
  /** 32 bytes. */
  readonly groupId: Uint8Array
  /** The number of the first entry that is known to differ. */
  readonly seq: bigint
  /** 1, or when the service was restored from a backup, as it has announced (Unix time in seconds). */
  readonly incarnation: bigint
}

/** Longer than whatever a client makes of 256 links on each side. */
const EVIDENCE_SIZE_MAX = 1 << 20

/**
 * Checks evidence against a service, as the event `contradicted` has it. Throws `TypeError`, with what is wrong, for
 * whatever proves nothing, and `UnsupportedError` where the provider lacks Ed25519 or SHA-256.
 */
export function verifyEvidence(bytes: Uint8Array, provider: CryptoProvider): ProvenContradiction {
  const { version, serviceKey, groupId, seq, one, other } = read(bytes)
  if (version !== EVIDENCE_VERSION) throw new TypeError(`this is evidence of version ${version}: update`)
  if (equalBytes(one.chainHash, other.chainHash)) throw new TypeError("the two histories are one")
  if (one.head.incarnation !== other.head.incarnation) {
    throw new TypeError("the service was restored from a backup between the two")
  }
  for (const [name, branch] of [["first", one] as const, ["second", other] as const]) {
    const fault = faultOf(branch, { seq, groupId, serviceKey, provider })
    if (fault !== undefined) throw new TypeError(`of the ${name} history, ${fault}`)
  }
  return { serviceKey, groupId, seq, incarnation: one.head.incarnation }
}

function read(bytes: Uint8Array): Evidence {
  try {
    return decode(Evidence, bytes, { sizeMax: EVIDENCE_SIZE_MAX })
  } catch (error) {
    if (error instanceof DecodeError) throw new TypeError(`this is no evidence: ${error.message}`)
    throw error
  }
}

interface Signing {
  readonly seq: bigint
  readonly groupId: Uint8Array
  readonly serviceKey: Uint8Array
  readonly provider: CryptoProvider
}

function faultOf({ chainHash, links, head }: Branch, { seq, groupId, serviceKey, provider }: Signing) {
  const suite = serviceSuite(provider)
  let hash = chainHash
  for (const [at, link] of links.entries()) {
    hash = chainLinkHash((...parts) => suite.hash.digest(...parts), hash, { seq: seq + 1n + BigInt(at), link })
  }
  if (head.seq !== seq + BigInt(links.length) || !equalBytes(hash, head.chainHash))
    return "the links do not lead to its head"
  return signerOf(suite, [serviceKey], { groupId, claim: head }) === undefined
    ? "the service has not signed the head"
    : undefined
}

export function encodeEvidence(evidence: Omit<Evidence, "version">): Uint8Array {
  return encode(Evidence, { version: EVIDENCE_VERSION, ...evidence })
}
