import { encode } from "@conclave/codec"
import { type Device, deviceIdOf, REGISTRATION_LABEL, RegistrationTBS } from "@conclave/contracts/auth"
import type { SigningKey } from "@conclave/crypto"
import { nodeProvider } from "@conclave/crypto/node"
import { type CredentialClaim, cipherSuite, signWithLabel } from "@conclave/mls"
import {
  claimedKeys,
  isEndorsement,
  type Judgement,
  judge,
  type VerifyEndorsement,
  withPin,
} from "../src/verdicts/index.js"

const provider = nodeProvider()
export const suite = cipherSuite(1, provider)

export interface Listed {
  readonly key: SigningKey
  readonly claim: CredentialClaim
  readonly device: Device
}

/** What a directory lists and what has been pinned, as values that a test may change. */
export class Listing {
  readonly devices = new Map<string, readonly Device[]>()
  readonly pinned = new Map<string, readonly Uint8Array[]>()

  /** Enters a new device, endorsed by another. `registeredAt` is Unix time in milliseconds. */
  list(name: string, endorser?: Listed, registeredAt = 0n, number = suite.number): Listed {
    const key = suite.signature.generate((length) => provider.random(length))
    const signatureKey = key.publicKey
    const endorsement = endorser && endorse(endorser, { name, signatureKey, cipherSuite: number })
    const device = { deviceId: idOf(signatureKey), cipherSuite: number, signatureKey, registeredAt, endorsement }
    this.devices.set(name, [...(this.devices.get(name) ?? []), device])
    return { key, device, claim: { credential: basic(name), signatureKey, reason: "add" } }
  }

  /** Enters a device that names `endorser`, with a signature that is none. */
  listForged(name: string, endorser: Listed): CredentialClaim {
    const others = this.devices.get(name) ?? []
    const { claim, device } = this.list(name)
    const endorsement = { deviceId: endorser.device.deviceId, signature: new Uint8Array(64) }
    this.devices.set(name, [...others, { ...device, endorsement }])
    return claim
  }

  judge(claims: readonly CredentialClaim[], { acceptEndorsed = true } = {}): Judgement {
    const known = [...claimedKeys(claims).keys()].map((name) => {
      return [name, { pinned: this.pinned.get(name) ?? [], devices: this.devices.get(name) ?? [] }] as const
    })
    const verifyEndorsement: VerifyEndorsement = (it) => isEndorsement(suite, it)
    return judge(claims, new Map(known), { acceptEndorsed, verifyEndorsement, cipherSuite: suite.number })
  }

  /** Whether all pins of a judgement still hold; then they are kept. */
  pin({ pins }: Judgement): boolean {
    const pinned = new Map(this.pinned)
    for (const pin of pins) {
      const keys = withPin(pinned.get(pin.name) ?? [], pin)
      if (keys === undefined) return false
      pinned.set(pin.name, keys)
    }
    for (const [name, keys] of pinned) this.pinned.set(name, keys)
    return true
  }
}

/** By `endorser` over the registration of a key for a name. */
export function endorse(
  endorser: Listed,
  device: { readonly name: string; readonly signatureKey: Uint8Array; readonly cipherSuite?: number },
) {
  const content = encode(RegistrationTBS, { cipherSuite: suite.number, ...device })
  const signature = signWithLabel(endorser.key, REGISTRATION_LABEL, content)
  return { deviceId: endorser.device.deviceId, signature }
}

export function idOf(signatureKey: Uint8Array): Uint8Array {
  const sha256 = (...parts: readonly Uint8Array[]) => provider.hashes["SHA-256"]!.digest(...parts)
  return deviceIdOf(sha256, { cipherSuite: suite.number, signatureKey })
}

export const basic = (name: string) => ({ type: "basic", identity: new TextEncoder().encode(name) }) as const
export const accepted = ({ verdicts }: Judgement) => verdicts.map((it) => it.accepted)
