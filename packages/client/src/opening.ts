import type { ClientOptions, Client as OpenClient } from "./client.js"
import { openDevice } from "./device/open.js"

/** A client that is open: see the interface `Client` in client.ts. */
export type Client = OpenClient

export const Client: {
  /**
   * Registers the name on first use. Throws `ClientError`: `NAME_TAKEN`, `WRONG_PROFILE` (another name or suite, or
   * another sealing key; a profile of a newer version), `STORE_FAILED`, `UNAVAILABLE` (first opening only: later ones
   * work without a network). Throws `TypeError` for an option that cannot be used: a name that is none, a sealing key of
   * another length than 32 bytes, a cipher suite that the provider lacks, a service without an address.
   * Where it throws, store and transports have been closed.
   */
  open(options: ClientOptions): Promise<Client>
} = { open: (options) => openDevice(options) }
