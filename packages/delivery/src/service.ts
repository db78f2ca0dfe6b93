import { DecodeError, encode } from "@conclave/codec"
import {
  type Append,
  type CommitParts,
  type CreateGroup,
  type Cursor,
  DeliveryRequest,
  DeliveryResponse,
  type DeviceProof,
  deliveryRequests,
} from "@conclave/contracts/delivery"
import type { CryptoProvider } from "@conclave/crypto"
import {
  type Handler,
  type LogOptions,
  loggedService,
  OtherVersionError,
  type RequestContext,
  type Requester,
} from "@conclave/transport"
import { Admission, type Asking } from "./admission.js"
import { appendFault, createGroupFault } from "./framing.js"
import { judgeKeyPackages } from "./key-packages.js"
import { type DeliveryLimits, defaultLimits } from "./limits.js"
import { checkProof, type Directory, type DirectoryEntry } from "./proof.js"
import type { RefusalKind } from "./refusals.js"
import { type Appended, type NewCommit, type Refusal, type Store, StoreUnavailable } from "./store/store.js"
import { Subscriptions } from "./subscriptions.js"
import { groupTopic, inboxTopic } from "./topics.js"
import { processWake, type Wake } from "./wake.js"

export interface DeliveryOptions extends LogOptions {
  readonly store: Store
  readonly directory: Directory
  readonly crypto: CryptoProvider
  /** Unix time in milliseconds; default `Date.now`. */
  readonly now?: () => number
  /** Shared by all services that serve the same store; default: a new one. */
  readonly wake?: Wake
  readonly limits?: Partial<DeliveryLimits>
  /** Is told of errors that are not a request's fault; what it is given holds no secret. */
  readonly onError?: (error: unknown) => void
  /** Is told of each request that a limit refuses; often, and without who it was. */
  readonly onRefusal?: (kind: RefusalKind) => void
}

/**
 * The Delivery Service: a function from one request to its answers, as `@conclave/contracts/delivery` declares
 * them. Whatever the bytes, the answer is a DeliveryResponse.
 */
export function deliveryService(options: DeliveryOptions): Handler {
  return loggedService(options, { name: "delivery", contract: deliveryRequests, streams: ["subscribe"] }, (told) => {
    const service = new DeliveryService({ ...options, ...told })
    return (bytes, context) => service.answer(bytes, context)
  })
}

type Request<Type extends DeliveryRequest["type"]> = Extract<DeliveryRequest, { type: Type }>

class DeliveryService {
  readonly #store: Store
  readonly #directory: Directory
  readonly #crypto: CryptoProvider
  readonly #now: () => number
  readonly #wake: Wake
  readonly #limits: DeliveryLimits
  readonly #onError: (error: unknown) => void
  readonly #onRefusal: (kind: RefusalKind) => void
  readonly #admission: Admission
  readonly #subscriptions: Subscriptions

  constructor(options: DeliveryOptions) {
    const { store, directory, crypto, now = Date.now, wake = processWake(), limits } = options
    const { onError = () => {}, onRefusal = () => {} } = options
    this.#store = store
    this.#directory = directory
    this.#crypto = crypto
    this.#now = now
    this.#wake = wake
    this.#limits = { ...defaultLimits, ...limits }
    this.#onError = onError
    this.#onRefusal = onRefusal
    this.#admission = new Admission({ store, crypto, limits: this.#limits, onRefusal })
    this.#subscriptions = new Subscriptions({ store, wake, limits: this.#limits, onError, onRefusal })
  }

  async *answer(bytes: Uint8Array, context: RequestContext): AsyncGenerator<Uint8Array> {
    try {
      for await (const response of this.#responses(bytes, context)) yield encode(DeliveryResponse, response)
    } catch (error) {
      this.#onError(error)
      const reason = error instanceof StoreUnavailable ? error.message : "the service failed"
      yield encode(DeliveryResponse, { type: "unavailable", reason })
    }
  }

  async *#responses(bytes: Uint8Array, context: RequestContext): AsyncGenerator<DeliveryResponse> {
    const request = this.#decode(bytes)
    if ("fault" in request) yield request.fault
    else if (context.early && !deliveryRequests.replaySafety[request.type].safe)
      yield forbidden("the request must not come early")
    else if (request.type === "subscribe") yield* this.#subscribe(request, context)
    else yield await this.#respond(request, this.#asking(context))
  }

