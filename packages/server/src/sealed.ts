/// <reference lib="esnext.disposable" preserve="true" />
import { authRequests } from "@conclave/contracts/auth"
import { deliveryRequests } from "@conclave/contracts/delivery"
import type { CryptoProvider } from "@conclave/crypto"
import type { Shares } from "@conclave/transport"
import type { DatabasePlace, FastOpenOptions, FastOpenServer, Services, SharedSealing } from "./options.js"

interface Sealing extends FastOpenOptions {
  readonly crypto: CryptoProvider
  readonly services: Services
  readonly shares: Shares
  /** Where {@link shared} parts are. */
  readonly database: DatabasePlace | undefined
  /** In bytes. */
  readonly requestSizeMax: number
}

/**
 * Answers sealed requests to both services. Rejects with the system's error where the port cannot be taken, with
 * `StoreUnavailable` where the shared parts cannot be had, and with `OtherSecretError`.
 *
 * @throws {TypeError} for shared parts without a database, or beside keys.
 */
export async function startSealed(options: Sealing): Promise<FastOpenServer & AsyncDisposable> {
  const { crypto, services, shares, requestSizeMax, keys, host = "localhost", port = 0, policy = "private" } = options
  const { SealedServer, serveAll } = await import("@conclave/fast-open")
  const shared = options.shared && (await openShared(options.shared, options))
  const server = new SealedServer({
    provider: crypto,
    requestSizeMax,
    shares,
    ...(keys && { keys }),
    ...shared?.parts,
    ...serveAll({
      auth: { handler: services.auth, mayRunEarly: (request) => authRequests.isReplaySafe(request) },
      delivery: { handler: services.delivery, mayRunEarly: (request) => deliveryRequests.isReplaySafe(request) },
    }),
  })
  const close = async () => shared?.[Symbol.asyncDispose]()
  try {
    const taken = await server.listen({ host, port, policy })
    const publicKey = shared && { publicKey: shared.parts.keys.publicKey }
    return { server, port: taken, ...publicKey, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

/** What the register waits for it need not be long: a request asks inside its connection instead. */
const SHORT = { statementTimeoutMilliseconds: 1_000, lockTimeoutMilliseconds: 1_000, connectTimeoutMilliseconds: 2_000 }
/** Two for the register's statements, as many for the rotation of keys. */
const CONNECTIONS = 4

async function openShared({ secret, ...told }: SharedSealing, { crypto, database: place, keys }: Sealing) {
  if (place === undefined) throw new TypeError("shared keys need a database")
  if (keys !== undefined) throw new TypeError("give one of keys and shared")
  const { dayKeyStore, openDatabase, strikeStore } = await import("@conclave/postgres")
  const { AddressTokens, SharedKeyRing, SharedStrikeRegister } = await import("@conclave/fast-open")
  const { url, schema } = place
  // Appends that wait for the disk must not hold up what decides on a first packet.
  const database = openDatabase({ url, ...(schema !== undefined && { schema }), ...SHORT, connections: CONNECTIONS })
  const parts: Disposable[] = []
  const close = async () => {
    for (const part of parts) part[Symbol.dispose]()
    await database.close()
  }
  try {
    const { onRegisterLost: onLost, onRegisterRegained: onRegained, onKeysLost: onError } = told
    const register = new SharedStrikeRegister({
      store: await strikeStore(database),
      ...(onLost && { onLost }),
      ...(onRegained && { onRegained }),
    })
    parts.push(register)
    await register.start()
    const store = await dayKeyStore(database)
    const ring = await SharedKeyRing.open({ provider: crypto, secret, store, ...(onError && { onError }) })
    parts.push(ring)
    const tokens = new AddressTokens({ provider: crypto })
    ring.feed(tokens)
    return { parts: { keys: ring, tokens, register }, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}
