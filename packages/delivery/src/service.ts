import { DecodeError, encode } from "@conclave/codec"
import type { CryptoProvider } from "@conclave/crypto"
import { type Handler, OtherVersionError, type RequestContext } from "@conclave/transport"
import {
  type Append,
  type CreateGroup,
  type Cursor,
  DeliveryRequest,
  DeliveryResponse,
  type DeviceProof,
  deliveryRequests,
} from "./api.js"
import { appendFault, createGroupFault } from "./framing.js"
import { judgeKeyPackages } from "./key-packages.js"
import { checkProof, type Directory, type DirectoryEntry } from "./proof.js"
import { type DeliveryRates, defaultRates, Rates } from "./rates.js"
import { type Appended, type Store, StoreUnavailable } from "./store/store.js"
import { groupTopic, inboxTopic, subscription } from "./subscription.js"
import { processWake, type Wake } from "./wake.js"

export interface DeliveryOptions {
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
}

export interface DeliveryLimits extends DeliveryRates {
  /** In bytes; default 4 MiB. A commit of a big group carries its tree. */
  readonly requestSizeMax: number
  /** Of one entry of a log, in bytes; default 1 MiB. */
  readonly messageSizeMax: number
  /** Of the bodies of one page, in bytes; default 1 MiB. A longer body makes a page of its own. */
  readonly pageSizeMax: number
  /** Default 500. */
  readonly pageEntriesMax: number
  /** Application messages are taken with at most so many commit entries after their `after`; default 6. */
  readonly pastCommitsMax: number
  /** Of one device and suite; default 200. */
  readonly keyPackageStockMax: number
  /** Below it the device is told; default 10. */
  readonly keyPackageStockLow: number
  /** In bytes; default 64 KiB. */
  readonly keyPackageSizeMax: number
  /** Entries that wait in one inbox; default 1,000. */
  readonly inboxEntriesMax: number
  /** Default 1,000. */
  readonly cursorsPerSubscriptionMax: number
  /** Default 10,000. */
  readonly subscriptionsMax: number
  /** How often a subscription looks for what no hint has told it of; default 2,000. */
  readonly pollMilliseconds: number
}

const defaultLimits: DeliveryLimits = {
  ...defaultRates,
  requestSizeMax: 4 * 1024 * 1024,
  messageSizeMax: 1024 * 1024,
  pageSizeMax: 1024 * 1024,
  pageEntriesMax: 500,
  pastCommitsMax: 6,
  keyPackageStockMax: 200,
  keyPackageStockLow: 10,
  keyPackageSizeMax: 64 * 1024,
  inboxEntriesMax: 1_000,
  cursorsPerSubscriptionMax: 1_000,
  subscriptionsMax: 10_000,
  pollMilliseconds: 2_000,
}

/**
 * The Delivery Service: a function from one request to its answers, as `api.ts` declares them. Whatever the bytes, the
 * answer is a DeliveryResponse.
 */