  #decode(bytes: Uint8Array): DeliveryRequest | { readonly fault: DeliveryResponse } {
    const max = this.#limits.requestSizeMax
    if (bytes.length > max) return { fault: { type: "tooLarge", max } }
    try {
      return deliveryRequests.decode(bytes)
    } catch (error) {
      if (error instanceof OtherVersionError) {
        this.#onRefusal("version")
        return { fault: answerToVersion(error) }
      }
      if (error instanceof DecodeError) return { fault: invalid(error.message) }
      throw error
    }
  }

  async #respond(request: Exclude<DeliveryRequest, { type: "subscribe" }>, asking: Asking): Promise<DeliveryResponse> {
    switch (request.type) {
      case "publishKeyPackages":
        return this.#asDevice(request, (device) => this.#publish(request, device, asking))
      case "claimKeyPackage":
        return this.#claim(request, asking)
      case "countKeyPackages":
        return this.#asDevice(request, () => this.#count(request))
      case "createGroup":
        return this.#createGroup(request, asking)
      case "append":
        return this.#append(request, asking)
      case "read":
        return this.#read(request)
      case "head": {
        const head = await this.#store.head(request.groupId)
        return head === undefined ? notFound(request.groupId) : { type: "head", ...head }
      }
      case "groupInfo": {
        const info = await this.#store.groupInfo(request.groupId)
        return info === undefined ? notFound(request.groupId) : { type: "groupInfo", ...info }
      }
      case "inbox":
        return this.#asDevice(request, () => this.#inbox(request))
      case "acknowledgeInbox":
        return this.#asDevice(request, async () => {
          await this.#store.acknowledgeInbox(request.proof.deviceId, counted(request.upTo))
          return { type: "done" }
        })
    }
  }

  async #asDevice(
    request: DeliveryRequest & { readonly proof: DeviceProof },
    respond: (device: DirectoryEntry) => Promise<DeliveryResponse>,
  ): Promise<DeliveryResponse> {
    const proof = await this.#check(request, request.proof)
    return proof.type === "proved" ? respond(proof.device) : proof
  }

  async #check(request: DeliveryRequest, proof: DeviceProof) {
    const proving = { directory: this.#directory, crypto: this.#crypto, now: this.#now() }
    const checked = await checkProof(request, proof, proving)
    if (checked.type === "wrongTime") this.#onRefusal("wrongTime")
    return checked
  }

  #asking(context: RequestContext): Asking {
    return { requester: requesterOf(context), now: this.#now() }
  }

  // --- Key packages ---

  async #publish(
    request: Request<"publishKeyPackages">,
    device: DirectoryEntry,
    asking: Asking,
  ): Promise<DeliveryResponse> {
    const { keyPackageSizeMax, keyPackageStockMax } = this.#limits
    const at = asking.now
    const judged = judgeKeyPackages(request, { device, at, keyPackageSizeMax, sha256: this.#sha256 })
    if ("fault" in judged) return invalid(judged.fault)
    const size = [...request.keyPackages, request.lastResort].reduce((sum, it) => sum + (it?.length ?? 0), 0)
    const refusal = this.#admission.bytes(size, asking)
    if (refusal !== undefined) return refused(refusal)
    const stock = await this.#store.publishKeyPackages({
      deviceId: request.proof.deviceId,
      signatureKey: device.signatureKey,
      cipherSuite: request.cipherSuite,
      ...judged,
      at: BigInt(at),
      stockMax: keyPackageStockMax,
    })
    return { type: "keyPackageCount", ...stock }
  }

  async #claim(
    { deviceId, cipherSuite }: Request<"claimKeyPackage">,
    { requester, now: at }: Asking,
  ): Promise<DeliveryResponse> {
    const { rates } = this.#admission
    const wait = this.#admission.waiting("claims", rates.claim(requester, at))
    if (wait !== undefined) return throttled(wait)
    // What nobody has is counted for the requester above, and neither written nor kept count of.
    if (deviceId.length !== DEVICE_ID_SIZE || (await this.#directory(deviceId)) === undefined) {
      return notFound(new Uint8Array())
    }
    // A flood of claims gets the last resort and leaves the rest to others.
    const singleUseWait = this.#admission.waiting("claims", rates.singleUse(deviceId, requester, at))
    const claimed = await this.#store.claimKeyPackage({
      deviceId,
      cipherSuite,
      at: BigInt(at),
      lowStock: this.#limits.keyPackageStockLow,
      lastResortOnly: singleUseWait !== undefined,
    })
    this.#wake.notify(inboxTopic(deviceId))
    if (claimed !== undefined) return { type: "keyPackage", ...claimed }
    return singleUseWait === undefined ? notFound(new Uint8Array()) : throttled(singleUseWait)
  }

  async #count({ cipherSuite, proof }: Request<"countKeyPackages">): Promise<DeliveryResponse> {
    const { deviceId } = proof
    const stock = await this.#store.countKeyPackages({ deviceId, cipherSuite, at: BigInt(this.#now()) })
    return { type: "keyPackageCount", ...stock }
  }

  // --- Groups ---

  async #createGroup(request: CreateGroup, asking: Asking): Promise<DeliveryResponse> {
    const { requester, now: at } = asking
    const wait = this.#admission.waiting("creations", this.#admission.rates.creation(requester, at))
    if (wait !== undefined) return throttled(wait)
    const fault = this.#idFault(request) ?? createGroupFault(request)
    if (fault !== undefined) return invalid(fault)
    const size = request.groupInfo.length + (request.ratchetTree?.length ?? 0) + GROUP_OVERHEAD
    const outcome = await this.#store.createGroup({
      ...request,
      requestHash: this.#sha256(encode(DeliveryRequest, { type: "createGroup", ...request })),
      at: BigInt(at),
      admit: () => this.#admission.bytes(size, asking),
    })
    if (typeof outcome === "object") return refused(outcome)
    return { type: outcome === "exists" ? "alreadyExists" : "done" }
  }

  async #append(request: Append, asking: Asking): Promise<DeliveryResponse> {
    const { messageSizeMax, pastCommitsMax } = this.#limits
    if (request.body.length > messageSizeMax) return { type: "tooLarge", max: messageSizeMax }
    const idFault = this.#idFault(request)
    if (idFault !== undefined) return invalid(idFault)
    const wait = this.#admission.appendWait(request, asking)
    if (wait !== undefined) return throttled(wait)
    const fault = appendFault(request)
    if (fault !== undefined) return invalid(fault)
    // A group's last commit only grows: behind it, a commit is stale or a repetition, and beyond it nobody has read it.
    const head = request.commit && (await this.#store.head(request.groupId))
    if (head !== undefined && request.after > head.lastCommitSeq) {
      return { type: "stale", lastCommitSeq: head.lastCommitSeq, headSeq: head.headSeq }
    }
    const isFutile = head?.lastCommitSeq !== request.after
    const commit = request.commit && (await this.#newCommit(request.commit, { ...asking, isFutile }))
    const appended = await this.#store.append({
      ...request,
      epoch: counted(request.epoch),
      after: counted(request.after),
      requestHash: this.#sha256(encode(DeliveryRequest, { type: "append", ...request, after: 0n })),
      at: BigInt(asking.now),
      pastCommitsMax,
      commit,
      admit: (group) => this.#admission.entry(request, group, asking),
    })
    if (appended.type === "accepted") {
      this.#wake.notify(groupTopic(request.groupId))
      for (const deviceId of commit?.recipients ?? []) this.#wake.notify(inboxTopic(deviceId))
    }
    return answerTo(appended, request.groupId)
  }

  /**
   * One recipient whom nobody knows does not keep the others out. A request has room for tens of thousands: those of a
   * futile commit are not looked up.
   */
  async #newCommit(
    { recipients, ...parts }: CommitParts,
    asking: Asking & { readonly isFutile: boolean },
  ): Promise<NewCommit> {
    const { inboxEntriesMax, inboxEntriesPerGroupMax } = this.#limits
    const registered: Uint8Array[] = []
    const unserved: Uint8Array[] = []
    for (const { deviceId } of asking.isFutile ? [] : recipients) {
      const isKnown = (await this.#directory(deviceId)) !== undefined
      ;(isKnown ? registered : unserved).push(deviceId)
    }
    return {
      ...parts,
      recipients: registered,
      unserved,
      inboxEntriesMax,
      inboxEntriesPerGroupMax,
      sender: this.#admission.senderOf(asking.requester),
      mayDeliver: (deviceId) => this.#admission.mayDeliver(deviceId, asking),
    }
  }

  async #read({ groupId, afterSeq, limit }: Request<"read">): Promise<DeliveryResponse> {
    const page = await this.#store.read({ groupId, ...this.#page(afterSeq, limit) })
    if (page === undefined) return notFound(groupId)
    if (counted(afterSeq) + 1n < page.oldestSeq) return { type: "belowRetention", groupId, oldestSeq: page.oldestSeq }
    return { type: "entries", groupId, entries: page.entries, headSeq: page.headSeq }
  }

  async #inbox({ after, limit, proof }: Request<"inbox">): Promise<DeliveryResponse> {
    const page = await this.#store.inbox({ deviceId: proof.deviceId, ...this.#page(after, limit) })
    return { type: "inboxEntries", ...page }
  }

  #page(after: bigint, limit: number) {
    const { pageEntriesMax, pageSizeMax } = this.#limits
    return { after: counted(after), limit: Math.min(limit, pageEntriesMax), sizeMax: pageSizeMax }
  }

  #idFault({ groupId, idempotencyId }: CreateGroup | Append): string | undefined {
    if (groupId.length < 1 || groupId.length > 64) return "groupId: it has 1 to 64 bytes"
    return idempotencyId.length === 16 ? undefined : "idempotencyId: it has 16 bytes"
  }

  // --- Subscriptions ---

  async *#subscribe(request: Request<"subscribe">, context: RequestContext): AsyncGenerator<DeliveryResponse> {
    const { requester, now } = this.#asking(context)
    const { cursors } = request
    const fault = this.#cursorsFault(cursors)
    if (fault !== undefined) {
      yield invalid(fault)
      return
    }
    const wait = this.#admission.waiting("cursors", this.#admission.rates.cursors(1 + cursors.length, requester, now))
    if (wait !== undefined) {
      yield throttled(wait)
      return
    }
    const proof = request.proof && (await this.#check(request, request.proof))
    if (proof !== undefined && proof.type !== "proved") {
      yield proof
      return
    }
    yield* this.#subscriptions.open(requester, {
      cursors: cursors.map(({ groupId, afterSeq }) => ({ groupId, afterSeq: counted(afterSeq) })),
      inbox: request.proof && { deviceId: request.proof.deviceId, after: counted(request.inboxAfter) },
      signal: context.signal,
    })
  }

  #cursorsFault(cursors: readonly Cursor[]): string | undefined {
    const max = this.#limits.cursorsPerSubscriptionMax
    if (cursors.length > max) return `cursors: a subscription has at most ${max}`
    const groups = new Set(cursors.map(({ groupId }) => groupTopic(groupId)))
    return groups.size < cursors.length ? "cursors: a group is named twice" : undefined
  }

  readonly #sha256 = (...parts: readonly Uint8Array[]) => this.#crypto.hashes["SHA-256"]!.digest(...parts)
}

