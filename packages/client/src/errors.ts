import type { ClientErrorCode } from "./events.js"

/** A wish that cannot be fulfilled, or a client that cannot work. `code` says whose fault it is and what to do. */
export class ClientError extends Error {
  override readonly name = "ClientError"
  /**
   * `UNKNOWN_NAME`, `NO_KEY_PACKAGE`: the other person is not (or not yet) reachable · `NAME_TAKEN`: choose another ·
   * `KEY_CHANGED`: compare safety codes, then `approveKey` · `NOT_A_MEMBER`, `LOST`: be invited (again) ·
   * `CONTINUED`: ask `Conversation.continuedBy` for it · `TOO_LARGE`: send less · `REFUSED`: the service said no · `STORE_FAILED`, `STORE_LOCKED`, `WRONG_PROFILE`: the
   * profile cannot be used · `UNAVAILABLE`: try later · `UPDATE`: the service speaks newer versions only, update
   * this program · `REVOKED`: a device of the same name has revoked this one; it keeps its history, and a fresh profile can be
   * endorsed · `WRONG_CLOCK`: a key package is not valid at the time that this device's clock shows (RFC 9420 §7.2) · `CLOSED`: the client was closed.
   */
  readonly code: ClientErrorCode

  /** When the service takes the same again, where it said so: this client was throttled. */
  readonly retryAt: Date | undefined

  constructor(code: ClientErrorCode, message: string, cause?: unknown, retryAt?: Date) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.retryAt = retryAt
  }
}

/** For errors of work that is done another time where a service does not answer. */
export function requireUnavailable(error: unknown): void {
  if (!(error instanceof ClientError && error.code === "UNAVAILABLE")) throw error
}

export const THIS_DEVICE_REVOKED = "this device was revoked by a device of its name"

export const thisDeviceRevoked = (): ClientError => new ClientError("REVOKED", THIS_DEVICE_REVOKED)
