import type { DeliveryRequest, DeliveryResponse } from "@conclave/contracts/delivery"
import type { CryptoProvider } from "@conclave/crypto"
import type { Requester } from "@conclave/transport"
import { type AccessJudge, evidenceOf, keyOf, provedBefore } from "./access.js"
import type { Admission, Asking } from "./admission.js"
import type { DeliveryLimits } from "./limits.js"
import { type PushCall, PushPlaces } from "./push-places.js"
import type { RefusalKind } from "./refusals.js"
import { done, forbidden, invalid, refused, refusedOf, throttled } from "./responses.js"
import type { PushStore, PushTarget, Registration } from "./store/push-store.js"
import type { Refusal, Refused, Store } from "./store/store.js"
import { groupTopic, idOf } from "./topics.js"

/**
 * Tells an endpoint that something is there, and nothing else. There is none by default: the endpoints are what clients have
 * said, and whoever calls them calls where an attacker wants. A sender of the operator's has to keep to hosts that it knows,
 * or to addresses outside of its own networks, has to follow no redirection, and has to give up after seconds.
 */
export interface PushSender {
  /**
   * Resolves with `gone` where the endpoint does not exist any more: its registration is forgotten. Rejecting loses this one.
   * `target.endpoint`: a URL in its normal form, as it was checked. `signal`: aborted when it has taken too long; its place is
   * another's then.
   */
  send(target: PushTarget, signal: AbortSignal): Promise<"sent" | "gone">
}

export interface PushingOptions {
  readonly store: Store
  readonly pushes: PushStore | undefined
  readonly sender: PushSender | undefined
  readonly limits: DeliveryLimits
  /** Unix time in milliseconds. */
  readonly now: () => number
  readonly onError: (error: unknown) => void
  readonly onRefusal: (kind: RefusalKind) => void
}

interface AskedOptions {
  readonly crypto: CryptoProvider
  /** 32 bytes, the same at all gateways. */
  readonly senderSecret: Uint8Array
  readonly admission: Admission
  readonly judge: AccessJudge
  readonly onAccessRefusal: (refusal: Refused, asking: Asking) => void
}

export type PushRequest = Extract<DeliveryRequest, { type: "registerPush" | "removePush" }>

/** Registrations for being woken, and the waking. */
export class Pushing {
  readonly #options: PushingOptions
  /** Groups in which something has happened, and the timer of each. */
  readonly #noted = new Map<string, Noted>()
  readonly #places: PushPlaces
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor(options: PushingOptions) {
    const { limits, onError } = options
    this.#options = options
    this.#places = new PushPlaces({ timeoutMilliseconds: limits.pushTimeoutMilliseconds, onError })
  }

  async respond(request: PushRequest, asking: Asking, asked: AskedOptions): Promise<DeliveryResponse> {
    const { pushes, sender } = this.#options
    if (pushes === undefined || sender === undefined) return forbidden("this service wakes nobody")
    const { admission } = asked
    const wait = admission.denialsWait(asking) ?? admission.arrivalWait("pushes", request.groupId, asking)
    if (wait !== undefined) return throttled(wait)
    return request.type === "registerPush"
      ? this.#register(pushes, request, { asking, asked })
      : this.#remove(pushes, request, { asking, asked })
  }

