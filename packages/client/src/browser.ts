/// <reference lib="dom" />
import type { CryptoProvider } from "@conclave/crypto"
import { browserProvider, verifyBatch } from "@conclave/crypto/web"
import type { Transport } from "@conclave/transport"
import { connect as connectService } from "@conclave/transport/browser"
import { browserSealingKey } from "./browser-key.js"
import { copyBytes } from "./bytes.js"
import type { ClientOptions } from "./client.js"
import { ClientError } from "./errors.js"
import { requireOptions } from "./identity/names.js"
import { Client } from "./opening.js"
import { followPage } from "./page.js"
import { serviceAddresses } from "./service/addresses.js"
import { verifyFrom } from "./service/leaves.js"
import { indexedDbStore } from "./store/indexeddb.js"

export { browserSealingKey } from "./browser-key.js"
export * from "./index.js"
export { type IndexedDbStoreOptions, indexedDbStore } from "./store/indexeddb.js"

/** Options of {@link Client.open} that a page does not have to give. */
export interface BrowserClientOptions
  extends Omit<ClientOptions, "store" | "delivery" | "auth" | "provider" | "sealingKey"> {
  /**
   * The services' address. Default: the root of the page's own origin. Pages of another origin are let in where the service
   * was told of it (`conclave serve --allow-origin`).
   */
  readonly service?: string | URL
  /**
   * The profile's name within the origin; default: `name`. One tab at a time has it. A page that has it open itself waits
   * ten seconds for that client's `close()`.
   */
  readonly profile?: string
  /** Wait for the tab that has the profile instead of failing with `STORE_LOCKED`; `signal` ends the waiting. */
  readonly waitForOtherTab?: boolean
  /**
   * Default: libsodium's WebAssembly, loaded now; JavaScript alone where the page may not compile WebAssembly, as its
   * content security policy lacks `wasm-unsafe-eval`: the same algorithms, several times slower.
   */
  readonly provider?: CryptoProvider
  /** 32 bytes. Default: those of {@link browserSealingKey}. */
  readonly sealingKey?: Uint8Array
}

/** Opens a profile in IndexedDB, with the browser's cryptography and WebSocket. Throws what {@link Client.open} does. */
export async function openClient(options: BrowserClientOptions): Promise<Client> {
  requireOptions(options, "name")
  const { service = location.origin, profile = options.name, waitForOtherTab = false, ...rest } = options
  // A caller may use its bytes for something else from here on.
  const given = options.sealingKey && copyBytes(options.sealingKey)
  // Throws before there is anything to close.
  const ways = connect(service)
  const waiting = options.signal === undefined ? {} : { signal: options.signal }
  // The profile is locked first: two tabs that start at once must not both make a key. And in the order of the calls: of
  // two in one page, the second may wait for the first, which is closed.
  const store = await indexedDbStore(profile, { wait: waitForOtherTab, ...waiting })
  let provider: CryptoProvider
  let sealingKey: Uint8Array
  try {
    provider = options.provider ?? (await loadProvider())
    sealingKey = given ?? (await browserSealingKey(profile))
  } catch (error) {
    await store[Symbol.asyncDispose]()
    throw error
  }
  const verifyLeaves = verifyFrom(LEAVES_FOR_BATCH, (scheme, signatures) => verifyBatch(provider, scheme, signatures))
  const client = await Client.open({ verifyLeaves, ...rest, ...ways, store, sealingKey, provider })
  followPage(client)
  return client
}

/** Bundlers make files of their own of what is loaded when it is wanted, which may be out of reach then. */
async function loadProvider(): Promise<CryptoProvider> {
  try {
    return await browserProvider()
  } catch (error) {
    throw new ClientError("UNAVAILABLE", "the cryptography of this page cannot be loaded", error)
  }
}

/** WebCrypto has threads of its own, and the page stays alive meanwhile. */
const LEAVES_FOR_BATCH = 200

/** Ways to both services at one address: `delivery` and `auth` below it. */
export function connect(service: string | URL): { readonly delivery: Transport; readonly auth: Transport } {
  const { delivery, auth } = serviceAddresses(service)
  return { delivery: connectService(delivery), auth: connectService(auth) }
}
