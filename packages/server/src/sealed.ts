import { authRequests } from "@conclave/contracts/auth"
import { deliveryRequests } from "@conclave/contracts/delivery"
import type { CryptoProvider } from "@conclave/crypto"
import type { Shares } from "@conclave/transport"
import type { FastOpenOptions, FastOpenServer, Services } from "./options.js"

interface Sealing extends FastOpenOptions {
  readonly crypto: CryptoProvider
  readonly services: Services
  readonly shares: Shares
  /** In bytes. */
  readonly requestSizeMax: number
}

/** Answers sealed requests to both services. Rejects with the system's error where the port cannot be taken. */
export async function startSealed(options: Sealing): Promise<FastOpenServer> {
  const { crypto, services, shares, requestSizeMax, keys, host = "localhost", port = 0, policy = "private" } = options
  const { SealedServer, serveAll } = await import("@conclave/fast-open")
  const server = new SealedServer({
    provider: crypto,
    requestSizeMax,
    shares,
    ...(keys && { keys }),
    ...serveAll({
      auth: { handler: services.auth, mayRunEarly: (request) => authRequests.isReplaySafe(request) },
      delivery: { handler: services.delivery, mayRunEarly: (request) => deliveryRequests.isReplaySafe(request) },
    }),
  })
  return { server, port: await server.listen({ host, port, policy }) }
}
