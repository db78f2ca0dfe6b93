import { encode } from "@conclave/codec"
import { noAccess } from "@conclave/contracts/access"
import {
  type Append,
  type CommitParts,
  type CreateGroup,
  DeliveryRequest,
  type DeliveryResponse,
  type EntryKind,
} from "@conclave/contracts/delivery"
import type { CryptoProvider } from "@conclave/crypto"
import { type AccessJudge, evidenceOf } from "./access.js"
import type { Admission, Asking } from "./admission.js"
import { appendFault } from "./framing.js"
import type { Identity } from "./identity.js"
import type { DeliveryLimits } from "./limits.js"
import { Policies, type PolicyRequest } from "./policies.js"
import type { Directory } from "./proof.js"
import type { Pushing } from "./push.js"
import { counted, done, invalid, notFound, refused, refusedOf, throttled } from "./responses.js"
import { knocksSince, type Retention } from "./retention.js"
import type { AccessRefusal, Appended, NewCommit, Refused, Shown, Store } from "./store/store.js"
import { groupTopic, inboxTopic } from "./topics.js"
import type { Wake } from "./wake.js"

export interface GroupsOptions {
  readonly store: Store
  readonly directory: Directory
  readonly crypto: CryptoProvider
  readonly wake: Wake
  readonly limits: DeliveryLimits
  readonly admission: Admission
  readonly retention: Retention
  readonly identity: Identity
  readonly judge: AccessJudge
  /** Is told of what is in a log now. */
  readonly pushing: Pick<Pushing, "note">
  /** Is told of each refusal for a key, a proof or a pass. */
  readonly onAccessRefusal: (refusal: Refused, asking: Asking) => void
  /** Is told of each entry that is in a log now. */
  readonly onAppended: (kind: EntryKind, bytes: number) => void
}

/** Requests of these kinds are about one group. */
export type GroupRequest = Extract<
  DeliveryRequest,
  { type: "createGroup" | "append" | "read" | "head" | "knock" | "knocks" | "answer" | PolicyRequest["type"] }
>
type Request<Type extends GroupRequest["type"]> = Extract<GroupRequest, { type: Type }>

/** What is asked of the log of a group, and of what lies beside it. */
export class Groups {
  readonly #options: GroupsOptions
  readonly #policies: Policies

  constructor(options: GroupsOptions) {
    this.#options = options
    const refuse = (groupId: Uint8Array, refusal: Refused, asking: Asking) => this.#refused(groupId, refusal, asking)
    this.#policies = new Policies({ ...options, refuse })
  }

  async respond(request: GroupRequest, asking: Asking): Promise<DeliveryResponse> {
    if (request.type === "createGroup") return this.#create(request, asking)
    const wait = this.#options.admission.denialsWait(asking)
    if (wait !== undefined) return throttled(wait)
    switch (request.type) {
      case "append":
        return this.#append(request, asking)
      case "read":
        return this.#read(request, asking)
      case "head":
        return this.#head(request, asking)
      case "knock":
        return this.#knock(request, asking)
      case "knocks":
        return this.#knocks(request, asking)
      case "answer":
        return this.#answer(request, asking)
      default:
        return this.#policies.respond(request, asking)
    }
  }

