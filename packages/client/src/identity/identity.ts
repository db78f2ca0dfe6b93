/// <reference lib="esnext.disposable" preserve="true" />
import { DecodeError, decode, encode, opaque, struct, type TypeOf, vector } from "@conclave/codec"
import { deviceIdOf, Endorsement, REGISTRATION_LABEL } from "@conclave/contracts/auth"
import { DEVICE_REQUEST_LABEL } from "@conclave/contracts/delivery"
import { equalBytes, type SigningKey } from "@conclave/crypto"
import { isEndorsement } from "@conclave/identity/verdicts"
import { type CipherSuite, type Signer, signWithLabel, verifyWithLabel } from "@conclave/mls"
import { copyBytes } from "../bytes.js"
import type { Profile } from "../records/records.js"
import type { DeviceSigner } from "../service/delivery.js"
import { type Directory, readRegistration, registrationContent } from "../service/directory.js"

type Endorse = (registration: Uint8Array) => Promise<Uint8Array>

/** A recovery key in the hands of its owner, and by what endorsements name it. */
export interface RecoveryAuthor {
  readonly key: SigningKey
  readonly id: Uint8Array
}

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

  /** Of the parts, one after the other: 32 bytes. */
  sha256(...parts: readonly Uint8Array[]): Uint8Array {
    return this.suite.provider.hashes["SHA-256"]!.digest(...parts)
  }

  deviceIdOf(signatureKey: Uint8Array): Uint8Array {
    return deviceIdOf((...parts) => this.sha256(...parts), {
      cipherSuite: this.suite.number,
      signatureKey,
    })
  }

  /**
   * Registers the name for this device; with `endorse`, as a further device of it, or with the name's recovery key. Returns the keys of the name that the
   * endorsing device knows, its own among them: nobody else could tell which they are.
   */
  async register(
    directory: Directory,
    { endorse, recovery }: { readonly endorse: Endorse | undefined; readonly recovery: RecoveryAuthor | undefined },
    signal: AbortSignal,
  ): Promise<readonly Uint8Array[]> {
    const device = { name: this.name, cipherSuite: this.suite.number, signatureKey: this.signatureKey }
    const content = registrationContent(device)
    const introduction =
      endorse === undefined ? undefined : readIntroduction(copyBytes(await endorse(copyBytes(content))))
    const signature = this.signRegistration(content)
    const recovered = recovery && {
      deviceId: recovery.id,
      signature: signWithLabel(recovery.key, REGISTRATION_LABEL, content),
    }
    await directory.register({ ...device, signature, endorsement: introduction?.endorsement ?? recovered }, signal)
    if (introduction === undefined) return []
    const { endorsement, signatureKeys, signature: introducing } = introduction
    const endorser = signatureKeys.find((key) => equalBytes(this.deviceIdOf(key), endorsement.deviceId))
    if (
      endorser === undefined ||
      !isEndorsement(this.suite, { name: this.name, device: { ...device, endorsement }, endorser })
    ) {
      return []
    }
    const introduced = encode(Introduced, { registration: content, signatureKeys })
    const proof = { publicKey: endorser, label: INTRODUCTION_LABEL, content: introduced, signature: introducing }
    return verifyWithLabel(this.suite, proof) ? signatureKeys : []
  }

  /** The key in a registration of this very name. */
  registeredKey(registration: Uint8Array): Uint8Array {
    const { name, cipherSuite, signatureKey } = readRegistration(registration)
    if (name !== this.name || cipherSuite !== this.suite.number || !this.suite.signature.isPublicKey(signatureKey)) {
      throw new TypeError(`this is no registration of ${this.name}`)
    }
    return signatureKey
  }

  /** What {@link register}'s `endorse` returns on the other device; `signatureKeys` are those of the name. */
  endorse(registration: Uint8Array, signatureKeys: readonly Uint8Array[]): Uint8Array {
    const introduced = encode(Introduced, { registration, signatureKeys })
    return encode(Introduction, {
      endorsement: { deviceId: this.deviceId, signature: this.signRegistration(registration) },
      signatureKeys,
      signature: signWithLabel(this.signer.key, INTRODUCTION_LABEL, introduced),
    })
  }

  [Symbol.dispose](): void {
    this.signer.key[Symbol.dispose]()
  }
}

const INTRODUCTION_LABEL = "ConclaveIntroduction"
const INTRODUCTION_SIZE_MAX = 65_536
/** What the endorsing device signs besides the registration. */
const Introduced = struct("Introduced", { registration: opaque, signatureKeys: vector(opaque) })
/** From a device of a name to a new one: for the directory, and for the new device itself. */
const Introduction = struct("Introduction", {
  endorsement: Endorsement,
  signatureKeys: vector(opaque),
  signature: opaque,
})

function readIntroduction(bytes: Uint8Array): TypeOf<typeof Introduction> {
  try {
    return decode(Introduction, bytes, { sizeMax: INTRODUCTION_SIZE_MAX })
  } catch (error) {
    if (error instanceof DecodeError) throw new TypeError("this is no endorsement", { cause: error })
    throw error
  }
}
