import { decode, encode, type TypeOf } from "@conclave/codec"
import {
  type Cursor,
  DeliveryRequest,
  DeliveryResponse,
  type DeviceProof,
  DeviceRequestTBS,
  deliveryRequests,
  EMPTY_PROOF,
} from "@conclave/delivery/api"
import type { Transport } from "@conclave/transport"
import { ClientError } from "../errors.js"
import { type Lasting, Service } from "./call.js"

export type DeliveryAnswer = Lasting<DeliveryResponse>
export type AnswerOf<K extends DeliveryAnswer["type"]> = Extract<DeliveryAnswer, { type: K }>

/** Signs for the device: content in, signature out, with the label {@link DEVICE_REQUEST_LABEL}. */
export interface DeviceSigner {
  readonly deviceId: Uint8Array
  sign(content: Uint8Array): Uint8Array
}

export const DEVICE_REQUEST_LABEL = "ConclaveDeviceRequest"
const PAGE = 256

/** The Delivery Service, as a client asks it. Refusals that no client can cause are `ClientError` `REFUSED`. */
export class Delivery {
  readonly #service: Service<DeliveryRequest, DeliveryResponse>
  readonly #device: DeviceSigner
  readonly #now: () => number

  constructor(transport: Transport, device: DeviceSigner, now: () => number) {
    this.#service = new Service(transport, deliveryRequests, DeliveryResponse)
    this.#device = device
    this.#now = now
  }

  encode(request: DeliveryRequest): Uint8Array {
    return this.#service.encode(request)
  }

  /** A request to append that {@link encode} made. */
  decodeAppend(request: Uint8Array): DeliveryRequest & { readonly type: "append" } {
    const append = decode(DeliveryRequest, request)
    if (append.type !== "append") throw new TypeError("this is no request to append")
    return append
  }

  /** Sends a request that was stored before: createGroup or append. */
  send(request: Uint8Array, signal: AbortSignal): Promise<DeliveryAnswer> {
    return this.#service.send(request, signal)
  }

  async read(groupId: Uint8Array, afterSeq: bigint, signal: AbortSignal): Promise<DeliveryAnswer> {
    return this.#service.ask({ type: "read", groupId, afterSeq, limit: PAGE }, signal)
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

  subscribe(
    cursors: readonly TypeOf<typeof Cursor>[],
    inboxAfter: bigint,
    signal: AbortSignal,
  ): AsyncGenerator<DeliveryAnswer> {
    const request = this.#prove((proof) => ({ type: "subscribe", cursors, inboxAfter, proof }))
    return this.#service.subscribe(request, signal)
  }

  close(): Promise<void> {
    return this.#service.close()
  }

  #ask(request: (proof: DeviceProof) => DeliveryRequest, signal: AbortSignal): Promise<DeliveryAnswer> {
    return this.#service.ask(this.#prove(request), signal)
  }

  #prove(request: (proof: DeviceProof) => DeliveryRequest): DeliveryRequest {
    const { deviceId } = this.#device
    const at = BigInt(this.#now())
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
  return "reason" in answer ? `${answer.type}: ${answer.reason}` : answer.type
}
