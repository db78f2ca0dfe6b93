import { DecodeError, encode } from "@conclave/codec"
import {
  type Cursor,
  type DeliveryRequest,
  DeliveryResponse,
  DeliveryResponseKind,
  type DeviceProof,
  deliveryRequests,
  type EntryKind,
} from "@conclave/contracts/delivery"
import { refusalText } from "@conclave/contracts/refusals"
import type { CryptoProvider } from "@conclave/crypto"
import {
  type Handler,
  type LogOptions,
  loggedService,
  OtherVersionError,
  type RequestContext,
  type Requester,
  type TraceOptions,
  unavailableAnswer,
} from "@conclave/transport"
import { AccessJudge, evidenceOfCursor } from "./access.js"
import { Admission, type Asking } from "./admission.js"
import { Blobs, isBlobRequest } from "./blobs.js"
import { Groups, type GroupsOptions } from "./groups.js"
import { openIdentity } from "./identity.js"
import { judgeKeyPackages } from "./key-packages.js"
import { type DeliveryLimits, defaultLimits } from "./limits.js"
import { Passes } from "./passes.js"
import { checkProof, type Directory, type DirectoryEntry } from "./proof.js"
import { Pushing, type PushSender } from "./push.js"
import type { RefusalKind } from "./refusals.js"
import { counted, done, forbidden, invalid, notFound, refused, refusedOf, suspended, throttled } from "./responses.js"
import { type Retention, retentionOf } from "./retention.js"
import { sendSignal } from "./signals.js"
import type { BlobStore } from "./store/blob-store.js"
import type { PushStore } from "./store/push-store.js"
import { type Refused, type Store, Suspended } from "./store/store.js"
import type { Answer } from "./subscription.js"
import { type DeliveryFigures, Subscriptions } from "./subscriptions.js"
import { groupTopic, inboxTopic } from "./topics.js"
import { processWake, type Wake } from "./wake.js"

export interface DeliveryOptions extends LogOptions, TraceOptions {
  readonly store: Store
  /** Default: none are kept. */
  readonly blobs?: BlobStore | undefined
  /** Where registrations for pushes are; with {@link pushSender}, or nobody is woken. */
  readonly pushes?: PushStore | undefined
  readonly pushSender?: PushSender | undefined
  readonly directory: Directory
  readonly crypto: CryptoProvider
  /** Unix time in milliseconds; default `Date.now`. */
  readonly now?: () => number
  /** Shared by all services that serve the same store; default: a new one. */
  readonly wake?: Wake
  readonly limits?: Partial<DeliveryLimits>
  /** As the sweeping has it: within these bounds members may have less kept; default as {@link retentionOf}. */
  readonly retention?: Retention
  /** Is told of errors that are not a request's fault; what it is given holds no secret. */
  readonly onError?: (error: unknown) => void
  /** Is told of each request that a limit refuses; often, and without who it was. */
  readonly onRefusal?: (kind: RefusalKind) => void
  /** Is told of each entry that is in a log now, with the bytes of its body; one that came again is told again. */
  readonly onAppended?: (kind: EntryKind, bytes: number) => void
  /** Called once, with what tells how much is followed at the moment when it is asked. */
  readonly onFigures?: (figures: () => DeliveryFigures) => void
}

/**
 * The Delivery Service: a function from one request to its answers, as `@conclave/contracts/delivery` declares
 * them. Whatever the bytes, the answer is a DeliveryResponse.
 */
export function deliveryService(options: DeliveryOptions): Handler {
  const contract = { contract: deliveryRequests, answerKind: DeliveryResponseKind }
  return loggedService(options, { name: "delivery", ...contract, streams: ["subscribe"] }, (told) => {
    const service = new DeliveryService({ ...options, ...told })
    return (bytes, context) => service.answer(bytes, context)
  })
}

type Request<Type extends DeliveryRequest["type"]> = Extract<DeliveryRequest, { type: Type }>

class DeliveryService {
  readonly #store: Store
  readonly #blobs: BlobStore | undefined
  readonly #directory: Directory
  readonly #crypto: CryptoProvider
  readonly #now: () => number
  readonly #wake: Wake
  readonly #limits: DeliveryLimits
  readonly #retention: Retention
  readonly #onError: (error: unknown) => void
  readonly #onRefusal: (kind: RefusalKind) => void
  readonly #onAppended: NonNullable<DeliveryOptions["onAppended"]>
  readonly #admission: Admission
  readonly #subscriptions: Subscriptions
  readonly #pushing: Pushing
  #opened: Promise<Opened> | undefined

