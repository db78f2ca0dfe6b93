import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestContext } from "node:test"
import { decode, encode } from "@conclave/codec"
import {
  type Append,
  type CreateGroup,
  type DeliveryRequest,
  DeliveryResponse,
  DeviceRequestTBS,
  deliveryRequests,
  EMPTY_PROOF,
} from "@conclave/contracts/delivery"
import type { SigningKey } from "@conclave/crypto"
import { nodeProvider } from "@conclave/crypto/node"
import { type DeliveryOptions, deliveryService, type Store } from "@conclave/delivery"
import { signWithLabel } from "@conclave/mls"
import { MLSMessage } from "@conclave/mls/wire"
import type { Handler, Requester } from "@conclave/transport"

export { storeConformance } from "./delivery-store.js"

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

// --- A service -------------------------------------------------------------------------------------------------------

export interface TestService {
  readonly handler: Handler
  readonly store: Store
  readonly clock: { now: number }
  ask(request: DeliveryRequest): Promise<DeliveryResponse>
  /** As the listener would tell who asks. */
  askAs(peer: string | undefined, request: DeliveryRequest): Promise<DeliveryResponse>
  askFrom(requester: Requester, request: DeliveryRequest): Promise<DeliveryResponse>
  /** The answer's bytes as they are. */
  askBytes(request: Uint8Array, peer?: string): Promise<Uint8Array>
  subscribe(request: DeliveryRequest, signal: AbortSignal, peer?: string): AsyncGenerator<DeliveryResponse>
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
  const askAs = async (peer: string | undefined, request: DeliveryRequest) =>
    decode(DeliveryResponse, await askBytes(deliveryRequests.encode(request), peer))
  const askFrom = async (requester: Requester, request: DeliveryRequest) =>
    decode(DeliveryResponse, await answer(deliveryRequests.encode(request), requester))
  return {
    handler,
    store,
    clock,
    askBytes,
    ask: (request) => askAs(undefined, request),
    askAs,
    askFrom,
    async *subscribe(request, signal, peer) {
      for await (const response of handler(deliveryRequests.encode(request), { signal, early: false, peer })) {
        yield decode(DeliveryResponse, response)
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

export function groupInfo(groupId: Uint8Array, epoch: bigint): Uint8Array {
  return encode(MLSMessage, {
    version: "mls10",
    wireFormat: {
      type: "mlsGroupInfo",
      groupInfo: {
        groupContext: {
          version: "mls10",
          cipherSuite: 1,
          groupId,
          epoch,
          treeHash: random(32),
          confirmedTranscriptHash: random(32),
          extensions: [],
        },
        extensions: [],
        confirmationTag: random(32),
        signer: 0 as never,
        signature: random(64),
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
type AppendRequest = Append & { readonly type: "append" }

export function createGroupRequest(groupId: Uint8Array): CreateGroupRequest {
  return {
    type: "createGroup",
    groupId,
    idempotencyId: random(16),
    groupInfo: groupInfo(groupId, 0n),
    ratchetTree: undefined,
  }
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

export function commitRequest(
  groupId: Uint8Array,
  epoch: bigint,
  options: {
    readonly recipients?: readonly TestDevice[]
    readonly ratchetTree?: Uint8Array
    readonly after?: bigint
  } = {},
): AppendRequest {
  const { recipients = [], ratchetTree, after = epoch } = options
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
      ratchetTree,
      groupInfo: groupInfo(groupId, epoch + 1n),
    },
    after,
  }
}

/** A group at the service, in epoch 0. */
export async function createGroup(service: TestService): Promise<Uint8Array> {
  const groupId = random(32)
  expectType(await service.ask(createGroupRequest(groupId)), "done")
  return groupId
}
