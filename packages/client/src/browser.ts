import type { Client, ClientOptions } from "./client.js"

export * from "./index.js"

/** Options of {@link Client.open} that a page does not have to give. */
export interface BrowserClientOptions
  extends Omit<ClientOptions, "store" | "delivery" | "auth" | "provider" | "sealingKey"> {
  /** The services' address; default: the page's own origin. */
  readonly service?: string | URL
  /** The profile's name within the origin; default: `name`. One tab at a time has it. */
  readonly profile?: string
  /** Wait for the tab that has the profile instead of failing with `STORE_LOCKED`. */
  readonly waitForOtherTab?: boolean
  /** 32 bytes. Default: a key of the profile's own, kept by the browser. */
  readonly sealingKey?: Uint8Array
}

/** Opens a profile in IndexedDB, with the browser's cryptography and WebSocket. */
export declare function openClient(options: BrowserClientOptions): Promise<Client>