  async #register(
    pushes: PushStore,
    request: Extract<PushRequest, { type: "registerPush" }>,
    { asking, asked }: { readonly asking: Asking; readonly asked: AskedOptions },
  ): Promise<DeliveryResponse> {
    const { store, limits } = this.#options
    const { admission, judge } = asked
    const { groupId, access, endpoint, parameters, lifetimeSeconds } = request
    if (parameters.length > PARAMETERS_SIZE_MAX) return { type: "tooLarge", max: PARAMETERS_SIZE_MAX }
    const checked = checkedEndpoint(endpoint)
    if ("fault" in checked) return invalid(checked.fault)
    if (lifetimeSeconds < 1) return invalid("lifetimeSeconds: at least 1")
    const standing = await store.standing(judge.writing(evidenceOf(request), BigInt(asking.now)))
    if (standing.type !== "standing") return this.#refused(groupId, standing, { asking, asked })
    const wait = admission.ofGroup("pushes", groupId, asking)
    if (wait !== undefined) return throttled(wait)
    const lifetime = Math.min(lifetimeSeconds, limits.pushLifetimeSecondsMax) * 1_000
    const registered = await pushes.register({
      ...request,
      endpoint: checked.endpoint,
      key: keyOf(access),
      version: asked.crypto.random(8),
      toldUpTo: standing.headSeq,
      until: BigInt(asking.now + lifetime),
      at: BigInt(asking.now),
      sender: senderOf(groupId, asking.requester, asked),
      admit: ({ ofGroup, ofSender }) => {
        const isFull = ofGroup >= limits.pushesPerGroupMax || ofSender >= limits.pushesPerRequesterMax
        return isFull ? this.#full() : admission.bytes(checked.endpoint.length + parameters.length + OVERHEAD, asking)
      },
    })
    switch (registered.type) {
      case "registered":
        return done
      case "idReused":
        return invalid("id: it was used for another registration")
      default:
        return refused(registered)
    }
  }

  #full(): Refusal {
    this.#options.onRefusal("groupQuota")
    return { type: "quotaExceeded", of: "group" }
  }

  async #remove(
    pushes: PushStore,
    { groupId, id, token }: Extract<PushRequest, { type: "removePush" }>,
    asked: { readonly asking: Asking; readonly asked: AskedOptions },
  ): Promise<DeliveryResponse> {
    const removal = asked.asked.crypto.hashes["SHA-256"]!.digest(token)
    const { type } = await pushes.remove({ groupId, id, removal })
    if (type === "removed") return done
    if (type === "none") return this.#refused(groupId, { type: "notFound" }, asked)
    return this.#refused(groupId, { type: "denied", reason: "another token removes this registration" }, asked)
  }

  #refused(
    groupId: Uint8Array,
    refusal: Refused,
    { asking, asked }: { readonly asking: Asking; readonly asked: AskedOptions },
  ): DeliveryResponse {
    asked.onAccessRefusal(refusal, asking)
    return refusedOf(groupId, refusal)
  }

  /** Something was appended. `removes`: an entry that removes somebody, of which all are told, should this process end. */
  note(groupId: Uint8Array, { removes }: { readonly removes: boolean }): void {
    const { pushes, sender, limits, now } = this.#options
    if (pushes === undefined || sender === undefined) return
    if (removes) pushes.mark({ groupId, at: BigInt(now()) }).catch(this.#options.onError)
    this.#note(groupTopic(groupId), limits.pushDelayMilliseconds)
  }

  #note(topic: string, milliseconds: number): void {
    const noted = this.#noted.get(topic)
    if (noted !== undefined) noted.isAgain = true
    else if (this.#noted.size < NOTED_MAX) this.#later(topic, { isAgain: false, failures: 0 }, milliseconds)
    else this.#options.onRefusal("pushesDropped")
  }

  /** Looks now and then for what other gateways had to tell and did not. */
  lookAround(): void {
    const { pushes, sender, limits, now, onError } = this.#options
    if (pushes === undefined || sender === undefined) return
    const at = now()
    if (Math.abs(at - this.#lookedAt) < limits.pushEveryMilliseconds) return
    this.#lookedAt = at
    const before = BigInt(at - 2 * limits.pushEveryMilliseconds)
    pushes
      .due({ before, limit: DUE_AT_A_TIME })
      .then((due) => {
        for (const groupId of due) this.#note(groupTopic(groupId), limits.pushDelayMilliseconds)
      })
      .catch(onError)
  }

  #later(topic: string, noted: Noted, milliseconds: number): void {
    this.#noted.set(topic, noted)
    setTimeout(() => {
      noted.isAgain = false
      this.#wake(topic)
        .then((isAllTold) => Object.assign(noted, { failures: 0, isAgain: noted.isAgain || !isAllTold }))
        .catch((error) => {
          noted.failures++
          noted.isAgain ||= noted.failures < FAILURES_MAX
          this.#options.onError(error)
        })
        .finally(() => {
          // What came meanwhile is told together, when those who were told now may be told again.
          if (noted.isAgain) this.#later(topic, noted, this.#options.limits.pushEveryMilliseconds)
          else this.#noted.delete(topic)
        })
    }, milliseconds).unref()
  }

  /**
   * Tells whoever was not told of all that it may read. A registration lasts as long as its key reaches the head of the log.
   * With the removal that ends that, it is told for the last time: that entry is its to read, and those who were not removed
   * register again. Resolves with whether nobody is left whose turn is later.
   */
  async #wake(topic: string): Promise<boolean> {
    const { pushes, store, limits, now } = this.#options
    const groupId = idOf(topic)
    const at = BigInt(now())
    const all = await pushes!.ofGroup({ groupId, at })
    const standings = await store.standings(all.map(({ key }) => ({ groupId, key, permit: provedBefore })))
    const over: Registration[] = []
    const untold: Telling[] = []
    for (const [index, registration] of all.entries()) {
      const standing = standings[index]!
      const isStanding = standing.type === "standing"
      if (isStanding && registration.toldUpTo < standing.headSeq) {
        untold.push({ registration, upTo: standing.headSeq, isLast: standing.reach !== undefined })
      } else if (!isStanding || standing.reach !== undefined) over.push(registration)
    }
    const fitting = untold.filter(({ registration }) => this.#places.hasRoom(registration))
    const told = fitting.map(({ registration: { id, version }, upTo }) => ({ id, version, upTo }))
    const before = at - BigInt(limits.pushEveryMilliseconds)
    const names = new Set((await pushes!.claim({ groupId, told, at, before })).map(nameOf))
    const claimed = fitting.filter(({ registration: { id } }) => names.has(nameOf(id)))
    over.push(...claimed.filter(({ isLast }) => isLast).map(({ registration }) => registration))
    if (over.length > 0) await pushes!.forget({ groupId, registrations: over })
    for (const { registration } of claimed) this.#send(registration)
    // The others were told a moment ago, at this gateway or another, or there is no room for them now.
    if (claimed.length < untold.length) return false
    await pushes!.settle({ groupId, at })
    return true
  }

  #send(registration: Registration): void {
    const { sender, pushes } = this.#options
    const { groupId, kind, parameters } = registration
    // What was registered before may be less than is asked for now.
    const checked = checkedEndpoint(registration.endpoint)
    const forget = () => pushes!.forget({ groupId, registrations: [registration] })
    if ("fault" in checked) forget().catch(this.#options.onError)
    // Others have taken the room since it was asked for.
    else if (!this.#places.hasRoom(registration)) this.#options.onRefusal("pushesDropped")
    else {
      const { endpoint } = checked
      const call: PushCall = async (signal) => sender!.send({ kind, endpoint, parameters }, signal)
      this.#places.add(registration, { call, onGone: forget })
    }
  }
}

interface Telling {
  readonly registration: Registration
  readonly upTo: bigint
  /** It will be told of nothing after this. */
  readonly isLast: boolean
}

interface Noted {
  /** Whether there is something to tell later. */
  isAgain: boolean
  /** One after the other, of looking at what there is to tell. */
  failures: number
}

const PARAMETERS_SIZE_MAX = 1_024
const ENDPOINT_SIZE_MAX = 2_048
/** What a registration takes beside these, about, in bytes. */
const OVERHEAD = 300
/** Groups that wait: what more have is told with what comes next, or as what is left of another gateway. */
const NOTED_MAX = 10_000
const DUE_AT_A_TIME = 100
const FAILURES_MAX = 3

const nameOf = (id: Uint8Array) => Buffer.from(id).toString("latin1")

/**
 * 8 bytes that tell a requester's network from others of the same group, the same at every gateway: so many registrations are a
 * network's. Of another group they are others.
 */
function senderOf(
  groupId: Uint8Array,
  requester: Requester | undefined,
  { crypto, senderSecret }: Pick<AskedOptions, "crypto" | "senderSecret">,
): Uint8Array {
  if (requester === undefined) return new Uint8Array(8)
  const named = Buffer.concat([SENDER_LABEL, Buffer.of(groupId.length), groupId, Buffer.from(requester.network)])
  return crypto.hashes["SHA-256"]!.hmac(senderSecret, named).slice(0, 8)
}

const SENDER_LABEL = Buffer.from("Conclave sender of push registrations")

/** In its normal form; not what no endpoint on the Internet looks like. A sender has to look at the address behind the name itself. */
function checkedEndpoint(endpoint: string): { readonly endpoint: string } | { readonly fault: string } {
  const url = endpoint.length <= ENDPOINT_SIZE_MAX && URL.canParse(endpoint) ? new URL(endpoint) : undefined
  if (url === undefined || url.href.length > ENDPOINT_SIZE_MAX) {
    return { fault: `endpoint: it is no URL of at most ${ENDPOINT_SIZE_MAX} characters` }
  }
  const { protocol, username, password, hostname, port } = url
  if (protocol !== "https:" || username !== "" || password !== "" || port !== "") {
    return { fault: "endpoint: it begins with https, and has no user and no port" }
  }
  // An address, or a name of this network alone.
  const isPublicName =
    /[a-z]$/.test(hostname) && hostname.includes(".") && !/\.(local|localhost|internal)$/.test(hostname)
  return isPublicName ? { endpoint: url.href } : { fault: "endpoint: its host has a public name" }
}
