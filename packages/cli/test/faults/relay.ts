import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"

export interface Relay extends Disposable {
  /** Where it listens; 0 for a path. */
  readonly port: number
}

/** Carries connections at `from` to `to`, each `host:port` or the path of a Unix socket. Port 0 is any that is free. */
export async function relay(from: string, to: string): Promise<Relay> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((near) => {
    const far = connect(placeOf(to))
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.on("error", () => {})
      one.once("close", () => {
        sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  })
  server.listen(placeOf(from))
  await once(server, "listening")
  const address = server.address() as AddressInfo | string
  return {
    port: typeof address === "string" ? 0 : address.port,
    [Symbol.dispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

function placeOf(address: string): { path: string } | { host: string; port: number } {
  if (address.startsWith("/")) return { path: address }
  const [host, port] = address.split(":")
  return { host: host!, port: Number(port) }
}
