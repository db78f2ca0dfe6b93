import { randomBytes } from "node:crypto"
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs"
import { dirname } from "node:path"
import { nodeProvider, verifyBatch } from "@conclave/crypto/node"
import type { Transport, TransportError } from "@conclave/transport"
import { connect as connectService } from "@conclave/transport/node"
import { copyBytes } from "./bytes.js"
import type { ClientOptions } from "./client.js"
import { ClientError } from "./errors.js"
import { requireOptions } from "./identity/names.js"
import { Client } from "./opening.js"
import { serviceAddresses } from "./service/addresses.js"
import { verifyFrom } from "./service/leaves.js"
import { type ProfileRecords, readRecords } from "./store/reading.js"
import { SEALING_KEY_SIZE } from "./store/sealed.js"
import { sqliteReader, sqliteStore } from "./store/sqlite.js"
import type { Store } from "./store/store.js"

export * from "./index.js"
export type { ProfileRecords } from "./store/reading.js"
export { sqliteStore } from "./store/sqlite.js"

/** Options of {@link Client.open} that a Node program does not have to give. */
export interface NodeClientOptions
  extends Omit<ClientOptions, "store" | "delivery" | "auth" | "provider" | "sealingKey"> {
  /** The services' address, `http://` or `https://`. */
  readonly service: string | URL
  /** Path of the profile's file, an SQLite database, created if it does not exist. One process at a time can open it. */
  readonly profile: string
  /** 32 bytes. Default: those of `<profile>.key`, see {@link sealingKeyFile}. */
  readonly sealingKey?: Uint8Array
  /**
   * Ask by sealed requests, in the first packet where the path allows it, once the service offers that: `true` is
   * `private`, without anything on the wire that links two connections; `sealed` is the same without data in the first
   * packet, and a round trip slower. Both need the package `@conclave/fast-open`. Default `off`: HTTP and WebSocket alone.
   */
  readonly fastOpen?: boolean | "private" | "sealed" | "off"
  /**
   * 32 bytes: the key that `conclave serve --fast-open` shows. With it, nobody can pose as the service even at the first
   * contact over plain HTTP, and over plain HTTP nothing is asked in any other way. Implies {@link fastOpen}.
   */
  readonly serverKey?: Uint8Array
  /** Is told once when sealed requests do not get through, and everything goes over HTTP and WebSocket. */
  readonly onFallback?: (reason: TransportError) => void
}

const SERVER_KEY_SIZE = 32

/**
 * Opens a profile in a file, with Node's cryptography and WebSocket. If it throws, the profile is free.
 *
 * @throws what {@link Client.open} throws, and `Error` when sealed requests are asked for and `@conclave/fast-open` is not
 * installed.
 */
export async function openClient(given: NodeClientOptions): Promise<Client> {
  requireOptions(given, "name, service and profile")
  const { service, profile, ...options } = given
  if (options.serverKey !== undefined && options.serverKey.length !== SERVER_KEY_SIZE) {
    throw new TypeError(`a server key has ${SERVER_KEY_SIZE} bytes`)
  }
  serviceAddresses(service)
  if (typeof profile !== "string" || profile === "") {
    throw new TypeError("the option profile must be the path of the profile's file")
  }
  // The profile is locked first: two that start at once must not both make a key.
  const store = sqliteStore(profile)
  let sealingKey: Uint8Array
  let ways: Pick<ClientOptions, "delivery" | "auth">
  try {
    sealingKey = options.sealingKey ?? (await keyOf(store, `${profile}.key`))
    ways = await connectAs({ service, profile, ...options })
  } catch (error) {
    await store[Symbol.asyncDispose]()
    throw error
  }
  const provider = nodeProvider()
  const verifyLeaves = verifyFrom(provider.name === "node+native" ? LEAVES_FOR_NATIVE : LEAVES_FOR_THREADS, verifyBatch)
  return Client.open({ verifyLeaves, ...options, ...ways, store, sealingKey, provider })
}

/** Of a profile that has something in it, no key is made: what it was sealed with is missing then. */
async function keyOf(store: Store, file: string): Promise<Uint8Array> {
  if (!existsSync(file) && (await store.list("", { limit: 1 })).length > 0) {
    throw new ClientError(
      "WRONG_PROFILE",
      `the key file ${file} is missing: put it back, the profile is sealed with it`,
    )
  }
  return sealingKeyFile(file)
}

