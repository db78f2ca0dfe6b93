import type { DeliveryRequest, DeliveryResponse } from "@conclave/contracts/delivery"
import type { CryptoProvider } from "@conclave/crypto"
import { type AccessJudge, evidenceOf, keyOf, provedBefore } from "./access.js"
import type { Admission, Asking } from "./admission.js"
import type { DeliveryLimits } from "./limits.js"
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
  /** Resolves with `gone` where the endpoint does not exist any more: its registration is forgotten. Rejecting loses this one. */
  send(target: PushTarget): Promise<"sent" | "gone">
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
  #underway = 0
  readonly #waiting: (() => Promise<void>)[] = []

  constructor(options: PushingOptions) {
    this.#options = options
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
    const fault = endpointFault(endpoint)
    if (fault !== undefined) return invalid(fault)
    if (lifetimeSeconds < 1) return invalid("lifetimeSeconds: at least 1")
    const standing = await store.standing(judge.writing(evidenceOf(request), BigInt(asking.now)))
    if (standing.type !== "standing") return this.#refused(groupId, standing, { asking, asked })
    const wait = admission.ofGroup("pushes", groupId, asking)
    if (wait !== undefined) return throttled(wait)
    const lifetime = Math.min(lifetimeSeconds, limits.pushLifetimeSecondsMax) * 1_000
    const registered = await pushes.register({
      ...request,
      key: keyOf(access),
      until: BigInt(asking.now + lifetime),
      at: BigInt(asking.now),
      sender: admission.senderOf(asking.requester),
      admit: ({ ofGroup, ofSender }) => {
        const isFull = ofGroup >= limits.pushesPerGroupMax || ofSender >= limits.pushesPerRequesterMax
        return isFull ? this.#full() : admission.bytes(endpoint.length + parameters.length + OVERHEAD, asking)
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

  /** Something was appended. `removal`: where the entry removes somebody, its `seq`. */
  note(groupId: Uint8Array, removal: bigint | undefined): void {
    const { pushes, sender, limits } = this.#options
    if (pushes === undefined || sender === undefined) return
    const topic = groupTopic(groupId)
    const noted = this.#noted.get(topic)
    if (noted === undefined && this.#noted.size >= NOTED_MAX) {
      this.#options.onRefusal("pushesDropped")
      return
    }
    const removals = removal === undefined ? [] : [removal]
    if (noted === undefined) this.#later(topic, { removals, isAgain: false }, limits.pushDelayMilliseconds)
    else Object.assign(noted, { removals: [...noted.removals, ...removals], isAgain: true })
  }

  #later(topic: string, noted: Noted, milliseconds: number): void {
    this.#noted.set(topic, noted)
    setTimeout(() => {
      const { removals } = noted
      Object.assign(noted, { removals: [], isAgain: false })
      this.#wake(topic, removals)
        .catch(this.#options.onError)
        .finally(() => {
          // What came meanwhile is told together, when those who were told now may be told again.
          if (noted.isAgain) this.#later(topic, noted, this.#options.limits.pushEveryMilliseconds)
          else this.#noted.delete(topic)
        })
    }, milliseconds).unref()
  }

  /**
   * A registration lasts as long as its key reaches the head of the log. With the removal that ends that, those who have it are
   * told for the last time: that entry is theirs to read, and those who were not removed register again.
   */
  async #wake(topic: string, removals: readonly bigint[]): Promise<void> {
    const { pushes, store, limits, now } = this.#options
    const groupId = idOf(topic)
    const at = BigInt(now())
    const all = await pushes!.ofGroup({ groupId, at })
    const standings = await store.standings(all.map(({ key }) => ({ groupId, key, permit: provedBefore })))
    const [told, over]: [Registration[], Uint8Array[]] = [[], []]
    for (const [index, registration] of all.entries()) {
      const standing = standings[index]!
      const reach = standing.type === "standing" ? standing.reach : -1n
      if (reach !== undefined) over.push(registration.id)
      if (reach === undefined || removals.includes(reach)) told.push(registration)
    }
    const before = at - BigInt(limits.pushEveryMilliseconds)
    const claimed = await pushes!.claim({ groupId, ids: told.map(({ id }) => id), at, before })
    if (over.length > 0) await pushes!.forget({ groupId, ids: over })
    const names = new Set(claimed.map(nameOf))
    const due = told.filter(({ id }) => names.has(nameOf(id)))
    // Of those that were told a moment ago, and for whom this is new.
    const isTooSoon = told.some(({ id }) => !names.has(nameOf(id)) && !over.includes(id))
    const noted = this.#noted.get(topic)
    if (isTooSoon && noted !== undefined) noted.isAgain = true
    for (const registration of due) this.#send(registration)
  }

  #send(registration: Registration): void {
    if (this.#waiting.length >= WAITING_MAX) {
      this.#options.onRefusal("pushesDropped")
      return
    }
    this.#waiting.push(() => this.#sendOne(registration))
    this.#go()
  }

  #go(): void {
    while (this.#underway < AT_ONCE_MAX && this.#waiting.length > 0) {
      const work = this.#waiting.shift()!
      this.#underway++
      work()
        .catch(this.#options.onError)
        .finally(() => {
          this.#underway--
          this.#go()
        })
    }
  }

  async #sendOne({ groupId, id, kind, endpoint, parameters }: Registration): Promise<void> {
    const { sender, pushes, limits } = this.#options
    let timer: NodeJS.Timeout | undefined
    // An endpoint that never answers holds its place no longer than this.
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), limits.pushTimeoutMilliseconds).unref()
    })
    const sent = sender!.send({ kind, endpoint, parameters })
    sent.catch(() => {})
    const told = await Promise.race([sent, late]).finally(() => clearTimeout(timer))
    if (told === "gone") await pushes!.forget({ groupId, ids: [id] })
  }
}

interface Noted {
  removals: readonly bigint[]
  isAgain: boolean
}

const PARAMETERS_SIZE_MAX = 1_024
const ENDPOINT_SIZE_MAX = 2_048
/** What a registration takes beside these, about, in bytes. */
const OVERHEAD = 300
/** Groups that wait, pushes that wait, and pushes under way: more is dropped, and told with what comes next. */
const NOTED_MAX = 10_000
const WAITING_MAX = 10_000
const AT_ONCE_MAX = 16

const nameOf = (id: Uint8Array) => Buffer.from(id).toString("latin1")

/** What no endpoint on the Internet looks like. A sender has to look at the address behind the name itself. */
function endpointFault(endpoint: string): string | undefined {
  const url = endpoint.length <= ENDPOINT_SIZE_MAX && URL.canParse(endpoint) ? new URL(endpoint) : undefined
  if (url === undefined) return `endpoint: it is no URL of at most ${ENDPOINT_SIZE_MAX} characters`
  const { protocol, username, password, hostname, port } = url
  if (protocol !== "https:" || username !== "" || password !== "" || port !== "") {
    return "endpoint: it begins with https, and has no user and no port"
  }
  // An address, or a name of this network alone.
  const isPublicName =
    /[a-z]$/.test(hostname) && hostname.includes(".") && !/\.(local|localhost|internal)$/.test(hostname)
  return isPublicName ? undefined : "endpoint: its host has a public name"
}
