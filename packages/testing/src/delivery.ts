import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestContext } from "node:test"
import { decode, encode } from "@conclave/codec"
import {
  ACCESS_LABEL,
  ACCESS_MAC_LABEL,
  type Access,
  AccessMacTBS,
  AccessTBS,
  noAccess,
  type Pass,
} from "@conclave/contracts/access"
import {
  type Append,
  type CommitParts,
  type CreateGroup,
  Cursor,
  type DeliveryRequest,
  DeliveryResponse,
  DeviceRequestTBS,
  deliveryRequests,
  EMPTY_PROOF,
} from "@conclave/contracts/delivery"
import type { SigningKey } from "@conclave/crypto"
import { nodeProvider } from "@conclave/crypto/node"
import { type DeliveryOptions, deliveryService, type Store } from "@conclave/delivery"
import type { LogPage } from "@conclave/delivery/store"
import { signWithLabel } from "@conclave/mls"
import { MLSMessage } from "@conclave/mls/wire"
import type { Handler, Requester } from "@conclave/transport"

export { blobStoreConformance } from "./blob-store.js"
export { referenceConformance, storeConformance } from "./delivery-store.js"
export { pushStoreConformance } from "./push-store.js"

export const crypto = nodeProvider()
export const sha256 = (...parts: readonly Uint8Array[]) => crypto.hashes["SHA-256"]!.digest(...parts)
export const random = (length: number) => crypto.random(length)
export const NOW = 1_800_000_000_000

/** A folder that is gone with the test. */
export function temporaryFolder(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "conclave-delivery-"))
  test.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

// --- Devices ---------------------------------------------------------------------------------------------------------

export interface TestDevice {
  readonly deviceId: Uint8Array
  readonly key: SigningKey
  readonly cipherSuite: number
}

export function createDevice(): TestDevice {
  const key = crypto.signatures.Ed25519!.generate(random)
  return { deviceId: sha256(key.publicKey), key, cipherSuite: 1 }
}

type WithoutProof<T> = T extends { readonly proof: unknown } ? Omit<T, "proof"> : never

/** The request with the device's proof in it. `signed` is what of the encoded request is signed: all of it. */
export function proved(
  device: TestDevice,
  request: WithoutProof<DeliveryRequest>,
  at = NOW,
  signed = (encoded: Uint8Array) => encoded,
): DeliveryRequest {
  const unsigned = { ...request, proof: EMPTY_PROOF } as DeliveryRequest
  const { deviceId } = device
  const content = encode(DeviceRequestTBS, {
    deviceId,
    at: BigInt(at),
    request: signed(deliveryRequests.encode(unsigned)),
  })
  const signature = signWithLabel(device.key, "ConclaveDeviceRequest", content)
  return { ...unsigned, proof: { deviceId, at: BigInt(at), signature } } as DeliveryRequest
}

// --- Access keys of groups --------------------------------------------------------------------------------------------

const accessKeys = new Map<string, SigningKey>()

/** The key of a group's interval in tests, which follows from the group's id: any process has the same. */
export function accessKeyOf(groupId: Uint8Array, interval = 0): SigningKey {
  const name = `${Buffer.from(groupId).toString("hex")} ${interval}`
  const key = accessKeys.get(name) ?? crypto.signatures.Ed25519!.importKey(sha256(new TextEncoder().encode(name)))
  accessKeys.set(name, key)
  return key
}

interface Proving {
  /** Default: the key of the group's first interval. */
  readonly key?: SigningKey
  /** By a MAC with this instead of a proof. */
  readonly pass?: Pass
  /** Unix time in milliseconds. */
  readonly at?: number
}

/** A proof over `content`, the request or cursor without its access. */
export function proofOver(key: SigningKey, content: Uint8Array, at = NOW): Extract<Access, { type: "proof" }> {
  const signature = signWithLabel(key, ACCESS_LABEL, encode(AccessTBS, { at: BigInt(at), content }))
  return { type: "proof", key: key.publicKey, at: BigInt(at), signature }
}

/** A MAC over `content`, the request or cursor without its access. */
export function macOver(
  { key, until, macKey }: Pick<Pass, "key" | "until" | "macKey">,
  content: Uint8Array,
  at = NOW,
): Extract<Access, { type: "mac" }> {
  const input = encode(AccessMacTBS, { label: ACCESS_MAC_LABEL, tbs: { at: BigInt(at), content } })
  return { type: "mac", key, until, at: BigInt(at), mac: crypto.hashes["SHA-256"]!.hmac(macKey, input) }
}

type WithoutAccess<T> = T extends { readonly access: Access } ? Omit<T, "access"> & { readonly access?: Access } : T
type BareCursor = WithoutAccess<Cursor>
type Bare<T> = T extends { readonly cursors: unknown }
  ? Omit<T, "cursors"> & { readonly cursors: readonly BareCursor[] }
  : T extends { readonly cursor: unknown }
    ? Omit<T, "cursor"> & { readonly cursor: BareCursor }
    : WithoutAccess<T>
/** A request that may lack its accesses. */
export type BareRequest = Bare<DeliveryRequest>

