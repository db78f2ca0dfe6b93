import type { KeepingPolicy } from "@conclave/contracts/policy"
import type { AccessProver } from "../access/interval-keys.js"
import type { KeepingTimes, KeptAtService } from "../conversation.js"
import { ClientError } from "../errors.js"
import { type Delivery, type DeliveryAnswer, refusalOf } from "../service/delivery.js"

/** The copy of a conversation that the service keeps, for a member of it. */
export interface ServiceCopy {
  readonly delivery: Delivery
  readonly groupId: Uint8Array
  /** Up to where this device has read. */
  readonly cursor: bigint
  readonly asking: { readonly prover: AccessProver; readonly signal: AbortSignal }
}

const DAY_SECONDS = 86_400

export async function keptAtService({ delivery, groupId, asking }: ServiceCopy): Promise<KeptAtService> {
  return kept(await delivery.policy(groupId, asking))
}

/** Members who ask together get one after the other: the last wish holds. */
export async function keepAtService(copy: ServiceCopy, { messages, handshakes }: KeepingTimes): Promise<KeptAtService> {
  const { delivery, groupId, asking } = copy
  const wanted = { messages: secondsOf(messages, "messages"), handshakes: secondsOf(handshakes, "handshakes") }
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const { version } = await delivery.policy(groupId, asking)
    const answer = await delivery.setPolicy(groupId, { replaces: version, wanted }, asking)
    if (answer.type !== "policy") throw refused(answer)
    const { policy } = answer
    const isOurs = policy.wanted.messages === wanted.messages && policy.wanted.handshakes === wanted.handshakes
    if (isOurs) return kept(policy)
  }
  throw new ClientError("REFUSED", "other members change at the same time what the service keeps")
}

const TRIES_MAX = 5

export async function retireAtService({ delivery, groupId, cursor, asking }: ServiceCopy): Promise<KeptAtService> {
  const answer = await delivery.retire(groupId, cursor, asking)
  if (answer.type === "policy") return kept(answer.policy)
  throw refused(answer)
}

/** A key that is not the newest is that of a member who has not read a commit, or was removed by it. */
function refused(answer: DeliveryAnswer): ClientError {
  const isBehind = answer.type === "stale" || answer.type === "denied"
  const reason = isBehind
    ? "there is something in the conversation that this device has not read: read it first"
    : `the service said ${refusalOf(answer)}`
  return new ClientError("REFUSED", reason)
}

function secondsOf(days: number | undefined, name: string): number | undefined {
  if (days === undefined) return undefined
  const seconds = Math.round(days * DAY_SECONDS)
  if (!(seconds > 0 && seconds <= 0xffff_ffff)) throw new TypeError(`${name}: it is no number of days`)
  return seconds
}

function kept({ present, wanted, holdsAt, goneAt, operator }: KeepingPolicy): KeptAtService {
  const days = (seconds: number | undefined, most: number) => Math.min(seconds ?? most, most) / DAY_SECONDS
  const times = (of: typeof present): Required<KeepingTimes> => ({
    messages: days(of.messages, operator.messages),
    handshakes: days(of.handshakes, operator.handshakes),
  })
  return {
    ...times(present),
    wanted: { ...times(wanted), from: new Date(Number(holdsAt)) },
    least: { messages: operator.messagesMin / DAY_SECONDS, handshakes: operator.handshakesMin / DAY_SECONDS },
    goneAt: goneAt === undefined ? undefined : new Date(Number(goneAt)),
  }
}
