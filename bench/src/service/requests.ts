import { decode, encode } from "@conclave/codec"
import type { Pass } from "@conclave/contracts/access"
import { DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import type { DeliveryLimits } from "@conclave/delivery"
import { createGroupRequest, privateMessage, random, withAccess } from "@conclave/testing/delivery"
import { perSecond } from "./rounds.js"

/** A group, and the pass of its key once the service gave it. */
export interface Group {
  readonly groupId: Uint8Array
  readonly pass: Pass
}

/** Bytes of ciphertext of each message, as of a short text. */
export const CIPHERTEXT_SIZE = 256

/** What one requester may do here: everything comes from one address. What a group may do follows. */
export const raised: Partial<DeliveryLimits> = {
  ...Object.fromEntries(
    (
      [
        "appends",
        "appendsByRequester",
        "appendsByRequesterInAll",
        "creations",
        "creationsByRequester",
        "cursorsByRequester",
        "bytesByRequester",
      ] as const
    ).map((name) => [name, { perSecond: 1e12, burst: 1e12 }]),
  ),
  cursorsMax: 4_000_000,
  cursorsByRequesterMax: 4_000_000,
  subscriptionsMax: 100_000,
  subscriptionsByRequesterMax: 100_000,
} satisfies Partial<DeliveryLimits>

/** Marks of a message's number, which stays readable in the ciphertext. */
const MARK = Buffer.from("c0ffee51bea7ed01", "hex")

/** A message whose ciphertext begins with its number. */
export function numberedMessage(groupId: Uint8Array, number: number): Uint8Array {
  const message = privateMessage({ groupId, epoch: 0n, kind: "application", size: CIPHERTEXT_SIZE })
  const at = message.length - CIPHERTEXT_SIZE
  message.set(MARK, at)
  new DataView(message.buffer, message.byteOffset).setUint32(at + MARK.length, number)
  return message
}

/** The numbers of the messages that are somewhere in `received`. */
export function* numbersIn(received: Buffer): Generator<number> {
  for (let at = received.indexOf(MARK); at >= 0; at = received.indexOf(MARK, at + 1)) {
    yield received.readUInt32BE(at + MARK.length)
  }
}

/** The encoded request to append a message, with a MAC as clients send. */
export function messageRequest(
  { groupId, pass }: Group,
  { number, at = Date.now() }: { readonly number: number; readonly at?: number },
): Uint8Array {
  const body = numberedMessage(groupId, number)
  const request = { type: "append", groupId, idempotencyId: random(16), kind: "application", epoch: 0n } as const
  return deliveryRequests.encode(withAccess({ ...request, body, commit: undefined, after: 0n }, { pass, at }))
}

/** One request, one answer. */
export type Ask = (request: Uint8Array) => Promise<Uint8Array>
/** One request, all answers until it is left. */
export type Follow = (request: Uint8Array) => AsyncIterable<Uint8Array>

export async function answered(ask: Ask, request: Uint8Array, type: DeliveryResponse["type"]): Promise<void> {
  const answer = decode(DeliveryResponse, await ask(request))
  if (answer.type !== type) throw new Error(`expected ${type}, got ${JSON.stringify(answer, withNumbers)}`)
}

const withNumbers = (_: string, value: unknown) => (typeof value === "bigint" ? Number(value) : value)

/** New groups, each with a pass that was got by a proof. */
export async function createGroups(count: number, { ask, follow }: { ask: Ask; follow: Follow }): Promise<Group[]> {
  const groupIds = Array.from({ length: count }, () => random(32))
  await perSecond({ writers: AT_A_TIME, count }, (index) =>
    answered(ask, deliveryRequests.encode(createGroupRequest(groupIds[index]!)), "done"),
  )
  const groups: Group[] = []
  for (let start = 0; start < count; start += CURSORS_MAX) {
    const some = groupIds.slice(start, start + CURSORS_MAX)
    for (const pass of await passesOf(some, follow)) groups.push({ groupId: pass.groupId, pass })
  }
  return groups
}

const AT_A_TIME = 64
/** Of one subscription. */
const CURSORS_MAX = 1000

async function passesOf(groupIds: readonly Uint8Array[], follow: Follow): Promise<Pass[]> {
  const cursors = groupIds.map((groupId) => ({ groupId, afterSeq: 0n }))
  const request = withAccess({ type: "subscribe", cursors, inboxAfter: 0n, proof: undefined }, { at: Date.now() })
  const passes: Pass[] = []
  for await (const item of follow(deliveryRequests.encode(request))) {
    const answer = decode(DeliveryResponse, item)
    if (answer.type === "passes") passes.push(...answer.passes)
    else if (answer.type !== "subscribed" && answer.type !== "entries")
      throw new Error(`a subscription: ${answer.type}`)
    if (passes.length >= groupIds.length) break
  }
  return passes
}

/** A subscription by passes, as of a device that comes back. */
export function subscribeRequest(groups: readonly Group[], afterSeq = 0n): Uint8Array {
  const cursors = groups.map(({ groupId, pass: { key, until, tag } }) => ({
    groupId,
    afterSeq,
    access: { type: "pass", key, until, tag } as const,
  }))
  return deliveryRequests.encode({ type: "subscribe", cursors, inboxAfter: 0n, proof: undefined })
}

/** Whether an answer is about a log: the first one of each says that the subscription follows it. */
export const isEntries = (item: Uint8Array) => item[0] === ENTRIES
const ENTRIES = encode(DeliveryResponse, {
  type: "entries",
  groupId: new Uint8Array(),
  entries: [],
  headSeq: 0n,
  incarnation: 0n,
  signature: new Uint8Array(),
})[0]!