const DEVICE_ID_SIZE = 32
/** What a group takes beside its GroupInfo and tree, about, in bytes. */
const GROUP_OVERHEAD = 500

/** Who a listener knows by one width alone is its own network. */
function requesterOf({ peer, network = peer }: RequestContext): Requester | undefined {
  return peer === undefined || network === undefined ? undefined : { peer, network }
}

const refused = (refusal: Refusal): DeliveryResponse =>
  refusal.type === "throttled" ? throttled(refusal.retryAfterMilliseconds) : refusal

const invalid = (reason: string): DeliveryResponse => ({ type: "invalid", reason })
const forbidden = (reason: string): DeliveryResponse => ({ type: "forbidden", reason })
const notFound = (groupId: Uint8Array): DeliveryResponse => ({ type: "notFound", groupId })
const throttled = (milliseconds: number): DeliveryResponse => ({
  type: "throttled",
  // A slow rate's wait may be longer than the field: whoever comes back too soon is told again.
  retryAfterMilliseconds: Math.min(milliseconds, 0xffff_ffff),
})

/** What a version that knows no version byte can read, or the versions that are spoken. */
function answerToVersion({ isUnmarked }: OtherVersionError): DeliveryResponse {
  const { version } = deliveryRequests
  return isUnmarked
    ? invalid("this client is too old for the service: update it")
    : { type: "update", oldest: version, newest: version }
}

function answerTo(appended: Appended, groupId: Uint8Array): DeliveryResponse {
  switch (appended.type) {
    case "accepted":
      return { ...appended, receipt: new Uint8Array() }
    case "notFound":
      return notFound(groupId)
    case "idReused":
      return invalid("idempotencyId: it was used for another entry of the group")
    case "stale":
      return appended
    default:
      return refused(appended)
  }
}

/** No group lives for 2⁶³ entries: a larger number says the same, and fits into a database. */
const counted = (number: bigint) => (number > COUNT_MAX ? COUNT_MAX : number)
const COUNT_MAX = 2n ** 63n - 1n
