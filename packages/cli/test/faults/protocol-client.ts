import { setTimeout as delay } from "node:timers/promises"
import { decode } from "@conclave/codec"
import { DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import {
  type BareRequest,
  commitRequest,
  createGroupRequest,
  messageRequest,
  sha256,
  withAccess,
} from "@conclave/testing/delivery"
import type { Answer, Operation } from "@conclave/testing/log-history"
import { connect, type Transport, TransportError } from "@conclave/transport/node"
import type { Gateway } from "./gateway.js"

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
/** A client that waits longer takes the outcome for unknown. */
const PATIENCE_MILLISECONDS = 4_000
/** How often an append of unknown outcome is sent again at most. */
const TRIES_MAX = 6

/** The group's log as a client knows it, and all that it did, for the checker. */
export interface Recorded {
  readonly groupId: Uint8Array
  readonly operations: Operation[]
}

type AppendRequest = ReturnType<typeof messageRequest>

/** Appends to logs and reads them, each time through any of the gateways, at the level of the protocol. */
export class ProtocolClient implements AsyncDisposable {
  readonly #name: string
  readonly #random: () => number
  readonly #transports: readonly Transport[]
  /** The last commit that it knows of, by group. */
  readonly #lastCommits = new Map<Recorded, bigint>()
  readonly #heads = new Map<Recorded, bigint>()

  constructor(name: string, gateways: readonly Gateway[], random: () => number) {
    this.#name = name
    this.#random = random
    this.#transports = gateways.map(({ address }) => connect(`${address}/delivery`))
  }

  async work(groups: readonly Recorded[], signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const group = groups[Math.floor(this.#random() * groups.length)]!
      const what = this.#random()
      if (what < 0.6) await this.#append(group, signal)
      else if (what < 0.85) await this.#read(group)
      else await this.#head(group)
      await delay(this.#random() * 60)
    }
  }

  /** Until a gateway has made it. */
  async createGroup(groupId: Uint8Array): Promise<void> {
    const request = createGroupRequest(groupId)
    for (let tried = 0; (await this.#ask(request))?.type !== "done"; tried++) {
      if (tried === 20) throw new Error("no gateway makes a group")
      await delay(500)
    }
  }

  async #append(group: Recorded, signal: AbortSignal): Promise<void> {
    const { groupId } = group
    const after = this.#lastCommits.get(group) ?? 0n
    const request = this.#random() < 0.05 ? commitRequest(groupId, after) : messageRequest(groupId, after)
    let tries = 0
    while (true) {
      const { answer, wait } = await this.#attempt(group, request)
      if (answer.type === "stale") this.#lastCommits.set(group, answer.lastCommitSeq)
      if (answer.type === "accepted" && request.kind === "commit") this.#lastCommits.set(group, answer.seq)
      // What was accepted is sent again now and then: the answer has to be the same.
      const isDone = answer.type === "accepted" ? this.#random() > 0.05 : answer.type === "stale"
      // Some outcomes stay unknown for ever.
      if (isDone || signal.aborted || ++tries === TRIES_MAX || this.#random() < 0.02) return
      await delay(Math.min(wait, 1_000) + this.#random() * 100)
    }
  }

  async #attempt(group: Recorded, request: AppendRequest): Promise<{ answer: Answer; wait: number }> {
    const start = performance.now()
    const response = await this.#ask(request)
    const end = performance.now()
    const { answer, wait } = answerOf(response)
    const { idempotencyId, body, after } = request
    const what = { type: "append", id: hex(idempotencyId), body: hex(sha256(body)), after, answer } as const
    group.operations.push({ client: this.#name, start, end, what })
    return { answer, wait }
  }

  async #read(group: Recorded): Promise<void> {
    const { groupId } = group
    const head = this.#heads.get(group) ?? 0n
    const afterSeq = head > 50n && this.#random() < 0.5 ? head - 50n : head
    const start = performance.now()
    const response = await this.#ask({ type: "read", groupId, afterSeq, limit: 100 })
    if (response === undefined || isForNow(response)) return
    if (response.type !== "entries") throw unexpected(response)
    const seen = response.entries.map(({ seq, chainHash }) => ({ seq, hash: hex(chainHash) }))
    this.#observed(group, start, { headSeq: response.headSeq, seen })
    const commit = response.entries.findLast(({ kind }) => kind === "commit")
    if (commit !== undefined) this.#lastCommits.set(group, commit.seq)
    this.#heads.set(group, response.entries.at(-1)?.seq ?? head)
  }

  async #head(group: Recorded): Promise<void> {
    const start = performance.now()
    const response = await this.#ask({ type: "head", groupId: group.groupId })
    if (response === undefined || isForNow(response)) return
    if (response.type !== "head") throw unexpected(response)
    const { headSeq, chainHash, lastCommitSeq } = response
    this.#observed(group, start, { headSeq, seen: [{ seq: headSeq, hash: hex(chainHash) }] })
    this.#lastCommits.set(group, lastCommitSeq)
  }

  #observed(group: Recorded, start: number, seen: Omit<Extract<Operation["what"], { type: "observation" }>, "type">) {
    group.operations.push({ client: this.#name, start, end: performance.now(), what: { type: "observation", ...seen } })
  }

  /** `undefined` where no answer came. */
  async #ask(request: BareRequest): Promise<DeliveryResponse | undefined> {
    const transport = this.#transports[Math.floor(this.#random() * this.#transports.length)]!
    const encoded = deliveryRequests.encode(withAccess(request, { at: Date.now() }))
    try {
      const signal = AbortSignal.timeout(PATIENCE_MILLISECONDS)
      return decode(DeliveryResponse, await transport.request(encoded, { signal }))
    } catch (error) {
      if (error instanceof TransportError || (error as Error).name === "TimeoutError") return undefined
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#transports.map((it) => it[Symbol.asyncDispose]()))
  }
}

function answerOf(response: DeliveryResponse | undefined): { answer: Answer; wait: number } {
  // An answer that says `unavailable` leaves open whether the append was done, as none does.
  if (response === undefined || response.type === "unavailable") return { answer: { type: "unknown" }, wait: 100 }
  switch (response.type) {
    case "accepted":
      return { answer: { type: "accepted", seq: response.seq, hash: hex(response.chainHash) }, wait: 0 }
    case "stale":
      return { answer: response, wait: 0 }
    case "throttled":
      return { answer: { type: "throttled" }, wait: response.retryAfterMilliseconds }
    default:
      throw unexpected(response)
  }
}

const isForNow = ({ type }: DeliveryResponse) => type === "unavailable" || type === "throttled"
const unexpected = (response: DeliveryResponse) => new Error(`unexpected answer: ${response.type}`)
