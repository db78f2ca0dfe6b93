import { encode } from "@conclave/codec"
import {
  DEVICE_REQUEST_LABEL,
  type DeliveryRequest,
  type DeviceProof,
  DeviceRequestTBS,
  deliveryRequests,
  EMPTY_PROOF,
} from "@conclave/contracts/delivery"
import type { CryptoProvider } from "@conclave/crypto"
import { type CipherSuite, cipherSuite, verifyWithLabel } from "@conclave/mls"
import { REVOKED, Suspended } from "./store/store.js"

/** The Authentication Service's answer about a device, `undefined` where there is no such device. */
export type Directory = (deviceId: Uint8Array) => Promise<DirectoryEntry | undefined>

export interface DirectoryEntry {
  readonly cipherSuite: number
  readonly signatureKey: Uint8Array
  /** Why the operator has suspended the device's name, if that is so. */
  readonly suspended?: string | undefined
  /** Present where a device of its name has revoked it. */
  readonly revoked?: object | undefined
}

export interface Proving {
  readonly directory: Directory
  readonly crypto: CryptoProvider
  /** Unix time in milliseconds. */
  readonly now: number
}

export type Proof =
  | { readonly type: "proved"; readonly device: DirectoryEntry }
  | { readonly type: "forbidden"; readonly reason: string }
  | { readonly type: "wrongTime"; readonly serviceTime: bigint }

const CLOCK_DIFFERENCE_MAX = 5n * 60n * 1000n

/** Whether `proof` is the device's signature over `request`, of now. The request is the one that carries the proof. */
export async function checkProof(
  request: DeliveryRequest,
  proof: DeviceProof,
  { directory, crypto, now }: Proving,
): Promise<Proof> {
  const difference = proof.at - BigInt(now)
  if (difference > CLOCK_DIFFERENCE_MAX || -difference > CLOCK_DIFFERENCE_MAX) {
    return { type: "wrongTime", serviceTime: BigInt(now) }
  }
  const device = await directory(proof.deviceId)
  if (device === undefined) return refused(NOT_REGISTERED)
  const content = encode(DeviceRequestTBS, {
    deviceId: proof.deviceId,
    at: proof.at,
    request: deliveryRequests.encode({ ...request, proof: EMPTY_PROOF } as DeliveryRequest),
  })
  const verified = verifyWithLabel(suiteOf(device.cipherSuite, crypto), {
    publicKey: device.signatureKey,
    label: DEVICE_REQUEST_LABEL,
    content,
    signature: proof.signature,
  })
  const suspended = device.suspended ?? (device.revoked && REVOKED)
  if (suspended === undefined) {
    return verified ? { type: "proved", device } : refused("the signature is not the device's")
  }
  // Only whoever has its key is told of it.
  return refused(verified ? new Suspended(suspended).message : NOT_REGISTERED)
}

const NOT_REGISTERED = "the device is not registered"

const refused = (reason: string): Proof => ({ type: "forbidden", reason })

const suites = new WeakMap<CryptoProvider, Map<number, CipherSuite>>()

export function suiteOf(number: number, crypto: CryptoProvider): CipherSuite {
  const known = suites.get(crypto) ?? new Map<number, CipherSuite>()
  suites.set(crypto, known)
  const suite = known.get(number) ?? cipherSuite(number, crypto)
  known.set(number, suite)
  return suite
}
