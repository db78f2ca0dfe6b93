import { encode } from "@conclave/codec"
import { ACCESS_LABEL, type Access, AccessTBS, noAccess } from "@conclave/contracts/access"
import { type Append, Cursor, type DeliveryRequest, deliveryRequests } from "@conclave/contracts/delivery"
import type { CryptoProvider } from "@conclave/crypto"
import { verifyWithLabel } from "@conclave/mls"
import type { Passes } from "./passes.js"
import { suiteOf } from "./proof.js"
import { Recent } from "./recent.js"
import type { AccessRefusal, Shown, Standing } from "./store/store.js"

/** What a request shows, and what a signature or MAC in it covers. */
export interface Evidence {
  readonly groupId: Uint8Array
  readonly access: Access
  /** The request, or the cursor, with {@link noAccess} in the place of the access. */
  content(): Uint8Array
}

type AccessRequest = Extract<DeliveryRequest, { readonly groupId: Uint8Array; readonly access: Access }>

export const evidenceOf = (request: AccessRequest): Evidence => ({
  groupId: request.groupId,
  access: request.access,
  content: () => deliveryRequests.encode({ ...request, access: noAccess } as DeliveryRequest),
})

export const evidenceOfCursor = (cursor: Cursor): Evidence => ({
  groupId: cursor.groupId,
  access: cursor.access,
  content: () => encode(Cursor, { ...cursor, access: noAccess }),
})

/** A key as text, a byte for each character: many subscriptions keep theirs. */
export const textOf = (key: Uint8Array | undefined) => key && Buffer.from(key).toString("latin1")
export const keyIn = (text: string | undefined) =>
  text === undefined ? undefined : new Uint8Array(Buffer.from(text, "latin1"))

export const keyOf = (access: Access) => (access.type === "none" ? undefined : access.key)

/** Proofs and MACs are accepted within so many milliseconds of the service's clock. */
const CLOCK_DIFFERENCE_MAX = 5n * 60n * 1000n
/** Messages prove the key before the newest for so many milliseconds. */
const FORMER_KEY_MILLISECONDS = 60_000n

/**
 * Says who may do what with the log of a group, from what a request shows and what its key is to the group. A signature is
 * looked at only where the key is one of the group's: who knows none costs no more than a look.
 */
export class AccessJudge {
  readonly #crypto: CryptoProvider
  readonly #passes: Passes
  /** The same array for the same key: providers keep an imported key with its array. */
  readonly #keys = new Recent<Uint8Array>(KEYS_KEPT)

  constructor(crypto: CryptoProvider, passes: Passes) {
    this.#crypto = crypto
    this.#passes = passes
  }

