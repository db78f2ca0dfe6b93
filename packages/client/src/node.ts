import type { Transport } from "@conclave/transport"
import type { Client, ClientOptions } from "./client.js"

export * from "./index.js"

/** Options of {@link Client.open} that a Node program does not have to give. */
export interface NodeClientOptions
  extends Omit<ClientOptions, "store" | "delivery" | "auth" | "provider" | "sealingKey"> {
  /** The services' address, `http://` or `https://`. */
  readonly service: string | URL
  /** The profile's file, made if it is not there: an SQLite database. One process at a time has it. */
  readonly profile: string
  /** 32 bytes. Default: those of `<profile>.key`, a file made on first use that only its owner may read. */
  readonly sealingKey?: Uint8Array
}

/** Opens a profile in a file, with Node's cryptography and WebSocket. */
export declare function openClient(options: NodeClientOptions): Promise<Client>

/** Ways to both services at one address. */
export declare function connect(
  service: string | URL,
): Promise<{ readonly delivery: Transport; readonly auth: Transport }>
