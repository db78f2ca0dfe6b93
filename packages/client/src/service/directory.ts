import { decode, encode, type TypeOf } from "@conclave/codec"
import {
  type AuthRequest,
  AuthResponse,
  authRequests,
  type Device,
  type DisplayName,
  type Endorsement,
  RegistrationTBS,
} from "@conclave/contracts/auth"
import type { Transport } from "@conclave/transport"
import { ClientError } from "../errors.js"
import { type Lasting, Service } from "./call.js"
import type { Patience } from "./patience.js"

export interface Registration {
  readonly name: string
  readonly cipherSuite: number
  readonly signatureKey: Uint8Array
  readonly signature: Uint8Array
  readonly endorsement: Endorsement | undefined
}

type AccountAsked = Extract<AuthRequest, { type: "exportAccount" | "eraseAccount" }>

/** The Authentication Service, as a client asks it. */
export class Directory {
  readonly #service: Service<AuthRequest, AuthResponse>
  #heard: (name: string, displayName: DisplayName | undefined) => Promise<void> = async () => {}

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
    throw new ClientError("REFUSED", `the directory refused the name: ${refusal(answer)}`)
  }

  /** The devices that speak for a name; none where nobody has it. */
  async devices(name: string, signal?: AbortSignal): Promise<readonly Device[]> {
    const answer = await this.#service.ask({ type: "lookup", name }, signal)
    if (answer.type === "notFound") return []
    if (answer.type === "devices" && answer.name === name) {
      await this.#heard(name, answer.displayName)
      return answer.devices
    }
    throw new ClientError("REFUSED", `the directory did not answer the question: ${refusal(answer)}`)
  }

  /** `heard` gets the display name in each answer, unverified, before the caller of {@link devices} gets the rest. */
  listen(heard: (name: string, displayName: DisplayName | undefined) => Promise<void>): void {
    this.#heard = heard
  }

  /** Resolves with the statement that the directory keeps. Throws `ClientError` `REFUSED` or `UNAVAILABLE`. */
  async setDisplayName(name: string, displayName: DisplayName, signal?: AbortSignal): Promise<DisplayName> {
    const answer = await this.#service.ask({ type: "setDisplayName", name, displayName }, signal)
    if (answer.type === "displayName") return answer.displayName
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