/** Kinds of requests that show an access. */
export const groupRequests: readonly string[] = [
  ...["append", "read", "head", "knock", "knocks", "answer", "policy", "setPolicy", "retire"],
  ...["createBlob", "putBlob", "signal", "registerPush"],
]

/** The request with a proof, or a MAC, wherever it has no access yet. */
export function withAccess(request: BareRequest, proving: Proving = {}): DeliveryRequest {
  if (request.type === "subscribe") {
    return { ...request, cursors: request.cursors.map((cursor) => cursorWithAccess(cursor, proving)) }
  }
  if (request.type === "extend") return { ...request, cursor: cursorWithAccess(request.cursor, proving) }
  if (!groupRequests.includes(request.type) || "access" in request) return request as DeliveryRequest
  const bare = { ...request, access: noAccess } as DeliveryRequest & { readonly groupId: Uint8Array }
  return { ...bare, access: accessOver(bare.groupId, deliveryRequests.encode(bare), proving) } as DeliveryRequest
}

export function cursorWithAccess(cursor: BareCursor, proving: Proving = {}): Cursor {
  const { groupId, access } = cursor
  if (access !== undefined) return { ...cursor, access }
  return { ...cursor, access: accessOver(groupId, encode(Cursor, { ...cursor, access: noAccess }), proving) }
}

function accessOver(groupId: Uint8Array, content: Uint8Array, { key, pass, at }: Proving): Access {
  return pass === undefined ? proofOver(key ?? accessKeyOf(groupId), content, at) : macOver(pass, content, at)
}

// --- A service -------------------------------------------------------------------------------------------------------

export interface TestService {
  readonly handler: Handler
  readonly store: Store
  readonly clock: { now: number }
  /** With a proof of the group's first key where the request has no access: see {@link withAccess}. */
  ask(request: BareRequest): Promise<DeliveryResponse>
  /** As the listener would tell who asks. */
  askAs(peer: string | undefined, request: BareRequest): Promise<DeliveryResponse>
  askFrom(requester: Requester, request: BareRequest): Promise<DeliveryResponse>
  /** With a proof by another key. */
  askWith(key: SigningKey, request: BareRequest): Promise<DeliveryResponse>
  /** The answer's bytes as they are. */
  askBytes(request: Uint8Array, peer?: string): Promise<Uint8Array>
  /** What follows the subscription's id and its passes. */
  subscribe(request: BareRequest, signal: AbortSignal, peer?: string): AsyncGenerator<DeliveryResponse>
  /** All that comes. */
  stream(request: BareRequest, signal: AbortSignal, peer?: string): AsyncGenerator<DeliveryResponse>
  /** Makes the device known to the directory. */
  register(device: TestDevice): TestDevice
}

export function createService(store: Store, options: Partial<DeliveryOptions> = {}): TestService {
  const clock = { now: NOW }
  const devices = new Map<string, { cipherSuite: number; signatureKey: Uint8Array }>()
  const nameOf = (deviceId: Uint8Array) => Buffer.from(deviceId).toString("hex")
  const handler = deliveryService({
    store,
    crypto,
    now: () => clock.now,
    directory: async (deviceId) => devices.get(nameOf(deviceId)),
    ...options,
    // Most tests commit as fast as they can, and are about something else.
    limits: { commits: { perSecond: 1e6, burst: 1e6 }, ...options.limits },
  })
  const answer = async (request: Uint8Array, requester: Partial<Requester>) => {
    const context = { signal: new AbortController().signal, early: false, ...requester }
    for await (const response of handler(request, context)) return response
    throw new Error("the service gave no answer")
  }
  const askBytes = (request: Uint8Array, peer?: string) => answer(request, peer === undefined ? {} : { peer })
  const encoded = (request: BareRequest, key?: SigningKey) =>
    deliveryRequests.encode(withAccess(request, { at: options.now?.() ?? clock.now, ...(key && { key }) }))
  const askAs = async (peer: string | undefined, request: BareRequest) =>
    decode(DeliveryResponse, await askBytes(encoded(request), peer))
  const askFrom = async (requester: Requester, request: BareRequest) =>
    decode(DeliveryResponse, await answer(encoded(request), requester))
  async function* stream(request: BareRequest, signal: AbortSignal, peer?: string) {
    for await (const response of handler(encoded(request), { signal, early: false, peer })) {
      yield decode(DeliveryResponse, response)
    }
  }
  return {
    handler,
    store,
    clock,
    askBytes,
    ask: (request) => askAs(undefined, request),
    askAs,
    askFrom,
    askWith: async (key, request) => decode(DeliveryResponse, await askBytes(encoded(request, key))),
    stream,
    async *subscribe(request, signal, peer) {
      for await (const response of stream(request, signal, peer)) {
        if (response.type !== "subscribed" && response.type !== "passes") yield response
      }
    },
    register(device) {
      devices.set(nameOf(device.deviceId), { cipherSuite: 1, signatureKey: device.key.publicKey })
      return device
    },
  }
}

