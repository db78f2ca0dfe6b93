import type { DeliveryRequest, DeliveryResponse } from "@conclave/contracts/delivery"
import type { KeepingPolicy, KeptFor, OperatorKeeps } from "@conclave/contracts/policy"
import { type AccessJudge, evidenceOf } from "./access.js"
import type { Admission, Asking } from "./admission.js"
import { invalid, refused, throttled } from "./responses.js"
import type { Retention } from "./retention.js"
import { keptAt } from "./store/policy.js"
import {
  type FoundPolicy,
  type GroupPolicy,
  type Kept,
  keeping,
  type Refusal,
  type Refused,
  retiring,
  type Shown,
  type Store,
} from "./store/store.js"

export interface PoliciesOptions {
  readonly store: Store
  readonly judge: AccessJudge
  readonly admission: Admission
  readonly retention: Retention
  /** The answer to what was asked of a group. */
  readonly refuse: (groupId: Uint8Array, refusal: Refused, asking: Asking) => DeliveryResponse
}

export type PolicyRequest = Extract<DeliveryRequest, { type: "policy" | "setPolicy" | "retire" }>
type Request<Type extends PolicyRequest["type"]> = Extract<PolicyRequest, { type: Type }>

/** What is asked of how long the copy of a group is kept. */
export class Policies {
  readonly #options: PoliciesOptions
  readonly #operator: OperatorKeeps

  constructor(options: PoliciesOptions) {
    this.#options = options
    this.#operator = operatorKeeps(options.retention)
  }

  async respond(request: PolicyRequest, asking: Asking): Promise<DeliveryResponse> {
    if (request.type === "policy") return this.#policy(request, asking)
    const { groupId } = request
    const wait = this.#options.admission.appendWait({ groupId, kind: "proposal" }, asking)
    if (wait !== undefined) return throttled(wait)
    return request.type === "setPolicy" ? this.#set(request, asking) : this.#retire(request, asking)
  }

  async #policy(request: Request<"policy">, asking: Asking): Promise<DeliveryResponse> {
    const { store, judge } = this.#options
    const shown = witnessed(judge.readingHead(evidenceOf(request), BigInt(asking.now)))
    return this.#answerTo(await store.policy(shown), { ...shown, asking })
  }

  async #set(request: Request<"setPolicy">, asking: Asking): Promise<DeliveryResponse> {
    const fault = this.#fault(request.wanted)
    if (fault !== undefined) return invalid(fault)
    const { replaces, wanted } = request
    const times = { messages: milliseconds(wanted.messages), handshakes: milliseconds(wanted.handshakes) }
    return this.#change(request, asking, (policy) =>
      policy.version === replaces ? keeping(policy, times, this.#noticing(asking)) : undefined,
    )
  }

  #retire(request: Request<"retire">, asking: Asking): Promise<DeliveryResponse> {
    const { headSeq } = request
    return this.#change(request, asking, (policy) => retiring(policy, headSeq, this.#noticing(asking)))
  }

  async #change(
    request: Request<"setPolicy" | "retire">,
    asking: Asking,
    change: (policy: GroupPolicy) => GroupPolicy | undefined,
  ): Promise<DeliveryResponse> {
    const { store, judge, admission } = this.#options
    const at = BigInt(asking.now)
    const proved = judge.byNewest(evidenceOf(request), at)
    const shown = witnessed(request.type === "retire" ? atHead(proved, request.headSeq) : proved)
    const changed = await store.changePolicy({
      ...shown,
      at,
      change,
      admit: (group) => admission.policy(request.groupId, group, asking),
    })
    return this.#answerTo(changed, { ...shown, asking })
  }

  #answerTo(
    found: FoundPolicy | Refused | Refusal,
    { groupId, head, asking }: Witnessed & { readonly asking: Asking },
  ): DeliveryResponse {
    switch (found.type) {
      case "policy":
        return { type: "policy", policy: this.#told(found.policy, { headSeq: head(), now: BigInt(asking.now) }) }
      case "throttled":
      case "quotaExceeded":
        return refused(found)
      default:
        return this.#options.refuse(groupId, found, asking)
    }
  }

  #told(policy: GroupPolicy, { headSeq, now }: { headSeq: bigint; now: bigint }): KeepingPolicy {
    const { version, wanted, holdsAt, retired } = policy
    return {
      version,
      wanted: seconds(wanted),
      holdsAt,
      present: seconds(keptAt(policy, now)),
      goneAt: retired?.headSeq === headSeq ? retired.goneAt : undefined,
      operator: this.#operator,
    }
  }

  /** More than the operator keeps is no fault, and has no effect. */
  #fault({ messages = this.#operator.messages, handshakes = this.#operator.handshakes }: KeptFor): string | undefined {
    const { messagesMin, handshakesMin, ...operator } = this.#operator
    if (messages < messagesMin) return `messages: they are kept for ${messagesMin} seconds at least`
    if (handshakes < handshakesMin) return `handshakes: they are kept for ${handshakesMin} seconds at least`
    // A message is opened by who has followed the handshakes before it.
    const needed = Math.min(messages, operator.messages)
    return handshakes < needed ? "handshakes: they are kept for as long as messages at least" : undefined
  }

  #noticing({ now }: Asking) {
    return { at: BigInt(now), notice: BigInt(this.#operator.notice) * 1000n }
  }
}

interface Witnessed extends Shown {
  /** The head of the log, in the moment of the answer. */
  head(): bigint
}

function witnessed(shown: Shown): Witnessed {
  let headSeq = 0n
  return {
    ...shown,
    head: () => headSeq,
    permit(standing) {
      headSeq = standing.headSeq
      return shown.permit(standing)
    },
  }
}

/** Whoever has not read the newest entry is stale. */
const atHead = (shown: Shown, head: bigint): Shown => ({
  ...shown,
  permit(standing) {
    const { headSeq, lastCommitSeq } = standing
    return shown.permit(standing) ?? (headSeq === head ? undefined : { type: "stale", headSeq, lastCommitSeq })
  },
})

const milliseconds = (seconds: number | undefined) => (seconds === undefined ? undefined : BigInt(seconds) * 1000n)

const seconds = ({ messages, handshakes }: Kept): KeptFor => ({
  messages: messages === undefined ? undefined : Number(messages / 1000n),
  handshakes: handshakes === undefined ? undefined : Number(handshakes / 1000n),
})

const SECONDS_MAX = 0xffff_ffff

function operatorKeeps({ messages, handshakes, messagesMin, handshakesMin, notice }: Retention): OperatorKeeps {
  const of = (days: number) => Math.min(SECONDS_MAX, Math.floor(days * 86_400))
  return {
    messages: of(messages),
    handshakes: of(handshakes),
    messagesMin: of(messagesMin),
    handshakesMin: of(handshakesMin),
    notice: of(notice),
  }
}
