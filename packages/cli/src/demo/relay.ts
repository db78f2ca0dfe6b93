import { type AddressInfo, connect, createServer, type Socket } from "node:net"

/** Stands between the members and the service, and counts what passes. */
export interface Relay extends AsyncDisposable {
  readonly url: URL
  /** Bytes inside TCP, in both directions, since the beginning. */
  readonly bytes: number
}

export async function startRelay(service: URL): Promise<Relay> {
  const sockets = new Set<Socket>()
  let bytes = 0
  const pass = (from: Socket, to: Socket) => {
    sockets.add(from)
    from.on("data", (chunk) => {
      bytes += chunk.length
    })
    from.pipe(to)
    from.on("error", () => to.destroy())
    from.on("close", () => {
      sockets.delete(from)
      to.destroy()
    })
  }
  const server = createServer((member) => {
    const upstream = connect(Number(service.port), service.hostname)
    pass(member, upstream)
    pass(upstream, member)
  })
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(0, "127.0.0.1", resolve)
  })
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`),
    get bytes() {
      return bytes
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
