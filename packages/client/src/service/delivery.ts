import { encode } from "@conclave/codec"
import { ACCESS_MAC_LABEL, type Access, AccessMacTBS, AccessTBS, noAccess, type Pass } from "@conclave/contracts/access"
import {
  Cursor,
  type DeliveryRequest,
  DeliveryResponse,
  type DeviceProof,
  DeviceRequestTBS,
  deliveryRequests,
  EMPTY_PROOF,
  type PublishKeyPackages,
} from "@conclave/contracts/delivery"
import type { Knock } from "@conclave/contracts/knocks"
import type { KeepingPolicy, KeptFor } from "@conclave/contracts/policy"
import { type CryptoProvider, equalBytes } from "@conclave/crypto"
import type { Transport } from "@conclave/transport"
import type { AccessProver } from "../access/interval-keys.js"
import { hex } from "../bytes.js"
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
/** As many as there may be conversations that are followed, and some that were. */
const PASSES_MAX = 65_536
/** A pass that is over so soon is not used any more, in milliseconds. */
const PASS_MARGIN = 600_000n

export interface Asking {
  /** Knows a key of the group's; `undefined` in one of which no key has been registered. */
  readonly prover: AccessProver | undefined
  readonly signal: AbortSignal
}

/** A log that is followed from `afterSeq` on. */
export interface Following {
  readonly groupId: Uint8Array
  readonly afterSeq: bigint
  readonly prover: AccessProver | undefined
}

export interface Subscribing {
  /** The inbox is followed as well. */
  readonly inbox: { readonly after: bigint } | undefined
  readonly signal: AbortSignal
  /**
   * Called in the place of each answer `denied` to a cursor with a pass: the service may have another secret than when it
   * gave it. The pass is used no more, and the group is not watched: another subscription asks by a signature.
   */
  readonly onPassDenied: () => void
}

export interface DeliveryOptions {
  readonly transport: Transport
  readonly device: DeviceSigner
  readonly provider: CryptoProvider
  readonly clock: ServiceClock
  readonly patience: Patience
}

/** The Delivery Service, as a client asks it. Refusals that no client can cause are `ClientError` `REFUSED`. */
export class Delivery {
  readonly #service: Service<DeliveryRequest, DeliveryResponse>
  readonly #device: DeviceSigner
  readonly #crypto: CryptoProvider
  readonly #clock: ServiceClock
  readonly #passes = new Map<string, Pass>()
  /** Called when a message to this group was accepted by a signature: the next one would be cheaper with a pass. */
  onSigned: (groupId: Uint8Array) => void = () => {}

  constructor({ transport, device, provider, clock, patience }: DeliveryOptions) {
    const contract = { requests: deliveryRequests, response: DeliveryResponse }
    this.#service = new Service({ name: "delivery", transport, ...contract, patience })
    this.#device = device
    this.#crypto = provider
    this.#clock = clock
  }

  encode(request: DeliveryRequest): Uint8Array {
    return this.#service.encode(request)
  }

