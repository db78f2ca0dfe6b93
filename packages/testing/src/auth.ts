import { type AuthenticationOptions, authenticationService, type Store } from "@conclave/auth"
import { decode, encode } from "@conclave/codec"
import { type AuthRequest, AuthResponse, authRequests, deviceIdOf, RegistrationTBS } from "@conclave/contracts/auth"
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