  /** For reading: by a proof, MAC or pass of any key, as far as it reaches. `now`: Unix time in milliseconds. */
  reading(evidence: Evidence, now: bigint): Shown {
    return shown(evidence, (standing) => this.#evidenceFault(evidence, standing, now))
  }

  /** For reading, by a key that reaches the head. */
  readingHead(evidence: Evidence, now: bigint): Shown {
    return shown(
      evidence,
      (standing) =>
        this.#evidenceFault(evidence, standing, now) ??
        (standing.reach === undefined ? undefined : denied(NOT_CURRENT)),
    )
  }

  /** By a proof or MAC of any key. */
  knocking(evidence: Evidence, now: bigint): Shown {
    return shown(evidence, (standing) =>
      "at" in evidence.access ? this.#evidenceFault(evidence, standing, now) : denied(NO_PROOF),
    )
  }

  /** By a proof or MAC of the newest key, or for a message of the one before. */
  appending(request: Append & { readonly type: "append" }, now: bigint): Shown {
    return this.#proving(evidenceOf(request), now, (standing) => keyFault(request, standing, now))
  }

  /** By a proof or MAC of the newest key, which a group from before there were keys has not. */
  byNewest(evidence: Evidence, now: bigint): Shown {
    return this.#proving(evidence, now, ({ later, seq }) => {
      return later === 0 && seq >= 0n ? undefined : denied(NOT_NEWEST)
    })
  }

  #proving(evidence: Evidence, now: bigint, keyFault: (standing: Standing) => AccessRefusal | undefined): Shown {
    return shown(evidence, (standing) => {
      if (evidence.access.type === "pass") return denied(NO_PROOF)
      return this.#evidenceFault(evidence, standing, now) ?? keyFault(standing)
    })
  }

  /** For what is not ordered by the log, as an application message is proved: of the newest key, or for a while of the one before. */
  writing(evidence: Evidence, now: bigint): Shown {
    return this.#proving(evidence, now, (standing) => {
      return standing.later === 0 || isFormerKey(standing, now) ? undefined : denied(NOT_NEWEST)
    })
  }

  /** A proof or MAC of another time than this, which is answered before anything else of a subscription. */
  timeFault({ access }: Evidence, now: bigint): AccessRefusal | undefined {
    if (!("at" in access)) return undefined
    const difference = access.at - now
    const isWrong = difference > CLOCK_DIFFERENCE_MAX || -difference > CLOCK_DIFFERENCE_MAX
    return isWrong ? { type: "wrongTime", serviceTime: now } : undefined
  }

  #evidenceFault(evidence: Evidence, { later }: Standing, now: bigint): AccessRefusal | undefined {
    const wrongTime = this.timeFault(evidence, now)
    if (wrongTime !== undefined) return wrongTime
    return later !== undefined && this.#isGood(evidence, now) ? undefined : denied(NOT_PROVED)
  }

  #isGood(evidence: Evidence, now: bigint): boolean {
    const { access, groupId } = evidence
    if (access.type === "none") return true
    if (access.type === "pass") return this.#passes.isGood(groupId, access, now)
    if (access.type === "mac") {
      return this.#passes.isAuthentic({ groupId, access, content: () => evidence.content() }, now)
    }
    return verifyWithLabel(suiteOf(ED25519_SUITE, this.#crypto), {
      publicKey: this.#kept(access.key),
      label: ACCESS_LABEL,
      content: encode(AccessTBS, { at: access.at, content: evidence.content() }),
      signature: access.signature,
    })
  }

  #kept(key: Uint8Array): Uint8Array {
    const name = Buffer.from(key).toString("latin1")
    const known = this.#keys.get(name)
    if (known !== undefined) return known
    const copy = Uint8Array.from(key)
    this.#keys.set(name, copy)
    return copy
  }
}

const KEYS_KEPT = 10_000
/** RFC 9420 §17.1: its signatures are Ed25519. */
const ED25519_SUITE = 1

/** For a key that was proved already: while it is one of the group's. */
export const provedBefore = ({ later }: Standing) => (later === undefined ? denied(NOT_PROVED) : undefined)

function shown({ groupId, access }: Evidence, permit: Shown["permit"]): Shown {
  return { groupId, key: keyOf(access), permit }
}

function keyFault({ kind, after }: Append, standing: Standing, now: bigint): AccessRefusal | undefined {
  const { later, lastCommitSeq, headSeq } = standing
  if (later === 0) return undefined
  if (kind === "application" && isFormerKey(standing, now)) return undefined
  // Its author has not read that another interval has begun, as far as it may read.
  if (after < lastCommitSeq) return { type: "stale", lastCommitSeq, headSeq }
  return denied(NOT_NEWEST)
}

/** The key before the newest, for a minute, unless somebody was removed. */
const isFormerKey = ({ seq, formerSince }: Standing, now: bigint) =>
  seq >= 0n && formerSince !== undefined && now - formerSince < FORMER_KEY_MILLISECONDS

const denied = (reason: string): AccessRefusal => ({ type: "denied", reason })
const NOT_PROVED = "the key is none of the group's, or its signature, MAC or pass is not right"
const NO_PROOF = "it needs a signature or MAC"
const NOT_NEWEST = "the key is not the newest"
const NOT_CURRENT = "the key does not reach the head of the log"