  /** Sends a request that was stored before, createGroup, append or knock; if there is a key, with a MAC or a proof. */
  send(request: Uint8Array, { prover, signal }: Asking): Promise<DeliveryAnswer> {
    if (prover === undefined) return this.#service.send(request, signal)
    const stored = deliveryRequests.decode(request)
    if (stored.type !== "append" && stored.type !== "knock") throw new TypeError("this request needs no key")
    return this.#askByPass(prover, {
      groupId: stored.groupId,
      shown: (pass) => this.#authenticated(pass, request),
      content: () => request,
      ask: async (access) => {
        const answer = await this.#service.ask({ ...stored, access }, signal)
        if (access.type === "proof" && answer.type === "accepted" && isMessage(stored)) this.onSigned(stored.groupId)
        return answer
      },
    })
  }

  async read(groupId: Uint8Array, afterSeq: bigint, asking: Asking): Promise<DeliveryAnswer> {
    const request = (access: Access) => ({ type: "read", groupId, afterSeq, limit: PAGE, access }) as const
    const answer = await this.#askWithKey(groupId, request, asking)
    if (answer.type !== "entries" || equalBytes(answer.groupId, groupId)) return answer
    throw new ClientError("REFUSED", "the service said what another conversation's log is")
  }

  /** What the service says of itself. */
  async service(signal: AbortSignal): Promise<AnswerOf<"service">> {
    return expected(await this.#service.ask({ type: "service" }, signal), "service")
  }

  async head(groupId: Uint8Array, asking: Asking): Promise<AnswerOf<"head"> | undefined> {
    const answer = await this.#askWithKey(groupId, (access) => ({ type: "head", groupId, access }), asking)
    return answer.type === "notFound" || answer.type === "denied" ? undefined : expected(answer, "head")
  }

  /** The knocks that wait; none where the service shows them to other keys only. */
  async knocks(groupId: Uint8Array, asking: Asking): Promise<readonly Knock[]> {
    const answer = await this.#askWithKey(groupId, (access) => ({ type: "knocks", groupId, access }), asking)
    return answer.type === "notFound" || answer.type === "denied" ? [] : expected(answer, "knocks").knocks
  }

  /** What members ask for, of the service's copy of the group. */
  async policy(groupId: Uint8Array, asking: Asking): Promise<KeepingPolicy> {
    const answer = await this.#askWithKey(groupId, (access) => ({ type: "policy", groupId, access }), asking)
    return expected(answer, "policy").policy
  }

  /** Asks for less or more; resolves with what is kept then, which is another's wish where `replaces` was not the present one. */
  setPolicy(
    groupId: Uint8Array,
    { replaces, wanted }: { readonly replaces: bigint; readonly wanted: KeptFor },
    asking: Asking & { readonly prover: AccessProver },
  ): Promise<DeliveryAnswer> {
    const request = (access: Access) => ({ type: "setPolicy", groupId, replaces, wanted, access }) as const
    return this.#askWithProof(groupId, request, asking)
  }

  /** Has the group deleted after the operator's notice, unless something is appended after `headSeq`. */
  retire(
    groupId: Uint8Array,
    headSeq: bigint,
    asking: Asking & { readonly prover: AccessProver },
  ): Promise<DeliveryAnswer> {
    return this.#askWithProof(groupId, (access) => ({ type: "retire", groupId, headSeq, access }), asking)
  }

  /** The answer to a knock, with a key of the knock's interval. */
  async answer(
    groupId: Uint8Array,
    id: Uint8Array,
    asking: Asking,
  ): Promise<AnswerOf<"answer"> | AnswerOf<"notFound"> | AnswerOf<"denied">> {
    const answer = await this.#askWithKey(groupId, (access) => ({ type: "answer", groupId, id, access }), asking)
    return answer.type === "notFound" || answer.type === "denied" ? answer : expected(answer, "answer")
  }

  /** Goes on with a log that a subscription follows, as far as a later key reaches. */
  async extend(
    subscription: Uint8Array,
    { groupId, afterSeq, prover }: Following,
    signal: AbortSignal,
  ): Promise<DeliveryAnswer> {
    return this.#again(async () => {
      const cursor = this.#cursor({ groupId, afterSeq, prover })
      const answer = await this.#service.ask({ type: "extend", subscription, cursor }, signal)
      if (answer.type === "passes") this.takePasses(answer.passes)
      return answer
    })
  }

  /** What the service gives to whoever has proved a key, so that it need not be proved again for a day. */
  takePasses(passes: readonly Pass[]): void {
    for (const pass of passes) {
      this.#passes.set(passName(pass.groupId, pass.key), pass)
      if (this.#passes.size > PASSES_MAX) this.#passes.delete(this.#passes.keys().next().value!)
    }
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

  async publishKeyPackages(stock: Omit<PublishKeyPackages, "proof">, signal: AbortSignal): Promise<void> {
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
    following: readonly Following[],
    { inbox, signal, onPassDenied }: Subscribing,
  ): AsyncGenerator<DeliveryAnswer> {
    /** The names of the passes that are shown, by group. */
    const shown = new Map<string, string>()
    const isForPass = (answer: DeliveryAnswer) => {
      const pass = answer.type === "denied" ? shown.get(hex(answer.groupId)) : undefined
      if (pass !== undefined) this.#passes.delete(pass)
      return pass !== undefined
    }
    const subscription = () => {
      const cursors = following.map((it) => this.#cursor(it))
      for (const { groupId, access } of cursors) {
        if (access.type === "pass") shown.set(hex(groupId), passName(groupId, access.key))
      }
      const inboxAfter = inbox?.after ?? 0n
      const request = (proof: DeviceProof | undefined): DeliveryRequest => {
        return { type: "subscribe", cursors, inboxAfter, proof }
      }
      return this.#service.subscribe(inbox === undefined ? request(undefined) : this.#prove(request), signal)
    }
    const answers = async function* (answers: AsyncIterable<DeliveryAnswer>) {
      for await (const answer of answers) {
        if (isForPass(answer)) onPassDenied()
        else yield answer
      }
    }
    try {
      yield* answers(subscription())
    } catch (error) {
      this.#requireNews(error)
      yield* answers(subscription())
    }
  }

  /** Of which it is proved as of a message that this device knows the group's key. */
  createBlob(blob: Unproved<"createBlob">, asking: Asking): Promise<DeliveryAnswer> {
    return this.#write({ type: "createBlob", ...blob, access: noAccess }, asking)
  }

  putBlob(chunk: Unproved<"putBlob">, asking: Asking): Promise<DeliveryAnswer> {
    return this.#write({ type: "putBlob", ...chunk, access: noAccess }, asking)
  }

  readBlob(asked: Unproved<"readBlob">, signal: AbortSignal): Promise<DeliveryAnswer> {
    return this.#service.ask({ type: "readBlob", ...asked }, signal)
  }

  deleteBlob(id: Uint8Array, token: Uint8Array, signal: AbortSignal): Promise<DeliveryAnswer> {
    return this.#service.ask({ type: "deleteBlob", id, token }, signal)
  }

  /** Once: what is not passed on now is not worth anything later. */
  signal(signal: Unproved<"signal">, asking: Asking): Promise<DeliveryAnswer> {
    const request = { type: "signal", ...signal, access: noAccess } as const
    return this.#write(request, asking, (proved) => this.#service.try(proved, asking.signal))
  }

  /** Lets signals come with a subscription. A service that knows none answers `invalid`. */
  hear(subscription: Uint8Array, signal: AbortSignal): Promise<DeliveryAnswer> {
    return this.#service.ask({ type: "hear", subscription }, signal)
  }

  /** Looks whether the stream still carries something. */
  probe(): void {
    this.#service.probe()
  }

  close(): Promise<void> {
    return this.#service.close()
  }

  #ask(request: (proof: DeviceProof) => DeliveryRequest, signal: AbortSignal): Promise<DeliveryAnswer> {
    return this.#again(() => this.#service.ask(this.#prove(request), signal))
  }

  /** By a MAC with the pass that there is, or by a signature. */
  #write(
    request: Extract<DeliveryRequest, { type: "createBlob" | "putBlob" | "signal" }>,
    { prover, signal }: Asking,
    ask = (proved: DeliveryRequest) => this.#service.ask(proved, signal),
  ): Promise<DeliveryAnswer> {
    if (prover === undefined) return ask(request)
    return this.#askByPass(prover, {
      groupId: request.groupId,
      shown: (pass) => this.#authenticated(pass, this.encode(request)),
      content: () => this.encode(request),
      ask: (access) => ask({ ...request, access }),
    })
  }

  /** Reads by the pass that there is, or by a signature. */
  #askWithKey(
    groupId: Uint8Array,
    request: (access: Access) => DeliveryRequest,
    { prover, signal }: Asking,
  ): Promise<DeliveryAnswer> {
    if (prover === undefined) return this.#service.ask(request(noAccess), signal)
    return this.#askByPass(prover, {
      groupId,
      shown: accessBy,
      content: () => this.encode(request(noAccess)),
      ask: (access) => this.#service.ask(request(access), signal),
    })
  }

  /** What changes something is asked by a MAC, or a signature. */
  #askWithProof(
    groupId: Uint8Array,
    request: (access: Access) => DeliveryRequest,
    { prover, signal }: Asking & { readonly prover: AccessProver },
  ): Promise<DeliveryAnswer> {
    const content = this.encode(request(noAccess))
    return this.#askByPass(prover, {
      groupId,
      shown: (pass) => this.#authenticated(pass, content),
      content: () => content,
      ask: (access) => this.#service.ask(request(access), signal),
    })
  }

  /** Asks with what is `shown` by the pass that there is; where there is none, or it is denied, by a signature. */
  #askByPass(prover: AccessProver, { groupId, shown, content, ask }: AskedByPass): Promise<DeliveryAnswer> {
    return this.#again(async () => {
      const pass = this.#pass(groupId, prover)
      if (pass !== undefined) {
        const answer = await ask(shown(pass))
        if (answer.type !== "denied") return answer
        this.#passes.delete(passName(groupId, prover.accessKey))
      }
      return ask(this.#signed(prover, content()))
    })
  }

  async #again<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      this.#requireNews(error)
      return ask()
    }
  }

  #cursor({ groupId, afterSeq, prover }: Following): Cursor {
    const open = { groupId, afterSeq, access: noAccess }
    if (prover === undefined) return open
    const pass = this.#pass(groupId, prover)
    return { ...open, access: pass === undefined ? this.#signed(prover, encode(Cursor, open)) : accessBy(pass) }
  }

  #pass(groupId: Uint8Array, { accessKey }: AccessProver): Pass | undefined {
    const pass = this.#passes.get(passName(groupId, accessKey))
    return pass === undefined || pass.until <= this.#now() + PASS_MARGIN ? undefined : pass
  }

  /** Of a request as it is sent, with `none` in the place of the access. */
  #authenticated({ key, until, macKey }: Pass, content: Uint8Array): Access {
    const at = this.#now()
    const input = encode(AccessMacTBS, { label: ACCESS_MAC_LABEL, tbs: { at, content } })
    return { type: "mac", key, until, at, mac: this.#crypto.hashes["SHA-256"]!.hmac(macKey, input) }
  }

  /** Of a request as it is sent, or a cursor, with `none` in the place of the access. */
  #signed(prover: AccessProver, content: Uint8Array): Access {
    const at = this.#now()
    const signature = prover.sign(encode(AccessTBS, { at, content }))
    return { type: "proof", key: prover.accessKey, at, signature }
  }

  /** Learns what the service's clock shows, where that is what the error says; throws it otherwise. */
  #requireNews(error: unknown): void {
    if (!(error instanceof WrongTime)) throw error
    this.#clock.learn(error.serviceTime)
  }

  #prove(request: (proof: DeviceProof) => DeliveryRequest): DeliveryRequest {
    const { deviceId } = this.#device
    const at = this.#now()
    const content = encode(DeviceRequestTBS, { deviceId, at, request: this.encode(request(EMPTY_PROOF)) })
    return request({ deviceId, at, signature: this.#device.sign(content) })
  }

  #now(): bigint {
    return BigInt(Math.floor(this.#clock.now()))
  }
}

/** A request without its kind, and without what proves it. */
type Unproved<K extends DeliveryRequest["type"]> = Omit<Extract<DeliveryRequest, { type: K }>, "type" | "access">

interface AskedByPass {
  readonly groupId: Uint8Array
  readonly shown: (pass: Pass) => Access
  /** The request as it is sent, with `none` in the place of the access. */
  readonly content: () => Uint8Array
  readonly ask: (access: Access) => Promise<DeliveryAnswer>
}

/** A commit is not one: the key that it was signed with is over. */
const isMessage = (request: DeliveryRequest) => request.type === "append" && request.kind === "application"

const accessBy = ({ key, until, tag }: Pass): Access => ({ type: "pass", key, until, tag })

const passName = (groupId: Uint8Array, key: Uint8Array) => `${hex(groupId)}/${hex(key)}`

function expected<K extends DeliveryAnswer["type"]>(answer: DeliveryAnswer, type: K): AnswerOf<K> {
  if (answer.type === type) return answer as AnswerOf<K>
  throw new ClientError("REFUSED", `the service said ${refusalOf(answer)}`)
}

/** The service's word for the last of the entries, where there are any. */
export function toldBy({ entries, incarnation, signature }: AnswerOf<"entries">) {
  const seq = entries.at(-1)?.seq
  return seq === undefined ? undefined : { seq, incarnation, signature }
}

/** A refusal in words. */
export function refusalOf(answer: DeliveryAnswer): string {
  if (answer.type === "quotaExceeded")
    return `there is no room left ${answer.of === "group" ? "for this conversation" : "at the service"}`
  return "reason" in answer ? `${answer.type}: ${answer.reason}` : answer.type
}