export function deliveryService(options: DeliveryOptions): Handler {
  const service = new DeliveryService(options)
  return (bytes, context) => service.answer(bytes, context)
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
  readonly #rates: Rates
  #subscriptions = 0

  constructor({ store, directory, crypto, now = Date.now, wake = processWake(), limits, onError }: DeliveryOptions) {
    this.#store = store
    this.#directory = directory
    this.#crypto = crypto
    this.#now = now
    this.#wake = wake
    this.#limits = { ...defaultLimits, ...limits }
    this.#onError = onError ?? (() => {})
    this.#rates = new Rates(this.#limits)
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
    else yield await this.#respond(request, context.peer)
  }

  #decode(bytes: Uint8Array): DeliveryRequest | { readonly fault: DeliveryResponse } {
    const max = this.#limits.requestSizeMax
    if (bytes.length > max) return { fault: { type: "tooLarge", max } }
    try {
      return deliveryRequests.decode(bytes)
    } catch (error) {
      if (error instanceof OtherVersionError) return { fault: answerToVersion(error) }
      if (error instanceof DecodeError) return { fault: invalid(error.message) }
      throw error
    }
  }

  async #respond(
    request: Exclude<DeliveryRequest, { type: "subscribe" }>,
    peer: string | undefined,
  ): Promise<DeliveryResponse> {
    switch (request.type) {
      case "publishKeyPackages":
        return this.#asDevice(request, (device) => this.#publish(request, device))
      case "claimKeyPackage":
        return this.#claim(request, peer)
      case "countKeyPackages":
        return this.#asDevice(request, () => this.#count(request))
      case "createGroup":
        return this.#createGroup(request, peer)
      case "append":
        return this.#append(request)
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

  #check(request: DeliveryRequest, proof: DeviceProof) {
    return checkProof(request, proof, { directory: this.#directory, crypto: this.#crypto, now: this.#now() })
  }

  // --- Key packages ---

  async #publish(request: Request<"publishKeyPackages">, device: DirectoryEntry): Promise<DeliveryResponse> {
    const { keyPackageSizeMax, keyPackageStockMax } = this.#limits
    const at = this.#now()
    const judged = judgeKeyPackages(request, { device, at, keyPackageSizeMax, sha256: this.#sha256 })
    if ("fault" in judged) return invalid(judged.fault)
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
    peer: string | undefined,
  ): Promise<DeliveryResponse> {
    // Every device's id has this size: nothing else is looked for, or kept count of.
    if (deviceId.length !== DEVICE_ID_SIZE) return notFound(new Uint8Array())
    const at = this.#now()
    const wait = this.#rates.claim(peer, at)
    if (wait !== undefined) return throttled(wait)
    // A flood of claims gets the last resort and leaves the rest to others.
    const singleUseWait = this.#rates.singleUse(deviceId, peer, at)
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

  async #createGroup(request: CreateGroup, peer: string | undefined): Promise<DeliveryResponse> {
    const fault = this.#idFault(request) ?? createGroupFault(request)
    if (fault !== undefined) return invalid(fault)
    const at = this.#now()
    const wait = this.#rates.creation(peer, at)
    if (wait !== undefined) return throttled(wait)
    const outcome = await this.#store.createGroup({
      ...request,
      requestHash: this.#sha256(encode(DeliveryRequest, { type: "createGroup", ...request })),
      at: BigInt(at),
    })
    return { type: outcome === "exists" ? "alreadyExists" : "done" }
  }

  async #append(request: Append): Promise<DeliveryResponse> {
    const { messageSizeMax, pastCommitsMax, inboxEntriesMax } = this.#limits
    if (request.body.length > messageSizeMax) return { type: "tooLarge", max: messageSizeMax }
    const fault = this.#idFault(request) ?? appendFault(request)
    if (fault !== undefined) return invalid(fault)
    const at = this.#now()
    const wait = this.#rates.append(request.groupId, at)
    if (wait !== undefined) return throttled(wait)
    const recipients = request.commit?.recipients.map((it) => it.deviceId) ?? []
    for (const deviceId of recipients) {
      if ((await this.#directory(deviceId)) === undefined) return invalid("recipients: a device is not registered")
    }
    const appended = await this.#store.append({
      ...request,
      epoch: counted(request.epoch),
      after: counted(request.after),
      requestHash: this.#sha256(encode(DeliveryRequest, { type: "append", ...request, after: 0n })),
      at: BigInt(at),
      pastCommitsMax,
      commit: request.commit && { ...request.commit, recipients, inboxEntriesMax },
    })
    if (appended.type === "accepted") {
      this.#wake.notify(groupTopic(request.groupId))
      for (const deviceId of recipients) this.#wake.notify(inboxTopic(deviceId))
    }
    return answerTo(appended, request.groupId)
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

  async *#subscribe(request: Request<"subscribe">, { signal }: RequestContext): AsyncGenerator<DeliveryResponse> {
    const { subscriptionsMax, pollMilliseconds } = this.#limits
    const fault = this.#cursorsFault(request.cursors)
    if (fault !== undefined) {
      yield invalid(fault)
      return
    }
    const proof = request.proof && (await this.#check(request, request.proof))
    if (proof !== undefined && proof.type !== "proved") {
      yield proof
      return
    }
    if (this.#subscriptions >= subscriptionsMax) {
      yield throttled(pollMilliseconds)
      return
    }
    this.#subscriptions++
    try {
      yield* subscription({
        cursors: request.cursors.map(({ groupId, afterSeq }) => ({ groupId, afterSeq: counted(afterSeq) })),
        inbox: request.proof && { deviceId: request.proof.deviceId, after: counted(request.inboxAfter) },
        store: this.#store,
        wake: this.#wake,
        page: { limit: this.#limits.pageEntriesMax, sizeMax: this.#limits.pageSizeMax },
        pollMilliseconds,
        signal,
      })
    } finally {
      this.#subscriptions--
    }
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
    case "inboxFull":
      return forbidden("recipients: the inbox of a device is full")
    default:
      return appended
  }
}

/** No group lives for 2⁶³ entries: a larger number says the same, and fits into a database. */
const counted = (number: bigint) => (number > COUNT_MAX ? COUNT_MAX : number)
const COUNT_MAX = 2n ** 63n - 1n