  constructor(options: DeliveryOptions) {
    const { store, directory, crypto, now = Date.now, wake = processWake(), limits } = options
    const { onError = () => {}, onRefusal = () => {} } = options
    this.#store = store
    this.#blobs = options.blobs
    this.#directory = directory
    this.#crypto = crypto
    this.#now = now
    this.#wake = wake
    this.#limits = { ...defaultLimits, ...limits }
    this.#retention = options.retention ?? retentionOf()
    this.#onError = onError
    this.#onRefusal = onRefusal
    this.#admission = new Admission({ store, crypto, limits: this.#limits, onRefusal })
    this.#onAppended = options.onAppended ?? (() => {})
    const shared = { store, wake, limits: this.#limits, crypto, now, onError, onRefusal }
    const { pushes, pushSender: sender } = options
    this.#pushing = new Pushing({ store, pushes, sender, limits: this.#limits, now, onError, onRefusal })
    const subscriptions = new Subscriptions({ ...shared, onAccessRefusal: this.#onAccessRefusal })
    this.#subscriptions = subscriptions
    options.onFigures?.(() => subscriptions.figures)
  }

  async *answer(bytes: Uint8Array, context: RequestContext): AsyncGenerator<Uint8Array> {
    try {
      // A generator holds what it has seen: the request is left to a function that ends, for subscriptions are long.
      const answer = await this.#answerTo(bytes, context)
      if ("type" in answer) yield encode(DeliveryResponse, answer)
      else {
        for await (const response of answer) {
          yield response instanceof Uint8Array ? response : encode(DeliveryResponse, response)
        }
      }
    } catch (error) {
      this.#onError(error)
      yield encode(DeliveryResponse, unavailableAnswer(error, this.#crypto.random))
    }
  }

  async #answerTo(bytes: Uint8Array, context: RequestContext): Promise<DeliveryResponse | AsyncIterable<Answer>> {
    const request = this.#decode(bytes)
    if ("fault" in request) return request.fault
    if (context.early && !deliveryRequests.replaySafety[request.type].safe) {
      return forbidden("the request must not come early")
    }
    this.#pushing.lookAround()
    return request.type === "subscribe"
      ? this.#subscribe(request, context)
      : this.#respond(request, this.#asking(context))
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
      case "extend":
        return this.#extend(request, asking)
      case "service": {
        const { identity } = await this.#open()
        return { type: "service", identity: identity.said, at: BigInt(asking.now) }
      }
      case "inbox":
        return this.#asDevice(request, () => this.#inbox(request))
      case "acknowledgeInbox":
        return this.#asDevice(request, async () => {
          await this.#store.acknowledgeInbox(request.proof.deviceId, counted(request.upTo))
          return done
        })
      case "signal": {
        const judging = { limits: this.#limits, admission: this.#admission, onAccessRefusal: this.#onAccessRefusal }
        return sendSignal(request, asking, {
          ...(await this.#open()),
          ...judging,
          store: this.#store,
          wake: this.#wake,
        })
      }
      case "registerPush":
      case "removePush": {
        const { judge, identity } = await this.#open()
        const asked = { crypto: this.#crypto, admission: this.#admission, onAccessRefusal: this.#onAccessRefusal }
        return this.#pushing.respond(request, asking, { ...asked, judge, senderSecret: identity.passSecret })
      }
      case "hear":
        return this.#subscriptions.hear(request.subscription) ? done : notFound(new Uint8Array())
      default: {
        const { groups, blobs } = await this.#open()
        return isBlobRequest(request) ? blobs.respond(request, asking) : groups.respond(request, asking)
      }
    }
  }

  /** A store that is not available now is asked again. */
  #open(): Promise<Opened> {
    this.#opened ??= this.#read().catch((error) => {
      this.#opened = undefined
      throw error
    })
    return this.#opened
  }

  async #read() {
    const [store, crypto] = [this.#store, this.#crypto]
    const identity = await openIdentity(store, crypto)
    const passes = new Passes(crypto, identity.passSecret)
    const judge = new AccessJudge(crypto, passes)
    const shared = { store, crypto, identity, judge, directory: this.#directory, wake: this.#wake }
    const judging = { limits: this.#limits, admission: this.#admission, onAccessRefusal: this.#onAccessRefusal }
    const told = { onAppended: this.#onAppended, pushing: this.#pushing }
    const groups = new Groups({ ...shared, ...judging, ...told, retention: this.#retention })
    const blobs = new Blobs({ store, blobs: this.#blobs, crypto, judge, ...judging, onRefusal: this.#onRefusal })
    return { identity, passes, judge, groups, blobs }
  }

  readonly #onAccessRefusal = ({ type }: Refused, asking: Asking): void => {
    if (type === "wrongTime") this.#onRefusal("wrongTime")
    // Also for a group that is not there: whoever looks for groups asks for many.
    if (type === "denied" || type === "notFound") this.#admission.denied(asking)
  }

  async #asDevice(
    request: DeliveryRequest & { readonly proof: DeviceProof },
    respond: (device: DirectoryEntry) => Promise<DeliveryResponse>,
  ): Promise<DeliveryResponse> {
    const proof = await this.#check(request, request.proof)
    if (proof.type !== "proved") return proof
    try {
      return await respond(proof.device)
    } catch (error) {
      // Since the directory was asked.
      if (error instanceof Suspended) return suspended(error)
      throw error
    }
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
      replaces: request.replaces,
      at: BigInt(at),
      withdrawnUntil: BigInt(at + WITHDRAWN_MILLISECONDS),
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
    const device = deviceId.length === DEVICE_ID_SIZE ? await this.#directory(deviceId) : undefined
    const isServed = device !== undefined && device.suspended === undefined && device.revoked === undefined
    if (!isServed) return notFound(new Uint8Array())
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

  async #inbox({ after, limit, proof }: Request<"inbox">): Promise<DeliveryResponse> {
    const page = await this.#store.inbox({ deviceId: proof.deviceId, ...this.#page(after, limit) })
    return { type: "inboxEntries", ...page }
  }

  #page(after: bigint, limit: number) {
    const { pageEntriesMax, pageSizeMax } = this.#limits
    return { after: counted(after), limit: Math.min(limit, pageEntriesMax), sizeMax: pageSizeMax }
  }

  // --- Subscriptions ---

  async #subscribe(
    request: Request<"subscribe">,
    context: RequestContext,
  ): Promise<DeliveryResponse | AsyncIterable<Answer>> {
    const asking = this.#asking(context)
    const refusal = await this.#subscribeFault(request, asking)
    if (refusal !== undefined) return refusal
    const { cursors, proof } = request
    return this.#subscriptions.open(asking, {
      ...(await this.#open()),
      cursors: [...cursors],
      inbox: proof && { deviceId: proof.deviceId, after: counted(request.inboxAfter) },
      signal: context.signal,
    })
  }

  async #subscribeFault(request: Request<"subscribe">, asking: Asking): Promise<DeliveryResponse | undefined> {
    const { requester, now } = asking
    const { cursors } = request
    const fault = this.#cursorsFault(cursors)
    if (fault !== undefined) return invalid(fault)
    const wait =
      (cursors.length > 0 ? this.#admission.denialsWait(asking) : undefined) ??
      this.#admission.waiting("cursors", this.#admission.rates.cursors(1 + cursors.length, requester, now))
    if (wait !== undefined) return throttled(wait)
    const { judge } = await this.#open()
    for (const cursor of cursors) {
      const wrongTime = judge.timeFault(evidenceOfCursor(cursor), BigInt(now))
      if (wrongTime !== undefined) {
        this.#onAccessRefusal(wrongTime, asking)
        return refusedOf(cursor.groupId, wrongTime)
      }
    }
    const proof = request.proof && (await this.#check(request, request.proof))
    return proof === undefined || proof.type === "proved" ? undefined : proof
  }

  async #extend({ subscription, cursor }: Request<"extend">, asking: Asking): Promise<DeliveryResponse> {
    const { groupId } = cursor
    const wait =
      this.#admission.denialsWait(asking) ??
      this.#admission.waiting("cursors", this.#admission.rates.cursors(1, asking.requester, asking.now))
    if (wait !== undefined) return throttled(wait)
    const { judge, passes } = await this.#open()
    const now = BigInt(asking.now)
    const standing = await this.#store.standing(judge.reading(evidenceOfCursor(cursor), now))
    if (standing.type !== "standing") {
      this.#onAccessRefusal(standing, asking)
      return refusedOf(groupId, standing)
    }
    if (!this.#subscriptions.extend(subscription, cursor, standing)) return notFound(groupId)
    const { access } = cursor
    return { type: "passes", passes: access.type === "proof" ? [passes.give({ groupId, key: access.key }, now)] : [] }
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
/** Copies of an older request are refused for their time after at most ten minutes. */
const WITHDRAWN_MILLISECONDS = 3_600_000

interface Opened extends Pick<GroupsOptions, "identity" | "judge"> {
  readonly passes: Passes
  readonly groups: Groups
  readonly blobs: Blobs
}

/** Who a listener knows by one width alone is its own network. */
function requesterOf({ peer, network = peer }: RequestContext): Requester | undefined {
  return peer === undefined || network === undefined ? undefined : { peer, network }
}

/** What a version that knows no version byte can read, or the versions that are spoken. */
function answerToVersion({ isUnmarked }: OtherVersionError): DeliveryResponse {
  const { version } = deliveryRequests
  return isUnmarked ? invalid(refusalText("outdated")) : { type: "update", oldest: version, newest: version }
}