/** Starting threads takes as long as verifying a few thousand signatures. */
const LEAVES_FOR_THREADS = 4000

/** The threads of aws-lc are there at once, and the event loop goes on meanwhile. */
const LEAVES_FOR_NATIVE = 32

async function connectAs({ service, profile, ...options }: Omit<NodeClientOptions, "name">) {
  const { fastOpen = "off", onFallback } = options
  const serverKey = options.serverKey && copyBytes(options.serverKey)
  const ordinary = connect(service)
  const isWanted = serverKey !== undefined || (fastOpen !== false && fastOpen !== "off")
  if (!isWanted) return ordinary
  const keptFile = `${profile}.fast-open`
  const policy = fastOpen === "sealed" ? "off" : "private"
  const { connectFastOpen } = await loadFastOpen()
  return connectFastOpen(service, { provider: nodeProvider(), ordinary, policy, serverKey, keptFile, onFallback })
}

/** The package is an optional peer: a client that does not ask for sealed requests works without it. */
async function loadFastOpen() {
  try {
    return await import("./service/fast-open.js")
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code !== "ERR_MODULE_NOT_FOUND") throw error
    throw new Error("sealed requests need a package: npm install @conclave/fast-open", { cause: error })
  }
}

/** Ways to both services at one address: `delivery` and `auth` below it. */
export function connect(service: string | URL): { readonly delivery: Transport; readonly auth: Transport } {
  const { delivery, auth } = serviceAddresses(service)
  return { delivery: connectService(delivery), auth: connectService(auth) }
}

/**
 * The 32 bytes in a file, which is made with a random key if it is not there and which only its owner may read. It
 * protects a profile that is copied without it (a backup, a shared folder); it does not protect against whoever reads
 * both. An application with a better place for keys gives the key itself.
 */
export function sealingKeyFile(file: string): Uint8Array {
  try {
    if (existsSync(file)) chmodSync(file, 0o600)
    else makeKeyFile(file)
  } catch (error) {
    throw new ClientError("STORE_FAILED", `the key file ${file} cannot be made`, error)
  }
  return readSealingKey(file)
}

/** Whole and on the disk when it returns, or not there: what is sealed with its key must not outlive it. */
function makeKeyFile(file: string): void {
  const temporary = `${file}.${randomBytes(6).toString("hex")}.new`
  try {
    const descriptor = openSync(temporary, "wx", 0o600)
    try {
      writeSync(descriptor, randomBytes(SEALING_KEY_SIZE))
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    nameOnce(temporary, file)
  } finally {
    rmSync(temporary, { force: true })
  }
  syncFolderOf(file)
}

/** Where somebody else has made the file meanwhile, theirs stays. */
function nameOnce(temporary: string, file: string): void {
  try {
    linkSync(temporary, file)
  } catch {
    // Some file systems have no links.
    if (!existsSync(file)) renameSync(temporary, file)
  }
}

function syncFolderOf(file: string): void {
  // Windows opens no folders.
  if (process.platform === "win32") return
  const folder = openSync(dirname(file), "r")
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/**
 * Opens the records of a profile in a file, for tools that show what is stored. No client can have it open meanwhile;
 * nothing is written, registered or asked.
 *
 * @throws {ClientError} `STORE_LOCKED` while a client has it open, `WRONG_PROFILE` for another sealing key, a file that is
 * no profile, and a profile of another version, `STORE_FAILED` when a file is not there or cannot be read
 */
export async function readProfile(options: {
  /** Path of the profile's file. */
  readonly profile: string
  /** 32 bytes. Default: those of `<profile>.key`. */
  readonly sealingKey?: Uint8Array
}): Promise<ProfileRecords> {
  const store = sqliteReader(options.profile)
  try {
    const sealingKey = options.sealingKey ?? readSealingKey(`${options.profile}.key`)
    return await readRecords(store, { provider: nodeProvider(), sealingKey })
  } catch (error) {
    await store[Symbol.asyncDispose]()
    throw error
  }
}

function readSealingKey(file: string): Uint8Array {
  let key: Uint8Array
  try {
    key = readFileSync(file)
  } catch (error) {
    throw new ClientError("STORE_FAILED", `the key file ${file} cannot be read`, error)
  }
  if (key.length !== SEALING_KEY_SIZE) throw new ClientError("WRONG_PROFILE", `${file} holds no key of 32 bytes`)
  return new Uint8Array(key)
}
