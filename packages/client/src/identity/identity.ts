import { deviceIdOf } from "@conclave/auth/api"
import { type CipherSuite, type Signer, signWithLabel, verifyWithLabel } from "@conclave/mls"
import type { Profile } from "../core/records.js"
import { DEVICE_REQUEST_LABEL, type DeviceSigner } from "../service/delivery.js"
import { type Directory, REGISTRATION_LABEL, readRegistration, registrationContent } from "../service/directory.js"
import { sameBytes, type VerifyEndorsement } from "./judge.js"

/** This device: a name, a signature key, and what follows from them. */
export class Identity implements DeviceSigner, Disposable {
  readonly name: string
  readonly suite: CipherSuite
  readonly signer: Signer
  readonly deviceId: Uint8Array

  constructor(profile: Profile, suite: CipherSuite) {
    this.name = profile.name
    this.suite = suite
    this.signer = {
      credential: { type: "basic", identity: new TextEncoder().encode(profile.name) },
      key: suite.signature.importKey(profile.signaturePrivateKey),
    }
    this.deviceId = this.deviceIdOf(profile.signaturePublicKey)
  }

  get signatureKey(): Uint8Array {
    return this.signer.key.publicKey
  }

  sign(content: Uint8Array): Uint8Array {
    return signWithLabel(this.signer.key, DEVICE_REQUEST_LABEL, content)
  }

  signRegistration(content: Uint8Array): Uint8Array {
    return signWithLabel(this.signer.key, REGISTRATION_LABEL, content)
  }

  deviceIdOf(signatureKey: Uint8Array): Uint8Array {
    return deviceIdOf((...parts) => this.suite.provider.hashes["SHA-256"]!.digest(...parts), {
      cipherSuite: this.suite.number,
      signatureKey,
    })
  }

  /**
   * Registers the name for this device; with `endorse`, as a further device of it. Returns the key of the device that
   * endorsed it.
   */
  async register(
    directory: Directory,
    endorse: ((registration: Uint8Array) => Promise<Uint8Array>) | undefined,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const device = { name: this.name, cipherSuite: this.suite.number, signatureKey: this.signatureKey }
    const content = registrationContent(device)
    const endorsement = endorse === undefined ? undefined : splitEndorsement(await endorse(content))
    await directory.register({ ...device, signature: this.signRegistration(content), endorsement }, signal)
    if (endorsement === undefined) return undefined
    const devices = await directory.devices(this.name, signal)
    const endorser = devices.find(({ deviceId }) => sameBytes(deviceId, endorsement.deviceId))?.signatureKey
    const claim = endorser && { name: this.name, device: { ...device, endorsement }, endorser }
    return claim !== undefined && this.isEndorsed(claim) ? endorser : undefined
  }

  /** The key in a registration of this very name. */
  registeredKey(registration: Uint8Array): Uint8Array {
    const { name, cipherSuite, signatureKey } = readRegistration(registration)
    if (name !== this.name || cipherSuite !== this.suite.number || !this.suite.signature.isPublicKey(signatureKey)) {
      throw new TypeError(`this is no registration of ${this.name}`)
    }
    return signatureKey
  }

  /** Whether the holder of the key `endorser` has signed for `device` as a device of `name`. */
  isEndorsed({ name, device, endorser }: Parameters<VerifyEndorsement>[0]): boolean {
    const { endorsement, cipherSuite, signatureKey } = device
    if (endorsement === undefined || !sameBytes(endorsement.deviceId, this.deviceIdOf(endorser))) return false
    return verifyWithLabel(this.suite, {
      publicKey: endorser,
      label: REGISTRATION_LABEL,
      content: registrationContent({ name, cipherSuite, signatureKey }),
      signature: endorsement.signature,
    })
  }

  /** `deviceId ‖ signature`: what {@link register}'s `endorse` returns on the other device. */
  endorse(registration: Uint8Array): Uint8Array {
    const signature = this.signRegistration(registration)
    const endorsement = new Uint8Array(this.deviceId.length + signature.length)
    endorsement.set(this.deviceId)
    endorsement.set(signature, this.deviceId.length)
    return endorsement
  }

  [Symbol.dispose](): void {
    this.signer.key[Symbol.dispose]()
  }
}

const DEVICE_ID_SIZE = 32

function splitEndorsement(endorsement: Uint8Array): { deviceId: Uint8Array; signature: Uint8Array } {
  if (endorsement.length <= DEVICE_ID_SIZE) throw new TypeError("this is no endorsement")
  return { deviceId: endorsement.slice(0, DEVICE_ID_SIZE), signature: endorsement.slice(DEVICE_ID_SIZE) }
}
