import { decode, encode, enumeration, fixed, opaque, struct, uint8, uint64, union, utf8 } from "@conclave/codec"
import { type Access, AccessTBS, noAccess } from "@conclave/contracts/access"
import { type AuthRequest, AuthResponse, authRequests, RegistrationTBS } from "@conclave/contracts/auth"
import {
  type CommitParts,
  Cursor,
  type DeliveryRequest,
  DeliveryResponse,
  type DeviceProof,
  DeviceRequestTBS,
  deliveryRequests,
  EMPTY_PROOF,
  type EntryKind,
} from "@conclave/contracts/delivery"

/*
 * All that the attacks know of the contracts with the services, and of the SDK's own payloads. Whatever changes there
 * changes here, and in no attack.
 */

export type { AuthRequest, AuthResponse, CommitParts, DeliveryRequest, DeliveryResponse }
export { type Access, noAccess }
export type Ask = (service: "delivery" | "auth", body: Uint8Array) => Promise<Uint8Array>

export const encodeDelivery = (request: DeliveryRequest): Uint8Array => deliveryRequests.encode(request)
export const encodeAuth = (request: AuthRequest): Uint8Array => authRequests.encode(request)
export const readDelivery = (bytes: Uint8Array): DeliveryRequest => deliveryRequests.decode(bytes)
export const readAuth = (bytes: Uint8Array): AuthRequest => authRequests.decode(bytes)
export const readAnswer = (bytes: Uint8Array): DeliveryResponse => decode(DeliveryResponse, bytes)
export const answerDelivery = (response: DeliveryResponse): Uint8Array => encode(DeliveryResponse, response)
export const answerAuth = (response: AuthResponse): Uint8Array => encode(AuthResponse, response)

export async function askDelivery(ask: Ask, request: DeliveryRequest): Promise<DeliveryResponse> {
  return decode(DeliveryResponse, await ask("delivery", encodeDelivery(request)))
}

export async function askAuth(ask: Ask, request: AuthRequest): Promise<AuthResponse> {
  return decode(AuthResponse, await ask("auth", encodeAuth(request)))
}

export interface NewEntry {
  readonly groupId: Uint8Array
  readonly idempotencyId: Uint8Array
  readonly kind: EntryKind
  readonly epoch: bigint
  readonly body: Uint8Array
  /** The `seq` of the last commit entry that its author has read: what the service compares, where it does. */
  readonly after: bigint
  readonly commit?: Partial<CommitParts> | undefined
}

/** Without a proof. */
export function appendOf({ commit, ...entry }: NewEntry): GroupRequest {
  return { type: "append", ...entry, commit: commit && { ...emptyCommit, ...commit }, access: noAccess }
}

export function createGroupOf(groupId: Uint8Array, accessKey: Uint8Array): DeliveryRequest {
  const idempotencyId = crypto.getRandomValues(new Uint8Array(16))
  return { type: "createGroup", idempotencyId, groupId, accessKey }
}

/** As the service says it of an entry. */
export function acceptedAs(seq: bigint): DeliveryResponse {
  const chainHash = crypto.getRandomValues(new Uint8Array(32))
  return { type: "accepted", seq, chainHash, incarnation: 1n, signature: new Uint8Array(), undelivered: [] }
}

const emptyCommit: CommitParts = { welcome: new Uint8Array(), recipients: [], begins: undefined, answers: undefined }

/** What is asked of a group. */
export type GroupRequest = Extract<DeliveryRequest, { readonly access: Access }>
/** Signs an encoded AccessTBS with an access key. */
export interface Prover {
  readonly accessKey: Uint8Array
  sign(content: Uint8Array): Uint8Array
}

/** With a proof over the request. */
export const provedBy = (prover: Prover, request: GroupRequest): GroupRequest => ({
  ...request,
  access: proofOf(prover, encodeDelivery({ ...request, access: noAccess })),
})

/** With a proof over the cursor. */
export function cursorOf(prover: Prover, groupId: Uint8Array, afterSeq = 0n): Cursor {
  const cursor = { groupId, afterSeq, access: noAccess }
  return { ...cursor, access: proofOf(prover, encode(Cursor, cursor)) }
}

function proofOf(prover: Prover, content: Uint8Array): Access {
  const at = BigInt(Date.now())
  return { type: "proof", key: prover.accessKey, at, signature: prover.sign(encode(AccessTBS, { at, content })) }
}

/** Signs a request of a device; `sign` has the label {@link DEVICE_REQUEST_LABEL}. */
export function proved(
  device: { readonly deviceId: Uint8Array; readonly sign: (content: Uint8Array) => Uint8Array },
  request: (proof: DeviceProof) => DeliveryRequest,
): DeliveryRequest {
  const { deviceId } = device
  const at = BigInt(Date.now())
  const content = encode(DeviceRequestTBS, { deviceId, at, request: encodeDelivery(request(EMPTY_PROOF)) })
  return request({ deviceId, at, signature: device.sign(content) })
}

export const DEVICE_REQUEST_LABEL = "ConclaveDeviceRequest"
export const REGISTRATION_LABEL = "ConclaveRegistration"
export const registrationContent = (device: { name: string; cipherSuite: number; signatureKey: Uint8Array }) =>
  encode(RegistrationTBS, device)

const Body = union("PayloadBody", "kind", enumeration("PayloadKind", 1, { text: 1, bytes: 2, title: 3 }), {
  text: { text: utf8 },
  bytes: { bytes: opaque },
  title: { title: utf8 },
})
const Payload = struct("Payload", { version: uint8, messageId: fixed(16), sentAt: uint64, body: Body })

/** What the SDK puts into an application message. */
export function payloadOf(
  body: { readonly text: string } | { readonly title: string },
  messageId: Uint8Array = crypto.getRandomValues(new Uint8Array(16)),
): Uint8Array {
  const typed = "text" in body ? ({ type: "text", ...body } as const) : ({ type: "title", ...body } as const)
  return encode(Payload, { version: 1, messageId, sentAt: BigInt(Date.now()), body: typed })
}