  async #create(request: Request<"createGroup">, asking: Asking): Promise<DeliveryResponse> {
    const { store, admission } = this.#options
    const { requester, now: at } = asking
    const wait = admission.waiting("creations", admission.rates.creation(requester, at))
    if (wait !== undefined) return throttled(wait)
    const fault = idFault(request) ?? this.#keyFault(request.accessKey)
    if (fault !== undefined) return invalid(fault)
    const outcome = await store.createGroup({
      ...request,
      requestHash: this.#sha256(encode(DeliveryRequest, request)),
      at: BigInt(at),
      admit: () => admission.bytes(GROUP_OVERHEAD, asking),
    })
    if (typeof outcome === "object") return refused(outcome)
    return outcome === "exists" ? { type: "alreadyExists" } : done
  }

  async #append(request: Request<"append">, asking: Asking): Promise<DeliveryResponse> {
    const { store, limits, admission, wake, judge } = this.#options
    const { messageSizeMax, pastCommitsMax } = limits
    const { groupId, body } = request
    if (body.length > messageSizeMax) return { type: "tooLarge", max: messageSizeMax }
    const faultOfIds = idFault(request)
    if (faultOfIds !== undefined) return invalid(faultOfIds)
    const wait = admission.appendWait(request, asking)
    if (wait !== undefined) return throttled(wait)
    const fault = appendFault(request) ?? this.#keyFault(request.commit?.begins?.accessKey)
    if (fault !== undefined) return invalid(fault)
    const after = counted(request.after)
    const shown = judge.appending(request, BigInt(asking.now))
    const isFutile = request.commit !== undefined && (await this.#isFutile(shown, after))
    const commit = request.commit && (await this.#newCommit(request.commit, { ...asking, isFutile }))
    const { key, permit } = isFutile ? neverAccepted(shown) : shown
    const appended = await store.append({
      groupId,
      key,
      permit,
      idempotencyId: request.idempotencyId,
      kind: request.kind,
      body,
      epoch: counted(request.epoch),
      after,
      requestHash: this.#sha256(encode(DeliveryRequest, { ...request, after: 0n, access: noAccess })),
      at: BigInt(asking.now),
      pastCommitsMax,
      commit,
      admit: (group) => admission.entry(request, group, asking),
    })
    if (appended.type === "accepted") {
      this.#options.onAppended(request.kind, body.length)
      wake.notify(groupTopic(groupId))
      this.#options.pushing.note(groupId, { removes: commit?.begins?.removes === true })
      for (const deviceId of commit?.recipients ?? []) wake.notify(inboxTopic(deviceId))
    }
    return this.#answerTo(appended, groupId, asking)
  }

  #answerTo(appended: Appended, groupId: Uint8Array, asking: Asking): DeliveryResponse {
    switch (appended.type) {
      case "accepted":
        return accepted(appended, this.#options.identity.signHead(groupId, appended))
      case "idReused":
        return invalid("idempotencyId: it was used for another entry of the group")
      case "keyReused":
        return invalid("accessKey: it was registered in this group before")
      case "notFound":
      case "denied":
      case "wrongTime":
      case "stale":
        return this.#refused(groupId, appended, asking)
      default:
        return refused(appended)
    }
  }

  /**
   * Whether the commit cannot be accepted, as far as that can be seen beforehand. Signatures are not looked at, and nobody
   * is told of the answer.
   */
  async #isFutile({ groupId, key }: Shown, after: bigint): Promise<boolean> {
    const standing = await this.#options.store.standing({ groupId, key, permit: () => undefined })
    return standing.type !== "standing" || standing.later !== 0 || standing.lastCommitSeq !== after
  }

  /**
   * One recipient whom nobody knows does not keep the others out. A request has room for tens of thousands: those of a
   * futile commit are not looked up.
   */
  async #newCommit(
    { recipients, ...parts }: CommitParts,
    asking: Asking & { readonly isFutile: boolean },
  ): Promise<NewCommit> {
    const { directory, admission, limits } = this.#options
    const { inboxEntriesMax, inboxEntriesPerGroupMax } = limits
    const registered: Uint8Array[] = []
    const unserved: Uint8Array[] = []
    const asked = asking.isFutile ? [] : recipients
    for (let start = 0; start < asked.length; start += LOOKED_UP_TOGETHER) {
      const some = asked.slice(start, start + LOOKED_UP_TOGETHER)
      const devices = await Promise.all(some.map(({ deviceId }) => directory(deviceId)))
      for (const [at, { deviceId }] of some.entries()) {
        const device = devices[at]
        const isServed = device !== undefined && device.suspended === undefined && device.revoked === undefined
        ;(isServed ? registered : unserved).push(deviceId)
      }
    }
    return {
      ...parts,
      recipients: registered,
      unserved,
      knocksSince: knocksSince(asking.now),
      inboxEntriesMax,
      inboxEntriesPerGroupMax,
      sender: admission.senderOf(asking.requester),
      mayDeliver: (deviceId) => admission.mayDeliver(deviceId, asking),
    }
  }

  async #read(request: Request<"read">, asking: Asking): Promise<DeliveryResponse> {
    const { store, limits, identity, judge } = this.#options
    const { groupId, limit } = request
    const after = counted(request.afterSeq)
    const page = { after, limit: Math.min(limit, limits.pageEntriesMax), sizeMax: limits.pageSizeMax }
    const read = await store.read({ ...page, ...judge.reading(evidenceOf(request), BigInt(asking.now)) })
    if (read.type !== "page") return this.#refused(groupId, read, asking)
    if (after + 1n < read.oldestSeq) return { type: "belowRetention", groupId, oldestSeq: read.oldestSeq }
    return entriesOf(groupId, read, identity)
  }

  async #head(request: Request<"head">, asking: Asking): Promise<DeliveryResponse> {
    const { store, identity, judge } = this.#options
    const { groupId } = request
    const head = await store.head(judge.reading(evidenceOf(request), BigInt(asking.now)))
    if (head.type !== "head") return this.#refused(groupId, head, asking)
    return { ...head, ...identity.signHead(groupId, { seq: head.headSeq, chainHash: head.chainHash }) }
  }

  async #knock(request: Request<"knock">, asking: Asking): Promise<DeliveryResponse> {
    const { store, limits, admission, wake, judge } = this.#options
    const { groupId, id, sealed } = request
    const { requester, now } = asking
    if (sealed.length > limits.knockSizeMax) return { type: "tooLarge", max: limits.knockSizeMax }
    const wait = admission.arrivalWait("knocks", groupId, asking)
    if (wait !== undefined) return throttled(wait)
    const left = await store.knock({
      ...judge.knocking(evidenceOf(request), BigInt(now)),
      id,
      sealed,
      at: BigInt(now),
      since: knocksSince(now),
      sender: admission.senderOf(requester),
      ofKeyMax: limits.knocksPerKeyMax,
      admit: (group) => admission.knock({ groupId, size: sealed.length + KNOCK_OVERHEAD }, group, asking),
    })
    switch (left.type) {
      case "left":
        wake.notify(groupTopic(groupId))
        return done
      case "repeated":
        return done
      case "idReused":
        return invalid("id: it was used for another knock of the group")
      case "throttled":
      case "quotaExceeded":
        return refused(left)
      default:
        return this.#refused(groupId, left, asking)
    }
  }

  async #knocks(request: Request<"knocks">, asking: Asking): Promise<DeliveryResponse> {
    const { store, limits, judge } = this.#options
    const { groupId } = request
    const shown = judge.readingHead(evidenceOf(request), BigInt(asking.now))
    const found = await store.knocks({ ...shown, since: knocksSince(asking.now), sizeMax: limits.pageSizeMax })
    if (found.type !== "knocks") return this.#refused(groupId, found, asking)
    return { type: "knocks", groupId, knocks: found.knocks }
  }

  async #answer(request: Request<"answer">, asking: Asking): Promise<DeliveryResponse> {
    const { store, judge } = this.#options
    const { groupId, id } = request
    const shown = judge.reading(evidenceOf(request), BigInt(asking.now))
    const found = await store.answer({ ...shown, id, since: knocksSince(asking.now) })
    if (found.type === "answer") return found
    return found.type === "none" ? notFound(groupId) : this.#refused(groupId, found, asking)
  }

  #refused(groupId: Uint8Array, refusal: Refused, asking: Asking): DeliveryResponse {
    this.#options.onAccessRefusal(refusal, asking)
    return refusedOf(groupId, refusal)
  }

  /** A key that nothing verifies with would shut everybody out. */
  #keyFault(accessKey: Uint8Array | undefined): string | undefined {
    if (accessKey === undefined || this.#options.crypto.signatures.Ed25519!.isPublicKey(accessKey)) return undefined
    return "accessKey: it is no Ed25519 public key"
  }

  readonly #sha256 = (...parts: readonly Uint8Array[]) => this.#options.crypto.hashes["SHA-256"]!.digest(...parts)
}

