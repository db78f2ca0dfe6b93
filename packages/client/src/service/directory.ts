import { decode, encode, type TypeOf } from "@conclave/codec"
import {
  type AuthRequest,
  AuthResponse,
  authRequests,
  type Device,
  type DisplayName,
  type Endorsement,
  type NewEndorsement,
  type RecoveryKey,
  RegistrationTBS,
  type Revocation,
  type RevokedDevice,
} from "@conclave/contracts/auth"
import type { Transport } from "@conclave/transport"
import { ClientError, thisDeviceRevoked } from "../errors.js"
import { type Lasting, Service } from "./call.js"
import type { Patience } from "./patience.js"

export interface Registration {
  readonly name: string
  readonly cipherSuite: number
  readonly signatureKey: Uint8Array
  readonly signature: Uint8Array
  readonly endorsement: Endorsement | undefined
}

/** What the directory says of a name, unverified. */
export interface Listing {
  readonly devices: readonly Device[]
  readonly revoked: readonly RevokedDevice[]
  readonly displayName: DisplayName | undefined
  readonly recovery: readonly RecoveryKey[]
}

/** Who takes what the directory says of a name, before the one who asked concludes anything from it. */
export interface ListingListener {
  heard(name: string, listing: Listing): Promise<void>
  /** Devices that speak for nobody are not shown to who asks. */
  isRevoked(name: string, device: Device): boolean
}

/**
 * Of one name, with those that were revoked: several times what a directory takes, and what is verified in about a second. All of
 * more is refused, for a part would leave statements out.
 */
const DEVICES_MAX = 2_000

type AccountAsked = Extract<AuthRequest, { type: "exportAccount" | "eraseAccount" }>

/** The Authentication Service, as a client asks it. */
export class Directory {
  readonly #service: Service<AuthRequest, AuthResponse>
  #listener: ListingListener = { heard: async () => {}, isRevoked: () => false }

  constructor(transport: Transport, patience: Patience) {
    this.#service = new Service({ name: "auth", transport, requests: authRequests, response: AuthResponse, patience })
  }

  /** Throws `ClientError` `NAME_TAKEN`, `REFUSED` or `UNAVAILABLE`. May be repeated. */
  async register(registration: Registration, signal?: AbortSignal): Promise<void> {
    const answer = await this.#service.ask({ type: "register", ...registration }, signal)
    if (answer.type === "registered") return
    if (answer.type === "nameTaken") {
      throw new ClientError(
        "NAME_TAKEN",
        `the name ${registration.name} is taken: it is registered with the key of another profile`,
      )
    }
    if (answer.type === "revoked") throw thisDeviceRevoked()
    throw new ClientError("REFUSED", `the directory refused the name: ${refusal(answer)}`)
  }

  /** The devices that speak for a name, none where nobody has it; without those that are known to be revoked. */
  async devices(name: string, signal?: AbortSignal): Promise<readonly Device[]> {
    const { devices } = await this.listing(name, signal)
    return devices.filter((device) => !this.#listener.isRevoked(name, device))
  }

  /** All that the directory says of a name. */
  async listing(name: string, signal?: AbortSignal): Promise<Listing> {
    const answer = await this.#service.ask({ type: "lookup", name }, signal)
    if (answer.type === "notFound") return { devices: [], revoked: [], displayName: undefined, recovery: [] }
    if (answer.type === "devices" && answer.name === name) {
      if (answer.devices.length + answer.revoked.length > DEVICES_MAX) {
        throw new ClientError("REFUSED", `the directory lists more than ${DEVICES_MAX} devices of ${name}`)
      }
      await this.#listener.heard(name, answer)
      return answer
    }
    throw new ClientError("REFUSED", `the directory did not answer the question: ${refusal(answer)}`)
  }

  listen(listener: ListingListener): void {
    this.#listener = listener
  }

  /**
   * Revokes devices of a name, all or none. Resolves with the devices of the name that are revoked then. Throws `ClientError`
   * `REFUSED` or `UNAVAILABLE`. May be repeated.
   */
  async revoke(
    name: string,
    statements: { readonly revocations: readonly Revocation[]; readonly endorsements: readonly NewEndorsement[] },
    signal?: AbortSignal,
  ): Promise<readonly RevokedDevice[]> {
    const answer = await this.#service.ask({ type: "revoke", name, ...statements }, signal)
    if (answer.type === "revoked") return answer.revoked
    throw new ClientError("REFUSED", `the directory refused to revoke the device: ${refusal(answer)}`)
  }

  /** Resolves with all recovery keys of the name then. Throws `ClientError` `REFUSED` or `UNAVAILABLE`. May be repeated. */
  async setRecoveryKey(name: string, recoveryKey: RecoveryKey, signal?: AbortSignal): Promise<readonly RecoveryKey[]> {
    const answer = await this.#service.ask({ type: "setRecoveryKey", name, recoveryKey }, signal)
    if (answer.type === "recoveryKeys") return answer.recovery
    throw new ClientError("REFUSED", `the directory refused the recovery key: ${refusal(answer)}`)
  }

  /** Resolves with the statement that the directory keeps. Throws `ClientError` `REFUSED` or `UNAVAILABLE`. */
  async setDisplayName(name: string, displayName: DisplayName, signal?: AbortSignal): Promise<DisplayName> {
    const answer = await this.#service.ask({ type: "setDisplayName", name, displayName }, signal)
    if (answer.type === "displayName") return answer.displayName
    if (answer.type === "revoked") throw thisDeviceRevoked()
    throw new ClientError("REFUSED", `the directory refused the display name: ${refusal(answer)}`)
  }

  /** Asks for all of the name that the signer is a device of. Throws `ClientError` `UNAVAILABLE`. */
  account(request: AccountAsked, signal?: AbortSignal): Promise<Lasting<AuthResponse>> {
    return this.#service.ask(request, signal)
  }

  close(): Promise<void> {
    return this.#service.close()
  }
}

/** What a device signs with the label `REGISTRATION_LABEL` of the contract. */
export function registrationContent(device: Pick<Registration, "name" | "cipherSuite" | "signatureKey">): Uint8Array {
  return encode(RegistrationTBS, device)
}

/** Throws `TypeError` for bytes that are none. */
export function readRegistration(content: Uint8Array): TypeOf<typeof RegistrationTBS> {
  try {
    return decode(RegistrationTBS, content, { sizeMax: 4096 })
  } catch (error) {
    throw new TypeError("this is no registration", { cause: error })
  }
}

function refusal(answer: { readonly type: string; readonly reason?: string }): string {
  return answer.reason ?? answer.type
}
