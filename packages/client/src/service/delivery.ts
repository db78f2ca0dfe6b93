import { encode, type TypeOf } from "@conclave/codec"
import {
  type Cursor,
  type DeliveryRequest,
  DeliveryResponse,
  type DeviceProof,
  DeviceRequestTBS,
  deliveryRequests,
  EMPTY_PROOF,
} from "@conclave/contracts/delivery"
import { equalBytes } from "@conclave/crypto"
import type { Transport } from "@conclave/transport"
import { ClientError } from "../errors.js"
import { type Lasting, Service, WrongTime } from "./call.js"
import type { ServiceClock } from "./clock.js"
import type { Patience } from "./patience.js"

export type DeliveryAnswer = Lasting<DeliveryResponse>
export type AnswerOf<K extends DeliveryAnswer["type"]> = Extract<DeliveryAnswer, { type: K }>

/** Signs for the device: content in, signature out, with the label `DEVICE_REQUEST_LABEL` of the contract. */
export interface DeviceSigner {
  readonly deviceId: Uint8Array
  sign(content: Uint8Array): Uint8Array
}

const PAGE = 256

export interface DeliveryOptions {
  readonly transport: Transport
  readonly device: DeviceSigner
  readonly clock: ServiceClock
  readonly patience: Patience
}

/** The Delivery Service, as a client asks it. Refusals that no client can cause are `ClientError` `REFUSED`. */
export class Delivery {
  readonly #service: Service<DeliveryRequest, DeliveryResponse>
  readonly #device: DeviceSigner
  readonly #clock: ServiceClock

  constructor({ transport, device, clock, patience }: DeliveryOptions) {
    const contract = { requests: deliveryRequests, response: DeliveryResponse }
    this.#service = new Service({ name: "delivery", transport, ...contract, patience })
    this.#device = device
    this.#clock = clock
  }

  encode(request: DeliveryRequest): Uint8Array {
    return this.#service.encode(request)
  }

  /** A request to append that {@link encode} made. */
  decodeAppend(request: Uint8Array): DeliveryRequest & { readonly type: "append" } {
    const append = deliveryRequests.decode(request)
    if (append.type !== "append") throw new TypeError("this is no request to append")
    return append
  }

  /** Sends a request that was stored before: createGroup or append. */
  send(request: Uint8Array, signal: AbortSignal): Promise<DeliveryAnswer> {
    return this.#service.send(request, signal)
  }

  async read(groupId: Uint8Array, afterSeq: bigint, signal: AbortSignal): Promise<DeliveryAnswer> {
    const answer = await this.#service.ask({ type: "read", groupId, afterSeq, limit: PAGE }, signal)
    if (answer.type !== "entries" || equalBytes(answer.groupId, groupId)) return answer
    throw new ClientError("REFUSED", "the service said what another conversation's log is")
  }

  async head(groupId: Uint8Array, signal: AbortSignal): Promise<AnswerOf<"head"> | undefined> {
    const answer = await this.#service.ask({ type: "head", groupId }, signal)
    return answer.type === "notFound" ? undefined : expected(answer, "head")
  }

  async groupInfo(groupId: Uint8Array, signal: AbortSignal): Promise<AnswerOf<"groupInfo"> | undefined> {
    const answer = await this.#service.ask({ type: "groupInfo", groupId }, signal)
    if (answer.type === "notFound") return undefined
    return expected(answer, "groupInfo")
  }

  /** `undefined` where the device has none left. */
  async claimKeyPackage(
    deviceId: Uint8Array,
    cipherSuite: number,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const answer = await this.#service.ask({ type: "claimKeyPackage", deviceId, cipherSuite }, signal)
    if (answer.type === "notFound") return undefined
    return expected(answer, "keyPackage").keyPackage
  }

  async countKeyPackages(cipherSuite: number, signal: AbortSignal): Promise<AnswerOf<"keyPackageCount">> {
    const answer = await this.#ask((proof) => ({ type: "countKeyPackages", cipherSuite, proof }), signal)
    return expected(answer, "keyPackageCount")
  }

  async publishKeyPackages(
    stock: { cipherSuite: number; keyPackages: readonly Uint8Array[]; lastResort: Uint8Array | undefined },
    signal: AbortSignal,
  ): Promise<void> {
    const answer = await this.#ask((proof) => ({ type: "publishKeyPackages", ...stock, proof }), signal)
    expected(answer, "keyPackageCount")
  }

  async inbox(after: bigint, signal: AbortSignal): Promise<AnswerOf<"inboxEntries">> {
    const answer = await this.#ask((proof) => ({ type: "inbox", after, limit: PAGE, proof }), signal)
    return expected(answer, "inboxEntries")
  }

  async acknowledgeInbox(upTo: bigint, signal: AbortSignal): Promise<void> {
    expected(await this.#ask((proof) => ({ type: "acknowledgeInbox", upTo, proof }), signal), "done")
  }

  async *subscribe(
    cursors: readonly TypeOf<typeof Cursor>[],
    inbox: { readonly after: bigint } | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<DeliveryAnswer> {
    const request = (proof: DeviceProof | undefined): DeliveryRequest => {
      return { type: "subscribe", cursors, inboxAfter: inbox?.after ?? 0n, proof }
    }
    if (inbox === undefined) return yield* this.#service.subscribe(request(undefined), signal)
    try {
      yield* this.#service.subscribe(this.#prove(request), signal)
    } catch (error) {
      this.#requireNews(error)
      yield* this.#service.subscribe(this.#prove(request), signal)
    }
  }

  close(): Promise<void> {
    return this.#service.close()
  }

  async #ask(request: (proof: DeviceProof) => DeliveryRequest, signal: AbortSignal): Promise<DeliveryAnswer> {
    try {
      return await this.#service.ask(this.#prove(request), signal)
    } catch (error) {
      this.#requireNews(error)
      return this.#service.ask(this.#prove(request), signal)
    }
  }

  /** Learns what the service's clock shows, where that is what the error says; throws it otherwise. */
  #requireNews(error: unknown): void {
    if (!(error instanceof WrongTime)) throw error
    this.#clock.learn(error.serviceTime)
  }

  #prove(request: (proof: DeviceProof) => DeliveryRequest): DeliveryRequest {
    const { deviceId } = this.#device
    const at = BigInt(Math.floor(this.#clock.now()))
    const content = encode(DeviceRequestTBS, { deviceId, at, request: this.encode(request(EMPTY_PROOF)) })
    return request({ deviceId, at, signature: this.#device.sign(content) })
  }
}

function expected<K extends DeliveryAnswer["type"]>(answer: DeliveryAnswer, type: K): AnswerOf<K> {
  if (answer.type === type) return answer as AnswerOf<K>
  throw new ClientError("REFUSED", `the service said ${refusalOf(answer)}`)
}

/** A refusal in words. */
export function refusalOf(answer: DeliveryAnswer): string {
  if (answer.type === "quotaExceeded")
    return `there is no room left ${answer.of === "group" ? "for this conversation" : "at the service"}`
  return "reason" in answer ? `${answer.type}: ${answer.reason}` : answer.type
}