/** What a group takes, about, in bytes. */
const GROUP_OVERHEAD = 500
/** What a knock takes beside what is sealed, about, in bytes. */
const KNOCK_OVERHEAD = 300

/** A directory across a network answers many in the time of one; others get their turn in between. */
const LOOKED_UP_TOGETHER = 32

function idFault({ groupId, idempotencyId }: CreateGroup | Append): string | undefined {
  if (groupId.length < 1 || groupId.length > 64) return "groupId: it has 1 to 64 bytes"
  return idempotencyId.length === 16 ? undefined : "idempotencyId: it has 16 bytes"
}

/** Whose recipients were not looked up is not accepted either, should it have become possible in between. */
function neverAccepted(shown: Shown): Shown {
  return {
    ...shown,
    permit: (standing): AccessRefusal => {
      const { lastCommitSeq, headSeq } = standing
      return shown.permit(standing) ?? { type: "stale", lastCommitSeq, headSeq }
    },
  }
}

type Accepted = Extract<Appended, { type: "accepted" }>

function accepted(
  { seq, chainHash, undelivered }: Accepted,
  { incarnation, signature }: ReturnType<Identity["signHead"]>,
): DeliveryResponse {
  return { type: "accepted", seq, chainHash, undelivered, incarnation, signature }
}

/** A page with the service's word for its last entry. */
export function entriesOf(
  groupId: Uint8Array,
  { entries, headSeq }: Pick<Extract<DeliveryResponse, { type: "entries" }>, "entries" | "headSeq">,
  identity: Identity,
): DeliveryResponse {
  const last = entries.at(-1)
  const word =
    last === undefined
      ? { incarnation: identity.said.incarnation, signature: new Uint8Array() }
      : identity.signHead(groupId, last)
  return { type: "entries", groupId, entries, headSeq, ...word }
}
