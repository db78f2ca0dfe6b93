import { type AuthenticationOptions, authenticationService, type Store } from "@conclave/auth"
import { decode, encode } from "@conclave/codec"
import {
  type AuthRequest,
  AuthResponse,
  authRequests,
  deviceIdOf,
  REVOCATION_LABEL,
  RegistrationTBS,
  type Revocation,
  RevocationTBS,
} from "@conclave/contracts/auth"
import type { SigningKey } from "@conclave/crypto"
import { nodeProvider } from "@conclave/crypto/node"
import { cipherSuite, signWithLabel } from "@conclave/mls"

export { storeConformance } from "./auth-store.js"

export const crypto = nodeProvider()
export const sha256 = (...parts: readonly Uint8Array[]) => crypto.hashes["SHA-256"]!.digest(...parts)
export const NOW = 1_800_000_000_000

export interface TestDevice {
  readonly key: SigningKey
  readonly cipherSuite: number
  readonly deviceId: Uint8Array
}

export function createDevice(suite = 1): TestDevice {
  const key = cipherSuite(suite, crypto).signature.generate(crypto.random)
  return { key, cipherSuite: suite, deviceId: deviceIdOf(sha256, { cipherSuite: suite, signatureKey: key.publicKey }) }
}

export type RegisterRequest = Extract<AuthRequest, { type: "register" }>

export function registration(device: TestDevice, name: string, endorser?: TestDevice): RegisterRequest {
  const { cipherSuite, key, deviceId: _ } = device
  const content = { name, cipherSuite, signatureKey: key.publicKey }
  const sign = (signer: TestDevice) =>
    signWithLabel(signer.key, "ConclaveRegistration", encode(RegistrationTBS, content))
  return {
    type: "register",
    ...content,
    signature: sign(device),
    endorsement: endorser && { deviceId: endorser.deviceId, signature: sign(endorser) },
  }
}

export interface RevocationOptions {
  readonly name?: string
  readonly at?: number
  /** Who signs, where that is not whose key the statement names. */
  readonly signer?: TestDevice
}

/** The statement of `revoker` about `device`. */
export function revocation(
  device: TestDevice,
  revoker: TestDevice,
  { name = "alice", at = NOW, signer = revoker }: RevocationOptions = {},
): Revocation {
  const { deviceId } = device
  const keys = { signatureKey: device.key.publicKey, revokerKey: revoker.key.publicKey }
  const statement = { deviceId, ...keys, at: BigInt(at) }
  const content = encode(RevocationTBS, { name, ...statement })
  return { ...statement, signature: signWithLabel(signer.key, REVOCATION_LABEL, content) }
}

export function createService(store: Store, options: Partial<AuthenticationOptions> = {}) {
  const clock = { now: NOW }
  const handler = authenticationService({ store, crypto, now: () => clock.now, ...options })
  const askBytes = async (bytes: Uint8Array, peer?: string, network?: string): Promise<Uint8Array> => {
    for await (const answer of handler(bytes, { signal: new AbortController().signal, early: false, peer, network })) {
      return answer
    }
    throw new Error("the service gave no answer")
  }
  const ask = async (request: AuthRequest, peer?: string, network?: string) =>
    decode(AuthResponse, await askBytes(authRequests.encode(request), peer, network))
  return { clock, askBytes, ask }
}