/** The answer, if it is of the type; anything else fails the test and says what came instead. */
export function expectType<T extends DeliveryResponse["type"]>(
  response: DeliveryResponse,
  type: T,
): Extract<DeliveryResponse, { type: T }> {
  if (response.type !== type) {
    const text = JSON.stringify(response, (_, value) => (typeof value === "bigint" ? `${value}` : value))
    throw new Error(`expected ${type}, got ${text.slice(0, 300)}`)
  }
  return response as Extract<DeliveryResponse, { type: T }>
}

// --- Messages as the service sees them: public framing around what it cannot open ------------------------------------

export function privateMessage(content: {
  readonly groupId: Uint8Array
  readonly epoch: bigint
  readonly kind: Append["kind"]
  readonly size?: number
}): Uint8Array {
  const { groupId, epoch, kind, size = 40 } = content
  return encode(MLSMessage, {
    version: "mls10",
    wireFormat: {
      type: "mlsPrivateMessage",
      privateMessage: {
        groupId,
        epoch,
        contentType: kind,
        authenticatedData: new Uint8Array(),
        encryptedSenderData: random(28),
        ciphertext: random(size),
      },
    },
  })
}

export function welcome(recipients: number): Uint8Array {
  const secret = () => ({
    newMember: random(32),
    encryptedGroupSecrets: { kemOutput: random(32), ciphertext: random(80) },
  })
  return encode(MLSMessage, {
    version: "mls10",
    wireFormat: {
      type: "mlsWelcome",
      welcome: {
        cipherSuite: 1,
        secrets: Array.from({ length: recipients }, secret),
        encryptedGroupInfo: random(200),
      },
    },
  })
}

export function keyPackage(
  device: TestDevice,
  { notBefore = NOW / 1000 - 60, notAfter = NOW / 1000 + 86_400, cipherSuite = 1 } = {},
): Uint8Array {
  return encode(MLSMessage, {
    version: "mls10",
    wireFormat: {
      type: "mlsKeyPackage",
      keyPackage: {
        version: "mls10",
        cipherSuite,
        initKey: random(32),
        leafNode: {
          encryptionKey: random(32),
          signatureKey: device.key.publicKey,
          credential: { type: "basic", identity: random(8) },
          capabilities: { versions: [1], cipherSuites: [1], extensions: [], proposals: [], credentials: [1] },
          leafNodeSource: {
            type: "keyPackage",
            lifetime: { notBefore: BigInt(notBefore), notAfter: BigInt(notAfter) },
          },
          extensions: [],
          signature: random(64),
        },
        extensions: [],
        signature: random(64),
      },
    },
  })
}

type CreateGroupRequest = CreateGroup & { readonly type: "createGroup" }
type AppendRequest = Omit<Append, "access"> & { readonly type: "append" }

export function createGroupRequest(groupId: Uint8Array): CreateGroupRequest {
  return { type: "createGroup", groupId, idempotencyId: random(16), accessKey: accessKeyOf(groupId).publicKey }
}

/** In a log of commits alone the epoch is the `seq` of the last one, which is what `after` says unless told otherwise. */
export function messageRequest(
  groupId: Uint8Array,
  epoch: bigint,
  { size, after = epoch }: { readonly size?: number; readonly after?: bigint } = {},
): AppendRequest {
  const body = privateMessage({ groupId, epoch, kind: "application", ...(size === undefined ? {} : { size }) })
  const idempotencyId = random(16)
  return { type: "append", groupId, idempotencyId, kind: "application", epoch, body, commit: undefined, after }
}

export interface CommitOptions {
  readonly recipients?: readonly TestDevice[]
  readonly after?: bigint
  /** The number of the interval that the commit begins: see {@link accessKeyOf}. */
  readonly interval?: number
  readonly removes?: boolean
  readonly answers?: CommitParts["answers"]
}

export function commitRequest(groupId: Uint8Array, epoch: bigint, options: CommitOptions = {}): AppendRequest {
  const { recipients = [], after = epoch, interval, removes = false, answers } = options
  return {
    type: "append",
    groupId,
    idempotencyId: random(16),
    kind: "commit",
    epoch,
    body: privateMessage({ groupId, epoch, kind: "commit" }),
    commit: {
      welcome: recipients.length > 0 ? welcome(recipients.length) : new Uint8Array(),
      recipients: recipients.map(({ deviceId }) => ({ deviceId })),
      begins: interval === undefined ? undefined : { accessKey: accessKeyOf(groupId, interval).publicKey, removes },
      answers,
    },
    after,
  }
}

/** A group at the service, in epoch 0. */
export async function createGroup(service: Pick<TestService, "ask" | "handler">): Promise<Uint8Array> {
  const groupId = random(32)
  expectType(await service.ask(createGroupRequest(groupId)), "done")
  return groupId
}

/** A page of a log as it is stored. */
export async function logOf(
  store: Store,
  groupId: Uint8Array,
  { after = 0n, key = accessKeyOf(groupId).publicKey as Uint8Array | undefined } = {},
): Promise<LogPage> {
  const read = await store.read({ groupId, key, permit: () => undefined, after, limit: 1_000, sizeMax: 1e9 })
  if (read.type !== "page") throw new Error(`the log is ${read.type}`)
  return read
}
